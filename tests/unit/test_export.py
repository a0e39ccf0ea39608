"""Tests what an export can be told, what its figures mean, and what is kept of what its worker tells."""

from __future__ import annotations

import math
from typing import Any

import pytest

from paddock.errors import FieldInvalid
from paddock.export.certificate import LINKS, PLAIN, QUANTISED, judged
from paddock.export.endings import figures_of
from paddock.export.prompts import CALLS, CHATS, over_the_wire
from paddock.export.spec import TRAINED, TYPES, as_table, name_of, spec_of

NEAR = {"positions": 340, "kl_mean": 1e-6, "kl_most": 1e-5, "scores_mean": 1e-4, "scores_most": 1e-3, "same_first": 340}


def figures(**changes: Any) -> dict[str, Any]:
    """Those of a file without a fault, with changes by names such as `tokenizer__eos_id`."""
    made: dict[str, Any] = {
        "template": {"prompts": 34, "different": [], "left_out": {}, "calls": 1, "calls_lost": []},
        "tokenizer": {
            "compared": 58, "different": [], "not_composed": [], "stops": [2, 5], "eos_id": 2, "not_stopping": []
        },
        "merge": {
            "weights": {"tensors": 9, "wrong": 0, "named": [], "lacking": [], "share": 1.0}, "distributions": NEAR
        },
        "conversion": {"type": "F16", "distributions": NEAR, "greedy_apart": []},
        "quantisation": {
            "weights": {"tensors": 9, "wrong": [], "error_most": 0.005, "worst": "a", "metadata": [],
                        "kinds": {"Q8_0": 7, "F32": 2}, "narrow": 0, "is_weighed": False},
            "distributions": NEAR,
        },
    }  # fmt: skip
    for name, value in changes.items():
        table, *path = made, *name.split("__")
        for part in path[:-1]:
            table[part] = dict(table[part])
            table = table[part]
        table[path[-1]] = value
    return made


def test_without_a_fault_every_link_passes() -> None:
    made = judged("Q8_0", figures())
    assert made["verdict"] == "pass"
    assert {name: one["verdict"] for name, one in made["links"].items()} == dict.fromkeys(LINKS, "pass")


DIFFERENT = [{"name": "chat 1", "at": 3, "source": "a", "file": "b"}]
FAULTS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"template__different": DIFFERENT}, "template", "fail", "'chat 1' from byte 3 on, 'b' for 'a'"),
    ({"template__calls_lost": ["x is read as y"]}, "template", "fail", "x is read as y"),
    ({"tokenizer__eos_id": 0}, "tokenizer", "fail", "ends with token 0, and the source with [2, 5]"),
    ({"tokenizer__not_stopping": [5]}, "tokenizer", "fail", "does not end an answer at [5]"),
    ({"tokenizer__different": DIFFERENT}, "tokenizer", "fail", "'chat 1' at token 3"),
    ({"merge__weights__wrong": 1, "merge__weights__share": 2.0}, "merge", "fail", "in the file 2.00 times"),
    ({"merge__weights__lacking": ["lost"]}, "merge", "fail", "lost"),
    ({"merge__distributions": {**NEAR, "kl_mean": 0.01}}, "merge", "warn", "kl 0.01"),
    ({"conversion__distributions": {**NEAR, "scores_mean": 0.1}}, "conversion", "fail", "scores 0.1"),
    ({"conversion__distributions": {**NEAR, "kl_mean": math.nan}}, "conversion", "fail", "kl nan"),
    ({"conversion__greedy_apart": ["'chat 2' from token 3 on"]}, "conversion", "warn", "'chat 2'"),
    ({"quantisation__weights__error_most": 0.03}, "quantisation", "fail", "a differs by 0.0300"),
    ({"quantisation__weights__error_most": math.nan}, "quantisation", "fail", "a differs by nan"),
    (
        {"quantisation__weights__error_most": 0.03, "quantisation__weights__is_weighed": True},
        "quantisation",
        "fail",
        "of its size, by what is important; Q8_0",
    ),
    ({"quantisation__weights__metadata": ["x.rope"]}, "quantisation", "fail", "x.rope"),
    ({"quantisation__weights__wrong": ["lost"]}, "quantisation", "fail", "lost"),
    ({"quantisation__distributions": {**NEAR, "kl_mean": 0.02}}, "quantisation", "warn", "kl 0.02"),
]


@pytest.mark.parametrize(("changes", "link", "verdict", "words"), FAULTS)
def test_a_fault_is_told_at_its_link_alone(changes: dict[str, Any], link: str, verdict: str, words: str) -> None:
    made = judged("Q8_0", figures(**changes))
    assert made["verdict"] == verdict
    assert {name: one["verdict"] for name, one in made["links"].items()} == {
        **dict.fromkeys(LINKS, "pass"),
        link: verdict,
    }
    assert words in made["links"][link]["says"]


def test_what_a_file_does_not_have_is_not_judged() -> None:
    bare = {"template": None, "tokenizer": figures()["tokenizer"], "conversion": figures()["conversion"]}
    made = judged("F16", bare)
    assert made["verdict"] == "pass"
    assert [name for name, one in made["links"].items() if one["verdict"] == "none"] == [
        "template",
        "merge",
        "quantisation",
    ]


def test_composed_characters_are_told_and_no_fault() -> None:
    made = judged("Q8_0", figures(tokenizer__not_composed=["text 20"]))["links"]["tokenizer"]
    assert made["verdict"] == "pass"
    assert "NFC" in made["says"]


def test_every_type_has_its_bounds() -> None:
    # What was trained alone is compared as its base is, and copied files are as they were.
    assert set(TYPES) - set(TRAINED) == set(PLAIN) | set(QUANTISED)


def test_it_is_told_in_which_types_a_file_is_and_why() -> None:
    says = judged("Q8_0", figures(quantisation__weights__narrow=3))["links"]["quantisation"]["says"]
    assert "9 tensors in Q8_0 (2 F32, 7 Q8_0; 3 have rows that no blocks of 256" in says
    says = judged("LORA", {**figures(), "merge": None, "quantisation": None})["links"]["conversion"]["says"]
    assert says.startswith("The adapter over its base (F16): kl")


def test_prompts_are_many_and_calls_are_sent_as_text() -> None:
    assert len(CHATS) >= 32
    assert len({name for name, _ in CHATS}) == len(CHATS)
    assert all("tools" in CHATS[one][1] for one in CALLS)
    sent = [over_the_wire(body) for _, body in CHATS]
    calls = [call for body in sent for one in body["messages"] for call in one.get("tool_calls", [])]
    assert calls
    assert all(isinstance(call["function"]["arguments"], str) for call in calls)
    kept = [call for _, body in CHATS for one in body["messages"] for call in one.get("tool_calls", [])]
    assert all(isinstance(call["function"]["arguments"], dict) for call in kept)


def test_an_export_is_said_in_one_way() -> None:
    spec = spec_of({"source": "job_1", "name": "x", "types": "q8_0, F16,Q8_0"})
    assert spec.types == ("Q8_0", "F16")
    assert spec_of(as_table(spec)) == spec
    assert spec.plain == "F16"
    assert spec_of({"source": "a", "name": "x", "types": ["Q8_0", "BF16"]}).plain == "BF16"
    assert name_of("../my model/ü") == "my-model"
    assert name_of("///") == "model"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"source": 1}, "source"), ({"source": "a", "name": "."}, "name"), ({"source": "a", "name": "x."}, "name"),
        ({"source": "a", "name": "x", "types": 1}, "types"),
        ({"source": "a", "name": "x", "certifies": 1}, "certifies"),
        ({"sauce": "a"}, "sauce"), ({"source": "a", "name": "x", "types": ["F8"]}, "types"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_refused_by_its_name(given: dict[str, Any], param: str) -> None:
    with pytest.raises(FieldInvalid) as refused:
        spec_of(given)
    assert refused.value.param == param


def test_figures_are_the_newest_of_what_was_told() -> None:
    figures = figures_of(
        {},
        [
            {"number": 1, "kind": "step", "step": 1, "steps": 2, "doing": "merge"},
            {"number": 2, "kind": "artifact", "name": "F16", "path": "/a", "size_bytes": 3},
            {
                "number": 3, "kind": "certificate", "name": "F16", "verdict": "pass", "links": {}, "path": "/b",
                "faults": [],
            },
        ],
    )  # fmt: skip
    assert figures["artifacts"] == {"F16": {"path": "/a", "size_bytes": 3}}
    assert figures["certificates"] == {"F16": {"verdict": "pass", "links": {}, "path": "/b", "changed": []}}
    assert figures["events"] == 3
