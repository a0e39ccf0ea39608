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
from paddock.scratch import private_folder, sweep

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


def test_a_folder_of_a_process_that_runs_is_in_use_however_old_it_looks(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        folder = made(home.scratch / f"{process.pid}-0123456789abcdef" / "document").parent
        aged(folder / "document")
        aged(folder)
        sweep(home)
        assert folder.exists()
        process.communicate()
    sweep(home)
    assert not folder.exists()


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
