"""Owns the rows of what evaluations found; refuses to know what was tried."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from paddock.store.db import Database

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one evaluation found. `at_s` is seconds since 1970.

    Attributes:
        job_id: the evaluation.
        suite: what was tried.
        model: by which name the model was asked.
        file_digest: SHA-256 of its file, or of its parts in order.
        file_state: what tells its file and template from others without reading them.
        template_digest: SHA-256 of its chat template.
        engine: the build that answered.
        passed: tries that passed.
        tries: all of them.
    """

    job_id: str
    suite: str
    model: str
    file_digest: str
    file_state: str
    template_digest: str
    engine: str
    passed: int
    tries: int
    at_s: float


class ScoreStore:
    """The scores of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, score: Score) -> None:
        """Keep a score, in place of one of the same evaluation."""

        def work(connection: Connection) -> None:
            from sqlalchemy import delete, insert

            from paddock.store.tables import evaluation_scores as scores

            connection.execute(delete(scores).where(scores.c.job_id == score.job_id))
            connection.execute(insert(scores).values(asdict(score)))

        await self._database.run(work)

    async def newest(self) -> list[Score]:
        """The newest score of each suite and state of a file."""

        def work(connection: Connection) -> list[Score]:
            from sqlalchemy import select

            from paddock.store.tables import evaluation_scores as scores

            rows = connection.execute(select(scores).order_by(scores.c.at_s)).mappings()
            found = {(row["suite"], row["file_state"]): Score(**{str(k): v for k, v in row.items()}) for row in rows}
            return list(found.values())

        return await self._database.run(work, only_reads=True)
