"""Owns asking an engine what a file of an export says, for its certificate: `python -m paddock.export.asking FOLDER`.

The folder holds task.json; answers.json and distributions.f32 are written beside it. An engine tells no probabilities
of a prompt. So each position is asked for by itself, with all before it in the engine's cache: one token is
generated, and the probability of every token of the vocabulary is told (`n_predict: 1`, `n_probs` = the vocabulary).
Refuses to judge any of it.
"""

from __future__ import annotations

import array
import json
import sys
import unicodedata
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from paddock.engine.child import die_with_parent
from paddock.engine.flags import EngineFlags
from paddock.engine.private import with_engine
from paddock.errors import PaddockError
from paddock.paths import write_whole

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient
    from paddock.engine.process import Endpoint

_LOAD_S, _WORK_S = 1800.0, 6 * 3600.0
_BATCH_TOKENS = 256
# A probability that the engine rounds to nothing.
_LEAST = -100.0
_FORCED = 1000.0


def main(folder: Path) -> int:
    """Ask what the task says. 1: the engine could not, and stderr says why."""
    die_with_parent()
    task: dict[str, Any] = json.loads((folder / "task.json").read_text("utf-8"))
    flags = EngineFlags(
        model_path=task["model"],
        alias="export",
        context_tokens=task["context_tokens"],
        slots=1,
        batch_tokens=_BATCH_TOKENS,
        ubatch_tokens=_BATCH_TOKENS,
        lora_paths=tuple(task["additions"]),
    )
    with (folder / "distributions.f32").open("wb") as file:
        try:
            answers = with_engine(
                task["engine"], flags, partial(_asked, task=task, file=file), load_s=_LOAD_S, work_s=_WORK_S
            )
        except PaddockError as error:
            sys.stderr.write(f"{error.message}\n")
            return 1
        except TimeoutError:
            sys.stderr.write(f"The engine did not answer within {_WORK_S:.0f} seconds.\n")
            return 1
    write_whole(folder / "answers.json", json.dumps(answers))
    return 0


async def _asked(
    endpoint: Endpoint, client: EngineClient, *, task: Mapping[str, Any], file: BinaryIO
) -> dict[str, Any]:
    async def ask(path: str, body: dict[str, Any] | None = None) -> Any:
        return await client.ask(endpoint, path, body)

    async def tokens(text: str) -> list[int]:
        said = await ask("/tokenize", {"content": text, "add_special": True, "parse_special": True})
        return [int(one) for one in said["tokens"]]

    async def read(text: str) -> dict[str, Any]:
        """The tokens of a text, and of its composed form (NFC), where it has another."""
        composed = unicodedata.normalize("NFC", text)
        return {"tokens": await tokens(text), "composed": await tokens(composed) if composed != text else None}

    rendered: list[dict[str, Any]] = []
    for body in task["chats"]:
        try:
            text = str((await ask("/apply-template", body))["prompt"])
        except PaddockError as error:
            rendered.append({"refused": error.message})
            continue
        rendered.append({"text": text, **await read(text)})
    said: dict[str, Any] = {
        "rendered": rendered,
        "texts": [await read(one) for one in task["texts"]],
        "greedy": [await _greedy(ask, one, task["answer_tokens"]) for one in task["prompts"]],
        "stops": {str(one): await _does_stop(ask, task["prompts"][0], one) for one in task["stops"]},
        "calls": [await _call(ask, task["chats"][one], task["call_tokens"]) for one in task["calls"]],
        "call_texts": [await _greedy(ask, task["prompts"][one], task["call_tokens"]) for one in task["calls"]],
    }
    # What is generated is of no interest; half a character would be kept back, and with it what is asked for.
    letter = (await tokens("a"))[-1]
    for sequence, first in zip(task["sequences"], task["first_positions"], strict=True):
        for end in range(first + 1, len(sequence) + 1):
            _written(await _next(ask, sequence[:end], letter, task["vocabulary"]), task["vocabulary"], file)
    return said


async def _greedy(ask: Any, prompt: list[int], most: int) -> dict[str, Any]:
    """The likeliest token again and again."""
    said = await ask(
        "/completion",
        {"prompt": prompt, "n_predict": most, "temperature": 0, "return_tokens": True, "cache_prompt": True},
    )
    return {"tokens": said["tokens"], "stop": said["stop_type"]}


async def _does_stop(ask: Any, prompt: list[int], token: int) -> bool:
    """Whether the engine ends an answer at a token, which it is made to choose."""
    body = {"prompt": prompt, "n_predict": 2, "temperature": 0, "logit_bias": [[token, _FORCED]]}
    return (await ask("/completion", body))["stop_type"] == "eos"


async def _call(ask: Any, body: dict[str, Any], most: int) -> list[Any]:
    """The calls that the engine reads out of its answer to a request with tools."""
    try:
        said = await ask("/v1/chat/completions", {**body, "temperature": 0, "max_tokens": most})
    except PaddockError as error:
        return [{"refused": error.message}]
    return list(said["choices"][0]["message"].get("tool_calls") or [])


async def _next(ask: Any, prompt: list[int], generated: int, vocabulary: int) -> list[dict[str, Any]]:
    """The logarithm of each token's probability behind a prompt, as the model has it before anything is chosen."""
    said = await ask(
        "/completion",
        {
            "prompt": prompt, "n_predict": 1, "n_probs": vocabulary, "temperature": 0, "cache_prompt": True,
            "logit_bias": [[generated, _FORCED]],
        },
    )  # fmt: skip
    return list(said["completion_probabilities"][0]["top_logprobs"])


def _written(told: list[dict[str, Any]], vocabulary: int, file: BinaryIO) -> None:
    """One row: the logarithm of each token's probability, in their order."""
    row = array.array("f", [_LEAST]) * vocabulary
    for one in told:
        if one["id"] < vocabulary:
            row[one["id"]] = max(_LEAST, one["logprob"] if one["logprob"] is not None else _LEAST)
    file.write(row.tobytes())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
