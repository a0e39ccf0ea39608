"""Owns the other names of models: patterns such as `claude-*`, kept in a small file; refuses to know who asks."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

from paddock.errors import BadRequest, HomeUnusable, ModelUnknown, shown
from paddock.paths import Home, alone, version_of, write_whole

# A set of letters in a glob, from its bracket to the one that closes it.
_SET = re.compile(r"\[!?+\]?+[^\]]*\]")


class Aliases:
    """The patterns of one data home. They are read again whenever their file has changed."""

    def __init__(self, home: Home) -> None:
        self._path = home.aliases
        self._read_as: tuple[int, int] | None = None
        self._patterns: dict[str, str] = {}

    def all(self) -> dict[str, str]:
        """Every pattern with the id of its model. Raises HomeUnusable where the file is damaged."""
        read_as = version_of(self._path)
        if read_as is None:
            return {}
        if read_as != self._read_as:
            self._patterns, self._read_as = self._read(), read_as
        return self._patterns

    def resolve(self, name: str) -> str | None:
        """The model that a name stands for: the longest pattern that matches decides."""
        patterns = self.all()
        found = [pattern for pattern in patterns if fnmatch.fnmatchcase(name, pattern)]
        return patterns[max(found, key=lambda pattern: (len(pattern), pattern))] if found else None

    def set(self, pattern: str, model_id: str) -> None:
        """Let a pattern stand for a model, in place of what it stood for."""
        with self._changing() as patterns:
            patterns[pattern] = model_id

    def remove(self, pattern: str) -> None:
        """Forget a pattern. Raises ModelUnknown where it is none."""
        with self._changing() as patterns:
            if patterns.pop(pattern, None) is None:
                raise ModelUnknown(pattern, known=sorted(patterns), nearest=None)

    @contextmanager
    def _changing(self) -> Generator[dict[str, str]]:
        """The patterns, which are written after the block; nobody else changes them meanwhile."""
        try:
            with alone(self._path):
                patterns = self._read()
                yield patterns
                write_whole(self._path, json.dumps(patterns, indent=1) + "\n")
        except OSError as error:
            raise HomeUnusable(f"{self._path.name} in the data home cannot be written ({error.strerror}).") from error

    def _read(self) -> dict[str, str]:
        try:
            read: object = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise HomeUnusable(f"{self._path.name} in the data home cannot be read. Mend or remove it.") from error
        pairs = cast("dict[object, object]", read) if isinstance(read, dict) else {}
        return {str(pattern): str(model) for pattern, model in pairs.items()}


def check_pattern(pattern: str) -> str:
    """`pattern`, if a request can name what matches it. Raises BadRequest."""
    if not pattern or pattern != pattern.strip() or not pattern.isprintable():
        raise BadRequest(f"{shown(pattern)} is no name. Give one that clients ask for, or a glob such as 'claude-*'.")
    if "[" in _SET.sub("", pattern):
        raise BadRequest(f"{shown(pattern)} opens a '[' that no ']' closes. Write '[[]' for the character itself.")
    return pattern
