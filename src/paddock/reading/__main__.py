"""The process in which one file is read: `python -m paddock.reading chats|document|page|parts SOURCE MADE`.

Prints one line of JSON: what there is to know of the file, or the sentence that says why it cannot be read (`fault`).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from paddock.reading.faults import Unreadable

# A file of chats is read as a whole, and may be large itself; a document is not. Never more than half the machine's.
_MEMORY_MOST_BYTES = {"chats": 6 * 2**30, "document": 2**30, "page": 2**30, "parts": 2**30}
# What the server reads of one chat at once, in bytes: more says nobody to a model.
_CHAT_MOST_BYTES = 64 * 2**20
_PROCESSOR_MOST_S = 300


def _bound(kind_read: str) -> None:
    """Take what a file that means harm would use up. Where the system has no such bounds, time is the only one."""
    if sys.platform == "win32":
        return
    import resource

    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    memory = min(_MEMORY_MOST_BYTES[kind_read], half)
    for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, _PROCESSOR_MOST_S)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _read(kind: str, source: Path, made: Path) -> dict[str, Any]:
    if kind == "document":
        from paddock.reading.documents import text_of

        document = text_of(source)
        made.write_text(document.text, "utf-8", errors="replace")
        return {"pages": document.pages, "media_type": document.media_type}
    if kind == "page":
        from paddock.reading.pages import page_of

        page = page_of(source)
        made.write_text(page.text, "utf-8", errors="replace")
        return {"title": page.title}
    if kind == "parts":
        from paddock.reading.parts import parts_of

        parts = parts_of(source)
        with made.open("w", encoding="ascii") as lines:
            lines.writelines(json.dumps(vars(part)) + "\n" for part in parts)
        return {"pages": max((part.page or 0 for part in parts), default=0) or None}
    from paddock.reading.chats import chats_in

    form, chats = chats_in(source)
    with made.open("w", encoding="ascii") as lines:
        for chat in chats:
            names = [_kept(made.parent, attachment) for attachment in chat["attachments"]]
            line = json.dumps({**chat, "attachments": names}, allow_nan=False)
            if len(line) > _CHAT_MOST_BYTES:
                sentence = f"It has {len(line) // 2**20} MiB of text, and may have {_CHAT_MOST_BYTES // 2**20}."
                line = json.dumps({"id": str(chat["id"])[:64], "title": chat["title"], "unread": sentence})
            lines.write(line + "\n")
    return {"format": form}


def _kept(folder: Path, attachment: dict[str, Any]) -> str:
    """The name of the file that an attachment lies in, beside the chats: once, however many of them name it."""
    from paddock.reading.values import id_of

    name = f"attachment-{id_of(attachment.get('id'))}"
    if not (folder / name).exists():
        (folder / name).write_text(json.dumps(attachment), "ascii")
    return name


def main() -> None:
    """Read one file."""
    _bound(sys.argv[1])
    try:
        told = _read(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except Unreadable as error:
        told = {"fault": str(error)}
    except (MemoryError, RecursionError):
        told = {"fault": "It needs more memory than reading a file may take. Send a smaller part of it."}
    print(json.dumps(told))  # noqa: T201 (its answer)


if __name__ == "__main__":
    main()
