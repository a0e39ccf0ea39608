"""Owns a worker's beginning and end: `PYTHON -I THIS-FILE MODULE FOLDER`, with the Python of the training stack.

MODULE is a module of paddock's whose `told` does what lies in the folder; with more words behind the folder it is one
whose `beside` does something for the worker, in a process of its own. The stack holds no paddock, and paddock's own
environment no torch. So this file brings in the package that it lies in, and nothing else of that environment.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.jobs.folder import JobFolder


def _bring_in() -> None:
    """Make this file's own paddock importable, without the packages beside it."""
    package = Path(__file__).resolve().parents[1]
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


def beside(module: str, *words: str) -> int:
    """Do what a worker has another process do. Ray calls this, too."""
    _settle()
    return int(importlib.import_module(module).beside(*words))


def main(module: str, folder: str) -> int:
    """Do what lies in a job's folder.

    0 went well, 1 failed and told so, 3 is done by another worker already, DISK_FULL had no room to tell how it went.
    """
    _settle()
    from paddock.jobs.ended import DISK_FULL, is_disk_full
    from paddock.jobs.folder import JobFolder

    try:
        return _worked(module, JobFolder(root=Path(folder)))
    except OSError as error:
        if is_disk_full(error):
            return DISK_FULL
        raise


def _worked(module: str, job: JobFolder) -> int:
    from paddock.jobs.folder import Report

    lock = job.worker_lock()
    if not lock.take():
        return 3

    # Whoever ends the machine's session has what is needed to go on written first.
    def end(number: int, frame: object) -> None:
        job.ask("save")

    signal.signal(signal.SIGTERM, end)
    report = Report(job)
    try:
        return int(importlib.import_module(module).told(job, report))
    finally:
        report.close()
        lock.release()


if __name__ == "__main__":
    sys.exit((main if len(sys.argv) == 3 else beside)(*sys.argv[1:]))
