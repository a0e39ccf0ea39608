"""Owns how the fake hub is written to: repositories made, large files taken, commits; a part of `hub.py`.

As the hub does it: `POST /api/repos/create`, `…/preupload/main` (which way each file goes),
`….git/info/lfs/objects/batch` (where large ones are put, whole or in parts; nowhere, where it has them), `PUT /lfs/…`,
`POST /lfs/verify`, and `…/commit/main`, by which all become visible at once. `GET /__pushed` is its control. Imports no
paddock.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

ABOUT = ".about.json"
_PIECE_BYTES = 2**12
Json = dict[str, Any]


@dataclass
class Pushed:
    """What was written so far. `taken` are the digests of what came, in order; `parts` wait for their whole."""

    created: list[Json] = field(default_factory=list[Json])
    commits: list[Json] = field(default_factory=list[Json])
    taken: list[str] = field(default_factory=list[str])
    cards: list[str] = field(default_factory=list[str])
    objects: dict[str, bytes] = field(default_factory=dict[str, bytes])
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict[str, dict[int, bytes]])

    def told(self) -> Json:
        return {"created": self.created, "commits": self.commits, "taken": self.taken, "cards": self.cards}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is answered."""

    status: int
    body: Json
    about: dict[str, str] = field(default_factory=dict[str, str])


def is_plain(path: Path) -> bool:
    """Whether the file lies in git itself and not in large-file storage."""
    return path.suffix != ".gguf" or path.name.startswith("plain-")


def posted(root: Path, pushed: Pushed, faults: Json, path: str, host: str, raw: bytes) -> Said:
    """What becomes of a POST."""
    if "write_status" in faults:
        return Said(status=faults["write_status"], body={"error": "no"})
    if path == "/api/validate-yaml":
        pushed.cards.append(json.loads(raw)["content"])
        return Said(status=200, body={"errors": [], "warnings": []})
    if path == "/api/repos/create":
        return _created(root, pushed, host, json.loads(raw))
    if path == "/lfs/verify":
        asked = json.loads(raw)
        is_there = len(pushed.objects.get(asked["oid"], b"")) == asked["size"]
        return Said(status=200 if is_there else 404, body={})
    if whole := re.fullmatch(r"/lfs/whole/([0-9a-f]{64})", path):
        parts = pushed.parts.pop(whole[1])
        return _taken(pushed, whole[1], b"".join(parts[number] for number in sorted(parts)))
    found = re.fullmatch(
        r"/(?:api/models/)?([^/]+/[^/]+?)(/preupload/main|\.git/info/lfs/objects/batch|/commit/main)", path
    )
    if found is None:
        return Said(status=404, body={})
    folder = root / found[1]
    if not folder.is_dir():
        return Said(status=404, body={}, about={"X-Error-Code": "RepoNotFound"})
    if found[2].startswith("/pre"):
        return Said(status=200, body={"files": [_mode(folder, one["path"]) for one in json.loads(raw)["files"]]})
    if found[2].startswith("/commit"):
        return _committed(folder, pushed, f"http://{host}/{found[1]}", raw)
    objects = [_batched(pushed, faults, host, one) for one in json.loads(raw)["objects"]]
    return Said(status=200, body={"transfer": "basic", "objects": objects})


def put(pushed: Pushed, faults: Json, path: str, raw: bytes) -> Said:
    """What becomes of a PUT."""
    if "put_status" in faults:
        return Said(status=faults["put_status"], body={})
    if part := re.fullmatch(r"/lfs/part/([0-9a-f]{64})/(\d+)", path):
        pushed.parts.setdefault(part[1], {})[int(part[2])] = raw
        return Said(status=200, body={}, about={"ETag": f'"{hashlib.md5(raw).hexdigest()}"'})
    return _taken(pushed, path.rpartition("/")[2], raw)


def read_slowly(stream: Any, size_bytes: int, slow_s: float) -> bytes:
    """A body of that size, over that time; what came where the sender leaves."""
    data = bytearray()
    while len(data) < size_bytes and (piece := stream.read(min(_PIECE_BYTES, size_bytes - len(data)))):
        data += piece
        if slow_s:
            time.sleep(slow_s * len(piece) / size_bytes)
    return bytes(data)


def _created(root: Path, pushed: Pushed, host: str, asked: Json) -> Said:
    repo = f"{asked.get('organization') or 'me'}/{asked['name']}"
    if (root / repo).is_dir():
        return Said(status=409, body={"error": "You already created this model repo"})
    pushed.created.append(asked)
    (root / repo).mkdir(parents=True)
    (root / repo / ABOUT).write_text(json.dumps({"private": asked.get("visibility") == "private"}))
    return Said(status=200, body={"url": f"http://{host}/{repo}", "name": repo, "id": repo})


def _mode(folder: Path, name: str) -> Json:
    path = folder / name
    about: Json = {"path": name, "uploadMode": "regular" if is_plain(path) else "lfs", "shouldIgnore": False}
    if path.is_file():
        raw = path.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(raw) + raw)
        about["oid"] = git.hexdigest() if is_plain(path) else hashlib.sha256(raw).hexdigest()
    return about


def _batched(pushed: Pushed, faults: Json, host: str, one: Json) -> Json:
    oid, size = one["oid"], one["size"]
    told: Json = {"oid": oid, "size": size}
    if oid in pushed.objects:
        return told
    at = f"http://{host}/lfs"
    upload: Json = {"href": f"{at}/{oid}"}
    if part_bytes := faults.get("part_bytes"):
        numbers = range(1, -(-size // part_bytes) + 1)
        parts = {str(number): f"{at}/part/{oid}/{number}" for number in numbers}
        upload = {"href": f"{at}/whole/{oid}", "header": {"chunk_size": str(part_bytes), **parts}}
    return {**told, "actions": {"upload": upload, "verify": {"href": f"{at}/verify"}}}


def _taken(pushed: Pushed, oid: str, raw: bytes) -> Said:
    if hashlib.sha256(raw).hexdigest() != oid:
        return Said(status=400, body={"error": "other bytes"})
    pushed.objects[oid] = raw
    pushed.taken.append(oid)
    return Said(status=200, body={})


def _committed(folder: Path, pushed: Pushed, at: str, raw: bytes) -> Said:
    lines = [cast(Json, json.loads(line)) for line in raw.splitlines()]
    files: dict[str, bytes] = {}
    for line in lines[1:]:
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile" and value["oid"] in pushed.objects:
            files[value["path"]] = pushed.objects[value["oid"]]
        else:
            return Said(status=400, body={"error": "a file that is not there, or is taken away"})
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    number = len(pushed.commits) + 1
    pushed.commits.append(
        {"repo": at.split("/", 3)[3], "files": sorted(files), "summary": lines[0]["value"]["summary"]}
    )
    oid = hashlib.sha1(f"commit {number}".encode()).hexdigest()
    url = f"{at}/commit/{oid}"
    return Said(status=200, body={"success": True, "commitUrl": url, "commitOid": oid, "pullRequestUrl": None})
