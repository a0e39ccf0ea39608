"""Tests that a person's configuration keeps all that is not ours: values, comments, form; else it is refused."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml

from paddock.clients.known import Client, Target, client_of

TARGET = Target(url="http://127.0.0.1:8642", model="pocket-v0", context_tokens=4096, key="k")
CODEX = """\
# mine
instructions = \"\"\"
model = this line is text
# so is this
[model_providers.paddock]
\"\"\"
notify = [
  ["x"],
]
model = "gpt-5" # was
[projects."/x"] # here
trust_level = "trusted"
[model_providers.paddock] # old
name = "old"
[profiles.work]
model_provider = "other"
"""
CONTINUE = """\
# mine
name: mine
version: "1.0"
models:
  # the first
  - name: theirs # here
    provider: openai
  # ours
  - name: paddock
    model: old
    defaultCompletionOptions:
      maxTokens: 5
  - name: last
    provider: 'x'
# the end
rules:
  - be kind # always
"""


def file_of(name: str, text: str) -> str:
    file = client_of(name).file
    assert file
    return file.merged(text, TARGET)


def without_ours(tree: Any) -> Any:
    for name in ("model", "model_provider", "model_context_window", "model_providers"):
        tree.pop(name, None)
    return tree


def test_codexs_file_keeps_every_value_and_comment_that_is_not_ours() -> None:
    made = file_of("codex", CODEX)
    now = tomllib.loads(made)
    assert (now["model"], now["model_provider"], now["model_context_window"]) == ("pocket-v0", "paddock", 4096)
    assert now["model_providers"]["paddock"]["base_url"] == "http://127.0.0.1:8642/v1"
    assert without_ours(now) == without_ours(tomllib.loads(CODEX))
    for comment in ("# mine", "# was", "# here", "# old"):
        assert comment in made
    assert file_of("codex", made) == made


@pytest.mark.parametrize(
    "theirs",
    [
        '[model_providers.a]\nname = "a"\n[b]\nc = 1\n[model_providers.d]\nname = "d"\n',
        'model_providers = { a = { name = "a" } }\n[b]\nc = 1\n',
        '[[b]]\nc = 1\n[[b]]\nc = 2\n',
    ],
)  # fmt: skip
def test_providers_of_others_stay_in_codexs_file(theirs: str) -> None:
    had, now = tomllib.loads(theirs), tomllib.loads(file_of("codex", theirs))
    assert now["model_providers"].pop("paddock")
    assert now["model_providers"] == had.get("model_providers", {})
    assert without_ours(now) == without_ours(had)


def test_a_profile_that_wins_over_what_is_written_is_told_of() -> None:
    file = client_of("codex").file
    assert file
    assert "'work'" in file.warning('profile = "work"\n')
    assert file.warning(CODEX) == ""


def test_continues_file_keeps_every_value_and_comment_that_is_not_ours() -> None:
    made = file_of("continue", CONTINUE)
    had, now = yaml.safe_load(CONTINUE), yaml.safe_load(made)
    assert {name: value for name, value in now.items() if name not in ("models", "schema")} == {
        "name": "mine", "version": "1.0", "rules": ["be kind"]
    }  # fmt: skip
    assert [model["name"] for model in now["models"]] == ["theirs", "paddock", "last"]
    assert [now["models"][0], now["models"][2]] == [had["models"][0], had["models"][2]]
    assert now["models"][1]["model"] == "pocket-v0"
    assert now["models"][1]["defaultCompletionOptions"] == {"maxTokens": 5, "contextLength": 4096}
    for comment in ("# mine", "# the first", "# here", "# ours", "# the end", "# always"):
        assert comment in made
    assert file_of("continue", made) == made


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("llm", "# mine\n- model_id: a # here\n# next\n- {model_id: b}\n"),
        ("llm", "# nothing yet\n"),
        ("aider", "# mine\ndark-mode: true # here\nread: [a.md]\nmodel: gpt-5 # was\n"),
        ("aider", "# nothing yet\n"),
        ("continue", "models: # none\n"),
    ],
)
def test_comments_stay_in_yaml(name: str, theirs: str) -> None:
    made = file_of(name, theirs)
    for comment in ("# mine", "# here", "# next", "# was", "# nothing yet", "# none"):
        assert (comment in made) == (comment in theirs)
    assert "pocket-v0" in made


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("claude-code", '{"env": ["A"]}'), ("claude-code", "[]"), ("opencode", '{"provider": "x"}'),
        ("opencode", '{"provider": {"paddock": 1}}'), ("opencode", '{"x": 1e999}'),
        ("codex", "model_providers = 3"), ("codex", "[[model_providers]]\nname = 'x'\n"), ("codex", "a = 1\na = 2\n"),
        ("continue", "models: {theirs: 1}\n"), ("continue", "models: theirs\n"), ("continue", "- a\n"),
        ("continue", "a: 1\na: 2\n"), ("continue", "a: 1\n---\nb: 1\n"), ("continue", "&a [*a]\n"),
        ("continue", "models: &a\n- {name: x}\nx: *a\n"),
        ("llm", "theirs: {model_id: a}\n"), ("llm", "just text\n"), ("aider", "- a\n"), ("aider", "a: !b 1\n"),
    ],
)  # fmt: skip
def test_a_form_that_has_no_place_for_ours_is_refused(name: str, theirs: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        file_of(name, theirs)


@pytest.mark.parametrize("name", ["claude-code", "opencode"])
def test_json_keeps_what_is_there_mapping_by_mapping(name: str) -> None:
    had: Any = {"env": {"A": "1"}, "provider": {"paddock": {"models": {"mine": {}}}, "b": {}}, "é": [1.0, None]}
    made = file_of(name, json.dumps(had))
    now = json.loads(made)
    assert now["env"]["A"] == "1"
    assert set(now["provider"]) == {"paddock", "b"}
    assert "mine" in now["provider"]["paddock"]["models"]
    assert now["é"] == [1.0, None]
    dense = json.dumps(now)
    assert file_of(name, dense) == dense


def test_every_clients_file_is_made_from_nothing_and_read_again() -> None:
    made: list[Client] = [client for client in map(client_of, ("codex", "continue", "aider", "llm")) if client.file]
    for client in made:
        assert file_of(client.name, file_of(client.name, "")) == file_of(client.name, "")
