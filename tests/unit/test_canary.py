"""Tests what is made of a canary's findings: which models are tried, when a build is slower, what is kept and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from paddock.cli.canary import model_line, told
from paddock.errors import CanaryFailed
from paddock.install.canary import (
    FILE,
    SLOW_BELOW,
    Candidate,
    ModelTrial,
    Need,
    Outcome,
    Repetition,
    Speed,
    choose,
    figures,
    judged,
    keep,
    kept,
    middle,
    refuse_failed,
    skipped,
    slower_in,
)

CANDIDATE = Candidate(build="b2", program=("b2",), identity=[1, 2, 3], against="b1", active=("b1",))
KEPT = (Outcome(name="props", status="pass"), Outcome(name="call", status="pass"))


def pair(new: tuple[float | None, float | None], active: tuple[float | None, float | None]) -> Repetition:
    return Repetition(
        new=Speed(reading=new[0], generation=new[1]), active=Speed(reading=active[0], generation=active[1])
    )


EVEN = pair((100.0, 10.0), (100.0, 10.0))
SLOW = pair((100.0, 5.0), (100.0, 10.0))


def test_the_smallest_models_that_fit_are_chosen() -> None:
    needs = [
        Need(model=name, needed_bytes=size) for name, size in {"d": 40, "a": 10, "e": 50, "c": 30, "b": 20}.items()
    ]
    assert choose(needs, 100) == ["a", "b", "c"]
    assert choose(needs, 20) == ["a", "b"]
    assert choose(needs, 100, most=1) == ["a"]
    assert choose(needs, 9) == []
    assert choose([], 100) == []


def test_the_middle_of_runs_is_taken_for_each_kind_by_itself() -> None:
    runs = [Speed(reading=1.0, generation=9.0), Speed(reading=3.0), Speed(reading=2.0, generation=7.0)]
    assert middle(runs) == Speed(reading=2.0, generation=8.0)
    assert middle([]) == middle([Speed()]) == Speed()


def test_a_build_is_slower_where_each_repetition_says_so_of_the_same_thing() -> None:
    assert slower_in([SLOW, SLOW]) == ["generation"]
    assert slower_in([SLOW, EVEN]) == []
    assert slower_in([SLOW, pair((50.0, 10.0), (100.0, 10.0))]) == []
    assert slower_in([pair((10.0, 1.0), (100.0, 10.0))]) == ["reading", "generation"]
    assert slower_in([]) == []


def test_the_threshold_itself_is_not_below_it_and_what_is_unknown_is_not_slow() -> None:
    assert slower_in([pair((SLOW_BELOW * 100, 6.9), (100.0, 10.0))]) == ["generation"]
    assert slower_in([pair((None, None), (100.0, 10.0))]) == []
    assert slower_in([pair((1.0, 1.0), (None, None))]) == []


def test_figures_tell_both_builds_and_their_ratio() -> None:
    assert figures(SLOW) == (
        "reading 100.0 against 100.0 tokens/s (1.00 x), generation 5.0 against 10.0 tokens/s (0.50 x)"
    )
    assert figures(pair((None, 5.0), (None, None))) == "reading ? against ? tokens/s, generation 5.0 against ? tokens/s"


def test_a_build_that_kept_all_passes_whatever_was_skipped() -> None:
    skip = ModelTrial(model="m", status="skip", reason="no room")
    record = judged(candidate=CANDIDATE, paddock="1", expectations=KEPT, models=[skip])
    assert (record.status, record.reasons, record.against) == ("passed", (), "b1")
    refuse_failed(record)
    refuse_failed(skipped(CANDIDATE, paddock="1"))


def test_a_build_that_failed_is_told_with_its_reasons_and_the_way_on() -> None:
    record = judged(
        candidate=CANDIDATE,
        paddock="1",
        expectations=[Outcome(name="props", status="fail", reason="no context")],
        clients=[Outcome(name="llm", status="fail", reason="shape: no id.")],
        models=[ModelTrial(model=name, status="fail", reason="it crashed") for name in ("m", "n")],
    )
    assert record.status == "failed"
    with pytest.raises(CanaryFailed) as refused:
        refuse_failed(record)
    assert refused.value.message == (
        "'b2' is here, but was not activated: props: no context; the requests of llm: shape: no id; the model 'm': it "
        "crashed (and 1 more). 'b1' stays active. `paddock engine use b2 --anyway` uses it all the same."
    )
    with pytest.raises(CanaryFailed, match=r"which is active, changed .* `paddock engine use previous`"):
        refuse_failed(replace(record, against="b2"))


def test_a_record_is_kept_beside_the_build_and_read_as_it_was(tmp_path: Path) -> None:
    trial = ModelTrial(model="m", status="pass", repetitions=(EVEN, SLOW), says_the_same=False)
    record = judged(
        candidate=CANDIDATE, paddock="1", expectations=KEPT, clients=KEPT, models=[trial], notes=["a note"]
    )  # fmt: skip
    keep(record, tmp_path)
    assert kept(tmp_path) == record
    assert record.made_s > 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"build": 1}', '{"reasons": [], "models": [{}]}'])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    assert kept(tmp_path) is None
    (tmp_path / FILE).write_text(text, "utf-8")
    assert kept(tmp_path) is None


def test_each_model_is_one_line() -> None:
    well = ModelTrial(model="m", status="pass", repetitions=(EVEN,), says_the_same=False)
    assert model_line(well).startswith("m works: reading 100.0 against")
    assert model_line(well).endswith("(1.00 x); greedy text differs")
    assert model_line(ModelTrial(model="m", status="fail", reason="it crashed")) == "m fails: it crashed"
    assert model_line(ModelTrial(model="m", status="skip", reason="no room")) == "m was not tried: no room"


def test_a_record_is_told_by_its_day_its_counts_and_its_reasons() -> None:
    failing = ModelTrial(model="m", status="fail", reason="it crashed")
    record = replace(judged(candidate=CANDIDATE, paddock="1", expectations=KEPT, models=[failing]), made_s=86400)
    assert list(told(record)) == [
        "failed on 1970-01-02: 2 expectations, 0 clients, 1 model",
        "the model 'm': it crashed",
    ]
    bare = replace(skipped(CANDIDATE, paddock="1"), made_s=0)
    assert list(told(bare)) == ["skipped on 1970-01-01: the build was tried by its probe alone"]
