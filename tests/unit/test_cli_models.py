"""Tests what the commands about models do with files that a person names, and with models where they lie."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paddock.cli import checks
from paddock.config import load
from paddock.engine.remote_records import Record, Records, checked
from paddock.models.aliases import Aliases
from paddock.paths import Home
from tests.fakes.adapter_files import adapter
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


def test_an_alias_may_stand_for_a_model_of_a_remote(told: Told, tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    Records(home).put(checked(Record(name="lab", url="https://lab.example/v1")))
    assert run("models", "alias", "quick", "lab/org/some-model") == 0
    assert Aliases(home).resolve("quick") == "lab/org/some-model"
    for unknown in ("lab/", "lab", "other/some-model", "lab/a\nb"):
        assert run("models", "alias", "quick", unknown) == 1
        assert "There is no model" in told()
    assert Aliases(home).resolve("quick") == "lab/org/some-model"


def test_whether_a_model_fits_with_an_adapter_is_told(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hows: dict[str, dict[str, Any]] = {"formal": {}, "lost": {"architecture": "gemma3"}}
    for name, how in hows.items():
        (tmp_path / f"{name}.gguf").write_bytes(adapter(**how))
        assert run("models", "import", str(tmp_path / f"{name}.gguf")) == 0
    capsys.readouterr()
    assert run("models", "fit", "pocket-v0+formal:0.5", "--json") == 0
    tuned = json.loads(capsys.readouterr().out)
    assert tuned["model"] == "pocket-v0+formal:0.5"
    assert tuned["memory"]["adapter_bytes"] == (tmp_path / "formal.gguf").stat().st_size
    assert run("models", "fit", "pocket-v0", "--json") == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["memory"]["adapter_bytes"] == 0
    less = plain["memory"]["prompt_cache_bytes"] - tuned["memory"]["adapter_bytes"]
    assert tuned["needed_bytes"] == plain["needed_bytes"] - less
    assert run("models", "fit", "pocket-v0+formal") == 0
    assert " of adapters, " in capsys.readouterr().out
    refusals = {
        "pocket-v0+frmal": "There is no adapter 'frmal'",
        "pocket-v0+lost": "The adapter 'lost' does not fit",
        "pocket-v0+formal+formal": "has the adapter 'formal' twice",
        "pocket-v0+formal:x": "no number from -10 to 10",
        "pockt-v0+formal": "There is no model 'pockt-v0+formal'. Did you mean 'pocket-v0'?",
    }
    for name, sentence in refusals.items():
        assert run("models", "fit", name) == 1
        assert sentence in told()
