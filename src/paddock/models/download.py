"""Owns fetching models from the Hugging Face hub into its own cache, with a record in the data home.

Knows nothing of screens: progress goes to a callback. The bytes lie where `huggingface_hub` keeps them (HF_HOME is
honoured, and other programs find them there). The library of today throws an unfinished download away, so the
transfer itself is ours: it goes on where it stopped, in this run or a later one, and every file is checked against the
hub's checksum before it gets its name.

Blocking; call it from a worker thread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from paddock import __version__
from paddock.errors import BadRequest, HubUnavailable, ModelUnusable
from paddock.models.facts import ModelFacts, Unusable, read_facts
from paddock.models.hub_cache import Place, cache_folder, cached_file, cached_plan, check_space, is_checksum
from paddock.models.hub_choice import HubFile, Listing, Plan, Spec, choose, parse_spec
from paddock.models.hub_errors import hub_errors, is_about_the_network
from paddock.models.hub_search import told_of
from paddock.models.records import (
    PulledFile,
    PulledRecord,
    fetched_before,
    note_fetched,
    record_path,
    records_in,
    unfinished,
    write_record,
)
from paddock.models.removal import of_pulled
from paddock.models.transfer import Source, fetch, matches_digest
from paddock.paths import Home

_CALLER = {"library_name": "paddock", "library_version": __version__}
ASK_TIMEOUT_S = 10.0
LOCK_TIMEOUT_S = 0.5

_NO_MODEL = "'{}' is the projector of a model, and no model of its own. Name the model's quantisation."

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Which hub, which cache, whose token. None takes the library's own: HF_ENDPOINT, HF_HOME, HF_TOKEN and so on.

    False is no token at all.
    """

    endpoint: str | None = None
    cache: Path | None = None
    token: str | Literal[False] | None = None

    @property
    def host(self) -> str:
        """The hub's address as messages name it."""
        address = self.address.partition("://")[2]
        return address.partition("/")[0].rpartition("@")[2] or "the hub"

    @property
    def address(self) -> str:
        """Where the hub is asked."""
        return self.endpoint or str(_library().constants.ENDPOINT)

    def headers(self) -> dict[str, str]:
        """What every request to it says of the caller, its token among it."""
        return _library().utils.build_hf_headers(token=self.token, **_CALLER)

    def api(self) -> Any:
        """The hub library's client."""
        return _library().HfApi(endpoint=self.endpoint, token=self.token, **_CALLER)

    @property
    def folder(self) -> Path:
        """Where the cache is."""
        return self.cache or cache_folder(os.environ)


def pull(
    spec: str,
    home: Home,
    *,
    hub: Hub | None = None,
    announce: Callable[[Plan], None] | None = None,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
    revision: str | None = None,
    spoken_for_bytes: int = 0,
) -> PulledRecord:
    """Fetch a model; the catalogue has it afterwards. What the cache holds already is checked and not fetched again.

    Args:
        spec: `ORG/REPO` or `ORG/REPO:QUANT`.
        home: where the record goes.
        hub: another hub, cache or token than the environment says.
        announce: told what was chosen, before the first byte.
        progress: told the bytes that are there and the bytes in all.
        is_cancelled: asked between blocks; True ends the pull and keeps what was fetched for the next one.
        revision: the commit to fetch; the newest if None.
        spoken_for_bytes: what other downloads have yet to write to that disk.

    Raises:
        BadRequest: the spec cannot be read, or names several models.
        HubUnavailable: the hub cannot be reached, refuses, lacks the model, or sent wrong bytes; or the pull was
            cancelled.
        HomeUnusable: too little space, or the cache or the data home cannot be written.
        ModelUnusable: what the hub holds under this name is no model that can be loaded.
    """
    hub = hub or Hub()
    plan = look_up(spec, hub=hub, revision=revision)
    if announce is not None:
        announce(plan)
    home.ensure()
    check_space(hub.folder, plan, spoken_for_bytes=spoken_for_bytes)
    files = _fetch_all(plan, home, hub, progress or (lambda done, total: None), is_cancelled)
    count = len(plan.choice.files)
    record = PulledRecord(
        id=plan.id,
        repo=plan.repo,
        revision=plan.revision,
        pulled_s=int(time.time()),
        files=files[:count],
        projector=files[count] if files[count:] else None,
    )
    facts = read_facts(Path(files[0].path))
    if not isinstance(facts, ModelFacts):
        discard(record, home)
        raise ModelUnusable(facts.reason if isinstance(facts, Unusable) else _NO_MODEL.format(plan.id))
    write_record(home.models, record)
    note_fetched(home.models, plan.id, ())
    return record


def discard(record: PulledRecord, home: Home) -> None:
    """Take away what was fetched for a model that is not kept; files that something else needs stay.

    Raises:
        HomeUnusable: the files cannot be removed.
    """
    others = [other for other in records_in(home.models) if other.id != record.id]
    with hub_errors(record.repo, "the hub"):
        of_pulled(record, record_path(home.models, record.id), others).carry_out()
    note_fetched(home.models, record.id, ())


def abandon(plan: Plan, home: Home, *, hub: Hub | None = None) -> None:
    """Take away what a pull left that is not to be finished: files in part, and whole ones that nothing else needs.

    A model that another pull finished meanwhile stays, and so does what another program is writing.

    Raises:
        HomeUnusable: the files cannot be removed.
    """
    hub = hub or Hub()
    if any(record.id == plan.id for record in records_in(home.models)):
        return
    for file in plan.files:
        place = Place.of(hub.folder, plan.repo, file)
        with hub_errors(plan.repo, hub.host), suppress(HubUnavailable), _only_one(place.lock, file):
            place.partial.unlink(missing_ok=True)
    fetched = [
        PulledFile(path=path, size_bytes=0, digest="", fetched=True) for path in unfinished(home.models, plan.id)
    ]
    discard(PulledRecord(id=plan.id, repo=plan.repo, revision=plan.revision, pulled_s=0, files=tuple(fetched)), home)


def list_files(repo: str, *, hub: Hub | None = None) -> Listing:
    """A repository at its newest commit.

    Raises:
        BadRequest, HubUnavailable: as `pull` does.
    """
    hub = hub or Hub()
    asked = parse_spec(repo)
    with hub_errors(asked.repo, hub.host):
        return _listing(asked, hub)


def look_up(spec: str, *, hub: Hub | None = None, revision: str | None = None) -> Plan:
    """What `pull` would fetch, without fetching it. Without a network, what the cache holds already.

    Raises as `pull` does.
    """
    hub = hub or Hub()
    asked = parse_spec(spec)
    try:
        with hub_errors(asked.repo, hub.host):
            found = _listing(asked, hub, revision)
    except HubUnavailable as error:
        plan = None
        if is_about_the_network(error):
            with suppress(HubUnavailable, BadRequest):
                plan = cached_plan(hub.folder, asked)
        if plan is None:
            raise
        return plan
    asked = replace(asked, repo=found.repo)
    return Plan(spec=asked, revision=found.revision, choice=choose(asked, found.files))


def _listing(asked: Spec, hub: Hub, revision: str | None = None) -> Listing:
    """The repository that was asked for, at a commit. ValueError: a senseless answer."""
    api = hub.api()
    try:
        info = api.model_info(asked.repo, revision=revision, files_metadata=True, timeout=ASK_TIMEOUT_S)
        listed: list[Any] = info.siblings or []
        files = [HubFile(name=file.rfilename, size_bytes=int(file.size or 0), digest=_digest(file)) for file in listed]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not an answer of the hub") from error
    if not is_checksum(info.sha):
        raise ValueError("no commit in the answer")
    own_spelling = info.id if str(info.id).casefold() == asked.repo.casefold() else asked.repo
    about = told_of(info)
    return Listing(
        repo=str(own_spelling),
        revision=str(info.sha),
        files=tuple(files),
        licence=about.licence,
        is_gated=about.is_gated,
        context_tokens=about.context_tokens,
    )


def _digest(file: Any) -> str:
    """The checksum of a file in the hub's listing, which is also a file name and so is looked at closely."""
    kind, name = ("sha256", file.lfs.sha256) if file.lfs else ("git", file.blob_id)
    if not is_checksum(name):
        raise ValueError("no checksum in the answer")
    return f"{kind}:{name}"


def _fetch_all(
    plan: Plan, home: Home, hub: Hub, progress: Progress, is_cancelled: Callable[[], bool]
) -> tuple[PulledFile, ...]:
    """Every file of the plan, in the hub's cache and checked."""
    ours = fetched_before(home.models, plan.id)
    files: list[PulledFile] = []
    done_bytes = 0
    for file in plan.files:
        with hub_errors(plan.repo, hub.host):
            cached = cached_file(hub.folder, plan, file)
            path = cached or _fetch_one(plan, file, hub, _from(done_bytes, plan, progress), is_cancelled)
        fetched = cached is None or str(path) in ours
        files.append(PulledFile(path=str(path), size_bytes=file.size_bytes, digest=file.digest, fetched=fetched))
        note_fetched(home.models, plan.id, files)
        done_bytes += file.size_bytes
        progress(done_bytes, plan.size_bytes)
    return tuple(files)


def _from(start_bytes: int, plan: Plan, progress: Progress) -> Callable[[int], None]:
    return lambda file_bytes: progress(start_bytes + file_bytes, plan.size_bytes)


def _fetch_one(
    plan: Plan, file: HubFile, hub: Hub, progress: Callable[[int], None], is_cancelled: Callable[[], bool]
) -> Path:
    """One file, fetched into the cache and linked there by the library itself."""
    library = _library()
    place = Place.of(hub.folder, plan.repo, file)
    source = source_of(plan, file, hub)
    place.blob.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(place.lock, file):
        if not (place.blob.is_file() and matches_digest(place.blob, file)):
            fetch(file, source, place.partial, progress=progress, is_cancelled=is_cancelled)
            place.partial.replace(place.blob)
        # It finds the bytes in place, and so makes the links alone.
        linked = library.hf_hub_download(
            plan.repo,
            file.name,
            revision=plan.revision,
            cache_dir=hub.folder,
            endpoint=hub.endpoint,
            token=hub.token,
            **_CALLER,
        )
    place.note_branch(plan.revision)
    path = Path(linked)
    if not (path.samefile(place.blob) if place.blob.exists() else matches_digest(path, file)):
        raise HubUnavailable(f"'{file.name}' changed on {hub.host} while it was fetched. Pull again.")
    return path


def source_of(plan: Plan, file: HubFile, hub: Hub) -> Source:
    """Where one file of a plan comes from."""
    library = _library()
    return Source(
        url=library.hf_hub_url(plan.repo, file.name, revision=plan.revision, endpoint=hub.endpoint),
        host=hub.host,
        headers=hub.headers(),
        timeout_s=library.constants.HF_HUB_DOWNLOAD_TIMEOUT,
    )


@contextmanager
def _only_one(lock: Path, file: HubFile) -> Generator[None]:
    """Two pulls must not write into one partial file."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(_library().utils.WeakFileLock(lock, timeout=LOCK_TIMEOUT_S))
        except TimeoutError as error:
            raise HubUnavailable(f"'{file.name}' is being fetched by another program. Wait for it.") from error
        yield


def _library() -> Any:
    """The hub library, imported when it is first needed: it takes as long as all the rest of a start."""
    library: Any = import_module("huggingface_hub")
    # The package only reaches for these two when they are named.
    constants: Any = import_module("huggingface_hub.constants")
    import_module("huggingface_hub.utils")
    # It tells the hub nothing about this machine, and any transfer of its own is of the plain kind.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    constants.HF_HUB_DISABLE_XET = True
    return library
