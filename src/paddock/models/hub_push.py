"""Owns writing to a repository of the hub: made where it is not there, large files first, then one commit of all.

What the hub has already is not sent again, so a push that was broken off is gone on with by pushing anew. Nothing is
taken away, and whether a repository is open to all is never changed. Blocking; call it from the hub's own process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from paddock.errors import HubTokenMissing, HubUnavailable, PushRefused
from paddock.models.hub_errors import pushing_errors

if TYPE_CHECKING:
    from paddock.models.download import Hub

CARD = "README.md"
# A line of a card's front matter, which texts cannot forge; by it the next push knows that it may write another.
OURS = "paddock_card: 1"
_CARD_MOST_BYTES = 2**20
_CONFLICT = 409
_ASK_TIMEOUT_S = 10.0
_SUMMARY = "Pushed by paddock"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file and what it is called in the repository: at a path, or of a text.

    `sha256` is what its bytes must come to; "" is whatever they do.
    """

    name: str
    path: str = ""
    text: str = ""
    sha256: str = ""

    @property
    def size_bytes(self) -> int:
        """Raises OSError."""
        return Path(self.path).stat().st_size if self.path else len(self.text.encode())


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What became of a push. `there` are the files that the hub had as they are; `commit` is the newest."""

    url: str
    commit: str
    is_private: bool
    is_new: bool
    sent: list[str]
    there: list[str]


# The file that is on its way, and the bytes of all files that are there.
Tell = Callable[[str, int], object]


def push(repo: str, uploads: Sequence[Upload], *, is_public: bool, hub: Hub, tell: Tell) -> Pushed:
    """Write these files into a repository, all in one commit. What is there else stays.

    Args:
        repo: `OWNER/NAME`.
        uploads: the files.
        is_public: whether one that is made is open to all, and one that is so already will do.
        hub: which hub, whose token.
        tell: told how far it is.

    Raises:
        HubTokenMissing: there is no token.
        PushRefused: the repository is open to all, or has a card that somebody else wrote, or a file is another one.
        HubUnavailable: the hub cannot be reached, or refuses.
        HomeUnusable: a file cannot be read.
    """
    library: Any = import_module("huggingface_hub")
    library.utils.disable_progress_bars()
    api = hub.api()
    if hub.token is False or not (hub.token or library.get_token()):
        raise HubTokenMissing(
            f"{hub.host} lets nobody write without a token, and there is none. `paddock hub token --token-stdin` keeps "
            "one that may write, sealed; then push again."
        )
    with pushing_errors(repo, hub.host):
        try:
            info, is_new = _standing(api, repo, is_public=is_public)
            before = _listed(info)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("it is no answer of the hub") from error
        if not info.private and not is_public:
            raise PushRefused(
                f"'{repo}' is open to all on {hub.host}, and a push is private unless it is said to be public. Name "
                "another repository, make it private there, or say public.",
            )
        _refuse_other_card(library, hub, repo, before, uploads)
        operations = [_operation(library, one) for one in uploads]
        _send_large(api, repo, uploads, operations, tell)
        commit = api.create_commit(repo, operations, commit_message=_SUMMARY)
        after = api.model_info(repo, files_metadata=True, timeout=_ASK_TIMEOUT_S)
        found = _listed(after)
        if lacking := [one.name for one in uploads if one.name not in found]:
            raise HubUnavailable(
                f"{hub.host} took the push to '{repo}', and does not show {', '.join(lacking[:5])}. A .gitignore of "
                "that repository may keep it out."
            )
        there = [one.name for one in uploads if one.name in before and _is_same(before[one.name], found[one.name])]
        return Pushed(
            url=f"{hub.address}/{repo}",
            commit=str(commit.oid),
            is_private=bool(after.private),
            is_new=is_new,
            sent=[one.name for one in uploads if one.name not in there],
            there=there,
        )


def _listed(info: Any) -> dict[str, Any]:
    """The files of a repository by their names."""
    listed: list[Any] = info.siblings or []
    return {str(one.rfilename): one for one in listed}


def _standing(api: Any, repo: str, *, is_public: bool) -> tuple[Any, bool]:
    """The repository as it is, made where it is not there, and whether it was."""
    from huggingface_hub import errors

    is_new = False
    try:
        return api.model_info(repo, files_metadata=True, timeout=_ASK_TIMEOUT_S), is_new
    except errors.RepositoryNotFoundError:
        pass
    try:
        api.create_repo(repo, visibility="public" if is_public else "private")
        is_new = True
    except errors.HfHubHTTPError as error:
        # Somebody else has made it a moment ago: what it is decides.
        if error.response.status_code != _CONFLICT:
            raise
    return api.model_info(repo, files_metadata=True, timeout=_ASK_TIMEOUT_S), is_new


def _refuse_other_card(library: Any, hub: Hub, repo: str, there: dict[str, Any], uploads: Sequence[Upload]) -> None:
    """Raises PushRefused where a card would go in the place of one that paddock did not write."""
    if CARD not in there or not any(one.name == CARD for one in uploads):
        return
    text = b""
    if (there[CARD].size or 0) <= _CARD_MOST_BYTES:
        url = library.hf_hub_url(repo, CARD, endpoint=hub.endpoint)
        answer = library.get_session().get(url, headers=hub.headers(), timeout=_ASK_TIMEOUT_S)
        library.utils.hf_raise_for_status(answer)
        text = cast(bytes, answer.content)
    if not is_ours(text.decode("utf-8", "replace")):
        raise PushRefused(
            f"'{repo}' has a {CARD} that paddock did not write, and it is not written over. Push without a card, or "
            "name another repository.",
        )


def is_ours(card: str) -> bool:
    """Whether paddock wrote a card: what stands in its front matter tells."""
    lines = card.splitlines()
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        return False
    return OURS in lines[1 : lines.index("---", 1)]


def _operation(library: Any, upload: Upload) -> Any:
    return library.CommitOperationAdd(upload.name, upload.path or upload.text.encode())


def _send_large(api: Any, repo: str, uploads: Sequence[Upload], operations: Sequence[Any], tell: Tell) -> None:
    """Send the large files, one after the other; what the hub has of them is not asked for by it."""
    done_bytes = 0
    for upload, operation in zip(uploads, operations, strict=True):
        if upload.path:
            tell(upload.name, done_bytes)
            _refuse_changed(upload, operation)
            operation.as_file = _counted(operation, _from(done_bytes, upload.name, tell))
            api.preupload_lfs_files(repo, [operation], free_memory=False)
        done_bytes += upload.size_bytes
        tell(upload.name, done_bytes)


def _from(start_bytes: int, name: str, tell: Tell) -> Callable[[int], None]:
    return lambda read_bytes: cast(None, tell(name, start_bytes + read_bytes))


def _refuse_changed(upload: Upload, operation: Any) -> None:
    """Raises PushRefused where a file holds other bytes than its certificate is of."""
    if upload.sha256 and operation.upload_info.sha256.hex() != upload.sha256:
        raise PushRefused(
            f"{upload.name} holds other bytes than its certificate is of. Verify the export, then push again.",
        )


def _counted(operation: Any, told: Callable[[int], None]) -> Callable[..., Any]:
    """How the library opens a file to send it, in such a way that what it read is told."""

    @contextmanager
    def opened(with_tqdm: bool = False) -> Generator[BufferedReader]:
        with _Counted(FileIO(operation.path_or_fileobj), told if with_tqdm else None) as file:
            yield file

    return opened


class _Counted(BufferedReader):
    """A file that tells how far it was read."""

    def __init__(self, raw: FileIO, told: Callable[[int], None] | None) -> None:
        super().__init__(raw)
        self._told = told

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self._told:
            self._told(self.tell())
        return data


def _is_same(before: Any, after: Any) -> bool:
    return bool(before.blob_id) and before.blob_id == after.blob_id
