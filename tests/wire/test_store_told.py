"""Tests what is told of a database that is not to be had: to callers the kind alone, to its owner all but the password.

PostgreSQL is real.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import anyio
import httpx
import psutil
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from paddock.engine.known_flags import environment_of
from paddock.errors import StoreBusy, StoreUnusable
from paddock.paths import Home
from paddock.process import SECRETS
from paddock.recorder.secrets import text_without_secrets
from paddock.store import copying
from paddock.store.address import file_of, parsed
from paddock.store.db import Database
from tests.fakes import postgres
from tests.wire.chatting import new_chat
from tests.wire.rig import Rig, scripted_studio

pytestmark = pytest.mark.anyio
CHATS = "/api/chats"
# Whoever shows a key, any, has it looked up.
KEY = {"authorization": f"Bearer pdk-{'x' * 40}", "x-api-key": f"pdk-{'x' * 40}"}
HOST = "127.0.0.7"
# Nobody listens there, where it is an address at all.
ADDRESSES = {
    "as it should be": f"postgresql://me:hu%2Fsh@{HOST}:1/name",
    "in the query": f"postgresql://{HOST}:1/name?user=me&password=hush",
    "all in the query": f"postgresql:///name?host={HOST}&port=1&user=me&password=hush",
    "with a slash": f"postgresql://me:hu/sh@{HOST}:1/name",
    "with a colon": f"postgresql://me:hu:sh@{HOST}:1/name",
    "with an at": f"postgresql://me:hu@sh@{HOST}:1/name",
    "with an at and a colon": f"postgresql://me:hu@sh:hush@{HOST}:1/name",
    "of several hosts": f"postgresql://me:hush@{HOST}:1,{HOST}:2/name",
    "of several hosts in the query": f"postgresql://me:hush@/name?host={HOST}:1&host={HOST}:2",
    "with a key for TLS": f"postgresql://me@{HOST}:1/name?sslpassword=hush",
    "of another kind": f"mysql://me:hush@{HOST}/name",
    "without its kind": f"me:hush@{HOST}/name",
    "for another library": f"host={HOST} user=me password=hush",
}
ASKED: list[tuple[str, str, dict[str, object] | None]] = [
    ("GET", "/v1/models", None),
    ("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]}),
    ("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}], "stream": True}),
    ("POST", "/v1/responses", {"input": "Hello"}),
    ("POST", "/v1/responses", {"input": "Hello", "stream": True}),
    ("GET", "/v1/responses/resp_1", None),
    ("POST", "/v1/messages", {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}),
    ("GET", "/api/tags", None),
    ("POST", "/api/chat", {"messages": [{"role": "user", "content": "Hello"}]}),
    ("GET", CHATS, None),
    ("POST", CHATS, {"title": "new"}),
    ("GET", "/health", None),
    ("GET", "/health/ready", None),
    ("GET", "/metrics", None),
]


def message_of(answer: httpx.Response) -> str:
    error = answer.json()["error"]
    return str(error if isinstance(error, str) else error["message"])


@pytest.mark.parametrize("needs_key", [True, False])
@pytest.mark.parametrize("form", ADDRESSES)
async def test_no_caller_is_told_where_the_database_is_or_its_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str, needs_key: bool
) -> None:
    caplog.set_level(logging.INFO)
    refused = 0
    async with scripted_studio(tmp_path, warm=False, database_url=ADDRESSES[form], require_key=needs_key) as rig:
        for method, path, body in ASKED:
            for headers in (KEY, {}):
                answer = await rig.http.request(method, path, json=body, headers=headers)
                said = answer.text + str(answer.headers)
                assert not [word for word in (HOST, "hush", "hu/sh", "sh@", "me:", "pg8000") if word in said], path
                if answer.status_code == 503 and "ready" not in path:
                    refused += 1
                    assert message_of(answer).startswith("The database cannot be ")
    assert refused >= (9 if needs_key else 3)
    # The log tells the owner which database it is; what is kept of it is cleaned as it is here.
    assert "hush" not in caplog.text
    assert "hu/sh" not in caplog.text
    assert "sh@" not in caplog.text
    assert "database_url" in caplog.text
    assert "hush" not in text_without_secrets(caplog.text)


@pytest.mark.parametrize("form", ADDRESSES)
def test_whoever_types_is_told_the_address_without_the_password(tmp_path: Path, form: str) -> None:
    with pytest.raises(StoreUnusable, match="database_url") as caught:
        Database(ADDRESSES[form], Home(root=tmp_path)).try_it()
    assert not [word for word in ("hush", "hu/sh", "hu%2Fsh", "hu:sh", "sh@") if word in caught.value.message]
    assert copying.file_of(ADDRESSES[form], Home(root=tmp_path)) is None
    assert HOST in caught.value.message or "://" not in ADDRESSES[form] or form == "of another kind"


async def test_no_engine_is_lent_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "postgresql://me:hush@db.example/name")
    monkeypatch.setenv("PADDOCK_BESIDE", "lent")
    async with scripted_studio(tmp_path) as rig:
        lent = psutil.Process(rig.process.pid).environ()
    assert lent["PADDOCK_BESIDE"] == "lent"
    assert not {*SECRETS} & {*lent}
    assert not {*SECRETS} & {*environment_of(Path("llama-server"))}


@pytest.mark.parametrize(
    "url", ["sqlite:////srv/a%20b/x.db", "sqlite:///x.db?timeout=5", "sqlite://", "postgresql:///x"]
)
def test_the_file_of_an_address_is_the_one_that_the_library_opens(url: str) -> None:
    read = make_url(url)
    assert file_of(url) == (Path(read.database) if read.drivername == "sqlite" and read.database else None)


@pytest.mark.parametrize("url", ["postgresql://h/name", "postgresql://me@a..b/name", "postgresql://me@[::1/name"])
def test_an_address_that_cannot_be_one_is_told(url: str) -> None:
    with pytest.raises(StoreUnusable, match="Write "):
        parsed(url)


def waits_for_a_lock(database: Database) -> None:
    def want(connection: Connection) -> None:
        connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
        connection.execute(text("SELECT 1 FROM chats")).close()

    def hold(connection: Connection) -> None:
        connection.execute(text("LOCK TABLE chats"))
        database.do(want)

    database.do(hold)


def is_cut(database: Database) -> None:
    database.do(lambda connection: connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())")).close())


FAULTS: dict[str, tuple[Callable[[Database], None], str]] = {
    "held": (waits_for_a_lock, "Another program holds the database"),
    "cut": (is_cut, "may have been done all the same"),
}


def by_socket(server: postgres.Server) -> str:
    return f"postgresql:///postgres?user=paddock&unix_sock={server.folder}/.s.PGSQL.{server.port}"


# A connection that is refused while it is being made is closed by its library when it is collected, and not before.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
async def test_what_postgresql_does_is_told_with_what_to_do(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    with postgres.restartable() as server:
        open_ones = [Database(url, home) for url in (server.url, by_socket(server))]
        for database in open_ones:
            database.try_it()
        for break_it, words in FAULTS.values():
            with pytest.raises(StoreBusy, match=r"(is held|was cut): ") as busy:
                break_it(open_ones[0])
            assert words in busy.value.told
            open_ones[0].try_it()
        with pytest.raises(StoreUnusable, match=r'database "none" does not exist.*database_url') as caught:
            Database(server.url.replace("/postgres", "/none"), home).try_it()
        assert "none" not in caught.value.told
        await anyio.to_thread.run_sync(server.stop)
        # Those that were open, at the second time too, and one that never was.
        for database in (*open_ones, *open_ones, Database(server.url, home)):
            with pytest.raises(StoreBusy, match=r"cannot be reached: .*See that it runs") as busy:
                database.try_it()
            assert busy.value.told.endswith("Nothing of this was written. Ask again.")
        await anyio.to_thread.run_sync(server.start)
        for database in open_ones:
            database.try_it()
            await database.close()


async def told_to_come_again(rig: Rig, words: str) -> None:
    for path, code in ((CHATS, "store_unusable"), ("/v1/responses/resp_1", "store_unusable")):
        answer = await rig.http.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, code)
        assert int(answer.headers["retry-after"]) > 0
        assert words in message_of(answer)
    for path in ("/v1/messages", "/api/chat"):
        answer = await rig.http.post(path, json={}, headers=KEY)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert words in message_of(answer)


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("was_open", [True, False])
async def test_callers_are_told_to_come_again_while_postgresql_is_stopped(tmp_path: Path, was_open: bool) -> None:
    with postgres.restartable() as server:
        if not was_open:
            await anyio.to_thread.run_sync(server.stop)
        async with scripted_studio(tmp_path, warm=False, database_url=server.url) as rig:
            if was_open:
                await new_chat(rig, title="before")
                await anyio.to_thread.run_sync(server.stop)
            await told_to_come_again(rig, "The database cannot be reached just now. Nothing of this was written.")
            log = (await rig.http.get("/api/system/log?contains=cannot+be+reached")).json()["lines"]
            assert any(server.url in line["message"] and "See that it runs" in line["message"] for line in log)
            await anyio.to_thread.run_sync(server.start)
            await new_chat(rig, title="after")
