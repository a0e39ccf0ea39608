"""Owns what paddock relies on of an engine, asked of a build's own engine one by one; refuses to know whose it is.

Covered: the key, `/props`, tokens, templates, counts, streams with their usage, calls as deltas, a started turn, an
overflow, bodies that are broken, an answer that is left. What shows only through paddock (forced calls, JSON answers,
the reuse of a prompt, the dialects) is tried by the requests of known clients. Not covered: images, embeddings,
adapters.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio

from paddock.engine.client import EngineClient
from paddock.engine.private import with_engine
from paddock.errors import ContextOverflow, EngineRefused, PaddockError
from paddock.install.canary import Outcome
from paddock.install.pocket import pocket_flags
from paddock.protocol.shape import as_object, objects_in

if TYPE_CHECKING:
    from paddock.engine.process import Endpoint

Json = dict[str, Any]
CONTEXT_TOKENS, SLOTS = 2048, 2
_LOAD_S = 120.0
# Of one question; the longest makes some hundred tokens with a model of five million parameters.
_PATIENCE_S = 30.0
_FREED_WITHIN_S, _LOOK_EVERY_S = 10.0, 0.05
_CHAT = "/v1/chat/completions"
_HELLO: Json = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 8, "temperature": 0}
_WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Oslo", "Paris"]}}, "required": ["city"]},
    },
}
_OTHER: Json = {"type": "function", "function": {"name": "stand_in", "parameters": {"type": "object"}}}


class _Missed(Exception):
    """An expectation is not met; says how."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """One engine, and how it is asked."""

    endpoint: Endpoint
    client: EngineClient

    async def ask(self, path: str, body: Json | None = None) -> Any:
        return await self.client.ask(self.endpoint, path, body)

    async def refusal(self, path: str, body: Json) -> PaddockError | None:
        """What a request is refused with; None where it is answered."""
        try:
            await self.ask(path, body)
        except (EngineRefused, ContextOverflow) as error:
            return error
        return None

    async def frames(self, body: Json) -> list[Json]:
        """The objects of a whole stream. Missed where it is none, or ends without [DONE]."""
        sent = json.dumps({**body, "stream": True}).encode()
        async with self.client.open(self.endpoint, _CHAT, sent, streamed=True) as answer:
            _must(answer.status == 200, f"a stream is answered with status {answer.status}")
            _must(answer.content_type.startswith("text/event-stream"), f"a stream comes as {answer.content_type}")
            lines = [line for line in (await answer.body()).split(b"\n\n") if line.startswith(b"data: ")]
        _must(lines[-1:] == [b"data: [DONE]"], "a stream ends without [DONE]")
        return [json.loads(line.removeprefix(b"data: ")) for line in lines[:-1]]


def meets(program: Sequence[str], *, patience_s: float = _PATIENCE_S) -> tuple[Outcome, ...]:
    """Start a build's engine with the bundled model and ask it for everything. Blocking; from no event loop.

    Args:
        program: the words that start it, before its flags.
        patience_s: how long the answer to one expectation may take.

    Raises:
        PaddockError: the engine does not start.
    """

    async def work(endpoint: Endpoint, client: EngineClient) -> tuple[Outcome, ...]:
        asked = _Asked(endpoint=endpoint, client=client)
        return tuple([await _outcome(name, check, asked, patience_s) for name, check in _EXPECTATIONS.items()])

    flags = pocket_flags("canary", context_tokens=CONTEXT_TOKENS, slots=SLOTS)
    return with_engine(program, flags, work, load_s=_LOAD_S, work_s=patience_s * (len(_EXPECTATIONS) + 1))


async def _outcome(name: str, check: Callable[[_Asked], Awaitable[None]], asked: _Asked, patience_s: float) -> Outcome:
    try:
        with anyio.fail_after(patience_s):
            await check(asked)
    except TimeoutError:
        return Outcome(name=name, status="fail", reason=f"no answer within {patience_s:g} s")
    except (_Missed, PaddockError) as error:
        return Outcome(name=name, status="fail", reason=str(error))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        return Outcome(name=name, status="fail", reason=f"its answer cannot be read: {type(error).__name__} {error}")
    return Outcome(name=name, status="pass")


async def _key(asked: _Asked) -> None:
    try:
        await asked.client.ask(replace(asked.endpoint, api_key="not-the-key"), "/props")
    except EngineRefused as error:
        _must(error.status == 401, f"a wrong key is refused with {error.status}, not 401")
        return
    raise _Missed("a wrong key is let in")


async def _props(asked: _Asked) -> None:
    props = await asked.ask("/props")
    context = int(props["default_generation_settings"]["n_ctx"])
    _must(context == CONTEXT_TOKENS, f"a slot has {context} tokens, not {CONTEXT_TOKENS} as it was told")
    _must(isinstance(props["chat_template"], str), "the model's chat template is not told")
    caps, senses = as_object(props.get("chat_template_caps")) or {}, as_object(props.get("modalities")) or {}
    _must(caps.get("supports_tools", True), "it does not see that pocket knows tools")
    _must(not senses.get("vision", False), "pocket is said to see")


async def _tokens(asked: _Asked) -> None:
    async def tokens(text: str, *, special: bool) -> list[int]:
        ask = {"content": text, "add_special": False, "parse_special": special}
        return list((await asked.ask("/tokenize", ask))["tokens"])

    _must(await tokens("", special=True) == [], "no text is read as tokens")
    as_control, as_text = [await tokens("<|im_end|>", special=special) for special in (True, False)]
    _must(len(as_control) == 1, f"a control token is read as {len(as_control)} tokens")
    _must(as_text != as_control, "a control token is read although nobody asked for it")
    both = await tokens("hello<|im_end|>hello", special=True)
    parts = [*await tokens("hello", special=True), *await tokens("<|im_end|>hello", special=True)]
    _must(both == parts, "a text and its parts, cut before a control token, are not the same tokens")


async def _template(asked: _Asked) -> None:
    async def rendered(**more: Any) -> str:
        return str((await asked.ask("/apply-template", {**_HELLO, **more}))["prompt"])

    plain, bare = await rendered(), await rendered(add_generation_prompt=False)
    _must("Hello!" in plain, "a message is lost")
    _must(plain != bare and plain.startswith(bare), "add_generation_prompt has no effect")
    _must("get_weather" in await rendered(tools=[_WEATHER]), "tools are lost")
    other = await rendered(tools=[_WEATHER], chat_template_kwargs={"tools": [_OTHER]})
    _must("stand_in" in other and "get_weather" not in other, "the tools of chat_template_kwargs do not come first")


async def _started_turn(asked: _Asked) -> None:
    begun: Json = {**_HELLO, "messages": [*_HELLO["messages"], {"role": "assistant", "content": "paddock-begins"}]}
    prompt = str((await asked.ask("/apply-template", begun))["prompt"])
    _must(prompt.endswith("paddock-begins"), "a started turn of the assistant is ended or lost")


async def _counts(asked: _Asked) -> None:
    counted = int((await asked.ask(f"{_CHAT}/input_tokens", _HELLO))["input_tokens"])
    prompt = (await asked.ask("/apply-template", _HELLO))["prompt"]
    ask = {"content": prompt, "add_special": False, "parse_special": True}
    tokens = len((await asked.ask("/tokenize", ask))["tokens"])
    used = int((await asked.ask(_CHAT, _HELLO))["usage"]["prompt_tokens"])
    _must(counted == tokens == used, f"a prompt has {counted} tokens by count, {tokens} as text and {used} when used")


async def _stream(asked: _Asked) -> None:
    frames = await asked.frames({**_HELLO, "stream_options": {"include_usage": True}})
    _must(len({frame["id"] for frame in frames}) == 1, "the chunks of a stream have more than one id")
    reasons = [choice.get("finish_reason") for frame in frames for choice in frame["choices"]]
    _must(len([one for one in reasons if one]) == 1, "a stream has no finish_reason, or several")
    _must("".join(_texts(frames)), "a stream has no text")
    last = frames[-1]
    _must(last["choices"] == [] and "usage" in last, "the usage that was asked for does not end the stream")
    _must(last["usage"]["prompt_tokens"] > 0, "the usage of a stream does not tell what was read")


async def _call(asked: _Asked) -> None:
    turn = {"role": "user", "content": "What is the weather in Paris?"}
    body: Json = {"messages": [turn], "tools": [_WEATHER], "tool_choice": "required", "max_tokens": 64}
    frames = await asked.frames(body)
    choices = [choice for frame in frames for choice in frame["choices"]]
    pieces = [piece for choice in choices for piece in objects_in(choice["delta"].get("tool_calls"))]
    _must(pieces, "a call is not streamed as one")
    _must({piece["index"] for piece in pieces} == {0}, "a call's deltas have a wrong index")
    _must(pieces[0].get("id"), "a call has no id")
    _must(pieces[0]["function"]["name"] == "get_weather", "a call names another tool than the one offered")
    arguments = "".join(piece["function"].get("arguments") or "" for piece in pieces)
    _must(isinstance(json.loads(arguments), dict), "a call's arguments are no object")
    reasons = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    _must(reasons == ["tool_calls"], f"a call ends for the reason {reasons}")


async def _overflow(asked: _Asked) -> None:
    long: Json = {**_HELLO, "messages": [{"role": "user", "content": "hello " * 2 * CONTEXT_TOKENS}]}
    refused = await asked.refusal(_CHAT, long)
    if not isinstance(refused, ContextOverflow):
        raise _Missed(f"a prompt beyond the context is not refused as one: {refused or 'it is answered'}")
    _must(refused.context_tokens == CONTEXT_TOKENS, f"a context of {refused.context_tokens} tokens is told")


async def _broken(asked: _Asked) -> None:
    async with asked.client.open(asked.endpoint, _CHAT, b'{"messages": [', streamed=False) as answer:
        _must(answer.status == 400, f"a body that breaks off is answered with status {answer.status}, not 400")
        await answer.body()
    refused = await asked.refusal(_CHAT, {"messages": "none"})
    status = refused.status if isinstance(refused, EngineRefused) else 200
    _must(status == 400, f"messages that are none are answered with status {status}, not 400")
    await asked.ask(_CHAT, _HELLO)


async def _leave(asked: _Asked) -> None:
    """A client that leaves ends its generation, and the slot is free."""
    if isinstance(await _slots(asked), EngineRefused):
        return
    endless = {**_HELLO, "max_tokens": CONTEXT_TOKENS, "ignore_eos": True, "stream": True}
    async with asked.client.open(asked.endpoint, _CHAT, json.dumps(endless).encode(), streamed=True) as answer:
        await answer.next_chunk()
    for _ in range(round(_FREED_WITHIN_S / _LOOK_EVERY_S)):
        slots = await _slots(asked)
        if isinstance(slots, list) and not any(slot["is_processing"] for slot in slots):
            return
        await anyio.sleep(_LOOK_EVERY_S)
    raise _Missed("an answer that nobody waits for goes on")


async def _slots(asked: _Asked) -> list[Json] | EngineRefused:
    """The slots; a build that does not show them cannot be asked."""
    try:
        return await asked.ask("/slots")
    except EngineRefused as error:
        return error


def _texts(frames: Sequence[Json]) -> list[str]:
    return [choice["delta"].get("content") or "" for frame in frames for choice in frame["choices"]]


def _must(holds: object, fault: str) -> None:
    if not holds:
        raise _Missed(fault)


_EXPECTATIONS: dict[str, Callable[[_Asked], Awaitable[None]]] = {
    "key": _key,
    "props": _props,
    "tokens": _tokens,
    "template": _template,
    "started turn": _started_turn,
    "counts": _counts,
    "stream": _stream,
    "call": _call,
    "overflow": _overflow,
    "broken body": _broken,
    "leave": _leave,
}
