"""Owns turning texts into vectors by the embedding model that a person set; refuses to know what the texts are of."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any

import anyio

from paddock.caller import PADDOCK, acting

# Sends a path and a body to this very paddock; returns status and body. 0: nothing came.
Send = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
_PATH = "/v1/embeddings"
_BUSY, _TRIES, _AGAIN_S = (0, 429, 503), 4, 2.0
# The model may have to be loaded first.
_ANSWER_S = 300.0
_SHORT_CHARACTERS = 60
_REASON_MOST = 300


class NotEmbedded(Exception):
    """Texts got no vectors; its text says why."""


@dataclass(kw_only=True)
class Embedder:
    """Asks the model. `send` is set by whoever builds the server, before anything is asked.

    `model` is "" where none was set.
    """

    model: str
    send: Send | None = None

    async def vectors(self, texts: Sequence[str], *, tries: int = _TRIES) -> list[bytes]:
        """The vectors of texts, each of length 1, as floats of 32 bits. Raises NotEmbedded.

        A text that is too long for the model is cut in half until it fits.
        """
        status, answer = await self._asked(texts, tries)
        if status == 200:
            return answer
        if status not in (400, 413, 500):
            raise NotEmbedded(answer)
        if len(texts) > 1:
            return [vector for text in texts for vector in await self.vectors([text], tries=tries)]
        if len(texts[0]) < _SHORT_CHARACTERS:
            raise NotEmbedded(answer)
        return await self.vectors([texts[0][: len(texts[0]) // 2]], tries=tries)

    async def _asked(self, texts: Sequence[str], tries: int) -> tuple[int, Any]:
        """Status, and vectors or a reason."""
        if self.send is None or not self.model:
            raise NotEmbedded("no embedding model is set")
        body = json.dumps({"model": self.model, "input": list(texts), "encoding_format": "float"}).encode()
        status, data = 0, b""
        for left in reversed(range(tries)):
            # It is paddock's own model for this, whatever models a key may ask.
            with acting(PADDOCK), anyio.move_on_after(_ANSWER_S) as asking:
                status, data = await self.send(_PATH, body)
            if asking.cancelled_caught:
                raise NotEmbedded(f"the model '{self.model}' gave no vectors within {_ANSWER_S:g} s")
            if status not in _BUSY or not left:
                break
            await anyio.sleep(_AGAIN_S)
        try:
            told: Any = json.loads(data)
            if status == 200:
                rows = sorted(told["data"], key=lambda row: row["index"])
                made = [_packed(row["embedding"]) for row in rows]
                if len(made) != len(texts):
                    raise ValueError(f"{len(made)} vectors came for {len(texts)} texts")
                return status, made
            return status, str(told["error"]["message"])[:_REASON_MOST]
        except (ValueError, KeyError, TypeError, ArithmeticError, struct.error, RecursionError) as error:
            raise NotEmbedded(f"the model '{self.model}' answered with {status} and no vectors ({error})") from error


def _packed(values: Sequence[float]) -> bytes:
    """A vector of length 1; one of zeros stays."""
    length = math.sqrt(sum(map(mul, values, values)))
    if not math.isfinite(length):
        raise ValueError("it holds numbers without end")
    scaled = [value / length for value in values] if length else values
    return struct.pack(f"<{len(scaled)}f", *scaled)
