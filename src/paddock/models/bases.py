"""Owns which models can be trained: those in the form of Transformers; refuses to load them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from paddock.errors import FieldInvalid, shown
from paddock.paths import typed

# As hubs name what they hold: owner and name.
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_BUNDLED = Path(__file__).parent / "bundled"


def trainable(base: str) -> Path:
    """The folder of a base by its name or path. Raises FieldInvalid."""
    if base == "pocket-v0":
        return _BUNDLED / base
    folder = typed(base, "base")
    if folder.suffix.lower() == ".gguf":
        raise FieldInvalid(
            f"base is {shown(base)}, a GGUF file: it is for answering. Name the folder of the model's own "
            "weights, with its config.json.",
            param="base",
        )
    if _REPOSITORY.fullmatch(base) and not folder.exists():
        raise FieldInvalid(
            f"base is {shown(base)}, and there is no such folder. If that is a repository of a hub: paddock fetches no "
            "weights to train. Accept its terms there if it is gated, download all of it, and name its folder.",
            param="base",
        )
    if not os.path.isfile(folder / "config.json"):
        raise FieldInvalid(
            f"base is {shown(base)}, where no config.json lies. Name a folder in the form of Transformers, or "
            "pocket-v0.",
            param="base",
        )
    return folder.resolve()
