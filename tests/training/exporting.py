"""Runs an export's worker by itself, on a folder of a job, and changes files between its runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from gguf import GGUFReader

from paddock.export.exports import WORK, quantiser_of
from paddock.jobs.folder import WORKER, JobFolder
from tests.training.conftest import STACK

ROOT = Path(__file__).resolve().parents[2]
POCKET = ROOT / "src" / "paddock" / "models" / "bundled" / "pocket-v0"
ENGINE = [sys.executable, "-P", "-m", "paddock.engine.embedded"]
# A guard against hanging, not a measure of speed.
HANG_GUARD_S = 1500
# One thread is quicker than several that wait for one another on a machine that others use too.
_ENVIRON = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def python() -> str:
    """The Python of the training stack."""
    name = (STACK / "current").read_text("utf-8").strip()
    return str(STACK / name / "bin" / "python")


def make(*words: str, by: str = "making.py") -> str:
    """Have a program of these tests make something; what it prints."""
    program = str(Path(__file__).with_name(by))
    done = subprocess.run(
        [python(), program, *words], env=_ENVIRON, capture_output=True, text=True, timeout=HANG_GUARD_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def order(folder: Path, base: Path, adapter: Path | None, types: list[str], **more: Any) -> JobFolder:
    """A job of an export."""
    folder.mkdir(parents=True, exist_ok=True)
    job = JobFolder(root=folder)
    job.write_order(
        {
            "spec": {
                "source": str(adapter or base),
                "name": "x",
                "types": types,
                "certifies": more.pop("certifies", True),
            },
            "source": {"base": str(base), "adapter": str(adapter) if adapter else None},
            "engine": ENGINE,
            "python": ENGINE[:2],
            "quantiser": quantiser_of(ENGINE),
            "verifying": False,
            **more,
        }
    )
    return job


def words(job: JobFolder, work: str = WORK) -> list[str]:
    """Those that start its worker."""
    return [python(), "-I", WORKER, work, str(job.root)]


def worked(job: JobFolder, work: str = WORK) -> list[dict[str, Any]]:
    """What the worker tells, run to its end."""
    before = len(job.events()[0])
    done = subprocess.run(
        words(job, work), env=_ENVIRON, cwd=job.root, capture_output=True, text=True, timeout=HANG_GUARD_S, check=False
    )
    told = job.events()[0][before:]
    assert told, done.stderr
    return told


def certificate(job: JobFolder, kind: str) -> dict[str, Any]:
    """The certificate of a type's file."""
    found: dict[str, Any] = json.loads((job.root / "files" / f"x-{kind}.certificate.json").read_text("utf-8"))
    return found


def verdicts(job: JobFolder, kind: str) -> dict[str, str]:
    """The verdict on each link."""
    return {name: one["verdict"] for name, one in certificate(job, kind)["links"].items()}


def set_number(file: Path, key: str, value: float) -> None:
    """Change a number in a file's metadata, in place."""
    reader = GGUFReader(file, "r+")
    reader.fields[key].parts[-1][0] = value
    reader.data.flush()


def set_text(file: Path, key: str, before: str, after: str) -> None:
    """Change a text in a file's metadata, by one of the same length, in place."""
    assert len(before.encode()) == len(after.encode())
    reader = GGUFReader(file, "r+")
    data = reader.fields[key].parts[-1]
    at = bytes(data).index(before.encode())
    data[at : at + len(before.encode())] = list(after.encode())
    reader.data.flush()


def corrupt(file: Path, tensor: str) -> None:
    """Turn every second row of a tensor into its neighbour, in place."""
    reader = GGUFReader(file, "r+")
    data = next(one for one in reader.tensors if one.name == tensor).data
    data[::2] = data[1::2]
    reader.data.flush()
