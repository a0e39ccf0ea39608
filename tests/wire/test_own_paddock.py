"""A command that starts a paddock for itself opens it to nobody else, whatever the settings are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from paddock.cli import connection
from paddock.cli.connection import Address
from paddock.config import load
from tests.engine import environ
from tests.wire.rig import engine_program

BODY: dict[str, object] = {"messages": [{"role": "user", "content": "Hello"}]}
Use = Callable[[Address], None]


@pytest.fixture(params=[{}, {"require_key": True}, {"require_login": True}, {"tls_cert": "self-signed"}], ids=str)
def using(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Use], None]:
    """Runs something with a paddock that is its own."""
    settings = load(request.param, environ=environ(tmp_path / "home"))

    def use(how: Use) -> None:
        with connection.started(settings, engine_program=engine_program(tmp_path)) as address:
            how(address)

    return use


def test_it_answers_its_command(using: Callable[[Use], None]) -> None:
    def use(address: Address) -> None:
        assert "".join(piece.text for piece in connection.answer(address, BODY, timeout_s=60))
        assert connection.model_ids(address)
        assert connection.asked(address, "/api/keys", method="POST", body={"name": "mine"})["key"]

    using(use)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer x"}, {"x-api-key": "pdk-x"}, {"Cookie": "paddock-session=pds-x"}], ids=str
)
def test_it_answers_nobody_else(using: Callable[[Use], None], headers: dict[str, str]) -> None:
    def use(address: Address) -> None:
        asks: list[tuple[str, str, dict[str, Any] | None]] = [
            ("POST", "/api/keys", {"name": "theirs"}),
            ("POST", "/api/users", {"name": "them", "role": "admin"}),
            ("POST", "/api/session", {"name": "admin", "password": "x"}),
            ("POST", "/v1/chat/completions", BODY),
            ("GET", "/v1/models", None),
            ("GET", "/api/chats", None),
        ]
        with httpx.Client(base_url=address.url, headers=headers, trust_env=False) as them:
            for method, path, body in asks:
                answer = them.request(method, path, json=body)
                assert answer.status_code == 401, (path, answer.text)

    using(use)


def test_a_key_of_its_home_is_no_word_for_it(tmp_path: Path) -> None:
    settings = load({}, environ=environ(tmp_path / "home"))
    with connection.started(settings, engine_program=engine_program(tmp_path)) as address:
        key = connection.asked(address, "/api/keys", method="POST", body={"name": "n", "may": ["ask", "manage"]})["key"]
        answer = httpx.get(f"{address.url}/v1/models", headers={"x-api-key": key}, trust_env=False)
        assert answer.status_code == 401
        assert address.own_word
        assert address.own_word not in repr(address)
