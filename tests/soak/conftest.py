"""Owns how long the soak lasts, and where its account is printed."""

from __future__ import annotations

import pytest

from tests.soak.account import Account

ACCOUNT = pytest.StashKey[Account]()
_FULL_MINUTES = 30.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--minutes", type=float, default=_FULL_MINUTES, help="how long the soak lasts")


@pytest.fixture
def length_s(request: pytest.FixtureRequest) -> float:
    """Seconds of load, without the pauses in which the server is measured."""
    return 60 * float(str(request.config.getoption("--minutes", _FULL_MINUTES)))


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Account:
    """What is counted; printed at the end, also of a run that fails."""
    request.config.stash[ACCOUNT] = Account()
    return request.config.stash[ACCOUNT]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if ACCOUNT in config.stash:
        terminalreporter.section("soak")
        for line in config.stash[ACCOUNT].lines():
            terminalreporter.write_line(line)
