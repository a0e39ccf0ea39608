"""Owns what holds for every tier: what a test may not leave behind, and how long the long suites run.

Knows nothing of paddock. Warnings are errors by pyproject.toml; `PYTHONASYNCIODEBUG=1` turns asyncio's own checks on.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import leaks

GUARDED = {"wire", "journeys"}

_engine = os.environ.get("PADDOCK_TEST_ENGINE")
for _name in [name for name in os.environ if name.startswith("PADDOCK_") and name != "PADDOCK_CACHE"]:
    del os.environ[_name]  # the settings of whoever runs the tests are no part of them
os.environ["PADDOCK_SCAN_OTHERS"] = "0"  # nor are their models
if _engine:
    os.environ["PADDOCK_ENGINE"] = _engine  # the tier `source` runs the journeys with an engine that it built
leaks.mark_session()

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run every round of the long suites, not a slice of each")


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what was imported stays, so that the collection after each test is quick


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether a long suite runs in full, or only its slice of the daily run."""
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_process_survives() -> Generator[None]:
    """Fail the run whose processes outlive it, such as the engine of a server that a wider fixture stopped."""
    yield
    if left := leaks.once_settled(leaks.survivors):
        pytest.fail("outlived the tests: " + "; ".join(left), pytrace=False)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_behind_by_the_file(request: pytest.FixtureRequest) -> Generator[None]:
    """Fail the last test of a file that, with its shared fixtures gone, leaves a process, thread, socket or file."""
    yield from guarded(request, is_bound=True)


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Generator[None]:
    """Fail a test that leaves something behind. Where a server is shared, which keeps connections, its file answers."""
    yield from guarded(request, is_bound=not shares_a_server(request.node))


def guarded(request: pytest.FixtureRequest, *, is_bound: bool) -> Generator[None]:
    if not is_bound or GUARDED.isdisjoint(request.path.relative_to(Path(__file__).parent).parts):
        yield
        return
    before = leaks.standing()
    yield
    gc.collect()
    if left := leaks.once_settled(lambda: leaks.left_since(before)):
        pytest.fail("left behind: " + "; ".join(left), pytrace=False)


def shares_a_server(item: pytest.Item) -> bool:
    """Whether the test uses a fixture of a wider scope than its own that a tier defines."""
    known: dict[str, Sequence[pytest.FixtureDef[object]]] = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009
    used = [definition for name, chain in known.items() if name != "anyio_backend" for definition in chain]
    return any(definition.scope != "function" and definition.baseid not in {"", "tests"} for definition in used)
