"""Tests that what is set for a model is checked, kept whole and found again."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import BadRequest, HomeUnusable
from paddock.models.saved import NAMES, UNSET, ModelSettings, Saved, checked, spec_of
from paddock.paths import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home")
    home.ensure()
    return home


def test_settings_are_set_cleared_and_found_by_others(home: Home) -> None:
    saved = Saved(home)
    assert saved.get("m") == UNSET
    saved.update("m", {"temperature": "0.6", "slots": 3, "kv_type": "q8_0", "pinned": "yes"})
    saved.update("n:Q4", {"thinking": "off"})
    settings = saved.update("m", {"slots": None})
    assert settings == ModelSettings(temperature=0.6, kv_type="q8_0", pinned=True)
    assert Saved(home).get("m") == settings
    assert Saved(home).get("n:Q4").given() == {"thinking": "off"}
    saved.update("n:Q4", {"thinking": None})
    assert json.loads(home.model_settings.read_text("utf-8")) == {"m": settings.given()}


def test_a_change_by_another_process_is_seen(home: Home) -> None:
    mine, theirs = Saved(home), Saved(home)
    assert mine.get("m") == UNSET
    theirs.update("m", {"top_k": 7})
    assert mine.get("m").top_k == 7


WRONG: list[tuple[str, Any, str]] = [
    ("temprature", 1, "Did you mean 'temperature'?"),
    ("zzz", 1, "Settings: temperature"),
    ("temperature", 9, "between 0 and 5"),
    ("temperature", "warm", "not a number"),
    ("temperature", True, "not a number"),
    ("top_k", 1.5, "not a whole number"),
    ("top_p", "nan", "between 0 and 1"),
    ("slots", 0, "between 1 and 64"),
    ("kv_type", "q3", "one of f32, f16"),
    ("thinking", "maybe", "one of on, off"),
    ("pinned", "perhaps", "not true or false"),
    ("draft_model", "", "1 to"),
    ("chat_template", "x" * (2**18 + 1), "1 to"),
]


@pytest.mark.parametrize(
    ("name", "value", "words"), WRONG, ids=[f"{name}-{str(value)[:9]}" for name, value, _ in WRONG]
)
def test_what_cannot_be_used_is_refused_by_name_and_nothing_is_written(
    home: Home, name: str, value: Any, words: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        Saved(home).update("m", {"top_k": 3, name: value})
    assert words in caught.value.message
    assert caught.value.param == name
    assert not home.model_settings.exists()


def test_clearing_an_unknown_name_is_refused_too(home: Home) -> None:
    with pytest.raises(BadRequest, match="no setting"):
        Saved(home).update("m", {"temprature": None})


def test_settings_that_exclude_each_other_are_refused(home: Home) -> None:
    saved = Saved(home)
    saved.update("m", {"flash_attention": "off", "kv_type": "f16"})
    with pytest.raises(BadRequest, match="needs flash attention"):
        saved.update("m", {"kv_type": "q8_0"})
    with pytest.raises(BadRequest, match="Clear one of them"):
        saved.update("m", {"draft_model": "d", "ngram_speculation": True})
    assert saved.get("m").given() == {"flash_attention": "off", "kv_type": "f16"}


def test_a_template_is_kept_by_its_text_until_a_server_starts_that_needs_it_no_more(home: Home) -> None:
    saved = Saved(home)
    one = saved.update("m", {"chat_template": "{{ messages }}"})
    path = saved.template_path(one)
    assert path is not None
    assert path.read_text("utf-8") == "{{ messages }}"
    assert saved.update("n", {"chat_template": "{{ messages }}"}).chat_template == one.chat_template
    saved.update("m", {"chat_template": "builtin"})
    assert saved.template_path(saved.get("m")) is None
    assert path.exists()
    saved.update("n", {"chat_template": "other"})
    assert path.exists(), "an engine that runs may be started with it again"
    saved.forget_templates()
    assert not path.exists()
    assert [file.suffix for file in home.templates.iterdir()] == [".jinja"]


@pytest.mark.parametrize("text", ["a\0b", "a\ud800"])
def test_a_template_that_is_no_text_is_refused(home: Home, text: str) -> None:
    with pytest.raises(BadRequest, match="half a character"):
        Saved(home).update("m", {"chat_template": text})


@pytest.mark.parametrize("text", ["{", "[]", '{"m": 1}', '{"m": {"unheard_of": 1}}', '{"m": {"slots": "many"}}'])
def test_a_damaged_file_is_named_and_left_as_it_is(home: Home, text: str) -> None:
    home.model_settings.write_text(text, "utf-8")
    saved = Saved(home)
    for ask in (lambda: saved.get("m"), lambda: saved.update("m", {"slots": 2})):
        with pytest.raises(HomeUnusable, match=r"model-settings\.json"):
            ask()
    assert home.model_settings.read_text("utf-8") == text


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../remotes.json", "..", f"{'0' * 32}.jinja\n", f"{'A' * 32}.jinja", "builtin", 7]
)
def test_a_file_leads_to_no_template_but_those_beside_it(home: Home, name: str | int) -> None:
    home.model_settings.write_text(json.dumps({"m": {"chat_template": name}}), "utf-8")
    with pytest.raises(HomeUnusable, match=r"model-settings\.json .* Mend or remove it"):
        Saved(home).get("m")


def test_every_setting_says_what_it_is_and_when_it_takes_effect() -> None:
    for name in NAMES:
        about = spec_of(name).metadata
        assert about["help"].endswith(".")
        assert about["when"] in ("request", "load")
        assert about["kind"] in (bool, str) or (about["low"] is not None and about["high"] is not None)
    assert [spec.default for spec in fields(ModelSettings)] == [None] * len(NAMES)
    assert checked("context_tokens", "8192") == 8192
