"""Tests what a database does to paddock when it is damaged, held, full, or gone for a while: told, and nothing lost.

The damage is in real files, the one who holds it another process, the full disk a real small one, and PostgreSQL real.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from paddock.errors import StoreDamaged, StoreUnusable
from paddock.paths import Home
from paddock.store import db, integrity
from paddock.store.db import Database
from tests.fakes import postgres
from tests.wire.chatting import new_chat
from tests.wire.rig import HANG_GUARD_S, Rig, scripted_studio

pytestmark = [pytest.mark.anyio, pytest.mark.attack("damage")]
CHATS = "/api/chats"
# Holds a database until its stdin ends.
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


async def titles(rig: Rig) -> set[str]:
    return {chat["title"] for chat in (await rig.http.get(CHATS)).json()["data"]}


def filled(path: Path) -> bytes:
    """A database of paddock's with rows, closed as it should be."""
    database = Database(f"sqlite:///{path}", Home(root=path.parent))
    with closing(database.engine().raw_connection()) as connection:
        connection.execute("CREATE TABLE filling (words TEXT)")
        connection.executemany("INSERT INTO filling VALUES (?)", [(f"{n} " * 400,) for n in range(400)])
        connection.commit()
    database.engine().dispose()
    return path.read_bytes()


def flipped(data: bytes) -> bytes:
    page = 4096
    return b"".join(
        os.urandom(page) if 20 < number % 40 < 30 else data[number * page : (number + 1) * page]
        for number in range(len(data) // page)
    )


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in the middle": lambda data: data[: len(data) // 2],
    "cut to a few bytes": lambda data: data[:9],
    "cut within a page": lambda data: data[:5000],
    "pages of noise": flipped,
    "another file": lambda data: b"This was a database once.\n" * 300,
    "a header of noise": lambda data: os.urandom(100) + data[100:],
    "zeroes": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_database_is_told_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "home" / "paddock.db"
    path.parent.mkdir()
    data = DAMAGES[damage](filled(path))
    path.write_bytes(data)
    with pytest.raises(StoreDamaged, match="paddock backup restore"):
        Database("", Home(root=path.parent)).try_it()
    assert path.read_bytes() == data
    async with scripted_studio(tmp_path) as rig:
        refused = await rig.http.get(CHATS)
        assert refused.status_code == 503
        assert "is damaged" in refused.json()["error"]["message"]
        # What needs no database is served.
        assert (await rig.chat()).status_code == 200
    assert path.read_bytes() == data


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_keeps_its_log_too(tmp_path: Path, damage: str) -> None:
    """What was written last is in the log; a database that is closed would take it in, and the log would go."""
    whole, broken = tmp_path / "whole.db", tmp_path / "paddock.db"
    filled(whole)
    with closing(sqlite3.connect(whole)) as writer:
        writer.execute("UPDATE filling SET words = words || 'more' WHERE rowid > 390")
        writer.commit()
        log = whole.with_name("whole.db-wal").read_bytes()
        data = DAMAGES[damage](whole.read_bytes())
    assert len(log) > 32
    broken.write_bytes(data)
    broken.with_name("paddock.db-wal").write_bytes(log)
    with pytest.raises(StoreDamaged):
        Database("", Home(root=tmp_path)).try_it()
    assert broken.read_bytes() == data
    assert broken.with_name("paddock.db-wal").read_bytes() == log


@pytest.mark.parametrize("log", [None, b"x" * 100], ids=["alone", "beside its log"])
def test_a_file_that_is_empty_is_no_new_database(tmp_path: Path, log: bytes | None) -> None:
    path = tmp_path / "paddock.db"
    path.write_bytes(b"")
    if log:
        path.with_name("paddock.db-wal").write_bytes(log)
    with pytest.raises(StoreDamaged, match="its file is empty"):
        Database("", Home(root=tmp_path)).try_it()
    assert path.read_bytes() == b""


def test_a_file_that_is_gone_while_its_log_is_there_is_no_new_database(tmp_path: Path) -> None:
    tmp_path.joinpath("paddock.db-wal").write_bytes(b"x" * 100)
    with pytest.raises(StoreDamaged, match="its log is there"):
        Database("", Home(root=tmp_path)).try_it()
    assert not tmp_path.joinpath("paddock.db").exists()


def test_a_folder_in_the_place_of_the_database_is_told(tmp_path: Path) -> None:
    tmp_path.joinpath("paddock.db").mkdir()
    with pytest.raises(StoreUnusable, match="is no file"):
        Database("", Home(root=tmp_path)).try_it()


@pytest.mark.parametrize("has_links", [True, False])
def test_no_database_is_a_new_one_and_is_never_seen_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "paddock.db"
    integrity.begin(path)
    assert path.stat().st_size >= 512
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    begun = path.read_bytes()
    integrity.begin(path)
    assert path.read_bytes() == begun
    assert os.listdir(tmp_path) == ["paddock.db"]
    Database("", Home(root=tmp_path)).try_it()


async def test_a_damaged_database_is_told_in_the_log_when_paddock_begins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "home" / "paddock.db"
    path.parent.mkdir()
    path.write_bytes(b"")
    async with scripted_studio(tmp_path, warm=False):
        with anyio.fail_after(HANG_GUARD_S):
            while "is damaged" not in caplog.text:
                await anyio.sleep(0.005)
    assert str(path) in caplog.text
    assert "paddock backup restore" in caplog.text


def test_a_large_file_is_looked_at_when_the_one_before_did_not_close_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "paddock.db"
    path.write_bytes(flipped(filled(path)))
    monkeypatch.setattr(integrity, "WHOLE_MOST_BYTES", 1000)
    integrity.check(path)
    path.with_name("paddock.db-wal").write_bytes(b"")
    with pytest.raises(StoreDamaged):
        integrity.check(path)


def test_a_database_of_a_newer_paddock_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "paddock.db"
    filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    data = path.read_bytes()
    with pytest.raises(StoreUnusable, match="used by a newer paddock"):
        Database("", Home(root=tmp_path)).try_it()
    assert path.read_bytes() == data


@contextmanager
def held(path: Path) -> Generator[subprocess.Popen[str]]:
    """Another program holds the database within the block."""
    words = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.communicate(timeout=HANG_GUARD_S)


async def test_a_database_that_is_held_for_a_while_is_waited_for(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig, anyio.create_task_group() as tasks:
        await new_chat(rig, title="before")
        ended = anyio.Event()

        async def make() -> None:
            await new_chat(rig, title="while held")
            ended.set()

        with held(tmp_path / "home" / "paddock.db"):
            tasks.start_soon(make)
            # What needs no database is answered meanwhile.
            assert (await rig.chat()).status_code == 200
            assert not ended.is_set()
        with anyio.fail_after(HANG_GUARD_S):
            await ended.wait()
        assert await titles(rig) == {"before", "while held"}


async def test_a_database_that_is_held_for_long_is_told_and_keeps_no_others_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_BUSY_TIMEOUT_S", 1)
    async with scripted_studio(tmp_path) as rig, anyio.create_task_group() as tasks:
        await new_chat(rig, title="before")
        answers: list[httpx.Response] = []

        async def make() -> None:
            answers.append(await rig.http.post(CHATS, json={"title": "never"}, timeout=HANG_GUARD_S))

        with held(tmp_path / "home" / "paddock.db"):
            async with anyio.create_task_group() as waiting:
                for _ in range(60):
                    waiting.start_soon(make)
                tasks.start_soon(anyio.sleep, 0)
                for _ in range(5):
                    assert (await rig.chat()).status_code == 200
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        assert {answer.json()["error"]["code"] for answer in answers} == {"store_unusable"}
        assert await titles(rig) == {"before"}
        await new_chat(rig, title="after")


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Generator[Path]:
    """A file system of its own within the block."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave nothing free, and give the file that takes it."""
    path = folder / "filling"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(folder).free == 0
    return path


@asynccontextmanager
async def on_full_disk(tmp_path: Path) -> AsyncGenerator[tuple[Rig, Path]]:
    """A paddock whose data home lies on a disk that is full, after one chat was made."""
    with small_disk(tmp_path / "home", 16):
        async with scripted_studio(tmp_path) as rig:
            await new_chat(rig, title="before")
            yield rig, fill(tmp_path / "home")


async def test_a_full_disk_is_told_nothing_is_lost_and_all_goes_on_with_space(tmp_path: Path) -> None:
    async with on_full_disk(tmp_path) as (rig, filling):
        kept: set[str] = {"before"}
        refused: list[httpx.Response] = []
        for number in range(200):
            answer = await rig.http.post(CHATS, json={"title": f"chat {number} {'x' * 150}"})
            if answer.is_success:
                kept.add(answer.json()["title"])
            else:
                refused.append(answer)
        assert {answer.status_code for answer in refused} == {507}
        assert all("full" in answer.json()["error"]["message"] for answer in refused)
        # Whoever keeps nothing is answered, and files are whole or as they were.
        assert (await rig.chat()).status_code == 200
        alias = await rig.http.put("/api/aliases/short", json={"model": "pocket-v0"})
        assert alias.status_code == 507, alias.text
        setting = await rig.http.patch("/api/settings", json={"slots": 4})
        assert (setting.status_code, setting.json()["error"]["code"]) == (507, "disk_too_full")
        assert not list((tmp_path / "home").rglob("*.draft"))
        filling.unlink()
        assert await titles(rig) == kept
        await new_chat(rig, title="after")
        assert (await rig.http.put("/api/aliases/short", json={"model": "pocket-v0"})).is_success
    # The disk went with the block; that the database was whole is shown by what was read of it after.


# A connection that is refused while it is being made is closed by its library when it is collected, and not before.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
async def test_postgresql_may_be_restarted(tmp_path: Path) -> None:
    with postgres.restartable() as server:
        async with scripted_studio(tmp_path, database_url=server.url) as rig:
            await new_chat(rig, title="before")
            acknowledged: set[str] = {"before"}
            answers: list[httpx.Response] = []
            done = anyio.Event()

            async def write(name: int) -> None:
                number = 0
                while not done.is_set():
                    number += 1
                    answer = await rig.http.post(CHATS, json={"title": f"{name}-{number}"}, timeout=HANG_GUARD_S)
                    answers.append(answer)
                    if answer.is_success:
                        acknowledged.add(answer.json()["title"])

            async with anyio.create_task_group() as tasks:
                for name in range(4):
                    tasks.start_soon(write, name)
                for _ in range(2):
                    await anyio.sleep(0.3)
                    await anyio.to_thread.run_sync(server.stop)
                    assert (await rig.chat()).status_code == 200
                    answers.append(await rig.http.get(CHATS))
                    assert answers[-1].status_code == 503
                    await anyio.to_thread.run_sync(server.start)
                await anyio.sleep(0.3)
                done.set()
            refused = [answer for answer in answers if not answer.is_success]
            assert {answer.status_code for answer in refused} == {503}
            assert {answer.json()["error"]["code"] for answer in refused} == {"store_unusable"}
            assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
            advice = {answer.json()["error"]["message"].partition(". ")[2] for answer in refused}
            assert advice <= {
                "Nothing of this was written. Ask again.",
                "What was asked may have been done all the same: look, and ask again.",
            }
            assert acknowledged <= await every_title(rig)


async def every_title(rig: Rig) -> set[str]:
    found: set[str] = set()
    path = f"{CHATS}?limit=100"
    while path:
        page = (await rig.http.get(path)).json()
        found |= {chat["title"] for chat in page["data"]}
        path = f"{CHATS}?limit=100&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    return found
