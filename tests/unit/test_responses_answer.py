"""Tests that an engine's chat answer becomes the right events and the right response, however its bytes come."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.protocol.responses_object import InputText
from tests.shapes.responses_streams import (
    calls,
    passage,
    passed,
    read,
    says,
    stream,
    thinks,
    whole_of,
)

Json = dict[str, Any]
PATCH = json.dumps({"input": '*** Begin "x"\n\tä \U0001f999 \\ end'})


def kinds(events: list[Json]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def of(events: list[Json], kind: str) -> list[Json]:
    return [event for event in events if event["type"] == f"response.{kind}"]


def last(events: list[Json]) -> Json:
    return events[-1]["response"]


TEXT_EVENTS = """event: response.output_item.added
data: {"type": "response.output_item.added", "sequence_number": 2, "output_index": 0, "item": {"id": "msg_0a_0", \
"status": "in_progress", "type": "message", "role": "assistant", "content": []}}

event: response.content_part.added
data: {"type": "response.content_part.added", "sequence_number": 3, "item_id": "msg_0a_0", "output_index": 0, \
"content_index": 0, "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []}}

event: response.output_text.delta
data: {"type": "response.output_text.delta", "item_id": "msg_0a_0", "output_index": 0, "content_index": 0, \
"logprobs": [], "sequence_number": 4, "delta": "H\\u00e9"}

event: response.output_text.delta
data: {"type": "response.output_text.delta", "item_id": "msg_0a_0", "output_index": 0, "content_index": 0, \
"logprobs": [], "sequence_number": 5, "delta": "llo"}

event: response.output_text.done
data: {"type": "response.output_text.done", "sequence_number": 6, "item_id": "msg_0a_0", "output_index": 0, \
"content_index": 0, "text": "Héllo", "logprobs": []}

event: response.content_part.done
data: {"type": "response.content_part.done", "sequence_number": 7, "item_id": "msg_0a_0", "output_index": 0, \
"content_index": 0, "part": {"type": "output_text", "text": "Héllo", "annotations": [], "logprobs": []}}

event: response.output_item.done
data: {"type": "response.output_item.done", "sequence_number": 8, "output_index": 0, "item": {"id": "msg_0a_0", \
"status": "completed", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Héllo", \
"annotations": [], "logprobs": []}]}}

"""


def test_a_text_becomes_these_very_bytes() -> None:
    got = passed(passage(), stream([says("Hé"), says("llo")])).decode()
    begin, end = got.index("event: response.output_item.added"), got.index("event: response.completed")
    assert got[begin:end] == TEXT_EVENTS


def test_the_response_is_whole_in_its_last_event() -> None:
    response = last(read(passed(passage(temperature=0.5), stream([says("Hi")]))))
    assert response["status"] == "completed"
    assert (response["created_at"], response["completed_at"]) == (100, 105)
    assert response["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 13,
    }
    assert response["temperature"] == 0.5
    assert response["text"] == {"format": {"type": "text"}}
    assert [tool["type"] for tool in response["tools"]] == ["function", "custom", "namespace"]


@pytest.mark.rule("reasoning-apart")
def test_thoughts_text_and_calls_are_items_in_the_order_in_which_they_came() -> None:
    deltas = [
        thinks("I "),
        thinks("see"),
        says("Look"),
        calls("", name="look", call_id="a"),
        calls('{"x"'),
        calls(":1}"),
        calls("{}", at=1, name="farm__feed", call_id="b"),
    ]
    events = read(passed(passage(), stream(deltas, reason="tool_calls")))
    assert kinds(events) == [
        "created", "in_progress",
        "output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.delta",
        "reasoning_text.done", "content_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    output = last(events)["output"]
    assert output == [event["item"] for event in of(events, "output_item.done")]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert output[0]["content"] == [{"type": "reasoning_text", "text": "I see"}]
    assert (output[2]["call_id"], output[2]["name"], output[2]["arguments"]) == ("a", "look", '{"x":1}')
    assert (output[3]["name"], output[3]["namespace"], output[3]["call_id"]) == ("feed", "farm", "b")


def test_calls_whose_pieces_alternate_follow_one_another() -> None:
    deltas = [
        calls("", name="look", call_id="a"),
        calls("", at=1, name="look", call_id="b"),
        calls('{"y":'),
        calls('{"z":', at=1),
        calls("2}", at=1),
        calls("1}"),
        calls("", at=2, name="look", call_id="c"),
    ]
    events = read(passed(passage(), stream(deltas, reason="tool_calls")))
    assert [item["arguments"] for item in last(events)["output"]] == ['{"y":1}', '{"z":2}', "{}"]
    assert [event["output_index"] for event in of(events, "output_item.added")] == [0, 1, 2]
    assert [event["output_index"] for event in of(events, "output_item.done")] == [0, 1, 2]


def test_a_call_under_an_index_that_was_used_before_is_another_call() -> None:
    deltas = [calls('{"a":1}', name="look", call_id="a"), calls('{"b":', name="look", call_id="b"), calls("2}")]
    output = last(read(passed(passage(), stream(deltas, reason="tool_calls"))))["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("a", '{"a":1}'), ("b", '{"b":2}')]


def test_pieces_without_an_index_belong_to_the_newest_call() -> None:
    deltas = [
        calls('{"a":', at=None, name="look", call_id="a"),
        calls("1}", at=None),
        calls("{}", at=None, name="look", call_id="b"),
    ]
    output = last(read(passed(passage(), stream(deltas, reason="tool_calls"))))["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("a", '{"a":1}'), ("b", "{}")]


def test_text_that_comes_within_a_call_loses_nothing() -> None:
    deltas = [calls('{"a":', name="look", call_id="a"), says("so"), calls("1}"), says("!")]
    output = last(read(passed(passage(), stream(deltas, reason="tool_calls"))))["output"]
    assert [item["type"] for item in output] == ["function_call", "message"]
    assert output[0]["arguments"] == '{"a":1}'
    assert output[1]["content"][0]["text"] == "so!"


@pytest.mark.rule("responses-tools")
def test_a_custom_tool_is_given_its_text_piece_by_piece() -> None:
    deltas = [calls("", name="patch", call_id="a"), *(calls(PATCH[at : at + 3]) for at in range(0, len(PATCH), 3))]
    events = read(passed(passage(), stream(deltas, reason="tool_calls")))
    pieces = [event["delta"] for event in of(events, "custom_tool_call_input.delta")]
    wanted = json.loads(PATCH)["input"]
    assert "".join(pieces) == wanted
    assert len(pieces) > 5
    assert of(events, "custom_tool_call_input.done")[0]["input"] == wanted
    item = last(events)["output"][0]
    assert (item["type"], item["name"], item["call_id"], item["input"]) == ("custom_tool_call", "patch", "a", wanted)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ('{"other": 1, "input": "x"}', "x"),
        ('{"other": 1}', ""),
        ('{"input": 5}', "5"),
        ("plain words", "plain words"),
        ('{"input": "cut \\u00', "cut "),
        ('{"input": "lone \\ud83d end"}', "lone ? end"),
        ("", ""),
    ],
)
def test_a_custom_call_of_another_form_still_has_an_input(arguments: str, wanted: str) -> None:
    deltas = [calls(arguments, name="patch", call_id="a")]
    events = read(passed(passage(), stream(deltas, reason="tool_calls")))
    assert "".join(event["delta"] for event in of(events, "custom_tool_call_input.delta")) == wanted
    assert last(events)["output"][0]["input"] == wanted


@given(text=st.text(max_size=40), cuts=st.lists(st.integers(0, 300), max_size=8), ascii_only=st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_input_is_read_the_same_however_it_is_cut(text: str, cuts: list[int], ascii_only: bool) -> None:
    arguments = json.dumps({"input": text}, ensure_ascii=ascii_only)
    reader, ends = InputText(), sorted({min(cut, len(arguments)) for cut in cuts} | {len(arguments)})
    got = "".join(reader.feed(arguments[a:b]) for a, b in zip([0, *ends], ends, strict=False))
    assert got == text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    ("deltas", "reason", "statuses"),
    [
        ([says("a lon")], "length", ["incomplete"]),
        ([thinks("hm")], "length", ["incomplete"]),
        ([says("Look"), calls('{"x', name="look", call_id="a")], "length", ["completed", "incomplete"]),
        ([calls('{"x', name="look", call_id="a")], "tool_calls", ["incomplete"]),
        ([calls('{"input": "x', name="patch", call_id="a")], "length", ["incomplete"]),
    ],
)
def test_an_answer_cut_by_the_token_limit_is_incomplete_and_so_is_its_last_item(
    deltas: list[Json], reason: str, statuses: list[str]
) -> None:
    events = read(passed(passage(), stream(deltas, reason=reason)))
    assert events[-1]["type"] == "response.incomplete"
    response = last(events)
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["completed_at"] is None
    assert [item["status"] for item in response["output"]] == statuses
    assert [
        item["status"] for item in json.loads(passage().whole(whole_of(deltas, reason=reason)))["output"]
    ] == statuses


def test_a_text_between_two_calls_is_whole_though_the_limit_cut_the_last_one() -> None:
    deltas = [calls('{"a":', name="look", call_id="a"), says("so"), calls('{"b":', at=1, name="look", call_id="b")]
    output = last(read(passed(passage(), stream(deltas, reason="length"))))["output"]
    assert [item["status"] for item in output] == ["incomplete", "completed", "incomplete"]


def test_a_filtered_answer_says_so() -> None:
    response = last(read(passed(passage(), stream([says("a")], reason="content_filter"))))
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "context_length_exceeded", "type": "invalid_request_error"}, "context_length_exceeded"),
        ({"code": 400, "type": "exceed_context_size_error"}, "context_length_exceeded"),
        ({"code": None, "type": "invalid_request_error"}, "invalid_prompt"),
        ({"code": "model_not_found", "type": "invalid_request_error"}, "invalid_prompt"),
        ({"code": "engine_unreachable", "type": "api_error"}, "server_error"),
        ({}, "server_error"),
    ],
)
def test_a_failure_has_a_code_that_clients_know_and_is_the_last_event(error: Json, code: str) -> None:
    through = passage()
    out = through.opening() + through.feed(stream([says("Hal"), says("f")])[:150])
    out += through.fail({**error, "message": "It broke."}) + through.finish() + through.feed(stream([says("x")]))
    events = read(out)
    assert events[-1]["type"] == "response.failed"
    assert last(events)["error"] == {"code": code, "message": "It broke."}
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_an_error_of_the_engine_within_its_stream_ends_the_response() -> None:
    through = passage()
    error = b'data: {"error": {"code": 500, "message": "out of luck", "type": "server_error"}}\n\n'
    begun = b"".join(frame + b"\n\n" for frame in stream([says("Hal"), says("f")]).split(b"\n\n")[:3])
    events = read(through.opening() + through.feed(begun + error) + through.finish())
    assert last(events)["error"] == {"code": "server_error", "message": "out of luck"}
    assert [item["status"] for item in last(events)["output"]] == ["incomplete"]


def test_a_response_whose_model_is_loading_is_queued_until_the_engine_answers() -> None:
    through = passage()
    note = through.life("loading m: engine starting")
    out = through.opening() + note + through.life("loading m: engine starting")
    assert kinds(read(out)) == ["created", "queued"]
    assert [event["response"]["status"] for event in read(out)] == ["queued", "queued"]
    assert through.snapshot.status == "in_progress"
    events = read(out + through.feed(stream([says("Hi")])) + through.finish())
    assert kinds(events)[:4] == ["created", "queued", "in_progress", "output_item.added"]


def test_a_sign_of_life_of_a_ready_engine_queues_nothing() -> None:
    through = passage()
    assert through.life("keep-alive") == b": keep-alive\n\n"
    assert kinds(read(through.opening())) == ["created", "in_progress"]


def test_a_background_response_is_queued_first() -> None:
    through = passage(background=True)
    assert kinds(read(through.opening())) == ["created", "queued", "in_progress"]
    assert through.snapshot.response()["background"] is True


def test_a_response_that_was_cancelled_has_no_item_in_progress() -> None:
    through = passage()
    through.opening()
    through.feed(stream([says("Hal"), says("f")]).rsplit(b"data: ", 4)[0])
    assert through.snapshot.response()["output"][0]["status"] == "in_progress"
    through.snapshot.status = "cancelled"
    assert through.snapshot.response()["output"][0]["status"] == "incomplete"


def test_the_odds_of_tokens_go_with_their_text() -> None:
    odds = {"content": [{"token": "Hi", "logprob": -0.5, "top_logprobs": [{"token": "Ho", "logprob": -1.5}]}]}
    chunk = {"choices": [{"index": 0, "delta": says("Hi"), "logprobs": odds}]}
    data = stream([]).replace(b"data: ", b"data: " + json.dumps(chunk).encode() + b"\n\ndata: ", 1)
    wanted = [
        {
            "token": "Hi",
            "logprob": -0.5,
            "bytes": [72, 105],
            "top_logprobs": [{"token": "Ho", "logprob": -1.5, "bytes": [72, 111]}],
        }
    ]
    events = read(passed(passage(top_logprobs=1), data))
    assert of(events, "output_text.delta")[0]["logprobs"] == wanted
    assert of(events, "output_text.done")[0]["logprobs"] == wanted
    assert last(events)["output"][0]["content"][0]["logprobs"] == wanted
    thought: Json = {"token": "hm", "logprob": -2.0, "top_logprobs": []}
    message = {"role": "assistant", "reasoning_content": "hm", "content": "Hi"}
    told: Json = {"message": message, "finish_reason": "stop", "logprobs": {"content": [thought, *odds["content"]]}}
    body = json.loads(passage().whole(json.dumps({"choices": [told]}).encode()))
    assert body["output"][1]["content"][0]["logprobs"] == wanted


def test_an_answer_without_a_word_is_complete_and_empty() -> None:
    assert last(read(passed(passage(), stream([]))))["output"] == []


PIECES = st.one_of(
    st.text(min_size=1, max_size=5).map(thinks),
    st.text(min_size=1, max_size=5).map(says),
    st.tuples(st.integers(0, 2), st.sampled_from(['{"a":', "1}", "", "}", '{"input": "x', "\\n", '"}'])).map(
        lambda one: calls(one[1], at=one[0], name="patch" if one[0] == 1 else "look", call_id=f"call{one[0]}")
    ),
)


def summed(events: list[Json]) -> None:
    """The rules that hold for any stream: numbers, places, and deltas that add up."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    done = [event["item"] for event in of(events, "output_item.done")]
    assert [event["output_index"] for event in of(events, "output_item.added")] == list(range(len(done)))
    assert last(events)["output"] == done
    for item in done:
        said = "".join(e["delta"] for e in events if e["type"].endswith(".delta") and e["item_id"] == item["id"])
        content: list[Json] = item.get("content") or []
        assert said == (content[0]["text"] if content else item.get("arguments", item.get("input")))


@pytest.mark.rule("calls-add-up")
@given(deltas=st.lists(PIECES, max_size=12), cuts=st.lists(st.integers(0, 3000), max_size=12), reason=st.data())
@settings(max_examples=60, deadline=None)
def test_any_split_of_any_stream_gives_the_same_events_that_add_up(
    deltas: list[Json], cuts: list[int], reason: st.DataObject
) -> None:
    data = stream(deltas, reason=reason.draw(st.sampled_from(["stop", "length", "tool_calls"])))
    got = passed(passage(), data, cuts)
    assert got == passed(passage(), data)
    summed(read(got))


ORDERED = st.tuples(
    st.lists(st.text(min_size=1, max_size=4).map(thinks), max_size=3),
    st.lists(st.text(min_size=1, max_size=4).map(says), max_size=3),
    st.lists(st.sampled_from(["", "{}", '{"input": "\\u00e4b"}', '{"cu']), max_size=3),
    st.sampled_from(["look", "patch", "farm__feed", "unknown"]),
)


@pytest.mark.rule("one-generation")
@given(ORDERED, st.sampled_from(["stop", "length", "tool_calls"]))
@settings(max_examples=50, deadline=None)
def test_an_answer_is_the_same_streamed_or_whole(
    parts: tuple[list[Json], list[Json], list[str], str], reason: str
) -> None:
    thoughts, words, made, name = parts
    deltas = [*thoughts, *words]
    for at, arguments in enumerate(made):
        deltas.append(calls("", at=at, name=name, call_id=f"call{at}"))
        deltas += [calls(piece, at=at) for piece in (arguments[:3], arguments[3:]) if piece]
    streamed = last(read(passed(passage(), stream(deltas, reason=reason))))
    assert streamed == json.loads(passage().whole(whole_of(deltas, reason=reason)))
