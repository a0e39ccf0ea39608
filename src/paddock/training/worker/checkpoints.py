"""Owns which checkpoints are whole: one that was cut short by a full disk or a killed worker is never gone on from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from paddock.jobs.folder import JobFolder
from paddock.paths import write_whole

_SEAL = "paddock.json"


def seal(checkpoint: Path) -> int:
    """Say that a checkpoint is whole, by the size of each of its files; returns their sum. Raises OSError."""
    sizes = {str(one.relative_to(checkpoint)): one.stat().st_size for one in _files(checkpoint)}
    write_whole(checkpoint / _SEAL, json.dumps(sizes, indent=1))
    return sum(sizes.values())


def newest(folder: Path) -> Path | None:
    """The last whole checkpoint; those that are not whole are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=_step)
    for checkpoint in reversed(found):
        if _is_whole(checkpoint):
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


def _is_whole(checkpoint: Path) -> bool:
    try:
        sizes: dict[str, int] = json.loads((checkpoint / _SEAL).read_text("utf-8"))
        return all((checkpoint / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _files(checkpoint: Path) -> list[Path]:
    return [one for one in checkpoint.rglob("*") if one.is_file() and one.name != _SEAL]


def _step(checkpoint: Path) -> int:
    word = checkpoint.name.rpartition("-")[2]
    return int(word) if word.isdecimal() else -1
