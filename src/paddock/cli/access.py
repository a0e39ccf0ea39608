"""Owns opening what is known of who may come in, for the commands that change it; refuses to change any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paddock.config import load

if TYPE_CHECKING:
    from paddock.store.access import Access

# Who the audit says did it.
WHO = "terminal"


def opened() -> Access:
    """Keys, accounts and the audit of the settings' database. Raises SettingInvalid or HomeUnusable."""
    from paddock.store import stamps
    from paddock.store.access import Access
    from paddock.store.db import Database

    settings = load()
    settings.home.ensure()
    database = Database(settings.database_url, settings.home)
    # What is given until some time here is judged where it is shown.
    stamps.begin_at_once(database, settings.home)
    return Access.of(database, settings.home)
