"""Owns which checkpoints are whole: one that was cut short by a full disk or a killed worker is never gone on from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from paddock.jobs.folder import JobFolder
from paddock.paths import write_whole
from paddock.training.checkpoints import SEAL, is_whole, step_of


def seal(checkpoint: Path) -> int:
    """Say that a checkpoint is whole, by the size of each of its files; returns their sum. Raises OSError."""
    sizes = {str(one.relative_to(checkpoint)): one.stat().st_size for one in _files(checkpoint)}
    write_whole(checkpoint / SEAL, json.dumps(sizes, indent=1))
    return sum(sizes.values())


def newest(folder: Path) -> Path | None:
    """The last whole checkpoint; those that are not whole are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=step_of)
    for checkpoint in reversed(found):
        if is_whole(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def clear_halves(job: JobFolder) -> None:
    """Remove what a training was writing when it failed; what is whole stays."""
    for root in (job.root, job.dry_run):
        newest(root / "checkpoints")
        for draft in root.glob(".*.draft*"):
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)


def _files(checkpoint: Path) -> list[Path]:
    return [one for one in checkpoint.rglob("*") if one.is_file() and one.name != SEAL]
