"""Owns which servers of tools run: those that a person turned on, each with a task of its own, ended with paddock."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import cast

import anyio
import anyio.lowlevel
import anyio.to_thread
from anyio.abc import TaskGroup

from paddock.errors import BadRequest, PaddockError, ToolServerFault
from paddock.fetch.addresses import PUBLIC, Address, Policy
from paddock.fetch.guarded import addresses_of
from paddock.log import named
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.secrets import Secrets
from paddock.toolservers.records import Record, Records, checked
from paddock.toolservers.saying import Offered, ToolFault
from paddock.toolservers.server import Reach, Server

_log = named(__name__)
_LOOKED_EVERY_S = 2.0


class Host:
    """The servers of tools of one paddock.

    Args:
        policy: where those may be that are not private; for tests alone another than everybody's.
        only: the one that runs, where a command wants no other.
    """

    def __init__(self, home: Home, database: Database, policy: Policy = PUBLIC, *, only: str | None = None) -> None:
        self._only = only
        self._records = Records(home=home)
        self._secrets = Secrets(database, home)
        self._policy = policy
        self._servers: dict[str, Server] = {}
        self._tasks: TaskGroup | None = None
        self._over: anyio.Event | None = None
        self._looking = anyio.Lock()

    async def keep(self, over: anyio.Event) -> None:
        """Have those run that are on, also when that changes, until it is over; then end them all."""
        self._over = over
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                while not over.is_set():
                    await self.look()
                    with anyio.move_on_after(_LOOKED_EVERY_S):
                        await over.wait()
            finally:
                self._tasks = None
                for server in self._servers.values():
                    server.end()

    async def look(self) -> None:
        """Begin and end what was turned on and off since."""
        # Of two looks at once the one that read first must not have the last word.
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        try:
            records = await anyio.to_thread.run_sync(self._records.all)
        except PaddockError as error:
            _log.warning("servers of tools stay as they were: %s", error.message)
            return
        if self._tasks is None or (self._over and self._over.is_set()):
            return
        for name, server in list(self._servers.items()):
            if (found := records.get(name)) is None or not found.is_enabled or found != server.record:
                server.end()
                del self._servers[name]
        for name, record in records.items():
            if record.is_enabled and name not in self._servers and self._only in (None, name):
                self._servers[name] = Server(record, partial(self._secrets_of, record), self._reach_of(record))
                self._tasks.start_soon(self._servers[name].own)

    async def settle(self, names: Sequence[str] | None = None) -> None:
        """Wait while those of these names, or all, are being begun; what failed before is tried again in its time."""
        await self.look()
        async with anyio.create_task_group() as group:
            for server in list(self._servers.values()):
                if names is None or server.record.name in names:
                    group.start_soon(server.settled)

    def there(self) -> list[Server]:
        """Those that are on."""
        return list(self._servers.values())

    def find(self, name: str) -> Server:
        """One that is on. Raises ToolServerUnknown, ToolServerFault or HomeUnusable."""
        record = self._records.find(name)
        server = self._servers.get(name)
        if server is None:
            how = "is being begun" if record.is_enabled else f"is off. `paddock mcp enable {name}` turns it on"
            raise ToolServerFault(name, how)
        return server

    def offered(self) -> list[tuple[Server, Offered]]:
        """Every tool that is known, with its server."""
        return [(server, tool) for server in self._servers.values() for tool in server.listing.offered]

    def records(self) -> dict[str, Record]:
        """Every server that was named, also those that are off. Blocks. Raises HomeUnusable."""
        return self._records.all()

    def add(self, entries: Sequence[tuple[Record, Mapping[str, str]]]) -> list[Record]:
        """Name servers with their secrets, in place of what had their names; all are off. Blocks.

        Raises:
            BadRequest: one of them cannot be used; none is kept then.
            HomeUnusable, StoreUnusable: they cannot be kept.
        """
        found = [(replace(checked(one, secrets), added_s=time.time()), secrets) for one, secrets in entries]
        former = self._records.all()
        for record, secrets in found:
            old = former.get(record.name)
            if old is not None and old.secrets and not (secrets and old.secret == record.secret):
                self._secrets.remove(old.secret)
            if secrets:
                self._secrets.put(record.secret, json.dumps(dict(secrets)))
        self._records.put(*(record for record, _ in found))
        return [record for record, _ in found]

    def turn(self, name: str, *, on: bool) -> Record:
        """Turn a server on or off. Blocks. Raises ToolServerUnknown, HomeUnusable."""
        return self._records.turn(name, on=on)

    def remove(self, name: str) -> Record:
        """Forget a server and its secrets. Blocks. Raises ToolServerUnknown, HomeUnusable, StoreUnusable."""
        found = self._records.remove(name)
        if found.secrets:
            self._secrets.remove(found.secret)
        return found

    async def _secrets_of(self, record: Record) -> Mapping[str, str]:
        if not record.secrets:
            return {}
        kept = await anyio.to_thread.run_sync(self._secrets.get, record.secret)
        found = cast("dict[str, str]", json.loads(kept)) if kept else {}
        if missing := [name for name in record.secrets if name not in found]:
            raise ToolFault(f"lacks the value of {missing[0]}: add it anew")
        return found

    def _reach_of(self, record: Record) -> Reach:
        policy = Policy(is_allowed=_any) if record.is_private else self._policy

        async def reach(url: str) -> Sequence[str]:
            try:
                return await addresses_of(url, policy)
            except BadRequest as error:
                raise ValueError(f"{error.message.rstrip('.')}. Say --private if it is yours") from error

        return reach


@asynccontextmanager
async def running(host: Host) -> AsyncGenerator[Host]:
    """The servers run for the length of the block, for a command that has them for itself."""
    over = anyio.Event()
    failed: PaddockError | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(host.keep, over)
        await anyio.lowlevel.checkpoint()
        try:
            yield host
        except PaddockError as error:
            # Out of the group it would come as one of several.
            failed = error
        finally:
            over.set()
    if failed is not None:
        raise failed


def _any(address: Address) -> bool:
    return True
