"""Owns handing a training's figures to one tracker, in a process of its own that follows what the worker tells.

Libraries of trackers change what others do that find them, wait for servers, and end as they like: here that is theirs
alone. Each keeps figures on this machine unless the option says where else; what it would send of its own accord
(errors, counts of use, the code of whoever started it) is switched off before it is imported.
"""

from __future__ import annotations

import importlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from paddock.jobs.folder import JobFolder
from paddock.training.spec import TrainSpec, as_table, spec_of
from paddock.training.trackers import address_of, trackers_of

WHOLE = "whole"
_LOOK_EVERY_S = 0.5
_PROJECT = "paddock"
_ABOUT = ("number", "at_s", "kind", "step")
_PARAMETER_CHARACTERS = 500
# What each would do without being asked, and how long a server that does not answer may hold a training up.
_QUIET = {
    "WANDB_ERROR_REPORTING": "false", "WANDB_DISABLE_GIT": "true", "WANDB_DISABLE_CODE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "GIT_PYTHON_REFRESH": "quiet",
    "GRADIO_ANALYTICS_ENABLED": "False",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a tracker is told of a training. `address` is where figures go, "" for `folder`."""

    id: str
    name: str
    spec: TrainSpec
    resumed: int
    folder: Path
    address: str


class _Open(Protocol):
    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Keep figures of a step."""
        ...

    def close(self, *, is_whole: bool) -> None:
        """Write what is not written yet."""
        ...


class _TensorBoard:
    def __init__(self, run: Run) -> None:
        self._event = importlib.import_module("tensorboard.compat.proto.event_pb2").Event
        self._summary = importlib.import_module("tensorboard.compat.proto.summary_pb2").Summary
        module = importlib.import_module("tensorboard.summary.writer.event_file_writer")
        self._writer = module.EventFileWriter(str(run.folder / run.id))
        if run.resumed:
            # Of what was told behind the checkpoint that it goes on from nothing is shown twice.
            log = importlib.import_module("tensorboard.compat.proto.event_pb2").SessionLog
            begun = self._event(step=run.resumed + 1, session_log=log(status=log.START), wall_time=time.time())
            self._writer.add_event(begun)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        values = [self._summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        told = self._event(step=step, wall_time=time.time(), summary=self._summary(value=values))
        self._writer.add_event(told)
        self._writer.flush()

    def close(self, *, is_whole: bool) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, run: Run) -> None:
        mode = os.environ["WANDB_MODE"] = "online" if run.address else "offline"
        wandb = importlib.import_module("wandb")
        run.folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=_PROJECT, id=run.id, name=run.name, dir=str(run.folder), config=as_table(run.spec), resume="allow",
            mode=mode, settings=wandb.Settings(console="off", disable_git=True, save_code=False),
        )  # fmt: skip

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=step)

    def close(self, *, is_whole: bool) -> None:
        self._run.finish(exit_code=0 if is_whole else 1)


class _Mlflow:
    def __init__(self, run: Run) -> None:
        self._mlflow = importlib.import_module("mlflow")
        self._client = self._mlflow.MlflowClient(tracking_uri=run.address or run.folder.as_uri())
        known = self._client.get_experiment_by_name(_PROJECT)
        experiment = known.experiment_id if known else self._client.create_experiment(_PROJECT)
        found = self._client.search_runs([experiment], f"tags.paddock_training = '{run.id}'", max_results=1)
        if found:
            self._id = found[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        tags = {"paddock_training": run.id}
        self._id = self._client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
        parameter = self._mlflow.entities.Param
        told = [parameter(name, str(value)[:_PARAMETER_CHARACTERS]) for name, value in as_table(run.spec).items()]
        self._client.log_batch(self._id, params=told)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        metric, now_ms = self._mlflow.entities.Metric, self._mlflow.utils.time.get_current_time_millis()
        told = [metric(name, value, now_ms, step) for name, value in figures.items()]
        self._client.log_batch(self._id, metrics=told)

    def close(self, *, is_whole: bool) -> None:
        self._client.set_terminated(self._id, "FINISHED" if is_whole else "FAILED")


class _Trackio:
    def __init__(self, run: Run) -> None:
        # What else it reads of the environment are places to send figures to.
        for name in [name for name in os.environ if name.startswith("TRACKIO_")]:
            del os.environ[name]
        os.environ["TRACKIO_DIR"] = str(run.folder)
        run.folder.mkdir(parents=True, exist_ok=True)
        self._trackio = importlib.import_module("trackio")
        self._trackio.init(
            project=_PROJECT, name=f"{run.name}-{run.id}", resume="allow", config=as_table(run.spec), embed=False,
            auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        self._trackio.log(dict(figures), step=step)

    def close(self, *, is_whole: bool) -> None:
        self._trackio.finish()


_KINDS: Mapping[str, Callable[[Run], _Open]] = {
    "tensorboard": _TensorBoard, "wandb": _Wandb, "mlflow": _Mlflow, "trackio": _Trackio,
}  # fmt: skip


def beside(root: str, name: str, after: str, resumed: str) -> int:
    """Hand on what is told behind an event, until the standard input ends: with `WHOLE`, or without where it failed.

    Args:
        root: the training's folder.
        name: the tracker.
        after: the number of the last event that was handed on before.
        resumed: the step that the training goes on behind.
    """
    # The worker's end ends this, once all is handed on.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.environ.update(_QUIET)
    job = JobFolder(root=Path(root))
    order = job.order()
    sys.path.insert(0, str(Path(order["tracker_libraries"]) / name))
    spec = spec_of(order["spec"])
    run = Run(
        id=job.root.name, name=str(order["name"]), spec=spec, resumed=int(resumed),
        folder=Path(order["tracked"]) / name,
        address=address_of(name) if trackers_of(spec.trackers)[name] else "",
    )  # fmt: skip
    said: list[str] = []
    over = threading.Event()

    def listen() -> None:
        said.append(sys.stdin.read())
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    tracker, offset, is_over = _KINDS[name](run), 0, False
    while not is_over:
        is_over = over.wait(_LOOK_EVERY_S)
        told, offset = job.events(offset)
        for event in told:
            if event["number"] > int(after) and (figures := figures_in(event)):
                tracker.log(int(event["step"]), figures)
    tracker.close(is_whole=said == [WHOLE])
    return 0


def figures_in(event: Mapping[str, Any]) -> dict[str, float]:
    """The figures of an event by the names that trackers get; those of held-out rows begin with `eval_`."""
    if event["kind"] not in ("step", "eval"):
        return {}
    before = "eval_" if event["kind"] == "eval" else ""
    return {
        before + name: float(value)
        for name, value in event.items()
        if name not in _ABOUT and isinstance(value, (int, float)) and math.isfinite(value)
    }
