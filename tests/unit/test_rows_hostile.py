"""Tests that whatever a file of rows holds, it becomes rows or is refused in words: by table, and by chance."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.data.files import LINE_MOST_CHARACTERS, rows_in
from paddock.data.preferences import judged_of, pair_of, task_of
from paddock.data.rows import row_of, seen_row_of
from paddock.errors import FieldInvalid

pytestmark = pytest.mark.attack("malicious notebooks and data sets")
Form = Callable[[object, str], object]
FORMS: tuple[Form, ...] = (row_of, seen_row_of, pair_of, judged_of, task_of)
DEEP = "[" * 100_000
WHOLE = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
CALL = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}


def refused(path: Path, form: Form = row_of) -> str:
    """The words in which a file is refused."""
    with pytest.raises(FieldInvalid) as error:
        rows_in(str(path), form)
    assert 10 < len(str(error.value)) < 2000
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DEEP, "no JSON"),
        ('{"a":' * 100_000, "no JSON"),
        (f'{{"messages": {DEEP}', "no JSON"),
        ('{"text": ' + "9" * 5000 + "}", "no JSON"),
        ('{"text": NaN}', "NaN"),
        ('{"messages": [{"role": "user", "content": Infinity}]}', "Infinity"),
        ('{"text": "a", "x": -Infinity}', "-Infinity"),
        ('{"text": "\\ud800"}', "half"),
        ('{"text": "a", "x": {"\\udfff": 1}}', "half"),
        ('{"text": "a", "text": "b"}', "twice"),
        ('{"messages": [{"role": "user", "content": "a", "role": "assistant"}]}', "twice"),
        ('{"text": "a"', "no JSON"),
        ('{"text": "a"} {"text": "b"}', "no JSON"),
        ("\x00", "no JSON"),
        ('{"messages": [{"role": ["user"], "content": "a"}]}', "role"),
        ('{"messages": [{"role": {"a": 1}, "content": "a"}]}', "role"),
        ('{"conversations": [{"from": ["human"], "value": "a"}]}', "Row 1"),
        ('{"conversations": [{"from": {}, "value": {}}]}', "Row 1"),
        ('{"messages": {"0": 1}}', "Row 1"),
        (json.dumps({"messages": [{**CALL, "tool_calls": [{"function": {"name": "f", "arguments": DEEP}}]}]}), "JSON"),
        (json.dumps({"messages": [{**CALL, "tool_calls": [{"function": {"name": "f", "arguments": '{"a": NaN}'}}]}]}),
         "JSON"),
        (json.dumps({"messages": DEEP}), "Row 1"),
        (json.dumps({"messages": "[{" + DEEP}), "Row 1"),
        (json.dumps({**WHOLE, "tools": "[" + DEEP}), "Row 1"),
        (json.dumps({**WHOLE, "tools": {"a": 1}}), "Row 1"),
        (json.dumps({"prompt": "[{" + DEEP, "completion": [CALL]}), "Row 1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_a_hostile_row_is_refused_in_words(tmp_path: Path, text: str, words: str, ending: str) -> None:
    path = tmp_path / f"rows.{ending}"
    path.write_text(text if ending == "jsonl" else f"[{text}]", "utf-8")
    assert words in refused(path)


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
def test_what_is_no_text_is_refused_with_its_place(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(b'["\xff\xfe"]')
    assert "no UTF-8 text" in refused(path)


def test_a_line_without_end_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "a"}\n{"text": "')
        for _ in range(100):
            file.write(b"a" * 2**20)
    tracemalloc.start()
    try:
        said = refused(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "Line 2" in said
    assert peak_bytes < 4 * LINE_MOST_CHARACTERS


def test_a_cell_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text\n"' + "a" * (2**24 + 1) + '"\n')
    assert "no table" in refused(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "text", ["", "\n\n", "a,b\n1\n", "text,text\na,b\n", "prompt\n1,2,3,4\n", '"\n', "\x00\n\x00\n"]
)
def test_a_hostile_table_is_read_or_refused(tmp_path: Path, form: Form, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with suppress(FieldInvalid):
        rows_in(str(path), form)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_what_is_no_file_of_rows_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "round.jsonl").symlink_to("round.jsonl")
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("pipe", "round", "zero", "folder", "absent"):
        refused(tmp_path / f"{name}.jsonl")


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "\u202elnosj", "-rf", "a" * 200, "%s{0}", "ü'\"$(x)`"])
def test_a_hostile_name_is_a_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.jsonl"
    path.write_text(json.dumps(WHOLE))
    assert rows_in(str(path), row_of)
    path.write_text("[")
    assert "no JSON" in refused(path)


@pytest.mark.parametrize("name", ["\x00", "a" * 300, "~" + "x" * 300, "", "."])
def test_a_name_that_can_be_none_is_refused(name: str) -> None:
    refused(Path(f"{name}.jsonl") if name not in ("", ".") else Path(name))


KEYS = st.sampled_from(
    [
        *("messages", "conversations", "prompt", "completion", "chosen", "rejected", "label", "text", "instruction"),
        *("input", "output", "system", "tools", "role", "content", "tool_calls", "function", "name", "arguments", "id"),
        *("type", "from", "value", "tool_call_id", "reasoning_content", "parameters"),
    ]
)
WORDS = st.sampled_from(["user", "assistant", "system", "tool", "human", "gpt", "text", "function", "[{", "{}", ""])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=600, deadline=None)
@given(raw=VALUES | st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_row_is_read_or_refused(raw: object) -> None:
    for form in FORMS:
        with suppress(FieldInvalid):
            form(raw, "Row 1")
