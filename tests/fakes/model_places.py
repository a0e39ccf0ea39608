"""Owns laying out folders as other programs keep their models; shares no code with the readers under test."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

COMMIT, OLDER = "c" * 40, "d" * 40
MEDIA = "application/vnd.ollama.image."


def hub_cache(
    cache: Path, repo: str, name: str, content: bytes, *, commit: str = COMMIT, ref: str | None = "main"
) -> Path:
    """A file as the hub's library caches it. Returns its name in the snapshot."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
    pointer = folder / "snapshots" / commit / name
    for path in (blob, pointer):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    if ref:
        branch = folder / "refs" / ref
        branch.parent.mkdir(parents=True, exist_ok=True)
        branch.write_text(commit)
    return pointer


def lmstudio(folder: Path, repo: str, name: str, content: bytes) -> Path:
    """A file as LM Studio keeps it."""
    path = folder / repo / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def ollama(folder: Path, name: str, layers: list[tuple[str, bytes]], *, host: str = "host.test") -> Path:
    """A model as Ollama keeps it: `name` is NAMESPACE/NAME/TAG. Returns the blob of the first layer."""
    blobs: list[Path] = []
    told: list[dict[str, object]] = []
    for kind, content in layers:
        digest = hashlib.sha256(content).hexdigest()
        blob = folder / "blobs" / f"sha256-{digest}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        blobs.append(blob)
        told.append({"mediaType": MEDIA + kind, "digest": f"sha256:{digest}", "size": len(content)})
    manifest = folder / "manifests" / host / name
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": told}))
    return blobs[0]
