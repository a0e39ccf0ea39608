"""Owns the stage of the fuzzing: the server that stands throughout, the count of all that was sent, the figures."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fuzz.stage import Stage, Tally, standing

DEFAULT_REQUESTS = 10_000
# Half a minute on two cores.
SLICE_REQUESTS = 4_000
_TALLY = pytest.StashKey[Tally]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--requests", type=int, default=DEFAULT_REQUESTS, help="how many the fuzzing sends in full")


@pytest.fixture(scope="session")
def requests(request: pytest.FixtureRequest, full: bool) -> int:
    """How many requests are sent in all, at the least."""
    return int(str(request.config.getoption("--requests", DEFAULT_REQUESTS))) if full else SLICE_REQUESTS


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """The server, warm, and what it holds when it is."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with standing(folder) as stage:
        request.config.stash[_TALLY] = stage.tally
        yield stage


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _TALLY in config.stash:
        terminalreporter.section("requests")
        for line in config.stash[_TALLY].lines():
            terminalreporter.write_line(line)
