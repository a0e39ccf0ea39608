"""Owns what it costs to go on with a conversation whose model had to go meanwhile; knows no file of slots."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.processes import Target, bare_engine, paddock
from bench.random_models import Recipe, write
from bench.wire import Lost, open_stream, until
from paddock.models.catalog import BUNDLED

_ENGINE = [sys.executable, "-P", "-m", "paddock.engine.embedded"]
# Of its 32 experts two work on each token: such a model reads some eight times as fast as others of its size.
_MODEL = Recipe(
    architecture="qwen3moe", quantisation="Q8_0", width=1024, layers=9, heads=16, key_heads=4, feed_forward=2816,
    more={"expert_count": 32, "expert_used_count": 2, "expert_feed_forward_length": 512},
)  # fmt: skip
# Few weights, and half a megabyte kept for each token.
_HOARDER = Recipe(
    architecture="llama", quantisation="Q8_0", width=256, layers=64, heads=16, key_heads=16, head=128, feed_forward=256
)
# Each letter is one, for this model.
_TOKENS = 4200
_OTHER = "pocket-v0"
_WORD = b'"content":"'


def recall(quick: bool) -> list[Figure]:
    """A swapped-out conversation, with its slot restored and without; saving and restoring slots of several sizes."""
    with tempfile.TemporaryDirectory() as folder:
        model, hoarder = Path(folder) / "talker.gguf", Path(folder) / "hoarder.gguf"
        write(model, _MODEL)
        write(hoarder, _HOARDER)
        runs = 1 if quick else 2
        return [
            _conversation(folder, runs=runs),
            *_moved(BUNDLED["pocket-v0"], 128, runs=5),
            *_moved(model, 1024, runs=runs),
            *_moved(hoarder, 1024, runs=runs),
            *_moved(hoarder, 1024, "--cache-type-k", "f32", "--cache-type-v", "f32", runs=runs),
        ]


def _conversation(folder: str, *, runs: int) -> Figure:
    """From a request to its first token, after a swap: conversations that are new, and the next turn of each."""
    settings: dict[str, Any] = {
        "models_most": 1, "context_tokens": 8192, "slots": 1, "model_folders": folder, "scan_others": False,
    }  # fmt: skip
    anew_ms: list[float] = []
    restored_ms: list[float] = []
    with paddock(**settings) as served:
        _first_token_ms(served.paddock, "talker", ["hello"])
        for run in range(runs):
            opening = "".join(chr(ord("a") + (run + place * 7 + place // 26) % 26) for place in range(_TOKENS))
            for took, texts in ((anew_ms, [opening]), (restored_ms, [opening, "and then?"])):
                _first_token_ms(served.paddock, _OTHER, ["hello"])
                took.append(_first_token_ms(served.paddock, "talker", texts))
                print(f"  run {run}, turn {len(texts)}: {took[-1]:.0f} ms", file=sys.stderr, flush=True)
    talk = f"a conversation of {_TOKENS} tokens on a model of 500 MB with experts"
    return Figure(
        name=f"{talk}, after a swap: request to first token",
        unit="ms",
        runs=tuple(restored_ms),
        engine_runs=tuple(anew_ms),
        against="the same conversation, read after a swap for the first time",
        total=True,
    )


def _first_token_ms(target: Target, model: str, texts: list[str]) -> float:
    messages = [{"role": "user", "content": text} for text in texts]
    body = {"model": model, "messages": messages, "max_tokens": 8, "temperature": 0, "ignore_eos": True}
    began = time.monotonic()
    with closing(open_stream(target, body)) as sock:
        got_s = until(sock, _WORD)
        # A short answer may have come as a whole.
        with suppress(Lost):
            until(sock, b"[DONE]")
    return (got_s - began) * 1000


def _moved(model: Path, tokens: int, *flags: str, runs: int) -> list[Figure]:
    """A slot of so many tokens, saved and restored by the engine alone, beside reading them anew, once."""
    saved_ms: list[float] = []
    restored_ms: list[float] = []
    size_bytes = 0
    with tempfile.TemporaryDirectory() as folder:
        own = {
            "--model": str(model), "--alias": "m", "--ctx-size": "2048", "--parallel": "1", "--batch-size": "128",
            "--ubatch-size": "128", "--slot-save-path": folder,
        }  # fmt: skip
        words = [word for pair in own.items() for word in pair]
        with bare_engine(_ENGINE, *words, *flags) as (_, engine):
            prompt = [300 + place * 31 % 1700 for place in range(tokens)]
            read = _ask(engine, "/completion", {"prompt": prompt, "n_predict": 1, "cache_prompt": False})
            for run in range(runs):
                name = {"filename": f"slot-{run}"}
                saved = _ask(engine, "/slots/0?action=save", name)
                saved_ms.append(saved["timings"]["save_ms"])
                restored_ms.append(_ask(engine, "/slots/0?action=restore", name)["timings"]["restore_ms"])
                size_bytes = int(saved["n_written"])
    print(f"  {size_bytes} bytes: {saved_ms} ms, {restored_ms} ms", file=sys.stderr, flush=True)
    return [
        Figure(
            name=f"a slot of {tokens} tokens, {size_bytes / 1e6:.3g} MB: {verb}",
            unit="ms",
            runs=tuple(took),
            engine_runs=(read["timings"]["prompt_ms"],) * runs,
            against="the engine reading its prompt anew",
            total=True,
        )
        for verb, took in (("saved", saved_ms), ("restored", restored_ms))
    ]


def _ask(target: Target, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{target.port}{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {target.api_key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.loads(answer.read())
