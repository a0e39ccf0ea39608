"""Owns the tools that list, read, write and edit files of the chat's workspace; refuses to know what they mean."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread

from paddock.protocol.turns import Outcome
from paddock.sandbox import files
from paddock.tools.tool import Given, Tool, Unfit, takes, text, whole_number

_READ_MOST_BYTES = 2**18
_WRITTEN_MOST_BYTES = 2**22
_LINES_MOST = 2000
_LISTED_MOST = 500
_ENTRIES_MOST = 20_000
_PATH = text("Where the file lies in the workspace, such as notes/plan.md.")


async def _list(given: Given) -> Outcome:
    root = await given.workspace.files()
    seen = await anyio.to_thread.run_sync(lambda: files.look(root, entries_most=_ENTRIES_MOST))
    lines = [f"{name} ({size_bytes} bytes)" for name, size_bytes in sorted(seen.sizes_bytes.items())]
    more = [f"[and {len(lines) - _LISTED_MOST} more]"] if len(lines) > _LISTED_MOST else []
    return Outcome(text="\n".join([*lines[:_LISTED_MOST], *more]) or "The workspace is empty.")


async def _read(given: Given) -> Outcome:
    # A schema's whole number may be written 1.0.
    first, most = (int(given.arguments.get(name, usual)) for name, usual in (("first_line", 1), ("lines", _LINES_MOST)))
    content, is_cut = await anyio.to_thread.run_sync(_text_of, await given.workspace.files(), given.arguments["path"])
    lines = content.splitlines(keepends=True)
    chosen = lines[first - 1 : first - 1 + most]
    said = "".join(chosen)
    if len(chosen) < len(lines):
        said += f"\n[lines {first} to {first - 1 + len(chosen)} of {len(lines)}]"
    if is_cut:
        said += f"\n[the file is longer; its first {_READ_MOST_BYTES} bytes were read]"
    return Outcome(text=said or "(the file is empty)")


async def _write(given: Given) -> Outcome:
    path, content = given.arguments["path"], given.arguments["content"]
    return await anyio.to_thread.run_sync(_written, await given.workspace.files(), path, content, "Wrote")


async def _edit(given: Given) -> Outcome:
    root, path = await given.workspace.files(), given.arguments["path"]
    old, new = given.arguments["old_text"], given.arguments["new_text"]
    content, is_cut = await anyio.to_thread.run_sync(_text_of, root, path)
    if is_cut:
        raise Unfit(f"the file has more than {_READ_MOST_BYTES} bytes, and no more can be edited")
    count = content.count(old) if old else 0
    if count != 1:
        raise Unfit(f"old_text stands {count} times in {path}; give more of what is around it, so that it stands once")
    return await anyio.to_thread.run_sync(_written, root, path, content.replace(old, new), "Edited")


def name_of(path: str) -> str:
    """A path as models write it, as a name within the workspace. Raises Unfit."""
    parts = [part for part in path.strip().split("/") if part not in ("", ".")]
    if not parts or ".." in parts or not all(part.isprintable() for part in parts):
        raise Unfit(f"{path[:100]!r} is no path of a file here: write names below the workspace, such as notes/a.txt")
    return "/".join(parts)


def _text_of(root: Path, path: str) -> tuple[str, bool]:
    """A file's text, and whether there is more of it."""
    try:
        data = files.read(root, name_of(path), most_bytes=_READ_MOST_BYTES + 1, is_cut=True)
    except OSError as error:
        raise Unfit(f"{path} cannot be read: {error.strerror or error}") from None
    if b"\0" in data:
        raise Unfit(f"{path} is no text")
    return data[:_READ_MOST_BYTES].decode("utf-8", "replace"), len(data) > _READ_MOST_BYTES


def _written(root: Path, path: str, content: str, done: str) -> Outcome:
    name, data = name_of(path), content.encode("utf-8", "replace")
    if len(data) > _WRITTEN_MOST_BYTES:
        raise Unfit(f"the text has {len(data)} bytes; at most {_WRITTEN_MOST_BYTES} are written")
    try:
        files.write(root, name, data)
    except OSError as error:
        raise Unfit(f"{path} cannot be written: {error.strerror or error}") from None
    made = {"path": name, "size_bytes": len(data), "media_type": files.media_type(name, data[:16])}
    return Outcome(text=f"{done} {name}, {len(data)} bytes.", files=(made,))


_GROUP = "files"
FILES = (
    Tool(
        name="list_files",
        description="Lists the files in the workspace.",
        parameters=takes({}),
        carry_out=_list,
        group=_GROUP,
        only_looks=True,
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
        only_looks=True,
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
