"""Tests which tokens train, before a tokenizer whose every character is a token and whose template is a few lines."""

from __future__ import annotations

from typing import Any

import pytest

from paddock.data.masks import IGNORED, Piece, masked, pieces_of
from paddock.data.rows import Row, row_of
from paddock.errors import FieldInvalid

CALL = {"type": "function", "function": {"name": "add", "arguments": '{"b": 2, "a": 1}'}}

SPOILT = {"function": {"name": "f", "arguments": "{"}}
PARTS = {"role": "user", "content": [{"type": "text", "text": "a"}]}


class Letters:
    """A tokenizer. `form` is how its template writes turns: "plain", "forgets" (of earlier answers), or "endless"."""

    def __init__(self, form: str = "plain", *, bos_token: str | None = None) -> None:
        self.form = form
        self.bos_token = bos_token
        self.eos_token: str | None = "$"

    def apply_chat_template(
        self, conversation: list[dict[str, Any]], *, tools: Any, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        assert not tokenize
        turns: list[str] = [f"[{len(tools)}]"] if tools else []
        for place, message in enumerate(conversation):
            calls = message.get("tool_calls", [])
            said = message["content"] + "".join(str(one["function"]["arguments"]) for one in calls)
            if self.form == "forgets" and message["role"] == "assistant" and place < len(conversation) - 1:
                said = said[-1:]
            end = "" if self.form == "endless" else "$"
            turns.append(f"<{message['role'][0]}>{said}{end}\n")
        return "".join(turns) + ("<a>" if add_generation_prompt else "")

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        return [ord(one) for one in (self.bos_token or "") * add_special_tokens + text]


def conversation(*turns: tuple[str, str]) -> Row:
    roles = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}
    return row_of({"messages": [{"role": roles[who], "content": said} for who, said in turns]}, "Row 1")


def learnt(row: Row, tokenizer: Letters, **more: Any) -> list[list[str]]:
    return [[piece.text for piece in pieces if piece.trains] for pieces in pieces_of(row, tokenizer, **more)]


def test_answers_are_learnt_with_their_end_and_nothing_else_is() -> None:
    row = conversation(("s", "S"), ("u", "one"), ("a", "ONE"), ("t", "result"), ("u", "two"), ("a", "TWO"))
    assert learnt(row, Letters()) == [["ONE$", "TWO$"]]
    assert learnt(row, Letters(), train_on="last") == [["TWO$"]]
    (found,) = masked(row, Letters())
    assert "".join(chr(token) for token in found.ids) == "<s>S$\n<u>one$\n<a>ONE$\n<t>result$\n<u>two$\n<a>TWO$\n"
    assert "".join(chr(token) for token in found.labels if token != IGNORED) == "ONE$TWO$"
    assert len(found.ids) == len(found.trains) == len(found.labels)


def test_everything_is_learnt_where_that_is_asked_for() -> None:
    (found,) = masked(conversation(("u", "one"), ("a", "ONE")), Letters(), train_on="everything")
    assert all(found.trains)


def test_calls_are_learnt_with_exactly_the_arguments_that_the_row_has() -> None:
    row = row_of(
        {
            "messages": [{"role": "user", "content": "add"}, {"role": "assistant", "tool_calls": [CALL]}],
            "tools": [{"type": "function", "function": {"name": "add"}}],
        },
        "Row 1",
    )
    assert learnt(row, Letters()) == [["{'b': 2, 'a': 1}$"]]
    assert pieces_of(row, Letters())[0][0] == Piece(text="[1]<u>add$\n<a>", trains=False)


def test_where_a_template_changes_earlier_turns_each_answer_is_learnt_behind_what_the_server_shows() -> None:
    row = conversation(("u", "one"), ("a", "ONE"), ("u", "two"), ("a", "TWO"))
    assert learnt(row, Letters("forgets")) == [["ONE$"], ["TWO$"]]
    texts = ["".join(piece.text for piece in pieces) for pieces in pieces_of(row, Letters("forgets"))]
    assert texts == ["<u>one$\n<a>ONE$\n", "<u>one$\n<a>E$\n<u>two$\n<a>TWO$\n"]


def test_a_template_that_never_ends_an_answer_is_refused() -> None:
    with pytest.raises(FieldInvalid, match="never learn to stop") as caught:
        masked(conversation(("u", "one"), ("a", "ONE")), Letters("endless"))
    assert caught.value.param == "base"


def test_a_text_begins_and_ends_as_the_engine_will_read_it() -> None:
    (found,) = masked(row_of({"text": "hay"}, "Row 1"), Letters(bos_token="^"))
    assert ("".join(map(chr, found.ids)), all(found.trains)) == ("^hay$", True)
    (chat,) = masked(conversation(("u", "x"), ("a", "y")), Letters(bos_token="^"))
    assert "".join(map(chr, chat.ids)).count("^") == 1


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, ["a", "b"]),
        ({"instruction": "a", "input": "b", "output": "c"}, ["a\n\nb", "c"]),
        ({"instruction": "a", "input": "", "output": "c"}, ["a", "c"]),
        ({"prompt": "a", "completion": "b"}, ["a", "b"]),
        ({"messages": '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]'}, ["a", "b"]),
        ({"messages": [PARTS, {"role": "assistant", "content": "b"}]}, ["a", "b"]),
    ],
)  # fmt: skip
def test_each_form_of_row_is_one_conversation(raw: dict[str, Any], words: list[str]) -> None:
    assert [message["content"] for message in row_of(raw, "Row 1").messages] == words


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([1], "it is list"),
        ({"messages": "x"}, "a list is needed"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "'robot'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "is an image"),
        ({"messages": [{"role": "assistant", "content": ""}]}, "neither words nor calls"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]},
            "no JSON",
        ),
        ({"instruction": "a", "output": 3}, "output is int"),
        ({"question": "a"}, "the fields question"),
        ({}, "the fields none"),
    ],
)
def test_what_cannot_be_learnt_from_is_named_with_its_place(raw: object, words: str) -> None:
    with pytest.raises(FieldInvalid) as caught:
        row_of(raw, "Row 7 of x.jsonl")
    assert caught.value.message.startswith("Row 7 of x.jsonl")
    assert words in caught.value.message
    assert caught.value.param == "data"
