"""Owns the figures of the links of a chain that are of texts and tokens; refuses to judge them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paddock.export.worker.measuring import metadata
from paddock.export.worker.speaking import ANSWER_TOKENS, Said, text_name

_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)
_SHOWN = 24
# Where two tokens are nearer than this, in nats, either is an answer.
_SURE = 0.5


def template(told: Said, answers: Mapping[str, Any]) -> dict[str, Any] | None:
    """How prompts are written by the engine, and how calls are read; None where the source has no template."""
    if not told.has_template:
        return None
    different: list[dict[str, Any]] = []
    for prompt, made in zip(told.prompts, answers["rendered"], strict=True):
        # An engine that puts the first token itself leaves its text out.
        mine = prompt.text.removeprefix(told.bos_token).encode()
        theirs = str(made.get("text", "")).removeprefix(told.bos_token).encode()
        if "refused" in made:
            different.append({"name": prompt.name, "at": 0, "source": prompt.text[:_SHOWN], "file": made["refused"]})
        elif mine != theirs:
            at = _first_difference(mine, theirs)
            different.append(
                {"name": prompt.name, "at": at, "source": _excerpt(mine, at), "file": _excerpt(theirs, at)}
            )
    # Where the engine answers otherwise, that is judged elsewhere: here is whether the same answer is read alike.
    judged = [
        (calls, _functions(found))
        for chat, found, said in zip(sorted(told.calls), answers["calls"], answers["call_texts"], strict=True)
        if said["tokens"] == told.calls[chat].tokens and (calls := _calls_in(told.calls[chat].text))
    ]
    return {
        "prompts": len(told.prompts),
        "different": different,
        "left_out": told.left_out,
        "calls": len(judged),
        "calls_lost": [f"{one} is read as {other}" for one, other in judged if one != other],
    }


def tokenizer(told: Said, answers: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """How texts become tokens, and at which tokens an answer ends."""
    pairs = [
        (text_name(number), mine, theirs)
        for number, (mine, theirs) in enumerate(zip(told.texts, answers["texts"], strict=True))
    ]
    if told.has_template:
        # A prompt that the engine writes otherwise is the template's fault, and compared there.
        pairs += [
            (prompt.name, prompt.tokens, made)
            for prompt, made in zip(told.prompts, answers["rendered"], strict=True)
            if prompt.text.removeprefix(told.bos_token) == str(made.get("text")).removeprefix(told.bos_token)
        ]
    different: list[dict[str, Any]] = []
    not_composed: list[str] = []
    for name, mine, made in pairs:
        theirs: list[int] = made["tokens"]
        if mine == theirs:
            continue
        if name in told.composed and mine == made["composed"]:
            not_composed.append(name)
            continue
        at = _first_difference(mine, theirs)
        different.append({"name": name, "at": at, "source": mine[at : at + 3], "file": theirs[at : at + 3]})
    said = metadata(file, "tokenizer.ggml.eos_token_id")
    return {
        "compared": len(pairs),
        "different": different,
        "not_composed": not_composed,
        "stops": told.stops,
        "eos_id": said["tokenizer.ggml.eos_token_id"],
        "not_stopping": [int(token) for token, does in answers["stops"].items() if not does],
    }


def greedy(told: Said, whole: Any, answers: Mapping[str, Any]) -> dict[str, Any]:
    """How far the engine's answers are the source's: in whole, and where they part although the model was sure.

    `whole` are the distributions of the model that was converted, each sequence's last positions: where the merging
    went wrong, it answers otherwise than the source, and the engine as it does.
    """
    same = 0
    apart: list[str] = []
    begins = 0
    for prompt, sequence, first, mine, said in zip(
        told.prompts, told.sequences, told.first_positions, told.greedy, answers["greedy"], strict=True
    ):
        theirs = [int(one) for one in said["tokens"]][:ANSWER_TOKENS]
        rows = whole[begins : begins + len(sequence) - first]
        begins += len(sequence) - first
        if mine == theirs:
            same += 1
            continue
        place = _first_difference(mine, theirs)
        # The row of the token at which they part is that of the position before it.
        at = len(prompt.tokens) + place - 1 - first
        if 0 <= at < len(rows) and place < len(theirs):
            best = int(rows[at].argmax())
            if best != theirs[place] and rows[at][best] - rows[at][theirs[place]] > _SURE:
                apart.append(f"'{prompt.name}' from token {place + 1} on")
    return {"same": same, "of": len(told.prompts), "apart": apart}


def _first_difference(one: Sequence[int], other: Sequence[int]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _excerpt(text: bytes, at: int) -> str:
    return text[at : at + _SHOWN].decode("utf-8", "replace")


def _calls_in(text: str) -> list[Any]:
    """The calls in an answer of the widest spread form; none where it has another."""
    found: list[Any] = []
    for one in _CALL.findall(text):
        try:
            said = json.loads(one)
            found.append([said["name"], said["arguments"]])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _functions(calls: list[Any]) -> list[Any]:
    found: list[Any] = []
    for one in calls:
        function: Any = one.get("function") or {}
        try:
            found.append([function.get("name"), json.loads(function.get("arguments") or "{}")])
        except ValueError:
            found.append([function.get("name"), function.get("arguments")])
    return found
