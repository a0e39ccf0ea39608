"""Owns where lies what was made of a training's checkpoints to try them; refuses to make it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from paddock.models.entries import Entry, id_of_file, is_gguf

_FOLDER = "tries"


def tried_folder(job: Path) -> Path:
    """The folder within that of a training; it goes with the training."""
    return job / _FOLDER


def is_tried(path: Path) -> bool:
    """Whether a file is one of these."""
    return path.parent.name == _FOLDER and path.parent.parent.name.startswith("job_")


def tried_in(jobs: Path) -> Iterator[Entry]:
    """The files that were made of checkpoints of any training: adapters, whole models, and the models they began as.

    Two trainings of one model share its bytes under one name.
    """
    try:
        names = sorted(name for name in os.listdir(jobs) if name.startswith("job_"))
    except OSError:
        return
    for name in names:
        folder = tried_folder(jobs / name)
        try:
            found = sorted(os.listdir(folder))
        except OSError:
            continue
        for one in found:
            if is_gguf(one):
                yield Entry(id=id_of_file(one), path=folder / one, origin="tried")
