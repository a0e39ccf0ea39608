"""Owns the life of a chat's answer: begun as a background response, written down as it comes, settled, carried on.

What a response is, and how it is made, others know: `begin` is handed in.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from paddock.caller import acting, as_noted
from paddock.errors import ChatUnknown, Conflict, FieldInvalid, PaddockError, StoreUnusable
from paddock.log import named
from paddock.protocol.chat_parts import outcome_of, parts_of
from paddock.protocol.chat_thread import Enclosed, Part, Said, Wanted, request_of, text_of
from paddock.serving import chat_workers
from paddock.serving.chat_changes import Changes
from paddock.serving.responses import Responses, Then, Work
from paddock.store.chat_answers import AnswerStore
from paddock.store.chat_rows import Message
from paddock.store.folding import rows_of

_log = named(__name__)
_WRITTEN_EVERY_S = 1.0
_LOOKED_EVERY_S = 60.0
# An answer is carried on so often at most: one that ends its paddock each time must not do so for ever.
_TRIES_MOST = 3
_LOST = "engine_unreachable"
# How an engine, or we, refuse a request: one that goes on with a turn may be, where the same from the start is not.
_REFUSALS = ("invalid_prompt", "invalid_request_error", "engine_refused", "None", "400", "500")


class Begin(Protocol):
    """Begins a background response: as `POST /v1/responses` does, with `then` awaited at its end."""

    def __call__(self, body: dict[str, Any], response_id: str, *, then: Then) -> Awaitable[Work]:
        """The response that is being made. Raises PaddockError where none can be."""
        ...


@dataclass(frozen=True, kw_only=True)
class Maker:
    """How responses are made: their beginning, their ids, and the code by which an error is told."""

    begin: Begin
    new_id: Callable[[], str]
    code_of: Callable[[PaddockError], str]


@dataclass(kw_only=True)
class _Live:
    message: Message
    work: Work
    pieces: int = -1


class Answers:
    """The answers that this paddock makes.

    Args:
        store: where messages are kept.
        responses: by whom answers are stopped.
        changes: who is told.
        tasks: where what goes on without a request lives.
    """

    def __init__(self, store: AnswerStore, responses: Responses, changes: Changes, tasks: TaskGroup) -> None:
        self._store = store
        self._responses = responses
        self._changes = changes
        self._tasks = tasks
        self._live: dict[str, _Live] = {}
        self._workers = chat_workers.Workers()
        self._is_writing = False
        self._closing = anyio.Event()
        self._worker = ""

    @property
    def worker(self) -> str:
        """This process, as the database knows it."""
        self._worker = self._worker or chat_workers.name_of_this()
        return self._worker

    async def start(self, message: Message, maker: Maker) -> Message:
        """Begin the answer of a message that was made for it; where none can be begun, it has failed."""
        assert message.response_id is not None
        settled = _Settled(self, message, maker)
        try:
            body = await self.request(message)
            work = await maker.begin(body, message.response_id, then=settled)
        except ChatUnknown:
            return message
        except PaddockError as error:
            told = {"code": maker.code_of(error), "message": error.told}
            return await self._keep(message, message.content, status="failed", error=told) or message
        if not settled.is_over:
            self._live[message.id] = _Live(message=message, work=work)
        self._tell(message)
        if not self._is_writing:
            self._is_writing = True
            self._tasks.start_soon(self._write_down)
        return message

    async def request(self, message: Message) -> dict[str, Any]:
        """The body of the request whose answer becomes, or became, the message. Raises ChatUnknown or FieldInvalid."""
        thread = await self._store.thread(message.chat_id, message.parent_id)
        enclosed = {
            name: Enclosed(name=one.name, media_type=one.media_type, data=one.data, text=one.text)
            for name, one in thread.attached.items()
        }
        said = [Said(role=one.role, content=one.content) for one in thread.messages]
        wanted = Wanted(
            model=message.model,
            settings={
                **message.asked.get("chat_settings", thread.chat.settings),
                **message.asked.get("settings", {}),
            },
            begun=message.base,
            metadata={"chat_id": message.chat_id, "message_id": message.id},
        )
        # Images are large, and written out here.
        body = await anyio.to_thread.run_sync(request_of, said, enclosed, wanted)
        if not body["input"]:
            raise FieldInvalid("There is nothing to answer: the thread has no text.", param="parent_id")
        return body

    async def go_on(self, message: Message, maker: Maker, **changes: Any) -> Message:
        """Let an answer that has ended, or whose maker is gone, go on where it ended, or from the start without text.

        Raises:
            ChatUnknown, Conflict: as `AnswerStore.go_on` does.
        """
        base = continued(message.content)
        going = await self._store.go_on(
            message,
            worker=self.worker,
            now_s=time.time(),
            response_id=maker.new_id(),
            base=base,
            content=base,
            **changes,
        )
        return await self.start(going, maker)

    async def stop(self, chat_id: str, message_ids: set[str] | None = None) -> None:
        """End what is being made in a chat, or of some of its messages."""
        for message_id, live in list(self._live.items()):
            if live.message.chat_id == chat_id and (message_ids is None or message_id in message_ids):
                await self._responses.cancel(live.work.snapshot.response_id)

    async def carry_on(self, maker: Maker) -> None:
        """Go on with what dead processes left, now and from time to time, until `close`."""
        while not self._is_closing:
            try:
                for message in await self._store.unfinished():
                    if message.id not in self._live and self._is_left(message):
                        await self._revive(message, maker)
            except StoreUnusable as error:
                _log.error("unfinished answers cannot be looked for: %s", error.message)
            with anyio.move_on_after(_LOOKED_EVERY_S):
                await self._closing.wait()

    def close(self) -> None:
        """Paddock is stopping: what is being made is left to the next one."""
        self._closing.set()

    @property
    def _is_closing(self) -> bool:
        return self._closing.is_set()

    def _is_left(self, message: Message) -> bool:
        return message.worker != self.worker and self._workers.is_gone(message.worker, message.beat_s)

    async def _revive(self, message: Message, maker: Maker) -> None:
        if message.tries >= _TRIES_MOST:
            error = {"code": "given_up", "message": f"paddock ended {message.tries} times while this was answered."}
            await self._keep(message, message.content, status="failed", error=error)
            return
        try:
            # Its tools go on in the workspace in which they began, and it may do no more than whoever asked.
            with acting(as_noted(message.asked.get("by", {}))):
                await self.go_on(message, maker, tries=message.tries + 1)
        except (ChatUnknown, Conflict) as error:
            _log.info("the answer %s is not carried on: %s", message.id, error.message)

    async def _write_down(self) -> None:
        """Each second, keep what came of every answer."""
        while self._live:
            await anyio.sleep(_WRITTEN_EVERY_S)
            contents: dict[str, list[Part] | None] = {}
            for message_id, live in self._live.items():
                pieces = sum(len(item.pieces) for item in live.work.snapshot.output)
                contents[message_id] = _content(live) if pieces != live.pieces else None
                live.pieces = pieces
            try:
                await self._store.write_down(contents, worker=self.worker, now_s=time.time())
            except StoreUnusable as error:
                _log.error("answers cannot be written down: %s", error.message)
        self._is_writing = False

    async def settle(self, message: Message, work: Work, maker: Maker) -> None:
        """Keep what became of a response, or carry its message on."""
        self._live.pop(message.id, None)
        snapshot = work.snapshot
        content = parts_of(message.base, [item.whole() for item in snapshot.output])
        has_failed = snapshot.status == "failed"
        if has_failed and (self._is_closing or self._may_try_again(message, work)):
            await self._leave(message, content)
            if not self._is_closing:
                is_refused = snapshot.cause != _LOST
                self._tasks.start_soon(self._again, message, [] if is_refused else content, maker)
            return
        outcome = outcome_of(snapshot.response(), snapshot.cause)
        await self._keep(
            message,
            content,
            status=outcome.status,
            usage=outcome.usage,
            timings=outcome.timings,
            error=outcome.error,
            model=message.model or snapshot.model,
        )

    def _may_try_again(self, message: Message, work: Work) -> bool:
        """Once where the engine was lost; once from the start where it does not go on with a turn that was begun."""
        cause = work.snapshot.cause
        is_refused = bool(message.base) and not work.snapshot.output and cause in _REFUSALS
        is_asked = bool(message.asked.get("continues"))
        return (message.tries == 0 and cause == _LOST) or (is_refused and not is_asked and message.tries < _TRIES_MOST)

    async def _again(self, message: Message, content: list[Part], maker: Maker) -> None:
        try:
            await self.go_on(replace(message, content=content), maker, tries=message.tries + 1)
        except PaddockError as error:
            _log.info("the answer %s is not carried on: %s", message.id, error.message)

    async def _leave(self, message: Message, content: list[Part]) -> None:
        try:
            await self._store.write_down(
                {message.id: content}, worker=self.worker, now_s=time.time(), leaves=self._is_closing
            )
        except StoreUnusable as error:
            _log.error("the answer %s cannot be written down: %s", message.id, error.message)

    async def _keep(self, message: Message, content: list[Part], **outcome: Any) -> Message | None:
        words = rows_of(text_of(content))
        try:
            kept = await self._store.settle(message, words, content=content, updated_s=time.time(), **outcome)
        except StoreUnusable as error:
            _log.error("the answer %s cannot be kept: %s", message.id, error.message)
            return None
        if kept is not None:
            self._tell(kept)
        return kept

    def _tell(self, message: Message) -> None:
        self._changes.tell(
            "message",
            chat_id=message.chat_id,
            message_id=message.id,
            status=message.status,
            response_id=message.response_id,
            revision=message.revision,
        )


class _Settled:
    """What is done at a response's end: it may come before its beginning is known here."""

    def __init__(self, answers: Answers, message: Message, maker: Maker) -> None:
        self._answers, self._message, self._maker = answers, message, maker
        self.is_over = False

    async def __call__(self, work: Work) -> None:
        self.is_over = True
        await self._answers.settle(self._message, work, self._maker)


def continued(content: list[Part]) -> list[Part]:
    """What an answer goes on from: all of it where it ends in text, else nothing."""
    is_open = bool(content) and content[-1]["type"] == "text" and bool(content[-1]["text"])
    return list(content) if is_open and all(part["type"] in ("text", "reasoning") for part in content) else []


def _content(live: _Live) -> list[Part]:
    return parts_of(live.message.base, [item.whole() for item in live.work.snapshot.output])
