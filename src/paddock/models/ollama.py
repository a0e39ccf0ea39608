"""Owns reading which models Ollama keeps in its folder; refuses to write there, and to speak Ollama's API.

The layout is Ollama's: `manifests/HOST/NAMESPACE/NAME/TAG` is JSON whose layers name `blobs/sha256-…` by digest and
media type. Covered: one GGUF file with or without a projector. Not covered: a model that is a base with an adapter laid
over it, and one of several files; both are named with the reason. Ollama's templates and parameters are its own and are
not read: the template in the GGUF file rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from paddock.models.entries import Entry

_MEDIA = "application/vnd.ollama.image."
_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MOST_BYTES = 2**20
_PARTS_OF_A_NAME = 4
_OWN_NAMESPACE = "library"


def models_of(folder: Path) -> Iterator[Entry]:
    """The models of an Ollama folder, by name, with Ollama's own names as ids; a host is left out of them."""
    root = folder / "manifests"
    for path in sorted(root.glob("*/*/*/*")):
        parts = path.relative_to(root).parts
        if len(parts) == _PARTS_OF_A_NAME and not any(part.startswith(".") for part in parts) and path.is_file():
            _, namespace, name, tag = parts
            model_id = f"{name}:{tag}" if namespace == _OWN_NAMESPACE else f"{namespace}/{name}:{tag}"
            yield _entry(folder, path, model_id)


def _entry(folder: Path, manifest: Path, model_id: str) -> Entry:
    try:
        layers = blobs_of(manifest)
    except ValueError:
        return Entry(id=model_id, path=manifest, origin="ollama", defect="Ollama's manifest of it cannot be read.")
    models, projectors = layers.get("model", []), layers.get("projector", [])
    defect = None
    if "adapter" in layers:
        defect = "It is a model with an adapter laid over it, which is not read from Ollama's folder. Import its files."
    elif len(models) != 1 or len(projectors) > 1:
        defect = f"It consists of {len(models)} model files and {len(projectors)} projectors. Import its files."
    blobs = [folder / "blobs" / f"sha256-{digest}" for digest in (*models[:1], *projectors[:1])]
    return Entry(
        id=model_id,
        path=blobs[0] if models else manifest,
        origin="ollama",
        projector=blobs[1] if models and projectors else None,
        digest=models[0] if models else None,
        defect=defect,
    )


def blobs_of(manifest: Path) -> dict[str, list[str]]:
    """The layers of a manifest: the last word of the media type, and the SHA-256 of each layer of that kind.

    Raises:
        ValueError: it cannot be read, or is no manifest.
    """
    try:
        with manifest.open("rb") as file:
            raw: Any = json.loads(file.read(_MOST_BYTES))
        found: dict[str, list[str]] = {}
        for layer in cast("list[dict[str, Any]]", raw["layers"]):
            kind, digest = str(layer["mediaType"]), _DIGEST.fullmatch(str(layer["digest"]))
            if kind.startswith(_MEDIA) and digest:
                found.setdefault(kind.removeprefix(_MEDIA), []).append(digest[1])
    except (OSError, LookupError, TypeError, RecursionError) as error:
        raise ValueError("not a manifest") from error
    return found
