"""Owns the files that people see of their sessions' workspaces: listed, read, put there and taken away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from paddock.caller import current
from paddock.errors import BadRequest, FieldInvalid, ToolFileUnknown, shown
from paddock.paths import Home
from paddock.sandbox import files
from paddock.sandbox.files import File, Look
from paddock.tools.workspaces import name_of, workspace

MOST_BYTES = 64 * 2**20
SESSION_CHARACTERS_MOST = 200
_PATH_CHARACTERS_MOST = 300
_LISTED_MOST = 1000
_ENTRIES_MOST = 20_000
# What the sandbox lets a workspace hold; more could not be worked on.
_ALL_MOST_BYTES = 2**30


def checked(session_id: str) -> str:
    """A session's id that is not too long. Raises BadRequest."""
    if len(session_id) > SESSION_CHARACTERS_MOST:
        sentence = f"session_id has {len(session_id)} characters; at most {SESSION_CHARACTERS_MOST} are taken."
        raise BadRequest(sentence, param="session_id")
    return session_id


@dataclass(frozen=True)
class SessionFiles:
    """The files of every session, each for its own caller alone: another one with the same id has another workspace."""

    home: Home

    async def all(self, session_id: str) -> list[File]:
        """Every file, at most so many, by name; none where there is no workspace yet. Raises BadRequest."""
        folder = self._folder(session_id)

        def listed() -> list[File]:
            try:
                seen = files.look(folder, entries_most=_ENTRIES_MOST)
            except FileNotFoundError:
                return []
            return sorted(files.changed(folder, Look(), seen, most=_LISTED_MOST), key=lambda one: one.name)

        return await anyio.to_thread.run_sync(listed)

    async def read(self, session_id: str, path: str) -> tuple[bytes, str]:
        """A file, and its media type. Raises ToolFileUnknown."""
        folder = self._folder(session_id)
        try:
            data = await anyio.to_thread.run_sync(lambda: files.read(folder, path, most_bytes=MOST_BYTES))
        except OSError as error:
            raise ToolFileUnknown(path, str(error.strerror or error)) from error
        return data, files.media_type(path, data[:16])

    async def write(self, session_id: str, path: str, data: bytes) -> File:
        """Put a file there, or in the place of one. Raises BadRequest and HomeUnusable."""
        if not session_id:
            raise FieldInvalid("session_id: is empty; send the id of the chat whose file it is.", param="session_id")
        if not 1 <= len(path) <= _PATH_CHARACTERS_MOST:
            sentence = f"path: has {len(path)} characters; send the file's path, of 1 to {_PATH_CHARACTERS_MOST}."
            raise FieldInvalid(sentence, param="path")
        async with workspace(self.home, current(), checked(session_id)) as place:
            folder = await place.files()

            try:
                return await anyio.to_thread.run_sync(_written, folder, path, data)
            except (OSError, ValueError) as error:
                why = str(getattr(error, "strerror", None) or error)
                raise BadRequest(f"No file {shown(path)} can be put there: {why[:200]}", param="path") from error

    async def remove(self, session_id: str, path: str) -> None:
        """Take a file away. Raises ToolFileUnknown."""
        folder = self._folder(session_id)
        try:
            await anyio.to_thread.run_sync(files.discard, folder, path)
        except (OSError, ValueError) as error:
            raise ToolFileUnknown(path, str(getattr(error, "strerror", None) or error)) from error

    def _folder(self, session_id: str) -> Path:
        return self.home.workspaces / name_of(current(), checked(session_id)) / "files"


def _written(folder: Path, path: str, data: bytes) -> File:
    taken = files.look(folder, entries_most=_ENTRIES_MOST)
    if taken.taken_bytes + len(data) > _ALL_MOST_BYTES or not taken.is_whole:
        raise BadRequest(
            f"The workspace holds {taken.taken_bytes} bytes in {taken.entries} files and folders; {len(data)} bytes "
            f"more would be beyond {_ALL_MOST_BYTES} bytes or {_ENTRIES_MOST} files. Remove some first.",
            param="path",
        )
    files.write(folder, path, data)
    kind = files.media_type(path, data[:16])
    return File(name=path, size_bytes=len(data), media_type=kind, is_new=path not in taken.marks)
