"""Tests that a clock which jumps, or is wrong from the beginning, deletes nothing and locks nobody out for long."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import httpx
import pytest

from paddock import cli
from paddock.clock import begin
from paddock.paths import Home
from tests.page import rig
from tests.page.rig import Served
from tests.wire.chatting import sent
from tests.wire.rig import USER, engine_program, scripted_studio
from tests.wire.test_accounts import LINK, PASSWORD, SESSION, enrolled, page_of

pytestmark = [pytest.mark.anyio, pytest.mark.attack("damage")]
ROOT = Path(__file__).resolve().parents[2]
SOURCES, WRONG_CLOCK = ROOT / "src", ROOT / "tests" / "fakes" / "wrong_clock"
DAY_S, YEAR_S = 86400.0, 366 * 86400.0
Set = Callable[[float], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Set]:
    """Sets the system's clock forward by so many seconds, as everything in this process sees it."""
    real = time.time

    def put(ahead_s: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + ahead_s)

    yield put
    # What other tests give is not given by the time of this one.
    begin(Home(root=tmp_path / "none"))


@pytest.mark.parametrize("ahead_s", [YEAR_S, -20 * YEAR_S], ids=["ahead", "back"])
def test_a_paddock_that_begins_with_a_wrong_clock_forgets_nothing(tmp_path: Path, ahead_s: float) -> None:
    program, home = engine_program(tmp_path), tmp_path / "home"
    home.mkdir()

    def paddock(wrong_s: float = 0.0) -> AbstractContextManager[Served]:
        path = f"{WRONG_CLOCK}{os.pathsep}{SOURCES}"
        return rig.served(SOURCES, home, program, {"PYTHONPATH": path, "CLOCK_AHEAD_S": str(wrong_s)}, record=True)

    with paddock() as one:
        before = Made(one)
    with paddock(ahead_s) as one:
        before.check(one)
        while_wrong = Made(one)
        while_wrong.check(one)
    for _ in range(2):
        # Right again: what was made meanwhile is as safe.
        with paddock() as one:
            before.check(one)
            while_wrong.check(one)


@pytest.mark.parametrize("is_shared", [False, True], ids=["without its mark", "another, on the same database"])
def test_a_home_whose_time_has_no_mark_forgets_nothing_by_a_wrong_clock(tmp_path: Path, is_shared: bool) -> None:
    """As after an upgrade or a restore; and a new one on a database that others use."""
    program, first, second = engine_program(tmp_path), tmp_path / "home", tmp_path / "second"
    url = f"sqlite:///{tmp_path}/shared.db"
    database = {"PADDOCK_DATABASE_URL": url} if is_shared else {}

    def paddock(home: Path, wrong_s: float = 0.0) -> AbstractContextManager[Served]:
        home.mkdir(exist_ok=True)
        path = f"{WRONG_CLOCK}{os.pathsep}{SOURCES}"
        environ = {"PYTHONPATH": path, "CLOCK_AHEAD_S": str(wrong_s), **database}
        return rig.served(SOURCES, home, program, environ, record=True)

    with paddock(first) as one:
        before = Made(one)
    if not is_shared:
        Home(root=first).clock.unlink()
    with paddock(second if is_shared else first, YEAR_S) as other:
        if not is_shared:
            before.check(other)
        # What is made tidies up.
        Made(other)
    with paddock(first) as one:
        before.check(one)


class Made:
    """One of each that is kept for a time: a chat that was deleted, a response, a recording, a deed."""

    def __init__(self, paddock: Served) -> None:
        self.chat = f"chat-{uuid.uuid4().hex}"
        paddock.ask("/api/chats", {"id": self.chat, "title": "in the bin"})
        self.attachment = json.loads(told(paddock, "POST", "/api/attachments?name=a.txt", b"text"))["id"]
        self.response = str(paddock.ask("/v1/responses", {"input": "Hello", "store": True})["id"])
        self.key = str(paddock.ask("/api/keys", {"name": "k"})["id"])
        deadline = time.monotonic() + 30
        # They are written once their answers have ended.
        while not (recordings := {one["id"] for one in read(paddock, "/api/requests")["data"]}):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.recordings = recordings
        self._deleted(paddock)

    def _deleted(self, paddock: Served) -> None:
        told(paddock, "DELETE", f"/api/chats/{self.chat}")

    def check(self, paddock: Served) -> None:
        """That all of it is there; the chat goes back to where it was."""
        paddock.ask(f"/api/chats/{self.chat}/restore", {})
        self._deleted(paddock)
        assert told(paddock, "GET", f"/api/attachments/{self.attachment}/content") == b"text"
        assert read(paddock, f"/v1/responses/{self.response}")["id"] == self.response
        assert self.recordings <= {one["id"] for one in read(paddock, "/api/requests")["data"]}
        assert any(self.key in one["about"] for one in read(paddock, "/api/audit")["data"])


def told(paddock: Served, method: str, path: str, data: bytes | None = None) -> bytes:
    with urlopen(Request(f"{paddock.url}{path}", data, method=method), timeout=30) as answer:
        return answer.read()


def read(paddock: Served, path: str) -> Any:
    return json.loads(told(paddock, "GET", path))


async def test_a_limit_by_the_minute_is_over_after_a_minute_whatever_the_clock_says(tmp_path: Path, clock: Set) -> None:
    async with scripted_studio(tmp_path, require_key=False) as rig:
        key = (await sent(rig, "POST", "/api/keys", {"name": "hasty", "requests_per_minute": 2}, status=201))["key"]

        async def ask() -> httpx.Response:
            headers = {"authorization": f"Bearer {key}"}
            return await rig.http.post("/v1/chat/completions", json={"messages": [USER]}, headers=headers)

        clock(YEAR_S)
        assert [(await ask()).status_code for _ in range(2)] == [200, 200]
        clock(0.0)
        refused = await ask()
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) <= 61


async def test_the_log_of_deeds_keeps_what_it_has(tmp_path: Path, clock: Set) -> None:
    async with scripted_studio(tmp_path) as rig:
        await sent(rig, "POST", "/api/keys", {"name": "first"}, status=201)
        clock(10 * YEAR_S)
        await sent(rig, "POST", "/api/keys", {"name": "second"}, status=201)
        clock(0.0)
        told = [one["deed"] for one in (await sent(rig, "GET", "/api/audit"))["data"]]
    assert len(told) == 2


async def test_nobody_is_let_in_for_years_by_what_was_given_while_the_clock_was_ahead(
    tmp_path: Path, clock: Set
) -> None:
    await enrolled(tmp_path, anna="admin", ben="user")
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig) as other:
        clock(10 * YEAR_S)
        async with page_of(rig, "anna") as anna:
            session = {"cookie": f"paddock-session={anna.cookies['paddock-session']}"}
            key = (await anna.post("/api/keys", json={"name": "k", "expires_days": 1})).json()["key"]
            endless = (await anna.post("/api/keys", json={"name": "k"})).json()["key"]
            link = (await anna.post("/api/users/ben/link")).json()["link"].rpartition("#")[2]

        async def let_in(key: str) -> int:
            return (await rig.http.get("/v1/models", headers={"authorization": f"Bearer {key}"})).status_code

        async def told() -> list[int]:
            whose = await other.post(LINK, json={"token": link})
            return [(await rig.http.get(SESSION, headers=session)).json()["account"] is not None, whose.status_code]

        assert (await let_in(key), await told()) == (200, [True, 200])
        for later_s in (0.0, 2 * YEAR_S):
            clock(later_s)
            assert (await let_in(key), await told()) == (401, [False, 410])
            # It was to have no end.
            assert await let_in(endless) == 200
        # And one signs in again, whatever was.
        again = await other.post(SESSION, json={"name": "anna", "password": PASSWORD})
        assert (again.status_code, (await other.get(SESSION)).json()["account"]) == (200, "anna")


async def test_what_has_ended_is_not_good_again_once_the_clock_goes_back(tmp_path: Path, clock: Set) -> None:
    await enrolled(tmp_path, anna="admin", ben="user")

    async def let_in(http: httpx.AsyncClient, key: str) -> int:
        return (await http.get("/v1/models", headers={"authorization": f"Bearer {key}"})).status_code

    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig, "anna") as anna:
        short = (await anna.post("/api/keys", json={"name": "k", "expires_days": 0.5})).json()["key"]
        long = (await anna.post("/api/keys", json={"name": "k", "expires_days": 30})).json()["key"]
        link = (await anna.post("/api/users/ben/link")).json()["link"].rpartition("#")[2]
        clock(0.9 * DAY_S)
        assert [await let_in(rig.http, key) for key in (short, long)] == [401, 200]
        clock(YEAR_S)
        assert [await let_in(rig.http, key) for key in (short, long)] == [401, 401]
        for wrong_s in (0.0, -20 * YEAR_S):
            clock(wrong_s)
            assert [await let_in(rig.http, key) for key in (short, long)] == [401, 200]
            assert (await anna.post(LINK, json={"token": link})).status_code == 410
            assert (await anna.get(SESSION)).json()["account"] == "anna"
    # Nor in the next process, which begins with such a clock.
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig:
        assert [await let_in(rig.http, key) for key in (short, long)] == [401, 200]


async def test_the_first_admin_comes_in_by_a_clock_without_a_battery(tmp_path: Path, clock: Set) -> None:
    """Which begins in 1970, and is right some time after the start."""
    clock(1000.0 - time.time())
    async with scripted_studio(tmp_path, warm=False, require_login=True) as rig, page_of(rig) as page:
        assert rig.studio.link is not None
        token = rig.studio.link.rpartition("#")[2]
        assert (await page.post(LINK, json={"token": token, "password": PASSWORD})).status_code == 200
        assert (await page.get(SESSION)).json()["account"] == "admin"


def test_what_the_terminal_gives_ends_by_the_time_of_the_home(
    tmp_path: Path, clock: Set, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of one that began while the clock was ahead: by the clock of now all of it would have ended."""
    monkeypatch.setenv("PADDOCK_HOME", str(tmp_path))
    home = Home(root=tmp_path)

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == 0
        return capsys.readouterr().out

    clock(YEAR_S)
    run("keys", "list")
    assert json.loads(home.clock.read_text())["lived_s"] > time.time() - 60
    clock(0.0)
    run("keys", "create", "--expires-days", "1")
    assert [one["state"] for one in json.loads(run("keys", "list", "--json"))] == ["valid"]
