"""Prints as JSON what a tracker kept of a training, read by its own library: run with the Python of the stack."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Found = dict[str, list[tuple[int, float]]]
# The file of an offline run of wandb is a log of blocks, with a header for each piece of a record.
_BLOCK_BYTES, _PIECE_BYTES, _FILE_BYTES = 32768, 7, 7
_WHOLE, _FIRST, _LAST = 1, 2, 4


def tensorboard(folder: Path, job_id: str) -> Found:
    """From its event files."""
    read = importlib.import_module("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    events = read(str(folder / job_id), size_guidance={"scalars": 0})
    events.Reload()
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]}


def mlflow(folder: Path, job_id: str) -> Found:
    """From its folder."""
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", MLFLOW_ALLOW_FILE_STORE="true")
    client = importlib.import_module("mlflow").MlflowClient(tracking_uri=folder.as_uri())
    experiment = client.get_experiment_by_name("paddock").experiment_id
    (run,) = client.search_runs([experiment], f"tags.paddock_training = '{job_id}'")
    assert run.data.params["trackers"] == "mlflow"
    found = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    return {name: sorted((one.step, one.value) for one in history) for name, history in found.items()}


def trackio(folder: Path, job_id: str) -> Found:
    """From its database."""
    os.environ["TRACKIO_DIR"] = str(folder)
    storage = importlib.import_module("trackio.sqlite_storage").SQLiteStorage
    (name,) = (one for one in storage.get_runs("paddock") if one.endswith(job_id))
    return _gathered(storage.get_logs("paddock", name))


def wandb(folder: Path, job_id: str) -> Found:
    """From the files of its offline runs, of which there is one for each time that it was gone on with."""
    record_type = importlib.import_module("wandb.proto.wandb_internal_pb2").Record
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob(f"wandb/offline-run-*-{job_id}/*.wandb")):
        for data in _records(path.read_bytes()):
            record = record_type()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "history":
                told = {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item
                }
                rows.append({**told, "step": record.history.step.num})
    return _gathered(rows)


def _gathered(rows: list[dict[str, Any]]) -> Found:
    found: Found = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, (int, float)):
                found.setdefault(name, []).append((row["step"], value))
    return {name: sorted(values) for name, values in found.items()}


def _records(data: bytes) -> Iterator[bytes]:
    at, parts = _FILE_BYTES, b""
    while at + _PIECE_BYTES <= len(data):
        left = _BLOCK_BYTES - at % _BLOCK_BYTES
        if left < _PIECE_BYTES:
            at += left
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        piece = data[at + _PIECE_BYTES : at + _PIECE_BYTES + size]
        parts = piece if kind in (_WHOLE, _FIRST) else parts + piece
        at += _PIECE_BYTES + size
        if kind in (_WHOLE, _LAST):
            yield parts


READERS: dict[str, Callable[[Path, str], Found]] = {
    "tensorboard": tensorboard, "mlflow": mlflow, "trackio": trackio, "wandb": wandb,
}  # fmt: skip

if __name__ == "__main__":
    name, library, folder, job_id = sys.argv[1:]
    sys.path.insert(0, library)
    print(json.dumps(READERS[name](Path(folder), job_id)))
