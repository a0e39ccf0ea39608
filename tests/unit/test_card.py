"""Tests the card of a model that is pushed: what it says, what it does not know, and that no text forges any of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from paddock.export.card import TEXT_MOST, Card, CardData, CardEvaluation, CardFile, CardTraining, card_of
from paddock.models.hub_push import is_ours

LINKS = {
    "template": {"verdict": "pass", "says": "34 prompts are the same to the byte."},
    "merge": {"verdict": "none", "says": "Nothing was merged."},
}
CERTIFICATE = {"sha256": "ab" * 32, "prompts": 34, "made_s": 1.8e9, "verdict": "pass", "links": LINKS}
FILE = CardFile(name="x-F16.gguf", kind="F16", size_bytes=7, standing="pass", certificate=CERTIFICATE)
DATA = CardData(use="learned from", name="rows.jsonl", sha256="cd" * 32, size_bytes=11, is_as_then=True)
TRAINING = CardTraining(
    name="keeper", state="done", options={"method": "sft", "lora_rank": 16, "seed": 0},
    figures={"rows": 475, "held_out": 25, "eval_loss": 0.31, "events": 9}, data=[DATA],
)  # fmt: skip
REPORT = {"total": {"passed": 90, "of": 100, "share": 0.9, "low": 0.826, "high": 0.945}, "text": None}
EVALUATION = CardEvaluation(file="x-F16.gguf", name="tools", engine="embedded 1", at_s=1.8e9, report=REPORT)
CARD = Card(name="x", base="pocket-v0", version="1.2", files=[FILE], training=TRAINING, evaluations=[EVALUATION])
HOSTILE = (
    "---",
    "a\n---\nlicense: mit\n---\n",
    "...\n--- !!python/object:os.system",
    "x: y\npaddock_card: 1",
    "paddock_card: 1",
    "`code` and ``more``",
    "```\nfence\n```\n# Heading",
    "~~~\n<div>\n~~~",
    "<script>alert(1)</script>",
    "</code></td></table><img src=x onerror=alert(1)>",
    "<!-- comment -->",
    "![picture](https://evil.example/p.png)",
    "[link](javascript:alert(1)) <https://evil.example>",
    "[a]: https://evil.example 'a'\n\n[a]",
    "www.evil.example and https://evil.example and me@evil.example",
    "| a | b |\n|---|---|\n| c | d |",
    "\\` \\| \\",
    "$$\\href{javascript:alert(1)}{x}$$ and \\(y\\)",
    "# Heading\n\n* list\n1. one\n> quote\n\n    code",
    "abc\u202etxt.exe\u2066\u200b\u2028\u2029\u0000\u001b[31m\ufeff\x85",
    "\ud800 half a character",
    "*bold* _it_ ~~gone~~ :smile: @someone #1 &lt;b&gt; &#96;",
    "{{ template }} {% raw %} ${x}",
    "x" * 1_000_000,
    "\u0301" * 5000,
    "",
    "   ",
)


def body_of(text: str) -> tuple[dict[str, Any], str]:
    """The front matter as YAML reads it, and what comes behind it."""
    assert text.startswith("---\n")
    front, _, body = text.removeprefix("---\n").partition("\n---\n")
    return yaml.safe_load(front), body


def told_of(body: str) -> list[tuple[str, str]]:
    """What a reader of Markdown makes of it: each kind of token, and the tag."""
    reader = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    return [(one.type, one.tag) for top in reader.parse(body) for one in (top, *(top.children or []))]


def hostile(text: str) -> Card:
    """A card in which that stands wherever somebody else wrote."""
    links = {name: {"verdict": text, "says": text} for name in LINKS}
    certificate = {**CERTIFICATE, "sha256": text, "links": links, "made_s": text, "prompts": text}
    return Card(
        name=text,
        base=text,
        version=text,
        files=[replace(FILE, name=text, kind=text, certificate=certificate)],
        training=CardTraining(
            name=text,
            state=text,
            options={text: text, "method": {text: [text]}},
            figures={"rows": text},
            data=[replace(DATA, name=text, sha256=text)],
        ),
        evaluations=[replace(EVALUATION, file=text, name=text, engine=text, report={"total": {"passed": text}})],
    )


def plain() -> Card:
    """The same card with a harmless word in those places."""
    return hostile("word")


def test_a_card_says_what_is_known() -> None:
    text = card_of(CARD)
    front, body = body_of(text)
    assert front == {"model_name": "x", "tags": ["gguf", "paddock"], "paddock_card": 1}
    assert is_ours(text)
    for said in (
        "# `x`", "| `x-F16.gguf` | `F16` | 7 | passes |",
        "| template | passes | `34 prompts are the same to the byte.` |",
        "| merge | does not apply | `Nothing was merged.` |", "`keeper` was trained by paddock from `pocket-v0`",
        "| `lora_rank` | `16` |", "| `seed` | `0` |", "| rows learned from | `475` |",
        f"| learned from | `rows.jsonl` | 11 | `{'cd' * 32}` | by its time, yes |",
        "| `x-F16.gguf` | `tools` | 90 of 100 pass (82.6 to 94.5 %) | `embedded 1` | 2027-01-15 |",
        "The licence: that of the base model and of the data holds, and paddock does not know them.",
    ):  # fmt: skip
        assert said in body, said
    assert card_of(CARD) == text


def test_a_card_says_what_is_not_known() -> None:
    bare = Card(name="x", base="folder", version="1", files=[replace(FILE, standing=None, certificate={})])
    body = body_of(card_of(bare))[1]
    assert "No file here has one: whether they say what was trained was not compared." in body
    assert "It was exported from `folder` as it was found. What that learned from, and how, is not known." in body
    assert "None is known of exactly these files." in body
    assert "How good its answers are." in body
    gone = replace(DATA, sha256="", is_as_then=None)
    cut = replace(CARD, training=replace(TRAINING, state="cancelled", data=[gone, replace(DATA, is_as_then=False)]))
    body = body_of(card_of(cut))[1]
    assert "not known: the file is not there any more" in body
    assert "no: it was written since the training began" in body
    assert "It did not come to its end" in body
    assert (
        "What it learned from is not known." in body_of(card_of(replace(CARD, training=replace(TRAINING, data=[]))))[1]
    )


def test_a_certificate_of_other_bytes_or_of_another_form_is_told_as_that() -> None:
    other = replace(CARD, files=[replace(FILE, standing="changed", certificate={"links": ["x"], "made_s": -1e99})])
    body = body_of(card_of(other))[1]
    assert "`x-F16.gguf`: is of other bytes. compared on an unknown day." in body
    report = {"total": None, "text": {"perplexity": 12.3456, "texts": 3}}
    measured = replace(CARD, evaluations=[replace(EVALUATION, report=report)])
    assert "perplexity 12.35 over 3 texts" in card_of(measured)


@pytest.mark.attack("texts that forge a model's card")
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_forges_front_matter_html_links_images_or_fences(text: str) -> None:
    card = card_of(hostile(text))
    card.encode()
    assert [line for line in card.splitlines() if line in ("---", "...")] == ["---", "---"]
    front, body = body_of(card)
    assert set(front) == {"model_name", "tags", "paddock_card"}
    assert front["tags"] == ["paddock"]
    assert isinstance(front["model_name"], str | int | float | None)
    # Whatever stands in it, it is read as the same headings, tables and code as a harmless one.
    assert [one for one in told_of(body) if one[0] != "text"] == [
        one for one in told_of(body_of(card_of(plain()))[1]) if one[0] != "text"
    ] or not text.strip()
    assert {kind for kind, _ in told_of(body)}.isdisjoint(
        ("html_block", "html_inline", "link_open", "image", "fence", "code_block", "hr", "blockquote_open")
    )
    assert not set(body) & set("<>$\\\u202e\u2066\u200b\u2028\u2029\x00\x1b\ufeff\x85\ud800")
    assert len(card) < 60 * TEXT_MOST


@pytest.mark.attack("texts that forge a model's card")
def test_no_text_makes_a_card_of_somebody_else_ours() -> None:
    assert not is_ours("# Somebody's card\n\npaddock_card: 1\n")
    assert not is_ours("---\nlicense: mit\n---\n\npaddock_card: 1\n---\n")
    assert not is_ours("---\npaddock_card: 1\n")
    assert not is_ours("---\nmodel_name: 'x paddock_card: 1'\n---\n")
    assert not is_ours("")
