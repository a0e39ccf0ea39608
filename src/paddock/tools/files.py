"""Owns the tools that list, read, write and edit files of the chat's workspace; refuses to know what they mean."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread

from paddock.protocol.turns import Outcome
from paddock.tools import beneath
from paddock.tools.tool import Given, Tool, Unfit, takes, text, whole_number

_READ_MOST_BYTES = 2**18
_WRITTEN_MOST_BYTES = 2**22
_LINES_MOST = 2000
_PATH = text("Where the file lies in the workspace, such as notes/plan.md.")


async def _list(given: Given) -> Outcome:
    entries = await anyio.to_thread.run_sync(beneath.listed, await given.workspace.folder())
    lines = [f"{entry.path} ({entry.size_bytes} bytes)" for entry in entries]
    return Outcome(text="\n".join(lines) or "The workspace is empty.")


async def _read(given: Given) -> Outcome:
    root, path = await given.workspace.folder(), given.arguments["path"]
    first, most = given.arguments.get("first_line", 1), given.arguments.get("lines", _LINES_MOST)
    content, size_bytes = await anyio.to_thread.run_sync(_text_of, root, path)
    lines = content.splitlines(keepends=True)
    chosen = lines[first - 1 : first - 1 + most]
    said = "".join(chosen)
    if len(chosen) < len(lines):
        said += f"\n[lines {first} to {first - 1 + len(chosen)} of {len(lines)}]"
    if size_bytes > _READ_MOST_BYTES:
        said += f"\n[the file has {size_bytes} bytes; its first {_READ_MOST_BYTES} were read]"
    return Outcome(text=said or "(the file is empty)")


async def _write(given: Given) -> Outcome:
    root, path, content = await given.workspace.folder(), given.arguments["path"], given.arguments["content"]
    size_bytes = await anyio.to_thread.run_sync(_written, root, path, content)
    return Outcome(text=f"Wrote {size_bytes} bytes to {path}.", files=({"path": path, "size_bytes": size_bytes},))


async def _edit(given: Given) -> Outcome:
    root, path = await given.workspace.folder(), given.arguments["path"]
    old, new = given.arguments["old_text"], given.arguments["new_text"]
    content, size_bytes = await anyio.to_thread.run_sync(_text_of, root, path)
    if size_bytes > _READ_MOST_BYTES:
        raise Unfit(f"the file has {size_bytes} bytes, and at most {_READ_MOST_BYTES} can be edited")
    count = content.count(old) if old else 0
    if count != 1:
        raise Unfit(f"old_text stands {count} times in {path}; give more of what is around it, so that it stands once")
    size_bytes = await anyio.to_thread.run_sync(_written, root, path, content.replace(old, new))
    return Outcome(text=f"Edited {path}.", files=({"path": path, "size_bytes": size_bytes},))


def _text_of(root: Path, path: str) -> tuple[str, int]:
    try:
        data, size_bytes = beneath.read(root, path, _READ_MOST_BYTES)
    except beneath.NotThere as error:
        raise Unfit(str(error)) from None
    if b"\0" in data[:4096]:
        raise Unfit(f"{path} is no text: it has {size_bytes} bytes of something else")
    return data.decode("utf-8", "replace"), size_bytes


def _written(root: Path, path: str, content: str) -> int:
    data = content.encode("utf-8", "replace")
    if len(data) > _WRITTEN_MOST_BYTES:
        raise Unfit(f"the text has {len(data)} bytes; at most {_WRITTEN_MOST_BYTES} are written")
    try:
        beneath.write(root, path, data)
    except beneath.NotThere as error:
        raise Unfit(str(error)) from None
    except OSError as error:
        raise Unfit(f"{path} cannot be written: {error.strerror}") from None
    return len(data)


_GROUP = "files"
FILES = (
    Tool(
        name="list_files",
        description="Lists the files in the workspace.",
        parameters=takes({}),
        carry_out=_list,
        group=_GROUP,
    ),
    Tool(
        name="read_file",
        description="Reads a text file of the workspace.",
        parameters=takes(
            {"path": _PATH},
            first_line=whole_number("The first line to read, from 1.", minimum=1),
            lines=whole_number("How many lines to read.", minimum=1, maximum=_LINES_MOST),
        ),
        carry_out=_read,
        group=_GROUP,
    ),
    Tool(
        name="write_file",
        description="Writes a text file in the workspace, in place of one of that name.",
        parameters=takes({"path": _PATH, "content": text("All that the file shall hold.")}),
        carry_out=_write,
        group=_GROUP,
        changes_things=True,
    ),
    Tool(
        name="edit_file",
        description="Replaces one piece of a text file in the workspace.",
        parameters=takes(
            {
                "path": _PATH,
                "old_text": text("The piece as it stands there, once in the whole file."),
                "new_text": text("What takes its place."),
            }
        ),
        carry_out=_edit,
        group=_GROUP,
        changes_things=True,
    ),
)
