"""Tests that fetching reaches public addresses alone, on real sockets; loopback stands in for both kinds of address.

127.0.0.2 plays a public address and 127.0.0.1 a private one, by a policy that only code can make.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

import anyio
import anyio.lowlevel
import pytest

from paddock.errors import BadRequest
from paddock.fetch.addresses import Address, Policy
from paddock.fetch.guarded import MOST_REDIRECTS, Fetched, fetch

pytestmark = pytest.mark.anyio
OPEN, CLOSED = "127.0.0.2", "127.0.0.1"
HANG_GUARD_S = 20.0
BODY = b"\x89PNG and more"


@dataclass
class Listener:
    """A server that counts its connections, keeps what was asked and gives prepared answers."""

    port: int = 0
    connections: int = 0
    asked: list[bytes] = field(default_factory=list[bytes])
    answers: list[bytes] = field(default_factory=list[bytes])
    is_silent: bool = False
    is_hasty: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.asked.append(await (reader.read(1) if self.is_hasty else reader.readuntil(b"\r\n\r\n")))
            if self.is_silent:
                await reader.read()
            writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(host: str, *answers: bytes, port: int = 0, is_silent: bool = False) -> AsyncGenerator[Listener]:
    listener = Listener(answers=list(answers), is_silent=is_silent)
    server = await asyncio.start_server(listener.serve, host, port)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        await server.wait_closed()


def whole(body: bytes = BODY, *, status: str = "200 OK", kind: str = "image/png", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def redirect(target: str, status: str = "302 Found") -> bytes:
    return whole(b"", status=status, more=f"Location: {target}\r\n")


def only_open(address: Address) -> bool:
    return address == ip_address(OPEN)


def naming(names: dict[str, Sequence[str]]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver for a test's own names; no other name is ever asked for outside."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        await anyio.lowlevel.checkpoint()
        if host not in names:
            raise OSError("no such host")
        return names[host]

    return resolve


async def get(url: str, policy: Policy | None = None, *, most_bytes: int = 1000) -> Fetched:
    return await fetch(
        url, most_bytes=most_bytes, timeout_s=HANG_GUARD_S, policy=policy or Policy(is_allowed=only_open)
    )


async def refused(url: str, policy: Policy, *, most_bytes: int = 1000) -> str:
    with pytest.raises(BadRequest) as caught:
        await fetch(url, most_bytes=most_bytes, timeout_s=HANG_GUARD_S, policy=policy)
    return caught.value.message


@pytest.mark.attack("having paddock connect elsewhere")
@pytest.mark.rule("images-guarded")
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1",
     "127.1", "127.0.0.1.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[::]", "①②⑦.⓪.⓪.①",
     "%31%32%37.0.0.1", "[64:ff9b::7f00:1]", "[fe80::1%25lo]"],
)  # fmt: skip
async def test_no_spelling_of_this_machine_is_ever_connected_to(host: str) -> None:
    async with listening(CLOSED, whole()) as four, listening("::1", whole(), port=four.port) as six:
        with pytest.raises(BadRequest) as caught:
            await fetch(f"http://{host}:{four.port}/x.png", most_bytes=1000, timeout_s=HANG_GUARD_S)
        assert "http" in caught.value.message
        assert (four.connections, six.connections) == (0, 0)


@pytest.mark.attack("having paddock connect elsewhere")
@pytest.mark.parametrize("found", [[CLOSED], ["::1"], [OPEN, CLOSED], [CLOSED, OPEN], ["10.0.0.1"], ["nonsense"], []])
async def test_a_name_with_one_address_that_is_not_public_is_refused(found: list[str]) -> None:
    async with listening(CLOSED, whole()) as closed, listening(OPEN, whole(), port=closed.port) as opened:
        policy = Policy(is_allowed=only_open, resolve=naming({"images.example": found}))
        assert "not at a public address" in await refused(f"http://images.example:{closed.port}/x", policy)
        assert (closed.connections, opened.connections) == (0, 0)


async def test_a_name_that_is_nowhere_is_refused() -> None:
    assert "cannot be found" in await refused("http://nowhere.example/x", Policy(resolve=naming({})))


async def test_a_file_at_a_public_address_comes_as_it_is() -> None:
    async with listening(OPEN, whole(kind="Image/PNG; q=1")) as opened:
        got = await get(f"http://{OPEN}:{opened.port}/x.png?a=1#part")
    assert got == Fetched(data=BODY, content_type="image/png")
    (asked,) = opened.asked
    assert asked.startswith(b"GET /x.png?a=1 HTTP/1.1\r\n")
    assert b"accept-encoding: identity" in asked.lower()
    assert not any(name in asked.lower() for name in (b"cookie", b"authorization", b"proxy", b"referer"))


@pytest.mark.attack("having paddock connect elsewhere")
@pytest.mark.rule("images-guarded")
async def test_the_address_that_was_checked_is_the_one_that_is_connected_to() -> None:
    lookups: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        await anyio.lowlevel.checkpoint()
        lookups.append(host)
        return [OPEN] if len(lookups) == 1 else [CLOSED]

    async with listening(CLOSED, whole()) as closed, listening(OPEN, whole(), port=closed.port) as opened:
        url = f"http://images.example:{closed.port}/x"
        policy = Policy(is_allowed=only_open, resolve=rebinding)
        assert (await get(url, policy)).data == BODY
        assert (closed.connections, opened.connections, lookups) == (0, 1, ["images.example"])
        assert b"Host: images.example" in opened.asked[0]
        await refused(url, policy)
        assert (closed.connections, opened.connections) == (0, 1)


@pytest.mark.attack("having paddock connect elsewhere")
async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(CLOSED, whole(b"proxied")) as proxy, listening(OPEN, whole()) as opened:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{CLOSED}:{proxy.port}")
        assert (await get(f"http://{OPEN}:{opened.port}/x")).data == BODY
        assert proxy.connections == 0


@pytest.mark.attack("having paddock connect elsewhere")
@pytest.mark.rule("images-guarded")
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/x", "//127.0.0.1:{port}/x", "http://[::1]:{port}/",
                                    "http://inside.example:{port}/", "http://2130706433:{port}/"])  # fmt: skip
async def test_a_redirect_to_a_private_address_is_not_followed(status: str, target: str) -> None:
    async with listening(CLOSED, whole()) as closed, listening(OPEN, b"") as opened:
        opened.answers = [redirect(target.format(port=closed.port), status)]
        policy = Policy(is_allowed=only_open, resolve=naming({"inside.example": [CLOSED]}))
        await refused(f"http://{OPEN}:{opened.port}/x", policy)
        assert (closed.connections, opened.connections) == (0, 1)


@pytest.mark.attack("having paddock connect elsewhere")
@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://x.example/", "http://u:p@images.example/", "gopher://x/", "http://", "http://x:99999/"]
)  # fmt: skip
async def test_a_redirect_to_what_is_no_public_web_address_is_refused(target: str) -> None:
    async with listening(OPEN, redirect(target)) as opened:
        await refused(f"http://{OPEN}:{opened.port}/x", Policy(is_allowed=only_open, resolve=naming({})))


async def test_redirects_are_followed_up_to_their_bound() -> None:
    async with listening(OPEN, b"") as opened:
        opened.answers = [*(redirect(f"/{n}") for n in range(MOST_REDIRECTS)), whole()]
        assert (await get(f"http://{OPEN}:{opened.port}/x")).data == BODY
        assert opened.asked[-1].startswith(f"GET /{MOST_REDIRECTS - 1} ".encode())
        opened.answers = [redirect("/again")]
        message = await refused(f"http://{OPEN}:{opened.port}/x", Policy(is_allowed=only_open))
    assert "redirects more than" in message
    assert opened.connections == 2 * (MOST_REDIRECTS + 1)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "only http and https"),
        ("ftp://images.example/x", "only http and https"),
        ("images.example/x", "only http and https"),
        ("http://", "address"),
        ("http://user:secret@images.example/x", "user name"),
        ("http://user@images.example/x", "user name"),
        ("http://images.example:25/x", "port 25"),
        ("http://images.example:0/x", "port 0"),
        ("http://images.example:99999/x", "address"),
        ("http://[::1/x", "address"),
        ("http://images.example/" + "x" * 9000, "longer"),
        ("http://\ud800/", "address"),
    ],
)
async def test_an_address_that_is_not_looked_up_is_refused_with_its_reason(url: str, reason: str) -> None:
    assert reason in await refused(url, Policy(resolve=naming({})))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (whole(status="404 Not Found"), "status 404"),
        (whole(status="302 Found"), "status 302"),
        (whole(more="Content-Encoding: gzip\r\n"), "compressed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\nx", "larger than 1000"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000, "larger than 1000"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + b"x" * 1024 + b"\r\n", "larger than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nx", "broke"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx", "HTTP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "not HTTP"),
        (b"", "broke"),
        (whole(zlib.compress(b"x" * 10**6), more="Content-Encoding: deflate\r\n"), "compressed"),
    ],
)  # fmt: skip
async def test_an_answer_without_a_usable_file_is_refused_with_its_reason(answer: bytes, reason: str) -> None:
    async with listening(OPEN, answer) as opened:
        assert reason in await refused(f"http://{OPEN}:{opened.port}/x", Policy(is_allowed=only_open))


async def test_a_server_that_never_answers_is_given_up() -> None:
    async with listening(OPEN, b"", is_silent=True) as opened:
        with pytest.raises(BadRequest, match=r"within 0\.05 s"):
            await fetch(
                f"http://{OPEN}:{opened.port}/x", most_bytes=9, timeout_s=0.05, policy=Policy(is_allowed=only_open)
            )


async def test_a_fetch_that_is_cancelled_closes_its_connection() -> None:
    async with listening(OPEN, b"", is_silent=True) as opened:
        with anyio.fail_after(HANG_GUARD_S):
            async with anyio.create_task_group() as group:
                group.start_soon(get, f"http://{OPEN}:{opened.port}/x")
                while not opened.asked:
                    await anyio.sleep(0.001)
                group.cancel_scope.cancel()


async def test_a_port_where_nobody_listens_and_one_that_speaks_no_tls_are_named() -> None:
    async with listening(OPEN, whole()) as opened:
        opened.is_hasty = True
        assert "TLS" in await refused(f"https://{OPEN}:{opened.port}/x", Policy(is_allowed=only_open))
    assert "no connection" in await refused(f"http://{OPEN}:{opened.port}/x", Policy(is_allowed=only_open))
