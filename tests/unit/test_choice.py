"""Tests that a `tool_choice` leaves only the tools it allows, and that a forced call begins as its template would."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from paddock.engine.client import Destination, EngineClient
from paddock.engine.flags import EngineFlags
from paddock.engine.plan import EnginePlan
from paddock.engine.process import Endpoint, EngineProcess
from paddock.engine.resident import Abilities, Lease, Resident
from paddock.errors import BadRequest, EngineRefused, EngineUnreachable
from paddock.serving.choice import force, lead_between, narrow
from paddock.serving.prepare import Prepared, limited, prepare

Json = dict[str, Any]
# The text of a prompt, from messages, tools and whether an assistant turn is to be begun.
Template = Callable[[list[Json], list[Json], bool], str]

USER: Json = {"role": "user", "content": "Hello"}


def tool(name: Any) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def named(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str | None, *names: str) -> Json:
    said: Json = {} if mode is None else {"mode": mode}
    return {"type": "allowed_tools", "allowed_tools": {**said, "tools": [named(name) for name in names]}}


def flat(choice: Json) -> Json:
    return {"type": "allowed_tools", **choice["allowed_tools"]}


def nested(choice: Json) -> Json:
    return choice


def asked(choice: Any, **fields: Any) -> Prepared:
    body: Json = {"messages": [USER], "tools": [tool("add"), tool("find"), tool("run")], "tool_choice": choice}
    return prepare("/v1/chat/completions", {**body, **fields})


def names_of(prepared: Prepared) -> list[str]:
    return [entry["function"]["name"] for entry in prepared.body.get("tools", [])]


@pytest.mark.rule("choice-auto")
@pytest.mark.parametrize("choice", [None, "auto"])
def test_auto_leaves_the_request_as_it_is(choice: Any) -> None:
    prepared = asked(choice)
    assert narrow(prepared) is prepared


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_a_choice_without_tools_leaves_the_request_as_it_is(choice: Any) -> None:
    prepared = asked(choice, tools=None)
    assert narrow(prepared) is prepared


@pytest.mark.rule("choice-none")
def test_none_withholds_the_tools_and_says_so() -> None:
    narrowed = narrow(asked("none"))
    assert "tools" not in narrowed.body
    assert narrowed.body["tool_choice"] == "none"
    assert not narrowed.forces_call
    assert len(narrowed.adapted) == 1


def test_required_keeps_every_tool_and_forces_a_call() -> None:
    narrowed = narrow(asked("required"))
    assert (names_of(narrowed), narrowed.body["tool_choice"]) == (["add", "find", "run"], "required")
    assert narrowed.forces_call
    assert narrowed.adapted


@pytest.mark.rule("choice-named")
@pytest.mark.parametrize("choice", [named("find"), {"type": "function", "name": "find"}])
def test_a_named_function_is_the_only_tool_left_and_is_forced(choice: Json) -> None:
    narrowed = narrow(asked(choice))
    assert (names_of(narrowed), narrowed.body["tool_choice"]) == (["find"], "required")
    assert narrowed.forces_call
    assert "that one tool" in narrowed.adapted[0]


def test_a_tool_in_the_flat_shape_is_found_by_its_name() -> None:
    tools: list[Json] = [{"type": "function", "name": "add", "parameters": {}}, {"type": "custom", "name": "find"}]
    narrowed = narrow(asked(named("find"), tools=tools))
    assert narrowed.body["tools"] == tools[1:]


@pytest.mark.rule("choice-allowed")
@pytest.mark.parametrize("shape", [nested, flat])
@pytest.mark.parametrize(("mode", "forces"), [("auto", False), (None, False), ("required", True)])
def test_allowed_tools_leave_those_listed_in_their_own_mode(
    shape: Callable[[Json], Json], mode: str | None, forces: bool
) -> None:
    narrowed = narrow(asked(shape(allowed(mode, "run", "add"))))
    assert sorted(names_of(narrowed)) == ["add", "run"]
    assert (narrowed.body["tool_choice"], narrowed.forces_call) == (mode or "auto", forces)
    assert "2 of 3 tools" in narrowed.adapted[0]


def test_a_tool_that_is_allowed_twice_is_sent_once() -> None:
    assert names_of(narrow(asked(allowed("auto", "add", "add")))) == ["add"]


NOT_THERE: dict[str, Any] = {
    "a name that is no tool": named("nowhere"),
    "an allowed name that is no tool": allowed("auto", "add", "nowhere"),
    "no name": {"type": "function"},
    "an empty name": named(""),
    "a name that is no text": {"type": "function", "function": {"name": 5}},
    "a function that is text": {"type": "function", "function": "add"},
    "nothing allowed": allowed("auto"),
    "nothing allowed, flat": {"type": "allowed_tools"},
    "allowed is null": {"type": "allowed_tools", "allowed_tools": None},
    "allowed is text": {"type": "allowed_tools", "allowed_tools": "add"},
    "allowed names are text": {"type": "allowed_tools", "tools": ["add"]},
    "another mode": allowed("none", "add"),
    "a mode that is a list": {"type": "allowed_tools", "mode": ["auto"], "tools": [named("add")]},
    "another type": {"type": "custom", "custom": {"name": "add"}},
    "a type that is a list": {"type": ["function"]},
    "no type": {"function": {"name": "add"}},
    "nothing": {},
}


@pytest.mark.parametrize("case", NOT_THERE)
def test_a_choice_that_cannot_be_kept_is_refused_by_name(case: str) -> None:
    with pytest.raises(BadRequest) as caught:
        narrow(asked(NOT_THERE[case]))
    assert caught.value.param == "tool_choice"


def test_a_name_that_is_no_tool_is_told_with_the_tools_there_are() -> None:
    with pytest.raises(BadRequest, match="'nowhere', but the tools are: add, find, run"):
        narrow(asked(named("nowhere")))


@pytest.mark.parametrize("odd", [["add"], {"a": 1}, None, 5])
def test_a_tool_whose_name_is_no_text_is_not_the_one_that_was_named(odd: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        narrow(asked(named("add"), tools=[tool(odd)]))
    assert caught.value.param == "tool_choice"
    assert names_of(narrow(asked(named("add"), tools=[tool(odd), tool("add")]))) == ["add"]


@pytest.mark.parametrize("choice", ["required", named("add"), allowed("required", "add")])
def test_a_forced_call_cannot_follow_a_started_assistant_turn(choice: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        narrow(asked(choice, messages=[USER, {"role": "assistant", "content": "Well"}]))
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize("bound", [{"max_tokens": 9}, {"max_completion_tokens": 9}, {"n_predict": 9}])
def test_a_forced_call_has_the_clients_bound_or_one_of_ours(bound: Json) -> None:
    bounded = limited(narrow(asked("required", **bound)), 5)
    assert {name: bounded.body[name] for name in bound} == bound
    assert not ({"max_tokens"} - set(bound)) & set(bounded.body)
    ours, setting = "a forced call", "the setting answer_tokens_most"
    for given, most, why in ((0, 8192, ours), (5, 5, setting), (10**6, 8192, ours)):
        for fields in ({}, *({name: None} for name in ("max_tokens", "max_completion_tokens", "n_predict"))):
            bounded = limited(narrow(asked("required", **fields)), given)
            assert (bounded.body["max_tokens"], bounded.adapted[-1]) == (most, f"max_tokens {most}: {why}")


@pytest.mark.parametrize("choice", ["auto", "none", "required", named("add"), allowed("auto", "run")])
def test_narrowing_changes_nothing_of_what_it_was_given(choice: Any) -> None:
    prepared = asked(choice)
    before = copy.deepcopy(prepared)
    narrow(prepared)
    assert prepared == before


def a_call(message: Json) -> Json | None:
    return message["tool_calls"][0]["function"] if message.get("tool_calls") else None


def chatml(messages: list[Json], tools: list[Json], begin: bool, *, thinking: str = "", before_call: str = "") -> str:
    """Tools in a system turn; a call as JSON in a tag. `thinking` is what the generation prompt adds."""
    text = f"<|im_start|>system\nTools: {json.dumps(tools)}<|im_end|>\n" if tools else ""
    for message in messages:
        said = message["content"]
        if found := a_call(message):
            written = f'{{"name": "{found["name"]}", "arguments": {found["arguments"]}}}'
            said += f"{before_call}<tool_call>\n{written}\n</tool_call>"
        text += f"<|im_start|>{message['role']}\n{said}<|im_end|>\n"
    return text + (f"<|im_start|>assistant\n{thinking}" if begin else "")


def chatml_that_opens_its_thoughts(messages: list[Json], tools: list[Json], begin: bool) -> str:
    return chatml(messages, tools, begin, thinking="<think>\n")


def chatml_with_an_empty_thought(messages: list[Json], tools: list[Json], begin: bool) -> str:
    return chatml(messages, tools, begin, before_call="<think>\n\n</think>\n\n")


def llama_3(messages: list[Json], tools: list[Json], begin: bool, *, mark: str = "") -> str:
    """Tools in the first user turn; a call as bare JSON, which may have a mark before it."""
    text = "<|begin_of_text|>"
    for at, message in enumerate(messages):
        said = message["content"]
        if found := a_call(message):
            said = f'{mark}{{"name": "{found["name"]}", "parameters": {found["arguments"]}}}'
        if at == 0:
            said = f"Given these functions: {json.dumps(tools)}\n\n{said}"
        text += f"<|start_header_id|>{message['role']}<|end_header_id|>\n\n{said}<|eot_id|>"
    return text + ("<|start_header_id|>assistant<|end_header_id|>\n\n" if begin else "")


def llama_3_python_tag(messages: list[Json], tools: list[Json], begin: bool) -> str:
    return llama_3(messages, tools, begin, mark="<|python_tag|>")


def mistral(messages: list[Json], tools: list[Json], begin: bool, *, space: str = "") -> str:
    """Tools before the last user turn, no mark where an assistant turn begins, and turns that must alternate."""
    talk = [message["role"] for message in messages if message["role"] != "tool" and not a_call(message)]
    if talk != (["user", "assistant"] * len(talk))[: len(talk)]:
        raise EngineRefused(status=500, reason="roles must alternate user/assistant/user/assistant")
    text, last = "<s>", max(at for at, message in enumerate(messages) if message["role"] == "user")
    for at, message in enumerate(messages):
        if found := a_call(message):
            text += f'[TOOL_CALLS] [{{"name": "{found["name"]}", "arguments": {found["arguments"]}, "id": "x"}}]</s>'
        elif message["role"] == "user":
            listed = f"[AVAILABLE_TOOLS] {json.dumps(tools)}[/AVAILABLE_TOOLS]" if at == last else ""
            text += f"{listed}[INST] {message['content']}[/INST]"
        elif message["role"] == "assistant":
            text += f"{space}{message['content']}</s>"
        else:
            text += f"[TOOL_RESULTS] {message['content']}[/TOOL_RESULTS]"
    return text


def mistral_with_a_space_before_words(messages: list[Json], tools: list[Json], begin: bool) -> str:
    return mistral(messages, tools, begin, space=" ")


def deepseek(messages: list[Json], tools: list[Json], begin: bool) -> str:
    text = f"<｜begin▁of▁sentence｜>{json.dumps(tools)}"
    for message in messages:
        text += "<｜User｜>" if message["role"] == "user" else "<｜Assistant｜>"
        if found := a_call(message):
            text += f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>{found['name']}\n```json\n"
            text += f"{found['arguments']}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        text += message["content"]
    return text + ("<｜Assistant｜>" if begin else "")


def harmony(messages: list[Json], tools: list[Json], begin: bool) -> str:
    text = f"<|start|>developer<|message|>{json.dumps(tools)}<|end|>"
    for message in messages:
        text += f"<|start|>{message['role']}"
        if found := a_call(message):
            text += f" to=functions.{found['name']}<|channel|>commentary json<|message|>{found['arguments']}<|call|>"
        elif message["role"] == "assistant":
            text += f"<|channel|>final<|message|>{message['content']}<|end|>"
        else:
            text += f"<|message|>{message['content']}<|end|>"
    return text + ("<|start|>assistant" if begin else "")


def without_calls(messages: list[Json], tools: list[Json], begin: bool) -> str:
    text = "".join(f"<{message['role']}>{message['content']}</{message['role']}>" for message in messages)
    return text + ("<assistant>" if begin else "")


def without_calls_but_with_tools(messages: list[Json], tools: list[Json], begin: bool) -> str:
    return json.dumps(tools) + without_calls(messages, tools, begin)


def without_calls_and_with_tools_last(messages: list[Json], tools: list[Json], begin: bool) -> str:
    return without_calls(messages[:-1], tools, False) + json.dumps(tools) + without_calls(messages[-1:], tools, begin)


LEADS: dict[Template, str] = {
    chatml: '<tool_call>\n{"name": "',
    chatml_with_an_empty_thought: '<think>\n\n</think>\n\n<tool_call>\n{"name": "',
    chatml_that_opens_its_thoughts: '<tool_call>\n{"name": "',
    llama_3: '{"name": "',
    llama_3_python_tag: '<|python_tag|>{"name": "',
    mistral: '[TOOL_CALLS] [{"name": "',
    mistral_with_a_space_before_words: '[TOOL_CALLS] [{"name": "',
    deepseek: "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>",
    harmony: " to=functions.",
}


class Rendering(EngineClient):
    """An engine that renders prompts, by a template of ours, and does nothing else."""

    def __init__(self, template: Template | None, refusal: Exception | None = None) -> None:
        self.template = template
        self.refusal = refusal
        self.questions: list[str] = []

    async def ask(self, endpoint: Destination, path: str, body: Json | None = None) -> Any:
        self.questions.append(path)
        if self.refusal:
            raise self.refusal
        assert self.template
        assert body
        begin = body.get("add_generation_prompt", True)
        return {"prompt": self.template(body["messages"], body.get("tools", []), begin)}


def lease_of(client: EngineClient) -> Lease:
    flags = EngineFlags(model_path="m", alias="m", context_tokens=1, slots=1, batch_tokens=1, ubatch_tokens=1)
    engine = EngineProcess(program=["none"], flags=flags, load_timeout_s=1)
    return Lease(
        model_id="m",
        endpoint=Endpoint(port=1, api_key="k", generation=1),
        abilities=Abilities(context_tokens=1, sees_images=False, template_knows_tools=True),
        resident=Resident(model_id="m", plan=EnginePlan(flags=flags, memory_bytes=0), engine=engine),
        client=client,
    )


def forced(client: EngineClient, lease: Lease | None = None) -> Prepared:
    return asyncio.run(force(narrow(asked("required")), lease or lease_of(client)))


@pytest.mark.parametrize("template", LEADS, ids=lambda template: template.__name__)
def test_a_forced_call_begins_as_the_template_begins_a_call(template: Template) -> None:
    prepared = forced(Rendering(template))
    assert prepared.body["messages"] == [USER, {"role": "assistant", "content": LEADS[template]}]
    assert prepared.body["tool_choice"] == "required"


@pytest.mark.parametrize("template", [without_calls, without_calls_but_with_tools, without_calls_and_with_tools_last])
def test_a_template_without_calls_is_a_named_refusal(template: Template) -> None:
    with pytest.raises(BadRequest, match="no form for tool calls") as caught:
        forced(Rendering(template))
    assert caught.value.param == "tool_choice"


def test_an_engine_that_refuses_to_render_calls_has_no_form_for_them() -> None:
    with pytest.raises(BadRequest, match="no form for tool calls"):
        forced(Rendering(None, EngineRefused(status=500, reason="no tools here")))


def test_an_engine_that_is_lost_while_it_is_asked_is_told_as_lost_and_asked_again() -> None:
    lost = Rendering(None, EngineUnreachable())
    lease = lease_of(lost)
    with pytest.raises(EngineUnreachable):
        forced(lost, lease)
    lost.template, lost.refusal = chatml, None
    assert forced(lost, lease).body["messages"][-1]["content"] == LEADS[chatml]


@pytest.mark.parametrize("template", [chatml, without_calls])
def test_how_calls_begin_is_asked_once_for_each_engine(template: Template) -> None:
    client = Rendering(template)
    lease = lease_of(client)
    for _ in range(3):
        try:
            forced(client, lease)
        except BadRequest:
            assert template is without_calls
    assert client.questions == ["/apply-template"] * 2


def test_forcing_changes_nothing_of_what_it_was_given() -> None:
    prepared = narrow(asked("required"))
    before = copy.deepcopy(prepared)
    asyncio.run(force(prepared, lease_of(Rendering(chatml))))
    assert prepared == before


NAME = "paddock_probe_call"


@pytest.mark.parametrize(
    ("spoken", "called", "lead"),
    [
        ("", "", ""),
        (f"<a>{NAME}</a>", f"<a>{NAME}</a>", ""),
        (f"<a>{NAME}</a>", "<a></a>", ""),
        (f"<a>{NAME}</a>", f'<a>{{"name": "{NAME}"}}</a>', '{"name": "'),
        (f"<a>{NAME}</a>", f"<a>paddock: {NAME}</a>", "paddock: "),
        (f"<a>{NAME}</a>", f"<a>CALL {NAME} and {NAME}</a>", "CALL "),
    ],
)
def test_the_lead_is_what_stands_between_the_turn_and_the_name(spoken: str, called: str, lead: str) -> None:
    assert lead_between(spoken, called) == lead
