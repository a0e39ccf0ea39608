"""Tests that no text which a route takes escapes the table of those that are attacked."""

from __future__ import annotations

import re
from pathlib import Path

from paddock.api import edge
from tests.wire.parameters import APART, BODIES, QUERIES, body_schema, description, places

API = Path(edge.__file__).parent
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in description()["paths"].items()
    for method, operation in methods.items()
}
# How routes read a query: by name, or through the two functions that check what they read.
_READ = re.compile(
    r"""(?:query_params|query)\.get(?:list)?\(\s*"(\w+)\""""
    r"""|\b_?(?:query_id|choice|whole|number)\((?:request|query), "(\w+)\""""
)


def test_every_body_is_described_or_told_here() -> None:
    silent = {name for name, one in OPERATIONS.items() if "requestBody" in one and body_schema(one) is None}
    assert silent - set(BODIES) == set()


def test_what_is_told_here_is_there() -> None:
    assert set(BODIES) - set(OPERATIONS) == set()
    assert set(QUERIES) - set(OPERATIONS) == set()
    assert set(APART) - set(OPERATIONS) == set()


def test_every_query_that_is_read_is_in_the_table_and_no_other() -> None:
    read = {
        name for file in API.glob("*.py") for pair in _READ.findall(file.read_text("utf-8")) for name in pair if name
    }
    assert len(read) > 15
    assert read - {str(place.keys[0]) for place in places() if place.where == "query"} == set()
    assert {name for names in QUERIES.values() for name in names} - read == set()


def test_every_name_in_a_path_is_in_the_table() -> None:
    named = {(name, key) for name in OPERATIONS for key in re.findall(r"{(\w+)", name) if name not in APART}
    assert named - {(place.operation, place.keys[0]) for place in places() if place.where == "path"} == set()


def test_the_table_holds_what_it_should() -> None:
    found = {(place.operation, place.where, place.keys) for place in places()}
    assert ("POST /api/models/import", "body", ("path",)) in found
    assert ("GET /assets/{name}", "path", ("name",)) in found
    assert ("POST /v1/chat/completions", "body", ("messages", 0, "content", 1, "image_url", "url")) in found
    assert ("POST /api/attachments", "query", ("name",)) in found
    assert ("POST /api/keys", "body", ("models", 0)) in found
    assert ("PUT /api/models/{id}/settings", "body", ("chat_template",)) in found
    assert ("PATCH /api/settings", "body", ("model_folders",)) in found
    for name in ("base", "data", "eval_data", "reward_code"):
        for path in ("training", "training/options", "training/estimate"):
            assert (f"POST /api/{path}", "body", ("spec", name)) in found
    for name in ("source", "base", "importance"):
        assert ("POST /api/exports", "body", (name,)) in found
        assert ("POST /api/exports/estimate", "body", (name,)) in found
    assert ("POST /api/evaluations", "body", ("set", 0, "messages", 0, "content", 1, "image_url", "url")) in found
    assert ("POST /api/evaluations", "body", ("against",)) in found
    assert ("POST /api/evaluation-sets/check", "body", ("lines",)) in found
    assert ("POST /api/training/{id}/checkpoints/{step}/try", "body", ("model",)) in found
