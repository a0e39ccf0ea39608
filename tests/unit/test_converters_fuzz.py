"""Odd requests: whatever a body holds, a converter answers with a chat body or refuses by name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paddock.errors import BadRequest
from paddock.protocol import messages, ollama, responses
from paddock.protocol.responses_cursor import adapt_cursor

NAMES = (
    "model", "messages", "role", "content", "type", "text", "tools", "name", "input", "input_schema", "parameters",
    "id", "system", "tool_choice", "thinking", "tool_use_id", "call_id", "output", "arguments", "images", "options",
    "function", "format", "max_tokens", "instructions", "reasoning", "stop_sequences", "output_config", "source",
)  # fmt: skip
WORDS = (
    "user", "assistant", "system", "tool", "text", "image", "tool_use", "tool_result", "function", "function_call",
    "function_call_output", "message", "reasoning", "custom", "namespace", "base64", "json_schema", "any", "",
)  # fmt: skip
LEAVES = st.one_of(st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(-2, 2**40), st.text(max_size=3))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=14,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)
CONVERTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "messages": lambda body: messages.to_chat({"max_tokens": 1, **body}).body,
    "responses": lambda body: responses.to_chat({"input": "x", **body}, response_id="resp_1").body,
    "ollama-chat": lambda body: ollama.chat_form(body).body,
    "ollama-generate": lambda body: ollama.generate_form(body).body,
    "cursor": lambda body: adapt_cursor(body)[0],
}


@pytest.mark.parametrize("name", CONVERTERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES)
def test_an_odd_body_is_converted_or_refused_by_name(name: str, body: dict[str, Any]) -> None:
    before = json.dumps(body)
    with contextlib.suppress(BadRequest):
        json.dumps(CONVERTERS[name](body))
    assert json.dumps(body) == before
