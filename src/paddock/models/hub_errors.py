"""Owns turning what `huggingface_hub` and its HTTP client raise into paddock's own errors; the one seam for it.

Covered: every exception of the library's `errors` module that a download can meet, every exception of its HTTP client,
and what the file system says. A test enumerates them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from paddock.errors import HomeUnusable, HubUnavailable, PaddockError, RepositoryClosed, RepositoryUnknown

_NEXT = "Check the connection (and HF_ENDPOINT, proxies), then pull again; what was fetched so far is kept."


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
