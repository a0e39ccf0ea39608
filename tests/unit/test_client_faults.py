"""Tests which foreign errors mean a lost engine (row 46) and what an engine's refusal is read as (row 47)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import socket
import ssl
from typing import Any, cast

import aiohttp
import httpx
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.api.faults import is_transport_fault, mapped, openai_error, status_of
from paddock.engine.client import TRANSPORT_FAULTS, refusal_of
from paddock.errors import ContextOverflow, EngineRefused, EngineUnreachable, PaddockError
from paddock.serving.passage import Straight

Json = dict[str, Any]


def tree(root: type[BaseException]) -> list[type[BaseException]]:
    """A class of errors and all beneath it, each once."""
    found = {root: None}
    for child in root.__subclasses__():
        found.update(dict.fromkeys(tree(child)))
    return list(found)


def raised(cls: type[BaseException]) -> BaseException:
    """An error of that class. Libraries want requests and sockets for theirs, which nobody looks at here."""
    return cls.__new__(cls)


# What aiohttp's client may raise: its own tree, what the system raises under it, and the time-outs.
SYSTEM = [OSError, *tree(ConnectionError), TimeoutError, asyncio.TimeoutError, socket.gaierror, ssl.SSLError]
OURS = tree(aiohttp.ClientError)
LOST = [
    *OURS,
    *tree(httpx.RequestError),
    *tree(httpx2.RequestError),
    *tree(ConnectionError),
    *[TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError],
]
NOT_LOST = [
    ValueError, TypeError, KeyError, RuntimeError, LookupError, UnicodeDecodeError, json.JSONDecodeError, MemoryError,
    OSError, PermissionError, FileNotFoundError, asyncio.CancelledError, KeyboardInterrupt, httpx.InvalidURL,
    httpx.HTTPStatusError, httpx.StreamError, PaddockError,
]  # fmt: skip


def full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__name__}"


def test_whatever_the_engines_client_raises_is_caught_at_the_seam() -> None:
    assert [full_name(cls) for cls in (*OURS, *SYSTEM) if not issubclass(cls, TRANSPORT_FAULTS)] == []


@pytest.mark.rule("error-trees")
def test_the_trees_are_not_empty() -> None:
    names = {full_name(cls) for cls in LOST}
    assert {
        "aiohttp.client_exceptions.ServerDisconnectedError", "aiohttp.client_exceptions.ClientPayloadError",
        "aiohttp.client_exceptions.SocketTimeoutError", "httpx.ConnectError", "httpx.ReadError", "httpx.ReadTimeout",
        "httpx.RemoteProtocolError", "httpx.WriteError", "httpx.PoolTimeout", "httpx2.ReadTimeout",
    } <= names  # fmt: skip
    assert len(names) > 60


@pytest.mark.rule("error-trees")
def test_row_46_every_transport_error_is_a_lost_connection() -> None:
    for error in (raised(cls) for cls in LOST):
        name = full_name(type(error))
        assert is_transport_fault(error), name
        assert isinstance(mapped(error), EngineUnreachable), name
        assert status_of(error) == 502, name
        told = openai_error(error)
        assert (told["type"], told["code"]) == ("api_error", "engine_unreachable"), name
        for words in ("Lost connection", "may have crashed", "load"):
            assert words in told["message"], name
        assert told["message"].encode() in Straight().fail(openai_error(error)), name


def test_a_class_that_a_library_adds_tomorrow_is_a_lost_connection_too() -> None:
    for cls in LOST:
        tomorrow = cast("type[BaseException]", type("Tomorrow", (cls,), {}))
        assert is_transport_fault(raised(tomorrow)), full_name(cls)


def test_an_error_that_is_not_of_the_transport_is_not_called_one() -> None:
    for error in (raised(cls) for cls in NOT_LOST):
        assert not is_transport_fault(error), full_name(type(error))
        assert mapped(error) is error


def test_a_class_that_only_has_the_name_of_a_transport_error_is_none() -> None:
    for name in ("RequestError", "ClientError", "ReadTimeout"):
        assert not is_transport_fault(type(name, (Exception,), {})())


LLAMA_CPP: Json = {
    "error": {
        "code": 400,
        "message": "request (10014 tokens) exceeds the available context size (4096 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 10014,
        "n_ctx": 4096,
    }
}

# How engines word an overflow of 10014 tokens over 4096.
OVERFLOWS: dict[str, str | Json] = {
    "llama.cpp": LLAMA_CPP,
    "llama.cpp, its numbers alone": {
        "error": {**LLAMA_CPP["error"], "message": "the request exceeds the available context size"}
    },
    "llama.cpp, its words alone": {"error": {"message": LLAMA_CPP["error"]["message"]}},
    "plain text": LLAMA_CPP["error"]["message"],
    "a text for an error": {"error": "request (10014 tokens) exceeds the available context size (4096 tokens)"},
    "a prompt larger than": "prompt has 10014 tokens, which is larger than the context window of 4096",
    "a prompt greater than": "10014 tokens is greater than the context length 4096",
    "a sign": "prompt is too long: 10014 tokens > context of 4096",
    "on two lines": "10014 tokens\nexceeds the context length\nof 4096",
    "vLLM": {
        "object": "error",
        "message": "This model's maximum context length is 4096 tokens. However, you requested 10014 tokens "
        "(10004 in the messages, 10 in the completion). Please reduce the length of the messages or completion.",
        "code": 400,
    },
    "OpenAI": {
        "error": {
            "message": "This model's maximum context length is 4096 tokens. However, your messages resulted in 10014 "
            "tokens. Please reduce the length of the messages.",
            "code": "context_length_exceeded",
        }
    },
    "SGLang": {
        "message": "The input (10014 tokens) is longer than the model's context length (4096 tokens).",
        "code": 400,
    },
    "Anthropic": {
        "error": {"type": "invalid_request_error", "message": "prompt is too long: 10014 tokens > 4096 maximum"}
    },
}


def text_of(said: str | Json) -> str:
    return said if isinstance(said, str) else json.dumps(said)


@pytest.mark.parametrize("name", OVERFLOWS)
def test_row_47_an_overflow_tells_both_counts_and_what_to_do(name: str) -> None:
    for status in (400, 413, 500):
        error = refusal_of(status, text_of(OVERFLOWS[name]))
        assert isinstance(error, ContextOverflow)
        assert (error.prompt_tokens, error.context_tokens) == (10014, 4096)
        told = openai_error(error)
        assert (status_of(error), told["code"]) == (400, "context_length_exceeded")
        for words in ("too long", "10014", "4096", "Shorten"):
            assert words in told["message"]


REFUSALS: dict[str, tuple[str, str]] = {
    "an error object": ('{"error": {"message": "no such slot", "type": "x"}}', "no such slot"),
    "an error text": ('{"error": "no such slot"}', "no such slot"),
    "a message beside": ('{"object": "error", "message": "no such slot"}', "no such slot"),
    "plain text": ("  no such slot\n", "no such slot"),
    "a page": ("<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
    "other JSON": ('{"detail": "no such slot"}', '{"detail": "no such slot"}'),
    "a list": ('["no such slot"]', '["no such slot"]'),
    "nothing": ("", ""),
    "an empty message": ('{"error": {"message": ""}}', ""),
    "no message": ('{"error": {}}', ""),
    "a null message": ('{"error": {"message": null}}', ""),
    "a null error": ('{"error": null}', ""),
    "tokens that are too many for a batch": (
        '{"error": "input (600 tokens) is too large to process. increase the physical batch size (current: 512)"}',
        "input (600 tokens) is too large to process. increase the physical batch size (current: 512)",
    ),
    "an overflow without counts": ("the request exceeds the context size", "the request exceeds the context size"),
    "numbers that are none": (
        '{"error": {"type": "exceed_context_size_error", "n_prompt_tokens": "many", "n_ctx": null, "message": "x"}}',
        "x",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_keeps_the_engines_status_and_words(name: str) -> None:
    text, reason = REFUSALS[name]
    for status in (400, 404, 413, 429, 500, 503):
        error = refusal_of(status, text)
        assert isinstance(error, EngineRefused)
        assert (error.status, error.reason) == (status, reason)
        assert (status_of(error), openai_error(error)["message"]) == (status, error.message)
        assert error.message == reason or (not reason and str(status) in error.message)


@pytest.mark.parametrize("length", [499, 500, 501, 60_000])
def test_the_reason_is_cut_to_500_characters(length: int) -> None:
    error = refusal_of(500, json.dumps({"error": {"message": "ü" * length}}))
    assert error.message == "ü" * min(length, 500)


@pytest.mark.parametrize("status", [401, 404, 422, 429, 503])
def test_words_that_look_like_an_overflow_are_none_under_another_status(status: int) -> None:
    assert isinstance(refusal_of(status, LLAMA_CPP["error"]["message"]), EngineRefused)


@given(text=st.text(max_size=40) | st.text(alphabet='{}[]":error message0123456789,', max_size=40))
@settings(max_examples=60, deadline=None)
def test_whatever_an_engine_says_is_a_refusal_or_an_overflow(text: str) -> None:
    error = refusal_of(400, text)
    assert error.message
    assert Straight().fail(openai_error(error)).endswith(b"\n\n")


@pytest.mark.parametrize(
    "text", ["9" * 5000 + " tokens exceeds context 5", "[" * 100_000, '{"error":' * 3000, "\ud800"]
)
def test_an_absurd_answer_of_an_engine_is_a_refusal(text: str) -> None:
    assert isinstance(refusal_of(400, text), EngineRefused)
