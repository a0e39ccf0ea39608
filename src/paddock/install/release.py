"""Owns asking where a release is, what it holds, and fetching an archive of it; refuses to choose one.

The release's description comes from its API, once for each tag: what came is kept. Archives have addresses of their
own, which no question limit counts. A mirror serves both under one address. Blocking; call it from a worker thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from paddock import __version__
from paddock.errors import BuildRefused, BuildUnavailable, HomeUnusable, HubUnavailable, PaddockError
from paddock.install import manifest
from paddock.install.manifest import Archive, Manifest
from paddock.install.watch import QUIET, Watch
from paddock.models.hub_choice import HubFile
from paddock.models.transfer import Source, fetch, matches_digest
from paddock.paths import Home, take_place, write_whole

if TYPE_CHECKING:
    import httpx2

_PROJECT = "ggml-org/llama.cpp"
_API = f"https://api.github.com/repos/{_PROJECT}"
_WEB = f"https://github.com/{_PROJECT}"
_TIMEOUT_S = 20.0
_MOST_DESCRIPTION_BYTES = 16 * 2**20
# The archive and what it unpacks to lie side by side for a while.
_SPACE_FACTOR = 5
_AGAIN = "Install it again"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where releases come from. `token` goes to the API alone, never to a mirror."""

    api: str = _API
    web: str = _WEB
    token: str | None = None

    @classmethod
    def of(cls, mirror: str, environ: Mapping[str, str] | None = None) -> Origin:
        """The project's own addresses, with a token where the environment has one; or a mirror of them."""
        env = os.environ if environ is None else environ
        if mirror:
            address = mirror.rstrip("/")
            return cls(api=address, web=address)
        return cls(token=env.get("GITHUB_TOKEN") or env.get("GH_TOKEN") or None)


def description(tag: str, home: Home, origin: Origin, *, afresh: bool = False) -> Manifest:
    """The manifest of a release: the one that was kept, or made anew from the release's description.

    Raises:
        BuildUnavailable: nothing answers, there is no such release, or too many questions were asked.
        BuildRefused: what came is no description of that release.
        HomeUnusable: it cannot be kept.
    """
    kept = home.engines / f"release-{manifest.checked_tag(tag)}.json"
    if kept.is_file() and not afresh:
        with contextlib.suppress(BuildRefused, OSError):
            return manifest.read(kept.read_text("utf-8"))
    made = asked(tag, origin)
    try:
        write_whole(kept, manifest.write(made))
    except OSError as error:
        raise _unwritable(home.engines, error) from error
    return made


def newest(origin: Origin) -> str:
    """The tag of the newest release, as its API says now; mirrors may not know. Raises as `description` does."""
    said = _said(f"{origin.api}/releases/latest", "the newest release", origin)
    return manifest.checked_tag(cast("dict[str, Any]", said).get("tag_name") if isinstance(said, dict) else None)


def asked(tag: str, origin: Origin) -> Manifest:
    """The manifest of a release, made from what its API says now. Raises as `description` does."""
    url = f"{origin.api}/releases/tags/{manifest.checked_tag(tag)}"
    return manifest.of_release(_said(url, f"the release '{tag}'", origin), tag)


def _said(url: str, what: str, origin: Origin) -> Any:
    """The JSON that the API answers with."""
    headers = {"Accept": "application/vnd.github+json"}
    if origin.token:
        headers["Authorization"] = f"Bearer {origin.token}"
    with _client() as client, _told(url):
        with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise _refusal(answer.status_code, answer.headers, url, what)
            content = bytearray()
            # Unpacked it may be much more than what is sent.
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > _MOST_DESCRIPTION_BYTES:
                    raise BuildRefused(f"The description of {what} is too long to be one. Check the mirror.")
        try:
            return json.loads(content)
        except ValueError as error:
            raise BuildRefused(f"{_host_of(url)} sent no JSON for {what}. Check the mirror and proxies.") from error


def fetched(
    archive: Archive,
    tag: str,
    home: Home,
    origin: Origin,
    *,
    watch: Watch = QUIET,
) -> Path:
    """An archive in the data home's folder of downloads, whole and checked; an unfinished one is gone on with.

    Raises:
        BuildUnavailable: the connection broke too often or was refused, or it was cancelled; what came is kept.
        BuildRefused: the bytes are not those that were promised; they are removed.
        HomeUnusable: too little space, or the folder cannot be written.
    """
    folder = home.engines / "downloads"
    target, partial = folder / archive.asset, folder / f"{archive.sha256}.partial"
    file = HubFile(name=archive.asset, size_bytes=archive.size_bytes, digest=f"sha256:{archive.sha256}")
    url = f"{origin.web}/releases/download/{tag}/{archive.asset}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if target.is_file() and matches_digest(target, file):
            return target
        _check_space(folder, archive, partial)
        with _client() as client, _told(url):
            source = Source(
                url=url, host=_host_of(url), headers={}, timeout_s=_TIMEOUT_S, client=client, again=_AGAIN,
                validator=partial.with_suffix(".etag"),
            )  # fmt: skip
            fetch(
                file,
                source,
                partial,
                progress=lambda done: watch.progress(done, archive.size_bytes),
                is_cancelled=watch.is_cancelled,
            )
        take_place(partial, target)
        partial.with_suffix(".etag").unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return target


@contextmanager
def _client() -> Generator[httpx2.Client]:
    """A client that honours HTTPS_PROXY and NO_PROXY, and a company's certificates."""
    import httpx2

    bundle = next(filter(None, map(os.environ.get, ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))), None)
    folder = os.environ.get("SSL_CERT_DIR") or None
    try:
        client = httpx2.Client(
            # Without either, the system's own.
            verify=ssl.create_default_context(cafile=bundle, capath=folder) if bundle or folder else True,
            follow_redirects=True,
            timeout=_TIMEOUT_S,
            headers={"User-Agent": f"paddock/{__version__}"},
        )
    except (OSError, ValueError) as error:
        raise BuildUnavailable(
            f"The certificates or the proxy that the environment names cannot be used: {error}. Mend SSL_CERT_FILE, "
            "REQUESTS_CA_BUNDLE or HTTPS_PROXY."
        ) from error
    with client:
        yield client


@contextmanager
def _told(url: str) -> Generator[None]:
    """Within the block, what the HTTP library and the transfer raise becomes ours."""
    import httpx2
    from huggingface_hub import errors

    host = _host_of(url)
    try:
        yield
    except HubUnavailable as error:
        kind = BuildRefused if "checksum" in error.message else BuildUnavailable
        raise kind(error.message) from error
    except errors.HfHubHTTPError as error:
        answer = error.response
        raise _refusal(answer.status_code, answer.headers, url, f"'{url.rpartition('/')[2]}'") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        reason = f" ({error})" if str(error) else ""
        raise BuildUnavailable(
            f"{host} cannot be reached{reason}. Check the connection, HTTPS_PROXY, SSL_CERT_FILE and engine_mirror, "
            "then install again; what came is kept."
        ) from error


def _refusal(status: int, headers: Mapping[str, str], url: str, what: str) -> BuildUnavailable:
    host = _host_of(url)
    if status == HTTPStatus.NOT_FOUND:
        return BuildUnavailable(f"{host} has no {what.removeprefix('the ')}. Check the tag, or the mirror.")
    is_limit = status == HTTPStatus.TOO_MANY_REQUESTS or headers.get("X-RateLimit-Remaining") == "0"
    if is_limit or (status == HTTPStatus.FORBIDDEN and "Retry-After" in headers):
        return BuildUnavailable(
            f"{host} answers no more questions {_until(headers)}. Wait, set GITHUB_TOKEN to a token of yours (it "
            "needs no rights), or set engine_mirror."
        )
    return BuildUnavailable(f"{host} answered with status {status} for {what}. Try again later, or set engine_mirror.")


def _until(headers: Mapping[str, str]) -> str:
    """When a limit ends, from `Retry-After` (seconds) or `X-RateLimit-Reset` (seconds since 1970)."""
    for name, since_s in (("Retry-After", time.time()), ("X-RateLimit-Reset", 0.0)):
        if headers.get(name, "").isascii() and headers.get(name, "").isdigit():
            with contextlib.suppress(OverflowError, ValueError, OSError):
                return f"until {datetime.fromtimestamp(since_s + int(headers[name]), UTC):%Y-%m-%d %H:%M UTC}"
    return "for now"


def _check_space(folder: Path, archive: Archive, partial: Path) -> None:
    there_bytes = partial.stat().st_size if partial.is_file() else 0
    needed_bytes = _SPACE_FACTOR * archive.size_bytes - there_bytes
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise HomeUnusable(
            f"'{archive.asset}' needs {needed_bytes / 1e9:.2f} GB with what it unpacks to, and the data home has "
            f"{free_bytes / 1e9:.2f} GB free. Free space, or move the data home with PADDOCK_HOME."
        )


def _unwritable(folder: Path, error: OSError) -> PaddockError:
    return HomeUnusable(
        f"{folder} cannot be written ({error.strerror or error}). Free space, mend its rights, or move the data home "
        "with PADDOCK_HOME."
    )


def _host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2] or url
