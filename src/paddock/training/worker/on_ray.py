"""Owns having a training done by Ray: on one that is started for it, or on a cluster that runs.

Each process does what those of this machine do (`ranks.work`), with the same files: where it is on another machine, the
data home, the base and the rows lie on a disk that all share, at the same path. Refuses to know what they do.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from paddock.errors import FieldInvalid, shown
from paddock.jobs.folder import JobFolder
from paddock.training.spec import TrainSpec
from paddock.training.worker.launching import SHARE, Ended, program, refuse_too_few

# A Ray of this machine alone, for as long as the training.
OWN = "ray"
_CONNECT_S = 10.0
# Where Ray looks for the token of a cluster if nothing else is said.
_TOKEN = Path("~/.ray/auth_token")
# What Ray says of a process that went without a word.
_LOST = "WorkerHealthCheckFailedError"
# What one says that failed.
_ENDED = re.compile(r"It ended with (\d+)\.")


def on_ray(job: JobFolder, spec: TrainSpec) -> Ended:
    """Raises FieldInvalid where there is no Ray, or it has not what is needed."""
    _settle(spec)
    before = signal.getsignal(signal.SIGTERM)
    try:
        import ray
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer
    except ImportError as error:
        raise FieldInvalid(
            f"cluster is {shown(spec.cluster)}, and this training stack has no Ray ({error}). Type `paddock setup "
            "python-stack --with ray`, which adds it.",
            param="cluster",
        ) from error
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    _join(ray, spec)
    try:
        # Ray takes this signal for itself, and would leave without a checkpoint.
        signal.signal(signal.SIGTERM, before)
        cards = _cards(ray, spec)
        trainer = TorchTrainer(
            _share, train_loop_config={"program": program(), "share": SHARE, "folder": str(job.root)},
            scaling_config=ScalingConfig(num_workers=spec.processes, use_gpu=cards > 0),
            run_config=RunConfig(name=job.root.name, storage_path=str(job.ranks)),
        )  # fmt: skip
        return _ended(ray, trainer)
    finally:
        ray.shutdown()


def _settle(spec: TrainSpec) -> None:
    """Say by the environment what Ray reads when it is imported: whom it tells of itself, and who may join."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if spec.cluster == OWN:
        # Nobody else has its token; without one Ray would write its own into the person's home.
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    elif os.environ.get("RAY_AUTH_TOKEN_PATH") or os.environ.get("RAY_AUTH_TOKEN") or _TOKEN.expanduser().is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _join(ray: Any, spec: TrainSpec) -> None:
    """Be on that Ray. Raises FieldInvalid."""
    if spec.cluster == OWN:
        ray.init(address="local", num_cpus=max(spec.processes, os.cpu_count() or 1), include_dashboard=False)
        return
    host, _, port = spec.cluster.rpartition(":")
    try:
        if port.isdecimal() and "/" not in host:
            # Ray itself would try for minutes.
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
        ray.init(address=spec.cluster)
    except (RuntimeError, ValueError, AssertionError, OSError, OverflowError, ray.exceptions.RayError) as error:
        said = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise FieldInvalid(
            f"There is no Ray at {shown(spec.cluster)} that this training stack can join: {said.rstrip('.')}. "
            "docs/cluster.md tells how to start one, and how it knows who may join.",
            param="cluster",
        ) from error


def _cards(ray: Any, spec: TrainSpec) -> int:
    """How many cards it has. Raises FieldInvalid where it has too few of what each process needs."""
    has = ray.cluster_resources()
    cards, processors = int(has.get("GPU", 0)), int(has.get("CPU", 0))
    where = f"the Ray at {shown(spec.cluster)}"
    refuse_too_few(spec, cards, where)
    if spec.processes > processors:
        raise FieldInvalid(
            f"processes is {spec.processes}, and {where} has {processors} processors, of which each needs one. Say "
            f"{processors} at most, or let more machines join it first.",
            param="processes",
        )
    return cards


def _share(given: dict[str, str]) -> None:
    """What Ray has each process do: sent there as it stands, since nothing of paddock can be imported there."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("paddock_worker", given["program"])
    assert spec
    assert spec.loader
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    if code := worker.beside(given["share"], given["folder"]):
        raise RuntimeError(f"It ended with {code}.")  # `_ENDED` reads it.


def _ended(ray: Any, trainer: Any) -> Ended:
    try:
        trainer.fit()
    except ray.train.TrainingFailedError as error:
        failures: dict[int, Exception] = getattr(error, "worker_failures", {})
        lost = tuple(sorted(rank for rank, one in failures.items() if type(one).__name__ == _LOST))
        said = (str(next(iter(failures.values()), error)).strip().splitlines() or [""])[-1]
        code = _ENDED.search(said)
        return Ended(code=int(code[1]) if code else 1, lost=lost, said=said)
    return Ended(code=0)
