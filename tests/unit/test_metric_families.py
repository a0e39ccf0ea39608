"""The metrics' names and their text; that the page of operations speaks of no other."""

from __future__ import annotations

import re

import pytest

from docs import generate
from paddock.api.metric_families import FAMILIES, text_of
from paddock.counts import ENDS_S, Times

UNITS = ("_total", "_seconds", "_bytes", "_fds")
# What is counted without a unit, as the number of things that there are now.
THINGS = ("_info", "_in_flight", "_waiting", "_leases", "_slots", "_ready", "_downloads", "_threads")
NOTHING: dict[str, list[tuple[tuple[str, ...], float | Times]]] = {family.name: [] for family in FAMILIES}


def test_names_end_in_units_and_counters_in_total() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family.name.startswith(("paddock_", "process_"))
        assert family.name.endswith((*UNITS, *THINGS)), family.name
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert re.fullmatch(r"[A-Z0-9].*\.", family.says)


def test_a_family_that_is_forgotten_is_a_fault() -> None:
    with pytest.raises(KeyError, match="paddock_info"):
        text_of({name: samples for name, samples in NOTHING.items() if name != "paddock_info"})


def test_labels_are_escaped_and_must_be_complete() -> None:
    text = text_of({**NOTHING, "paddock_errors_total": [(('a"b\\c\nd',), 2)]})
    assert 'paddock_errors_total{error="a\\"b\\\\c\\nd"} 2\n' in text
    with pytest.raises(ValueError, match="shorter"):
        text_of({**NOTHING, "paddock_errors_total": [((), 2)]})


def test_times_become_classes_that_hold_all_below() -> None:
    times = Times()
    for took_s in (0.0, 0.005, 0.006, 1.0, 1e9):
        times.add(took_s)
    text = text_of({**NOTHING, "paddock_queue_wait_seconds": [(("m",), times)]})
    found = dict(re.findall(r'paddock_queue_wait_seconds_bucket\{model="m",le="([^"]+)"\} (\d+)', text))
    assert list(found) == [*map(repr, ENDS_S), "+Inf"]
    assert [found[end] for end in ("0.005", "0.025", "0.5", "1.0", "600.0", "+Inf")] == ["2", "3", "3", "4", "4", "5"]
    assert 'paddock_queue_wait_seconds_count{model="m"} 5\n' in text
    assert 'paddock_queue_wait_seconds_sum{model="m"} 1000000001.011\n' in text


def test_alerts_and_prose_speak_of_metrics_that_there_are() -> None:
    prose = generate.OPERATIONS.read_text("utf-8")
    told = {family.name for family in FAMILIES}
    told |= {f"{family.name}_bucket" for family in FAMILIES if family.kind == "histogram"}
    spoken = set(re.findall(r"\b(?:paddock|process)_[a-z_]+", prose))
    assert spoken - told == set()
    alerts = prose.partition("### Alerts")[2].partition("```yaml")[2].partition("```")[0]
    assert alerts.count("- alert:") == alerts.count("expr:") >= 8
    labels = {family.name: {*family.labels, "le"} for family in FAMILIES}
    for name, matchers in re.findall(r"(paddock_[a-z_]+?)(?:_bucket)?\{([^}]*)\}", alerts):
        assert set(re.findall(r"(\w+)[=!]", matchers)) <= labels[name], name
