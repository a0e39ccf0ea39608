"""Tests whose word decides about a request's sampling, and that a request's own fields are never touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.models.advice import Advice, advise
from paddock.models.families import SAMPLING, Family, Numbers, families
from paddock.models.gguf import read_header
from paddock.models.saved import ModelSettings
from paddock.serving.prepare import Prepared, prepare
from paddock.serving.sampling import recommended
from tests.fakes.gguf_files import gguf

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "Hello"}
VERIFIED = [family for family in families() if family.verified]
numbers = st.dictionaries(st.sampled_from(list(SAMPLING)), st.sampled_from([0, 0.25, 0.5, 1]))
FILE_CAN_SAY = [name for name in SAMPLING if name != "presence_penalty"]


def row(name: str) -> Family:
    return next(family for family in families() if family.name == name)


def advice(
    family: str | None = None, *, file: dict[str, float] | None = None, thinks: bool = False, **saved: Any
) -> Advice:
    return Advice(saved=ModelSettings(**saved), file=file or {}, family=row(family) if family else None, thinks=thinks)


def asked(advice: Advice, path: str = CHAT, **fields: Any) -> Prepared:
    return recommended(prepare(path, {"messages": [USER], "prompt": "x", **fields}), advice)


@given(saved=numbers, file=numbers, own=numbers, family=st.sampled_from([None, *VERIFIED]), thinks=st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_first_of_request_setting_file_and_family_decides(
    saved: dict[str, Any], file: dict[str, float], own: dict[str, Any], family: Family | None, thinks: bool
) -> None:
    file = {name: value for name, value in file.items() if name in FILE_CAN_SAY}
    known = Advice(saved=ModelSettings(**saved), file=file, family=family, thinks=thinks)
    request = {SAMPLING[name]: value for name, value in own.items()}
    before = prepare(CHAT, {"messages": [USER], **request, "user": "u"}).body
    body = asked(known, **request, user="u").body
    named: Numbers = family.numbers(thinks=thinks) if family else {}
    for name, field in SAMPLING.items():
        expected = own.get(name, saved.get(name, None if name in file else named.get(name)))
        assert body.get(field) == expected, name
    assert list(before) == [key for key in body if key in before]
    assert {key: body[key] for key in before} == before


def test_a_row_that_nobody_verified_is_offered_and_not_applied() -> None:
    unread = next(family for family in families() if not family.verified and family.sampling)
    known = Advice(saved=ModelSettings(), file={}, family=unread, thinks=False)
    prepared = prepare(CHAT, {"messages": [USER]})
    assert recommended(prepared, known) is prepared
    assert known.told()["applied"] == {}
    assert known.told()["offered"] == dict(unread.sampling)
    assert known.told()["verified"] is False


def test_nothing_is_added_where_nothing_is_known() -> None:
    prepared = prepare(CHAT, {"messages": [USER]})
    assert recommended(prepared, advice()) is prepared
    assert recommended(prepared, advice(file={"temperature": 0.0})) is prepared


def test_null_says_nothing_and_zero_says_something() -> None:
    known = advice("qwen2.5")
    assert asked(known, temperature=None).body["temperature"] == 0.7
    assert asked(known, temperature=0).body["temperature"] == 0
    assert asked(known, repetition_penalty=1.2).body["repeat_penalty"] == 1.2


def test_what_was_put_in_is_told_with_whose_word_it_is() -> None:
    known = advice("qwen2.5", temperature=0.25)
    assert (
        asked(known, top_k=5).sampling
        == "set for this model: temperature 0.25; qwen2.5: top_p 0.8, repeat_penalty 1.05"
    )


@pytest.mark.parametrize("path", ["/infill", "/tokenize", "/v1/embeddings"])
def test_routes_that_do_not_chat_are_left_alone(path: str) -> None:
    prepared = prepare(path, {"prompt": "x"})
    assert recommended(prepared, advice("qwen2.5", temperature=1.0)) is prepared


THINKING: list[tuple[dict[str, Any], float]] = [
    ({}, 1.0),
    ({"enable_thinking": False}, 0.7),
    ({"chat_template_kwargs": {"enable_thinking": False}}, 0.7),
    ({"chat_template_kwargs": {"enable_thinking": True}}, 1.0),
    ({"reasoning_effort": "none"}, 0.7),
    ({"reasoning_effort": "low"}, 1.0),
]


@pytest.mark.parametrize(("fields", "temperature"), THINKING)
def test_a_model_that_thinks_is_asked_in_another_way(fields: dict[str, Any], temperature: float) -> None:
    prepared = asked(advice("qwen3.5", thinks=True), **fields)
    assert prepared.body["temperature"] == temperature
    kwargs = prepare(CHAT, {"messages": [USER], **fields}).body.get("chat_template_kwargs")
    assert prepared.body.get("chat_template_kwargs") == kwargs


def test_thinking_is_switched_off_for_small_models_unless_the_request_or_a_setting_says_otherwise() -> None:
    small = advice("qwen3.5", thinks=False)
    assert asked(small, chat_template_kwargs={"a": 1}).body["chat_template_kwargs"] == {
        "a": 1,
        "enable_thinking": False,
    }
    assert asked(small).sampling.endswith("thinking off")
    assert asked(small, enable_thinking=True).body["chat_template_kwargs"] == {"enable_thinking": True}
    assert "chat_template_kwargs" not in asked(small, reasoning_effort="low").body
    assert "chat_template_kwargs" not in asked(small, "/v1/completions").body
    told_to = advice("qwen3.5", thinks=True, thinking="on")
    assert asked(told_to).body["chat_template_kwargs"] == {"enable_thinking": True}
    assert asked(told_to).body["temperature"] == 1.0


def test_advice_is_taken_from_the_file_and_its_size(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(
        gguf(more={"general.architecture": "qwen35", "general.name": "Qwen3.5 4B", "general.sampling.top_k": 9})
    )
    found = advise(read_header(path), "m")
    assert found.told() == {
        "applied": {
            "temperature": 0.7, "top_p": 0.8, "top_k": 9, "min_p": 0.0,
            "presence_penalty": 1.5, "repetition_penalty": 1.0,
        },
        "sources": {name: "file" if name == "top_k" else "family" for name in SAMPLING},
        "thinking": False,
        "family": "qwen3.5",
        "verified": True,
        "source": row("qwen3.5").source,
        "offered": {},
    }  # fmt: skip
    assert advise(read_header(path), "m", ModelSettings(thinking="on")).thinks
