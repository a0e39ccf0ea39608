"""Tests how a thread becomes a request for a response, and a response the parts of a message."""

from __future__ import annotations

from typing import Any

from paddock.protocol.chat_parts import outcome_of, parts_of, title_of
from paddock.protocol.chat_thread import Enclosed, Said, Wanted, request_of
from paddock.protocol.responses import to_chat
from paddock.protocol.responses_timings import Stopwatch

Json = dict[str, Any]
TEXT: Json = {"type": "text", "text": "Hello"}
THOUGHT: Json = {"type": "reasoning", "text": "Hm", "duration_s": 1.5}
CALL: Json = {"type": "tool_call", "call_id": "c1", "name": "add", "arguments": "{}"}
RESULT: Json = {"type": "tool_result", "call_id": "c1", "output": "3"}


def messages_of(*thread: Said, wanted: Wanted | None = None, **enclosed: Enclosed) -> list[Json]:
    """The chat messages that the engine gets in the end."""
    body = request_of(thread, enclosed, wanted or Wanted())
    found: list[Json] = to_chat(body, response_id="resp_1").body["messages"]
    return found


def test_a_thread_becomes_turns_without_its_thoughts() -> None:
    thread = (Said(role="user", content=[TEXT]), Said(role="assistant", content=[THOUGHT, TEXT]))
    assert messages_of(*thread, Said(role="user", content=[TEXT])) == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Hello"},
    ]


def test_thoughts_stay_with_the_calls_that_they_led_to() -> None:
    thread = (
        Said(role="user", content=[TEXT]),
        Said(role="assistant", content=[THOUGHT, CALL]),
        Said(role="tool", content=[RESULT]),
    )
    turns = messages_of(*thread)
    assert turns[1]["reasoning_content"] == "Hm"
    assert turns[1]["tool_calls"][0]["function"] == {"name": "add", "arguments": "{}"}
    assert turns[2] == {"role": "tool", "tool_call_id": "c1", "content": "3"}


def test_images_and_documents_are_enclosed() -> None:
    content: list[Json] = [
        {"type": "image", "attachment_id": "i1"},
        {"type": "document", "attachment_id": "d1"},
        {"type": "image", "attachment_id": "gone"},
        TEXT,
    ]
    image = Enclosed(name="a.png", media_type="image/png", data=b"\x89PNG")
    document = Enclosed(name="a.txt", media_type="text/plain", text="words")
    (turn,) = messages_of(Said(role="user", content=content), i1=image, d1=document)
    assert [part["type"] for part in turn["content"]] == ["image_url", "text", "text"]
    assert turn["content"][0]["image_url"]["url"] == "data:image/png;base64,iVBORw=="
    assert turn["content"][1]["text"] == "Document a.txt:\n\nwords"


def test_settings_are_the_requests_own_fields() -> None:
    settings: Json = {
        "model": "unused", "system": "Be brief", "temperature": 0.0, "top_k": 5, "stop": ["x"], "thinking": True,
        "effort": "low", "max_output_tokens": 9, "extra": {"tools": [], "stream": True, "input": "no", "grammar": "g"},
    }  # fmt: skip
    body = request_of([Said(role="user", content=[TEXT])], {}, Wanted(model="m", settings=settings))
    assert body["input"] == [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}]
    assert {name: value for name, value in body.items() if name != "input"} == {
        "tools": [], "grammar": "g", "temperature": 0.0, "top_k": 5, "stop": ["x"], "enable_thinking": True,
        "reasoning": {"effort": "low"}, "max_output_tokens": 9, "instructions": "Be brief", "model": "m",
        "background": True, "store": True, "metadata": {},
    }  # fmt: skip


def test_what_was_begun_is_the_last_turn_and_is_not_thought_about() -> None:
    wanted = Wanted(begun=[THOUGHT, {"type": "text", "text": "It is "}], settings={"thinking": True, "effort": "high"})
    thread = [Said(role="user", content=[TEXT])]
    assert messages_of(*thread, wanted=wanted)[-1] == {"role": "assistant", "content": "It is "}
    body = request_of(thread, {}, wanted)
    assert (body["enable_thinking"], "reasoning" in body) == (False, False)


def test_a_response_becomes_parts_and_text_follows_text() -> None:
    said: Json = {"type": "message", "content": [{"type": "output_text", "text": " you"}]}
    thought: Json = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}], "duration_s": 1.5}
    call: Json = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"}
    base = [TEXT]
    assert parts_of(base, [said, call]) == [{"type": "text", "text": "Hello you"}, CALL]
    assert base == [{"type": "text", "text": "Hello"}]
    assert parts_of([], [thought, said]) == [THOUGHT, {"type": "text", "text": " you"}]


def test_a_tool_of_the_servers_is_a_call_and_what_it_answered() -> None:
    ran: Json = {"type": "mcp_call", "id": "mcp_1", "name": "add", "arguments": "{}", "output": "2", "error": None}
    call = {"type": "tool_call", "call_id": "mcp_1", "name": "add", "arguments": "{}"}
    result = {"type": "tool_result", "call_id": "mcp_1", "output": "2", "is_error": False}
    assert parts_of([], [ran]) == [call, result]
    assert parts_of([], [{**ran, "output": None, "error": "no"}])[1] == {**result, "output": "no", "is_error": True}
    assert parts_of([], [{**ran, "output": None}]) == [call]


def test_tools_work_in_a_place_of_the_chats_own() -> None:
    wanted = Wanted(settings={"tools": ["files"]}, metadata={"chat_id": "chat_1"})
    body = request_of([Said(role="user", content=[TEXT])], {}, wanted)
    assert (body["enable_tools"], body["enabled_tools"], body["session_id"]) == (True, ["files"], "chat_1")
    assert (body["tool_permissions"], body["tool_approval_timeout"]) == ({"*": "ask"}, 3600)
    assert "enable_tools" not in request_of([Said(role="user", content=[TEXT])], {}, Wanted(settings={"tools": []}))


def test_an_outcome_tells_of_usage_and_of_the_cause() -> None:
    usage: Json = {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 1,
        "total_tokens": 4,
    }
    error = {"code": "server_error", "message": "gone"}
    failed = outcome_of({"status": "failed", "usage": usage, "error": error}, "engine_unreachable")
    assert (failed.status, failed.error) == ("failed", {"code": "engine_unreachable", "message": "gone"})
    assert failed.usage == {"input_tokens": 3, "cached_tokens": 2, "output_tokens": 1, "total_tokens": 4}
    states = [outcome_of({"status": status}, "").status for status in ("completed", "incomplete", "cancelled")]
    assert states == ["complete", "cut", "stopped"]


def test_a_title_is_the_first_words() -> None:
    assert title_of("  # What\nis\tthis? ") == "What is this?"
    assert title_of("word " * 40) == "word " * 11 + "word…"
    assert title_of("x" * 100) == "x" * 60 + "…"


def test_a_stopwatch_tells_what_the_engine_measured_or_else_the_clock() -> None:
    times = iter([10.0, 12.0, 15.0, 99.0])
    watch = Stopwatch(lambda: next(times))
    assert watch.now() == 12.0
    watch.stop()
    watch.stop()
    usage: Json = {"input_tokens": 8, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 6}
    told = watch.told(usage, [0.5, 0.25])
    assert (told["wait_s"], told["total_s"], told["reasoning_s"]) == (2.0, 5.0, 0.75)
    assert (told["prompt_tokens"], told["prompt_s"], told["output_tokens_per_s"]) == (6, None, 2.0)
    watch.engine = {"prompt_n": 4, "prompt_ms": 500.0, "predicted_n": 6, "predicted_ms": 2000}
    told = watch.told(usage, [])
    assert (told["prompt_tokens"], told["prompt_tokens_per_s"], told["output_s"]) == (4, 8.0, 2.0)
    assert (told["output_tokens_per_s"], told["reasoning_s"]) == (3.0, None)
