"""Owns the statements that keep folders and presets of the page's chats; refuses to know what settings mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from paddock.errors import ChatUnknown, Conflict, FieldInvalid, shown
from paddock.store.db import Database
from paddock.store.owners import mine, owner, refuse_taken

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MOST = 500


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder; they are listed by `position`."""

    id: str
    name: str
    position: float = 0.0

    def told(self) -> dict[str, Any]:
        """As callers get it."""
        return {"object": "folder", "id": self.id, "name": self.name, "position": self.position}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings under a name."""

    id: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    created_s: float = 0.0
    updated_s: float = 0.0

    def told(self) -> dict[str, Any]:
        """As callers get it."""
        return {"object": "preset", **{name: getattr(self, name) for name in self.__dataclass_fields__}}


class FolderStore:
    """The folders and presets of one database. Every method raises StoreUnusable where that cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def folders(self) -> list[Folder]:
        """Every folder, by its position."""
        return await self._database.run(_folders)

    async def create_folder(self, folder_id: str, name: str, position: float | None) -> tuple[Folder, bool]:
        """Make a folder, the last one unless a position is given; whether it is new. Raises Conflict."""

        def work(connection: Connection) -> tuple[Folder, bool]:
            from sqlalchemy import insert

            from paddock.store.chat_tables import folders

            there = _folders(connection)
            if known := next((one for one in there if one.id == folder_id), None):
                _refuse_other(known.name == name, "folder", known)
                return known, False
            refuse_taken(connection, folders, folder_id, "folder")
            _refuse_full(there, "folders")
            last = there[-1].position + 1.0 if there else 1.0
            made = Folder(id=folder_id, name=name, position=last if position is None else position)
            row = {"id": made.id, "name": made.name, "position": made.position, "owner": owner()}
            connection.execute(insert(folders).values(row))
            return made, True

        return await self._database.run(work)

    async def patch_folder(self, folder_id: str, changes: dict[str, Any]) -> Folder:
        """Change a folder. Raises ChatUnknown."""

        def work(connection: Connection) -> Folder:
            from sqlalchemy import update

            from paddock.store.chat_tables import folders

            there = next((one for one in _folders(connection) if one.id == folder_id), None)
            if there is None:
                raise ChatUnknown("folder", folder_id)
            if changes:
                connection.execute(update(folders).where(folders.c.id == folder_id).values(**changes))
            return replace(there, **changes)

        return await self._database.run(work)

    async def delete_folder(self, folder_id: str) -> None:
        """Forget a folder; its chats stay. Raises ChatUnknown."""
        await self._delete("folder", folder_id)

    async def presets(self) -> list[Preset]:
        """Every preset, by name."""
        return await self._database.run(_presets)

    async def create_preset(self, made: Preset) -> tuple[Preset, bool]:
        """Make a preset; whether it is new. Raises Conflict."""

        def work(connection: Connection) -> tuple[Preset, bool]:
            from sqlalchemy import insert

            from paddock.store.chat_tables import presets

            there = _presets(connection)
            if known := next((one for one in there if one.id == made.id), None):
                _refuse_other((known.name, known.settings) == (made.name, made.settings), "preset", known)
                return known, False
            refuse_taken(connection, presets, made.id, "preset")
            _refuse_full(there, "presets")
            connection.execute(insert(presets).values(**_preset_row(made), owner=owner()))
            return made, True

        return await self._database.run(work)

    async def patch_preset(self, preset_id: str, changes: dict[str, Any]) -> Preset:
        """Change a preset. Raises ChatUnknown."""

        def work(connection: Connection) -> Preset:
            from sqlalchemy import update

            from paddock.store.chat_tables import presets

            there = next((one for one in _presets(connection) if one.id == preset_id), None)
            if there is None:
                raise ChatUnknown("preset", preset_id)
            made = replace(there, **changes)
            connection.execute(update(presets).where(presets.c.id == preset_id).values(_preset_row(made)))
            return made

        return await self._database.run(work)

    async def delete_preset(self, preset_id: str) -> None:
        """Forget a preset. Raises ChatUnknown."""
        await self._delete("preset", preset_id)

    async def _delete(self, what: str, name: str) -> None:
        def work(connection: Connection) -> int:
            from sqlalchemy import delete

            from paddock.store.chat_tables import folders, presets

            table = folders if what == "folder" else presets
            return connection.execute(delete(table).where(table.c.id == name, mine(table))).rowcount

        if not await self._database.run(work):
            raise ChatUnknown(what, name)


def _folders(connection: Connection) -> list[Folder]:
    from sqlalchemy import select

    from paddock.store.chat_tables import folders

    wanted = select(folders.c.id, folders.c.name, folders.c.position).where(mine(folders))
    rows = connection.execute(wanted.order_by(folders.c.position, folders.c.id)).mappings()
    return [Folder(**dict(row)) for row in rows]


def _presets(connection: Connection) -> list[Preset]:
    from sqlalchemy import select

    from paddock.store.chat_tables import presets

    wanted = select(*(presets.c[name] for name in Preset.__dataclass_fields__)).where(mine(presets))
    rows = connection.execute(wanted.order_by(presets.c.name, presets.c.id)).mappings()
    return [Preset(**{**dict(row), "settings": json.loads(row["settings"])}) for row in rows]


def _preset_row(preset: Preset) -> dict[str, Any]:
    row = {name: getattr(preset, name) for name in preset.__dataclass_fields__}
    return {**row, "settings": json.dumps(preset.settings)}


def _refuse_other(is_same: bool, what: str, there: Folder | Preset) -> None:
    if not is_same:
        raise Conflict(f"There is a {what} {shown(there.id)} already. Choose another id.", current=there.told())


def _refuse_full(there: Sequence[object], what: str) -> None:
    if len(there) >= MOST:
        raise FieldInvalid(f"There are {len(there)} {what} already, as many as there may be. Delete one first.")
