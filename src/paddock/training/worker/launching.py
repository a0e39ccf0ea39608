"""Owns starting the processes that train together on this machine, and how a training ended that several do.

The worker is their parent. It holds the training's lock and tells nothing while they live; torch's launcher ends all of
them when one fails. On a cluster Ray does that (`on_ray`). Refuses to know what they do.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import FieldInvalid, PaddockError
from paddock.jobs.ended import DISK_FULL, tell_failure
from paddock.jobs.folder import JobFolder, Report
from paddock.training.endings import DISK_IS_FULL
from paddock.training.spec import TrainSpec, spec_of

# What each of them does, for `jobs/worker.py`.
SHARE = "paddock.training.worker.ranks"
# How long one that is told to end has for it, before it is made to.
_ENDING_S = 2


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How they ended: `code` is that of the first that failed, 0 if none did, `said` what is known of it.

    `lost` are those that went without a word.
    """

    code: int
    lost: tuple[int, ...] = ()
    said: str = ""


def program() -> str:
    """What each process is started as: what this worker was."""
    return str(Path(sys.argv[0]).resolve())


def is_shared(job: JobFolder) -> bool:
    """Whether a training is to be done by several processes, or elsewhere. Raises OSError or ValueError."""
    said = job.order()["spec"]
    return said.get("processes", 1) > 1 or bool(said.get("cluster"))


def launched(job: JobFolder) -> int:
    """Have a training done by several processes, and tell how it ended where these did not; 0 where it went well."""
    spec = spec_of(job.order()["spec"])
    job.forget_faults()
    shutil.rmtree(job.ranks, ignore_errors=True)
    job.ranks.mkdir()
    try:
        if spec.cluster:
            from paddock.training.worker.on_ray import on_ray

            ended = on_ray(job, spec)
        else:
            ended = _here(job, spec)
    except PaddockError as error:
        return _told(job, "spec", error.message)
    finally:
        shutil.rmtree(job.ranks, ignore_errors=True)
    return _judged(job, spec, ended)


def _judged(job: JobFolder, spec: TrainSpec, ended: Ended) -> int:
    if not ended.code:
        return 0
    noted = job.faults()
    job.forget_faults()
    # The others of one that is lost fail too, as nobody answers them: what they say is no reason.
    if ended.lost:
        which = ", ".join(str(one + 1) for one in ended.lost)
        return _told(
            job,
            "killed",
            f"Of {spec.processes} processes number {which} was killed: most likely memory was short. Resume goes on "
            "from the last checkpoint; a lower batch_rows or context_tokens needs less.",
        )
    if noted:
        return _told(job, noted[0]["kind"], noted[0]["message"])
    if ended.code == DISK_FULL:
        return _told(job, "disk", DISK_IS_FULL)
    said = f": {ended.said}" if ended.said else "."
    words = f"One of {spec.processes} processes ended with {ended.code}{said} output.log holds more."
    return _told(job, "crashed", words)


def _told(job: JobFolder, kind: str, words: str) -> int:
    # A new voice: the first of them told behind what the worker's own knows of.
    report = Report(job)
    try:
        return tell_failure(report, kind, words)
    finally:
        report.close()


def _here(job: JobFolder, spec: TrainSpec) -> Ended:
    """On this machine. Raises FieldInvalid where it has too few cards."""
    import torch
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher import LaunchConfig, elastic_launch

    refuse_too_few(spec, torch.cuda.device_count(), "this machine")
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=spec.processes, run_id=job.root.name, max_restarts=0,
        rdzv_backend="c10d", rdzv_endpoint="localhost:0", local_addr="127.0.0.1",
        logs_specs=DefaultLogsSpecs(log_dir=str(job.ranks)),
        # SIGTERM is the worker's own, which has a checkpoint written.
        signals_to_handle="SIGINT", shutdown_timeout=_ENDING_S,
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)("-I", program(), SHARE, str(job.root), "rank")
    except ChildFailedError as error:
        codes = {rank: int(one.exitcode) for rank, one in error.failures.items()}
        lost = tuple(sorted(rank for rank, code in codes.items() if code < 0))
        return Ended(code=int(error.get_first_failure()[1].exitcode), lost=lost)
    return Ended(code=0)


def refuse_too_few(spec: TrainSpec, cards: int, where: str) -> None:
    """Raises FieldInvalid where there are cards, but not one for each process, or none and they are needed."""
    if cards and spec.processes > cards:
        raise FieldInvalid(
            f"processes is {spec.processes}, and {where} has {cards} card{'s' if cards > 1 else ''}, of which each "
            f"needs one. Say {cards} at most.",
            param="processes",
        )
    if spec.strategy == "fsdp" and not cards:
        raise FieldInvalid(
            f"strategy fsdp divides the model between cards, and {where} has none that torch sees. Say ddp.",
            param="strategy",
        )
