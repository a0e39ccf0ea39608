"""Owns putting a GGUF file into the data home, whole or not at all; refuses to look into it.

The bytes are linked: a hard link where the disk is the same, which outlives the removal of the original, else a
symbolic one. A link takes no space, but an edit of the original changes the model here too; who fears that copies.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from paddock.clock import steady_s
from paddock.errors import BadRequest, HomeUnusable, ModelUnusable
from paddock.models import certificates
from paddock.models.entries import first_parts, is_gguf
from paddock.models.gguf import part_of
from paddock.models.projectors import projector_name, read_projector
from paddock.paths import draft_of, names_on_disk
from paddock.scratch import is_at_work

Progress = Callable[[int, int], None]
How = Literal["link", "copy"]

COPY_BYTES = 4 * 2**20
MAX_NAME_CHARACTERS = 120
STALE_DRAFT_S = 24 * 3600
_DRAFT = ".draft"
_DONE: dict[How, str] = {"link": "linked", "copy": "copied"}
_NAME = re.compile(r"\w[\w.+ @=,()\[\]-]*")
# Names that Windows keeps for devices, with or without an ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def check_name(name: str) -> str:
    """`name`, if it can be a model's id and file name on every system.

    Raises:
        BadRequest: it is empty, too long, has a character that is not allowed, or is reserved.
    """
    allowed = (
        _NAME.fullmatch(name) and len(name) <= MAX_NAME_CHARACTERS and len(name.encode()) <= 2 * MAX_NAME_CHARACTERS
    )
    if not allowed or name != name.strip(" .") or _RESERVED.fullmatch(name) or part_of(f"{name}.gguf"):
        raise BadRequest(
            f"{name[:MAX_NAME_CHARACTERS]!r} cannot be a model's name. Choose letters, digits, '.', '-' and '_', "
            f"at most {MAX_NAME_CHARACTERS}, beginning with a letter or digit.",
            param="name",
        )
    return name


def import_files(
    sources: Sequence[Path],
    folder: Path,
    name: str,
    progress: Progress | None = None,
    *,
    projector: Path | None = None,
    how: How = "link",
) -> Path:
    """Put a model, with all its parts, or an adapter into `folder` as `name`. Returns where its first part lies then.

    Args:
        sources: the GGUF file, or all parts of one, the first one first; looked into by the caller.
        folder: the data home's folder of models.
        name: a checked name that no model has yet.
        progress: told the bytes copied and the bytes in all, from the calling thread; what it raises ends the import.
        projector: the file with the model's eyes, put there under the name that makes it this model's.
        how: whether the bytes are linked or copied.

    Raises:
        ModelUnusable: the file changed while it was copied.
        HomeUnusable: there is too little space, or the folder cannot be written.
    """
    files = [*sources, *([projector] if projector else [])]
    names = [*(_target_name(file.name, name) for file in sources), projector_name(name)]
    targets = [folder / target for target in names[: len(files)]]
    drafts = [draft_of(folder / target.name) for target in targets]
    size_bytes, done_bytes = 0, 0

    def advance(count: int) -> None:
        nonlocal done_bytes
        done_bytes += count
        if progress is not None:
            progress(done_bytes, size_bytes)

    try:
        size_bytes = sum(file.stat().st_size for file in files)
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        if how == "copy":
            _check_space(folder, size_bytes)
        put = _copy if how == "copy" else _link
        for file, draft in zip(files, drafts, strict=True):
            put(file, draft, advance)
        certificates.keep(sources, drafts, targets)
        # The first part comes last: with it, the model is there.
        for draft, target in reversed(list(zip(drafts, targets, strict=True))):
            draft.replace(target)
        names_on_disk(folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise HomeUnusable(
            f"'{sources[0].name}' cannot be {_DONE[how]} into the data home ({reason}). "
            "Free space or mend its rights, then repeat."
        ) from error
    finally:
        for draft in drafts:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
    return targets[0]


def models_in(folder: Path) -> list[Path]:
    """The models and adapters in a folder, one file for each; folders in it are not looked into.

    Raises:
        ModelUnusable: it cannot be listed.
    """
    try:
        files = [path for path in folder.iterdir() if is_gguf(path.name) and path.is_file()]
    except OSError as error:
        raise ModelUnusable(f"The folder '{folder.name}' cannot be read ({error.strerror}).") from error
    return [path for path, _ in first_parts(files) if read_projector(path) is None]


def kept_as(path: Path) -> str:
    """How an imported file is kept, in words: as a symbolic link, a hard link, or bytes of its own."""
    if path.is_symlink():
        return "symbolic link"
    return "hard link" if path.stat().st_nlink > 1 else "copy"


def parts_beside(path: Path) -> list[Path]:
    """The files of an imported model that are there, whole or not: all its parts in their order, or the one file."""
    part = part_of(path.name)
    if part is None:
        return [path]
    return sorted(file for file in path.parent.iterdir() if (other := part_of(file.name)) and other[::2] == part[::2])


def _target_name(file_name: str, name: str) -> str:
    part = part_of(file_name)
    return f"{name}-{part[1]:05}-of-{part[2]:05}.gguf" if part and part[2] > 1 else f"{name}.gguf"


def _check_space(folder: Path, size_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < size_bytes:
        raise HomeUnusable(
            f"The copy needs {size_bytes / 1e9:.2f} GB and the data home has {free_bytes / 1e9:.2f} GB free. "
            "Free space, or link the file with --link."
        )


def _link(source: Path, draft: Path, advance: Callable[[int], None]) -> None:
    """Give the file itself another name; a link to it where that cannot be, as on another disk."""
    file = source.resolve()
    try:
        os.link(file, draft)
    except OSError:
        draft.symlink_to(file)
    advance(file.stat().st_size)


def _copy(source: Path, draft: Path, advance: Callable[[int], None]) -> None:
    """Copy one file to the disk itself, not only to its cache."""
    try:
        reader = source.open("rb")
    except OSError as error:
        raise ModelUnusable(f"'{source.name}' cannot be read ({error.strerror}).") from error
    with reader, draft.open("xb") as writer:
        before = os.fstat(reader.fileno())
        while block := reader.read(COPY_BYTES):
            writer.write(block)
            advance(len(block))
        writer.flush()
        os.fsync(writer.fileno())
        after, written = os.fstat(reader.fileno()), os.fstat(writer.fileno())
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or written.st_size != after.st_size:
        raise ModelUnusable(f"'{source.name}' changed while it was copied. Import it again when it is finished.")


def sweep(folder: Path, now_s: float | None = None) -> None:
    """Remove what imports left that were killed long before `now_s`; what cannot be removed stays. Blocks."""
    now_s = steady_s() if now_s is None else now_s
    for draft in folder.glob(f".*{_DRAFT}"):
        with contextlib.suppress(OSError):
            status = draft.lstat()
            # A link has the time of the file that it leads to; when it was made, the other one tells.
            if not is_at_work(draft) and now_s - max(status.st_mtime, status.st_ctime) > STALE_DRAFT_S:
                draft.unlink()
