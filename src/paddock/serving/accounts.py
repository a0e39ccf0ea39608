"""Owns what each answer cost and how soon it began, and the sums by model; refuses to know who is told."""

from __future__ import annotations

import time
from collections import Counter
from typing import Literal

from paddock.counts import TimesBy
from paddock.protocol.spent import Spent

TokenKind = Literal["read", "cached", "written"]
# Some remotes answer under whatever name they are asked by.
_MODELS_MOST = 200
_OTHER = "other"


class Account:
    """One answer: its tokens, and after how long the engine's first piece of it came; None before.

    `error` is the name of what the client was told in place of an answer, or of its end; "" for nothing.

    Args:
        began_s: when its request came, as `time.perf_counter` tells it.
    """

    __slots__ = ("began_s", "error", "first_s", "spent")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.error = ""
        self.first_s: float | None = None
        self.spent = Spent()

    def feed(self, data: bytes) -> None:
        """The next bytes of the engine's stream."""
        if self.first_s is None:
            self.first_s = time.perf_counter() - self.began_s
        self.spent.feed(data)


class Accounts:
    """The sums of one paddock.

    `tokens` are by model and kind, `firsts` the times to the first piece of streams by model. Of very many models, the
    last ones share a name.
    """

    def __init__(self) -> None:
        self.tokens: Counter[tuple[str, TokenKind]] = Counter()
        self.firsts = TimesBy()
        self._models: set[str] = set()

    def add(self, model: str, account: Account) -> None:
        """Enter what an answer of a model cost."""
        spent = account.spent
        if not spent.tokens and account.first_s is None:
            return
        if len(self._models) < _MODELS_MOST:
            self._models.add(model)
        model = model if model in self._models else _OTHER
        if spent.tokens:
            self.tokens[model, "read"] += spent.read
            self.tokens[model, "cached"] += spent.cached
            self.tokens[model, "written"] += spent.written
        if account.first_s is not None:
            self.firsts[model,].add(account.first_s)
