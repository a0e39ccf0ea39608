"""Owns letting the server's own tools into a request of any dialect; refuses to know how they are carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp

from paddock.api.dialects import OPENAI
from paddock.api.edge import Edge
from paddock.api.knowledge_tool import knowledge_tool
from paddock.api.schemas import ChatRequest, check
from paddock.engine.remotes import RemoteModel
from paddock.errors import BadRequest
from paddock.models.catalog import Model
from paddock.protocol.normalize import normalize
from paddock.protocol.shape import as_object, objects_in
from paddock.serving import images
from paddock.serving.passage import Passage, Straight
from paddock.serving.prepare import Prepared, prepare, refuse_unsupported
from paddock.serving.relay import Dialect
from paddock.serving.toolloop import ToolLoop
from paddock.serving.toolruns import ToolUse

CHAT = "/v1/chat/completions"
_CALLS_MOST = 25
_CALL_TIMEOUT_S = 300.0


async def prepared_chat(edge: Edge, body: dict[str, Any], *, strict: bool = False) -> Prepared:
    """A chat body, the client's own or a converted one, checked and prepared, the tools of the server in it.

    Raises:
        FieldInvalid, BadRequest, ImageRefused: with the field as `param`.
    """
    normalized: list[str] = []
    if not strict and isinstance(body.get("messages"), list):
        messages, normalized = normalize(body["messages"])
        body = {**body, "messages": messages}
    check(ChatRequest, body, lenient=not strict)
    use: ToolUse | None = None
    if body.get("enable_tools") or body.get("knowledge"):
        if (named := body.get("enabled_tools")) is not None:
            # Those that are on by themselves are on everywhere.
            await edge.tools.look(named)
        body, use = await _with_tools(edge, body)
    refuse_unsupported(body)
    images.check_sources(body)
    prepared = prepare(CHAT, body, normalized=tuple(normalized))
    if use is None:
        return prepared
    names = ", ".join(tool["function"]["name"] for tool in use.toolbox.offered()) or "none"
    return replace(prepared, tool_use=use, adapted=(*prepared.adapted, f"enable_tools: {names}"))


def exchange(
    edge: Edge,
    prepared: Prepared,
    model: Model | RemoteModel,
    *,
    dialect: Dialect = OPENAI,
    passage: Passage | None = None,
) -> ASGIApp:
    """What answers a prepared chat request: turn after turn where the server's tools help, else one exchange."""
    use = prepared.tool_use
    if use is None:
        return edge.relay(prepared, model, dialect=dialect, passage=passage)
    own = passage or Straight(real=model.id, asked=str(prepared.body.get("model") or model.id))
    notes, strict = prepared.adapted, edge.settings.strict_wire

    async def next_turn(body: dict[str, Any], dialect: Dialect, passage: Passage) -> ASGIApp:
        rest = {name: body[name] for name in body if name not in ("enable_tools", "knowledge")}
        turn = await prepared_chat(edge, rest, strict=strict)
        turn, found = await edge.addressed(replace(turn, adapted=(*notes, *turn.adapted)))
        return edge.relay(turn, found, dialect=dialect, passage=passage)

    return ToolLoop(
        prepared,
        use,
        next_turn=next_turn,
        dialect=dialect,
        passage=own,
        keepalive_s=edge.settings.keepalive_s,
    )


async def _with_tools(edge: Edge, body: dict[str, Any]) -> tuple[dict[str, Any], ToolUse]:
    """The body with the server's tools beside the client's, and how they may be used.

    Raises:
        BadRequest, NotPermitted: as `Tools.box` does.
        KnowledgeUnknown: a collection that is not there for whoever asks.
    """
    if body.get("n") not in (None, 1):
        raise BadRequest("n must be 1 where enable_tools is true: the tools work for one answer.", param="n")
    tools: Sequence[dict[str, Any]] = objects_in(body.get("tools"))
    own = frozenset(str((as_object(tool.get("function")) or {}).get("name")) for tool in tools)
    knowledge = [await knowledge_tool(edge.knowledge, body["knowledge"], own)] if body.get("knowledge") else []
    box = await edge.tools.box(body, own, knowledge)
    timeout_s = body.get("tool_call_timeout")
    most = body.get("max_tool_calls_per_message")
    use = ToolUse(
        toolbox=box,
        own=own,
        calls_most=_CALLS_MOST if most is None else most,
        call_timeout_s=_CALL_TIMEOUT_S if timeout_s is None else timeout_s,
    )
    return {**body, "tools": [*tools, *box.offered()]}, use
