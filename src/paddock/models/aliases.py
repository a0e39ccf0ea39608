"""Owns the other names of models: patterns such as `claude-*`, kept in a small file; refuses to know who asks."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from typing import cast

from paddock.errors import BadRequest, HomeUnusable, ModelUnknown, shown
from paddock.paths import Home, write_whole

# A set of letters in a glob, from its bracket to the one that closes it.
_SET = re.compile(r"\[!?+\]?+[^\]]*\]")


class Aliases:
    """The patterns of one data home. They are read again whenever their file has changed."""

    def __init__(self, home: Home) -> None:
        self._path = home.aliases
        self._read_ns = -1
        self._patterns: dict[str, str] = {}

    def all(self) -> dict[str, str]:
        """Every pattern with the id of its model. Raises HomeUnusable where the file is damaged."""
        try:
            changed_ns = os.stat(self._path).st_mtime_ns
        except OSError:
            return {}
        if changed_ns != self._read_ns:
            try:
                read: object = json.loads(self._path.read_text("utf-8"))
            except (OSError, ValueError) as error:
                raise HomeUnusable(f"{self._path.name} in the data home cannot be read. Mend or remove it.") from error
            pairs = cast("dict[object, object]", read) if isinstance(read, dict) else {}
            self._patterns = {str(pattern): str(model) for pattern, model in pairs.items()}
            self._read_ns = changed_ns
        return self._patterns

    def resolve(self, name: str) -> str | None:
        """The model that a name stands for: the longest pattern that matches decides."""
        found = [pattern for pattern in self.all() if fnmatch.fnmatchcase(name, pattern)]
        return self._patterns[max(found, key=lambda pattern: (len(pattern), pattern))] if found else None

    def set(self, pattern: str, model_id: str) -> None:
        """Let a pattern stand for a model, in place of what it stood for."""
        self._write({**self.all(), pattern: model_id})

    def remove(self, pattern: str) -> None:
        """Forget a pattern. Raises ModelUnknown where it is none."""
        patterns = dict(self.all())
        if patterns.pop(pattern, None) is None:
            raise ModelUnknown(pattern, known=sorted(patterns), nearest=None)
        self._write(patterns)

    def _write(self, patterns: dict[str, str]) -> None:
        try:
            write_whole(self._path, json.dumps(patterns, indent=1) + "\n")
        except OSError as error:
            raise HomeUnusable(f"{self._path.name} in the data home cannot be written ({error.strerror}).") from error


def check_pattern(pattern: str) -> str:
    """`pattern`, if a request can name what matches it. Raises BadRequest."""
    if not pattern or pattern != pattern.strip() or not pattern.isprintable():
        raise BadRequest(f"{shown(pattern)} is no name. Give one that clients ask for, or a glob such as 'claude-*'.")
    if "[" in _SET.sub("", pattern):
        raise BadRequest(f"{shown(pattern)} opens a '[' that no ']' closes. Write '[[]' for the character itself.")
    return pattern
