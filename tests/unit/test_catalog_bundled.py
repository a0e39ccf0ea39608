"""That the bundled file is what tools/pocket makes, in our own wording and under its own name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import pytest

from paddock.models.catalog import BUNDLED
from paddock.models.gguf import read_header
from tools.pocket.bundle import METADATA, PIECES, TEMPLATE, write

ROOT = Path(__file__).parents[2]
POCKET = BUNDLED["pocket-v0"]

# Sentences of widely used templates, which ours must not share.
FOREIGN_WORDING = (
    "You may call one or more functions to assist with the user query",
    "You are provided with function signatures within",
    "For each function call, return a json object",
    "<function-name>",
    "<args-json-object>",
    "You are a helpful assistant",
    "created by Alibaba Cloud",
    "You are a function calling AI model",
    "Don't make assumptions about what values to plug into functions",
    "# Tools",
)


@pytest.fixture(scope="module")
def reader() -> Any:
    return gguf.GGUFReader(POCKET)


def test_the_template_is_the_one_in_the_tools_folder() -> None:
    assert read_header(POCKET).chat_template == TEMPLATE.read_text("utf-8")


def test_the_template_and_the_vocabulary_hold_no_foreign_wording(reader: Any) -> None:
    pieces: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    template = TEMPLATE.read_text("utf-8")
    for wording in FOREIGN_WORDING:
        assert wording not in template
        assert not [piece for piece in pieces if wording in piece]


def test_the_wording_of_the_template_is_single_pieces(reader: Any) -> None:
    pieces: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    kinds: list[int] = reader.fields["tokenizer.ggml.token_type"].contents()
    written = TEMPLATE.read_text("utf-8").replace("\\n", "\n").replace("\\'", "'")
    for number, piece in PIECES.items():
        assert pieces[number] == piece
        assert kinds[number] == gguf.TokenType.USER_DEFINED
        assert piece.removesuffix("\n") in written
    assert "You are pocket, a very small model that lives in paddock. You call tools and answer briefly." in pieces


def test_the_metadata_is_what_the_script_writes(reader: Any) -> None:
    for name, (value, _) in METADATA.items():
        found = reader.fields[name].contents()
        assert found == pytest.approx(value) if isinstance(value, float) else found == value, name


def test_bundling_the_bundled_file_again_changes_nothing(reader: Any, tmp_path: Path) -> None:
    write(reader, tmp_path / "again.gguf")
    assert (tmp_path / "again.gguf").read_bytes() == POCKET.read_bytes()


def test_the_fixed_prompts_are_whole() -> None:
    rows = [json.loads(line) for line in (ROOT / "tools/pocket/prompts.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 370
    assert all(row["messages"][-1]["role"] in ("user", "tool") for row in rows)
