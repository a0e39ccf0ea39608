"""Owns what it costs to be the first to ask a model that another must make room for; knows no figure of loading."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.processes import Target, bare_engine, paddock
from bench.random_models import Recipe, write
from bench.wire import open_stream, until

_LLAMA = partial(Recipe, architecture="llama", quantisation="Q8_0")
_RECIPES: dict[str, Recipe] = {
    "10 MB": _LLAMA(width=256, layers=9, heads=4, key_heads=4, feed_forward=768),
    "500 MB": _LLAMA(width=1024, layers=41, heads=16, key_heads=4, feed_forward=2816),
    "3 GB": _LLAMA(width=2048, layers=62, heads=32, key_heads=8, feed_forward=5632),
}
_SHARE = 1.05
_GOAL_MS = 150.0
_WORD = b'"content":"'
_OTHER = "pocket-v0"
_BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hello"}],
    "max_tokens": 8,
    "temperature": 0,
    "ignore_eos": True,
}


def swap(quick: bool) -> list[Figure]:
    """For models of several sizes: from the request to its first token, while another model is loaded in its room."""
    rows: list[Figure] = []
    for size, recipe in _RECIPES.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cold.gguf"
            write(path, recipe)
            print(f"  {size}: {path.stat().st_size / 1e6:.0f} MB written", file=sys.stderr, flush=True)
            rows += _rows(size, folder, runs=2 if quick else 5)
    return rows


def _rows(size: str, folder: str, *, runs: int) -> list[Figure]:
    wished: dict[str, Any] = {"models_most": 1, "context_tokens": 1024, "slots": 1, "model_folders": folder}
    flags = _flags(wished)
    swapped_ms: list[float] = []
    alone_ms: list[float] = []
    with paddock(**wished, scan_others=False) as served:
        for run in range(runs + 1):
            _first_token_ms(served.paddock, _OTHER)
            its = _alone_ms(flags)
            mine = _first_token_ms(served.paddock, "cold")
            if run:  # the first one brings the file into memory
                swapped_ms.append(mine)
                alone_ms.append(its)
    return [
        Figure(
            name=f"swap to a model of {size}: request to first token",
            unit="ms",
            runs=(*swapped_ms,),
            engine_runs=(*alone_ms,),
            against="the engine alone: process start to first token",
            total=True,
        ),
        Figure(
            name=f"swap to a model of {size}: what is beyond {_SHARE} times the engine alone",
            unit="ms",
            runs=tuple(mine - _SHARE * its for mine, its in zip(swapped_ms, alone_ms, strict=True)),
            goal=_GOAL_MS,
        ),
    ]


def _flags(wished: dict[str, Any]) -> list[str]:
    """Program and flags of the cold model's engine, as paddock starts it."""
    from paddock.config import load
    from paddock.engine.pool import EMBEDDED
    from paddock.models.catalog import Catalog
    from paddock.serving.shelf import Shelf

    with tempfile.TemporaryDirectory() as home:
        settings = load({**wished, "scan_others": False}, environ={"PADDOCK_HOME": home})
        return [*EMBEDDED, *Shelf(Catalog.of(settings), settings).plan_for("cold").flags.to_argv()]


def _first_token_ms(target: Target, model: str) -> float:
    began = time.monotonic()
    with closing(open_stream(target, {**_BODY, "model": model})) as sock:
        got_s = until(sock, _WORD)
        until(sock, b"[DONE]")
    return (got_s - began) * 1000


def _alone_ms(flags: list[str]) -> float:
    began = time.monotonic()
    with bare_engine(flags) as (_, engine), closing(open_stream(engine, _BODY)) as sock:
        return (until(sock, _WORD) - began) * 1000
