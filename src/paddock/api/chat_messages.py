"""Owns the routes of a chat's messages and answers; refuses to know how they are kept or made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paddock.api import chat_shapes
from paddock.api.chat_asking import new_id, path_id, read, told
from paddock.api.chat_schemas import AnswerCreate, MessageCreate, MessagePatch
from paddock.api.chats import restorable
from paddock.api.described import Operation
from paddock.api.edge import Edge
from paddock.api.faults import openai_error
from paddock.api.responses import as_chat, in_background
from paddock.api.responses import new_id as new_response_id
from paddock.errors import FieldInvalid, PaddockError, shown
from paddock.recorder.recording import Recording
from paddock.serving.chat_answers import Maker
from paddock.serving.images import without_images
from paddock.serving.prepare import prepare
from paddock.store.chat_rows import Message


def routes(edge: Edge) -> list[Route]:
    """The routes of messages and answers."""
    chats = edge.chats

    async def add(request: Request) -> Response:
        asked = await read(edge, request, MessageCreate)
        now_s = time.time()
        made, is_new = await chats.add(
            Message(
                id=asked.id or new_id(),
                chat_id=path_id(request),
                parent_id=asked.parent_id,
                role=asked.role,
                model=asked.model,
                content=_parts(asked),
                created_s=now_s,
                updated_s=now_s,
            ),
            selects=asked.select,
        )
        return told(made.told(), 201 if is_new else 200)

    async def one(request: Request) -> Response:
        return told((await chats.message(path_id(request), _message_id(request))).told())

    async def edit(request: Request) -> Response:
        asked = await read(edge, request, MessagePatch)
        made = await chats.edit(path_id(request), _message_id(request), _parts(asked), revision=asked.revision)
        return told(made.told())

    async def delete(request: Request) -> Response:
        message_id = _message_id(request)
        chat, at_s = await chats.delete_message(path_id(request), message_id)
        return told({**restorable(message_id, at_s), "leaf_id": chat.leaf_id})

    async def restore(request: Request) -> Response:
        return told((await chats.restore_message(path_id(request), _message_id(request))).told())

    async def prompt(request: Request) -> ASGIApp:
        message = await chats.message(path_id(request), _message_id(request))
        if message.role != "assistant":
            raise FieldInvalid(f"message: {shown(message.id)} is no answer; no model read for it.", param="message")
        prepared, model = await as_chat(edge, await chats.answers.request(message))
        return edge.relay(prepare("/apply-template", without_images(prepared.body)), model)

    async def answer(request: Request) -> Response:
        return told(await _answer(edge, request), 202)

    return [
        Route("/api/chats/{id}/messages", add, methods=["POST"]),
        Route("/api/chats/{id}/messages/{message}", one, methods=["GET"]),
        Route("/api/chats/{id}/messages/{message}", edit, methods=["PATCH"]),
        Route("/api/chats/{id}/messages/{message}", delete, methods=["DELETE"]),
        Route("/api/chats/{id}/messages/{message}/restore", restore, methods=["POST"]),
        Route("/api/chats/{id}/messages/{message}/prompt", prompt, methods=["GET"]),
        Route("/api/chats/{id}/answers", answer, methods=["POST"]),
    ]


async def _answer(edge: Edge, request: Request) -> dict[str, Any]:
    """Begin an answer, or let one go on."""
    asked = await read(edge, request, AnswerCreate)
    maker = maker_of(edge, request.scope.get("paddock.recording"))
    settings = asked.settings.model_dump(exclude_none=True)
    if asked.continues is not None:
        made = await edge.chats.go_on(path_id(request), asked.continues, maker, settings)
    else:
        made = await edge.chats.answer(
            path_id(request),
            asked.parent_id,
            maker,
            message_id=asked.id or new_id(),
            model=asked.model,
            settings=settings,
            selects=asked.select,
        )
    response_id = made.response_id if made.status == "generating" else None
    return {"message": made.told(), "response_id": response_id}


def maker_of(edge: Edge, recording: Recording | None = None) -> Maker:
    """How answers are made: as `POST /v1/responses` makes a background response."""
    begin = partial(in_background, edge, recording=recording)
    return Maker(begin=begin, new_id=new_response_id, code_of=_code_of)


def _code_of(error: PaddockError) -> str:
    told = openai_error(error)
    return str(told["code"] or told["type"])


def _message_id(request: Request) -> str:
    return path_id(request, "message", "message")


def _parts(asked: MessageCreate | MessagePatch) -> list[dict[str, Any]]:
    return [part.model_dump(exclude_none=True) for part in asked.content]


OPERATIONS: Mapping[str, Operation] = {
    "POST /api/chats/{id}/messages": Operation(
        says="Add a message to the tree.", body=MessageCreate, answer=chat_shapes.ChatMessage, status=201
    ),
    "GET /api/chats/{id}/messages/{message}": Operation(says="One message.", answer=chat_shapes.ChatMessage),
    "PATCH /api/chats/{id}/messages/{message}": Operation(
        says="Put other content in place of a message's.", body=MessagePatch, answer=chat_shapes.ChatMessage
    ),
    "DELETE /api/chats/{id}/messages/{message}": Operation(
        says="Delete a message with all beneath it, for a day with undo.", answer=chat_shapes.RestorableMessage
    ),
    "POST /api/chats/{id}/messages/{message}/restore": Operation(
        says="Bring back a message and what was deleted with it.", answer=chat_shapes.ChatMessage
    ),
    "GET /api/chats/{id}/messages/{message}/prompt": Operation(
        says="What the model read for an answer, as its template writes it; images by a word alone.",
        answer=chat_shapes.Prompt,
    ),
    "POST /api/chats/{id}/answers": Operation(
        says="Begin an answer, or go on with one.", body=AnswerCreate, answer=chat_shapes.Answer, status=202
    ),
}
