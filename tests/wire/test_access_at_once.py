"""Tests what two do at once with accounts: none comes in by a password or a link that is no longer good."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from paddock import clock
from paddock.errors import Conflict, LinkSpent, PaddockError, SignInRefused
from paddock.paths import Home
from paddock.store.accounts import Account, Accounts
from paddock.store.db import Database
from paddock.store.sessions import Sessions
from paddock.store.tables import accounts as account_rows
from paddock.store.tables import links as link_rows

pytestmark = pytest.mark.anyio
OLD, NEW = "correct horse battery", "another horse battery"


@pytest.fixture
def people(database: Database, tmp_path: Path) -> Accounts:
    return Accounts(database, Home(root=tmp_path))


def signed_in(people: Accounts, name: str = "ben") -> Account:
    people.create(name, "user")
    people.set_password(name, OLD)
    found = people.signed_in(name, OLD)
    assert found is not None
    return found


@pytest.mark.parametrize("deed", ["password", "link", "disabled", "removed"])
async def test_who_compared_a_password_that_is_changed_meanwhile_does_not_come_in(
    database: Database, people: Accounts, tmp_path: Path, deed: str
) -> None:
    sessions, account = Sessions(database, Home(root=tmp_path)), signed_in(people)
    changes: dict[str, Callable[[], object]] = {
        "password": lambda: people.set_password("ben", NEW),
        "link": lambda: people.redeem(people.link("ben"), NEW),
        "disabled": lambda: people.change("ben", is_disabled=True),
        "removed": lambda: people.remove("ben"),
    }
    people.create("anna", "admin")
    await sessions.begin(account, address="", program="")
    changes[deed]()
    with pytest.raises(SignInRefused):
        await sessions.begin(account, address="", program="")
    assert await sessions.of(account.account_id) == []


async def test_whoever_chose_the_password_comes_in(database: Database, people: Accounts, tmp_path: Path) -> None:
    sessions = Sessions(database, Home(root=tmp_path))
    signed_in(people)
    for choose in (lambda: people.set_password("ben", NEW), lambda: people.redeem(people.link("ben"), OLD)):
        _, text = await sessions.begin(choose(), address="", program="")
        assert await sessions.verify(text) is not None


async def test_a_password_that_is_given_spends_the_link_to_choose_one(people: Accounts) -> None:
    signed_in(people)
    word = people.link("ben")
    people.set_password("ben", NEW)
    with pytest.raises(LinkSpent):
        people.linked(word)


def outcome_beside(
    database: Database, change: Callable[[Connection], object], work: Callable[[], object]
) -> PaddockError:
    """What `work` ends with that began while a change was made which it cannot see yet."""
    raised: list[PaddockError] = []

    def worked() -> None:
        try:
            work()
        except PaddockError as error:
            raised.append(error)

    beside = threading.Thread(target=worked)
    with database.engine().begin() as connection:
        change(connection)
        beside.start()
        # Where the database tells who waits, it is waited for; SQLite lets nobody else begin.
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        until_s = time.monotonic() + 20
        while connection.dialect.name == "postgresql" and time.monotonic() < until_s:
            with database.engine().connect() as looking:
                if looking.exec_driver_sql(waiting).scalar():
                    break
            time.sleep(0.01)
    beside.join(20)
    assert len(raised) == 1
    return raised[0]


async def test_a_link_lets_in_one_of_two_who_use_it_at_once(database: Database, people: Accounts) -> None:
    account = signed_in(people)
    word = people.link("ben")
    gone = link_rows.delete().where(link_rows.c.account_id == account.account_id)
    assert isinstance(
        outcome_beside(database, lambda c: c.execute(gone), lambda: people.redeem(word, NEW)),
        LinkSpent,
    )
    assert people.signed_in("ben", OLD) is not None


async def test_of_two_admins_who_are_to_go_at_once_one_stays(database: Database, people: Accounts) -> None:
    for name in ("anna", "berta"):
        people.create(name, "admin")
    user = account_rows.update().where(account_rows.c.name == "anna").values(role="user")
    found = outcome_beside(database, lambda c: c.execute(user), lambda: people.change("berta", role="user"))
    assert isinstance(found, Conflict)
    assert people.find("berta").role == "admin"


@pytest.mark.parametrize("ahead_s", [366 * 86400.0, -20 * 366 * 86400.0], ids=["ahead", "back"])
async def test_a_sign_in_by_a_wrong_clock_ends_no_session(
    database: Database, people: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    home = Home(root=tmp_path)
    clock.begin_at(home, None)
    sessions, account, real = Sessions(database, home), signed_in(people), time.time
    _, word = await sessions.begin(account, address="", program="")
    monkeypatch.setattr(time, "time", lambda: real() + ahead_s)
    clock.begin(home)
    await sessions.begin(account, address="", program="")
    monkeypatch.setattr(time, "time", real)
    assert await sessions.verify(word) is not None
