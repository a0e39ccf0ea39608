"""Tests what `paddock keys` and `paddock models alias` refuse, and that a list survives what was let in before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paddock import cli
from paddock.models.aliases import Aliases
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.keys import Keys


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("PADDOCK_HOME", str(tmp_path))
    return Home(root=tmp_path)


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("days", ["99999999999", "1e308", "4000000", "36501", "inf", "nan", "0", "-1"])
def test_a_key_is_not_valid_beyond_a_hundred_years(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("keys", "create", "--expires-days", days) != 0
    assert "expires-days" in capsys.readouterr().err
    assert run("keys", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_the_longest_key_is_made_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("keys", "create", "--expires-days", "36500") == 0
    capsys.readouterr()
    assert run("keys", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["expires"].startswith("21")


@pytest.mark.parametrize("expires_s", [1e300, 8.6e15, float("inf")])
def test_the_list_survives_a_key_that_ends_after_the_calendar(
    expires_s: float, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    Keys(Database("", home), home).create("old", expires_s=expires_s)
    assert run("keys", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["expires"].endswith("s after 1970")


@pytest.mark.parametrize("pattern", ["", " ", "[", "a[b", "[!", "[]", "[a]b[", " x", "x\n", "\x1b[m"])
def test_a_pattern_that_no_name_can_match_is_refused(
    pattern: str, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("models", "alias", pattern, "pocket-v0") == 1
    assert capsys.readouterr().err.startswith("Error: ")
    assert Aliases(home).all() == {}


@pytest.mark.parametrize("pattern", ["gpt-5", "claude-*", "gpt-[45]*", "a[!b]", "a[[]b", "org/name:Q4", "[]]x"])
def test_names_and_globs_are_taken(pattern: str, home: Home) -> None:
    assert run("models", "alias", pattern, "pocket-v0") == 0
    assert Aliases(home).all() == {pattern: "pocket-v0"}
