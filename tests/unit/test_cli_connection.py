"""The way from a command to a paddock: addresses, the stream of an answer, and everything that can end it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from paddock.cli.connection import Address, Piece, answer, is_paddock, model_ids, parse_url
from paddock.errors import BadRequest, EngineUnreachable

Reply = tuple[int, str, list[bytes]]


class Server(ThreadingHTTPServer):
    """A real server on loopback that says what a test tells it to say."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: dict[str, Reply] = {}
        self.asked: list[dict[str, object]] = []
        self.client_left = threading.Event()
        self.endless: Callable[[int], bytes] | None = None

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self.server_address[1])

    def stream(self, *lines: bytes) -> None:
        self.replies["/v1/chat/completions"] = (200, "text/event-stream", list(lines))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._reply()

    def _reply(self) -> None:
        status, kind, chunks = self.server.replies.get(self.path, (404, "text/plain", [b"no"]))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for chunk in chunks:
                self._chunk(chunk)
            number = 0
            while self.server.endless:
                self._chunk(self.server.endless(number))
                number += 1
                if self.server.client_left.wait(0.005):
                    return
        except OSError:
            self.server.client_left.set()
            return
        if b"BREAK" in chunks:
            self.close_connection = True
            return
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        if data != b"BREAK":
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.endless = None
        server.client_left.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _delta(**delta: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": delta}]}).encode() + b"\n\n"


def _answer(server: Server) -> list[Piece]:
    return list(answer(server.address, {"messages": []}, timeout_s=5))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8642", "http://127.0.0.1:8642"),
        ("127.0.0.1:9", "http://127.0.0.1:9"),
        ("localhost", "http://localhost:80"),
        ("https://example.org/v1/", "https://example.org:443"),
        ("http://[::1]:8642/", "http://[::1]:8642"),
    ],
)
def test_an_address_is_read_as_people_type_it(text: str, url: str) -> None:
    assert parse_url(text).url == url


@pytest.mark.parametrize(
    "text", ["", "ftp://x", "http://", "http://host:port", "http://x:70000", "http://x/y", "http://[::1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address such as"):
        parse_url(text)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"status": "ok", "name": "paddock"}', True),
        (b'{"status": "ok"}', False),
        (b'["paddock"]', False),
        (b"<html>paddock</html>", False),
    ],
)
def test_only_a_paddock_is_taken_for_one(server: Server, body: bytes, expected: bool) -> None:
    server.replies["/health"] = (200, "application/json", [body])
    assert is_paddock(server.address) is expected


def test_a_closed_port_is_no_paddock() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert not is_paddock(Address(host="127.0.0.1", port=probe.getsockname()[1]))


def test_the_models_are_listed_by_id(server: Server) -> None:
    server.replies["/v1/models"] = (200, "application/json", [b'{"data": [{"id": "a"}, {"id": "b"}]}'])
    assert model_ids(server.address) == ["a", "b"]
    server.replies["/v1/models"] = (200, "application/json", [b'{"data": 5}'])
    with pytest.raises(EngineUnreachable):
        model_ids(server.address)


def test_an_answer_comes_in_pieces_and_comments_are_skipped(server: Server) -> None:
    server.stream(
        b": keep-alive\n\n",
        _delta(role="assistant", content=None),
        _delta(reasoning_content="hm"),
        _delta(content="Grüße")[:40],
        _delta(content="Grüße")[40:] + _delta(content=" 🐎"),
        b'data: {"choices": [], "usage": {}}\n\n',
        b"data: [DONE]\n\n",
    )
    assert _answer(server) == [
        Piece(kind="thought", text="hm"),
        Piece(kind="answer", text="Grüße"),
        Piece(kind="answer", text=" 🐎"),
    ]
    assert server.asked == [{"messages": [], "stream": True}]


def test_a_refusal_is_told_in_the_servers_words(server: Server) -> None:
    server.replies["/v1/chat/completions"] = (
        404,
        "application/json",
        [b'{"error": {"message": "There is no model."}}'],
    )
    with pytest.raises(BadRequest, match=r"^There is no model\.$"):
        _answer(server)
    server.replies["/v1/chat/completions"] = (502, "application/json", [b'{"error": {"message": "It crashed."}}'])
    with pytest.raises(EngineUnreachable, match=r"^It crashed\.$"):
        _answer(server)
    server.replies["/v1/chat/completions"] = (418, "text/html", [b"<html>"])
    with pytest.raises(BadRequest, match="status 418 and no reason"):
        _answer(server)


def test_an_error_in_the_stream_ends_it_with_its_message(server: Server) -> None:
    server.stream(_delta(content="a"), b'data: {"error": {"message": "Lost it.", "type": "server_error"}}\n\n')
    pieces = answer(server.address, {}, timeout_s=5)
    assert next(pieces).text == "a"
    with pytest.raises(EngineUnreachable, match=r"^Lost it\.$"):
        next(pieces)


@pytest.mark.parametrize("ending", [[b"BREAK"], [b"data: {nonsense\n\n"], []])
def test_a_stream_that_breaks_off_is_an_error(server: Server, ending: list[bytes]) -> None:
    server.stream(_delta(content="a"), *ending)
    with pytest.raises(EngineUnreachable, match="Try again"):
        _answer(server)


def test_a_server_that_is_silent_is_not_waited_for_longer_than_asked(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(host="127.0.0.1", port=listener.getsockname()[1])
        with pytest.raises(EngineUnreachable, match="was silent for"):
            list(answer(address, {}, timeout_s=0.05))


def test_closing_the_answer_leaves_the_server(server: Server) -> None:
    server.endless = lambda number: _delta(content=str(number))
    server.stream()
    with closing(answer(server.address, {}, timeout_s=5)) as pieces:
        assert next(pieces).text == "0"
    assert server.client_left.wait(5)
