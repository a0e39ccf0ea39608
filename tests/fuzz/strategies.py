"""Owns how requests are bent: Hypothesis strategies over whole requests; sends nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.fuzz.seeds import BOMB, IMAGE, MODEL, RECORD_ID, RESPONSE_ID, Json, bodies
from tests.fuzz.sending import Sent, Visit
from tests.fuzz.server import EMBEDDER

BODIES = bodies()
# Each with its weight: the routes with the most code behind them are tried the most.
_WEIGHTS = {"/v1/chat/completions": 5, "/v1/messages": 5, "/v1/responses": 5, "/api/chat": 3, "/api/generate": 2}
_PATHS = [path for path in BODIES for _ in range(_WEIGHTS.get(path, 1))]
_MOST_NODES = 4000

# What stands in a `type`, a `role`, a choice or a name somewhere: in a wrong place each is a trap.
_WORDS = [
    "text", "input_text", "output_text", "image", "image_url", "input_image", "input_file", "document", "tool_use",
    "tool_result", "thinking", "redacted_thinking", "function", "function_call", "function_call_output", "custom",
    "custom_tool_call", "custom_tool_call_output", "reasoning", "message", "item_reference", "json_schema", "namespace",
    "json_object", "auto", "required", "none", "any", "tool", "allowed_tools", "web_search", "server_tool_use",
    "local_shell", "local_shell_call", "compaction", "input_audio", "refusal", "system", "user", "assistant",
    "developer", "base64", "url", "file", "object", "array", "string", "low", "high", "ephemeral", "search_result",
    "a\r\nb: c", "\x00", "\ud800", "𝕏",
]  # fmt: skip
_JUNK: list[Any] = [
    None, True, False, 0, 1, -1, 0.5, 1e308, -1e308, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1e-320, "", " ",
    "x" * 5000, "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\u2028", "\x1b[31m", "𝕏" * 50, "null", "true", "1", "1e9",
    "a\r\nb: c", "\n\ndata: {}\n\n",
    MODEL, EMBEDDER, "../../etc/passwd", "/etc/passwd", "pocket-v0/../pocket-v0", "%00", "{}", "[]", '{"a":', "data:",
    "data:,", "data:image/png;base64,AAAA", "data:image/png;base64,=", IMAGE, BOMB, IMAGE[:80], "http://127.0.0.1:1/a",
    "http://[::1", "http://\ud800/", "https://169.254.169.254/", "file:///etc/passwd", "http://localhost:99999/",
    RESPONSE_ID, [], [[]], [None], [1], [True], ["\ud800"], {}, {"": None}, {"type": None}, {"type": "text"},
    {"type": "image_url", "image_url": {"url": IMAGE}}, {"type": "image_url", "image_url": BOMB}, {"role": "user"},
    {"type": "function"}, {"type": "object", "properties": {}}, {"$ref": "#"}, {"$ref": "#/$defs/a"}, [{}] * 40,
    {"anyOf": []}, {"type": ["string", "null"]}, {"enum": [None]}, {"pattern": "("}, {"\x00": "\ud800"},
]  # fmt: skip
_MADE: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*_WORDS, "type", "role"]), inner),
    max_leaves=6,
)
# Each is a field of some route, and unknown to the others.
_FIELDS = [
    *_WORDS, "options", "input", "messages", "prompt", "tools", "model", "stream", "stop", "system", "content", "seed",
    "image_base64", "images", "heal", "enable_tools", "session_id", "format", "metadata", "store", "background",
    "max_tokens", "max_output_tokens", "tool_choice", "response_format", "stream_options", "chat_template_kwargs",
    "previous_response_id", "instructions", "thinking", "keep_alive", "n", "suffix", "dimensions", "return_progress",
]  # fmt: skip
_VALUES: SearchStrategy[Any] = st.one_of(st.sampled_from(_JUNK), st.sampled_from(_WORDS), _MADE)

Place = tuple[Any, Any]


def places(value: Any) -> Iterator[Place]:
    """Every place that holds something: its container and the key in it, breadth first."""
    level: list[Any] = [value]
    while level:
        below: list[Any] = []
        for held in level:
            keys = list(cast(Json, held)) if isinstance(held, dict) else list(range(len(held)))
            for key in keys:
                yield held, key
                if isinstance(held[key], (dict, list)):
                    below.append(held[key])
        level = below


@st.composite
def mutated(draw: DrawFn, path: str) -> Json:
    """A body of the route, changed in one to four places."""
    body = copy.deepcopy(draw(st.sampled_from(BODIES[path])))
    if (stream := draw(st.sampled_from([None, True, True, False]))) is not None:
        body["stream"] = stream
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3, 4]))):
        found = [place for place, _ in zip(places(body), range(_MOST_NODES), strict=False)]
        if not found:
            break
        # The outer places are few beside those of a client's long tool schemas.
        most = draw(st.sampled_from([len(found), min(12, len(found)), min(60, len(found))]))
        _change(draw, body, found[draw(st.integers(0, most - 1))], found)
    return body


def _change(draw: DrawFn, body: Json, place: Place, found: list[Place]) -> None:
    held, key = place
    kind = draw(st.sampled_from(["value", "value", "delete", "copy", "nest", "text", "graft", "rename", "add"]))
    if kind == "value":
        held[key] = copy.deepcopy(draw(_VALUES))
    elif kind == "delete":
        del held[key]
    elif kind == "copy":
        times = draw(st.sampled_from([1, 2, 40]))
        if isinstance(held, list):
            held[key:key] = [held[key]] * times
        else:
            held[f"{key}_2"] = held[key]
    elif kind == "nest":
        for _ in range(draw(st.sampled_from([1, 2, 30, 96]))):
            held[key] = [held[key]] if draw(st.booleans()) else {str(key): held[key]}
    elif kind == "text":
        held[key] = json.dumps(held[key])
    elif kind == "graft":
        other, at = found[draw(st.integers(0, len(found) - 1))]
        held[key] = copy.deepcopy(other[at])
    elif kind == "rename" and isinstance(held, dict):
        names = sorted({str(at) for box, at in found if isinstance(box, dict)})
        held[draw(st.sampled_from(names))] = held.pop(key)  # pyright: ignore[reportUnknownMemberType]
    else:
        body[draw(st.sampled_from(_FIELDS))] = copy.deepcopy(draw(_VALUES))


def _spoilt(draw: DrawFn, data: bytes) -> bytes:
    """The bytes of a body made worse than JSON can be."""
    at = draw(st.integers(0, len(data)))
    kind = draw(st.sampled_from(["cut", "byte", "put", "twice", "number", "deep", "wrap", "code", "only"]))
    puts = [
        b"\x00",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"NaN",
        b"-Infinity",
        b",",
        b'"',
        b"}",
        b"{",
    ]
    if kind == "cut":
        return data[:at]
    if kind == "byte":
        return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    if kind == "put":
        return data[:at] + draw(st.sampled_from(puts)) + data[at:]
    if kind == "twice":
        field = draw(st.sampled_from([b'"model":1', b'"stream":true', b'"messages":[]', b'"input":null', b'"":{}']))
        return data.replace(b"{", b"{" + field + b",", 1)
    if kind == "number":
        number = draw(st.sampled_from([b"1e400", b"9" * 5000, b"-0", b"1E+2", b"0.1e-999", b"NaN", b"Infinity"]))
        return data.replace(b"{", b'{"seed":' + number + b",", 1)
    if kind == "deep":
        depth = draw(st.sampled_from([99, 100, 101, 5000, 200_000]))
        return data.replace(b"{", b'{"x":' + b"[" * depth + b"]" * depth + b",", 1)
    if kind == "wrap":
        return draw(st.sampled_from([b"[%s]", b"\xef\xbb\xbf%s", b" \r\n%s\n", b"%s%s", b'"%s"', b"data: %s"])).replace(
            b"%s", data
        )
    if kind == "code":
        return data.decode("latin-1").encode(draw(st.sampled_from(["utf-16", "utf-32-be", "utf-7", "utf-8"])))
    return draw(st.binary(max_size=40) | st.sampled_from([b"", b"[]", b"null", b"0", b'"x"', b"{}", b"a=b&c=d"]))


_HEADERS: list[tuple[bytes, bytes]] = [
    *((b"Content-Type", kind) for kind in (
        b"", b"text/plain", b"application/json; charset=latin-1", b"application/json; charset=nonsense", b"x",
        b"multipart/form-data", b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded", b"\xff")),
    (b"Content-Encoding", b"gzip"), (b"Content-Encoding", b"br, nonsense"), (b"Accept", b"text/event-stream"),
    (b"Accept", b"image/png;q=nonsense"), (b"Accept-Encoding", b"gzip, deflate, br, zstd"), (b"Accept-Charset", b"x"),
    (b"Authorization", b"Bearer"), (b"Authorization", b"Bearer \xff\xfe"), (b"Authorization", b"Basic Og=="),
    (b"Authorization", b"Bearer sk-" + b"x" * 9000), (b"x-api-key", b""), (b"x-api-key", b"\xc3\x28"),
    (b"anthropic-version", b"1"), (b"anthropic-beta", b"a,b,," * 50), (b"OpenAI-Organization", b"\xf0\x9f\x90\xb4"),
    (b"Expect", b"100-continue"), (b"Expect", b"nonsense"), (b"Upgrade", b"websocket"), (b"Upgrade", b"h2c"),
    (b"Range", b"bytes=5-1"), (b"If-None-Match", b"*"), (b"Cookie", b"a=b; =; ;;"), (b"Origin", b"null"),
    (b"Origin", b"http://evil.example"), (b"Origin", b"http://[::1"), (b"Origin", b"\xff"), (b"Host", b"evil.example"),
    (b"Host", b""), (b"Host", b"[::1"), (b"Host", b"127.0.0.1:99999999"), (b"Host", b"localhost:x:y"),
    (b"Access-Control-Request-Method", b"POST"), (b"X-Forwarded-For", b"1.2.3.4, nonsense"), (b"Forwarded", b"for=;"),
    (b"x-paddock-record", b"1"), (b"x-paddock-record", b"\xff"), (b"X-Long", b"y" * 60_000), (b"TE", b"trailers"),
    (b"Trailer", b"Expires"), (b"Transfer-Encoding", b"identity"), (b"x-request-id", b"\x80" * 300),
    (b"!#$%&'*+", b"v"),
    (b"Content-Length", b"5"), (b"X-HTTP-Method-Override", b"DELETE"), (b"Accept-Language", b"*;q=2"),
]  # fmt: skip
# These say where the body ends: with them a server may see a request that cannot be one.
_FRAMING = {b"content-length", b"transfer-encoding", b"upgrade"}
_QUERIES = [
    b"?beta=true", b"?", b"??", b"?%00", b"?a=1&a=2&&=", b"?stream=true", b"?limit=-1", b"?limit=x&order=asc&after=y",
    b"?limit=99999999999999999999", b"?starting_after=-5&stream=true", b"?starting_after=1e3&stream=true", b"?%ff=%ff",
    b"?q=" + b"z" * 8000, b"?" + b"&".join(b"k%d=v" % n for n in range(2000)), b"?x=\xf0\x9f\x90\xb4", b"?%", b"?a=%u",
    b"?limit=%D9%A3", b"?limit=%C2%B2", b"?starting_after=--1&stream=true", b"?limit=&order=",
]  # fmt: skip


@st.composite
def posted(draw: DrawFn) -> Sent:
    """A request near to a real one: a bent body, at times spoilt bytes, odd headers, an odd query."""
    path = draw(st.sampled_from(_PATHS))
    body = json.dumps(draw(mutated(path)), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 4)) == 0:
        body = _spoilt(draw, body)
    headers = [(b"Content-Type", b"application/json")]
    if draw(st.integers(0, 4)) == 0:
        headers = draw(st.lists(st.sampled_from(_HEADERS), max_size=4))
    is_plain = not _FRAMING & {name.lower() for name, _ in headers}
    query = draw(st.sampled_from(_QUERIES)) if draw(st.integers(0, 7)) == 0 else b""
    is_chunked = is_plain and draw(st.integers(0, 5)) == 0
    return Sent(
        method="POST", target=path.encode() + query, headers=tuple(headers), body=body, is_chunked=is_chunked,
        is_http=is_plain and b"\xf0" not in query,
    )  # fmt: skip


_METHODS = ["GET", "GET", "GET", "HEAD", "POST", "POST", "DELETE", "DELETE", "OPTIONS", "PUT", "PATCH"]
_ODD_METHODS = ["TRACE", "PROPFIND", "M-SEARCH", "CONNECT", "FOO", "get", "POST POST", "", "\x00", "Ü"]
_TARGETS = [
    "/health/ready",
    *BODIES, "/", "/health", "/metrics", "/openapi.json", "/v1/models", "/v1/models/pocket-v0", "/api/tags", "/api/ps",
    "/api/version", "/api/requests", f"/api/requests/{RECORD_ID}", "/api/models/pocket-v0/load", "/api/pull",
    "/api/models/pocket-v0/unload", "/api/models/%2e%2e%2f/load", "/v1/models/a%00b", "/v1/models/%ff", "/v1/models//",
    *(f"/v1/responses/{RESPONSE_ID}{tail}" for tail in ("", "", "?stream=true", "/cancel", "/input_items")),
    "/v1/responses/resp_none", "/v1/responses/%00", "/v1/responses/%F0%9F%90%B4/cancel", "/api/requests/%2e%2e%2fx",
    "/api/requests/*", "/v1/audio/speech", "/v1/moderations", "/v1", "/v1/", "//v1/models", "/v1/messages/",
    "/api/delete",
    "/v1/messages/x/y", "/api/blobs/sha256:0", "/../etc/passwd", "/v1/models/" + "n" * 9000, "/%", "/%zz", "/a/" * 900,
    "/favicon.ico", "/.env", "/docs", "/api/models/embedder/load", "/api/models/none/load", "/v1/models/a%0d%0ab: c",
]  # fmt: skip
_NO_TARGETS = [
    "*",
    "",
    "v1/models",
    "http://evil.example/v1/models",
    "http://[::1/",
    "/a b",
    "/\x00",
    "/\x80é",
    "\t",
    "#",
]


@st.composite
def strayed(draw: DrawFn) -> Sent:
    """A request whose method, path, query or headers are odd."""
    is_usual = draw(st.integers(0, 5)) > 0
    method = draw(st.sampled_from(_METHODS if is_usual else _ODD_METHODS))
    is_path = draw(st.integers(0, 9)) > 0
    target = draw(st.sampled_from(_TARGETS if is_path else _NO_TARGETS)).encode("latin-1")
    if draw(st.integers(0, 5)) == 0:
        target += draw(st.sampled_from([b"/", b"%00", b"%20", b";a=b", b"#x", b"\\", b"%2F..", b".json", b"\xc3\xa9"]))
    if draw(st.integers(0, 2)) == 0:
        target += draw(st.sampled_from(_QUERIES))
    headers = draw(st.lists(st.sampled_from(_HEADERS), max_size=3))
    body = draw(st.sampled_from([b"", b"", b"{}", b'{"model":"pocket-v0"}', b"\xff"])) if method != "HEAD" else b""
    is_token = is_usual or method in ("TRACE", "PROPFIND", "M-SEARCH")
    is_plain = not _FRAMING & {name.lower() for name, _ in headers}
    is_ascii = all(0x20 < byte < 0x7F for byte in target)
    return Sent(
        method=method, target=target, headers=tuple(headers), body=body,
        is_http=is_token and is_plain and is_ascii and is_path,
    )  # fmt: skip


@st.composite
def left(draw: DrawFn) -> list[Visit]:
    """Some clients at once, each of which leaves at a moment of its own."""
    return [
        Visit(
            sent=draw(posted()),
            sent_share=draw(st.sampled_from([0.05, 0.5, 0.99, 1, 1, 1, 1])),
            read_bytes=draw(st.sampled_from([0, 0, 1, 400, 4000])),
            leaving=draw(st.sampled_from(["close", "reset", "half"])),
        )
        for _ in range(draw(st.integers(4, 10)))
    ]
