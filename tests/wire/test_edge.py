"""Tests the edge: Host and Origin on every route, unknown paths and methods, and the small routes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

from paddock.api.doctor import Doctor
from paddock.api.edge import Edge
from paddock.api.page import is_open
from paddock.api.routes import table
from tests.wire.rig import CHAT, COMPLETIONS, USER, Rig, scripted_studio
from tools.describe_api import Nothing

pytestmark = pytest.mark.anyio
ROUTES = [
    ("GET", "/"), ("HEAD", "/"), ("GET", "/health"), ("GET", "/v1/models"), ("GET", "/v1/models/pocket-v0"),
    ("POST", CHAT), ("POST", COMPLETIONS), ("POST", "/v1/embeddings"), ("GET", "/nowhere"), ("OPTIONS", CHAT),
]  # fmt: skip


def every_route() -> list[tuple[str, str]]:
    """Every method of every route of the application, and what stands where no route is."""
    edge = cast("Edge", Nothing())
    found = {
        (method, re.sub(r"{\w+(:path)?}", "x", route.path))
        for route in table(edge, Doctor(edge))
        for method in (*(route.methods or ()), "OPTIONS")
    }
    return sorted({*found, *ROUTES})


@pytest.mark.attack("pages of elsewhere")
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.5", ""]
)
async def test_a_page_that_rebinds_its_name_is_refused_on_every_route(rig: Rig, host: str) -> None:
    for method, path in every_route():
        response = await rig.http.request(
            method, path, headers={"Host": host}, json={"messages": [USER], "prompt": "x"}
        )
        assert response.status_code in (403, 400), (method, path, response.text)
        # Some are refused for other reasons, too.
        assert method == "HEAD" or "is not a name of this server" in response.text, (method, path, response.text)
    assert (await rig.engine.record())["requests"] == []


@pytest.mark.attack("pages of elsewhere")
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost:3000", "file://", ""],
)
async def test_a_page_of_another_origin_is_refused_on_every_route(rig: Rig, origin: str) -> None:
    for method, path in every_route():
        response = await rig.http.request(
            method, path, headers={"Origin": origin}, json={"messages": [USER], "prompt": "x"}
        )
        assert response.status_code == 403, (method, path, response.text)
        assert "access-control-allow-origin" not in response.headers
        assert method == "HEAD" or "allowed_origins" in response.text, (method, path, response.text)
    error = (await rig.http.get("/v1/models", headers={"Origin": origin})).json()["error"]
    assert error["type"] == "permission_error"
    assert (await rig.engine.record())["requests"] == []


@pytest.mark.attack("pages of elsewhere")
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_what_a_page_of_elsewhere_has_its_browser_fetch_is_refused_on_every_route(rig: Rig, site: str) -> None:
    for method, path in every_route():
        if is_open(path):
            continue
        response = await rig.http.request(
            method, path, headers={"Sec-Fetch-Site": site}, json={"messages": [USER], "prompt": "x"}
        )
        assert response.status_code == 403, (method, path, response.text)
        assert method == "HEAD" or "allowed_origins" in response.text, (method, path, response.text)
    assert (await rig.engine.record())["requests"] == []


def test_every_route_is_tried_by_pages_of_elsewhere() -> None:
    tried = set(every_route())
    for method, path in (
        ("POST", "/api/exports"), ("POST", "/api/training/x/checkpoints/x/try"), ("DELETE", "/api/evaluations/x"),
        ("GET", "/metrics"), ("GET", "/openapi.json"), ("GET", "/assets/x"), ("POST", "/api/shutdown"),
        ("HEAD", "/api/exports/x/files/x"), ("GET", "/nowhere"),
    ):  # fmt: skip
        assert (method, path) in tried
    # Few paths are open to a link from elsewhere: they hold the page, and nothing of anybody's.
    assert not [path for _, path in tried if is_open(path) and path.startswith(("/api/", "/v1/"))]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
@pytest.mark.parametrize("port", ["", ":8642", ":1"])
async def test_loopback_names_are_served(rig: Rig, name: str, port: str) -> None:
    assert (await rig.http.get("/health", headers={"Host": name + port})).status_code == 200


async def test_a_page_of_our_own_is_served(rig: Rig) -> None:
    response = await rig.post({"messages": [USER]}, headers={"Origin": rig.studio.url})
    assert response.status_code == 200


async def test_an_origin_that_was_allowed_is_served_and_told_so(tmp_path: Path) -> None:
    allowed = "http://localhost:3000"
    async with scripted_studio(tmp_path, allowed_origins=f"{allowed}, https://app.example/") as rig:
        for origin in (allowed, "https://app.example"):
            ask = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization",
            }
            preflight = await rig.http.options(CHAT, headers=ask)
            assert preflight.status_code in (200, 204)
            assert preflight.headers["access-control-allow-origin"] == origin
            assert "POST" in preflight.headers["access-control-allow-methods"]
            assert "authorization" in preflight.headers["access-control-allow-headers"]
            for response in (
                await rig.post({"messages": [USER]}, headers={"Origin": origin}),
                await rig.post({"messages": [USER], "stream": True}, headers={"Origin": origin}),
                await rig.post(b"nonsense", headers={"Origin": origin}),
            ):
                assert response.headers["access-control-allow-origin"] == origin
                assert response.headers["vary"].lower() == "origin"
        assert (await rig.http.get("/health", headers={"Origin": "http://localhost:3001"})).status_code == 403


@pytest.mark.rule("credentials")
@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer x"}, {"Authorization": "nonsense"}, {"x-api-key": "x"}]
)
async def test_any_credential_is_accepted_on_loopback(rig: Rig, header: dict[str, str]) -> None:
    assert (await rig.post({"messages": [USER]}, headers=header)).status_code == 200


@pytest.mark.rule("credentials")
@pytest.mark.parametrize("version", [None, "2023-06-01", "2099-01-01", "nonsense", ""])
@pytest.mark.parametrize("beta", [None, "prompt-caching-2024-07-31", "never-heard-of-1,another-2", "?beta"])
async def test_any_version_and_unknown_beta_flags_are_no_fault_on_messages(
    rig: Rig, version: str | None, beta: str | None
) -> None:
    given = {"anthropic-version": version, "anthropic-beta": beta, "x-api-key": "any"}
    headers = {name: value for name, value in given.items() if value is not None}
    body = {"model": "pocket-v0", "max_tokens": 5, "messages": [USER]}
    response = await rig.post(body, "/v1/messages?beta=true", headers)
    assert (response.status_code, response.json()["type"]) == (200, "message"), response.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_listening_beyond_loopback_asks_who_is_there(tmp_path: Path, host: str) -> None:
    async with scripted_studio(tmp_path, warm=False, host=host) as rig:
        # Nobody has an account yet: the terminal is told how the first one gets in, and the page is not.
        assert rig.studio.link is not None
        address, _, word = rig.studio.link.rpartition("/welcome#")
        # It can be opened elsewhere, which "every address" cannot.
        assert not address.startswith(("http://0.0.0.0", "http://[::]"))
        assert (await rig.http.get("/health", headers={"host": address.removeprefix("http://")})).status_code == 200
        assert (await rig.http.get("/v1/models")).status_code == 401
        assert (await rig.http.get("/health")).status_code == 200
        assert word not in (await rig.http.get("/", headers={"accept": "text/html"})).text
        assert (await rig.http.get("/api/session")).json()["rights"] == []


async def test_listening_beyond_loopback_can_be_insisted_on(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, host="0.0.0.0", unsafe_no_auth=True) as rig:
        assert (await rig.http.get("/health", headers={"Host": "192.168.1.5:8642"})).status_code == 200
        assert (await rig.http.get("/health", headers={"Host": "evil.example"})).status_code == 403
        assert (await rig.http.get("/health", headers={"Origin": "http://evil.example"})).status_code == 403


@pytest.mark.rule("error-unknown-path")
@pytest.mark.parametrize(
    "path",
    ["/v1/nowhere", "/v1/chat", "/api/nowhere", "/nowhere", "/v1/chat/completions/", "/V1/models", "/v1//models"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_unknown_path_is_a_404_in_our_shape(rig: Rig, path: str, method: str) -> None:
    response = await rig.http.request(method, path, content=b"x")
    assert response.status_code == 404
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert path in error["message"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", CHAT), ("PUT", CHAT), ("POST", "/v1/models"), ("DELETE", "/v1/models/pocket-v0")]
)
async def test_a_method_that_a_route_does_not_take_is_a_405_in_our_shape(rig: Rig, method: str, path: str) -> None:
    response = await rig.http.request(method, path, content=b"{}")
    assert response.status_code == 405
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert response.headers["allow"]


@pytest.mark.rule("also-health")
async def test_the_root_answers_a_probe(rig: Rig) -> None:
    assert (await rig.http.get("/")).status_code == 200
    head = await rig.http.head("/")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.rule("also-health")
async def test_health_tells_the_engines_state(rig: Rig) -> None:
    body = (await rig.http.get("/health")).json()
    assert (body["status"], body["engine"]) == ("ok", "ready")


@pytest.mark.rule("also-models")
async def test_models_are_listed_with_what_they_really_have(rig: Rig) -> None:
    listed = (await rig.http.get("/v1/models")).json()
    assert listed["object"] == "list"
    (pocket,) = [model for model in listed["data"] if model["id"] == "pocket-v0"]
    alone = (await rig.http.get("/v1/models/pocket-v0")).json()
    assert alone == {**pocket, "certificate_links": None, "recommended_sampling": alone["recommended_sampling"]}
    assert pocket["object"] == "model"
    assert isinstance(pocket["created"], int)
    props = await rig.http.get(
        f"http://127.0.0.1:{rig.engine.port}/props", headers={"Authorization": f"Bearer {await _key(rig)}"}
    )
    assert pocket["context_length"] == props.json()["default_generation_settings"]["n_ctx"]
    unknown = await rig.http.get("/v1/models/nothing")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


async def _key(rig: Rig) -> str:
    """The engine's private key, as the last request to it carried it."""
    await rig.chat()
    headers = dict((await rig.engine.seen())[-1]["headers"])
    return headers["Authorization"].removeprefix("Bearer ")


async def test_no_answer_shows_a_path_of_this_machine(rig: Rig, tmp_path: Path) -> None:
    import paddock

    inside = str(Path(paddock.__file__).parent)
    for method, path in ROUTES:
        response = await rig.http.request(method, path, content=b'{"model": "/etc/passwd", "messages": 5}')
        assert inside not in response.text
        assert "Traceback" not in response.text


async def test_embeddings_are_refused_by_a_model_that_chats(rig: Rig) -> None:
    response = await rig.post({"input": "hello"}, "/v1/embeddings")
    assert response.status_code == 400
    error = response.json()["error"]
    assert "embedding" in error["message"]
    assert error["param"] == "model"
    assert (await rig.engine.record())["requests"] == []
