"""Owns moving one file of the hub into a partial file beside its place, going on where an earlier try stopped.

Knows nothing of caches, catalogues or records. The bytes are hashed on the way; a file that does not match the hub's
checksum is removed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from paddock.errors import HubUnavailable
from paddock.models.hub_choice import HubFile

if TYPE_CHECKING:
    import httpx2

TRIES_WITHOUT_PROGRESS = 4
FIRST_PAUSE_S = 0.5
PAUSE_STEP_S = 0.05
READ_BYTES = 2**20
# Fewer bytes than this within the read timeout are a stalled connection, which is given up and made anew.
STALLED_BYTES = 1024
OK, PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 200, 206, 416
_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a file comes from. `headers` carry the token; the HTTP client drops it when it is sent to another host.

    `client` asks, the hub library's session where there is none; `again` is what messages say to go on. `validator` is
    a file for the server's name of the version that is being fetched: another one is begun anew. The hub needs none,
    since its addresses name the version.
    """

    url: str
    host: str
    headers: dict[str, str]
    timeout_s: float
    client: httpx2.Client | None = None
    again: str = "Pull it again"
    validator: Path | None = None


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class _Broke(Exception):
    """The connection ended before the file did."""


class _CannotGoOn(Exception):
    """The server only sends the file from its beginning."""


def fetch(
    file: HubFile,
    source: Source,
    partial: Path,
    *,
    progress: Callable[[int], None],
    is_cancelled: Callable[[], bool],
) -> None:
    """Complete `partial`, checked. `progress` is told the bytes that are there.

    Raises:
        HubUnavailable: the connection broke too often (what came is kept), the bytes are wrong (they are removed), or
            `is_cancelled` said so (what came is kept).
        httpx2.HTTPError, OSError: as the library raises them, for `hub_errors` to translate.
    """
    with partial.open("a+b") as target:
        came = _Came(file, target, progress)
        furthest, tries = came.size_bytes, 0
        while came.size_bytes < file.size_bytes:
            try:
                _take(came, source, is_cancelled)
            except _Broke as broke:
                tries = 1 if came.size_bytes > furthest else tries + 1
                furthest = max(furthest, came.size_bytes)
                if tries >= TRIES_WITHOUT_PROGRESS:
                    raise HubUnavailable(came.kept(f"{source.host} cannot be reached", source.again)) from broke
                _pause(FIRST_PAUSE_S * 2 ** (tries - 1), is_cancelled)
        is_right = came.digest.hexdigest() == digest_name(file)
    if not is_right:
        partial.unlink()
        raise HubUnavailable(
            f"'{Path(file.name).name}' came with the wrong checksum from {source.host} and was removed. "
            f"{source.again}; if this repeats, something between here and {source.host} changes files."
        )


def _take(came: _Came, source: Source, is_cancelled: Callable[[], bool]) -> None:
    """One request's worth of bytes."""
    looked_s, looked_bytes = time.monotonic(), came.size_bytes
    try:
        with closing(_blocks(source, came.size_bytes)) as blocks:
            for block in blocks:
                came.add(block)
                if time.monotonic() - looked_s > source.timeout_s:
                    if came.size_bytes - looked_bytes < min(STALLED_BYTES, came.file.size_bytes - looked_bytes):
                        break
                    looked_s, looked_bytes = time.monotonic(), came.size_bytes
                if is_cancelled():
                    raise HubUnavailable(came.kept("It was cancelled", source.again))
                if came.size_bytes >= came.file.size_bytes:
                    return
    except _CannotGoOn:
        came.start_again()
    raise _Broke


class _Came:
    """What has come of a file: the bytes on the disk and their running checksum."""

    def __init__(self, file: HubFile, target: BinaryIO, progress: Callable[[int], None]) -> None:
        self.file = file
        self.digest = _new_digest(file)
        self._target = target
        self._progress = progress
        self.size_bytes = _read_again(target, self.digest)
        if self.size_bytes > file.size_bytes:
            self.start_again()
        progress(self.size_bytes)

    def add(self, block: bytes) -> None:
        self._target.write(block)
        self.digest.update(block)
        self.size_bytes += len(block)
        self._progress(min(self.size_bytes, self.file.size_bytes))

    def start_again(self) -> None:
        self._target.truncate(0)
        self.size_bytes, self.digest = 0, _new_digest(self.file)

    def kept(self, what: str, again: str) -> str:
        name = Path(self.file.name).name
        return f"{what}: {self.size_bytes} of {self.file.size_bytes} bytes of '{name}' are kept. {again} to go on."


def beginning(source: Source) -> Generator[bytes]:
    """A file's bytes from its start, for as long as they are asked for. Closing it ends the transfer.

    Raises:
        HubUnavailable: the connection broke.
        httpx2.HTTPError: as the library raises it, for `hub_errors` to translate.
    """
    try:
        yield from _blocks(source, 0)
    except _Broke as broke:
        raise HubUnavailable(f"{source.host} cannot be reached. Try again.") from broke


def matches_digest(path: Path, file: HubFile) -> bool:
    """Whether the bytes at `path` are the hub's. Reads all of them."""
    digest = _new_digest(file)
    with path.open("rb") as source:
        return _read_again(source, digest) == file.size_bytes and digest.hexdigest() == digest_name(file)


def digest_name(file: HubFile) -> str:
    """The checksum in hexadecimal, which is also the file's name in the hub's cache."""
    return file.digest.partition(":")[2]


def _new_digest(file: HubFile) -> _Digest:
    if file.digest.startswith("sha256:"):
        return hashlib.sha256()
    # A file that lies in git itself has git's own checksum: over the word, the size and the bytes.
    return hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)


def _read_again(source: BinaryIO, digest: _Digest) -> int:
    source.seek(0)
    size_bytes = 0
    while block := source.read(READ_BYTES):
        digest.update(block)
        size_bytes += len(block)
    return size_bytes


def _blocks(source: Source, start_bytes: int) -> Generator[bytes]:
    """The file's bytes from `start_bytes` on, as they come; one request."""
    import httpx2
    from huggingface_hub import get_session, hf_raise_for_status

    headers = source.headers | {"Accept-Encoding": "identity"}
    if start_bytes:
        headers["Range"] = f"bytes={start_bytes}-"
        if version := _noted_version(source):
            headers["If-Range"] = version
    client = source.client or get_session()
    try:
        with client.stream("GET", source.url, headers=headers, timeout=source.timeout_s) as response:
            if response.status_code in _TRANSIENT_STATUSES:
                raise _Broke
            if start_bytes and not _goes_on(response.status_code, response.headers, start_bytes):
                raise _CannotGoOn
            hf_raise_for_status(response)
            if source.validator:
                source.validator.write_text(response.headers.get("ETag", ""), "utf-8")
            yield from response.iter_raw()
    except (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
        raise _Broke from error


def _noted_version(source: Source) -> str:
    """The strong name of the version that an earlier try got, or ""; a weak one promises too little."""
    if source.validator is None or not source.validator.is_file():
        return ""
    version = source.validator.read_text("utf-8")
    return version if version.startswith('"') else ""


def _goes_on(status: int, headers: Mapping[str, str], start_bytes: int) -> bool:
    if status == PARTIAL_CONTENT:
        return headers.get("Content-Range", "").startswith(f"bytes {start_bytes}-")
    return status not in (OK, RANGE_NOT_SATISFIABLE)


def _pause(seconds: float, is_cancelled: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not is_cancelled():
        time.sleep(PAUSE_STEP_S)
