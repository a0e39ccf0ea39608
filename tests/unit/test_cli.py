"""How the command line reads and ends: usage, errors, JSON, and what it costs to start."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from paddock import __version__, cli
from paddock.cli import printing, serve
from paddock.config import NAMES
from paddock.errors import size


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PADDOCK_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def _run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--version") == 0
    assert capsys.readouterr().out == f"paddock {__version__}\n"


@pytest.mark.parametrize("words", [[], ["models"], ["config"]])
def test_a_group_without_a_command_prints_its_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*words) == 0
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sreve"], "No such command 'sreve'. Did you mean 'serve'? See `paddock --help`."),
        (["models", "lsit"], "No such command 'lsit'. Did you mean 'list'? See `paddock models --help`."),
        (["models", "show"], "Missing argument 'MODEL'. See `paddock models show --help`."),
        (["chat", "--url", "ftp://x", "hi"], "'ftp://x' is not an address"),
        (["serve", "--port", "x"], "--port is 'x', which is not a whole number."),
        (["serve", "--port", "99999"], "--port is 99999; it must lie between 0 and 65535."),
        (["serve", "--ctx", "-5"], "--context-tokens is -5; it must lie between 0 and 16777216."),
        (["serve", "--slots", "0"], "--slots is 0; it must lie between 1 and 64."),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Error: ")
    assert sentence in printed.err
    assert printed.err.count("\n") == 1


def test_an_error_with_json_is_json_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.toml").write_text("port = 'x'\n")
    assert _run("config", "show", "--json") == 2
    printed = capsys.readouterr()
    sentence = "config.toml: port is 'x', which is not a whole number."
    assert json.loads(printed.out) == {"error": {"kind": "setting_invalid", "message": sentence}}
    assert printed.err == f"Error: {sentence}\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [(None, "cannot be read: No such file or directory. Check the path"), (b"data: \xff", "is no UTF-8 text (byte 6)")],
)
def test_a_file_of_options_that_cannot_be_read_is_told_in_words(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes | None, words: str
) -> None:
    spec = tmp_path / "options.yaml"
    if data is not None:
        spec.write_bytes(data)
    assert _run("train", "run", str(spec)) != 0
    assert words in capsys.readouterr().err


def test_a_fault_of_our_own_is_a_sentence_and_the_stack_is_for_who_asks() -> None:
    program = """
from paddock import cli

@cli.app.command("broken")
def broken(as_json: bool = False) -> None:
    cli.printing.count("x")

cli.main(["broken"])
"""
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Error: A fault of paddock itself: TypeError in printing.py line ")
    assert ran.stderr.count("\n") == 1
    debug = {**os.environ, "PADDOCK_LOG_LEVEL": "debug"}
    asked = subprocess.run(command, capture_output=True, text=True, check=False, env=debug)
    assert "Traceback" in asked.stderr


def test_config_show_tells_every_setting_and_its_source(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "config.toml").write_text("slots = 3\n")
    monkeypatch.setenv("PADDOCK_THREADS", "5")
    assert _run("config", "show", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    settings = {entry["name"]: entry for entry in shown["settings"]}
    assert shown["home"] == str(home)
    assert list(settings) == list(NAMES)
    assert (settings["slots"]["value"], settings["slots"]["source"], settings["slots"]["default"]) == (3, "file", 2)
    assert (settings["threads"]["value"], settings["threads"]["source"]) == (5, "environment")
    assert (settings["port"]["value"], settings["port"]["source"]) == (8642, "default")
    assert _run("config", "show") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:3] == ["slots", "3", "file"] for line in lines)
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("words", [["config", "show"], ["config", "show", "--json"]])
def test_config_show_tells_no_password(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (home / "config.toml").write_text('engine_mirror = "https://me:hu/sh@mirror.example"\n')
    monkeypatch.setenv("PADDOCK_DATABASE_URL", "postgresql://db.example/name?user=me&password=hush")
    assert _run(*words) == 0
    printed = capsys.readouterr().out
    assert ("https://me:…@mirror.example" in printed) or ("https://me:\\u2026@mirror.example" in printed)
    assert "sh@" not in printed
    assert "hush" not in printed


def test_every_setting_is_an_option_of_serve() -> None:
    group: Any = typer.main.get_command(cli.app)
    options = {parameter.name for parameter in group.commands["serve"].params}
    assert options == set(NAMES)


PAGES = (
    "accounts.md",
    "backup.md",
    "cli.md",
    "engines.md",
    "evaluation.md",
    "knowledge.md",
    "export.md",
    "install.md",
    "keys.md",
    "loading.md",
    "models.md",
    "recorder.md",
    "remotes.md",
    "mcp.md",
    "training.md",
)


def test_every_option_of_every_command_is_in_the_page_about_the_command_line() -> None:
    pages = (Path(__file__).parents[2] / "docs" / name for name in PAGES)
    page = "".join(page.read_text("utf-8") for page in pages)

    def missing(command: Any, words: str) -> Iterator[str]:
        section = page.partition(f"\n## {words}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            for name in parameter.opts + parameter.secondary_opts:
                if name.startswith("-") and name not in ("--help", "-h", "--version") and name not in section:
                    yield f"{words} {name}"
        for name, inner in getattr(command, "commands", {}).items():
            yield from missing(inner, f"{words} {name}")

    assert list(missing(typer.main.get_command(cli.app), "paddock")) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8642", "http://[::1]:9"])
def test_the_curl_line_survives_the_shell(url: str) -> None:
    words = shlex.split(serve.curl_line(url))
    assert words[:2] == ["curl", f"{url}/v1/chat/completions"]
    assert words[2:4] == ["-H", "Content-Type: application/json"]
    assert json.loads(words[5])["messages"][0]["role"] == "user"


def test_the_command_line_loads_no_heavy_room() -> None:
    heavy = [
        "anyio",
        "starlette",
        "uvicorn",
        "aiohttp",
        "huggingface_hub",
        "PIL",
        "xllamacpp",
        "psutil",
        "rich",
        "pydantic",
    ]
    program = f"import sys, paddock.cli; print([name for name in {heavy!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (5053440, "5.1 MB"),
        (99_949_999, "99.9 MB"),
        (123_400_000, "123 MB"),
        (999_600_000, "1.0 GB"),
        (4_920_000_000, "4.9 GB"),
        (2 * 10**15, "2000 TB"),
    ],
)
def test_a_size_is_short_for_people(size_bytes: int, shown: str) -> None:
    assert size(size_bytes) == shown


@pytest.mark.parametrize(("number", "shown"), [(0, "0"), (999, "999"), (4_846_592, "4.8M"), (7_241_732_096, "7.2B")])
def test_a_count_is_short_for_people(number: int, shown: str) -> None:
    assert printing.count(number) == shown


def test_what_a_model_says_cannot_steer_the_terminal() -> None:
    assert printing.clean("a\x1b]0;title\x07b\r\x9bc\u202ed\n\te🐎") == "a]0;titlebcd\n\te🐎"


def test_a_table_in_a_pipe_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    printing.table(("NAME", "SIZE"), [("a", "10"), (long, "2000")], right=("SIZE",))
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{'NAME':<300}  SIZE", f"{'a':<300}    10", f"{long}  2000"]


def test_an_empty_table_is_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    printing.table(("NAME", "SIZE"), [])
    assert capsys.readouterr().out == "NAME  SIZE\n"
