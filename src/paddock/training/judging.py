"""Owns asking a model that this paddock serves what an answer is worth; refuses to ask anywhere else."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from urllib.parse import urlsplit

from paddock.errors import FieldInvalid, PaddockError, shown

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_BEST = 10.0
_AT_ONCE = 4
_ANSWER_TOKENS = 16
_REPLY_MOST_BYTES = 2**20
_TIMEOUT_S = 300.0
# A server that is started anew meanwhile is waited for.
_PATIENCE_S = 60.0
_AGAIN_S = 1.0


class Judge:
    """A served model that rates answers.

    Args:
        url: where this paddock serves, by HTTP and without a key.
        model: its name there.
        question: what it is told to do.
        patience_s: how long a server that does not answer is waited for.
    """

    def __init__(self, url: str, model: str, question: str, *, patience_s: float = _PATIENCE_S) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or http.client.HTTP_PORT
        self._model, self._question, self._patience_s = model, question, patience_s

    def rate(self, asked: Sequence[tuple[str, str]]) -> list[float | str]:
        """For each question with its answer a number from 0 to 1, or the reply that held none. Raises PaddockError."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._rated, asked))

    def _rated(self, asked: tuple[str, str]) -> float | str:
        question, answer = asked
        reply = self._said(f"Question:\n{question}\n\nAnswer:\n{answer}")
        found = _NUMBER.search(reply)
        return min(1.0, max(0.0, float(found.group()) / _BEST)) if found else reply

    def _said(self, text: str) -> str:
        messages = [{"role": "system", "content": self._question}, {"role": "user", "content": text}]
        body = {"model": self._model, "messages": messages, "temperature": 0, "max_tokens": _ANSWER_TOKENS}
        end_s = time.monotonic() + self._patience_s
        while True:
            try:
                return self._asked(json.dumps(body).encode())
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > end_s:
                    raise PaddockError(
                        f"The judge at {self._host}:{self._port} does not answer: {error}. Resume when it does."
                    ) from error
                time.sleep(_AGAIN_S)

    def _asked(self, body: bytes) -> str:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read(_REPLY_MOST_BYTES)
        finally:
            connection.close()
        if answer.status in (502, 503, 504):
            raise http.client.HTTPException(f"status {answer.status}")
        try:
            told = cast("dict[str, Any]", json.loads(said))
            if answer.status == http.client.OK:
                return str(told["choices"][0]["message"].get("content") or "")
            why = str(told["error"]["message"])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise FieldInvalid(
                f"The judge at {self._host}:{self._port} answers {answer.status} with {shown(said[:200])}, which is no "
                "answer of a served model.",
                param="judge_model",
            ) from error
        raise FieldInvalid(f"The judge refuses ({answer.status}): {why}", param="judge_model")
