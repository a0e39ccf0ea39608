"""Tests what is read of files that others made: chats of every form that is known, documents, and what is none of it.

The samples are constructed after what is publicly known of each form.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.api.chat_schemas import ChatBrought
from paddock.reading.chats import chats_in, recognised
from paddock.reading.documents import DOCX, PDF, text_of
from paddock.reading.faults import Unreadable
from tests.fakes.documents import pdf, word

Json = dict[str, Any]


def node(name: str, parent: str | None, role: str | None, *parts: Any, **more: Any) -> Json:
    """A node of a conversation of ChatGPT."""
    made = None
    if role:
        content = {"content_type": "text", "parts": list(parts)}
        made = {"author": {"role": role}, "content": content, "create_time": 1700000000.5, "metadata": {}, **more}
    return {"id": name, "parent": parent, "children": [], "message": made}


CHATGPT: Json = {
    "title": "Tea", "create_time": 1700000000.0, "update_time": 1700000100.0, "conversation_id": "c-1",
    "current_node": "a2",
    "mapping": {
        "root": node("root", None, None),
        "hidden": node("hidden", "root", "system", "", metadata={"is_visually_hidden_from_conversation": True}),
        "u1": node("u1", "hidden", "user", "How long?"),
        "a1": node("a1", "u1", "assistant", "Three minutes.", metadata={"model_slug": "gpt-x"}),
        "t": node("t", "u1", "tool", "found"),
        "a2": node("a2", "t", "assistant", "Four.", {"content_type": "image_asset_pointer"}),
    },
}  # fmt: skip
WEBUI: Json = {
    "id": "w-1", "title": "Maths", "created_at": 1700000000, "updated_at": 1700000050, "pinned": True,
    "chat": {
        "params": {"system": "Be brief."},
        "history": {
            "currentId": "b",
            "messages": {
                "a": {
                    "id": "a", "parentId": None, "role": "user", "content": "2+2?", "timestamp": 1700000001,
                    "files": [{"type": "image", "url": "data:image/png;base64,QUJD"}, {"type": "file", "id": "x"}],
                },
                "b": {
                    "id": "b", "parentId": "a", "role": "assistant", "model": "m", "timestamp": 1700000002,
                    "content": '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n'
                    "> It is\n> four\n</details>\n4",
                },
            },
        },
    },
}  # fmt: skip
STUDIO: Json = {
    "name": "Poem", "createdAt": 1700000000000, "systemPrompt": "Rhyme.",
    "messages": [
        {"versions": [{"role": "user", "content": [{"type": "text", "text": "Go"}]}], "currentlySelected": 0},
        {
            "currentlySelected": 1,
            "versions": [
                {"role": "assistant", "steps": [{"content": [{"type": "text", "text": "First"}]}]},
                {
                    "role": "assistant", "senderInfo": {"senderName": "llama"},
                    "steps": [
                        {"style": {"type": "thinking"}, "content": [{"type": "text", "text": "hm"}]},
                        {"content": [{"type": "text", "text": "Second"}]},
                    ],
                },
            ],
        },
        {"versions": [{"role": "user", "content": [{"type": "text", "text": "More"}]}], "currentlySelected": 0},
    ],
}  # fmt: skip
SHAREGPT: Json = {
    "conversations": [
        {"from": "system", "value": "Be kind."}, {"from": "human", "value": "Hi"},
        {"from": "function_call", "value": '{"name": "look", "arguments": {"at": 1}}'},
        {"from": "observation", "value": "nothing"}, {"from": "gpt", "value": "Hello"},
        {"from": "narrator", "value": "?"},
    ]
}  # fmt: skip


def read(tmp_path: Path, data: bytes | str | Any) -> tuple[str, list[Json]]:
    """The form and the chats of a file."""
    source = tmp_path / "source"
    source.write_bytes(
        data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    )
    form, chats = chats_in(source)
    return form, list(chats)


def said(chat: Json) -> list[tuple[str, str]]:
    """Who says what, in order."""
    return [
        (one["role"], " ".join(part.get("text", part["type"]) for part in one["content"])) for one in chat["messages"]
    ]


def checked(chat: Json) -> ChatBrought:
    """The chat as the route checks it."""
    return ChatBrought.model_validate(
        {name: value for name, value in chat.items() if name not in ("attachments", "left_out")}
    )


def test_a_conversation_of_chatgpt_keeps_its_branches(tmp_path: Path) -> None:
    form, (chat,) = read(tmp_path, [CHATGPT])
    assert (form, chat["title"], chat["created_s"], chat["updated_s"]) == ("chatgpt", "Tea", 1700000000.0, 1700000100.0)
    assert said(chat) == [("user", "How long?"), ("assistant", "Three minutes."), ("assistant", "Four.")]
    user, first, second = chat["messages"]
    assert (first["parent_id"], second["parent_id"], user["parent_id"]) == (user["id"], user["id"], None)
    assert (chat["leaf_id"], first["model"]) == (second["id"], "gpt-x")
    assert sorted(chat["left_out"]) == ["images and files", "what tools answered"]
    checked(chat)


def test_the_zip_in_which_chatgpt_sends_them_is_read(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("user.json", "{}")
        made.writestr("conversations.json", json.dumps([CHATGPT]))
    assert read(tmp_path, packed.getvalue())[0] == "chatgpt"


def test_a_chat_of_open_webui_keeps_thoughts_and_images(tmp_path: Path) -> None:
    form, (chat,) = read(tmp_path, [WEBUI])
    assert (form, chat["pinned"], chat["settings"]) == ("open-webui", True, {"system": "Be brief."})
    user, answer = chat["messages"]
    assert [part["type"] for part in user["content"]] == ["text", "image"]
    assert chat["attachments"][0]["data"] == "QUJD"
    assert answer["content"] == [
        {"type": "reasoning", "text": "It is\nfour", "duration_s": 3.0},
        {"type": "text", "text": "4"},
    ]
    assert (chat["left_out"], chat["leaf_id"]) == (["files"], answer["id"])
    checked(chat)


def test_a_conversation_of_lm_studio_keeps_versions(tmp_path: Path) -> None:
    form, (chat,) = read(tmp_path, STUDIO)
    assert (form, chat["title"], chat["created_s"]) == ("lm-studio", "Poem", 1700000000.0)
    assert said(chat) == [("user", "Go"), ("assistant", "First"), ("assistant", "hm Second"), ("user", "More")]
    first, one, two, last = chat["messages"]
    assert {one["parent_id"], two["parent_id"]} == {first["id"]}
    assert (last["parent_id"], chat["leaf_id"], two["model"]) == (two["id"], last["id"], "llama")
    checked(chat)


@pytest.mark.parametrize("form", ["json", "lines", "messages"])
def test_sharegpt_is_read_in_each_form(tmp_path: Path, form: str) -> None:
    if form == "messages":
        turns = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
        ]
        name, (chat,) = read(tmp_path, {"messages": turns})
        assert (name, said(chat)) == ("sharegpt", [("user", "Hi"), ("assistant", "Hello")])
        return
    data = json.dumps([SHAREGPT]) if form == "json" else f"{json.dumps(SHAREGPT)}\n\n{json.dumps(SHAREGPT)}\n"
    name, chats = read(tmp_path, data)
    assert (name, len(chats)) == ("sharegpt", 1 if form == "json" else 2)
    assert [one["role"] for one in chats[0]["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert chats[0]["messages"][2]["content"][0]["name"] == "look"
    assert chats[0]["left_out"] == ["turn 6: nobody is called 'narrator'"]
    checked(chats[0])


def test_the_same_file_gives_the_same_ids(tmp_path: Path) -> None:
    for one in (CHATGPT, WEBUI, STUDIO, SHAREGPT):
        assert read(tmp_path, [one]) == read(tmp_path, [one])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON"), (b"hello", "no JSON"), (b"\xff\xfe\x00", "UTF-8"), (b"[]", "no chat"), (b"{}", "not known"),
        (b'{"a": NaN}', "NaN"), (b"[1]\n[2", "line 2"), (b"PK\x03\x04rubbish", "unpacked"),
        (b'{"format": "paddock-chats", "version": 9, "chats": []}', "version 9"), (b"[[[", "no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_chats_is_told(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read(tmp_path, data)


def test_a_ring_of_parents_is_cut(tmp_path: Path) -> None:
    ring = {**CHATGPT, "mapping": {"a": node("a", "b", "user", "1"), "b": node("b", "a", "user", "2")}}
    _, (chat,) = read(tmp_path, [ring])
    assert len(chat["messages"]) == 2
    checked(chat)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["mapping", "chat", "history", "messages", "versions", "conversations", "from", "value", "role", "content",
             "parts", "parent", "parentId", "message", "author", "currentId", "steps", "text", "files", "url", "type"]
        ), inner, max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(ODD)
def test_whatever_stands_there_is_read_or_refused(value: Any) -> None:
    try:
        _, chats = recognised(value)
        for chat in chats:
            json.dumps(chat)
            if chat["id"] and all(len(one["content"]) <= 200 for one in chat["messages"]):
                checked(chat)
    except Unreadable:
        pass


def test_a_pdf_is_read(tmp_path: Path) -> None:
    source = tmp_path / "made.pdf"
    source.write_bytes(pdf("Tea takes three minutes.", "Coffee takes four."))
    found = text_of(source)
    assert (found.media_type, found.pages) == (PDF, 2)
    assert found.text == "Tea takes three minutes.\n\nCoffee takes four."


def test_a_word_document_is_read(tmp_path: Path) -> None:
    source = tmp_path / "made.docx"
    source.write_bytes(word())
    found = text_of(source)
    assert found.media_type == DOCX
    assert found.text == "# Drinks\nTea takes three minutes.\n| drink | minutes |\n| coffee | 4 |"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pdf(""), "no text"), (pdf("x")[:200], "cannot be read|no text"), (b"%PDF-1.7\n", "cannot be read"),
        (b"PK\x03\x04rubbish", "cannot be read"),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_read_says_why(tmp_path: Path, data: bytes, words: str) -> None:
    source = tmp_path / "made"
    source.write_bytes(data)
    with pytest.raises(Unreadable, match=words):
        text_of(source)


def test_a_zip_that_is_no_document_and_one_that_swells_are_refused(tmp_path: Path) -> None:
    for name, size, words in (("a.txt", 10, "no Word document"), ("word/document.xml", 300 * 2**20, "may have 256")):
        source = tmp_path / "made.zip"
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr(name, b" " * size)
        with pytest.raises(Unreadable, match=words):
            text_of(source)


def test_a_locked_pdf_says_so(tmp_path: Path) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("secret"))))
    writer.encrypt("hunter2", algorithm="AES-256")
    source = tmp_path / "made.pdf"
    writer.write(source)
    with pytest.raises(Unreadable, match="locked with a password"):
        text_of(source)
