"""Owns how much a key may ask: requests a minute and a day, tokens a day; refuses to know who shows it.

Counts are kept in memory and written down every few seconds, with what other paddocks of the database counted. A day is
one of UTC.
"""

from __future__ import annotations

import time
from collections import deque

import anyio

from paddock.errors import QuotaSpent, StoreUnusable
from paddock.log import named
from paddock.store.key_uses import KeyUses, Used
from paddock.store.keys import Key

_log = named(__name__)
_WRITTEN_EVERY_S = 5.0
_DAY_S = 86400
_MINUTE_S = 60.0
# What an answer under way may yet cost: a context that nobody made larger.
_TOKENS_OF_ONE = 16_384
_SOON_S = 5


class Admission:
    """The counts of one paddock."""

    def __init__(self, uses: KeyUses) -> None:
        self._uses = uses
        self._day = 0
        # What is in the database, what is being added to it, and what is to be.
        self._kept: dict[str, Used] = {}
        self._sent: dict[str, Used] = {}
        self._new: dict[str, Used] = {}
        # Of keys whose tokens are limited: the limit, and how many answers are under way.
        self._limits: dict[str, int] = {}
        self._under_way: dict[str, int] = {}
        self._minutes: dict[str, deque[float]] = {}
        self._closing = anyio.Event()
        self._writing = anyio.Lock()

    async def enter(self, key: Key) -> None:
        """Count one request of a key. Raises QuotaSpent where it has none left, or StoreUnusable."""
        terms, now_s = key.terms, time.time()
        self._turn(int(now_s // _DAY_S))
        if terms.is_limited and key.key_id not in self._kept:
            await self._write(also=key.key_id)
        if terms.requests_per_minute:
            self._refuse_haste(key, time.monotonic())
        requests, tokens = self.used(key.key_id)
        until_s = int(_DAY_S - now_s % _DAY_S) + 1
        if terms.requests_per_day and requests >= terms.requests_per_day:
            raise QuotaSpent(
                f"This key may ask {terms.requests_per_day} times a day, and has. It may again after midnight UTC.",
                retry_after_s=until_s,
            )
        self._limits[key.key_id] = terms.tokens_per_day
        if terms.tokens_per_day and tokens >= terms.tokens_per_day:
            raise QuotaSpent(
                f"This key may use {terms.tokens_per_day} tokens a day, and has used {tokens}. It may again after "
                "midnight UTC.",
                retry_after_s=until_s,
            )
        self._add(key.key_id, 1, 0)

    def meter(self, key_id: str) -> Metered:
        """What is told of one answer to this key."""
        return Metered(self, key_id)

    def begin(self, key_id: str) -> None:
        """An answer is asked for. Raises QuotaSpent where those under way may cost all that is left."""
        limit, under_way = self._limits.get(key_id, 0), self._under_way.get(key_id, 0)
        _, tokens = self.used(key_id)
        if limit and under_way and tokens + under_way * _TOKENS_OF_ONE >= limit:
            raise QuotaSpent(
                f"This key may use {limit} tokens a day, and has used {tokens}; what it asked before may take the "
                "rest. Ask again when that is answered.",
                retry_after_s=_SOON_S,
            )
        self._under_way[key_id] = under_way + 1

    def end(self, key_id: str, tokens: int) -> None:
        """An answer is over, and cost this."""
        self._under_way[key_id] -= 1
        if not self._under_way[key_id]:
            del self._under_way[key_id]
        self._add(key_id, 0, tokens)

    def used(self, key_id: str) -> Used:
        """The requests and tokens of a key today, as far as they are known here."""
        counts = [held.get(key_id, (0, 0)) for held in (self._kept, self._sent, self._new)]
        return sum(requests for requests, _ in counts), sum(tokens for _, tokens in counts)

    async def keep(self) -> None:
        """Write down what was counted, every few seconds, until `close`."""
        while not self._closing.is_set():
            with anyio.move_on_after(_WRITTEN_EVERY_S):
                await self._closing.wait()
            if self._new:
                await self._written()

    async def close(self) -> None:
        """Write down the rest."""
        self._closing.set()
        if self._new:
            await self._written()

    async def _written(self) -> None:
        try:
            await self._write()
        except StoreUnusable as error:
            _log.error("what keys used cannot be written down: %s", error.message)

    async def _write(self, also: str | None = None) -> None:
        async with self._writing:
            day, self._sent, self._new = self._day, self._new, {}
            wanted = {**({also: (0, 0)} if also else {}), **self._sent}
            try:
                kept = await self._uses.add(day, wanted)
                if day == self._day:
                    self._kept |= {**wanted, **kept}
                self._sent = {}
            finally:
                # What could not be written is written with what comes.
                for key_id, (requests, tokens) in self._sent.items():
                    self._add(key_id, requests, tokens)
                self._sent = {}

    def _refuse_haste(self, key: Key, now_s: float) -> None:
        most = key.terms.requests_per_minute
        lately = self._minutes.setdefault(key.key_id, deque())
        while lately and lately[0] <= now_s - _MINUTE_S:
            lately.popleft()
        if len(lately) >= most:
            wait_s = max(1, int(lately[0] + _MINUTE_S - now_s) + 1)
            raise QuotaSpent(f"This key may ask {most} times a minute. Ask again in {wait_s} s.", retry_after_s=wait_s)
        lately.append(now_s)

    def _turn(self, day: int) -> None:
        if day != self._day:
            self._day, self._kept, self._sent, self._new = day, {}, {}, {}

    def _add(self, key_id: str, requests: int, tokens: int) -> None:
        before = self._new.get(key_id, (0, 0))
        self._new[key_id] = (before[0] + requests, before[1] + tokens)


class Metered:
    """One answer to one key, from its beginning to its end."""

    def __init__(self, admission: Admission, key_id: str) -> None:
        self._admission = admission
        self._key_id = key_id
        self._has_begun = False

    def begin(self) -> None:
        """It is asked for. Raises QuotaSpent."""
        self._admission.begin(self._key_id)
        self._has_begun = True

    def end(self, tokens: int) -> None:
        """It is over, and cost this; nothing where it was refused."""
        if self._has_begun:
            self._has_begun = False
            self._admission.end(self._key_id, tokens)
