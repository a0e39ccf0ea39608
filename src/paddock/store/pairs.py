"""Owns the rows of pairs of answers, and what was chosen of each; refuses to know which is the better."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Place = Literal["first", "second"]
Choice = Literal["left", "right", "tie", "bad"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What two models answered to the same.

    Attributes:
        number: its place in the vote, from 1.
        name: what it is called.
        asked: the request, without a model.
        is_turned: whether the first model's answer stands on the right.
        first: what the first model answered; None where it was not asked yet.
        second: what the second did.
        choice: which side is better, or that neither is, or that both are bad; None where nobody has said yet.
        voted_s: when that was said.
        shown_s: since when everybody may know whose the answers are; None where nobody may.
    """

    number: int
    name: str
    asked: dict[str, Any]
    is_turned: bool
    first: dict[str, Any] | None = None
    second: dict[str, Any] | None = None
    choice: Choice | None = None
    voted_s: float | None = None
    shown_s: float | None = None

    @property
    def is_ready(self) -> bool:
        """Whether both have answered."""
        return self.first is not None and self.second is not None


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How far a vote is: its pairs, those that both models answered, those that were voted on."""

    of: int
    ready: int
    voted: int
    shown_s: float | None


class PairStore:
    """The pairs of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lay(self, job_id: str, pairs: Sequence[Pair]) -> None:
        """Write the pairs of a vote down, without answers, all or none."""
        rows: list[dict[str, Any]] = [
            {"job_id": job_id, "number": one.number, "name": one.name, "asked": json.dumps(one.asked),
             "is_turned": one.is_turned}
            for one in pairs
        ]  # fmt: skip

        def work(connection: Connection) -> None:
            from sqlalchemy import insert

            from paddock.store.tables import evaluation_pairs

            connection.execute(insert(evaluation_pairs), rows)

        await self._database.run(work)

    async def answered(self, job_id: str, number: int, place: Place, answer: dict[str, Any]) -> None:
        """Keep what a model answered."""

        def work(connection: Connection) -> None:
            from sqlalchemy import update

            from paddock.store.tables import evaluation_pairs as pairs

            one = (pairs.c.job_id == job_id) & (pairs.c.number == number)
            connection.execute(update(pairs).where(one).values({place: json.dumps(answer)}))

        await self._database.run(work)

    async def choose(self, job_id: str, number: int, choice: Choice) -> bool:
        """Keep a choice, in place of an earlier one. False where there is no such pair to choose of, or no longer."""

        def work(connection: Connection) -> bool:
            from sqlalchemy import update

            from paddock.store.tables import evaluation_pairs as pairs

            one = (pairs.c.job_id == job_id) & (pairs.c.number == number) & pairs.c.shown_s.is_(None)
            is_ready = pairs.c.first.is_not(None) & pairs.c.second.is_not(None)
            chosen = update(pairs).where(one, is_ready).values(choice=choice, voted_s=time.time())
            return connection.execute(chosen).rowcount == 1

        return await self._database.run(work)

    async def show(self, job_id: str) -> None:
        """Have everybody know whose the answers are, from now on."""

        def work(connection: Connection) -> None:
            from sqlalchemy import update

            from paddock.store.tables import evaluation_pairs as pairs

            hidden = (pairs.c.job_id == job_id) & pairs.c.shown_s.is_(None)
            connection.execute(update(pairs).where(hidden).values(shown_s=time.time()))

        await self._database.run(work)

    async def of(self, job_id: str) -> list[Pair]:
        """The pairs of a vote, in order."""

        def work(connection: Connection) -> list[Pair]:
            from sqlalchemy import select

            from paddock.store.tables import evaluation_pairs as pairs

            asked = select(pairs).where(pairs.c.job_id == job_id).order_by(pairs.c.number)
            return [_pair_of(row) for row in connection.execute(asked).mappings()]

        return await self._database.run(work, only_reads=True)

    async def one(self, job_id: str, number: int | None) -> Pair | None:
        """The pair of that number; of none, the first that can be voted on and was not yet."""

        def work(connection: Connection) -> Pair | None:
            from sqlalchemy import select

            from paddock.store.tables import evaluation_pairs as pairs

            is_ready = pairs.c.first.is_not(None) & pairs.c.second.is_not(None)
            asked = select(pairs).where(pairs.c.job_id == job_id, is_ready).order_by(pairs.c.number).limit(1)
            which = pairs.c.choice.is_(None) if number is None else pairs.c.number == number
            row = connection.execute(asked.where(which)).mappings().first()
            return _pair_of(row) if row else None

        return await self._database.run(work, only_reads=True)

    async def tallies(self) -> dict[str, Tally]:
        """How far each vote is."""

        def work(connection: Connection) -> dict[str, Tally]:
            from sqlalchemy import and_, case, func, select

            from paddock.store.tables import evaluation_pairs as pairs

            is_ready = and_(pairs.c.first.is_not(None), pairs.c.second.is_not(None))
            counts = (
                func.count(), func.sum(case((is_ready, 1), else_=0)), func.count(pairs.c.choice),
                func.max(pairs.c.shown_s),
            )  # fmt: skip
            found = connection.execute(select(pairs.c.job_id, *counts).group_by(pairs.c.job_id))
            return {
                str(job_id): Tally(of=of, ready=int(ready or 0), voted=voted, shown_s=shown_s)
                for job_id, of, ready, voted, shown_s in found
            }

        return await self._database.run(work, only_reads=True)


def _pair_of(row: Any) -> Pair:
    first, second = (json.loads(row[name]) if row[name] else None for name in ("first", "second"))
    choice = cast("Choice", row["choice"]) if row["choice"] in CHOICES else None
    return Pair(
        number=row["number"], name=row["name"], asked=json.loads(row["asked"]), is_turned=bool(row["is_turned"]),
        first=first, second=second, choice=choice, voted_s=row["voted_s"], shown_s=row["shown_s"],
    )  # fmt: skip
