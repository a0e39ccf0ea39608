"""Owns how far the planner's estimate of memory is from what real engines hold; knows no formula."""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.processes import Target, bare_engine
from bench.random_models import Recipe, write
from paddock import hardware
from paddock.models.catalog import BUNDLED
from paddock.models.fit import Load, estimate
from paddock.models.gguf import read_header

_ENGINE = [sys.executable, "-P", "-m", "paddock.engine.embedded"]
_GOAL = 0.10
_MIB = 2**20
_COMPRESSED: dict[str, int | list[bool]] = {
    "attention.q_lora_rank": 384, "attention.kv_lora_rank": 256, "rope.dimension_count": 32,
    "attention.key_length": 288, "attention.value_length": 256, "attention.key_length_mla": 96,
    "attention.value_length_mla": 64, "leading_dense_block_count": 12, "expert_count": 2, "expert_used_count": 1,
    "expert_feed_forward_length": 64, "expert_shared_count": 1,
}  # fmt: skip
_WIDE = {"width": 1024, "heads": 16, "key_heads": 4, "feed_forward": 2816}
_EXPERTS: dict[str, int | list[bool]] = {
    "expert_count": 16, "expert_used_count": 4, "expert_feed_forward_length": 512,
}  # fmt: skip
_STATE: dict[str, int | list[bool]] = {
    "ssm.conv_kernel": 4, "ssm.inner_size": 2048, "ssm.state_size": 16, "ssm.time_step_rank": 64,
}  # fmt: skip
_RECIPES = {
    "llama, F16": Recipe(architecture="llama", layers=8, vocabulary=8192, **_WIDE),
    "llama, Q8_0": Recipe(architecture="llama", layers=16, vocabulary=8192, quantisation="Q8_0", **_WIDE),
    "llama, Q4_0": Recipe(architecture="llama", layers=16, vocabulary=8192, quantisation="Q4_0", **_WIDE),
    "qwen2, large vocabulary, F16": Recipe(
        architecture="qwen2", layers=8, vocabulary=150_000, is_tied=True, **_WIDE
    ),
    "qwen3, F16": Recipe(architecture="qwen3", layers=8, head=128, vocabulary=8192, **_WIDE),
    "gemma3, sliding window, Q8_0": Recipe(
        architecture="gemma3", layers=18, vocabulary=8192, quantisation="Q8_0",
        more={"attention.sliding_window": 512}, **_WIDE,
    ),
    "qwen3moe, experts, F16": Recipe(architecture="qwen3moe", layers=6, vocabulary=8192, more=_EXPERTS, **_WIDE),
    "deepseek2, compressed keys, F16": Recipe(
        architecture="deepseek2", width=1024, layers=12, heads=16, key_heads=1, feed_forward=2816, vocabulary=8192,
        more=_COMPRESSED,
    ),
    "mamba, state, F16": Recipe(
        architecture="mamba", width=1024, layers=16, heads=0, key_heads=0, vocabulary=8192, more=_STATE
    ),
    "lfm2, hybrid, F16": Recipe(
        architecture="lfm2", width=1024, layers=12, heads=16, key_heads=(0, 4, 0) * 4, feed_forward=2816,
        vocabulary=8192, more={"shortconv.l_cache": 3},
    ),
}  # fmt: skip
_LOADS = (
    Load(context_tokens=4096, slots=2, batch_tokens=128, checkpoints=1),
    Load(context_tokens=16384, slots=2, batch_tokens=512, checkpoints=1),
)


def fit(quick: bool) -> list[Figure]:
    """The estimate's distance from the memory that the engine holds, for models of several architectures."""
    rows: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.gguf"
        for name, recipe in _RECIPES.items():
            write(path, recipe)
            rows.append(_row(name, path, _LOADS[:1] if quick else _LOADS))
    rows.append(_row("bundled pocket-v0, Q8_0", BUNDLED["pocket-v0"], _LOADS[:1] if quick else _LOADS))
    return rows


def _row(name: str, path: Path, loads: tuple[Load, ...]) -> Figure:
    header = read_header(path)
    errors: list[float] = []
    for load in loads:
        estimated, held = estimate(header, load).total_bytes, _held_bytes(path, load)
        print(
            f"  {name}: {estimated / _MIB:.0f} MiB estimated, {held / _MIB:.0f} MiB held", file=sys.stderr, flush=True
        )
        errors.append(abs(estimated - held) / held)
    size_mb = path.stat().st_size / 1e6
    return Figure(
        name=f"estimate of {name}, {size_mb:.0f} MB: distance from the memory held, as a share of it",
        unit="",
        runs=(*errors,),
        goal=_GOAL,
    )


def _held_bytes(path: Path, load: Load) -> int:
    """What an engine holds once every slot read and wrote: its own memory, and the pages of files that it used then."""
    words = {
        "--model": path, "--alias": "m", "--ctx-size": load.context_tokens * load.slots, "--parallel": load.slots,
        "--batch-size": load.batch_tokens, "--ubatch-size": load.batch_tokens, "--threads": 1,
        "--ctx-checkpoints": load.checkpoints,
    }  # fmt: skip
    flags = [str(word) for pair in words.items() for word in pair]
    with bare_engine(_ENGINE, *flags) as (process, target):
        for slot in range(load.slots):
            _read_and_write(target, load, slot)
        # What was read while loading and never again can leave: only what a warm engine uses counts.
        hardware.forget_uses(process.pid)
        _read_and_write(target, load, 0)
        return hardware.held_bytes(process.pid)


def _read_and_write(target: Target, load: Load, slot: int) -> None:
    # A whole batch of pieces that differ: every expert gets some.
    prompt = [300 + (slot * 7919 + place * 31) % 1700 for place in range(load.batch_tokens)]
    body: dict[str, Any] = {"prompt": prompt, "n_predict": 4, "id_slot": slot, "cache_prompt": False}
    request = urllib.request.Request(
        f"http://127.0.0.1:{target.port}/completion",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {target.api_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        answer.read()
