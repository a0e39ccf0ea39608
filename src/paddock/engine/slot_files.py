"""Owns the files in which conversations outlive their engine: names, room, age, and for which engine each is good.

Refuses to know how an engine is asked to write or read one. Blocks; may be called from any thread.

    IDENTITY-SIZE-NUMBER.kv     what one slot held, whole; good for engines of that identity alone
    draft-NUMBER                what an engine is writing, or was writing when its paddock was killed

Several paddocks share the folder and its room. None touches another's draft, and no name is used twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from paddock import process
from paddock.clock import lived_s
from paddock.engine.flags import EngineFlags
from paddock.scratch import take_left

KEEP_S = 3 * 86400.0
"""A conversation that nobody took up for three days is rather private than of use."""
ABANDONED_S = 60.0
"""A save takes seconds at most: a draft that nobody has written to for so long is nobody's."""
_FREE_SHARE = 10
_SAVED = re.compile(r"(?P<identity>[0-9a-f]{64})-(?P<size>\d+)-[0-9a-f]{12}\.kv")
_PART = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<all>\d{5})\.gguf")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_INSTALLED, _EMBEDDED = "paddock.engine.installed", "paddock.engine.embedded"
_LIBRARIES = (".so", ".dylib", ".dll", ".metal", ".metallib")


@dataclass(frozen=True, kw_only=True)
class FileState:
    """What tells a file from another in its place."""

    path: str
    size_bytes: int
    changed_ns: int
    number: int


def state_of(path: Path) -> FileState:
    """A file as it is now. Raises OSError."""
    found = path.stat()
    return FileState(
        path=str(path.absolute()), size_bytes=found.st_size, changed_ns=found.st_mtime_ns, number=found.st_ino
    )


def can_keep(flags: EngineFlags) -> bool:
    """Whether what a slot of such an engine holds is worth its file, and known to be good for the next.

    Not with adapters: the engine does not keep with a slot which of them, at what scales, it was read with. Not with
    something that proposes tokens: its own state is not in the file. Models that make no text keep nothing.
    """
    return not (flags.lora_paths or flags.draft_path or flags.speculation or flags.embeddings or flags.reranking)


def identity(*, flags: EngineFlags, files: Sequence[FileState], engine: Sequence[FileState | str], boot: str) -> str:
    """For which engine a file is good: one with the same flags, of the same files, of the same build. Pure.

    All flags count, also those that change no number: whatever is doubtful is read anew. `boot` is the run of the
    system: files are not forced to the disk, so that what a power cut left of them is not trusted.

    Args:
        flags: what the engine is started with; where slots are kept does not matter.
        files: those that the model is made of, with its projector.
        engine: what the engine is made of.
        boot: what tells this run of the system from others.
    """
    words = replace(flags, slot_save_path=None).to_argv()
    states = [[vars(one) for one in files], [one if isinstance(one, str) else vars(one) for one in engine]]
    return hashlib.sha256(json.dumps([words, states, boot], sort_keys=True).encode()).hexdigest()


def identity_now(flags: EngineFlags, program: Sequence[str]) -> str:
    """The identity of an engine that is started now. Raises OSError where a file of its is gone."""
    paths = [*parts_of(Path(flags.model_path)), *([Path(flags.projector_path)] if flags.projector_path else [])]
    return identity(flags=flags, files=[state_of(path) for path in paths], engine=made_of(program), boot=_boot())


def parts_of(model: Path) -> list[Path]:
    """The files of a model of which the first is named; one that is in one piece is alone."""
    if (found := _PART.fullmatch(model.name)) is None:
        return [model]
    every = int(found["all"])
    return [model.with_name(f"{found['stem']}-{part:05}-of-{found['all']}.gguf") for part in range(1, every + 1)]


def made_of(program: Sequence[str]) -> list[FileState | str]:
    """What the engine that these words start is made of: the wheel's version, or a build's program and libraries."""
    if _EMBEDDED in program:
        return ["xllamacpp", importlib.metadata.version("xllamacpp")]
    if _INSTALLED in program:
        binary = Path(program[program.index(_INSTALLED) + 1]).resolve()
        beside = sorted(path for path in binary.parent.iterdir() if any(end in path.name for end in _LIBRARIES))
        return [state_of(path) for path in (binary, *beside)]
    return [state_of(Path(word)) for word in program if Path(word).is_file()]


class SlotFiles:
    """The folder of saved slots, and the room that they may take together."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self.folder = folder
        self._most_bytes = most_bytes

    def ensure(self) -> None:
        """Make the folder, for its owner alone. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    def tidy(self, need_bytes: int = 0) -> bool:
        """Remove abandoned drafts, what is too old, and the least lately used until there is room for `need_bytes`.

        Returns whether there is.
        """
        now_s, saved = lived_s(), self._saved()
        take_left(self.folder.glob("draft-*"), ABANDONED_S)
        for path in [path for path, (_, used_s) in saved.items() if now_s - used_s > KEEP_S]:
            del saved[path]
            path.unlink(missing_ok=True)
        held_bytes = sum(size for size, _ in saved.values())
        room_bytes = self._room_bytes(held_bytes)
        if need_bytes > room_bytes:
            return False
        for path, (size_bytes, _) in sorted(saved.items(), key=lambda one: one[1][1]):
            if held_bytes + need_bytes <= room_bytes:
                break
            path.unlink(missing_ok=True)
            held_bytes -= size_bytes
        return True

    def draft(self) -> str:
        """The name of a file that an engine may write."""
        return f"draft-{process.this()}-{uuid.uuid4().hex}"

    def keep(self, draft: str, identity: str, *, size_bytes: int) -> str:
        """Give a draft that is finished its name, and return it.

        Raises:
            OSError: it is not there, or is not as long as the engine said; then it is removed.
        """
        path = self.folder / draft
        path.chmod(0o600)
        if (found := path.stat().st_size) != size_bytes:
            path.unlink()
            raise OSError(f"{found} bytes were written, not {size_bytes}")
        name = f"{identity}-{size_bytes}-{uuid.uuid4().hex[:12]}.kv"
        path.rename(self.folder / name)
        return name

    def good_for(self, identity: str, *, most: int) -> list[str]:
        """The names of what was saved for engines of this identity, the last used first, at most so many.

        One that is not as long as it was is removed.
        """
        good: list[tuple[float, str]] = []
        for path, (size_bytes, used_s) in self._saved().items():
            named = _SAVED.fullmatch(path.name)
            if named is None or named["identity"] != identity:
                continue
            if size_bytes == int(named["size"]):
                good.append((used_s, path.name))
            else:
                path.unlink(missing_ok=True)
        return [name for _, name in sorted(good, reverse=True)[:most]]

    def touch(self, name: str) -> None:
        """Note that a file is of use; one that is gone stays so."""
        with contextlib.suppress(OSError):
            os.utime(self.folder / name)

    def remove(self, *names: str) -> None:
        """Remove saved files or drafts; those that are gone, or held by a system that removes none, stay so."""
        for name in names:
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()

    def _saved(self) -> dict[Path, tuple[int, float]]:
        """Each saved file with its size in bytes and the time of its last use."""
        found: dict[Path, tuple[int, float]] = {}
        for path in self.folder.glob("*.kv"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found[path] = status.st_size, status.st_mtime
        return found

    def _room_bytes(self, held_bytes: int) -> int:
        """What saved files may take: as much as was set, and never more than a tenth of what the disk could give."""
        free_bytes = shutil.disk_usage(self.folder).free + held_bytes
        return min(self._most_bytes, free_bytes // _FREE_SHARE)


def _boot() -> str:
    """What tells this run of the system from others."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))
