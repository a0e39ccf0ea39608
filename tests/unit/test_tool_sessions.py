"""Tests which sessions of the sandbox are ended for others, and that none begins in a folder where one still ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.caller import LOCAL
from paddock.config import Settings
from paddock.paths import Home
from paddock.sandbox.pythons import Python
from paddock.tools import sessions
from paddock.tools.sessions import Sessions
from paddock.tools.workspaces import workspace

pytestmark = pytest.mark.anyio


class Slow:
    """A session that ends when it is let."""

    def __init__(self, began: list[Slow], let: anyio.Event) -> None:
        began.append(self)
        self.let = let
        self.is_closing = self.is_closed = False

    async def close(self) -> None:
        self.is_closing = True
        await self.let.wait()
        self.is_closed = True


class Studio:
    """The sessions of a home in which two are held, and what was begun of them."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began: list[Slow] = []
        self.let = anyio.Event()
        self.home = Home(root=home)

        def new(own: Sessions, folder: Path, python: Python) -> Slow:
            return Slow(self.began, self.let)

        def best(others: list[Path]) -> Python | None:
            return None

        monkeypatch.setattr(Sessions, "_new", new)
        monkeypatch.setattr(sessions.pythons, "best", best)
        monkeypatch.setattr(sessions, "_MOST", 2)
        self.sessions = Sessions(settings=Settings(home=self.home))

    async def use(self, session_id: str, until: anyio.Event | None = None) -> Any:
        async with (
            workspace(self.home, LOCAL, session_id) as place,
            self.sessions.using(place) as session,
        ):
            if until:
                await until.wait()
            return session

    async def closing(self, count: int) -> None:
        while sum(one.is_closing for one in self.began) < count:
            await anyio.sleep(0.001)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    return Studio(tmp_path, monkeypatch)


async def test_one_that_is_taken_up_again_while_another_ends_stays(studio: Studio) -> None:
    over = anyio.Event()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            # Four at once; when they are idle, the next one ends three of them, one after another.
            for name in "abcd":
                group.start_soon(studio.use, name, over)
                # In this order, so that it is known whose each is.
                while len(studio.began) <= "abcd".index(name):
                    await anyio.sleep(0.001)
            over.set()
        in_use = anyio.Event()

        async def goes() -> None:
            await studio.use("e")
            assert not idle.is_closing
            in_use.set()

        async with anyio.create_task_group() as group:
            idle = studio.began[0]
            group.start_soon(goes)
            await studio.closing(1)
            idle = next(one for one in studio.began[:4] if not one.is_closing)
            group.start_soon(studio.use, "abcd"[studio.began.index(idle)], in_use)
            # Taken up, it makes room itself.
            await studio.closing(2)
            studio.let.set()
        assert sum(one.is_closing for one in studio.began) == 3


async def test_none_begins_in_a_folder_where_one_still_ends(studio: Studio) -> None:
    with anyio.fail_after(10):
        for name in "ab":
            await studio.use(name)
        async with anyio.create_task_group() as group:
            group.start_soon(studio.use, "c")
            await studio.closing(1)
            group.start_soon(studio.use, "a")
            await anyio.sleep(0.05)
            assert len(studio.began) == 3
            studio.let.set()
        assert studio.began[0].is_closed
        assert len(studio.began) == 4
