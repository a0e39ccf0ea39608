"""Owns what paddock's worker adds to a training: tokens a second and the start, beside the plainest script by TRL."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.figures import Figure
from paddock.data.files import EXAMPLES
from paddock.install import stacking
from paddock.install.prefix import Prefix
from paddock.jobs.folder import WORKER, JobFolder
from paddock.models.bases import trainable
from paddock.training.spec import as_table, spec_of
from paddock.training.trainings import WORK

_STACK = Path(__file__).resolve().parents[1] / ".stack" / "stack"
_PLAIN = Path(__file__).with_name("plain_trl.py")
_LEAST_SHARE, _MOST_START_S = 0.97, 3.0
_BATCH_ROWS, _CONTEXT_TOKENS = 8, 512
Steps = list[tuple[float, int]]


def training(quick: bool) -> list[Figure]:
    """Trainings by the worker and by the script in turns, on the same rows and the same base; none without a stack."""
    python = stacking.python(Prefix(_STACK))
    if python is None:
        print("There is no training stack in .stack: `python3 dev.py test --tier training` makes it.", file=sys.stderr)
        return []
    rounds, steps = (1, 12) if quick else (5, 60)
    pairs = [(_by_worker(str(python), steps), _by_script(str(python), steps)) for _ in range(rounds)]
    shares = tuple(_tokens_per_s(mine[1]) / _tokens_per_s(its[1]) for mine, its in pairs)
    starts = tuple(mine[0] - its[0] for mine, its in pairs)
    return [
        Figure(name="tokens a second", unit="tokens/s", runs=tuple(_tokens_per_s(mine[1]) for mine, _ in pairs),
               engine_runs=tuple(_tokens_per_s(its[1]) for _, its in pairs), against="the plainest script by TRL",
               total=True),
        Figure(name="tokens a second, as a share of the script's", unit="", runs=shares, least=_LEAST_SHARE),
        Figure(name="from the start of the process to the first step, beyond the script's", unit="s", runs=starts,
               total=True, goal=_MOST_START_S),
    ]  # fmt: skip


def _by_worker(python: str, steps: int) -> tuple[float, Steps]:
    """Seconds until it began to train, and each step's end with the tokens read until then."""
    with tempfile.TemporaryDirectory() as folder:
        job = JobFolder(root=Path(folder) / "job")
        job.root.mkdir()
        spec = {
            "data": "llama-keeper", "steps": steps, "batch_rows": _BATCH_ROWS, "accumulate": 1, "threads": 1,
            "context_tokens": _CONTEXT_TOKENS, "precision": "fp32", "eval_share": 0, "save_every_steps": steps,
            "log_every_steps": 1, "dry_run": "no", "makes_gguf": False, "train_on": "everything",
        }  # fmt: skip
        full = as_table(spec_of(spec))
        job.write_order({"spec": full, "base": str(trainable(full["base"])), "judged_at": "", "dry_run": False})
        began_s = time.time()
        _run([python, WORKER, WORK, str(job.root)])
        events, _ = job.events()
        begins = next(event for event in events if event["kind"] == "begins")
        told: Steps = [(event["at_s"], event["tokens"]) for event in events if event["kind"] == "step"]
        return begins["at_s"] - began_s, told


def _by_script(python: str, steps: int) -> tuple[float, Steps]:
    with tempfile.TemporaryDirectory() as folder:
        spec = spec_of({"data": "llama-keeper"})
        order: dict[str, Any] = {
            "base": str(trainable(spec.base)), "data": str(EXAMPLES["llama-keeper"]),
            "out": str(Path(folder) / "out"), "steps": steps, "batch_rows": _BATCH_ROWS, "threads": 1,
            "context_tokens": _CONTEXT_TOKENS, "learning_rate": spec.learning_rate, "seed": spec.seed,
            "rank": spec.lora_rank, "alpha": spec.lora_alpha, "modules": spec.lora_modules,
        }  # fmt: skip
        file = Path(folder) / "order.json"
        file.write_text(json.dumps(order), "utf-8")
        began_s = time.time()
        told = json.loads(_run([python, str(_PLAIN), str(file)]).splitlines()[-1])
        return told["begun_s"] - began_s, [(at_s, tokens) for at_s, tokens in told["steps"]]


def _run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[1]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def _tokens_per_s(steps: Steps) -> float:
    """Of the middle step: others on the machine and the first steps, which make room, say nothing of either."""
    return statistics.median(
        (tokens - counted) / (at_s - before_s) for (before_s, counted), (at_s, tokens) in itertools.pairwise(steps[1:])
    )
