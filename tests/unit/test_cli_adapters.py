"""Tests that the command line lists, imports and removes adapters apart from models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paddock.cli import main
from tests.fakes.adapter_files import adapter


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PADDOCK_HOME", str(tmp_path / "home"))
    path = tmp_path / "formal+lora.gguf"
    path.write_bytes(adapter())
    return path


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return int(str(left.value.code or 0))


def test_an_adapter_is_imported_listed_and_removed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "import", str(file), "--name", "formal") == 0
    assert "formal is here, as a hard link. Models that it fits: pocket-v0." in capsys.readouterr().out
    assert run("models", "list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [model["id"] for model in told["models"]] == ["pocket-v0"]
    (one,) = told["adapters"]
    assert (one["id"], one["fits"], one["origin"], one["size_bytes"]) == (
        "formal", ["pocket-v0"], "imported", file.stat().st_size,
    )  # fmt: skip
    assert told["broken"] == []
    assert run("models", "list") == 0
    assert "ADAPTER" in capsys.readouterr().out
    assert run("models", "rm", "formal", "--yes") == 0
    capsys.readouterr()
    assert run("models", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["adapters"] == []
    assert file.exists()


def test_the_id_of_an_adapter_holds_no_plus(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "import", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["id"] == "formal_lora"


def test_an_adapter_of_a_taken_name_and_a_broken_one_are_refused(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("models", "import", str(file), "--name", "pocket-v0") == 1
    assert "already" in capsys.readouterr().err
    file.write_bytes(adapter(more={"adapter.type": "dora"}))
    assert run("models", "import", str(file)) == 1
    assert "of another kind than LoRA" in capsys.readouterr().err
