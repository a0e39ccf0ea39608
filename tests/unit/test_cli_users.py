"""Tests `paddock users`: accounts made, listed, changed and removed in the terminal, and keys that are theirs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Run:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def paddock(tmp_path: Path) -> Callable[..., Run]:
    """Runs a command in a data home of its own."""

    def run(*words: str, stdin: str = "") -> Run:
        ended = subprocess.run(
            [sys.executable, "-m", "paddock", *words],
            env={**os.environ, "PADDOCK_HOME": str(tmp_path)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(ended.returncode, ended.stdout, ended.stderr)

    return run


def test_an_account_is_made_listed_changed_and_removed(paddock: Callable[..., Run]) -> None:
    assert paddock("users", "add", "Anna", "--admin", stdin=f"{PASSWORD}\n").out == "anna is made.\n"
    assert "anna" in paddock("users", "list").out
    (entry,) = json.loads(paddock("users", "list", "--json").out)
    assert (entry["name"], entry["role"], entry["state"]) == ("anna", "admin", "enabled")
    made = paddock("users", "add", "ben", "--link")
    assert re.match(r"http://127\.0\.0\.1:8642/welcome#pdl-[\w-]{43}\nben is made\.\n", made.out)
    assert "good for an hour" in made.err
    assert paddock("users", "change", "ben", "--admin").out == "ben is admin, no password.\n"
    assert paddock("users", "change", "ben", "--user", "--disable").out == "ben is user, disabled.\n"
    assert paddock("users", "link", "anna").out.startswith("http://127.0.0.1:8642/welcome#pdl-")
    assert paddock("users", "password", "anna", stdin="another horse entirely\n").status == 0
    assert paddock("users", "remove", "ben", "--yes").out == "ben is removed.\n"
    deeds = [one["deed"] for one in json.loads(paddock("users", "audit", "--json").out)]
    assert deeds == [
        "account removed", "password set", "link made", "account changed", "account changed", "account made",
        "account made",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (("add", "anna"), "short\n", "needs 10"),
        (("add", "a b"), f"{PASSWORD}\n", "cannot be an account's name"),
        (("link", "nobody"), "", "no account 'nobody'"),
        (("change", "nobody"), "", "Nothing is to be changed"),
        (("change", "nobody", "--disable"), "", "no account 'nobody'"),
        (("password", "nobody"), f"{PASSWORD}\n", "no account 'nobody'"),
    ],
)
def test_what_cannot_be_is_told(paddock: Callable[..., Run], words: tuple[str, ...], stdin: str, says: str) -> None:
    told = paddock("users", *words, stdin=stdin)
    assert (told.status, says in told.err) == (1, True), told
    assert json.loads(paddock("users", "list", "--json").out) == []


def test_the_last_admin_stays(paddock: Callable[..., Run]) -> None:
    paddock("users", "add", "anna", "--admin", stdin=f"{PASSWORD}\n")
    for words in (("remove", "anna", "--yes"), ("change", "anna", "--user"), ("change", "anna", "--disable")):
        told = paddock("users", *words)
        assert (told.status, "the last admin" in told.err) == (1, True)


def test_a_key_has_rights_limits_and_an_owner(paddock: Callable[..., Run]) -> None:
    paddock("users", "add", "ben", stdin=f"{PASSWORD}\n")
    made = paddock(
        "keys", "create", "--may", "ask, chats,manage", "--models", "qwen-*", "--paths", "/v1/*", "--user", "ben",
        "--requests-per-minute", "5", "--tokens-per-day", "100", "--json",
    )  # fmt: skip
    key = json.loads(made.out)
    # A user's key never may what a user may not.
    assert (key["may"], key["models"], key["paths"]) == (["ask", "chats"], ["qwen-*"], ["/v1/*"])
    assert (key["requests_per_minute"], key["requests_per_day"], key["tokens_per_day"]) == (5, 0, 100)
    assert json.loads(paddock("keys", "create", "--json").out)["may"] == ["ask"]
    refused = ((("--may", "fly"), "'fly' is no right"), (("--may", " , "), "empty"), (("--user", "x"), "no account"))
    for words, says in refused:
        told = paddock("keys", "create", *words)
        assert (told.status, says in told.err) == (1, True), told
    paddock("users", "remove", "ben", "--yes")
    assert [one["state"] for one in json.loads(paddock("keys", "list", "--json").out)] == ["revoked", "valid"]


def test_a_link_names_an_address_that_others_can_open(
    paddock: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paddock("users", "add", "anna", "--link").status == 0
    monkeypatch.setenv("PADDOCK_HOST", "0.0.0.0")
    host = paddock("users", "link", "anna").out.removeprefix("http://").partition(":")[0]
    assert host not in {"", "0.0.0.0"}
    monkeypatch.setenv("PADDOCK_HOST", "::1")
    assert paddock("users", "link", "anna").out.startswith("http://[::1]:8642/welcome#")


def test_a_link_leads_to_the_paddock_that_serves_wherever_it_was_told_to(
    paddock: Callable[..., Run], tmp_path: Path
) -> None:
    assert paddock("users", "add", "anna", "--link").status == 0
    (tmp_path / "serving.lock").write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:8952"}))
    assert paddock("users", "link", "anna").out.startswith("http://127.0.0.1:8952/welcome#pdl-")
    # Of one that is gone nothing is to be had there.
    (tmp_path / "serving.lock").write_text(json.dumps({"pid": 2**30, "url": "http://127.0.0.1:8952"}))
    assert paddock("users", "link", "anna").out.startswith("http://127.0.0.1:8642/welcome#pdl-")


def test_a_bound_that_binds_nothing_makes_no_key(paddock: Callable[..., Run]) -> None:
    for words in (("--models", ""), ("--models", " , "), ("--paths", ""), ("--user", "")):
        told = paddock("keys", "create", *words)
        assert (told.status, f"{words[0]} is empty" in told.err) == (1, True), told
    for words in (("--models", "a*"), ("--tokens-per-day", "5")):
        told = paddock("keys", "create", "--may", "ask,train", *words)
        assert (told.status, "A key that may train" in told.err) == (1, True), told
    assert "needs the right 'ask' too" in paddock("keys", "create", "--may", "train").err
    assert json.loads(paddock("keys", "list", "--json").out) == []


def test_a_name_is_one_line_wherever_it_is_listed(paddock: Callable[..., Run]) -> None:
    paddock("keys", "create", "--name", "a\nkey_forged  …abcd  valid")
    assert len(paddock("keys", "list").out.splitlines()) == 1
