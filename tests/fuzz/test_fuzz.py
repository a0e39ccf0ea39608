"""Sends what nobody would, by the thousand: no answer may be a failure of ours, and nothing may be left behind.

The parts run in the order of this file; the one before the last fills up the number that was asked for.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

from tests.fuzz.described import MODES, operations, prepared
from tests.fuzz.seeds import MODEL
from tests.fuzz.sending import Sent
from tests.fuzz.stage import Stage
from tests.fuzz.strategies import BODIES, left, posted, strayed

Case = TypeVar("Case")
# The engine takes a while over each stream, so that clients can leave in its midst.
_SLOW = {path: [{"generate": {"chunks": 20, "per_s": 200.0}}] for path in ("/v1/chat/completions", "/v1/completions")}
_GOOD = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}).encode()
_TRACE = re.compile(r"Traceback|ResourceWarning|RuntimeWarning|never retrieved|never awaited|\bERROR\b|\bCRITICAL\b")


def each(strategy: SearchStrategy[Case], count: int, do: Callable[[Case], object], *, full: bool) -> None:
    """Do something with `count` made-up things. The slice of every day makes up the same ones each time."""

    @settings(
        max_examples=max(1, count),
        deadline=None,
        database=None,
        derandomize=not full,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        print_blob=True,
    )
    @given(strategy)
    def one(case: Case) -> None:
        do(case)

    one()


@pytest.mark.rule("error-fuzz")
def test_what_the_description_allows_and_what_it_forbids(
    stage: Stage, requests: int, full: bool, subtests: pytest.Subtests
) -> None:
    url = f"http://{stage.address[0]}:{stage.address[1]}"
    found = operations(url)
    weights = [5 if one.path in BODIES else 1 for one in found]
    assert sum(weights) > 80, "the description names few routes"

    def send(case: Any) -> None:
        if (sent := prepared(case, url)) is not None:
            stage.ask(sent)

    with stage.tally.part("description"):
        for one, weight in zip(found, weights, strict=True):
            count = requests * 3 // 10 * weight // sum(weights) // len(MODES)
            for mode in MODES:
                # What takes nothing cannot be asked wrongly.
                with subtests.test(one.path, method=one.method, mode=mode), contextlib.suppress(Unsatisfiable):
                    each(one.cases(mode), count, send, full=full)


def test_odd_methods_paths_and_headers(stage: Stage, requests: int, full: bool) -> None:
    with stage.tally.part("strays"):
        each(strayed(), requests // 8, stage.ask, full=full)


@pytest.mark.rule("error-fuzz")
def test_clients_that_leave(stage: Stage, requests: int, full: bool) -> None:
    stage.play(_SLOW)
    with stage.tally.part("leaving"):
        each(left(), requests // 60, stage.receive, full=full)
    stage.play({})


@pytest.mark.rule("error-fuzz")
def test_bodies_near_to_real_ones(stage: Stage, requests: int, full: bool) -> None:
    with stage.tally.part("bodies"):
        while (missing := requests - stage.tally.sent) > 0:
            each(posted(), missing, stage.ask, full=full)


@pytest.mark.rule("error-fuzz")
def test_nothing_is_left_behind_and_a_good_request_is_answered(stage: Stage, requests: int) -> None:
    assert stage.tally.sent >= requests, "the parts of this file count together: run all of it"
    good = Sent(method="POST", target=b"/v1/chat/completions", body=_GOOD)
    assert stage.ask(good).status == 200

    def grown(now: dict[str, Any]) -> list[str]:
        return [*more_than(stage.before, now["held"])]

    assert "; ".join(grown(stage.settled(lambda now: not grown(now)))) == ""
    with socket.create_connection(stage.address):
        assert "files: socket:" in "".join(grown(stage.settled(grown))), "a planted leak is not seen"
    complaints = [line for line in stage.log.read_text("utf-8", "replace").splitlines() if _TRACE.search(line)]
    assert complaints == []


def more_than(before: dict[str, Any], now: dict[str, Any], where: str = "") -> Iterator[str]:
    """What there is more of now than before, in words."""
    for name, value in now.items():
        old: Any = before.get(name, {} if isinstance(value, dict) else 0)
        if isinstance(value, dict):
            yield from more_than(old, cast("dict[str, Any]", value), f"{where}{name}: ")
        elif value > old:
            yield f"{where}{name}: {value}, was {old}"
