"""Tests what the commands about models do with files that a person names, and with models where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from paddock.cli import checks
from paddock.config import load
from tests.fakes.gguf_files import gguf
from tests.unit.test_cli_adapters import run

Told = Callable[[], str]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """A home of its own, and what was said on stderr since the last look."""
    monkeypatch.setenv("PADDOCK_HOME", str(tmp_path / "home"))
    return lambda: capsys.readouterr().err


def test_a_template_is_read_from_a_text_file_and_from_nothing_else(told: Told, tmp_path: Path) -> None:
    pipe, large, bytes_, good = (tmp_path / name for name in ("pipe", "large", "bytes", "good"))
    os.mkfifo(pipe)
    large.write_bytes(b"x" * (2**20 + 1))
    bytes_.write_bytes(b"\xff")
    good.write_text("{{ messages }}", "utf-8")
    reasons = {
        "/dev/zero": "it is a device",
        str(pipe): "it is a named pipe",
        str(tmp_path): "it is a folder",
        str(large): "it has more than 1048576 bytes",
        str(tmp_path / "absent"): "No such file or directory",
        str(bytes_): "'utf-8' codec can't decode",
        "~nobody-of-that-name/x": "home directory",
    }
    for path, reason in reasons.items():
        assert run("models", "set", "pocket-v0", f"chat_template={path}") == 2
        said = told()
        assert reason in said
        assert "Give a text file of at most 1 MiB." in said
    assert run("models", "set", "pocket-v0", f"chat_template={good}") == 0


def test_a_model_in_a_folder_of_ones_own_is_there_for_every_command(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "own.gguf").write_bytes(gguf())
    (folder / "half.gguf").write_bytes(gguf()[:-100])
    monkeypatch.setenv("PADDOCK_MODEL_FOLDERS", str(folder))
    monkeypatch.setenv("PADDOCK_SCAN_OTHERS", "no")
    for words in (("show", "own"), ("set", "own", "top_k=7"), ("template", "own"), ("alias", "my-own", "own")):
        assert run("models", *words) == 0, words
    assert "top_k" in capsys.readouterr().out
    check = checks.models_check(load())
    assert check.status == "warn"
    assert check.detail.startswith("2 usable, 1 not: half: 'half.gguf' is cut short")
    (folder / "half.gguf").unlink()
    assert checks.models_check(load()).detail == "pocket-v0, own"
    for number in range(30):
        (folder / f"own-{number}.gguf").write_bytes(gguf(more={"general.name": str(number)}))
    assert checks.models_check(load()).detail.endswith(" and 12 more")
