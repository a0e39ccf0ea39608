"""Tests that what is in the making goes when it is done, or when its paddock was killed over it, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paddock.models import importing
from paddock.paths import Home
from paddock.scratch import private_folder, sweep, take_left

# Half of each kind of what is made, by a process that stays until it is told.
_WRITES = """
import sys
from pathlib import Path
from paddock.engine.slot_files import SlotFiles
from paddock.paths import Home, draft_of
from paddock.scratch import name_of_folder
home = Home(root=Path(sys.argv[1]))
for half in (
    home.scratch / name_of_folder() / "document",
    draft_of(home.config_file),
    draft_of(home.requests / "20261127-rec_1"),
    draft_of(home.models / "a.gguf"),
    home.slots / SlotFiles(home.slots, most_bytes=1).draft(),
):
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_text("half")
print(flush=True)
sys.stdin.read()
"""
LONG_AGO_S = time.time() - 3 * 3600


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home")
    home.ensure()
    return home


def aged(path: Path) -> Path:
    os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    return path


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("half", "utf-8")
    return path


@pytest.mark.anyio
async def test_a_folder_is_its_owners_alone_and_goes_with_the_block(home: Home) -> None:
    async def used() -> None:
        async with private_folder(home) as folder:
            made(folder / "document")
            assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o700, 0o700]
            raise ValueError("anything")

    with pytest.raises(ValueError, match="anything"):
        await used()
    assert list(home.scratch.iterdir()) == []


@pytest.mark.anyio
async def test_the_next_folder_takes_the_abandoned_ones_away(home: Home) -> None:
    left, kept = made(home.scratch / "left" / "document"), made(home.scratch / "kept" / "document")
    for path in (left, left.parent, kept.parent):
        aged(path)
    async with private_folder(home):
        assert (left.exists(), kept.exists()) == (False, True)


def all_swept(home: Home) -> None:
    sweep(home)
    take_left([*home.slots.iterdir(), *home.requests.iterdir()])
    importing.sweep(home.models, time.time() + importing.STALE_DRAFT_S + 1)


def test_what_a_process_that_runs_is_writing_stays_however_old_it_looks(home: Home) -> None:
    """As where a paddock starts just after the clock was set."""
    command = [sys.executable, "-c", _WRITES, str(home.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        drafts = [path for path in home.root.rglob("*") if path.is_file()]
        assert len(drafts) == 5
        for path in (*drafts, *home.scratch.iterdir()):
            aged(path)
        all_swept(home)
        assert all(path.exists() for path in drafts)
        process.communicate()
    all_swept(home)
    assert not any(path.exists() for path in drafts)


def test_a_start_takes_away_what_killed_paddocks_were_writing(home: Home) -> None:
    names = (".config.toml.01234567.draft", "models/.a.pulled.json.89abcdef.draft", ".writable-77")
    gone = [aged(made(home.root / name)) for name in names]
    kept = [aged(made(home.root / name)) for name in (".config.toml.lock", "downloads/.owner.lock", "config.toml")]
    kept += [made(home.root / ".aliases.json.fedcba98.draft"), aged(made(home.models / ".a.gguf.01234567.draft"))]
    folder = aged(made(home.scratch / "left" / "document")).parent
    aged(folder)
    sweep(home)
    assert [path.exists() for path in (*gone, folder)] == [False] * 4
    assert all(path.exists() for path in kept)


def test_an_import_that_was_killed_is_taken_away_after_a_day(home: Home) -> None:
    source = aged(made(home.root / "source.gguf"))
    draft = home.models / ".a.gguf.01234567.draft"
    os.link(source, draft)
    importing.sweep(home.models)
    # The bytes are old, the link to them is not.
    assert draft.exists()
    importing.sweep(home.models, time.time() + importing.STALE_DRAFT_S + 1)
    assert not draft.exists()
    assert source.exists()
