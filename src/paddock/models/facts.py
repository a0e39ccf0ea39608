"""Owns what a listing needs to know of GGUF files: read once for each state of a file, and kept over restarts.

Refuses to know where files lie, or what their models are called. What is kept is a copy of what the files say; losing
it costs a second reading and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias, cast

from paddock import __version__
from paddock.errors import ModelUnusable
from paddock.models.adapters import AdapterFacts, read_adapter
from paddock.models.entries import is_gguf
from paddock.models.gguf import GgufHeader, Task, part_of, read_header
from paddock.models.projectors import Beside, Projector, kin_of, read_projector
from paddock.paths import write_whole

# Time, size and number of each of a model's files: another file under the same name has another state.
State: TypeAlias = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a model's file says, as far as a listing needs it. `files` are all its parts."""

    files: tuple[str, ...]
    size_bytes: int
    architecture: str
    quantisation: str
    parameter_count: int
    trained_context_tokens: int | None
    has_chat_template: bool
    task: Task
    width: int | None
    kin: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """Why a file is no model that can be loaded: a sentence."""

    reason: str


Facts = ModelFacts | Projector | AdapterFacts | Unusable

_KINDS: dict[str, type[ModelFacts] | type[Projector] | type[AdapterFacts] | type[Unusable]] = {
    kind.__name__: kind for kind in (ModelFacts, Projector, AdapterFacts, Unusable)
}
# What another paddock kept may have been read by other rules.
_LAYOUT = " ".join([__version__, *(field.name for kind in _KINDS.values() for field in fields(kind))])


class FactsCache:
    """The facts of files, each read once for each of its states. Blocks; may be called from any thread.

    Args:
        kept_at: the file that keeps them over restarts.
    """

    def __init__(self, kept_at: Path) -> None:
        self._kept_at = kept_at
        self._kept: dict[str, tuple[State, Facts]] | None = None
        self._seen: dict[str, tuple[State, Facts]] = {}
        self._is_news = False
        self._lock = threading.Lock()

    def of(self, path: Path) -> Facts:
        """What a file says at present."""
        seen = self._known(str(path))
        if seen is not None and seen[0] == state_of(_files_of(seen[1], path)):
            return seen[1]
        if state_of((path,)) is None:
            return Unusable(reason=f"'{path.name}' is gone. Fetch or import it again, or remove the model.")
        facts = read_facts(path)
        state = state_of(_files_of(facts, path))
        # What a split model lacks today may be there tomorrow, without a change of its first part.
        if state is not None and (part_of(path.name) is None or isinstance(facts, ModelFacts)):
            with self._lock:
                self._seen[str(path)] = (state, facts)
                self._is_news = True
        return facts

    def beside(self, path: Path) -> Beside:
        """The GGUF files in the folder of a file, this one too."""
        projectors: list[Projector] = []
        others: list[Path] = []
        try:
            with os.scandir(path.parent) as found:
                names = [file.path for file in found if is_gguf(file.name)]
        except OSError:
            # What cannot be listed has no projector for anybody; the model itself tells what is wrong with it.
            return Beside(projectors=(), others=(path,))
        for name in names:
            facts = self.of(Path(name))
            if isinstance(facts, Projector):
                projectors.append(facts)
            elif not isinstance(facts, AdapterFacts):
                others.append(Path(name))
        return Beside(projectors=tuple(projectors), others=tuple(others))

    def keep(self) -> None:
        """Write what was looked at, if there is news. A home that cannot be written is told of elsewhere."""
        with self._lock:
            if not self._is_news:
                return
            self._is_news = False
            seen = dict(self._seen)
        files = {path: [type(facts).__name__, state, _plain(facts)] for path, (state, facts) in seen.items()}
        with contextlib.suppress(OSError):
            write_whole(self._kept_at, json.dumps({"layout": _LAYOUT, "files": files}))

    def _known(self, path: str) -> tuple[State, Facts] | None:
        with self._lock:
            if path not in self._seen:
                if self._kept is None:
                    self._kept = _read_kept(self._kept_at)
                if path in self._kept:
                    self._seen[path] = self._kept[path]
            return self._seen.get(path)


def state_of(files: Iterable[Path]) -> State | None:
    """Times, sizes and numbers of files; None where one is missing."""
    try:
        return tuple(
            (status.st_mtime_ns, status.st_size, status.st_ino) for status in (os.stat(file) for file in files)
        )
    except OSError:
        return None


def read_facts(path: Path) -> Facts:
    """What a file says, read from it."""
    try:
        return facts_of(read_header(path))
    except ModelUnusable as error:
        unusable = Unusable(reason=error.message)
    try:
        return read_projector(path) or read_adapter(path) or unusable
    except ModelUnusable as error:
        return Unusable(reason=error.message)


def facts_of(header: GgufHeader) -> ModelFacts:
    """The part of a header that a listing needs."""
    return ModelFacts(
        files=tuple(str(file) for file in header.files),
        size_bytes=header.size_bytes,
        architecture=header.architecture,
        quantisation=header.quantisation,
        parameter_count=header.parameter_count,
        trained_context_tokens=header.trained_context_tokens,
        has_chat_template=header.chat_template is not None,
        task=header.task,
        width=header.embedding_length,
        kin=kin_of(header.metadata),
    )


def _files_of(facts: Facts, path: Path) -> Iterable[Path]:
    return map(Path, facts.files) if isinstance(facts, ModelFacts) else (path,)


def _plain(facts: Facts) -> dict[str, Any]:
    # The path of a projector is its key already.
    return {name: value for name, value in asdict(facts).items() if name != "path"}


def _read_kept(path: Path) -> dict[str, tuple[State, Facts]]:
    """What was kept, as far as it can be used."""
    try:
        raw: Any = json.loads(path.read_text("utf-8"))
        if raw["layout"] != _LAYOUT:
            return {}
        found: dict[str, tuple[State, Facts]] = {}
        for name, (kind, state, plain) in cast("dict[str, list[Any]]", raw["files"]).items():
            found[name] = (_state_from(state), _facts_from(kind, plain, name))
        return found
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}


def _state_from(raw: list[list[int]]) -> State:
    return tuple((int(changed_ns), int(size_bytes), int(number)) for changed_ns, size_bytes, number in raw)


def _facts_from(kind: str, plain: dict[str, Any], name: str) -> Facts:
    make: Any = _KINDS[kind]
    values: dict[str, Any] = {
        key: tuple(cast("list[Any]", value)) if isinstance(value, list) else value for key, value in plain.items()
    }
    return make(**values, path=Path(name)) if make is Projector else make(**values)
