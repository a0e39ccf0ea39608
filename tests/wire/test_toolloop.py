"""Tests the server's own tools in an answer: turns, calls, results, limits and what each dialect is told of them."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from tests.shapes.responses_streams import calls, says, stream, thinks
from tests.wire.rig import CHAT, TOOL, USER, Json, Rig, body_of, data_of, pieces, refusal

pytestmark = pytest.mark.anyio
SUM = '{"expression": "23 * 19"}'


def turn(*deltas: Json, reason: str = "stop", **more: Any) -> Any:
    return pieces(stream(deltas, reason=reason, **more))


def call(arguments: str = SUM, *, at: int = 0, name: str = "calculator", call_id: str = "c1") -> Json:
    return calls(arguments, at=at, name=name, call_id=call_id)


def asks(*deltas: Json) -> Any:
    return turn(*deltas, reason="tool_calls")


async def events(rig: Rig, **fields: Any) -> list[Json]:
    frames = [json.loads(data) for data in data_of(await rig.stream(enable_tools=True, **fields)) if data != b"[DONE]"]
    return [frame["paddock"]["tool"] for frame in frames if "paddock" in frame]


async def conversations(rig: Rig) -> list[list[Json]]:
    return [body_of(seen)["messages"] for seen in await rig.engine.seen()]


async def test_row_20_a_call_is_carried_out_and_the_answer_goes_on(rig: Rig) -> None:
    await rig.script(asks(thinks("Hm."), says("Let me see."), call()), turn(says("It is 437.")))
    answer = (await rig.chat(enable_tools=True, tools=[TOOL])).json()
    assert answer["choices"][0]["message"] == {
        "role": "assistant", "content": "Let me see.\n\nIt is 437.", "reasoning_content": "Hm.",
    }  # fmt: skip
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["prompt_tokens"] == 18
    assert answer["usage"]["completion_tokens"] == 8
    first, second = [body_of(seen) for seen in await rig.engine.seen()]
    assert [tool["function"]["name"] for tool in first["tools"]] == ["get_weather", "calculator", "datetime"]
    assert second["tools"] == first["tools"]
    asked = {"id": "c1", "type": "function", "function": {"name": "calculator", "arguments": SUM}}
    # What was thought before a call is there after it.
    said = {"role": "assistant", "content": "Let me see.", "reasoning_content": "Hm.", "tool_calls": [asked]}
    assert second["messages"] == [USER, said, {"role": "tool", "tool_call_id": "c1", "content": "437"}]
    assert not {"enable_tools", "enabled_tools", "session_id"} & {*first, *second}


async def test_a_stream_is_what_the_whole_answer_is_and_a_plain_client_reads_it(rig: Rig) -> None:
    script = [asks(says("Let me see."), call()), turn(says("It is "), says("437."))]
    await rig.script(*script, *script)
    whole = (await rig.chat(enable_tools=True)).json()
    raw = await rig.stream(enable_tools=True, stream_options={"include_usage": True})
    assert raw.endswith(b"data: [DONE]\n\n")
    assert raw.count(b"[DONE]") == 1
    frames = [json.loads(data) for data in data_of(raw)[:-1]]
    usage = frames.pop()
    assert usage["choices"] == []
    assert usage["usage"] == whole["usage"]
    choices = [frame["choices"][0] for frame in frames]
    assert (
        "".join(choice["delta"].get("content") or "" for choice in choices) == whole["choices"][0]["message"]["content"]
    )
    assert [choice["finish_reason"] for choice in choices if choice.get("finish_reason")] == ["stop"]
    assert sum("role" in choice["delta"] for choice in choices) == 1
    assert not any("tool_calls" in choice["delta"] for choice in choices)
    tools = [frame["paddock"]["tool"] for frame in frames if "paddock" in frame]
    assert [tool["state"] for tool in tools] == ["running", "done"]
    told = whole["paddock"]["turns"][0]["tools"]
    assert [{**tools[1], "duration_s": 0}] == [{**told[0], "duration_s": 0}]
    assert (told[0]["output"], told[0]["arguments"]) == ("437", SUM)


async def test_calls_of_one_turn_are_carried_out_together_and_answered_in_their_order(rig: Rig) -> None:
    both = [
        call(at=0),
        call('{"expression": "1/0"}', at=1, call_id="c2"),
        call("{}", at=2, name="datetime", call_id="c3"),
    ]
    await rig.script(asks(*both), turn(says("Done.")))
    seen = await events(rig)
    assert [one["id"] for one in seen if one["state"] == "running"] == ["c1", "c2", "c3"]
    results = (await conversations(rig))[1][-3:]
    assert [(one["tool_call_id"], one["content"][:30]) for one in results[:2]] == [
        ("c1", "437"), ("c2", "Error: calculator: it divides "),
    ]  # fmt: skip
    assert {one["id"]: one["state"] for one in seen if one["state"] != "running"} == {
        "c1": "done", "c2": "failed", "c3": "done",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (call('{"expression": 5}'), "do not fit"),
        (call('{"formula": "1"}'), "do not fit"),
        (call("[1]"), "must be an object"),
        (call("{}"), "do not fit"),
        (call('{"expression": "' + "1+" * 900 + '1"}'), "characters"),
        (call("{}", name="rm"), "there is no tool 'rm'. There are: calculator, datetime"),
        (call("{}", name="python"), "there is no tool 'python'"),
        (call('{"timezone": "../../etc/passwd"}', name="datetime"), "no time zone"),
        (call('{"timezone": "/etc/localtime"}', name="datetime"), "no time zone"),
    ],
)
async def test_a_call_that_cannot_be_carried_out_is_told_to_the_model_and_the_chat_goes_on(
    rig: Rig, asked: Json, told: str
) -> None:
    await rig.script(asks(asked), turn(says("Sorry.")))
    answer = await rig.chat(enable_tools=True)
    assert answer.json()["choices"][0]["message"]["content"] == "Sorry."
    assert told in (await conversations(rig))[1][-1]["content"]


async def test_a_call_that_leaks_as_text_is_carried_out_also_after_words(rig: Rig) -> None:
    leak = f'Sure.\n<tool_call>\n{{"name": "calculator", "arguments": {SUM}}}\n</tool_call>'
    await rig.script(turn(says(leak[:20]), says(leak[20:])), turn(says("437.")))
    answer = (await rig.chat(enable_tools=True)).json()
    assert "<tool_call>" not in answer["choices"][0]["message"]["content"]
    assert (await conversations(rig))[1][-1]["content"] == "437"


async def test_markup_that_is_only_quoted_is_neither_carried_out_nor_stripped(rig: Rig) -> None:
    quoted = 'Write `<tool_call>{"name": "nothing_of_ours", "arguments": {}}</tool_call>` to call a tool.'
    await rig.script(turn(says(quoted)))
    answer = (await rig.chat(enable_tools=True)).json()
    assert answer["choices"][0]["message"]["content"] == quoted
    assert len(await rig.engine.seen()) == 1


async def test_a_call_that_the_token_limit_cut_is_not_carried_out(rig: Rig) -> None:
    await rig.script(turn(call('{"expression": "23 *'), reason="tool_calls"))
    answer = (await rig.chat(enable_tools=True)).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert len(await rig.engine.seen()) == 1


async def test_rounds_whose_calls_begin_at_the_same_index_and_id_stay_apart(rig: Rig) -> None:
    other = '{"expression": "2 + 2"}'
    await rig.script(asks(call()), asks(call(other)), turn(says("Both.")))
    answer = (await rig.chat(enable_tools=True)).json()
    tools = [tool for one in answer["paddock"]["turns"] for tool in one["tools"]]
    assert [tool["output"] for tool in tools] == ["437", "4"]
    assert len({tool["id"] for tool in tools}) == 2
    results = [one for one in (await conversations(rig))[2] if one["role"] == "tool"]
    assert [one["tool_call_id"] for one in results] == [tool["id"] for tool in tools]


async def test_a_call_in_bare_pieces_without_an_index_or_id_is_one_call(rig: Rig) -> None:
    bare = [{"tool_calls": [{"function": {"name": "calculator"}}]}]
    bare += [{"tool_calls": [{"function": {"arguments": piece}}]} for piece in (SUM[:7], SUM[7:])]
    await rig.script(asks(*bare), turn(says("437.")))
    await rig.chat(enable_tools=True)
    _, said, result = (await conversations(rig))[1]
    assert [one["function"]["arguments"] for one in said["tool_calls"]] == [SUM]
    assert result["tool_call_id"] == said["tool_calls"][0]["id"]
    assert result["content"] == "437"


async def test_the_same_call_again_is_answered_from_the_first(rig: Rig) -> None:
    spaced = '{ "expression" : "23 * 19" }'
    await rig.script(asks(call()), asks(call(spaced, call_id="c2")), turn(says("Yes.")))
    seen = await events(rig)
    ended = [one for one in seen if one["state"] == "done"]
    assert [one.get("is_repeated", False) for one in ended] == [False, True]
    assert {one["output"] for one in ended} == {"437"}


async def test_a_loop_without_end_is_ended_by_a_last_answer_without_tools(rig: Rig) -> None:
    again = [asks(call(f'{{"expression": "{n} + 1"}}', call_id=f"c{n}")) for n in range(3)]
    await rig.script(*again, turn(says("Enough.")))
    answer = (await rig.chat(enable_tools=True, max_tool_calls_per_message=2)).json()
    # The last turn is not shown any tool, so that whatever it says is the answer.
    bodies = [body_of(seen) for seen in await rig.engine.seen()]
    assert [bool(body.get("tools")) for body in bodies] == [True, True, False]
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_calls_beyond_the_most_in_one_turn_are_told_and_not_carried_out(rig: Rig) -> None:
    many = [call(f'{{"expression": "{n} + 1"}}', at=n, call_id=f"c{n}") for n in range(4)]
    await rig.script(asks(*many), turn(says("So be it.")))
    answer = (await rig.chat(enable_tools=True, max_tool_calls_per_message=2)).json()
    outputs = [tool["output"] for tool in answer["paddock"]["turns"][0]["tools"]]
    assert outputs[:2] == ["1", "2"]
    assert all("may make 2 calls" in output for output in outputs[2:])
    assert answer["choices"][0]["message"]["content"] == "So be it."


@pytest.mark.parametrize("stream_it", [False, True])
async def test_a_call_of_the_clients_own_tool_is_the_clients(rig: Rig, stream_it: bool) -> None:
    own = call('{"city": "Rome"}', name="get_weather", call_id="w1")
    await rig.script(asks(call()), asks(says("And the weather."), own))
    if stream_it:
        frames = [json.loads(data) for data in data_of(await rig.stream(enable_tools=True, tools=[TOOL]))[:-1]]
        choices = [frame["choices"][0] for frame in frames]
        found = [one for choice in choices for one in choice["delta"].get("tool_calls", [])]
        assert choices[-1]["finish_reason"] == "tool_calls"
    else:
        choice = (await rig.chat(enable_tools=True, tools=[TOOL])).json()["choices"][0]
        found = choice["message"]["tool_calls"]
        assert choice["finish_reason"] == "tool_calls"
    assert [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in found] == [
        ("w1", "get_weather", '{"city": "Rome"}')
    ]


async def test_a_client_keeps_its_own_tool_of_the_same_name(rig: Rig) -> None:
    own: Json = {"type": "function", "function": {"name": "calculator", "parameters": {"type": "object"}}}
    await rig.script(asks(call()))
    answer = (await rig.chat(enable_tools=True, tools=[own])).json()
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    tools = body_of((await rig.engine.seen())[0])["tools"]
    assert [tool["function"]["name"] for tool in tools] == ["calculator", "datetime"]


async def test_files_stay_in_the_workspace_of_their_session(rig: Rig) -> None:
    written = call('{"path": "notes/a.txt", "content": "one\\ntwo\\n"}', name="write_file")
    read = call('{"path": "notes/a.txt"}', name="read_file")
    files = {"enabled_tools": ["files"]}
    await rig.script(
        asks(written), asks(call('{"path": "notes/a.txt", "old_text": "two", "new_text": "2"}', name="edit_file")),
        asks(call("{}", name="list_files")), turn(says("Kept.")), asks(read), turn(says("Read.")),
        asks(read), turn(says("Not there.")), asks(read), turn(says("Nor there.")),
    )  # fmt: skip
    answer = (await rig.chat(enable_tools=True, session_id="mine", **files)).json()
    (made,) = answer["paddock"]["turns"][0]["tools"][0]["files"]
    assert (made["path"], made["size_bytes"], made["media_type"]) == ("notes/a.txt", 8, "text/plain")
    for session_id in ("mine", "another", None):
        await rig.chat(enable_tools=True, session_id=session_id, **files)
    results = [turns[-1]["content"] for turns in await conversations(rig) if turns[-1]["role"] == "tool"]
    gone = "Error: read_file: notes/a.txt cannot be read: No such file or directory."
    assert results == [
        "Wrote notes/a.txt, 8 bytes.", "Edited notes/a.txt, 6 bytes.", "notes/a.txt (6 bytes)", "one\n2\n", gone, gone,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "param", "status"),
    [
        ({"enabled_tools": ["rocket"]}, "enabled_tools", 400),
        ({"enabled_tools": [""]}, "enabled_tools", 400),
        ({"enabled_tools": "calculator"}, "enabled_tools", 422),
        ({"n": 2}, "n", 400),
        ({"session_id": "s" * 201}, "session_id", 400),
        ({"max_tool_calls_per_message": -1}, "max_tool_calls_per_message", 422),
        ({"max_tool_calls_per_message": 201}, "max_tool_calls_per_message", 422),
        ({"max_tool_calls_per_message": 1.5}, "max_tool_calls_per_message", 422),
        ({"tool_call_timeout": 0}, "tool_call_timeout", 422),
        ({"tool_call_timeout": "5"}, "tool_call_timeout", 422),
        ({"tool_call_timeout": True}, "tool_call_timeout", 422),
    ],
)
async def test_what_is_asked_wrongly_is_named(rig: Rig, fields: Json, param: str, status: int) -> None:
    response = await rig.chat(enable_tools=True, **fields)
    assert response.status_code == status, response.text
    assert response.json()["error"]["param"].startswith(param)
    assert await rig.engine.seen() == []


async def test_what_the_engine_refuses_has_its_status_before_and_its_frame_after_the_first_turn(rig: Rig) -> None:
    full = refusal(
        400, "the request exceeds the available context size", "exceed_context_size_error", n_prompt_tokens=9, n_ctx=8
    )
    await rig.script(full, asks(call()), full, asks(says("So."), call()), full)
    first = await rig.chat(enable_tools=True)
    assert (first.status_code, first.json()["error"]["code"]) == (400, "context_length_exceeded")
    later = await rig.chat(enable_tools=True)
    assert (later.status_code, later.json()["error"]["code"]) == (400, "context_length_exceeded")
    raw = await rig.stream(enable_tools=True)
    last = json.loads(data_of(raw)[-1])
    assert last["error"]["code"] == "context_length_exceeded"
    assert b"[DONE]" not in raw


async def test_ollama_tells_of_tools_as_chat_does_in_lines(rig: Rig) -> None:
    script = [asks(says("Let me see."), call()), turn(says("It is 437."))]
    await rig.script(*script, *script)
    asked: Json = {"messages": [USER], "model": "pocket-v0", "enable_tools": True}
    whole = (await rig.post({**asked, "stream": False}, "/api/chat")).json()
    assert whole["message"]["content"] == "Let me see.\n\nIt is 437."
    assert whole["paddock"]["turns"][0]["tools"][0]["output"] == "437"
    lines = [json.loads(line) for line in (await rig.post(asked, "/api/chat")).text.splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == whole["message"]["content"]
    assert [line["paddock"]["tool"]["state"] for line in lines if "paddock" in line] == ["running", "done"]
    assert not any("tool_calls" in line["message"] for line in lines)
    assert (lines[-1]["done"], lines[-1]["eval_count"]) == (True, whole["eval_count"])
    wrong = await rig.post({**asked, "enabled_tools": ["rocket"]}, "/api/chat")
    assert wrong.status_code == 400


async def test_what_messages_told_of_tools_is_calls_and_results_when_it_comes_back(rig: Rig) -> None:
    two = call('{"expression": "1 / 0"}', at=1, call_id="c2")
    await rig.script(asks(thinks("Hm."), says("Let me see."), call(), two), turn(says("It is 437.")), turn(says("No.")))
    asked: Json = {"max_tokens": 99, "enable_tools": True}
    told = (await rig.post({**asked, "messages": [USER]}, "/v1/messages")).json()["content"]
    await rig.post({**asked, "messages": [USER, {"role": "assistant", "content": told}, USER]}, "/v1/messages")
    _, then, later = await conversations(rig)
    wanted = json.loads(json.dumps(then).replace('"c1"', '"mcptoolu_c1"').replace('"c2"', '"mcptoolu_c2"'))
    for said in wanted[1]["tool_calls"]:
        said["function"]["arguments"] = said["function"]["arguments"].replace('": "', '":"')
    assert later == [*wanted, {"role": "assistant", "content": "It is 437."}, USER]


async def test_messages_tells_of_tools_in_blocks_of_its_own(rig: Rig) -> None:
    script = [asks(thinks("Hm."), says("Let me see."), call()), turn(says("It is 437."))]
    await rig.script(*script, *script)
    asked: Json = {"messages": [USER], "max_tokens": 99, "enable_tools": True}
    whole = (await rig.post(asked, "/v1/messages")).json()
    assert [block["type"] for block in whole["content"]] == [
        "thinking", "text", "mcp_tool_use", "mcp_tool_result", "text",
    ]  # fmt: skip
    use, result = whole["content"][2:4]
    assert use["input"] == json.loads(SUM)
    assert (result["tool_use_id"], result["content"][0]["text"]) == (use["id"], "437")
    assert whole["stop_reason"] == "end_turn"
    raw = (await rig.post({**asked, "stream": True}, "/v1/messages")).content
    found = [json.loads(data) for data in data_of(raw)]
    blocks: dict[int, Json] = {}
    for event in found:
        if event["type"] == "content_block_start":
            blocks[event["index"]] = {**event["content_block"]}
        elif event["type"] == "content_block_delta":
            delta, block = event["delta"], blocks[event["index"]]
            if delta["type"] == "input_json_delta":
                block["input"] = json.loads(delta["partial_json"])
            elif delta["type"] != "signature_delta":
                name = delta["type"].removesuffix("_delta")
                block[name] += delta[name]
    shown = [{**block, **({"signature": ""} if block["type"] == "thinking" else {})} for block in whole["content"]]
    assert list(blocks.values()) == shown
    assert found[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"] == 8


async def test_responses_tells_of_tools_in_items(rig: Rig) -> None:
    script = [asks(thinks("Hm."), says("Let me see."), call()), turn(says("It is 437."))]
    await rig.script(*script, *script)
    asked: Json = {"input": "Hello", "enable_tools": True}
    whole = (await rig.post(asked, "/v1/responses")).json()
    kinds = ["reasoning", "message", "mcp_call", "message"]
    assert [item["type"] for item in whole["output"]] == kinds
    called = whole["output"][2]
    assert (called["name"], called["output"], called["error"], called["status"]) == (
        "calculator", "437", None, "completed",
    )  # fmt: skip
    raw = (await rig.post({**asked, "stream": True}, "/v1/responses")).content
    found = [json.loads(data) for data in data_of(raw)]
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    done = [one["item"] for one in found if one["type"] == "response.output_item.done"]
    assert [item["type"] for item in done] == kinds
    assert found[-1]["response"]["output"] == done
    assert found[-1]["response"]["usage"] == whole["usage"]
    assert [one["type"] for one in found if "mcp" in one["type"]] == [
        "response.mcp_call.in_progress", "response.mcp_call_arguments.done", "response.mcp_call.completed",
    ]  # fmt: skip


async def test_what_a_response_called_is_remembered_by_the_next_one(rig: Rig) -> None:
    await rig.script(asks(call()), turn(says("It is 437.")), turn(says("Less one: 436.")))
    first = (await rig.post({"input": "Hello", "enable_tools": True}, "/v1/responses")).json()
    await rig.post({"input": "Less one?", "previous_response_id": first["id"]}, "/v1/responses")
    turns = (await conversations(rig))[2]
    assert [one["role"] for one in turns] == ["user", "assistant", "tool", "assistant", "user"]
    assert turns[1]["tool_calls"][0]["function"] == {"name": "calculator", "arguments": SUM}
    assert turns[2]["content"] == "437"


async def test_a_count_of_tokens_counts_the_servers_tools(rig: Rig) -> None:
    await rig.post({"messages": [USER], "enable_tools": True}, f"{CHAT}/input_tokens")
    asked = [b64decode(seen["body"]) for seen in (await rig.engine.record())["requests"]]
    assert any(b'"calculator"' in body and b'"datetime"' in body for body in asked)
