"""Owns how a database's address is read, and how it is shown; refuses to reach it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from paddock.config import shown_value
from paddock.errors import StoreUnusable

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_POSTGRES = "postgresql+pg8000"
_SETTING = "database_url"
# What an address may say in its query: those parameters of the library that are text.
_PARAMETERS = ("application_name", "database", "host", "password", "port", "unix_sock", "user")


def shown(url: str) -> str:
    """The address without what is secret in it."""
    return str(shown_value(_SETTING, url))


def file_of(url: str) -> Path | None:
    """The file of a SQLite database; None where it has none."""
    scheme, _, place = url.partition("?")[0].partition(":///")
    return Path(unquote(place)) if scheme == "sqlite" and place else None


def parsed(url: str) -> URL:
    """What the address says. Raises StoreUnusable, whose words have nothing of it but what may be shown."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        found = make_url(url)
        (found.host or "").encode("idna")
    except (ArgumentError, ValueError):
        found = None
    if found is None or "@" in (found.host or ""):
        # What the library says may be a piece of the password that it took for a port or a host.
        raise StoreUnusable(
            f"The setting {_SETTING} is no address of one database: {shown(url)}. Write it as "
            "postgresql://user:password@host:5432/name or sqlite:////path, and within a user or password %40 for '@', "
            "%3A for ':', %2F for '/' and %25 for '%'."
        ) from None
    if found.drivername == "sqlite":
        return found
    if found.drivername not in ("postgresql", "postgres", _POSTGRES):
        raise StoreUnusable(f"{_SETTING} begins with {found.drivername!r}. Use postgresql:// or sqlite:///.")
    if not all(name in _PARAMETERS and isinstance(value, str) for name, value in found.query.items()):
        raise StoreUnusable(
            f"The address {shown(url)} in {_SETTING} has a parameter that is not understood, or one twice. It may have "
            f"{', '.join(_PARAMETERS)}, each once."
        )
    if not (found.username or found.query.get("user")):
        raise StoreUnusable(f"The address {shown(url)} in {_SETTING} names no user. Write postgresql://user@host/name.")
    return found.set(drivername=_POSTGRES)
