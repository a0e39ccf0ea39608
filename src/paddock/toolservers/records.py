"""Owns which servers of tools a person named, kept in a small file without their secrets; starts and asks none."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast
from urllib.parse import urlsplit

from paddock.errors import BadRequest, HomeUnusable, ToolServerUnknown, shown
from paddock.paths import Home, alone, version_of, write_whole

_NAME = re.compile(r"[a-z0-9](?:[-_]?[a-z0-9])*")
_NAME_CHARACTERS_MOST = 30
# Words that a route has in a name's place.
_TAKEN = ("import",)
_TEXT_CHARACTERS_MOST = 4000
_ARGUMENTS_MOST = 100
_SECRETS_MOST, _SECRET_CHARACTERS_MOST = 50, 8000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# What an argument holds in the place of a secret, `${input:NAME}`, and how that secret is named.
_INPUT = re.compile(r"input:[^{}\0]{1,200}")
_IN_ARGUMENT = re.compile(r"\$\{(input:[^{}\0]{1,200})\}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")
# What the protocol says of itself, or the connection needs.
_OWN_HEADERS = ("host", "content-length", "content-type", "transfer-encoding", "accept", "connection", "upgrade")
_OWN_BEGINNING = "mcp-"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One server of tools as it was named: a program with its arguments, or an address.

    Attributes:
        folder: where the program begins; "" for the person's own folder.
        is_private: the address may be this machine's or its network's, and without encryption.
        is_enabled: whether it is to run; only a person turns it on.
        secrets: the names of its environment's variables or its headers, whose values are kept elsewhere.
        added_s: in seconds since 1970.
    """

    name: str
    command: str = ""
    arguments: tuple[str, ...] = ()
    folder: str = ""
    url: str = ""
    is_private: bool = False
    is_enabled: bool = False
    secrets: tuple[str, ...] = ()
    added_s: float = 0.0

    @property
    def secret(self) -> str:
        """The name under which its secrets are kept. It holds where they go: they are never sent elsewhere."""
        goes = json.dumps([self.command, *self.arguments, self.folder, self.url])
        return f"mcp {self.name} {_digest(goes)}"

    def words(self, secrets: Mapping[str, str]) -> list[str]:
        """Its command with what its arguments leave to its secrets."""
        filled = [_IN_ARGUMENT.sub(lambda place: secrets.get(place[1], place[0]), one) for one in self.arguments]
        return [self.command, *filled]

    @property
    def consent(self) -> str:
        """What tells this very record, as it was added, from every other: somebody turns that on, and nothing else."""
        return _digest(json.dumps(asdict(replace(self, is_enabled=False))))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def checked(record: Record, secrets: Mapping[str, str]) -> Record:
    """The record as it is kept, with the names of its secrets. Raises BadRequest."""
    name = record.name
    if not _NAME.fullmatch(name) or len(name) > _NAME_CHARACTERS_MOST or name in _TAKEN:
        raise BadRequest(
            f"{shown(name)} is no name for a server of tools. Use small letters and digits, single '-' and '_' "
            f"between them, at most {_NAME_CHARACTERS_MOST}.",
            param="name",
        )
    if bool(record.command) == bool(record.url):
        raise BadRequest(f"{name} needs a command or an address (url), and only one of them.", param="command")
    if record.url:
        _check_url(record)
    texts = (record.command, record.folder, *record.arguments)
    if len(record.arguments) > _ARGUMENTS_MOST or any(len(text) > _TEXT_CHARACTERS_MOST for text in texts):
        raise BadRequest(
            f"A command may have {_ARGUMENTS_MOST} arguments of {_TEXT_CHARACTERS_MOST} characters each.", param="args"
        )
    if any(not _is_sound(text) for text in texts):
        raise BadRequest("A command or an argument holds a character that no program can be given.", param="args")
    _check_secrets(record, secrets)
    return replace(record, secrets=tuple(sorted(secrets)))


def _check_url(record: Record) -> None:
    url = record.url
    wrong = BadRequest(
        f"{shown(url)} is no address of a server of tools. Give one such as https://host/mcp.", param="url"
    )
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise wrong from error
    is_fit = parts.scheme in ("http", "https") and parts.hostname and not parts.fragment
    if not is_fit or not url.isascii() or not url.isprintable() or " " in url or len(url) > _TEXT_CHARACTERS_MOST:
        raise wrong
    if "@" in parts.netloc:
        raise BadRequest("An address with an '@' may hold a password. Give it as a header.", param="url")
    if parts.scheme == "http" and not record.is_private:
        raise BadRequest(
            f"{shown(url)} sends what is asked in the clear. Use https://, or say --private (is_private) if it is on "
            "this machine or a network that is yours alone.",
            param="url",
        )


def _check_secrets(record: Record, secrets: Mapping[str, str]) -> None:
    param, fits, what = ("headers", _HEADER, "header") if record.url else ("env", _VARIABLE, "environment's variable")
    if len(secrets) > _SECRETS_MOST:
        raise BadRequest(f"{len(secrets)} of {param} were given; at most {_SECRETS_MOST} are taken.", param=param)
    for name, value in secrets.items():
        if not fits.fullmatch(name) and (record.url or not _INPUT.fullmatch(name)):
            raise BadRequest(f"{shown(name)} is no name of an {what}.", param=param)
        if record.url and (name.lower() in _OWN_HEADERS or name.lower().startswith(_OWN_BEGINNING)):
            raise BadRequest(f"The header {shown(name)} is the protocol's own. Leave it out.", param=param)
        if len(value) > _SECRET_CHARACTERS_MOST or not _is_sound(value) or (record.url and not _is_line(value)):
            raise BadRequest(f"The value of {shown(name)} is too long, or holds a character it cannot.", param=param)


def _is_sound(text: str) -> bool:
    """Whether a program can be given it."""
    try:
        return "\0" not in text and bool(text.encode() or True)
    except UnicodeEncodeError:
        return False


def environment_of(secrets: Mapping[str, str]) -> dict[str, str]:
    """Those of a program's secrets that are variables of its environment."""
    return {name: value for name, value in secrets.items() if _VARIABLE.fullmatch(name)}


def _is_line(text: str) -> bool:
    return text.isascii() and text.isprintable()


@dataclass(kw_only=True)
class Records:
    """The servers of tools of one data home. They are read again whenever their files have changed.

    Which of them are on stands in a file of its own, which no backup holds: what is put back runs nothing by itself.
    """

    home: Home
    _read_as: tuple[object, object] | None = None
    _records: dict[str, Record] = field(default_factory=dict[str, Record])

    def all(self) -> dict[str, Record]:
        """Every server by its name. Raises HomeUnusable where a file is damaged."""
        read_as = version_of(self.home.toolservers), version_of(self.home.toolservers_on)
        if read_as[0] is None:
            return {}
        if read_as != self._read_as:
            self._records, self._read_as = self._read(), read_as
        return self._records

    def find(self, name: str) -> Record:
        """The server of that name. Raises ToolServerUnknown or HomeUnusable."""
        found = self.all()
        if name not in found:
            raise ToolServerUnknown(name, tuple(found))
        return found[name]

    def put(self, *records: Record) -> None:
        """Keep checked records in place of what had their names; they are off. Raises HomeUnusable."""
        with self._changing() as kept:
            kept.update({record.name: record for record in records})

    def turn(self, name: str, *, on: bool) -> Record:
        """Say whether a server is to run, as it is now. Raises ToolServerUnknown or HomeUnusable."""
        with self._changing() as kept:
            if name not in kept:
                raise ToolServerUnknown(name, tuple(kept))
            found = kept[name] = replace(kept[name], is_enabled=on)
        return found

    def remove(self, name: str) -> Record:
        """Forget a server, which is given back. Raises ToolServerUnknown or HomeUnusable."""
        with self._changing() as kept:
            if name not in kept:
                raise ToolServerUnknown(name, tuple(kept))
            return kept.pop(name)

    @contextmanager
    def _changing(self) -> Generator[dict[str, Record]]:
        """The servers, which are written after the block; nobody else changes them meanwhile."""
        path = self.home.toolservers
        try:
            with alone(path):
                records = self._read()
                yield records
                there = [asdict(one) for one in records.values()]
                for one in there:
                    del one["is_enabled"]
                on = {one.name: one.consent for one in records.values() if one.is_enabled}
                write_whole(self.home.toolservers_on, json.dumps({"on": on}, indent=1) + "\n")
                write_whole(path, json.dumps({"servers": there}, indent=1) + "\n")
        except OSError as error:
            raise HomeUnusable(f"{path.name} in the data home cannot be written ({error.strerror}).") from error

    def _read(self) -> dict[str, Record]:
        path = self.home.toolservers
        try:
            read: Any = json.loads(path.read_text("utf-8"))
            records = [_record(cast("dict[str, Any]", entry)) for entry in read["servers"]]
            path = self.home.toolservers_on
            on: Any = json.loads(path.read_text("utf-8"))["on"] if path.exists() else {}
            records = [replace(one, is_enabled=on.get(one.name) == one.consent) for one in records]
        except FileNotFoundError:
            return {}
        except BadRequest as error:
            raise HomeUnusable(f"{path.name} in the data home cannot be used: {error.message}") from error
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise HomeUnusable(f"{path.name} in the data home cannot be read. Mend or remove it.") from error
        return {record.name: record for record in records}


def _record(entry: Mapping[str, Any]) -> Record:
    record = Record(
        name=str(entry["name"]),
        command=str(entry["command"]),
        arguments=_texts(entry["arguments"]),
        folder=str(entry["folder"]),
        url=str(entry["url"]),
        is_private=entry["is_private"] is True,
        added_s=float(entry["added_s"]),
    )
    return checked(record, dict.fromkeys(_texts(entry["secrets"]), ""))


def _texts(value: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(one) for one in value)
