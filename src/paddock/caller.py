"""Owns on whose behalf code runs, and what that one may do; refuses to know how anybody is recognised.

Whatever is done for a request carries its caller with it, into the threads and the background tasks that it begins.
What paddock does of its own accord is paddock's.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

Right = Literal["ask", "chats", "load", "download", "delete", "tools", "train", "inspect", "manage"]
RIGHTS: tuple[Right, ...] = get_args(Right)
ALL: frozenset[Right] = frozenset(RIGHTS)
# What each right lets its holder do, for help, documents and the page.
SAYS: dict[Right, str] = {
    "ask": "Ask models, and list them.",
    "chats": "Read and write chats on the page, and collections of documents.",
    "load": "Load, unload and pin models.",
    "download": "Search the hub, download and import models and adapters.",
    "delete": "Remove models, adapters and downloads from the disk.",
    "tools": "Let models use the server's tools: files of a workspace, and code within the sandbox.",
    "train": "Train, export and evaluate models, and see and stop every training, export and evaluation.",
    "inspect": "Read what was recorded of requests, the log, and how the machine is doing.",
    "manage": "Change settings, also of models, other names, engines, keys and accounts, push to the hub, end paddock.",
}
Role = Literal["admin", "user"]
ROLES: tuple[Role, ...] = get_args(Role)
OF_ROLE: dict[Role, frozenset[Right]] = {"admin": ALL, "user": frozenset(("ask", "chats", "load", "tools"))}
# A key is for programs, which ask.
OF_KEY: frozenset[Right] = frozenset(("ask",))
# The chats of whoever sits at the machine, its admins among them.
MACHINE = ""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks.

    `owner` is whose chats it has to do with: an account's, the machine's own (""), or everybody's (None), which is
    paddock itself. `models` and `paths` are patterns with `*`; where there are none, each is allowed.
    """

    name: str
    rights: frozenset[Right]
    owner: str | None = MACHINE
    models: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    key_id: str | None = None
    account_id: str | None = None

    def may(self, right: Right) -> bool:
        """Whether it has a right."""
        return right in self.rights

    def may_use(self, *names: str) -> bool:
        """Whether it may use a model that goes by one of these names."""
        return not self.models or any(_is_like(name, one) for one in self.models for name in names)

    def may_call(self, path: str) -> bool:
        """Whether it may call routes of this path at all."""
        return not self.paths or any(_is_like(path, one) for one in self.paths)

    def noted(self) -> dict[str, Any]:
        """As it is kept with what another process may go on with."""
        kept = {"owner": self.owner, "account_id": self.account_id, "key_id": self.key_id}
        return {**kept, "rights": sorted(self.rights), "models": self.models, "paths": self.paths}


def as_noted(note: Mapping[str, Any]) -> Caller:
    """Paddock itself on behalf of whom that tells of, with no more rights; without a note as itself."""
    if not note:
        return PADDOCK
    rights = frozenset(right for right in ALL if right in note["rights"])
    kept = {name: note[name] for name in ("owner", "account_id", "key_id")}
    return replace(PADDOCK, rights=rights, models=tuple(note["models"]), paths=tuple(note["paths"]), **kept)


def _is_like(name: str, pattern: str) -> bool:
    """Whether a name is as a pattern says, in which `*` is anything and all else itself."""
    return fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]"))


PADDOCK = Caller(name="paddock", rights=ALL, owner=None)
# Whoever sits at the machine, where nobody is asked who he is.
LOCAL = Caller(name="local", rights=ALL)
# Whoever else is let in without a word: by a proxy, from a page of an allowed origin, or where no one is asked.
VISITOR = Caller(name="visitor", rights=ALL - {"manage", "train", "tools"})
# Whoever is about to sign in.
NOBODY = Caller(name="nobody", rights=frozenset())

_current: ContextVar[Caller] = ContextVar("caller", default=PADDOCK)


def current() -> Caller:
    """On whose behalf this code runs."""
    return _current.get()


@contextmanager
def acting(caller: Caller) -> Generator[Caller]:
    """Run the block, and what it begins, on behalf of `caller`."""
    token = _current.set(caller)
    try:
        yield caller
    finally:
        _current.reset(token)
