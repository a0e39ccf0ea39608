"""Tests that Messages answers have the SDK's own shapes and keep their rules, and that planted faults are caught."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from paddock.protocol.messages_answer import MessagesPassage
from tests.shapes.messages import ShapeBroken, check_count, check_error, check_message, check_stream
from tests.shapes.responses import read_events
from tests.shapes.responses_streams import calls, passed, says, stream, thinks, whole_of
from tests.wire.rig import USER, Rig, pieces, plain, refusal

Json = dict[str, Any]
Fault = Callable[[list[Json]], Any]
MESSAGES = "/v1/messages"
DELTAS = [
    thinks("I "),
    thinks("see"),
    says("Lo"),
    says("ok"),
    calls('{"x":', name="look", call_id="a"),
    calls("1}"),
    calls("", at=1, name="feed", call_id="b"),
]
TOOLS: list[Json] = [{"name": name, "input_schema": {"type": "object"}} for name in ("look", "feed")]
ASK: Json = {"model": "pocket-v0", "max_tokens": 99, "messages": [USER], "tools": TOOLS}


def passage() -> MessagesPassage:
    return MessagesPassage(message_id="msg_0a", model="m")


def good() -> list[Json]:
    return read_events(passed(passage(), stream(DELTAS, reason="tool_calls")))


def first(events: list[Json], kind: str, place: int = 0) -> Json:
    """The event of that type; of several, that at `place`."""
    return [event for event in events if event["type"] == kind][place]


CUT = calls('{"x', name="look", call_id="a")
ANSWERS: dict[str, tuple[list[Json], str]] = {
    "thoughts, text and calls": (DELTAS, "tool_calls"),
    "text": ([says("x")], "stop"),
    "nothing": ([], "stop"),
    "thoughts alone": ([thinks("x")], "stop"),
    "text that the limit cut": ([says("x")], "length"),
    "a call that the limit cut": ([says("x"), CUT], "length"),
    "a call that was cut and is called finished": ([CUT], "tool_calls"),
    "a whole call and a cut one": ([*DELTAS[4:6], calls('{"y', at=1, name="feed", call_id="b")], "length"),
    "text after a call": ([*DELTAS[4:6], says("so")], "tool_calls"),
    "thoughts between texts": ([says("a"), thinks("b"), says("c")], "stop"),
    "calls whose pieces alternate": (
        [
            calls("{", name="look", call_id="a"), calls("{", at=1, name="feed", call_id="b"),
            calls("}"), calls("}", at=1),
        ],
        "tool_calls",
    ),
    "a call without an id": ([calls("{}", name="look")], "tool_calls"),
    "a filter": ([says("x")], "content_filter"),
}  # fmt: skip


@pytest.mark.rule("reasoning-apart")
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_has_the_shapes_of_the_sdk_streamed_and_whole(answer: str) -> None:
    deltas, reason = ANSWERS[answer]
    events = read_events(passed(passage(), stream(deltas, reason=reason)))
    check_stream(events)
    body = json.loads(passage().whole(whole_of(deltas, reason=reason)))
    check_message(body)
    assert first(events, "message_delta")["delta"]["stop_reason"] == body["stop_reason"]
    assert first(events, "message_delta")["usage"] == body["usage"]


@pytest.mark.parametrize("frames", [0, 1, 4, 9])
def test_a_failure_at_any_moment_has_the_shapes_of_the_sdk(frames: int) -> None:
    through = passage()
    out = through.opening() + through.life("loading m: engine starting")
    for frame in stream(DELTAS).split(b"\n\n")[:frames]:
        out += through.feed(frame + b"\n\n")
    check_stream(read_events(out + through.fail({"type": "api_error", "message": "It broke."})))


PIECES = st.one_of(
    st.text(min_size=1, max_size=4).map(thinks),
    st.text(min_size=1, max_size=4).map(says),
    st.integers(0, 2).map(lambda at: calls('{"a":1}', at=at, name="look", call_id=f"c{at}")),
)


@pytest.mark.rule("calls-add-up")
@given(st.lists(PIECES, max_size=8), st.lists(st.integers(0, 2000), max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_stream_has_the_shapes_of_the_sdk_wherever_it_is_split(deltas: list[Json], cuts: list[int]) -> None:
    seen: set[int] = set()
    for delta in deltas:
        for call in delta.get("tool_calls", []):
            # Indexes count up from 0, as engines count.
            call["index"] = min(call["index"], len(seen))
            if call["index"] in seen:
                call["function"]["arguments"] = ""
            seen.add(call["index"])
            call["id"] = f"c{call['index']}"
    data = stream(deltas, reason="tool_calls" if seen else "stop")
    events = read_events(passed(passage(), data, cuts))
    check_stream(events)
    assert events == read_events(passed(passage(), data))


@pytest.mark.rule("one-generation")
@pytest.mark.anyio
async def test_the_sdks_own_reader_puts_the_stream_together_to_the_whole_message(rig: Rig) -> None:
    answer = stream(DELTAS, reason="tool_calls")
    async with anthropic.AsyncAnthropic(base_url=rig.studio.url, api_key="any", max_retries=0) as client:
        await rig.script(pieces(answer[:700], answer[700:], gap_s=0.01))
        async with client.messages.stream(**ASK) as events:
            streamed = await events.get_final_message()
        await rig.script(plain(whole_of(DELTAS, reason="tool_calls")))
        create: Any = client.messages.create
        whole = await create(**ASK)
    # `stop_details` is the reader's own addition.
    mine, its = ({**message.to_dict(), "id": "", "stop_details": None} for message in (streamed, whole))
    assert mine == its
    its = whole.to_dict()
    check_message(its)


@pytest.mark.rule("messages-shapes")
@pytest.mark.anyio
async def test_answers_of_a_running_paddock_have_the_shapes_of_the_sdk(rig: Rig) -> None:
    answer = stream(DELTAS, reason="tool_calls")
    await rig.script(pieces(answer[:500], answer[500:], gap_s=0.01))
    check_stream(read_events((await rig.post({**ASK, "stream": True}, MESSAGES)).content))
    await rig.script(plain(whole_of(DELTAS, reason="tool_calls")))
    check_message((await rig.post(ASK, MESSAGES)).json())
    check_count((await rig.post(ASK, f"{MESSAGES}/count_tokens")).json())


@pytest.mark.rule("error-shapes")
@pytest.mark.anyio
async def test_errors_of_a_running_paddock_have_the_shape_of_the_sdk_and_their_status(rig: Rig) -> None:
    found: list[tuple[int, str]] = []

    def judged(response: httpx.Response) -> None:
        body = response.json()
        check_error(body)
        assert response.headers["request-id"]
        found.append((response.status_code, body["error"]["type"]))

    judged(await rig.post({**ASK, "max_tokens": 0}, MESSAGES))
    judged(await rig.post(b"{", MESSAGES))
    judged(await rig.post({**ASK, "model": "none"}, MESSAGES))
    judged(await rig.http.get("/v1/messages/nothing"))
    await rig.script(refusal(429, "busy"), refusal(500, "broken"))
    judged(await rig.post(ASK, MESSAGES))
    judged(await rig.post({**ASK, "stream": True}, MESSAGES))
    assert found == [
        (400, "invalid_request_error"), (400, "invalid_request_error"), (404, "not_found_error"),
        (404, "not_found_error"), (429, "rate_limit_error"), (500, "api_error"),
    ]  # fmt: skip


def of(kind: str, place: int = 0, **fields: Any) -> Fault:
    return lambda events: first(events, kind, place).update(fields)


def delta(place: int, **fields: Any) -> Fault:
    return lambda events: first(events, "content_block_delta", place)["delta"].update(fields)


def block(place: int, **fields: Any) -> Fault:
    return lambda events: first(events, "content_block_start", place)["content_block"].update(fields)


def drop(kind: str, place: int = 0) -> Fault:
    return lambda events: events.remove(first(events, kind, place))


def swapped(kind: str, place: int = 0) -> Fault:
    def plant(events: list[Json]) -> None:
        at = events.index(first(events, kind, place))
        events[at], events[at + 1] = events[at + 1], events[at]

    return plant


def ended(**fields: Any) -> Fault:
    return lambda events: first(events, "message_delta")["delta"].update(fields)


# Blocks: 0 thinking, 1 text, 2 and 3 calls. Deltas: 0, 1 thoughts, 2 signature, 3, 4 text, 5, 6 and 7 input.
FAULTS: dict[str, Fault] = {
    "no message_start": drop("message_start"),
    "two message_starts": lambda events: events.insert(1, dict(events[0])),
    "a block before the start": lambda events: events.insert(0, events.pop(2)),
    "a message without an id": lambda events: events[0]["message"].pop("id"),
    "a message with an empty id": lambda events: events[0]["message"].update(id=""),
    "a message without a model": lambda events: events[0]["message"].update(model=""),
    "a message of another type": lambda events: events[0]["message"].update(type="completion"),
    "a message of another role": lambda events: events[0]["message"].update(role="user"),
    "a message that starts with content": lambda events: events[0]["message"].update(
        content=[{"type": "text", "text": "x"}]
    ),
    "a message that starts with its reason": lambda events: events[0]["message"].update(stop_reason="end_turn"),
    "a message without usage": lambda events: events[0]["message"].pop("usage"),
    "no block start": drop("content_block_start"),
    "no block stop": drop("content_block_stop"),
    "no index": lambda events: first(events, "content_block_start").pop("index"),
    "an index as text": of("content_block_start", index="0"),
    "an index that skips": of("content_block_start", 1, index=2),
    "indexes that restart": of("content_block_start", 2, index=0),
    "a delta of another block": of("content_block_delta", 3, index=0),
    "a stop of another block": of("content_block_stop", 1, index=0),
    "a delta before its block": swapped("content_block_start"),
    "a delta after its block": swapped("content_block_delta", 2),
    "a block within a block": swapped("content_block_stop"),
    "text in a thought": delta(0, type="text_delta", text="I"),
    "input in a text": delta(3, type="input_json_delta", partial_json="{"),
    "a delta of no kind": delta(3, type="words"),
    "no signature": drop("content_block_delta", 2),
    "a thought after its signature": swapped("content_block_delta", 1),
    "a call without an id": block(2, id=""),
    "a call without a name": block(2, name=""),
    "two calls of one id": block(3, id="a"),
    "a call that starts with its input": block(2, input={"x": 1}),
    "a lost piece of input": drop("content_block_delta", 5),
    "a call without any input": drop("content_block_delta", 7),
    "input that is no object": delta(7, partial_json="[]"),
    "a text block that starts with text": block(1, text="Lo"),
    "a block of another kind": block(1, type="image"),
    "no message_delta": drop("message_delta"),
    "two message_deltas": lambda events: events.insert(-1, dict(events[-2])),
    "no reason": ended(stop_reason=None),
    "a reason that nobody knows": ended(stop_reason="tool_calls"),
    "end_turn in spite of calls": ended(stop_reason="end_turn"),
    "a stop sequence without its reason": ended(stop_sequence="x"),
    "a reason without its stop sequence": ended(stop_reason="stop_sequence"),
    "no usage at the end": lambda events: first(events, "message_delta").pop("usage"),
    "no output tokens": lambda events: first(events, "message_delta")["usage"].pop("output_tokens"),
    "a count below nothing": lambda events: first(events, "message_delta")["usage"].update(input_tokens=-1),
    "the reason before the last block's end": swapped("content_block_stop", 3),
    "no message_stop": drop("message_stop"),
    "an event after the end": lambda events: events.append({"type": "ping"}),
    "an error that says nothing": lambda events: events.append({"type": "error", "error": {}}),
    "a ping that says something": of("ping", data="x"),
    "an event of another dialect": lambda events: events.insert(1, {"type": "response.created"}),
}


@pytest.mark.rule("messages-shapes")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str) -> None:
    events = good()
    check_stream(events)
    FAULTS[fault](events)
    with pytest.raises((ShapeBroken, ValidationError)):
        check_stream(events)


BODY_FAULTS: dict[str, Callable[[Json], Any]] = {
    "no id": lambda body: body.pop("id"),
    "no model": lambda body: body.update(model=""),
    "another type": lambda body: body.update(type="chat.completion"),
    "content as text": lambda body: body.update(content="Look"),
    "a block without a type": lambda body: body["content"][1].pop("type"),
    "a thought without a signature": lambda body: body["content"][0].update(signature=""),
    "an empty text": lambda body: body["content"][1].update(text=""),
    "input as text": lambda body: body["content"][2].update(input='{"x": 1}'),
    "two calls of one id": lambda body: body["content"][3].update(id="a"),
    "no reason": lambda body: body.update(stop_reason=None),
    "the chat lane's reason": lambda body: body.update(stop_reason="tool_calls"),
    "end_turn in spite of calls": lambda body: body.update(stop_reason="end_turn"),
    "no usage": lambda body: body.pop("usage"),
    "the chat lane's usage": lambda body: body.update(usage={"prompt_tokens": 1, "completion_tokens": 1}),
    "a field of the chat lane": lambda body: body.update(choices=[]),
}


@pytest.mark.rule("messages-shapes")
@pytest.mark.parametrize("fault", BODY_FAULTS)
def test_a_fault_planted_in_a_whole_message_is_caught(fault: str) -> None:
    body = json.loads(passage().whole(whole_of(DELTAS, reason="tool_calls")))
    check_message(body)
    BODY_FAULTS[fault](body)
    with pytest.raises((ShapeBroken, ValidationError)):
        check_message(body)


@pytest.mark.parametrize("body", [{}, {"input_tokens": 0}, {"input_tokens": "9"}, {"input_tokens": 9, "total": 9}])
def test_a_fault_planted_in_a_count_is_caught(body: Json) -> None:
    with pytest.raises((ShapeBroken, ValidationError)):
        check_count(body)
