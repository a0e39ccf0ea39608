"""Tests what is read of files that mean harm, or hold what is easily lost: numbers, thoughts, wrapped words of Word."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from paddock.protocol.chat_exports import markdown
from paddock.reading.chats import chats_in, recognised
from paddock.reading.documents import text_of
from paddock.reading.faults import Unreadable
from paddock.reading.values import with_thoughts
from tests.fakes.documents import word

Json = dict[str, Any]
_NAMESPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def rewritten(body: str) -> bytes:
    """A Word document whose body is this XML."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word())) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "word/document.xml":
                data = f"<w:document {_NAMESPACE}><w:body>{body}</w:body></w:document>".encode()
            new.writestr(name, data)
    return made.getvalue()


def said(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_words_in_controls_changes_and_tables_within_tables_are_kept(tmp_path: Path) -> None:
    inner = f"<w:tbl><w:tr><w:tc>{said('inner')}</w:tc></w:tr></w:tbl>"
    body = (
        f"<w:sdt><w:sdtContent>{said('controlled')}</w:sdtContent></w:sdt>"
        "<w:p><w:r><w:t>before</w:t></w:r><w:ins><w:r><w:t> inserted</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText> deleted</w:delText></w:r></w:del>"
        "<w:sdt><w:sdtContent><w:r><w:tab/><w:t>inline</w:t></w:r></w:sdtContent></w:sdt></w:p>"
        f"<w:tbl><w:tr><w:tc>{said('outer')}{inner}</w:tc><w:tc>{said('beside')}</w:tc></w:tr></w:tbl>"
    )
    (tmp_path / "a.docx").write_bytes(rewritten(body))
    assert text_of(tmp_path / "a.docx").text == "controlled\nbefore inserted\tinline\n| outer inner | beside |"


def test_a_cell_that_says_to_span_a_world_is_one_cell(tmp_path: Path) -> None:
    span = '<w:tcPr><w:gridSpan w:val="2000000000"/></w:tcPr>'
    body = f"<w:tbl><w:tr><w:tc>{span}{said('wide')}</w:tc></w:tr></w:tbl>"
    (tmp_path / "a.docx").write_bytes(rewritten(body))
    assert text_of(tmp_path / "a.docx").text == "| wide |"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "Infinity", "NaN"])
def test_a_number_that_json_cannot_hold_is_refused(tmp_path: Path, number: str) -> None:
    (tmp_path / "a.json").write_text(f'{{"format": "paddock-chats", "version": 1, "x": {number}}}')
    with pytest.raises(Unreadable, match="JSON"):
        chats_in(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("<think>\nwhy\n</think>\n\nso", ["reasoning", "text"]),
        ("<think></think>so", ["text"]),
        ("<think>never closed", ["text"]),
        ("so <think>later</think>", ["text"]),
        ("", ["text"]),
    ],
)
def test_thoughts_between_tags_become_thoughts(text: str, kinds: list[str]) -> None:
    assert [part["type"] for part in with_thoughts(text)] == kinds


def test_a_chat_that_left_as_sharegpt_has_no_raw_tags_when_it_is_back() -> None:
    turns = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "<think>\nhm\n</think>\n\nBecause."}]
    _, chats = recognised([{"conversations": turns}])
    (chat,) = chats
    assert chat["messages"][1]["content"] == [
        {"type": "reasoning", "text": "hm"},
        {"type": "text", "text": "Because."},
    ]


def test_thoughts_that_never_end_are_words() -> None:
    text = '<details type="reasoning">' * 20_000
    _, chats = recognised([webui(text)])
    (chat,) = chats
    assert chat["messages"][0]["content"] == [{"type": "text", "text": text}]


def webui(content: Any) -> Json:
    held = {"a": {"id": "a", "parentId": None, "role": "assistant", "content": content}}
    return {"id": "w", "chat": {"history": {"currentId": "a", "messages": held}}}


def test_parts_of_open_webui_are_kept() -> None:
    _, chats = recognised([webui([{"type": "text", "text": "seen"}, {"type": "image_url"}])])
    (chat,) = chats
    assert chat["messages"][0]["content"] == [{"type": "text", "text": "seen"}]
    assert chat["left_out"] == ["files"]


def test_what_was_spoken_to_chatgpt_is_kept_and_what_is_left_out_is_told() -> None:
    spoken = {"content_type": "multimodal_text", "parts": [{"content_type": "audio_transcription", "text": "Hello"}]}
    recap = {"content_type": "reasoning_recap", "content": "Thought for 3 s"}
    nodes = {
        "u": {"id": "u", "parent": None, "message": {"author": {"role": "user"}, "content": spoken}},
        "a": {"id": "a", "parent": "u", "message": {"author": {"role": "assistant"}, "content": recap}},
    }
    _, chats = recognised([{"mapping": nodes, "current_node": "a"}])
    (chat,) = chats
    assert [one["content"] for one in chat["messages"]] == [[{"type": "text", "text": "Hello"}]]
    assert chat["left_out"] == ["parts of the kind 'reasoning_recap'"]


def test_conversations_without_names_of_their_own_are_told_apart_by_what_is_in_them() -> None:
    def untitled(text: str) -> Json:
        version = {"role": "user", "content": [{"type": "text", "text": text}]}
        return {"name": "Untitled", "messages": [{"versions": [version], "currentlySelected": 0}]}

    ids = [next(recognised(untitled(text))[1])["id"] for text in ("one", "two", "one")]
    assert ids[0] == ids[2] != ids[1]


def test_a_long_chain_of_nodes_that_say_nothing_is_gone_through_once() -> None:
    nodes: Json = {f"h{n}": {"id": f"h{n}", "parent": f"h{n - 1}" if n else None} for n in range(3000)}
    for n in range(3000):
        content = {"content_type": "text", "parts": [f"m{n}"]}
        nodes[f"m{n}"] = {"parent": "h2999", "message": {"author": {"role": "user"}, "content": content}}
    _, chats = recognised([{"mapping": nodes}])
    (chat,) = chats
    assert len(chat["messages"]) == 3000
    assert {one["parent_id"] for one in chat["messages"]} == {None}


def test_code_without_an_end_does_not_swallow_what_follows() -> None:
    told = {"id": "c", "title": "A\nB", "leaf_id": "b"}
    messages = [
        {"id": "a", "parent_id": None, "role": "assistant", "model": None, "content": [part("```py\nx = 1")]},
        {"id": "b", "parent_id": "a", "role": "user", "model": None, "content": [part("````\n```\n````\nand?")]},
    ]
    written = markdown(told, messages)
    assert written.startswith("# A B\n")
    assert "x = 1\n```\n" in written
    assert written.rstrip().endswith("````\nand?")


def part(text: str) -> Json:
    return json.loads(json.dumps({"type": "text", "text": text}))
