"""Tests the forms in which a model's call may come, right or wrong, through the loop: cut anywhere, in each dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.shapes.responses_streams import calls, says, thinks
from tests.wire.rig import CHAT, USER, Json, Rig, data_of
from tests.wire.test_toolloop import SUM, asks, call, conversations, turn

pytestmark = pytest.mark.anyio

_TWO = '{"expression": "2 + 2"}'
_HERMES = f'<tool_call>\n{{"name": "calculator", "arguments": {SUM}}}\n</tool_call>'
_SECOND = f'<tool_call>{{"name": "calculator", "arguments": {_TWO}}}</tool_call>'
_XML = "<function=calculator>\n<parameter=expression>\n23 * 19\n</parameter>\n</function>"
_WRITTEN = '{"path": "a.md", "content": "\\"say\\" </tool_call> and <function=x>"}'
_NESTED = f'<tool_call>{{"name": "write_file", "arguments": {_WRITTEN}}}</tool_call>'
# What leaks as text, and the results that the model is told; words around it go on as they are.
LEAKED: dict[str, tuple[str, list[str], str]] = {
    "JSON between tags": (_HERMES, ["437"], ""),
    "JSON between tags, after words": (f"Let me see.\n{_HERMES}", ["437"], "Let me see."),
    "JSON between tags, without its end": (_HERMES.removesuffix("\n</tool_call>"), ["437"], ""),
    "parameters between tags": (_XML, ["437"], ""),
    "parameters between tags, with an orphaned end": (f"{_XML}\n</tool_call>", ["437"], ""),
    "parameters in the tags of JSON": (f"<tool_call>\n{_XML}\n</tool_call>", ["437"], ""),
    "two, of two kinds": (f"Both.\n{_SECOND}\n{_XML}", ["4", "437"], "Both."),
    "two of one kind": (f"{_HERMES}\n{_SECOND}", ["437", "4"], ""),
    "one that holds markup in its arguments": (_NESTED, ["Wrote a.md, 35 bytes."], ""),
}
# What is no call: it stays text to the letter, and nothing is carried out.
TEXT = {
    "quoted in a line": f"Write `{_SECOND}` to call it.",
    "quoted in a block": f"```\n{_HERMES}\n```\nThat is how.",
    "of a tool that is not there": '<tool_call>{"name": "nothing_of_ours", "arguments": {}}</tool_call>',
    "no JSON": "<tool_call>23 * 19</tool_call>",
    "a plan without a call": "I will now use the calculator to work that out.",
    "a tag and no more": "a <tool_call",
}
# Calls that the engine tells as such, piece by piece, and the results.
TOLD: dict[str, tuple[list[Json], list[str]]] = {
    "whole": ([call()], ["437"]),
    "a letter at a time": ([call(""), *(calls(letter) for letter in SUM)], ["437"]),
    "without index or id": (
        [{"tool_calls": [{"function": {"name": "calculator"}}]}]
        + [{"tool_calls": [{"function": {"arguments": letter}}]} for letter in SUM],
        ["437"],
    ),
    "two at once, in turns": (
        [call(""), call("", at=1, call_id="c2")]
        + [piece for pair in zip(SUM.ljust(30), _TWO.ljust(30), strict=True)
           for piece in (calls(pair[0], at=0), calls(pair[1], at=1))],
        ["437", "4"],
    ),
    "two with one id": ([call(), call(_TWO, at=1)], ["437", "4"]),
    "two alike": ([call(), call(at=1, call_id="c2")], ["437", "437"]),
    "after words": ([says("Let me see."), call()], ["437"]),
    "before words": ([call(), says("That is it.")], ["437"]),
    "empty arguments": ([call("", name="datetime")], [""]),
    "arguments that are no JSON": ([call("{expression: 23 * 19}")], ["Error: calculator: "]),
    "arguments that are JSON in a text": ([call(json.dumps(SUM))], ["Error: calculator: "]),
    "arguments of another kind": ([call('{"expression": {"nested": {"deeper": []}}}')], ["Error: calculator: "]),
    "arguments with more after them": ([call(f"{SUM} and then")], ["Error: calculator: "]),
    "a name that is not there": ([call(name="functions.calculator")], ["Error: there is no tool"]),
}  # fmt: skip
CUTS = {"whole": 10**9, "in twos": 2, "by seven": 7}


def cut(text: str, size: int) -> list[Json]:
    return [says(text[start : start + size]) for start in range(0, len(text), size)]


async def told_text(rig: Rig, dialect: str, *, is_streamed: bool) -> str:
    """What the client reads of an answer with tools."""
    on: Json = {"enable_tools": True, "enabled_tools": ["calculator", "datetime", "files"]}
    if dialect == "chat":
        if not is_streamed:
            return (await rig.chat(**on)).json()["choices"][0]["message"]["content"] or ""
        frames = [json.loads(data) for data in data_of(await rig.stream(CHAT, **on)) if data != b"[DONE]"]
        return "".join(frame["choices"][0]["delta"].get("content") or "" for frame in frames if frame["choices"])
    if dialect == "messages":
        whole = (await rig.post({"messages": [USER], "max_tokens": 99, **on}, "/v1/messages")).json()
        return "\n\n".join(block["text"] for block in whole["content"] if block["type"] == "text")
    whole = (await rig.post({"input": "Hello", **on}, "/v1/responses")).json()
    said = [item["content"][0]["text"] for item in whole["output"] if item["type"] == "message"]
    return "\n\n".join(said)


def results(turns: list[Json]) -> list[str]:
    return [one["content"] for one in turns if one["role"] == "tool"]


WAYS = [("chat", False), ("chat", True), ("messages", False), ("responses", False)]


@pytest.mark.parametrize(("dialect", "is_streamed"), WAYS)
@pytest.mark.parametrize("size", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("form", LEAKED)
async def test_a_call_that_leaks_is_carried_out_however_it_is_cut(
    rig: Rig, form: str, size: int, dialect: str, is_streamed: bool
) -> None:
    text, wanted, around = LEAKED[form]
    await rig.script(turn(*cut(text, size)), turn(says("Done.")))
    said = await told_text(rig, dialect, is_streamed=is_streamed)
    assert results((await conversations(rig))[1]) == wanted
    assert "<" not in said
    assert [one.strip("\n") for one in said.split("\n\n")] == [*([around] if around else []), "Done."]


@pytest.mark.parametrize(("dialect", "is_streamed"), WAYS)
@pytest.mark.parametrize("size", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("form", TEXT)
async def test_what_is_no_call_stays_text_and_ends_the_answer(
    rig: Rig, form: str, size: int, dialect: str, is_streamed: bool
) -> None:
    await rig.script(turn(*cut(TEXT[form], size)))
    assert await told_text(rig, dialect, is_streamed=is_streamed) == TEXT[form]
    assert len(await rig.engine.seen()) == 1


@pytest.mark.parametrize(("dialect", "is_streamed"), WAYS)
@pytest.mark.parametrize("form", TOLD)
async def test_a_call_that_the_engine_tells_is_carried_out_or_refused_in_words(
    rig: Rig, form: str, dialect: str, is_streamed: bool
) -> None:
    pieces, wanted = TOLD[form]
    await rig.script(asks(*pieces), turn(says("Done.")))
    said = await told_text(rig, dialect, is_streamed=is_streamed)
    assert said.endswith("Done.")
    then = (await conversations(rig))[1]
    found = results(then)
    assert len(found) == len(wanted)
    for result, beginning in zip(found, wanted, strict=True):
        assert result.startswith(beginning), result
    called = [one["id"] for message in then for one in message.get("tool_calls", [])]
    assert len(set(called)) == len(called) == len(wanted)
    assert [one["tool_call_id"] for one in then if one["role"] == "tool"] == called


@pytest.mark.parametrize(("dialect", "is_streamed"), WAYS)
@pytest.mark.parametrize(
    "deltas",
    [[call('{"expression": "23 *')], cut(_HERMES[:-30], 5), cut(_XML[:-30], 5)],
    ids=["told by the engine", "leaked as JSON", "leaked as parameters"],
)
async def test_a_call_that_the_token_limit_cut_is_not_carried_out(
    rig: Rig, deltas: list[Json], dialect: str, is_streamed: bool
) -> None:
    await rig.script(turn(*deltas, reason="length"))
    await told_text(rig, dialect, is_streamed=is_streamed)
    assert len(await rig.engine.seen()) == 1


@pytest.mark.parametrize(("dialect", "is_streamed"), WAYS)
async def test_nothing_but_thoughts_ends_the_answer_and_is_not_asked_for_again(
    rig: Rig, dialect: str, is_streamed: bool
) -> None:
    await rig.script(turn(thinks("The user greets me. I should call the calculator.")))
    assert await told_text(rig, dialect, is_streamed=is_streamed) == ""
    assert len(await rig.engine.seen()) == 1


async def test_thoughts_before_a_call_are_there_after_it(rig: Rig) -> None:
    await rig.script(asks(thinks("A product."), call()), asks(thinks("And a sum."), call(_TWO)), turn(says("Done.")))
    await rig.chat(enable_tools=True)
    thought: list[Any] = [one.get("reasoning_content") for one in (await conversations(rig))[2] if "tool_calls" in one]
    assert thought == ["A product.", "And a sum."]
