"""Owns the fixtures of the page's tests: one wheel and one browser a run, one paddock a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.page import rig
from tests.page.rig import Served, Tab
from tests.wire.rig import FAKE

# What comes late on a busy machine comes all the same.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where paddock lies as its wheel installs it."""
    return rig.installed(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def chromium() -> Generator[Browser]:
    """The browser of the whole run."""
    with rig.browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def scripted_engine() -> list[str]:
    """The words that start the scripted engine."""
    return [sys.executable, str(FAKE)]


@pytest.fixture(scope="module")
def scripted(wheel: Path, scripted_engine: list[str], tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock before the scripted engine, whose model is loaded."""
    with rig.served(wheel, tmp_path_factory.mktemp("home"), scripted_engine) as studio:
        studio.ask("/api/models/pocket-v0/load", {})
        yield studio


@pytest.fixture(scope="module")
def real(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Paddock with its own engine and the bundled model."""
    with rig.served(wheel, tmp_path_factory.mktemp("home")) as studio:
        yield studio


@pytest.fixture
def tab(chromium: Browser, scripted: Served) -> Generator[Tab]:
    """A page before the scripted engine."""
    with rig.tab(chromium, scripted.url) as opened:
        yield opened


@pytest.fixture
def real_tab(chromium: Browser, real: Served) -> Generator[Tab]:
    """A page before the real engine."""
    with rig.tab(chromium, real.url) as opened:
        yield opened


@pytest.fixture
def another(chromium: Browser, scripted: Served) -> Callable[..., AbstractContextManager[Tab]]:
    """How further pages are made, such as a phone's, with `viewport=PHONE`."""

    def made(**context: Any) -> AbstractContextManager[Tab]:
        return rig.tab(chromium, scripted.url, **context)

    return made
