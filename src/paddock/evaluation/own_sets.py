"""Owns sets of one's own that are kept here: none is kept that could not be tried. Refuses to try them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from paddock.errors import FieldInvalid, shown
from paddock.evaluation.sets import Look, looked_at, rows_in
from paddock.store.sets import OwnSet, SetStore

LINES_MOST_BYTES = 8 * 2**20
_NAME_MOST_CHARACTERS = 100


@dataclass(frozen=True, kw_only=True)
class OwnSets:
    """The sets of one data home. Every method raises StoreUnusable where its database cannot be used."""

    store: SetStore

    async def looked_at(self, lines: str) -> Look:
        """What is in a set, and what is wrong with it. Raises FieldInvalid for one that is too long to be read."""
        if len(lines.encode("utf-8", "replace")) > LINES_MOST_BYTES:
            raise FieldInvalid(
                f"The set has more than {LINES_MOST_BYTES // 2**20} MiB. Split it, or have `paddock eval run` read it.",
                param="lines",
            )
        return await anyio.to_thread.run_sync(looked_at, lines.removeprefix("\ufeff"))

    async def keep(self, name: str, lines: str, *, set_id: str = "") -> OwnSet:
        """Keep a set, in place of one of that id where one is given. Raises FieldInvalid or SetUnknown."""
        name = name.strip()
        if not 0 < len(name) <= _NAME_MOST_CHARACTERS or not name.isprintable():
            raise FieldInvalid(f"name is {shown(name)}; it must be 1 to {_NAME_MOST_CHARACTERS} letters.", param="name")
        look = await self.looked_at(lines)
        if look.faults:
            raise FieldInvalid(look.faults[0][1], param="lines")
        lines = lines.removeprefix("\ufeff")
        if set_id:
            return await self.store.change(set_id, name, lines, look.tries)
        return await self.store.create(name, lines, look.tries)

    async def rows(self, set_id: str) -> tuple[str, Sequence[Any]]:
        """The name of a set, and its lines as values. Raises SetUnknown or FieldInvalid."""
        found = await self.store.find(set_id)
        return found.name, await anyio.to_thread.run_sync(rows_in, found.lines)
