"""Tests the store on both databases, SQLite and a real PostgreSQL, with the same tests."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
import sqlalchemy.exc
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from paddock.errors import HomeUnusable, SettingInvalid, StoreUnusable
from paddock.paths import Home
from paddock.store.chat_tables import is_table_of_ours
from paddock.store.db import Database, mapped
from paddock.store.keys import Keys
from paddock.store.knowledge_tables import metadata
from paddock.store.responses import ResponseStore, Stored
from paddock.store.secrets import Secrets

pytestmark = pytest.mark.anyio


def stored(name: str, **fields: object) -> Stored:
    return Stored(**{"response_id": name, "created_s": time.time(), "status": "completed", **fields})  # type: ignore[arg-type]


async def test_the_migrations_make_just_the_tables(database: Database) -> None:
    with database.engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_table_of_ours})
        assert compare_metadata(context, metadata) == []


async def test_a_response_comes_back_as_it_was(database: Database) -> None:
    responses = ResponseStore(database)
    made = stored("resp_1", body={"text": "grüß \U0001f999 \x00 ok"}, items=[{"id": "item_1"}])
    await responses.put(made)
    assert await responses.get("resp_1") == made
    assert await responses.get("resp_2") is None


async def test_a_response_is_replaced_whole_with_its_events(database: Database) -> None:
    responses = ResponseStore(database)
    await responses.put(stored("resp_1", status="queued"), [(0, b"old")])
    await responses.put(stored("resp_1"), [(0, b"a\x00b"), (1, b"c")])
    assert await responses.events_after("resp_1", -1) == [b"a\x00b", b"c"]
    assert await responses.events_after("resp_1", 0) == [b"c"]
    assert await responses.delete("resp_1")
    assert not await responses.delete("resp_1")
    assert await responses.events_after("resp_1", -1) == []


async def test_a_chain_is_read_oldest_first_and_ends_where_it_turns_in_a_circle(database: Database) -> None:
    responses = ResponseStore(database)
    for name, before in (("a", None), ("b", "a"), ("c", "b"), ("x", "y"), ("y", "x"), ("z", "gone")):
        await responses.put(stored(name, previous_id=before))
    assert [one.response_id for one in await responses.chain("c")] == ["a", "b", "c"]
    assert {one.response_id for one in await responses.chain("x")} == {"x", "y"}
    assert [one.response_id for one in await responses.chain("z")] == ["z"]
    assert await responses.chain("none") == []


async def test_tidying_forgets_the_old_and_ends_the_unfinished(database: Database) -> None:
    responses = ResponseStore(database)
    await responses.put(stored("old", created_s=1.0))
    await responses.put(stored("cut", status="in_progress", body={"status": "in_progress"}))
    await responses.tidy(older_than_s=2.0)
    assert await responses.get("old") is None
    cut = await responses.get("cut")
    assert cut is not None
    assert (cut.status, cut.body["status"], cut.body["error"]["code"]) == ("failed", "failed", "server_error")


async def test_a_key_is_known_until_it_is_revoked(database: Database, tmp_path: Path) -> None:
    keys = Keys(database, Home(root=tmp_path))
    key, told = await anyio.to_thread.run_sync(lambda: keys.create("laptop", is_recorded=True))
    assert await keys.verify(told) == key
    assert await keys.verify(f"{told}x") is None
    await anyio.to_thread.run_sync(keys.revoke, key.key_id)
    assert (await anyio.to_thread.run_sync(keys.listed))[0].revoked_s is not None
    assert await Keys(database, Home(root=tmp_path)).verify(told) is None


async def test_many_writers_at_once_lose_nothing(database: Database) -> None:
    responses = ResponseStore(database)
    async with anyio.create_task_group() as group:
        for number in range(24):
            group.start_soon(responses.put, stored(f"resp_{number}"))
    found = [await responses.get(f"resp_{number}") for number in range(24)]
    assert None not in found


def written_until_killed(program: str) -> int:
    """The last number that a program said it had written before it was killed."""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        last = [int(writer.stdout.readline()) for _ in range(20)][-1]
        writer.kill()
    return last


async def test_a_writer_that_is_killed_leaves_a_database_that_reads(tmp_path: Path) -> None:
    program = (
        "import anyio, time\nfrom pathlib import Path\nfrom paddock.paths import Home\n"
        "from paddock.store.db import Database\n"
        "from paddock.store.responses import ResponseStore, Stored\n"
        f"store = ResponseStore(Database('', Home(root=Path({str(tmp_path)!r}))))\n"
        "async def main():\n    n = 0\n    while True:\n"
        "        await store.put(Stored(response_id=f'resp_{n}', created_s=1.0, status='completed', body={'n': n}))\n"
        "        print(n, flush=True)\n        n += 1\nanyio.run(main)\n"
    )
    last = await anyio.to_thread.run_sync(written_until_killed, program)
    database = Database("", Home(root=tmp_path))
    found = await ResponseStore(database).get(f"resp_{last}")
    await database.close()
    assert found is not None
    assert found.body == {"n": last}


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:1/x", "mysql://x/y", "nonsense", "sqlite:////proc/none/x.db"]
)
async def test_a_database_that_cannot_be_used_is_told_without_its_password(tmp_path: Path, url: str) -> None:
    database = Database(url.replace("nobody@", "nobody:secret@"), Home(root=tmp_path))
    with pytest.raises(StoreUnusable, match="database_url") as caught:
        await database.run(lambda connection: connection.execute(text("SELECT 1")))
    assert "secret" not in caught.value.message


def test_every_error_of_the_library_is_ours_afterwards() -> None:
    def tree(root: type[Exception]) -> set[type[Exception]]:
        return {root} | {found for child in root.__subclasses__() for found in tree(child)}

    classes = tree(sqlalchemy.exc.SQLAlchemyError)
    assert len(classes) > 20
    for cls in classes:
        error = cls.__new__(cls)
        error.orig = Exception("broken")  # type: ignore[attr-defined]
        with pytest.raises(StoreUnusable), mapped("sqlite"):
            raise error
    assert not issubclass(StoreUnusable, SettingInvalid)


async def test_a_secret_comes_back_and_lies_sealed_under_its_own_name(database: Database, tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    secrets = Secrets(database, home)
    secrets.put("a", "sk-grüß")
    secrets.put("b", "other")
    assert (secrets.get("a"), secrets.get("b"), secrets.get("c")) == ("sk-grüß", "other", None)
    secrets.put("b", "newer")
    assert secrets.get("b") == "newer"
    with database.engine().begin() as connection:
        sealed = connection.execute(text("SELECT sealed FROM secrets WHERE name = 'a'")).scalar_one()
        assert b"sk-gr" not in bytes(sealed)
        connection.execute(text("DELETE FROM secrets WHERE name = 'b'"))
        connection.execute(text("UPDATE secrets SET name = 'b' WHERE name = 'a'"))
    with pytest.raises(HomeUnusable, match=r"secrets\.key"):
        secrets.get("b")
    secrets.remove("b")
    secrets.remove("b")
    assert secrets.get("b") is None


async def test_the_key_for_secrets_is_its_owners_alone_and_no_other_opens_them(
    database: Database, tmp_path: Path
) -> None:
    home = Home(root=tmp_path)
    Secrets(database, home).put("a", "sk-1")
    assert home.secrets_key.stat().st_mode & 0o777 == 0o600
    assert home.secrets_key.stat().st_nlink == 1
    for spoilt in (bytes(32), b"short"):
        home.secrets_key.write_bytes(spoilt)
        with pytest.raises(HomeUnusable, match=r"secrets\.key"):
            Secrets(database, home).get("a")
