"""Tests how long decisions about tools and the record of their calls are kept, and for whom."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from paddock import clock
from paddock.caller import LOCAL, Caller
from paddock.errors import Conflict, StoreUnusable
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.tool_calls import KEPT_S, ToolCall, ToolCallStore, storable
from paddock.store.tool_permissions import CHAT_KEPT_S, MOST, Decided, ToolPermissionStore
from paddock.store.tool_tables import tool_permissions
from paddock.tools.trail import Trail

pytestmark = pytest.mark.anyio
BEN = Caller(name="ben", rights=frozenset(("tools",)), owner="usr_1", account_id="usr_1")
KEY = replace(BEN, name="key k", key_id="k")
CALL = ToolCall(
    at_s=clock.stamp_s(), account_id="", key_id="", who="local", session_id="s", tool="python", arguments="{}",
    allowed="once", outcome="done", duration_s=0.5,
)  # fmt: skip


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    home = Home(root=tmp_path)
    home.ensure()
    opened = Database("", home)
    yield opened
    await opened.close()


async def test_what_nobody_may_have_decided_makes_no_database(database: Database) -> None:
    assert await ToolPermissionStore(database).decided(LOCAL, "s") == Decided()
    assert await ToolCallStore(database).latest(LOCAL, limit=9) == []
    assert not database.is_there


async def test_decisions_are_whose_they_are_and_those_for_a_chat_end(database: Database) -> None:
    store = ToolPermissionStore(database)
    await store.decide(BEN, {"python": "never"})
    await store.decide(KEY, {"python": "always"})
    await store.decide(BEN, {"python": "always", "files": "always"}, "chat \0 \ud800")
    assert await store.decided(BEN, "chat \0 \ud800") == Decided(
        everywhere={"python": "never"}, chat={"python": "always", "files": "always"}
    )
    assert await store.decided(KEY, "chat") == Decided(everywhere={"python": "always"}, account={"python": "never"})
    assert await store.decided(LOCAL) == Decided()
    old = update(tool_permissions).values(decided_s=clock.lived_s() - CHAT_KEPT_S - 9)
    await database.run(lambda connection: connection.execute(old).close())
    assert await store.decided(BEN, "chat \0 \ud800") == Decided(everywhere={"python": "never"})


async def test_what_was_let_for_good_is_forgotten_with_the_server_and_no_refusal_is(database: Database) -> None:
    store = ToolPermissionStore(database)
    await store.forget("mcp:a", "mcp__a__")
    assert not database.is_there
    words = {
        "mcp:a": "always",
        "mcp__a__x": "always",
        "mcp__a__y": "never",
        "mcp__axb__x": "always",
        "mcp:ab": "always",
    }
    await store.decide(BEN, words)
    await store.decide(KEY, {"mcp__a__x": "always"}, "chat")
    await store.forget("mcp:a", "mcp__a__")
    kept = {name: words[name] for name in ("mcp__a__y", "mcp__axb__x", "mcp:ab")}
    assert (await store.decided(BEN)).everywhere == kept
    assert (await store.decided(KEY, "chat")).chat == {}


async def test_decisions_are_bounded(database: Database) -> None:
    store = ToolPermissionStore(database)
    await store.decide(BEN, {f"mcp:{n}": "ask" for n in range(MOST)})
    with pytest.raises(Conflict, match="at most 500"):
        await store.decide(BEN, {"python": "never"})
    await store.decide(BEN, {"mcp:1": None, "python": "never"})
    assert len((await store.decided(BEN)).everywhere) == MOST


async def test_calls_are_forgotten_by_age_and_by_number(database: Database) -> None:
    store = ToolCallStore(database, most=45, most_of_account=30)
    old = replace(CALL, at_s=clock.lived_s() - KEPT_S - 9)
    await store.note([old, CALL])
    assert len(await store.latest(LOCAL, limit=9)) == 1
    await store.note([replace(CALL, account_id="usr_1", who="ben")] * 20)
    await store.note([CALL] * 100)
    everybody = await store.latest(LOCAL, limit=500, is_all=True)
    assert len(everybody) == 45
    assert len(await store.latest(BEN, limit=500)) == 15
    assert len(await store.latest(LOCAL, limit=500)) == 30
    assert [one.number for one in everybody] == sorted((one.number for one in everybody), reverse=True)
    assert await store.latest(KEY, limit=9) == []
    assert len(await store.latest(LOCAL, limit=500, before=everybody[4].number)) == 25


async def test_what_no_database_takes_is_kept_otherwise(database: Database) -> None:
    store = ToolCallStore(database)
    await store.note([replace(CALL, arguments="\0\ud800" + "x" * 5000, session_id="\0" + "s" * 300)])
    (kept,) = await store.latest(LOCAL, limit=9, session_id="\0" + "s" * 300)
    assert kept.arguments[:3] == "\ufffd?x"
    assert (len(kept.arguments), kept.arguments[-1]) == (2000, "…")
    assert storable("ab", 2) == "ab"


async def test_calls_that_cannot_be_written_wait_and_hold_nothing_up(database: Database, tmp_path: Path) -> None:
    trail = Trail(ToolCallStore(database))
    home = Home(root=tmp_path)
    home.database.mkdir()
    trail.note(CALL)
    await trail.flush()
    with pytest.raises(StoreUnusable):
        await ToolCallStore(database).note([CALL])
    home.database.rmdir()
    await trail.flush()
    assert len(await ToolCallStore(database).latest(LOCAL, limit=9)) == 1
