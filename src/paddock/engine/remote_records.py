"""Owns which remote engines a person named, kept in a small file without their keys; contacts none of them."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, cast
from urllib.parse import urlsplit

from paddock.errors import BadRequest, HomeUnusable, RemoteUnknown, shown
from paddock.paths import Home, alone, version_of, write_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_URL_CHARACTERS_MOST = 300


@dataclass(frozen=True, kw_only=True)
class Record:
    """One remote as it was named. `models` are the ids that it was said to have; none asks it for its list.

    `added_s` is in seconds since 1970 and tells one that was named anew from what it replaced.
    """

    name: str
    url: str
    models: tuple[str, ...] = ()
    is_plain_http: bool = False
    added_s: float = 0.0

    @property
    def secret(self) -> str:
        """The name under which its key is kept. It holds the address: a key is never sent to another."""
        return f"remote {self.name} {self.url}"


def checked(record: Record) -> Record:
    """The record with its address in the form that is kept: with the API's path, without a slash at its end.

    Raises:
        BadRequest: the name, the address or a model's id cannot be used.
    """
    if not _NAME.fullmatch(record.name):
        raise BadRequest(
            f"{shown(record.name)} is no name for a remote. Use letters, digits, '.', '_' and '-', at most 40."
        )
    if wrong := [model for model in record.models if not model or not model.isprintable()]:
        raise BadRequest(f"{shown(wrong[0])} is no model's id. Give it as the remote lists it.")
    return replace(record, url=_checked_url(record.url, is_plain_http=record.is_plain_http))


def _checked_url(text: str, *, is_plain_http: bool) -> str:
    wrong = f"{shown(text)} is no address of an API. Give one such as https://host/v1."
    if "@" in text:
        raise BadRequest("An address with an '@' may hold a password. Give the key with --key-stdin or --key-from-env.")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise BadRequest(wrong) from error
    is_fit = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
    if not is_fit or not text.isascii() or not text.isprintable() or " " in text or len(text) > _URL_CHARACTERS_MOST:
        raise BadRequest(wrong)
    if parts.scheme == "http" and not is_plain_http and not _is_loopback(parts.hostname or ""):
        raise BadRequest(
            f"{shown(text)} sends the key and every prompt in the clear over a network. Use https://, or type "
            "--plain-http if that network is yours alone."
        )
    path = parts.path.rstrip("/") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Records:
    """The remotes of one data home. They are read again whenever their file has changed."""

    def __init__(self, home: Home) -> None:
        self._path = home.remotes
        self._read_as: tuple[int, int] | None = None
        self._records: dict[str, Record] = {}

    def all(self) -> dict[str, Record]:
        """Every remote by its name. Raises HomeUnusable where the file is damaged."""
        read_as = version_of(self._path)
        if read_as is None:
            return {}
        if read_as != self._read_as:
            self._records, self._read_as = self._read(), read_as
        return self._records

    def find(self, name: str) -> Record:
        """The remote of that name. Raises RemoteUnknown or HomeUnusable."""
        found = self.all()
        if name not in found:
            known = ", ".join(found) or "none"
            raise RemoteUnknown(f"There is no remote {shown(name)}. Remotes here: {known}. See `paddock remotes list`.")
        return found[name]

    def put(self, record: Record) -> None:
        """Keep a checked record in place of what had its name. Raises HomeUnusable."""
        with self._changing() as records:
            records[record.name] = record

    def remove(self, name: str) -> None:
        """Forget a remote. Raises RemoteUnknown or HomeUnusable."""
        self.find(name)
        with self._changing() as records:
            records.pop(name, None)

    @contextmanager
    def _changing(self) -> Generator[dict[str, Record]]:
        """The remotes, which are written after the block; nobody else changes them meanwhile."""
        try:
            with alone(self._path):
                records = self._read()
                yield records
                write_whole(
                    self._path, json.dumps({"remotes": [asdict(one) for one in records.values()]}, indent=1) + "\n"
                )
        except OSError as error:
            raise HomeUnusable(f"{self._path.name} in the data home cannot be written ({error.strerror}).") from error

    def _read(self) -> dict[str, Record]:
        try:
            read: Any = json.loads(self._path.read_text("utf-8"))
            entries = [cast("dict[str, Any]", entry) for entry in read["remotes"]]
            records = [
                checked(
                    Record(
                        name=str(entry["name"]),
                        url=str(entry["url"]),
                        models=tuple(str(model) for model in entry["models"]),
                        is_plain_http=entry["is_plain_http"] is True,
                        added_s=float(entry["added_s"]),
                    )
                )
                for entry in entries
            ]
        except FileNotFoundError:
            return {}
        except BadRequest as error:
            raise HomeUnusable(f"{self._path.name} in the data home cannot be used: {error.message}") from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise HomeUnusable(f"{self._path.name} in the data home cannot be read. Mend or remove it.") from error
        return {record.name: record for record in records}
