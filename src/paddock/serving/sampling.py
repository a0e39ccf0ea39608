"""Owns putting a model's recommended sampling in where a request leaves it out; refuses to know where it comes from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from paddock.models.advice import Advice
from paddock.models.families import SAMPLING
from paddock.protocol.shape import as_object
from paddock.serving.prepare import Prepared

_CHAT = "/v1/chat/completions"
# Where a model's answer is sampled and the recommendation is meant for it; infill is neither chat nor prose.
_SAMPLED = (_CHAT, "/v1/completions")


def recommended(prepared: Prepared, advice: Advice) -> Prepared:
    """The request with the fields that it leaves out, or sends as null, as its model is best asked.

    What the model's file says is left to the engine, which applies it. Keys keep their order; new ones come last. What
    was put in is told in `sampling` (`x-paddock-sampling`); the request itself comes back where that is nothing.
    """
    if prepared.path not in _SAMPLED:
        return prepared
    body = dict(prepared.body)
    thinks = _thinks(body, forces_call=prepared.forces_call)
    switch = advice.switches_thinking if thinks is None and prepared.path == _CHAT else None
    thinks = advice.thinks if thinks is None else thinks
    told: dict[str, list[str]] = {}
    for name, (value, source) in advice.sources(thinks=thinks).items():
        field = SAMPLING[name]
        if source != "file" and body.get(field) is None:
            body[field] = value
            told.setdefault(source, []).append(f"{field} {value:g}")
    if switch is not None:
        body["chat_template_kwargs"] = {
            **(as_object(body.get("chat_template_kwargs")) or {}), "enable_thinking": switch
        }  # fmt: skip
        source = "set" if advice.saved.thinking else "family"
        told.setdefault(source, []).append(f"thinking {'on' if switch else 'off'}")
    if not told:
        return prepared
    names = {"set": "set for this model", "family": advice.family.name if advice.family else ""}
    sampling = "; ".join(f"{names[source]}: {', '.join(words)}" for source, words in told.items())
    return replace(prepared, body=body, sampling=sampling)


def _thinks(body: dict[str, Any], *, forces_call: bool) -> bool | None:
    """Whether the request asks for thinking; None where it says nothing of it."""
    if forces_call:
        return False
    said = (as_object(body.get("chat_template_kwargs")) or {}).get("enable_thinking")
    if isinstance(said, bool):
        return said
    effort = body.get("reasoning_effort")
    return effort != "none" if isinstance(effort, str) else None
