"""Tests reading files that a person named, and changing those that several change at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paddock import config
from paddock.cli.upgrade import belongings
from paddock.engine.remote_records import Record, Records
from paddock.errors import FieldInvalid, HomeUnusable
from paddock.models.aliases import Aliases
from paddock.models.saved import Saved
from paddock.paths import Home, alone, default_root, kind_of, read_small, typed, write_whole
from paddock.store.key_files import key_in
from paddock.values import table_in

MOST_BYTES = 10


def test_a_file_within_the_bound_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * MOST_BYTES)
    assert read_small(file, most_bytes=MOST_BYTES) == b"x" * MOST_BYTES
    assert (kind_of(file), kind_of(tmp_path / "absent"), kind_of(Path("\0"))) == ("", "", "")


def test_a_larger_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * (MOST_BYTES + 1))
    with pytest.raises(OSError, match="more than 10 bytes"):
        read_small(file, most_bytes=MOST_BYTES)


@pytest.mark.parametrize("is_key", [False, True])
def test_what_is_written_whole_outlasts_a_power_cut(
    is_key: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are on the disk before it has its name, and the name is before anybody goes by it."""
    path, synced, really = tmp_path / "file", list[tuple[int, bool]](), os.fsync

    def sync(descriptor: int) -> None:
        really(descriptor)
        synced.append((os.fstat(descriptor).st_ino, path.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    if is_key:
        assert key_in(path, "The key", "Restore it.") == path.read_bytes()
    else:
        write_whole(path, "text")
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_the_locks_beside_files_are_removed_with_the_data(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    with alone(home.clock), alone(home.config_file):
        home.clock.touch()
    (tmp_path / "mine.lock").touch()
    found = {path.name for path in belongings(home)}
    assert found == {"clock.json", ".clock.json.lock", f".{home.config_file.name}.lock"}


def test_what_is_no_file_is_refused_without_being_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, kind in {pipe: "a named pipe", Path("/dev/zero"): "a device", tmp_path: "a folder"}.items():
        assert kind_of(path) == kind
        with pytest.raises(OSError, match=f"it is {kind}"):
            read_small(path, most_bytes=MOST_BYTES)
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "absent", most_bytes=MOST_BYTES)


AT_ONCE, EACH = 4, 12
SETTERS = """
import sys
from pathlib import Path
from paddock.models.aliases import Aliases
from paddock.paths import Home
for number in range(int(sys.argv[3])):
    Aliases(Home(root=Path(sys.argv[1]))).set(f"{sys.argv[2]}-{number}", "pocket-v0")
"""


def at_once(change: Callable[[int], object]) -> None:
    """Make many changes from several threads."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(change, range(AT_ONCE * EACH)))


def test_nothing_that_several_change_at_once_is_lost(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    home.ensure()
    saved, aliases, remotes, changes = Saved(home), Aliases(home), Records(home), range(AT_ONCE * EACH)
    at_once(lambda number: saved.update(f"m{number}", {"temperature": 0.5}))
    at_once(lambda number: aliases.set(f"a{number}", "pocket-v0"))
    at_once(lambda number: remotes.put(Record(name=f"r{number}", url="http://127.0.0.1:1/v1", models=("m",))))
    names = [name for name in config.NAMES if isinstance(config.Settings.__dataclass_fields__[name].default, bool)]
    at_once(lambda number: config.change_file(home, {names[number % len(names)]: True}))
    assert [number for number in changes if not saved.get(f"m{number}").temperature] == []
    assert sorted(Aliases(home).all()) == sorted(f"a{number}" for number in changes)
    assert sorted(Records(home).all()) == sorted(f"r{number}" for number in changes)
    assert sorted(config.in_file(home)) == sorted(names)


def test_nothing_that_several_programs_change_at_once_is_lost(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SETTERS, str(tmp_path)]
    programs = [subprocess.Popen([*words, str(one), str(EACH)]) for one in range(AT_ONCE)]
    assert [program.wait(60) for program in programs] == [0] * AT_ONCE
    wanted = sorted(f"{one}-{number}" for one in range(AT_ONCE) for number in range(EACH))
    assert sorted(Aliases(Home(root=tmp_path)).all()) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * 5000, "File name too long"),
        ("../" * 2000, "File name too long"),
        ("~nobodyhere/x", "the home of nobody"),
        ("x\0y", "a NUL"),
        ("\udc80\ud800", "half of a character"),
        ("loop/x", "symbolic links"),
    ],
)
def test_a_text_that_can_be_no_path_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(FieldInvalid, match=words) as refused:
        typed(text, "base")
    assert (refused.value.param, len(refused.value.message) < 300) == ("base", True)


def test_any_other_text_is_a_path_whatever_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").touch()
    for text in (str(tmp_path), f"{tmp_path}/file", f"{tmp_path}/file/below", "nowhere", ".", ""):
        assert typed(text, "base") == Path(text)
    assert typed("~/file", "base") == tmp_path / "file"


@pytest.mark.parametrize("text", ["~nobodyhere/x", "x" * 5000])
def test_a_data_home_that_can_be_nowhere_is_told_as_that(text: str) -> None:
    with pytest.raises(HomeUnusable, match=f"PADDOCK_HOME is '{text[:10]}"):
        default_root({"PADDOCK_HOME": text})


@pytest.mark.parametrize("text", ["[" * 100_000, "5", "[]", "{", "null", '"x"', ""])
def test_what_is_no_table_of_json_has_nothing_in_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    assert table_in(file) == {}
    assert table_in(tmp_path) == table_in(tmp_path / "nowhere") == {}
    file.write_text('{"a": 1}')
    assert table_in(file) == {"a": 1}
