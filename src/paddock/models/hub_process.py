"""Owns asking the hub from a server: starts the program that does it, and turns its lines into answers and errors.

Refuses to know what is fetched, or why.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from paddock import errors
from paddock.errors import HomeUnusable, HubUnavailable, PaddockError, StoreUnusable
from paddock.models.hub_cache import cache_folder
from paddock.models.hub_choice import HubFile, Listing, Plan
from paddock.models.hub_push import Upload
from paddock.models.hub_search import Found
from paddock.models.hub_token import IN_ENVIRONMENT
from paddock.paths import Home

_log = logging.getLogger(__name__)
_PROGRAM = (sys.executable, "-P", "-m", "paddock.models.fetching")
# The library's own deadlines are shorter; this one holds for what it forgets.
ASK_TIMEOUT_S = 60.0
_REAP_TIMEOUT_S = 5.0
_LINE_MOST_BYTES = 16 * 2**20


class HubProcess:
    """The hub as a server asks it. Nothing is running between questions.

    Args:
        home: where records of what was fetched go.
        lends_token: whether this server's own token is shown to the hub.
        token: the one that is kept, looked up each time, in a thread; None where the environment is to be asked.
        environ: what tells hub, cache and token; this process's own if None.
    """

    def __init__(
        self,
        home: Home,
        *,
        lends_token: bool,
        token: Callable[[], str | None] = lambda: None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._home = home
        self._token = token
        self._lends_token = lends_token
        self._environ = dict(os.environ if environ is None else environ)
        self.cache = cache_folder(self._environ)

    async def files_of(self, repo: str) -> Listing:
        """The newest commit of a repository.

        Raises:
            BadRequest: this is no repository's name.
            HubUnavailable: the hub cannot be reached, refuses, or has no such repository.
        """
        answer = await self._one_answer({"do": "list", "repo": repo})
        files = tuple(HubFile(**file) for file in answer.pop("files"))
        return Listing(files=files, **answer)

    async def headers(self, model: str, folder: Path) -> tuple[str, list[Path], Path | None]:
        """The model's id, its files in `folder` with their headers alone, and its projector's.

        Raises:
            BadRequest: this names no model, or several.
            HubUnavailable: the hub cannot be reached, refuses, or lacks the model.
        """
        answer = await self._one_answer({"do": "headers", "model": model, "folder": str(folder)})
        files = [folder / name for name in answer["files"]]
        return answer["model"], files, files.pop() if answer["has_eyes"] else None

    async def search(self, words: str, *, most: int) -> list[Found]:
        """The repositories with GGUF files that the hub finds for these words. Raises HubUnavailable."""
        answer = await self._one_answer({"do": "search", "words": words, "most": most})
        return [Found(**one) for one in answer["found"]]

    async def fetch(self, model_id: str, revision: str, *, spoken_for_bytes: int) -> AsyncGenerator[tuple[int, int]]:
        """Fetch a model at a commit, and tell the bytes that are there and those in all. Closing it ends it at once.

        Raises:
            PaddockError: as `download.pull` does.
        """
        question = {"do": "fetch", "model": model_id, "revision": revision, "spoken_for_bytes": spoken_for_bytes}
        async with self._asked(question) as process, aclosing(_lines(process)) as lines:
            async for line in lines:
                if "model" in line:
                    return
                yield line["done_bytes"], line["size_bytes"]
        raise HubUnavailable(f"The program that fetches '{model_id}' ended without a word. Resume the download.")

    async def push(self, repo: str, uploads: Sequence[Upload], *, is_public: bool) -> AsyncGenerator[dict[str, Any]]:
        """Write files into a repository, and tell how far that is (`file`, `done_bytes`, `size_bytes`).

        What is told last is `pushed`, the values of a `hub_push.Pushed`. Closing it ends it at once.

        Raises:
            PaddockError: as `hub_push.push` does.
        """
        told = [asdict(one) for one in uploads]
        question = {"do": "push", "repo": repo, "uploads": told, "is_public": is_public}
        async with self._asked(question) as process, aclosing(_lines(process)) as lines:
            async for line in lines:
                yield line
                if "pushed" in line:
                    return
        raise HubUnavailable(f"The program that pushes to '{repo}' ended without a word. Push again.")

    async def abandon(self, plan: Plan) -> None:
        """Take away what an unfinished fetch left. Raises HomeUnusable."""
        files = [asdict(file) for file in plan.files]
        await self._one_answer({"do": "abandon", "model": plan.id, "revision": plan.revision, "files": files})

    async def _one_answer(self, question: dict[str, Any]) -> dict[str, Any]:
        with anyio.move_on_after(ASK_TIMEOUT_S):
            async with self._asked(question) as process, aclosing(_lines(process)) as lines:
                async for line in lines:
                    return line
        raise HubUnavailable("The hub gave no answer. Check the connection (and HF_ENDPOINT, proxies), then try again.")

    @asynccontextmanager
    async def _asked(self, question: dict[str, Any]) -> AsyncGenerator[Process]:
        environ, token = self._environ, None
        if self._lends_token:
            token = await self._kept_token()
        else:
            environ = {name: value for name, value in environ.items() if name not in IN_ENVIRONMENT}
        process = await anyio.open_process(
            _PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, env=environ, start_new_session=True
        )
        try:
            assert process.stdin is not None
            whole = {**question, "home": str(self._home.root), "lends_token": self._lends_token, "token": token}
            await process.stdin.send(json.dumps(whole).encode() + b"\n")
            yield process
        finally:
            # What came is on the disk; nothing that it could still do is worth waiting for.
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _REAP_TIMEOUT_S):
                if process.returncode is None:
                    process.kill()
                await process.aclose()

    async def _kept_token(self) -> str | None:
        """The kept token; without it where it cannot be read, for most of a hub is open to all."""
        try:
            return await anyio.to_thread.run_sync(self._token)
        except (HomeUnusable, StoreUnusable) as error:
            _log.warning("the kept hub token cannot be read, and is not shown: %s", error.message)
            return None


async def _lines(process: Process) -> AsyncGenerator[dict[str, Any]]:
    """The program's answers. Raises the error that it tells."""
    assert process.stdout is not None
    lines = BufferedByteReceiveStream(process.stdout)
    while True:
        try:
            line = await lines.receive_until(b"\n", _LINE_MOST_BYTES)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            return
        except anyio.DelimiterNotFound as error:
            raise HubUnavailable("The hub told more of this than paddock reads. Ask for something else.") from error
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise _error_of(answer["error"])
        yield answer


def _error_of(told: dict[str, str]) -> PaddockError:
    """The error that the program told, as it was raised there."""
    kind: Any = getattr(errors, told["kind"], PaddockError)
    return kind(told["message"])
