"""Owns the program that talks to the hub for a server: one question on stdin, answers as lines of JSON on stdout.

It is a process of its own so that a transfer ends at once when it is to end, whatever it waits for, and so that the
hub's library is not part of the server. It ends when stdin does, which is when its parent dies, however that came.

    {"do": "list", "repo": …}                        → {"repo", "revision", "files", …}
    {"do": "search", "words": …, "most": …}          → {"found"}
    {"do": "headers", "model": …, "folder": …}       → {"model", "files", "has_eyes"}
    {"do": "fetch", "model": …, "home": …, …}        → {"done_bytes", "size_bytes"} …, {"model"}
    {"do": "abandon", "model": …, "home": …, …}      → {"model"}
    {"do": "push", "repo": …, "uploads": …, …}       → {"file", "done_bytes", "size_bytes"} …, {"pushed"}

and instead of any of them `{"error": {"kind", "message"}}`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paddock.errors import HubUnavailable, PaddockError, RepositoryClosed, RepositoryUnknown
from paddock.models import download
from paddock.models.download import Hub
from paddock.models.hub_choice import Choice, HubFile, Plan, parse_spec
from paddock.models.hub_errors import hub_errors
from paddock.models.hub_header import write_headers
from paddock.models.hub_push import Pushed, Upload, push
from paddock.models.hub_search import search
from paddock.paths import Home

_TELL_EVERY_S = 0.25
_MEMORY_MOST_BYTES = 512 * 2**20
_NO_TOKEN = (
    " What is asked for over the API is fetched without this server's token, unless the setting lend_hub_token says "
    "otherwise; `paddock pull` uses yours."
)


def main() -> None:
    """Answer one question."""
    asked = sys.stdin.readline()
    if not asked:
        return  # the parent died before it asked
    question: dict[str, Any] = json.loads(asked)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    hub = Hub(token=question["token"] if question["lends_token"] else False)
    if question["do"] not in ("fetch", "push"):
        _bound()
    try:
        _tell(_answered(question, hub))
    except MemoryError:
        _tell_error(HubUnavailable("The hub told more of this than paddock reads. Ask for something else."))
    except (RepositoryClosed, RepositoryUnknown) as error:
        _tell_error(error, "" if question["lends_token"] else _NO_TOKEN)
    except PaddockError as error:
        _tell_error(error)


def _bound() -> None:
    """What a hub says is read whole, and packed it may be small. A transfer has a memory of its own to need."""
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_MOST_BYTES, _MEMORY_MOST_BYTES))


def _answered(question: dict[str, Any], hub: Hub) -> dict[str, Any]:
    if question["do"] == "list":
        return asdict(download.list_files(question["repo"], hub=hub))
    if question["do"] == "search":
        return {"found": [asdict(one) for one in search(question["words"], most=question["most"], hub=hub)]}
    if question["do"] == "headers":
        plan = download.look_up(question["model"], hub=hub)
        with hub_errors(plan.repo, hub.host):
            paths = write_headers(plan, Path(question["folder"]), lambda file: download.source_of(plan, file, hub))
        return {"model": plan.id, "files": [path.name for path in paths], "has_eyes": plan.choice.projector is not None}
    if question["do"] == "push":
        return {"pushed": asdict(_pushed(question, hub))}
    home = Home(root=Path(question["home"]))
    if question["do"] == "abandon":
        files = tuple(HubFile(**file) for file in question["files"])
        spec = parse_spec(question["model"])
        choice = Choice(quant=str(spec.quant), files=files, available=())
        download.abandon(Plan(spec=spec, revision=question["revision"], choice=choice), home, hub=hub)
        return {"model": question["model"]}
    record = download.pull(
        question["model"],
        home,
        hub=hub,
        progress=_Progress().tell,
        revision=question["revision"],
        spoken_for_bytes=question["spoken_for_bytes"],
    )
    return {"model": record.id}


def _pushed(question: dict[str, Any], hub: Hub) -> Pushed:
    uploads = [Upload(**one) for one in question["uploads"]]
    with hub_errors(question["repo"], hub.host):
        size_bytes = sum(one.size_bytes for one in uploads)
    progress = _Progress()
    return push(
        question["repo"],
        uploads,
        is_public=question["is_public"],
        hub=hub,
        tell=lambda file, done_bytes: progress.tell(done_bytes, size_bytes, file=file),
    )


class _Progress:
    """Tells how far a transfer is, now and then."""

    def __init__(self) -> None:
        self._told_s = 0.0

    def tell(self, done_bytes: int, size_bytes: int, **more: str) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= _TELL_EVERY_S or done_bytes == size_bytes:
            self._told_s = now_s
            _tell({"done_bytes": done_bytes, "size_bytes": size_bytes, **more})


def _tell(line: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)  # the parent is gone


def _tell_error(error: PaddockError, more: str = "") -> None:
    _tell({"error": {"kind": type(error).__name__, "message": error.message + more}})


def _end_with_parent() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
