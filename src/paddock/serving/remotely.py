"""Owns what of a request reaches a remote engine, and its way there and back; refuses to know which remotes there are.

A remote is no llama.cpp of ours: it gets the client's own request, without what paddock puts in for its engines.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paddock.engine.remotes import RemoteLease, RemoteModel, RemotePlace
from paddock.errors import BadRequest, EngineRefused
from paddock.protocol.shape import as_object
from paddock.serving import images
from paddock.serving.prepare import EXTENSIONS, Prepared
from paddock.serving.relay import Relay
from paddock.serving.traced import asking

if TYPE_CHECKING:
    from paddock.engine.client import Answer

_UNSET_IF_NULL = ("max_tokens", "max_completion_tokens", "tool_choice", "stream_options", "stream", "stop", "tools")
# llama.cpp's server and paddock count a chat there; vLLM counts one beside its API.
_COUNTS = {"/v1/chat/completions/input_tokens": "input_tokens", "/tokenize": "count"}
_COUNTED = ("messages", "tools", "tool_choice", "chat_template_kwargs")
_NO_ROUTE = (404, 405, 501)


def sent_away(prepared: Prepared, model: RemoteModel) -> Prepared:
    """The request as its remote gets it: as it was received, but for paddock's own fields, nulls and the model's name.

    `enable_thinking` moves to `chat_template_kwargs`; a stream asks for its usage.
    """
    received = prepared.received if prepared.received is not None else prepared.body
    body = {name: value for name, value in received.items() if name not in EXTENSIONS}
    for name in _UNSET_IF_NULL:
        if name in body and body[name] in (None, []):
            del body[name]
    thinking = body.pop("enable_thinking", None)
    if thinking is not None:
        kwargs = as_object(body.get("chat_template_kwargs")) or {}
        body["chat_template_kwargs"] = {"enable_thinking": thinking, **kwargs}
    if prepared.streamed:
        body["stream_options"] = {**(as_object(body.get("stream_options")) or {}), "include_usage": True}
    body["model"] = model.remote_id
    return replace(prepared, body=body, received=None)


class RemoteRelay(Relay):
    """One request's way to a remote and back."""

    @asynccontextmanager
    async def _opened(self, place: RemotePlace) -> AsyncGenerator[Answer]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Send the request, once, and open the answer."""
        async with AsyncExitStack() as stack:
            lease: RemoteLease = await stack.enter_async_context(self._pool.leased(place))
            prepared = self._prepared
            if prepared.has_images:
                # As for an engine here: nobody is made to fetch what a request names, and sizes are bounded.
                body = await images.admit(
                    prepared.body, prepared.legacy_image, model_id=place.model.id, sees_images=True, intake=self._intake
                )
                prepared = replace(prepared, body=body)
            body = prepared.encoded()
            if self._recording:
                self._recording.upstream(prepared.path, body)
            model, account = place.model, self._account
            self._span = stack.enter_context(asking(prepared, account, model=model.id, provider=model.remote))
            # Another paddock, or vLLM, goes on with the trace.
            carried = self._span.headers()
            answer = await stack.enter_async_context(
                lease.client.open(lease.endpoint, prepared.path, body, streamed=prepared.streamed, headers=carried)
            )
            lease.note_answer(answer.status)
            del prepared, body
            self._prepared = replace(self._prepared, body={"tools": self._prepared.body.get("tools")})
            yield answer


async def counted(lease: RemoteLease, prepared: Prepared) -> int:
    """The tokens of a prompt, exactly, as the remote counts them.

    Raises:
        BadRequest: the remote has no route that counts.
        EngineRefused, EngineUnreachable: from the remote.
    """
    body = sent_away(prepared, lease.model).body
    asked = {"model": body["model"], **{name: body[name] for name in _COUNTED if name in body}}
    known = lease.remote.counting_path
    for path in [known] if known else _COUNTS:
        tokens = await _counted_at(lease, path, asked)
        if tokens is not None:
            lease.remote.counting_path = path
            return tokens
    raise BadRequest(
        f"The remote '{lease.model.remote}' has no route that counts tokens, so '{lease.model.id}' is not counted: "
        "paddock tells no estimate. The usage of an answer tells the tokens of its prompt.",
        param="model",
    )


async def _counted_at(lease: RemoteLease, path: str, asked: dict[str, Any]) -> int | None:
    """The count as one route tells it; None where there is no such route."""
    try:
        answer = as_object(await lease.client.ask(lease.endpoint, path, asked)) or {}
    except EngineRefused as error:
        if error.status in _NO_ROUTE:
            return None
        raise
    tokens = answer.get(_COUNTS[path])
    return tokens if type(tokens) is int else None
