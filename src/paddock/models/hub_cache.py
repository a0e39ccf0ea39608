"""Owns where the hub library's cache keeps the files of a repository; knows nothing of networks or records.

The layout is the library's documented one: `models--ORG--REPO/blobs/CHECKSUM` holds bytes, `snapshots/COMMIT/NAME`
links to them, `refs/BRANCH` names a commit.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import HomeUnusable
from paddock.models.hub_choice import HubFile, Plan, Spec, choose
from paddock.models.transfer import digest_name, matches_digest

_HEX = frozenset("0123456789abcdef")
_BRANCH = "main"


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


def check_space(cache: Path, plan: Plan) -> None:
    """Refuse a plan that the disk under the cache cannot hold.

    Raises:
        HomeUnusable: says how much is missing.
    """
    there_bytes = 0
    for file in plan.choice.files:
        place = Place.of(cache, plan.repo, file)
        there_bytes += sum(path.stat().st_size for path in (place.blob, place.partial) if path.is_file())
    folder = next((folder for folder in (cache, *cache.parents) if folder.is_dir()), None)
    if folder is None:
        return
    free_bytes, needed_bytes = shutil.disk_usage(folder).free, plan.size_bytes - there_bytes
    if free_bytes < needed_bytes:
        raise HomeUnusable(
            f"'{plan.id}' needs {needed_bytes / 1e9:.2f} GB more, and the hub's cache has {free_bytes / 1e9:.2f} GB "
            "free. Free space, or move the cache with HF_HOME."
        )


def _repo_folder(cache: Path, repo: str) -> Path:
    return cache / f"models--{repo.replace('/', '--')}"
