"""Tests the time by which things are forgotten: no jump takes it far, and one process hands it on to the next."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from paddock import clock
from paddock.paths import Home

DAY_S, YEAR_S = 86400.0, 366 * 86400.0
NOW_S = 1.9e9
Move = Callable[..., None]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path)


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[Move]:
    """Lets time pass, as the machine ran and as its clock tells."""
    at = {"ran": 0.0, "told": NOW_S}
    monkeypatch.setattr(time, "monotonic", lambda: at["ran"])
    monkeypatch.setattr(time, "time", lambda: at["told"])

    def go(*, ran_s: float = 0.0, told_s: float = 0.0) -> None:
        at["ran"] += ran_s
        at["told"] += told_s

    yield go
    # What other tests give is not given by the time of this one.
    clock.begin(Home(root=tmp_path / "none"))


def begun(home: Home, newest_s: float | None = None) -> None:
    """As a paddock starts."""
    if not clock.begin(home):
        clock.begin_at(home, newest_s)


def test_it_goes_with_the_systems_clock_while_that_is_right(home: Home, move: Move) -> None:
    begun(home)
    assert clock.lived_s() == NOW_S
    move(ran_s=3600, told_s=3600)
    assert clock.lived_s() == clock.stamp_s() == NOW_S + 3600


@pytest.mark.parametrize("jump_s", [YEAR_S, -YEAR_S, 20 * YEAR_S])
def test_a_jump_takes_it_a_day_at_most_in_one_process_or_between_two(home: Home, move: Move, jump_s: float) -> None:
    begun(home)
    move(told_s=jump_s)
    assert clock.lived_s() - NOW_S == (clock.OFF_MOST_S if jump_s > 0 else jump_s)
    begun(home)
    move(told_s=-jump_s)
    begun(home)
    # Right again; what it was taken too far it goes with the system's clock.
    assert clock.lived_s() == NOW_S
    move(told_s=10 * DAY_S)
    assert clock.lived_s() == NOW_S + 2 * DAY_S


def test_the_time_between_two_processes_counts_as_it_was_up_to_a_day(home: Home, move: Move) -> None:
    begun(home)
    move(told_s=DAY_S / 2)
    begun(home)
    assert clock.lived_s() == NOW_S + DAY_S / 2
    move(told_s=30 * DAY_S)
    begun(home)
    assert clock.lived_s() == NOW_S + 1.5 * DAY_S


def test_what_is_stamped_is_never_older_than_what_was_lived(home: Home, move: Move) -> None:
    begun(home)
    move(told_s=-20 * YEAR_S)
    assert clock.stamp_s() >= NOW_S
    move(told_s=21 * YEAR_S)
    assert clock.stamp_s() == NOW_S + YEAR_S


def test_a_mark_that_began_far_ahead_judges_nothing_by_it(home: Home, move: Move) -> None:
    """As another home's, on the same database, whose clock is right."""
    move(told_s=YEAR_S)
    begun(home)
    move(told_s=-YEAR_S)
    assert clock.lived_s() == NOW_S
    assert clock.stamp_s() == NOW_S + YEAR_S


def test_without_a_mark_it_goes_on_from_the_newest_that_is_there(home: Home, move: Move) -> None:
    assert not clock.begin(home)
    assert clock.lived_s() == 0.0
    move(told_s=YEAR_S)
    clock.begin_at(home, NOW_S)
    assert clock.lived_s() == NOW_S + clock.OFF_MOST_S
    assert clock.begin(home)


def test_without_a_mark_or_a_database_it_goes_on_from_the_newest_file(home: Home, move: Move) -> None:
    for name, age_s in (("old", 5 * DAY_S), ("new", DAY_S / 2)):
        file = home.requests / f"{name}.json.gz"
        file.parent.mkdir(exist_ok=True)
        file.touch()
        os.utime(file, (NOW_S - age_s, NOW_S - age_s))
    move(told_s=YEAR_S)
    begun(home)
    assert clock.lived_s() == NOW_S + DAY_S / 2


def test_no_home_begins_before_there_was_paddock(home: Home, move: Move) -> None:
    """As on a machine whose clock has no battery, until it hears from the network."""
    move(told_s=10 - NOW_S)
    begun(home)
    stamp_s = clock.stamp_s()
    assert stamp_s > 1.79e9
    move(told_s=NOW_S)
    assert clock.lived_s() == stamp_s + clock.OFF_MOST_S


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"lived_s": "x", "system_s": 1}', '{"lived_s": 1e999, "system_s": 0}']
)
def test_a_mark_that_cannot_be_read_is_begun_anew(home: Home, move: Move, text: str) -> None:
    home.clock.write_text(text)
    begun(home)
    assert clock.lived_s() == NOW_S
    assert json.loads(home.clock.read_text())["lived_s"] == NOW_S
