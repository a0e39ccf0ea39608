"""Owns the worker's beginning and end: `PYTHON THIS-FILE FOLDER`, with the Python of the training stack.

With a tracker's name behind, and the numbers of the last event and step before, it follows that folder for the tracker.
With `rank` behind the folder it is one of several that the worker started (`launching`).

The stack holds no paddock, and paddock's own environment no torch. So this file brings in the package that it lies in,
and nothing else of that environment.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path


def _bring_in() -> None:
    """Make this file's own paddock importable, without the packages beside it."""
    package = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location(
        package.name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[package.name] = module
    spec.loader.exec_module(module)


def _settle() -> None:
    """Have libraries that are imported from here on stay on this machine, and leave processors to others."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    _bring_in()


def rank(folder: str) -> int:
    """Do one process's share of it, where `main` started several; Ray calls this."""
    _settle()
    from paddock.training.worker.ranks import work

    return work(folder)


def main(folder: str) -> int:
    """Do what lies in a job's folder. 0 went well, 1 failed and told so, 3 is done by another worker already."""
    _settle()
    from paddock.jobs.folder import JobFolder, Report
    from paddock.training.worker.launching import is_shared, launched
    from paddock.training.worker.outcome import told
    from paddock.training.worker.ranks import forget_others

    job = JobFolder(root=Path(folder))
    lock = job.worker_lock()
    if not lock.take():
        return 3

    # Whoever ends the machine's session has a checkpoint written first.
    def end(number: int, frame: object) -> None:
        job.ask("save")

    signal.signal(signal.SIGTERM, end)
    forget_others(os.environ)
    try:
        if is_shared(job):
            return launched(job)
        report = Report(job)
        try:
            return told(job, report)
        finally:
            report.close()
    finally:
        lock.release()


if __name__ == "__main__":
    if sys.argv[2:] == ["rank"]:
        sys.exit(rank(sys.argv[1]))
    if len(sys.argv) == 2:
        sys.exit(main(sys.argv[1]))
    _settle()
    from paddock.training.worker.tracker import follow

    sys.exit(follow(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
