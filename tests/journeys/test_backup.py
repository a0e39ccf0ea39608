"""Tests backups of a paddock that serves and is written to, what a restored one answers, and what is refused.

Everything that was acknowledged before the backup was begun must be in it, and whole.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from paddock.backup import making
from paddock.config import Settings
from paddock.engine.remote_records import Records
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.secrets import Secrets
from tests.engine import environ

PASSWORD = "correct horse battery"
WAIT_S = 120.0
NOTE = "Grüße, and a very long note. ".encode() * 2000
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A data home, and the hand of a person who types commands."""

    root: Path
    more: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, **environ(self.root), **self.more}

    def run(self, *words: str, typed: str = "", **how: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "paddock", *words], env=self.environ, input=typed, capture_output=True, text=True,
            timeout=WAIT_S, check=False, **how,
        )  # fmt: skip

    def done(self, *words: str, typed: str = "") -> str:
        """What a command that goes well prints."""
        ended = self.run(*words, typed=typed)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def refused(self, *words: str, **how: Any) -> str:
        """What a command that is refused says."""
        ended = self.run(*words, **how)
        assert ended.returncode == 1, ended
        assert "fault of paddock" not in ended.stderr
        return ended.stderr

    @contextmanager
    def serving(self) -> Generator[str]:
        """A server on the home; its address."""
        words = [sys.executable, "-m", "paddock", "serve", "--port=0", "--require-login"]
        with subprocess.Popen(words, env=self.environ, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                yield process.stdout.readline().strip()
            finally:
                process.terminate()
                assert process.wait(WAIT_S) == 0


@contextmanager
def page(url: str) -> Generator[httpx.Client]:
    """Anna's browser on the page, signed in."""
    headers = {"sec-fetch-site": "same-origin", "origin": url}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=WAIT_S) as http:
        answer = http.post("/api/session", json={"name": "anna", "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        yield http


@dataclass(kw_only=True)
class Writers:
    """Who writes chats without a pause; `kept` are the texts of each chat that were acknowledged."""

    kept: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    faults: list[str] = field(default_factory=list[str])
    is_over: threading.Event = field(default_factory=threading.Event)

    def count(self) -> int:
        return sum(map(len, list(self.kept.values())))

    def now(self) -> dict[str, list[str]]:
        return {chat: list(texts) for chat, texts in list(self.kept.items())}

    def write(self, url: str) -> None:
        with page(url) as http:
            while not self.is_over.is_set():
                chat = str(self._sent(http, "/api/chats", {})["id"])
                texts = self.kept.setdefault(chat, [])
                parent: str | None = None
                for number in range(10):
                    text = f"{chat} says {number} " + "x" * 500
                    body = {"parent_id": parent, "role": "user", "content": text}
                    parent = self._sent(http, f"/api/chats/{chat}/messages", body)["id"]
                    texts.append(text)

    def _sent(self, http: httpx.Client, path: str, body: Json) -> Json:
        answer = http.post(path, json=body)
        if answer.status_code != 201:
            self.faults.append(f"{answer.status_code} {answer.text}")
        return answer.json()

    def until(self, count: int) -> None:
        """Wait until so many more texts are kept."""
        wanted, deadline_s = self.count() + count, time.monotonic() + WAIT_S
        while self.count() < wanted:
            assert time.monotonic() < deadline_s, self.faults
            time.sleep(0.005)

    @contextmanager
    def at_work(self, url: str) -> Generator[None]:
        threads = [threading.Thread(target=self.write, args=(url,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.is_over.set()
            for thread in threads:
                thread.join(WAIT_S)


def texts_of(http: httpx.Client, chat: str) -> list[str]:
    """What the messages of a chat say."""
    answer = http.get(f"/api/chats/{chat}")
    assert answer.status_code == 200, answer.text
    return [part["text"] for one in answer.json()["messages"] for part in one["content"]]


@pytest.fixture(scope="module")
def furniture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with something of each kind, and a key that is let in."""
    root = tmp_path_factory.mktemp("furniture") / "home"
    ground = Ground(root=root)
    ground.done("users", "add", "anna", "--admin", typed=f"{PASSWORD}\n")
    key = ground.done("keys", "create", "--name=program").split()[0]
    ground.done("remotes", "add", "far", "http://127.0.0.1:9", "--key-stdin", typed="key-of-the-remote\n")
    ground.done("models", "alias", "short", "pocket-v0")
    template = root.parent / "t.jinja"
    template.write_text("{% for m in messages %}{{ m.content }}{% endfor %}", "utf-8")
    ground.done("models", "set", "pocket-v0", "top_k=7", f"chat_template={template}")
    (root / "config.toml").write_text("slots = 3 # mine\n", "utf-8")
    return root, key


@pytest.fixture
def ground(furniture: tuple[Path, str], tmp_path: Path) -> Ground:
    """A home of the test's own, furnished."""
    return Ground(root=shutil.copytree(furniture[0], tmp_path / "home"))


def test_a_backup_under_load_is_restored_with_all_that_was_acknowledged(
    ground: Ground, furniture: tuple[Path, str], tmp_path: Path
) -> None:
    key = furniture[1]
    backup = tmp_path / "backup.tar"
    writers = Writers()
    with ground.serving() as url:
        with page(url) as http:
            note = http.post("/api/attachments?name=note.md", content=NOTE).json()["id"]
        with writers.at_work(url):
            writers.until(60)
            before = writers.now()
            made = json.loads(ground.done("backup", "make", str(backup), "--json"))
            writers.until(3)
        assert writers.faults == []
        # The one that serves is left in peace.
        said = ground.refused("backup", "restore", str(backup), "--yes")
        assert f"works on the data home {ground.root}" in said
        assert f"at {url}" in said
    assert made["database"] == "sqlite"
    assert backup.stat().st_mode & 0o777 == 0o600
    assert "is whole" in ground.done("backup", "check", str(backup))
    assert "models/" not in ground.done("backup", "show", str(backup))

    other = Ground(root=tmp_path / "other")
    assert "is restored into" in other.done("backup", "restore", str(backup))
    with closing(sqlite3.connect(other.root / "paddock.db")) as there:
        assert there.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert there.execute("PRAGMA foreign_key_check").fetchall() == []
    with other.serving() as url, page(url) as http:
        for chat, texts in before.items():
            assert texts_of(http, chat)[: len(texts)] == texts
        assert sum(map(len, before.values())) >= 60
        assert http.get(f"/api/attachments/{note}/content").content == NOTE
        for text, status in ((key, 200), (f"{key}x", 401)):
            answer = httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {text}"}, trust_env=False)
            assert answer.status_code == status
    home = Home(root=other.root)
    record = Records(home).find("far")
    database = Database("", home)
    assert Secrets(database, home).get(record.secret) == "key-of-the-remote"
    database.engine().dispose()
    for words in (("models", "aliases"), ("models", "set", "pocket-v0"), ("models", "template", "pocket-v0")):
        assert other.done(*words) == ground.done(*words)
    assert (other.root / "config.toml").read_text("utf-8") == "slots = 3 # mine\n"


def test_a_restore_asks_and_keeps_what_it_takes_the_place_of(ground: Ground, tmp_path: Path) -> None:
    backup = Path(ground.done("backup", "make", str(tmp_path)).strip())
    assert backup.parent == tmp_path
    ground.done("users", "add", "ben", "--link")
    (ground.root / "config.toml").unlink()
    (ground.root / "measured.json").write_text("{}", "utf-8")
    said = ground.refused("backup", "restore", str(backup), typed="n\n")
    assert "Takes the place of" in said
    assert "Nothing was restored, since nobody agreed." in said
    assert "ben" in ground.done("users", "list")

    told = json.loads(ground.done("backup", "restore", str(backup), "--json", typed="y\n"))
    assert "ben" not in ground.done("users", "list")
    kept = Path(told["kept"])
    assert kept.parent == ground.root / "replaced"
    with closing(sqlite3.connect(kept / "paddock.db")) as there:
        assert there.execute("SELECT name FROM accounts ORDER BY name").fetchall() == [("anna",), ("ben",)]
    # What is of this machine stays.
    assert (ground.root / "measured.json").exists()
    assert not (kept / "measured.json").exists()


def test_secrets_are_left_out_where_one_says_so(ground: Ground, tmp_path: Path) -> None:
    text = (
        'trace_endpoint = "http://me:hush@127.0.0.1:4318"\n'
        "# database_url = 'postgresql://me:a/hush@db.example/name?sslpassword=hush'\n"
    )
    (ground.root / "config.toml").write_text(text, "utf-8")
    ended = ground.run("backup", "make", str(tmp_path / "open.tar"))
    assert "It holds secrets" in ended.stderr
    ended = ground.run("backup", "make", str(tmp_path / "bare.tar"), "--without-secrets")
    assert "It holds secrets" not in ended.stderr
    assert "work only beside the secrets that it leaves out" in ended.stderr
    with tarfile.open(tmp_path / "open.tar") as full, tarfile.open(tmp_path / "bare.tar") as bare:
        assert set(full.getnames()) - set(bare.getnames()) == {"keys.secret", "secrets.key"}
    assert b"hush" in (tmp_path / "open.tar").read_bytes()
    assert b"hush" not in (tmp_path / "bare.tar").read_bytes()
    # The home's own stay beside what is restored.
    before = (ground.root / "keys.secret").read_bytes()
    ground.done("backup", "restore", str(tmp_path / "bare.tar"), "--yes")
    assert (ground.root / "keys.secret").read_bytes() == before


def test_programs_that_settings_name_come_along_only_where_one_says_so(ground: Ground, tmp_path: Path) -> None:
    (ground.root / "config.toml").write_text('slots = 3 # mine\nengine = "/opt/theirs/llama-server"\n', "utf-8")
    ground.done("backup", "make", str(tmp_path / "b.tar"))
    other = Ground(root=tmp_path / "other")
    ended = other.run("backup", "restore", "--yes", "--json", str(tmp_path / "b.tar"))
    assert "names programs to be run: engine = '/opt/theirs/llama-server'. --trust-settings takes it" in ended.stderr
    assert "Everybody is signed out" in ended.stderr
    assert json.loads(ended.stdout)["settings_left_out"] == {"engine": "/opt/theirs/llama-server"}
    assert (other.root / "config.toml").read_text("utf-8") == "slots = 3 # mine\n"
    other.done("backup", "restore", "--yes", "--trust-settings", str(tmp_path / "b.tar"))
    assert "llama-server" in (other.root / "config.toml").read_text("utf-8")


def test_settings_that_cannot_be_read_are_left_out_in_words(ground: Ground, tmp_path: Path) -> None:
    ground.done("backup", "make", str(tmp_path / "a.tar"))
    (ground.root / "config.toml").write_bytes(b'# mine\rengine = "/opt/theirs/llama-server"\n')
    other = Ground(root=tmp_path / "other")
    other.done("backup", "restore", "--yes", str(tmp_path / "a.tar"))
    before = (other.root / "config.toml").read_bytes()
    broken = tmp_path / "b.tar"
    making.make(Settings(home=Home(root=ground.root)), broken, making.Choice(), lambda _, __: None)
    ended = other.run("backup", "restore", "--yes", "--json", str(broken))
    assert "Leaves out all of config.toml, which cannot be read" in ended.stderr
    assert "--trust-settings takes it" in ended.stderr
    assert json.loads(ended.stdout)["settings_unread"]
    assert (other.root / "config.toml").read_bytes() == before


def test_an_odd_file_is_left_out_in_words(ground: Ground, tmp_path: Path) -> None:
    (ground.root / "templates" / "a:b").write_text("x", "utf-8")
    for number in range(12):
        (ground.root / "templates" / f"link-{number:02}").symlink_to("/etc/passwd")
    said = ground.run("backup", "make", str(tmp_path / "b.tar")).stderr
    assert "Not in the backup: 'templates/a:b', which has a name that not every system can hold. Mend that" in said
    assert "'templates/link-08', which is a link that leads out of its folder." in said
    assert "Not in the backup: 3 more such files" in said
    assert "is whole" in ground.done("backup", "check", str(tmp_path / "b.tar"))


def test_models_come_along_only_where_one_says_so(ground: Ground, tmp_path: Path) -> None:
    (ground.root / "models" / "mine.gguf").write_bytes(b"GGUF" * 1000)
    ended = ground.run("backup", "make", str(tmp_path / "a.tar"))
    assert "Not in the backup: the model mine.gguf (4.0 kB); --with-models takes it." in ended.stderr
    ended = ground.run("backup", "make", str(tmp_path / "b.tar"), "--with-models")
    assert "Not in the backup" not in ended.stderr
    other = Ground(root=tmp_path / "other")
    other.done("backup", "restore", str(tmp_path / "b.tar"))
    assert (other.root / "models" / "mine.gguf").read_bytes() == b"GGUF" * 1000


def test_another_kind_of_database_is_told_of_and_refused(ground: Ground, tmp_path: Path) -> None:
    ground.done("backup", "make", str(tmp_path / "sqlite.tar"))
    elsewhere = Ground(root=ground.root, more={"PADDOCK_DATABASE_URL": "postgresql://nobody:pw@127.0.0.1:9/none"})
    ended = elsewhere.run("backup", "make", str(tmp_path / "rest.tar"))
    assert ended.returncode == 0
    assert "The database is PostgreSQL's, and not in the backup: copy it with `pg_dump`." in ended.stderr
    with tarfile.open(tmp_path / "rest.tar") as archive:
        assert "paddock.db" not in archive.getnames()
    said = elsewhere.refused("backup", "restore", str(tmp_path / "sqlite.tar"), "--yes")
    assert "holds a SQLite database, and database_url names another kind" in said
    before = (ground.root / "paddock.db").stat()
    assert "pg_restore" in elsewhere.run("backup", "restore", str(tmp_path / "rest.tar"), "--yes").stderr
    assert (ground.root / "paddock.db").stat().st_ino == before.st_ino


def test_a_backup_of_a_newer_paddock_is_refused_by_name(ground: Ground, tmp_path: Path) -> None:
    with closing(sqlite3.connect(ground.root / "paddock.db")) as there:
        there.execute("UPDATE alembic_version SET version_num = '9999'")
        there.commit()
    ground.done("backup", "make", str(tmp_path / "b.tar"))
    other = Ground(root=tmp_path / "other")
    for command in (("check",), ("restore", "--yes")):
        said = other.refused("backup", *command, str(tmp_path / "b.tar"))
        assert "whose tables are 9999" in said
        assert "Upgrade paddock, then restore it." in said
    assert not (other.root / "paddock.db").exists()


def test_nothing_half_is_left_where_a_backup_cannot_be_made(ground: Ground, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "there.tar").write_text("mine", "utf-8")
    assert "already" in ground.refused("backup", "make", str(place / "there.tar"))

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = ground.refused("backup", "make", str(place / "b.tar"), preexec_fn=little)
    assert "cannot be copied" in said
    assert "cannot be made" in ground.refused("backup", "make", str(place / "none" / "b.tar"))
    assert [path.name for path in place.iterdir()] == ["there.tar"]
    assert (place / "there.tar").read_text("utf-8") == "mine"
    assert list((ground.root / "scratch").iterdir()) == []


def interrupted(ground: Ground, is_at_it: Callable[[], bool], *words: str) -> int:
    """Ctrl+C as soon as a command is at it; its exit status."""
    with subprocess.Popen(
        [sys.executable, "-m", "paddock", *words], env=ground.environ, stderr=subprocess.DEVNULL
    ) as process:
        deadline_s = time.monotonic() + WAIT_S
        while not is_at_it():
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        return process.wait(WAIT_S)


@pytest.mark.parametrize("what", ["make", "restore"])
def test_ctrl_c_leaves_nothing_behind(what: str, ground: Ground, tmp_path: Path) -> None:
    with (ground.root / "models" / "large.gguf").open("wb") as large:
        large.truncate(200 * 10**6)
    place = tmp_path / "place"
    place.mkdir()
    backup = place / "b.tar"
    make = ("backup", "make", str(backup), "--with-models")
    if what == "make":
        assert interrupted(ground, lambda: any(place.iterdir()), *make) == 130
        assert list(place.iterdir()) == []
        assert list((ground.root / "scratch").glob("*")) == []
        return
    ground.done(*make)
    other = Ground(root=tmp_path / "other")
    other.done("users", "add", "ben", "--link")
    before = {path: path.read_bytes() for path in other.root.rglob("*") if path.is_file() and path.suffix != ".lock"}
    restoring = other.root / "restoring"
    assert interrupted(other, restoring.is_dir, "backup", "restore", "--yes", str(backup)) == 130
    after = {path: path.read_bytes() for path in other.root.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert after == before
    assert not restoring.exists()
