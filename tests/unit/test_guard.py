"""Tests the edge: which Host and Origin may call, what every answer carries, and that no failure shows its inside."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paddock.api.credentials import is_credential_needed
from paddock.api.faults import INTERNAL_MESSAGE
from paddock.api.guard import Guard
from paddock.api.observing import Answered, Observed
from paddock.config import Settings
from paddock.errors import BadRequest
from paddock.tracing.traces import Traces

SECRET = "Traceback /srv/secret.py line 7"
OWN = "127.0.0.1:8642"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-inner", b"1")]})
    await send({"type": "http.response.body", "body": b"hel", "more_body": True})
    await send({"type": "http.response.body", "body": b"lo"})


def failing(error: BaseException, *, after: int = 0) -> ASGIApp:
    """An application that fails after so many of the three messages of `hello`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        left = after

        async def counted(message: Message) -> None:
            nonlocal left
            if not left:
                raise error
            left -= 1
            await send(message)

        await hello(scope, receive, counted)
        raise error

    return app


def asked(
    app: ASGIApp = hello,
    *,
    host: str | None = OWN,
    origin: str | None = None,
    method: str = "POST",
    listens_on: str = "127.0.0.1",
    allowed: frozenset[str] = frozenset(),
    path: str = "/",
    scheme: str = "http",
    more: tuple[tuple[bytes, str], ...] = (),
) -> Answer:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    named = ((b"host", host), (b"origin", origin), *more)
    headers = [(name, value.encode("latin-1")) for name, value in named if value is not None]
    guard = Guard(app, host=listens_on, allowed_origins=allowed)
    scope = {"type": "http", "method": method, "path": path, "scheme": scheme, "headers": headers}
    whole = Observed(guard, routes={}, answered=Answered(), traces=Traces("", version="1"))
    asyncio.run(run(whole(scope, receive, send)))
    start, *rest = sent
    assert [message["type"] for message in sent] == ["http.response.start"] + ["http.response.body"] * len(rest)
    return Answer(
        status=start["status"],
        headers={name.decode(): value.decode("latin-1") for name, value in start["headers"]},
        body=b"".join(message["body"] for message in rest),
    )


async def run(answering: Awaitable[None]) -> None:
    await answering


def is_refused(answer: Answer) -> bool:
    """Whether it is the refusal of a page; anything else must be the application's own answer."""
    if answer.status == 200:
        assert answer.body == b"hello"
        return False
    told = json.loads(answer.body)["error"]
    assert (answer.status, told["code"], told["type"]) == (403, "page_forbidden", "permission_error")
    return True


OWN_NAMES = [OWN, "127.0.0.1", "localhost", "LocalHost:1", "localhost:8642", "[::1]:8642", "[::1]", "::1", " localhost"]


def test_a_name_of_this_machine_may_call() -> None:
    assert [host for host in OWN_NAMES if is_refused(asked(host=host))] == []


FOREIGN_NAMES = [
    "evil.example", "evil.example:8642", "127.0.0.1.evil.example", "localhost.evil.example", "evil-localhost",
    "127.0.0.2", "192.168.1.5:8642", "0.0.0.0", "[::2]:8642", "", None, "127.0.0.1:8642:1", "localhost@x.example",
    "[::1].evil.example", "[::1]x:8642", "[::1]:", "\xe9vil", "[", "]", ":", "127.1", "2130706433", "0x7f000001",
]  # fmt: skip


def test_a_name_of_another_machine_may_not() -> None:
    assert [host for host in FOREIGN_NAMES if not is_refused(asked(host=host))] == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_a_foreign_name_is_refused_for_every_method(method: str) -> None:
    assert is_refused(asked(host="evil.example", method=method))
    assert is_refused(asked(origin="http://evil.example", method=method))


def test_a_server_on_every_address_takes_every_address_but_no_foreign_name() -> None:
    for listens_on in ("0.0.0.0", "::"):
        for host in ("192.168.1.5:8642", "[2001:db8::1]:8642", "localhost"):
            assert not is_refused(asked(host=host, listens_on=listens_on))
        assert is_refused(asked(host="evil.example", listens_on=listens_on))


def test_a_server_on_one_address_takes_that_name() -> None:
    assert not is_refused(asked(host="Studio.local:8642", listens_on="studio.local"))
    assert not is_refused(asked(host="[2001:db8::1]:8642", listens_on="2001:db8::1"))
    assert is_refused(asked(host="192.168.1.6", listens_on="192.168.1.5"))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (OWN, "http://127.0.0.1:8642"),
        ("localhost:8642", "http://localhost:8642"),
        ("LOCALHOST:8642", "http://localhost:8642"),
        ("[::1]:8642", "http://[::1]:8642"),
    ],
)
def test_the_servers_own_pages_may_call(host: str, origin: str) -> None:
    assert not is_refused(asked(host=host, origin=origin))


FOREIGN_ORIGINS = [
    "null", "", "http://evil.example", "https://evil.example:8642", "http://127.0.0.1:8643", "http://127.0.0.1",
    "http://localhost:8642", "http://127.0.0.1:8642.evil.example", "http://127.0.0.1:8642@evil.example",
    "http://evil.example/127.0.0.1:8642", "file://", "chrome-extension://abc", OWN, "x", "\xe9",
]  # fmt: skip


def test_a_page_of_another_origin_may_not() -> None:
    assert [origin for origin in FOREIGN_ORIGINS if not is_refused(asked(origin=origin))] == []


def test_a_page_that_came_unencrypted_is_none_of_a_server_that_encrypts() -> None:
    for scheme, origin, is_foreign in (
        ("https", f"https://{OWN}", False),
        ("https", f"http://{OWN}", True),
        ("http", f"http://{OWN}", False),
        # A proxy takes the encryption off.
        ("http", f"https://{OWN}", False),
    ):
        assert is_refused(asked(origin=origin, scheme=scheme)) is is_foreign


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://]", "http://[evil]", "http://a\u00ba", "//[x"])
def test_an_origin_that_is_none_is_refused_like_any_other(origin: str) -> None:
    assert is_refused(asked(origin=origin))


def test_a_page_of_elsewhere_cannot_have_its_browser_fetch_anything() -> None:
    for site in ("cross-site", "same-site", "Cross-Site"):
        more = ((b"sec-fetch-site", site), (b"sec-fetch-dest", "image"))
        for path in ("/api/doctor/clients", "/v1/models"):
            assert is_refused(asked(method="GET", path=path, more=more))
        assert not is_refused(asked(method="GET", path="/", more=more))
        allowed = frozenset({"http://a.example"})
        assert not is_refused(asked(path="/v1/models", origin="http://a.example", allowed=allowed, more=more))
    for site in ("same-origin", "none"):
        assert not is_refused(asked(path="/v1/models", more=((b"sec-fetch-site", site),)))


def test_a_header_that_decides_may_come_once() -> None:
    assert is_refused(asked(more=((b"host", OWN),)))
    own = f"http://{OWN}"
    assert is_refused(asked(origin=own, more=((b"origin", own),)))


def test_a_page_that_the_setting_names_may_call_and_is_told_so() -> None:
    allowed = frozenset({"http://localhost:3000"})
    answer = asked(origin="http://localhost:3000", allowed=allowed)
    assert not is_refused(answer)
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert answer.headers["vary"] == "origin"
    assert is_refused(asked(origin="http://localhost:3001", allowed=allowed))
    assert is_refused(asked(origin="http://localhost:3000", host="evil.example", allowed=allowed))
    assert "access-control-allow-origin" not in asked(allowed=allowed).headers


def test_a_preflight_of_an_allowed_page_is_answered_here() -> None:
    allowed = frozenset({"http://localhost:3000"})
    answer = asked(origin="http://localhost:3000", method="OPTIONS", allowed=allowed)
    assert (answer.status, answer.body) == (204, b"")
    assert "POST" in answer.headers["access-control-allow-methods"]
    for name in ("authorization", "content-type", "x-api-key"):
        assert name in answer.headers["access-control-allow-headers"]
    assert asked(method="OPTIONS", allowed=allowed).body == b"hello"


def test_the_refusal_names_the_value_and_what_to_do_about_it() -> None:
    assert "'evil.example'" in asked(host="evil.example").body.decode()
    told = asked(origin="http://evil.example").body.decode()
    assert "'http://evil.example'" in told
    assert "allowed_origins" in told
    assert len(asked(host="x" * 9000).body) < 500


def test_every_answer_has_an_id_of_its_own_and_keeps_the_applications_headers() -> None:
    answers = [asked(), asked(), asked(host="evil.example"), asked(failing(ValueError(SECRET)))]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}
    assert answers[0].headers["x-inner"] == "1"


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), OSError(5, SECRET), RuntimeError(SECRET), ExceptionGroup(SECRET, [ValueError()])]
)
def test_an_error_that_nobody_foresaw_is_a_500_that_tells_its_id_alone(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    answer = asked(failing(error))
    assert answer.status == 500
    assert json.loads(answer.body)["error"]["message"] == INTERNAL_MESSAGE
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["x-request-id"] in caplog.text
    assert SECRET in caplog.text


def test_an_error_of_ours_has_its_status_and_is_not_logged_as_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    answer = asked(failing(BadRequest("Not JSON.")))
    assert (answer.status, json.loads(answer.body)["error"]["message"]) == (400, "Not JSON.")
    assert caplog.text == ""


@pytest.mark.parametrize("after", [1, 2])
def test_half_an_answer_is_broken_off_rather_than_ended(after: int) -> None:
    with pytest.raises(ValueError, match="secret"):
        asked(failing(ValueError(SECRET), after=after))


def test_a_failure_after_a_whole_answer_changes_nothing_for_the_client(caplog: pytest.LogCaptureFixture) -> None:
    assert asked(failing(ValueError(SECRET), after=3)).body == b"hello"
    assert SECRET in caplog.text


def test_being_cancelled_is_not_an_error_to_answer() -> None:
    with pytest.raises(asyncio.CancelledError):
        asked(failing(asyncio.CancelledError()))


def test_what_is_not_a_request_passes_by() -> None:
    passed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["type"])

    nothing: Any = None
    guard: Callable[..., Awaitable[None]] = Guard(app, host="127.0.0.1", allowed_origins=frozenset())
    asyncio.run(run(guard({"type": "lifespan"}, nothing, nothing)))
    assert passed == ["lifespan"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_an_address_of_loopback_needs_no_key_unless_that_is_set(host: str) -> None:
    assert not is_credential_needed(Settings(host=host))
    assert is_credential_needed(Settings(host=host, require_key=True))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "studio.local", "", "localhost.evil.example"])
def test_any_other_address_needs_a_key_unless_that_is_typed(host: str) -> None:
    assert is_credential_needed(Settings(host=host))
    assert not is_credential_needed(Settings(host=host, unsafe_no_auth=True))
