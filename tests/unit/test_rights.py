"""Tests which right each route needs, and that whoever lacks it is told what helps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest

from paddock.api import rights
from paddock.api.doctor import Doctor
from paddock.api.edge import Edge
from paddock.api.routes import published
from paddock.caller import ALL, LOCAL, OF_ROLE, RIGHTS, SAYS, VISITOR, Caller, acting, current
from paddock.errors import NotPermitted
from tools.describe_api import Nothing

ROUTES = published(cast(Edge, Nothing()), Doctor(cast(Edge, Nothing())))
EVERY = sorted((method, route.path) for route in ROUTES for method in (route.methods or {"GET"}) - {"HEAD"})


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_every_route_tells_which_right_it_needs(method: str, path: str) -> None:
    rights.needed(method, path)


def test_a_route_that_is_not_told_is_refused_when_paddock_is_built() -> None:
    with pytest.raises(LookupError, match="NEEDED"):
        rights.needed("POST", "/api/brand/new")


def test_no_line_of_the_table_is_for_nothing() -> None:
    first = {(method, path): next(p for p, _ in rights.NEEDED if _matches(method, path, p)) for method, path in EVERY}
    assert {pattern for pattern, _ in rights.NEEDED} - set(first.values()) == {"GET /metrics", "GET /openapi.json"}


def _matches(method: str, path: str, pattern: str) -> bool:
    found = re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), f"{method} {path}")
    return found is not None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/shutdown"), ("PATCH", "/api/settings"), ("POST", "/api/engines/install"), ("POST", "/api/users"),
        ("GET", "/api/users"), ("GET", "/api/audit"), ("POST", "/api/requests/recording"), ("POST", "/api/engines/use"),
        ("DELETE", "/api/requests"),
        ("PUT", "/api/models/{id}/settings"), ("PUT", "/api/aliases/{pattern}"),
        ("DELETE", "/api/users/{name}"), ("POST", "/api/users/{name}/link"), ("POST", "/api/engines/job/cancel"),
    ],
)  # fmt: skip
def test_what_changes_the_machine_is_for_those_who_manage_it(method: str, path: str) -> None:
    assert rights.needed(method, path) == "manage"


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("POST", "/v1/chat/completions", "ask"), ("GET", "/api/chats", "chats"),
        ("DELETE", "/api/models/{id}", "delete"), ("DELETE", "/api/delete", "delete"),
        ("POST", "/api/pull", "download"), ("POST", "/api/models/import", "download"),
        ("POST", "/api/models/{id}/load", "load"), ("GET", "/api/requests/{id}", "inspect"),
        ("GET", "/api/requests", "inspect"), ("GET", "/api/system/log", "inspect"), ("POST", "/api/chat", "ask"),
        ("GET", "/metrics", "inspect"), ("POST", "/api/attachments", "chats"), ("GET", "/api/session", None),
        ("GET", "/api/tools", "ask"), ("GET", "/api/tools/file", "tools"),
        ("PUT", "/api/tools/file", "tools"), ("GET", "/api/tools/files", "tools"),
    ],
)  # fmt: skip
def test_rights_are_as_narrow_as_they_say(method: str, path: str, right: str | None) -> None:
    assert rights.needed(method, path) == right


def test_every_right_says_what_it_lets_do() -> None:
    assert set(SAYS) == set(RIGHTS) == ALL
    assert {right for _, right in rights.NEEDED} - {None} == ALL
    assert OF_ROLE["user"] < OF_ROLE["admin"] == ALL


@pytest.mark.parametrize(
    ("caller", "says"),
    [
        (VISITOR, "at the machine of paddock"),
        (Caller(name="key key_1", rights=frozenset(("ask",)), key_id="key_1"), "--may manage"),
        (Caller(name="ben", rights=OF_ROLE["user"], account_id="usr_1"), "an admin has"),
    ],
)
def test_whoever_lacks_a_right_is_told_what_helps(caller: Caller, says: str) -> None:
    with pytest.raises(NotPermitted, match=says):
        rights.permit(caller, "manage", "/api/shutdown")
    rights.permit(LOCAL, "manage", "/api/shutdown")


def test_patterns_narrow_models_and_paths() -> None:
    narrow = Caller(name="key", rights=ALL, models=("qwen-*", "pocket-v0"), paths=("/v1/embeddings",))
    assert narrow.may_use("qwen-3", "x")
    assert narrow.may_use("other", "pocket-v0")
    assert not narrow.may_use("llama")
    assert narrow.may_call("/v1/embeddings")
    for path in ("/v1/embeddings/", "/v1/embeddings/../chat", "/V1/EMBEDDINGS", "/v1/chat/completions"):
        assert not narrow.may_call(path)


def test_all_but_a_star_stands_for_itself_in_a_pattern() -> None:
    narrow = Caller(name="key", rights=ALL, models=("m?del", "a[bc]"), paths=("/v1/[m]odels",))
    assert narrow.may_use("m?del")
    assert narrow.may_use("a[bc]")
    assert not narrow.may_use("model", "ab")
    assert not narrow.may_call("/v1/models")


def test_code_runs_for_whoever_it_was_begun_for() -> None:
    assert current().owner is None
    with acting(LOCAL):
        assert current() is LOCAL
        with pytest.raises(ValueError, match="inside"), acting(VISITOR):
            raise ValueError("inside")
        assert current() is LOCAL
    assert current().owner is None


def test_the_table_stands_in_the_documents() -> None:
    text: Any = (Path(__file__).parents[2] / "docs" / "keys.md").read_text("utf-8")
    for right in RIGHTS:
        assert f"| `{right}` | {SAYS[right]} |" in text
