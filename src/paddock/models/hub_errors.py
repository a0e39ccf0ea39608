"""Owns turning what `huggingface_hub` and its HTTP client raise into paddock's own errors; the one seam for it.

Covered: every exception of the library's `errors` module that a download or a push can meet, every exception of its
HTTP client, and what the file system says. A test enumerates them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from paddock.errors import HomeUnusable, HubUnavailable, PaddockError, RepositoryClosed, RepositoryUnknown, shown

_NOT_KNOWN, _FORBIDDEN, _NOT_THERE = 401, 403, 404
_WORDS_MOST = 300
_PUSH_NEXT = "Check the connection (and HF_ENDPOINT, proxies), then push again; what was sent is not sent once more."
_NEXT = "Check the connection (and HF_ENDPOINT, proxies), then pull again; what was fetched so far is kept."


@contextmanager
def pushing_errors(repo: str, host: str) -> Generator[None]:
    """As `hub_errors`, for what is written to a repository.

    Raises:
        HubUnavailable: the hub cannot be reached, or refuses.
        RepositoryClosed: the token is refused, or may not write there.
        HomeUnusable: a file that is sent cannot be read.
    """
    import httpx2
    from huggingface_hub import errors

    foreign = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, RuntimeError, OSError, ValueError)
    foreign += (errors.OfflineModeIsEnabled, errors.RevisionNotFoundError)
    try:
        yield
    except foreign as error:
        # The library wraps whatever befalls a large file.
        cause = error.__cause__ if isinstance(error, RuntimeError) else None
        raise _told_of_push(cause if isinstance(cause, Exception) else error, repo, host) from error


@contextmanager
def hub_errors(repo: str, host: str) -> Generator[None]:
    """Within the block, foreign exceptions become paddock's, told about this repository on this host.

    Raises:
        HubUnavailable: the hub cannot be reached, refuses, or does not have it.
        RepositoryUnknown, RepositoryClosed: of these, what an account or a token may change.
        HomeUnusable: the disk under the hub's cache is full or cannot be written.
    """
    import httpx2
    from huggingface_hub import errors

    foreign = (
        errors.EntryNotFoundError,
        errors.CorruptedCacheException,
        errors.RevisionResolutionError,
        errors.XetDownloadError,
        httpx2.HTTPError,
        httpx2.InvalidURL,
        httpx2.CookieConflict,
        httpx2.StreamError,
        OSError,
        ValueError,
    )
    try:
        yield
    except foreign as error:
        raise _translated(error, repo, host) from error


def is_about_the_network(error: HubUnavailable) -> bool:
    """Whether nothing answered, or nothing was asked: then what is here already may still do."""
    import httpx2
    from huggingface_hub import errors

    return isinstance(error.__cause__, (errors.OfflineModeIsEnabled, httpx2.TransportError))


def _translated(error: Exception, repo: str, host: str) -> PaddockError:
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        return HubUnavailable("HF_HUB_OFFLINE is set, so the hub is not asked. Unset it and pull again.")
    if isinstance(error, errors.GatedRepoError):
        return RepositoryClosed(
            f"'{repo}' is gated. Accept its terms on {host} with your account, set HF_TOKEN to a token of that account "
            "and pull again."
        )
    if isinstance(error, errors.HfHubHTTPError):
        return _refusal(error.response.status_code, repo, host)
    if isinstance(error, (errors.LocalEntryNotFoundError, httpx2.TransportError, httpx2.TooManyRedirects)):
        return HubUnavailable(f"The hub at {host} cannot be reached. {_NEXT}")
    if isinstance(error, errors.EntryNotFoundError):
        return HubUnavailable(f"'{repo}' does not hold that file any more. Pull again.")
    if isinstance(error, (errors.FileMetadataError, errors.CorruptedCacheException)):
        return HubUnavailable(f"The hub's cache or answer for '{repo}' makes no sense. Remove it from the cache.")
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return HomeUnusable(f"The hub's cache (HF_HOME) cannot be written: {reason}. Free space or mend its rights.")
    return HubUnavailable(f"What answers at {host} does not speak like the hub. {_NEXT}")


def _told_of_push(error: Exception, repo: str, host: str) -> PaddockError:
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, PaddockError):
        return error
    if isinstance(error, errors.OfflineModeIsEnabled):
        return HubUnavailable("HF_HUB_OFFLINE is set, so the hub is not asked. Unset it and push again.")
    if isinstance(error, errors.HfHubHTTPError | httpx2.HTTPStatusError):
        return _refused_push(error.response.status_code, repo, host, _words(error.response))
    if isinstance(error, httpx2.TransportError | httpx2.TooManyRedirects):
        return HubUnavailable(f"The hub at {host} cannot be reached. {_PUSH_NEXT}")
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return HomeUnusable(f"A file that is to be pushed cannot be read: {reason}. Mend it, then push again.")
    return HubUnavailable(f"What answers at {host} did not take the push to '{repo}': {shown(str(error))}.")


def _refused_push(status: int, repo: str, host: str, words: str) -> PaddockError:
    said = f" It says: {shown(words)}." if words else ""
    if status == _NOT_KNOWN:
        return RepositoryClosed(
            f"{host} does not take the token.{said} `paddock hub token --token-stdin` keeps another one; HF_TOKEN goes "
            "before it."
        )
    if status in (_FORBIDDEN, _NOT_THERE):
        return RepositoryClosed(
            f"{host} does not let this token write to '{repo}'.{said} Take a token that may write there, or name a "
            "repository of your own."
        )
    return HubUnavailable(f"{host} answered with status {status} for the push to '{repo}'.{said} {_PUSH_NEXT}")


def _words(response: Any) -> str:
    """What the hub says of a refusal, as far as it is short and told in its usual form."""
    try:
        told: object = response.json()
    except (ValueError, RuntimeError):
        return ""
    return str(cast("dict[str, object]", told).get("error") or "")[:_WORDS_MOST] if isinstance(told, dict) else ""


def _refusal(status: int, repo: str, host: str) -> HubUnavailable:
    if status in (401, 404):
        return RepositoryUnknown(
            f"There is no repository '{repo}' on {host}, or it is private. Check its name; for a private one set "
            "HF_TOKEN to a token that may read it."
        )
    if status == 403:
        return RepositoryClosed(f"{host} does not let this account read '{repo}'. Set HF_TOKEN to a token that may.")
    if status == 429:
        words = "asks to wait: too many requests. Wait some minutes, or set HF_TOKEN; then pull again."
        return HubUnavailable(f"{host} {words}")
    return HubUnavailable(f"{host} answered with status {status} for '{repo}'. Try again later.")
