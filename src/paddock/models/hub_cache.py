"""Owns where the hub library's cache keeps the files of a repository, and which models it holds; knows no network.

The layout is the library's documented one: `models--ORG--REPO/blobs/CHECKSUM` holds bytes, `snapshots/COMMIT/NAME`
links to them, `refs/BRANCH` names a commit.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import DiskTooFull
from paddock.models.entries import Entry, first_parts, is_gguf
from paddock.models.hub_choice import HubFile, Plan, Spec, choose, names_of_variants
from paddock.models.transfer import digest_name, matches_digest

_HEX = frozenset("0123456789abcdef")
_BRANCH = "main"
_SHOWN_OF_A_COMMIT = 7
_SHA256_CHARACTERS = 64


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where the hub library keeps its cache, by the variables that it reads; nothing is imported to find out."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(name):
            return Path(os.path.expanduser(os.path.expandvars(environ[name]))).absolute()
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.path.expandvars(environ.get("HF_HOME") or os.path.join(cache, "huggingface"))
    return Path(os.path.expanduser(home)).absolute() / "hub"


def cached_models(cache: Path) -> Iterator[Entry]:
    """The models in the cache, whichever program put them there: those of the main branch first, then older ones."""
    for folder in sorted(cache.glob("models--*")):
        repo = folder.name.removeprefix("models--").replace("--", "/", 1)
        for snapshot in _snapshots(folder):
            files = (path for path in snapshot.rglob("*") if is_gguf(path.name) and path.is_file())
            found = list(first_parts(files))
            quants = names_of_variants([path.name for path, _ in found])
            for path, defect in found:
                blob = path.resolve().name
                yield Entry(
                    id=f"{repo}:{quants[path.name]}",
                    path=path,
                    origin="hub-cache",
                    digest=blob if is_checksum(blob) and len(blob) == _SHA256_CHARACTERS else None,
                    defect=defect,
                    mark=snapshot.name[:_SHOWN_OF_A_COMMIT],
                )


def _snapshots(folder: Path) -> list[Path]:
    """The commits of a repository that the cache holds, the main branch's first, then the newest."""
    try:
        main = (folder / "refs" / _BRANCH).read_text("ascii").strip()
    except (OSError, ValueError):
        main = ""
    try:
        found = [(path.name != main, -path.stat().st_mtime, path) for path in (folder / "snapshots").iterdir()]
    except OSError:
        return []
    return [path for _, _, path in sorted(found)]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one file lies in the cache, or will lie. `partial` is its unfinished form."""

    folder: Path
    blob: Path
    partial: Path
    lock: Path

    @classmethod
    def of(cls, cache: Path, repo: str, file: HubFile) -> Place:
        """The place of a file of `repo` in the cache at `cache`."""
        folder, name = _repo_folder(cache, repo), digest_name(file)
        return cls(
            folder=folder,
            blob=folder / "blobs" / name,
            partial=folder / "blobs" / f"{name}.paddock.incomplete",
            lock=cache / ".locks" / folder.name / f"{name}.paddock.lock",
        )

    def note_branch(self, revision: str) -> None:
        """Say that the main branch is at this commit, so that offline programs find the file by its branch."""
        branch = self.folder / "refs" / _BRANCH
        branch.parent.mkdir(parents=True, exist_ok=True)
        branch.write_text(revision, "ascii")


def cached_file(cache: Path, plan: Plan, file: HubFile) -> Path | None:
    """The file where the cache has it, whole and right; a wrong one is removed. Reads all of it."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(plan.repo, file.name, cache_dir=cache, revision=plan.revision)
    if not isinstance(found, str):
        return None
    path = Path(found)
    if matches_digest(path, file):
        return path
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return None


def cached_plan(cache: Path, spec: Spec) -> Plan | None:
    """The plan that needs no network: the model is in the cache already, put there by whatever program.

    Raises as `choose` does.
    """
    folder = _repo_folder(cache, spec.repo)
    try:
        revision = (folder / "refs" / _BRANCH).read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    snapshot = folder / "snapshots" / revision
    if not is_checksum(revision) or not snapshot.is_dir():
        return None
    files = [_as_listed(snapshot, path) for path in sorted(snapshot.rglob("*")) if path.is_file()]
    whole = [file for file in files if file is not None]
    return Plan(spec=spec, revision=revision, choice=choose(spec, whole)) if whole else None


def _as_listed(snapshot: Path, path: Path) -> HubFile | None:
    """A cached file as the hub would list it: its bytes are named by their checksum."""
    name = path.resolve().name
    if not is_checksum(name):
        return None
    kind = "sha256" if len(name) == 64 else "git"
    listed_as = path.relative_to(snapshot).as_posix()
    return HubFile(name=listed_as, size_bytes=path.stat().st_size, digest=f"{kind}:{name}")


def is_checksum(text: object) -> bool:
    """Whether this is a SHA-256 or SHA-1 in hexadecimal, as commits and files are named."""
    return isinstance(text, str) and len(text) in (40, 64) and _HEX.issuperset(text)


def check_space(cache: Path, plan: Plan, *, spoken_for_bytes: int = 0) -> None:
    """Refuse a plan that the disk under the cache cannot hold.

    Args:
        cache: the cache's folder.
        plan: what is to be fetched.
        spoken_for_bytes: what other downloads have yet to write there.

    Raises:
        DiskTooFull: says how much is missing.
    """
    there_bytes = 0
    for file in plan.files:
        place = Place.of(cache, plan.repo, file)
        there_bytes += sum(path.stat().st_size for path in (place.blob, place.partial) if path.is_file())
    on_disk_bytes = free_bytes(cache)
    if on_disk_bytes is None:
        return
    left_bytes = max(0, on_disk_bytes - spoken_for_bytes)
    needed_bytes = plan.size_bytes - there_bytes
    if left_bytes < needed_bytes:
        raise DiskTooFull(
            f"'{plan.id}' needs {needed_bytes / 1e9:.2f} GB more, and the hub's cache has {left_bytes / 1e9:.2f} GB "
            "free. Free space, or move the cache with HF_HOME."
        )


def free_bytes(cache: Path) -> int | None:
    """What the disk under the cache has free; None where nothing tells."""
    folder = next((folder for folder in (cache, *cache.parents) if folder.is_dir()), None)
    return shutil.disk_usage(folder).free if folder else None


def _repo_folder(cache: Path, repo: str) -> Path:
    return cache / f"models--{repo.replace('/', '--')}"
