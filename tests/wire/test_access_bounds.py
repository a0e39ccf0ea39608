"""Tests that keys and deeds of one caller do not grow without end, at the cost of what others do and of its record."""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import func, insert, select

from paddock import clock
from paddock.errors import Conflict
from paddock.paths import Home
from paddock.store import audit as audits
from paddock.store import keys as store
from paddock.store.accounts import Accounts
from paddock.store.audit import Audit
from paddock.store.db import Database
from paddock.store.keys import Keys
from paddock.store.tables import audit as audit_table
from paddock.store.tables import keys as key_table
from tests.wire.rig import scripted_studio
from tests.wire.test_accounts import enrolled, page_of

pytestmark = pytest.mark.anyio
DAY_S = 86400.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One whose time goes on."""
    home = Home(root=tmp_path)
    clock.begin(home)
    clock.begin_at(home, time.time())
    return home


def filled(database: Database, count: int, **values: object) -> None:
    """So many keys more, that nobody has the text of."""
    first = {"name": "k", "hint": "abcd", "created_s": 1.0, "is_recorded": False, **values}
    mark = len(database.do(lambda connection: connection.execute(select(key_table.c.id)).all()))
    rows = [{"id": f"key_{mark + n}", "digest": f"d{mark + n}", **first} for n in range(count)]
    database.do(lambda connection: connection.execute(insert(key_table), rows).close())


async def test_an_account_has_so_many_valid_keys_and_no_more(database: Database, home: Home) -> None:
    keys, accounts = Keys(database, home), Accounts(database, home)

    def work() -> None:
        ben = accounts.create("ben", "user").account_id
        filled(database, store.MOST_OF_ACCOUNT - 1, account_id=ben)
        filled(database, 3, account_id=ben, revoked_s=time.time())
        last, _ = keys.create("last", account_id=ben)
        with pytest.raises(Conflict, match=r"100 valid keys.*Revoke one"):
            keys.create("one more", account_id=ben)
        # Others are not in its way, and one that is revoked makes room.
        keys.create("of the machine")
        keys.revoke(last.key_id)
        keys.create("in its place", account_id=ben)
        filled(database, store.MOST_OF_MACHINE - 1)
        with pytest.raises(Conflict, match="This machine has 1000"):
            keys.create("one more")

    await anyio.to_thread.run_sync(work)


async def test_keys_that_ended_are_not_read_for_ever(database: Database, home: Home) -> None:
    keys, now_s = Keys(database, home), time.time()

    def work() -> list[str]:
        old_s = now_s - store.ENDED_KEPT_S - DAY_S
        filled(database, 5, account_id="gone", revoked_s=old_s)
        filled(database, 5, expires_s=old_s)
        filled(database, 5, expires_s=now_s - DAY_S)
        filled(database, 300, revoked_s=now_s - 2 * DAY_S)
        filled(database, 5, expires_s=now_s + DAY_S)
        keys.create("new")
        return [key.name if key.name == "new" else f"{key.revoked_s} {key.expires_s}" for key in keys.listed()]

    left = await anyio.to_thread.run_sync(work)
    assert left.count(f"None {now_s - DAY_S}") == 5
    assert left.count(f"{now_s - 2 * DAY_S} None") == 95
    assert left.count(f"None {now_s + DAY_S}") == 5
    assert len(left) == 106


async def test_only_keys_that_are_good_are_read_again_and_again(database: Database, home: Home) -> None:
    keys = Keys(database, home)
    assert not await anyio.to_thread.run_sync(keys.has_valid)
    await anyio.to_thread.run_sync(lambda: filled(database, 2, revoked_s=1.0))
    await anyio.to_thread.run_sync(lambda: filled(database, 2, expires_s=1.0))
    assert not await anyio.to_thread.run_sync(keys.has_valid)
    _, text = await anyio.to_thread.run_sync(keys.create, "good")
    assert await anyio.to_thread.run_sync(keys.has_valid)
    assert await keys.verify(text) is not None


async def test_one_caller_pushes_out_nothing_of_what_was_done_else(database: Database, home: Home) -> None:
    audit = Audit(database)

    def work() -> tuple[int, list[str], str]:
        audit.note("account removed", who="anna", about="first")
        audit.note("key revoked", who="ben", about="second")
        row = {"at_s": time.time(), "who": "ben", "address": "", "deed": "key made", "about": ""}
        for _ in range(3):
            many = [{**row, "about": str(number)} for number in range(audits.MOST_ALIKE)]
            database.do(lambda connection, many=many: connection.execute(insert(audit_table), many).close())
        for _ in range(60):
            audit.note("key made", who="ben", about="last")
        count = database.do(lambda c: c.execute(select(func.count()).select_from(audit_table)).scalar())
        entries = audit.latest(limit=10_000)
        return count or 0, [one.about for one in entries[-2:]], entries[0].about

    count, first, last = await anyio.to_thread.run_sync(work)
    assert count < audits.MOST_ALIKE + 60
    assert (first, last) == (["second", "first"], "last")


async def test_over_http_one_key_too_many_is_refused_in_words(tmp_path: Path) -> None:
    await enrolled(tmp_path, anna="admin", ben="user")
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig, "ben") as ben:
        made = [await ben.post("/api/keys", json={"name": "k"}) for _ in range(store.MOST_OF_ACCOUNT)]
        assert {one.status_code for one in made} == {201}
        refused = await ben.post("/api/keys", json={"name": "k"})
        assert (refused.status_code, "100 is the most" in refused.text) == (409, True)
        assert (await ben.delete(f"/api/keys/{made[0].json()['id']}")).status_code == 200
        assert (await ben.post("/api/keys", json={"name": "k"})).status_code == 201
