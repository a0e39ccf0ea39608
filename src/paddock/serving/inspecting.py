"""Owns what the flight recorder is told of an exchange's inside: the rendered prompt; refuses to delay an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from paddock.errors import PaddockError
from paddock.protocol.shape import as_object
from paddock.serving.prepare import Prepared

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient
    from paddock.engine.process import Endpoint
    from paddock.recorder.recording import Recording

_RENDERED_WITHIN_S = 5.0
_TEMPLATED = "/v1/chat/completions"


async def note_prompt(recording: Recording, prepared: Prepared, client: EngineClient, endpoint: Endpoint) -> None:
    """Record the prompt as the engine's template makes it, or why it could not be rendered. Raises nothing.

    It goes on for a moment when the exchange is over or cancelled: a short answer is told sooner than its prompt.
    """
    if prepared.path != _TEMPLATED:
        if isinstance(prompt := prepared.body.get("prompt"), str):
            recording.prompt(prompt)
        return
    reason = f"not rendered within {_RENDERED_WITHIN_S:.0f} s"
    with anyio.move_on_after(_RENDERED_WITHIN_S, shield=True):
        try:
            answer = as_object(await client.ask(endpoint, "/apply-template", prepared.body)) or {}
            recording.prompt(str(answer.get("prompt", "")))
            return
        except PaddockError as error:
            reason = f"not rendered: {error.message}"
    recording.note("prompt", reason)
