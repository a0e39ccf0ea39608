"""Owns the way from a command to a paddock: one that runs already, or one started inside this process.

Speaks plain HTTP of the standard library, so that Ctrl+C in the main thread closes the connection and with it the
answer. Refuses to know what is said.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from paddock.config import Settings
from paddock.errors import BadRequest, EngineUnreachable

_CONNECT_TIMEOUT_S = 5.0
_LOOK_TIMEOUT_S = 1.0
_ANSWER_TIMEOUT_S = 600.0
_MOST_BYTES = 16 * 2**20


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some characters of an answer, or of the thinking before it."""

    kind: Literal["answer", "thought"]
    text: str


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a paddock listens."""

    host: str
    port: int
    is_tls: bool = False
    own_word: str | None = field(default=None, repr=False)
    """What a paddock that this process has for itself is told in place of a key."""

    @property
    def url(self) -> str:
        """The address as a URL, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}"


def parse_url(text: str) -> Address:
    """An address typed by a person: "http://127.0.0.1:8642", also without "http://" and with "/v1" after it.

    Raises:
        ValueError: it is no such address.
    """
    wrong = f"'{text}' is not an address such as http://127.0.0.1:8642"
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError as error:
        raise ValueError(wrong) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.rstrip("/") not in ("", "/v1"):
        raise ValueError(wrong)
    is_tls = parts.scheme == "https"
    return Address(host=parts.hostname, port=port or (443 if is_tls else 80), is_tls=is_tls)


def is_paddock(address: Address, *, timeout_s: float = _LOOK_TIMEOUT_S) -> bool:
    """Whether a paddock answers there."""
    try:
        with _exchange(address, "GET", "/health", timeout_s=timeout_s) as response:
            health = json.loads(response.read(_MOST_BYTES))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    return isinstance(health, dict) and cast(dict[str, Any], health).get("name") == "paddock"


def model_ids(address: Address) -> list[str]:
    """The ids of the models that the paddock there lists.

    Raises:
        EngineUnreachable: it does not answer, or not as a paddock does.
    """
    try:
        with _exchange(address, "GET", "/v1/models", timeout_s=_CONNECT_TIMEOUT_S) as response:
            return [str(model["id"]) for model in json.loads(response.read(_MOST_BYTES))["data"]]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        raise EngineUnreachable(f"{address.url} does not list its models ({error}). Start it again.") from error


def answer(address: Address, body: dict[str, object], *, timeout_s: float) -> Generator[Piece]:
    """Stream the answer to one chat request. Closing the iterator stops the answer.

    Args:
        address: where to ask.
        body: the chat request, without `stream`.
        timeout_s: longest silence of the server.

    Raises:
        BadRequest: the server refused the request; its own words.
        EngineUnreachable: the server or its engine went away.
    """
    try:
        with _exchange(address, "POST", "/v1/chat/completions", body | {"stream": True}, timeout_s) as response:
            if response.status != 200:
                raise _refusal(response.status, response.read(_MOST_BYTES))
            for event in _events(response):
                yield from _pieces(event)
    except TimeoutError as error:
        raise EngineUnreachable(f"{address.url} was silent for {timeout_s:g} s. Try again.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EngineUnreachable(f"{address.url} ended in the middle of the answer. Try again.") from error


def told(address: Address, path: str, *, timeout_s: float) -> Generator[dict[str, Any]]:
    """The objects of a stream that a GET is answered with. Closing the iterator ends what the server does for it.

    Raises:
        BadRequest: the server refused the request; its own words.
        EngineUnreachable: the server went away.
    """
    try:
        with _exchange(address, "GET", path, timeout_s=timeout_s) as response:
            if response.status != 200:
                raise _refusal(response.status, response.read(_MOST_BYTES))
            yield from _events(response)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EngineUnreachable(f"{address.url} went away ({error}). `paddock serve` starts it.") from error


def asked(
    address: Address, path: str, *, method: str = "GET", body: dict[str, object] | bytes | None = None
) -> dict[str, Any]:
    """The object that a request is answered with. A body of bytes goes as it is.

    Raises:
        BadRequest: the server refused the request; its own words.
        EngineUnreachable: the server went away, or does not answer as a paddock does.
    """
    status, answer = whole(address, method, path, body)
    if not 200 <= status < 300:
        raise _refusal(status, answer)
    try:
        return cast(dict[str, Any], json.loads(answer))
    except ValueError as error:
        raise EngineUnreachable(f"{address.url} does not answer as a paddock does. Start it again.") from error


def api_key() -> str | None:
    """The key in PADDOCK_API_KEY, if there is one. Raises BadRequest where no header can carry it."""
    key = os.environ.get("PADDOCK_API_KEY") or None
    if key and not (key.isascii() and key.isprintable()):
        raise BadRequest("PADDOCK_API_KEY holds more than a key: a line break or a foreign letter. Set it anew.")
    return key


def whole(
    address: Address,
    method: str,
    path: str,
    body: dict[str, object] | bytes | None = None,
    *,
    timeout_s: float = _ANSWER_TIMEOUT_S,
) -> tuple[int, bytes]:
    """Status and body of one exchange, whatever they are. Raises EngineUnreachable."""
    try:
        with _exchange(address, method, path, body, timeout_s=timeout_s) as response:
            return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise EngineUnreachable(f"{address.url} does not answer ({error}). `paddock serve` starts it.") from error


@contextlib.contextmanager
def started(settings: Settings, *, engine_program: Sequence[str] | None = None) -> Generator[Address]:
    """A paddock inside this process for as long as the block lasts, on a loopback port of the system's choice.

    It answers nobody but who has the address that is given: others may use this machine, too, and settings may keep
    them out, which is not undone here.

    `engine_program` are the words that start its engines, in place of those that the settings lead to.
    """
    from anyio.from_thread import start_blocking_portal

    from paddock import log
    from paddock.app import running
    from paddock.recorder.secrets import text_without_secrets

    log.set_up(settings.log_level, settings.log_format, clean=text_without_secrets)
    private = replace(
        settings, host="127.0.0.1", port=0, unsafe_no_auth=False, require_key=False, require_login=False,
        tls_cert="", tls_key="", trusted_proxies="", allowed_origins="",
    )  # fmt: skip
    own_word = secrets.token_urlsafe(32)
    with start_blocking_portal() as portal:
        paddock = portal.wrap_async_context_manager(running(private, engine_program=engine_program, own_word=own_word))
        studio = paddock.__enter__()
        try:
            yield replace(parse_url(studio.url), own_word=own_word)
        finally:
            # What went wrong out here is no business of the server's: it ends as usual.
            paddock.__exit__(None, None, None)


@contextlib.contextmanager
def _exchange(
    address: Address,
    method: str,
    path: str,
    body: dict[str, object] | bytes | None = None,
    timeout_s: float = _CONNECT_TIMEOUT_S,
) -> Generator[http.client.HTTPResponse]:
    kind = http.client.HTTPSConnection if address.is_tls else http.client.HTTPConnection
    connection = kind(address.host, address.port, timeout=min(timeout_s, _CONNECT_TIMEOUT_S))
    try:
        connection.connect()
        if connection.sock:
            connection.sock.settimeout(timeout_s)
        is_json = isinstance(body, dict)
        sent = json.dumps(body).encode() if isinstance(body, dict) else body
        headers = {"Content-Type": "application/json" if is_json else "application/octet-stream"} if sent else {}
        if key := address.own_word or api_key():
            headers["Authorization"] = f"Bearer {key}"
        connection.request(method, path, body=sent, headers=headers)
        with contextlib.closing(connection.getresponse()) as response:
            yield response
    finally:
        connection.close()


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """The objects in the stream's `data:` lines, until [DONE]; comments are skipped. A stream must not end without."""
    while line := response.readline(_MOST_BYTES):
        field, _, value = line.strip().partition(b":")
        if field != b"data":
            continue
        if value.strip() == b"[DONE]":
            return
        event = json.loads(value)
        if isinstance(event, dict):
            yield cast(dict[str, Any], event)
    raise http.client.IncompleteRead(b"")


def _pieces(event: dict[str, Any]) -> Iterator[Piece]:
    if "error" in event:
        raise EngineUnreachable(_message(event) or "The server reported an error without a message. Try again.")
    choices: list[dict[str, Any]] = event.get("choices") or []
    for choice in choices:
        delta: dict[str, Any] = choice.get("delta") or {}
        if thought := delta.get("reasoning_content"):
            yield Piece(kind="thought", text=str(thought))
        if text := delta.get("content"):
            yield Piece(kind="answer", text=str(text))


def _refusal(status: int, body: bytes) -> BadRequest | EngineUnreachable:
    try:
        message = _message(json.loads(body))
    except ValueError:
        message = ""
    message = message or f"The server refused the request with status {status} and no reason."
    return BadRequest(message) if status < 500 else EngineUnreachable(message)


def _message(body: Any) -> str:
    error: object = cast(dict[str, Any], body).get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        return str(cast(dict[str, Any], error).get("message") or "")
    return error if isinstance(error, str) else ""
