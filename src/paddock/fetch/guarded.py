"""Owns fetching one file by its address, from public addresses only; refuses to know who asked and what for.

A host is looked up once for each hop, every address found is checked, and only those very addresses are connected to,
so nothing can change between the check and the connection. Redirects are followed by hand under the same rules. No
proxy, no cookie, no credential and no setting of the environment takes part.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import anyio
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from paddock.errors import BadRequest, shown
from paddock.fetch.addresses import PUBLIC, Policy, as_address, is_odd_number

MOST_REDIRECTS = 3
MOST_URL_CHARACTERS = 8192
_REDIRECTS = (301, 302, 303, 307, 308)
_SCHEMES = ("http", "https")
# Below this, ports belong to other protocols, whose servers could be made to read a request as something else.
_LOWEST_OTHER_PORT = 1024
_WEB_PORTS = (80, 443)
_FAULTS: tuple[type[Exception], ...] = (aiohttp.ClientError, OSError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What came: the bytes as they were sent, and the media type in lower case without parameters, or ""."""

    data: bytes
    content_type: str


async def fetch(
    url: str, *, most_bytes: int, timeout_s: float, policy: Policy = PUBLIC, accept: str = "*/*"
) -> Fetched:
    """GET a file over http or https, from port 80, 443 or any from 1024 on, through at most three redirects.

    Args:
        url: an absolute address without user name and password.
        most_bytes: the largest body that is read; more is refused when it is announced or when it has come.
        timeout_s: for everything together: looking up, connecting, redirects, the last byte.
        policy: where connections may go; for tests and callers with a narrower list, never from a request.
        accept: the media types that are asked for.

    Raises:
        BadRequest: the address is refused, or nothing usable came; the message names the address and the reason.
    """
    try:
        with anyio.fail_after(timeout_s):
            return await _followed(url, most_bytes, policy, accept)
    except TimeoutError as error:
        raise BadRequest(f"{shown(url)} was not there within {timeout_s:g} s. Send the bytes themselves.") from error


async def addresses_of(url: str, policy: Policy) -> list[str]:
    """Every address of the host of an address of the web, for whoever connects by other means.

    Raises:
        BadRequest: the address, or one of its host's, is refused.
    """
    return await _looked_up(_checked(url, url), policy)


async def _followed(url: str, most_bytes: int, policy: Policy, accept: str) -> Fetched:
    here = _checked(url, url)
    for _ in range(MOST_REDIRECTS + 1):
        name = shown(str(here))
        addresses = await _looked_up(here, policy)
        try:
            async with _answered(here, addresses, accept) as response:
                target = response.headers.get("Location")
                if response.status not in _REDIRECTS or target is None:
                    return await _read(response, name, most_bytes)
        except _FAULTS as error:
            raise BadRequest(f"{name} cannot be fetched ({_reason(error)}). Check the address.") from error
        here = _checked(target, str(here), base=here)
    raise BadRequest(f"{shown(url)} redirects more than {MOST_REDIRECTS} times. Give the last address itself.")


def _checked(url: str, said: str, *, base: URL | None = None) -> URL:
    """An address that may be looked up. `said` is what messages name; `base` is where a redirect came from."""
    origin = f"{shown(said)} redirects to {shown(url)}, which" if base else shown(said)
    if len(url) > MOST_URL_CHARACTERS:
        raise BadRequest(f"{origin} is longer than {MOST_URL_CHARACTERS} characters. Give a shorter address.")
    try:
        parsed = base.join(URL(url)) if base else URL(url)
        host, port = parsed.raw_host, parsed.port
    except ValueError as error:
        raise BadRequest(f"{origin} is no address of the web ({error}). Check it.") from error
    if parsed.scheme not in _SCHEMES or not host:
        raise BadRequest(f"{origin} is not fetched: only http and https addresses are.")
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise BadRequest(f"{origin} is not fetched: it holds a user name or a password. Leave them out.")
    if is_odd_number(host):
        raise BadRequest(
            f"{origin} is not fetched: its host is a number. Write a name, or an address in its usual form."
        )
    if port is None or (port not in _WEB_PORTS and port < _LOWEST_OTHER_PORT):
        raise BadRequest(f"{origin} is not fetched: port {port} belongs to another protocol.")
    return parsed


async def _looked_up(url: URL, policy: Policy) -> list[str]:
    """Every address of the host, each of them allowed."""
    host, port, name = str(url.raw_host), int(url.port or 0), shown(str(url))
    found: Sequence[str]
    if as_address(host) is not None:
        found = [host]
    else:
        try:
            found = await (policy.resolve or _ask_the_system)(host, port)
        except (OSError, UnicodeError) as error:
            raise BadRequest(f"{name} is not fetched: its host cannot be found. Check the address.") from error
    addresses = [as_address(text) for text in found]
    if not addresses or not all(address is not None and policy.is_allowed(address) for address in addresses):
        # Which address it is stays untold: names of the network within are nobody's business out there.
        raise BadRequest(f"{name} is not fetched: its host is not at a public address. Send the bytes themselves.")
    return list(found)


async def _ask_the_system(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Known(AbstractResolver):
    """Answers with the addresses that were checked, whatever is asked."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def _answered(url: URL, addresses: Sequence[str], accept: str) -> AsyncGenerator[aiohttp.ClientResponse]:
    """The answer to one GET, its body unread. Everything is closed on leaving."""

    def connected_only_to_those(address: tuple[Any, ...]) -> socket.socket:
        # The last gate, whatever the library does between our check and this call.
        if address[4][0] not in addresses:
            raise PermissionError("an address that was not checked")
        return socket.socket(*address[:3])

    connector = aiohttp.TCPConnector(
        resolver=_Known(addresses), use_dns_cache=False, socket_factory=connected_only_to_those, force_close=True
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    ) as session:
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "paddock"}
        response = await session.get(url, headers=headers, allow_redirects=False)
        try:
            yield response
        finally:
            response.close()


async def _read(response: aiohttp.ClientResponse, name: str, most_bytes: int) -> Fetched:
    too_large = BadRequest(f"{name} is larger than {most_bytes} bytes. Send a smaller file.")
    if response.status != 200:
        raise BadRequest(f"{name} answered with status {response.status} and no file. Check the address.")
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("identity", ""):
        raise BadRequest(f"{name} came compressed, which was not asked for. Send the bytes themselves.")
    if (response.content_length or 0) > most_bytes:
        raise too_large
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > most_bytes:
            raise too_large
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Fetched(data=bytes(data), content_type=content_type)


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate is not trusted, or its TLS is broken"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection"
    return "the connection broke, or the answer is not HTTP"
