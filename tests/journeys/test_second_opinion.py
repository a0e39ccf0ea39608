"""Tests paddock's Messages and Responses against the engine's own, which it does not use: same model, same request.

Where the two differ, the table says why. A difference that is not in the table fails, and so does one that is gone.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from paddock.app import Studio
from paddock.protocol.strict_reading import Heard, listen

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
MODEL = "pocket-v0"
ASK = "What is the weather in Lisbon?"
SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[Json] = [{"name": "get_weather", "description": "Weather of a city", "input_schema": SCHEMA}]
FLAT: list[Json] = [
    {"type": "function", "name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA}
]
CALLED: Json = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Lisbon"}}


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def loop(*results: Json, before: tuple[Json, ...] = ()) -> Json:
    """A question, a call, and what came of it."""
    return {
        "messages": [user(ASK), {"role": "assistant", "content": [*before, CALLED]}, user([*results])],
        "tools": TOOLS,
    }


def result(content: Any, **fields: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, **fields}


BILLING = "x-anthropic-billing-header: cc_version=1; cch=a1"
THOUGHT: Json = {"type": "thinking", "thinking": "hm", "signature": "x"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "c1", "output": "Sunny, 24"}
CALL: Json = {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city":"Lisbon"}'}
REASONING: Json = {
    "type": "reasoning",
    "id": "r1",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "hm"}],
}
ANSWERED: Json = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}

# Of each request: its route, its body, in which of `prompt`, `said` and `cut` the engine's own lane differs, and why.
CASES: dict[str, tuple[str, Json, set[str]]] = {
    "a question": (MESSAGES, {"messages": [user("Hello")]}, set()),
    "a system text": (MESSAGES, {"system": "Be brief.", "messages": [user("Hello")]}, set()),
    # The engine joins blocks without anything between them, so that two sentences become one word at the seam.
    "system blocks": (
        MESSAGES, {"system": [text("Be brief."), text("Be kind.")], "messages": [user("Hi")]}, {"prompt"},
    ),
    "text blocks": (MESSAGES, {"messages": [user([text("Hello"), text("there")])]}, {"prompt"}),
    # The engine reads the billing text to the model, and it changes from turn to turn.
    "a billing text": (MESSAGES, {"system": [text(BILLING), text("Be kind.")], "messages": [user("Hi")]}, {"prompt"}),
    # The engine hands a system turn in the middle to the template as it is, which writes it in the wrong place or not.
    "a later system turn": (
        MESSAGES, {"system": "Be brief.", "messages": [user("Hello"), {"role": "system", "content": "Be loud."}]},
        {"prompt"},
    ),
    "tools": (MESSAGES, {"messages": [user(ASK)], "tools": TOOLS}, set()),
    # The engine calls in spite of "none". Here the model does not even learn of the tools.
    "no tool": (MESSAGES, {"messages": [user(ASK)], "tools": TOOLS, "tool_choice": {"type": "none"}}, {"prompt"}),
    # The engine lets the model chat in spite of "any". Here the turn is begun with a call.
    "any tool": (MESSAGES, {"messages": [user("Hello")], "tools": TOOLS, "tool_choice": {"type": "any"}}, {"prompt"}),
    "a tool's result": (MESSAGES, loop(result("Sunny, 24")), set()),
    # The engine puts the user's words before the result that they follow.
    "a result and words": (MESSAGES, loop(result("Sunny, 24"), text("And?"), before=(text("I look."),)), {"said"}),
    # The engine does not tell the model that the tool failed.
    "a tool's failure": (MESSAGES, loop(result("no", is_error=True)), {"prompt"}),
    "a thought of before": (
        MESSAGES, {"messages": [user("Hi"), {"role": "assistant", "content": [THOUGHT, text("Hello")]}, user("Go on")]},
        set(),
    ),
    "a stop sequence": (MESSAGES, {"messages": [user("Count: one two three")], "stop_sequences": ["a"]}, set()),
    "a limit": (MESSAGES, {"messages": [user("Tell me a story")], "max_tokens": 3}, set()),
    "a response": (RESPONSES, {"input": "Hello"}, set()),
    "instructions": (RESPONSES, {"instructions": "Be brief.", "input": "Hello"}, set()),
    "a developer's turn": (RESPONSES, {"input": [{"role": "developer", "content": "Be brief."}, user("Hello")]}, set()),
    "a response with tools": (RESPONSES, {"input": ASK, "tools": FLAT}, set()),
    "a call and its output": (RESPONSES, {"input": [user(ASK), CALL, OUTPUT], "tools": FLAT}, set()),
    "reasoning of before": (RESPONSES, {"input": [user("Hi"), REASONING, ANSWERED, user("Go on")]}, set()),
    # The engine calls a response complete that its limit cut.
    "a response's limit": (RESPONSES, {"input": "Tell me a story", "max_output_tokens": 3}, {"cut"}),
}  # fmt: skip


async def heard(http: httpx.AsyncClient, path: str, body: Json, *, key: str = "") -> Heard:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = await http.post(path, json=body, headers=headers)
    assert response.status_code == 200, response.text
    if key and path == RESPONSES and body["stream"]:
        # The engine's events have no sequence numbers, and a client that reads strictly has to give up on them.
        events = [line[6:] for line in response.text.splitlines() if line.startswith("data: {")]
        return listen(path, json.dumps(json.loads(events[-1])["response"]).encode(), streamed=False)
    return listen(path, response.content, streamed=body["stream"])


def differences(ours: Heard, theirs: Heard) -> set[str]:
    """In what two answers differ. What is said in answer to another prompt is not compared."""
    if ours.prompt_tokens != theirs.prompt_tokens:
        return {"prompt"}
    said = [(h.text, [(call.name, json.loads(call.arguments)) for call in h.calls]) for h in (ours, theirs)]
    found = {"said"} if said[0] != said[1] else set[str]()
    return found | ({"cut"} if ours.is_cut != theirs.is_cut else set())


@pytest.mark.rule("messages-count", "second-opinion")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", CASES)
async def test_every_difference_from_the_engines_own_dialects_is_explained(
    studio: Studio, case: str, stream: bool
) -> None:
    path, asked, expected = CASES[case]
    limit = "max_tokens" if path == MESSAGES else "max_output_tokens"
    body: Json = {"model": MODEL, "temperature": 0, "seed": 1, limit: 48, **asked, "stream": stream}
    async with studio.pool.lease(MODEL) as lease:
        engine = httpx.AsyncClient(base_url=f"http://127.0.0.1:{lease.endpoint.port}", trust_env=False, timeout=60)
        async with engine, httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=60) as http:
            ours = await heard(http, path, body)
            theirs = await heard(engine, path, body, key=lease.endpoint.api_key)
            counter = f"{path}/{'count_tokens' if path == MESSAGES else 'input_tokens'}"
            counted = (await http.post(counter, json=body)).json()["input_tokens"]
    assert ours.faults == []
    assert theirs.faults == []
    assert differences(ours, theirs) == expected
    # A count beforehand is the very number that the answer then tells.
    assert ours.prompt_tokens == counted
