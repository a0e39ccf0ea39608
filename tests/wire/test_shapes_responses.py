"""Tests that Responses answers have the SDK's own shapes and keep their rules, and that planted faults are caught."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import omit
from openai._models import construct_type_unchecked
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseInputMessageItem, ResponseItem, ResponseOutputMessage, ResponseStreamEvent
from pydantic import TypeAdapter, ValidationError

from paddock.protocol.responses import to_chat
from tests.fakes.scripted_shapes import Script
from tests.shapes.responses import ShapeBroken, check_response, check_stream, read_events
from tests.shapes.responses_streams import TOOLS, calls, passage, passed, says, stream, thinks, whole_of
from tests.wire.rig import Rig, pieces, plain, scripted_studio

Json = dict[str, Any]
Fault = Callable[[list[Json]], Any]
RESPONSES = "/v1/responses"
DELTAS = [
    thinks("I "),
    thinks("see"),
    says("Lo"),
    says("ok"),
    calls('{"x":', name="look", call_id="a"),
    calls("1}"),
    calls('{"input":"a', at=1, name="patch", call_id="b"),
    calls('b"}', at=1),
    calls("{}", at=2, name="farm__feed", call_id="c"),
]


def good(**request: Any) -> list[Json]:
    return read_events(passed(passage(**request), stream(DELTAS, reason="tool_calls")))


def first(events: list[Json], kind: str) -> int:
    """Where the first event of that type is."""
    return next(place for place, event in enumerate(events) if event["type"] == f"response.{kind}")


@pytest.mark.parametrize(
    ("deltas", "reason", "request_"),
    [
        (DELTAS, "tool_calls", {}),
        (DELTAS, "tool_calls", {"background": True, "reasoning": {"summary": "auto"}, "temperature": 0.5}),
        (DELTAS, "length", {"max_output_tokens": 9, "text": {"format": {"type": "json_object"}}}),
        (
            [*DELTAS[:4], calls('{"x', name="look", call_id="a")],
            "length",
            {"instructions": "i", "metadata": {"k": "v"}},
        ),
        ([], "stop", {"tool_choice": {"type": "function", "name": "look"}, "store": False, "user": "u"}),
        (
            [says("x")],
            "content_filter",
            {"previous_response_id": "resp_1", "truncation": "auto", "service_tier": "auto"},
        ),
    ],
)
def test_every_answer_has_the_shapes_of_the_sdk_streamed_and_whole(
    deltas: list[Json], reason: str, request_: Json
) -> None:
    events = read_events(passed(passage(**request_), stream(deltas, reason=reason)))
    check_stream(events)
    whole = json.loads(passage(**request_).whole(whole_of(deltas, reason=reason)))
    check_response(whole)
    assert whole == events[-1]["response"]
    check_stream(events[3:], first=3)


@pytest.mark.parametrize("code", ["context_length_exceeded", "engine_unreachable", None])
@pytest.mark.parametrize("frames", [0, 4, 9])
def test_a_failure_at_any_moment_has_the_shapes_of_the_sdk(code: str | None, frames: int) -> None:
    through = passage()
    out = through.life("loading m: engine starting") + through.opening()
    for frame in stream(DELTAS).split(b"\n\n")[:frames]:
        out += through.feed(frame + b"\n\n")
    check_stream(read_events(out + through.fail({"code": code, "message": "It broke."})))


PIECES = st.one_of(
    st.text(min_size=1, max_size=4).map(thinks),
    st.text(min_size=1, max_size=4).map(says),
    st.integers(0, 2).map(lambda at: calls('{"a":1}', at=at, name="look", call_id=f"c{at}")),
)


@given(st.lists(PIECES, max_size=8), st.sampled_from(["stop", "length"]))
@settings(max_examples=40, deadline=None)
def test_any_stream_has_the_shapes_of_the_sdk(deltas: list[Json], reason: str) -> None:
    seen: set[int] = set()
    for delta in deltas:
        for call in delta.get("tool_calls", []):
            if call["index"] in seen:
                call["function"]["arguments"] = ""
            seen.add(call["index"])
    check_stream(read_events(passed(passage(), stream(deltas, reason=reason))))


def test_the_sdks_own_reader_puts_the_stream_together() -> None:
    state: Any = ResponseStreamState(text_format=omit, input_tools=omit)
    union: Any = ResponseStreamEvent
    for event in good():
        state.handle_event(construct_type_unchecked(type_=union, value=event))
    done = state._completed_response
    assert done.output_text == "Look"
    assert [item.type for item in done.output] == [
        "reasoning", "message", "function_call", "custom_tool_call", "function_call",
    ]  # fmt: skip


def test_the_items_of_a_request_are_kept_in_the_sdks_shapes() -> None:
    given: list[Json] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yes"},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "seen"},
        {"type": "custom_tool_call", "call_id": "b", "name": "patch", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": "ok"},
        {"type": "reasoning", "summary": []},
    ]
    models = {get_args(one.model_fields["type"].annotation)[0]: one for one in get_args(get_args(ResponseItem)[0])}
    messages = {"user": ResponseInputMessageItem, "assistant": ResponseOutputMessage}
    kept = to_chat({"input": given}, response_id="resp_0a").items
    for item in kept:
        TypeAdapter(messages.get(item.get("role", "")) or models[item["type"]]).validate_python(item)
    assert [item["type"] for item in kept[2:]] == [item["type"] for item in given[2:]]


@pytest.mark.rule("responses-shapes")
@pytest.mark.anyio
async def test_answers_of_a_running_paddock_have_the_shapes_of_the_sdk(rig: Rig) -> None:
    answer = stream(DELTAS, reason="tool_calls")
    await rig.script(pieces(answer[:500], answer[500:], gap_s=0.01))
    streamed = (await rig.post({"input": "hi", "tools": TOOLS, "stream": True}, RESPONSES)).content
    check_stream(read_events(streamed))
    await rig.script(plain(whole_of(DELTAS, reason="tool_calls")))
    body = (await rig.post({"input": "hi", "tools": TOOLS}, RESPONSES)).json()
    check_response(body)
    told = read_events(streamed)[-1]["response"]
    assert [item["type"] for item in body["output"]] == [item["type"] for item in told["output"]]
    stored = (await rig.http.get(f"/v1/responses/{told['id']}")).json()
    assert stored == told


@pytest.mark.rule("opens-cold")
@pytest.mark.anyio
async def test_a_response_whose_model_is_loading_is_queued_over_the_wire(tmp_path: Path) -> None:
    routes = {"/v1/chat/completions": [pieces(stream([says("Hi")]))]}
    script: Script = {"starts": [{"delay_s": 0.3}], "routes": routes}
    async with scripted_studio(tmp_path, script=script, warm=False, keepalive_s=0.05) as rig:
        events = read_events((await rig.post({"input": "hi", "stream": True}, RESPONSES)).content)
    check_stream(events)
    kinds = [event["type"] for event in events[:3]]
    assert kinds == ["response.created", "response.queued", "response.in_progress"]


def without(place: int, name: str) -> Fault:
    return lambda events: events[place].pop(name)


def drop(kind: str) -> Fault:
    return lambda events: events.pop(first(events, kind))


def changed(kind: str, **fields: Any) -> Fault:
    return lambda events: events[first(events, kind)].update(fields)


def renumbered(fault: Fault) -> Fault:
    """The fault, in a stream whose numbers do not give it away."""

    def plant(events: list[Json]) -> None:
        fault(events)
        for number, event in enumerate(events):
            event["sequence_number"] = number

    return plant


def swapped(kind: str) -> Fault:
    def plant(events: list[Json]) -> None:
        place = first(events, kind)
        events[place], events[place + 1] = events[place + 1], events[place]

    return plant


def in_item(kind: str, **fields: Any) -> Fault:
    return lambda events: events[first(events, kind)]["item"].update(fields)


def in_response(kind: str, **fields: Any) -> Fault:
    return lambda events: events[first(events, kind)]["response"].update(fields)


FAULTS: dict[str, Fault] = {
    "no sequence number": without(4, "sequence_number"),
    "a sequence number as text": changed("output_text.delta", sequence_number="9"),
    "a gap in the numbers": changed("completed", sequence_number=99),
    "numbers from one": lambda events: [event.update(sequence_number=event["sequence_number"] + 1) for event in events],
    "no response.created": renumbered(drop("created")),
    "in_progress before created": renumbered(swapped("created")),
    "no item added": renumbered(drop("output_item.added")),
    "no item done": renumbered(drop("output_item.done")),
    "no part added": renumbered(drop("content_part.added")),
    "no part done": renumbered(drop("content_part.done")),
    "no text done": renumbered(drop("output_text.done")),
    "no arguments done": renumbered(drop("function_call_arguments.done")),
    "a delta is lost": renumbered(drop("output_text.delta")),
    "a delta of arguments is lost": renumbered(drop("function_call_arguments.delta")),
    "a delta of an input is lost": renumbered(drop("custom_tool_call_input.delta")),
    "no terminal event": lambda events: events.pop(),
    "two terminal events": renumbered(lambda events: events.append(copy.deepcopy(events[-1]))),
    "a delta before its part": renumbered(swapped("content_part.added")),
    "the item's end before its text's": renumbered(swapped("output_text.done")),
    "another output index": changed("output_text.delta", output_index=0),
    "an output index that skips": changed("output_item.added", output_index=1),
    "another item id": changed("output_text.delta", item_id="msg_other"),
    "no item id": lambda events: events[first(events, "output_text.delta")].pop("item_id"),
    "no logprobs": lambda events: events[first(events, "output_text.delta")].pop("logprobs"),
    "another content index": changed("output_text.delta", content_index=1),
    "another text at the end": changed("output_text.done", text="Looks"),
    "other arguments at the end": changed("function_call_arguments.done", arguments="{}"),
    "the end of a text as that of arguments": changed("output_text.done", type="response.function_call_arguments.done"),
    "a type that nobody knows": changed("output_text.delta", type="response.output_text.piece"),
    "an item that changes its id": in_item("output_item.done", id="rs_other"),
    "an item without an id": in_item("output_item.added", id=""),
    "an item that ends in progress": in_item("output_item.done", status="in_progress"),
    "another text in the item": in_item("output_item.done", content=[{"type": "reasoning_text", "text": "x"}]),
    "another status than the event's": in_response("completed", status="incomplete"),
    "no usage": in_response("completed", usage=None),
    "another response id": in_response("completed", id="resp_other"),
    "no items in the response": in_response("completed", output=[]),
    "an error in a complete response": in_response("completed", error={"code": "server_error", "message": "x"}),
    "no tools": lambda events: events[0]["response"].pop("tools"),
    "usage that does not add up": lambda events: events[-1]["response"]["usage"].update(total_tokens=1),
    "usage without details": lambda events: events[-1]["response"]["usage"].pop("input_tokens_details"),
    "cached tokens of the chat lane": lambda events: events[-1]["response"]["usage"].update(
        input_tokens_details={"cached_tokens": 99, "cache_write_tokens": 0}
    ),
    "an empty delta": changed("output_text.delta", delta=""),
}  # fmt: skip


@pytest.mark.rule("responses-shapes")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str) -> None:
    events = good()
    check_stream(events)
    FAULTS[fault](events)
    with pytest.raises((ShapeBroken, ValidationError)):
        check_stream(events)


BODY_FAULTS: dict[str, Callable[[Json], Any]] = {
    "no id": lambda body: body.pop("id"),
    "another object": lambda body: body.update(object="chat.completion"),
    "an item without an id": lambda body: body["output"][0].pop("id"),
    "two items of one id": lambda body: body["output"][2].update(id=body["output"][4]["id"]),
    "a call without a call id": lambda body: body["output"][2].pop("call_id"),
    "arguments that are no JSON": lambda body: body["output"][2].update(arguments='{"x"'),
    "content as text": lambda body: body["output"][1].update(content="Look"),
    "an incomplete response without details": lambda body: body.update(status="incomplete"),
    "an incomplete item": lambda body: body["output"][1].update(status="incomplete"),
    "an item of the chat lane": lambda body: body["output"][1].update(type="text"),
}


@pytest.mark.rule("responses-shapes")
@pytest.mark.parametrize("fault", BODY_FAULTS)
def test_a_fault_planted_in_a_whole_response_is_caught(fault: str) -> None:
    body = json.loads(passage().whole(whole_of(DELTAS, reason="tool_calls")))
    check_response(body)
    BODY_FAULTS[fault](body)
    with pytest.raises((ShapeBroken, ValidationError)):
        check_response(body)


@pytest.mark.parametrize(
    "data",
    [
        b'event: response.created\ndata: {"type": "response.completed"}\n\n',
        b'data: {"type": "response.created"}\n\n',
        b'event: response.created\ndata: {"type": "response.created"}\n\ndata: [DONE]\n\n',
    ],
)
def test_a_frame_of_another_form_is_caught(data: bytes) -> None:
    with pytest.raises(ShapeBroken):
        read_events(data)
