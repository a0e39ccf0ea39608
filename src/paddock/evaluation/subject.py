"""Owns which file, template and engine answered in an evaluation; refuses to ask any of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from paddock.errors import ModelUnusable
from paddock.models.facts import state_of

_PIECE_BYTES = 2**22


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is evaluated: a name, and what stands behind it.

    Attributes:
        model: the name by which it is asked.
        file_digest: SHA-256 of the file, or of its parts in order, and of adapters laid over it.
        file_state: what tells file and template from others without reading them.
        template_digest: SHA-256 of the chat template; "" where there is none.
        engine: the build that answers.
    """

    model: str
    file_digest: str
    file_state: str
    template_digest: str
    engine: str

    def as_table(self) -> dict[str, Any]:
        """As it is written down and told."""
        return asdict(self)


def read_subject(
    model: str, files: Sequence[Path], *, template: str, override: str, engine: str, scales: Sequence[float] = ()
) -> Subject:
    """Reads the files whole, which takes a second for each gigabyte or so.

    Args:
        model: the name by which it is asked.
        files: the model's, then its adapters'.
        template: the chat template that holds for it.
        override: the name of a template that was set in place of the file's own; "" for none.
        engine: the build that answers.
        scales: of the adapters.

    Raises:
        ModelUnusable: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for file in files:
            with file.open("rb") as data:
                while piece := data.read(_PIECE_BYTES):
                    digest.update(piece)
    except OSError as error:
        raise ModelUnusable(f"A file of '{model}' cannot be read ({error.strerror}). Mend it, or fetch it.") from error
    return Subject(
        model=model,
        file_digest=digest.hexdigest(),
        file_state=state_key(files, override, scales),
        template_digest=hashlib.sha256(template.encode("utf-8", "replace")).hexdigest() if template else "",
        engine=engine,
    )


def state_key(files: Sequence[Path], override: str, scales: Sequence[float] = ()) -> str:
    """What tells files (by size, time and number) and the template that was set for them; "" where one is missing."""
    state = state_of(files)
    if state is None:
        return ""
    return hashlib.sha256(json.dumps([state, override, list(scales)]).encode()).hexdigest()
