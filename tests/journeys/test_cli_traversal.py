"""Tests that no name on the command line leads to a file outside the data home: nothing is read, changed or made.

What a command takes as a file by its nature (`paddock models import FILE`) is the person's own choice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from paddock import cli
from tests.traversal import Ground, laid_out, ways

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 1200
# Each command with a name in the place of the braces, by the parameter that takes it.
NAMED: dict[str, list[str]] = {
    "models show MODEL": ["models", "show", "{}", "--json"],
    "models import NAME": ["models", "import", "<file>", "--name={}"],
    "models rm MODELS": ["models", "rm", "--yes", "--", "{}"],
    "models unload MODEL": ["models", "unload", "--", "{}"],
    "models fit MODEL": ["models", "fit", "--", "{}"],
    "models alias PATTERN": ["models", "alias", "--", "{}", "pocket-v0"],
    "models alias MODEL": ["models", "alias", "short", "--", "{}"],
    "models unalias PATTERN": ["models", "unalias", "--", "{}"],
    "models set MODEL": ["models", "set", "--", "{}", "top_k=3"],
    "models set VALUES": ["models", "set", "pocket-v0", "draft_model={}"],
    "models set CLEAR": ["models", "set", "pocket-v0", "--clear={}"],
    "models template MODEL": ["models", "template", "--", "{}"],
    "pull SPEC": ["pull", "--", "{}"],
    "downloads pause DOWNLOAD": ["downloads", "pause", "--", "{}"],
    "downloads resume DOWNLOAD": ["downloads", "resume", "--", "{}"],
    "downloads cancel DOWNLOAD": ["downloads", "cancel", "--", "{}"],
    "doctor clients NAMES": ["doctor", "clients", "--", "{}"],
    "doctor clients MODEL": ["doctor", "clients", "--model={}"],
    "connect CLIENT": ["connect", "--", "{}"],
    "connect MODEL": ["connect", "claude-code", "--model={}"],
    "chat MODEL": ["chat", "--model={}", "hello"],
    "engine list TAG": ["engine", "list", "--available", "--tag={}"],
    "engine install BUILD": ["engine", "install", "--build={}"],
    "engine install TAG": ["engine", "install", "--tag={}"],
    "engine install MODELS": ["engine", "install", "--tag=b1", "--models={}"],
    "engine use NAME": ["engine", "use", "--", "{}"],
    "engine use MODELS": ["engine", "use", "embedded", "--models={}"],
    "engine remove NAMES": ["engine", "remove", "--", "{}"],
    "engine probe NAME": ["engine", "probe", "--", "{}"],
    "knowledge add COLLECTION": ["knowledge", "add", "--", "{}", "<file>"],
    "knowledge list COLLECTION": ["knowledge", "list", "--", "{}"],
    "knowledge search COLLECTION": ["knowledge", "search", "--", "{}", "hay"],
    "knowledge sync COLLECTION": ["knowledge", "sync", "--", "{}"],
    "knowledge remove COLLECTION": ["knowledge", "remove", "--yes", "--", "{}"],
    "knowledge remove DOCUMENT": ["knowledge", "remove", "--yes", "--document={}", "x"],
    "keys create NAME": ["keys", "create", "--name={}", "--json"],
    "keys create MAY": ["keys", "create", "--may={}"],
    "keys create MODELS": ["keys", "create", "--models={}"],
    "keys create PATHS": ["keys", "create", "--paths={}"],
    "keys create USER": ["keys", "create", "--user={}"],
    "keys revoke KEY_ID": ["keys", "revoke", "--", "{}"],
    "users add NAME": ["users", "add", "--link", "--", "{}"],
    "users link NAME": ["users", "link", "--", "{}"],
    "users password NAME": ["users", "password", "--", "{}"],
    "users change NAME": ["users", "change", "--admin", "--", "{}"],
    "users remove NAME": ["users", "remove", "--yes", "--", "{}"],
    "remotes add NAME": ["remotes", "add", "--", "{}", "http://127.0.0.1:9"],
    "remotes remove NAME": ["remotes", "remove", "--", "{}"],
    "remotes check NAME": ["remotes", "check", "--", "{}"],
    "mcp add NAME": ["mcp", "add", "--url=http://127.0.0.1:9", "--private", "--", "{}"],
    "mcp enable NAME": ["mcp", "enable", "--", "{}"],
    "mcp disable NAME": ["mcp", "disable", "--", "{}"],
    "mcp remove NAME": ["mcp", "remove", "--", "{}"],
    "mcp tools NAME": ["mcp", "tools", "--", "{}"],
    "mcp tools READ": ["mcp", "tools", "--read={}", "none"],
    "mcp try NAME": ["mcp", "try", "--", "{}", "tool"],
    "mcp try TOOL": ["mcp", "try", "none", "--", "{}"],
    "mcp try ARGUMENTS": ["mcp", "try", "none", "tool", "--", "{}"],
    "train run NAME": ["train", "run", "--name={}", "--set=data=llama-keeper"],
    "train run OPTIONS": ["train", "run", "--set=data={}"],
    "train estimate OPTIONS": ["train", "estimate", "--set=data={}"],
    "train compare COMPARED": ["train", "compare", "--", "{}"],
    "train show JOB": ["train", "show", "--", "{}"],
    "train watch JOB": ["train", "watch", "--", "{}"],
    "train stop JOB": ["train", "stop", "--", "{}"],
    "train cancel JOB": ["train", "cancel", "--", "{}"],
    "train resume JOB": ["train", "resume", "--", "{}"],
    "train checkpoints JOB": ["train", "checkpoints", "--", "{}"],
    "train try JOB": ["train", "try", "--", "{}"],
    "train try MODEL": ["train", "try", "--model={}", "job_"],
    "train remove JOB": ["train", "remove", "--yes", "--", "{}"],
    "export run SOURCE": ["export", "run", "--", "{}"],
    "export run BASE": ["export", "run", "--base={}", "pocket-v0"],
    "export run NAME": ["export", "run", "--name={}", "pocket-v0"],
    "export run TYPES": ["export", "run", "--type={}", "pocket-v0"],
    "export run IMPORTANCE": ["export", "run", "--type=Q6_K", "--importance={}", "pocket-v0"],
    "export run EVALUATE": ["export", "run", "--evaluate={}", "pocket-v0"],
    "export run SPLIT": ["export", "run", "--split-max-size={}", "pocket-v0"],
    "export show EXPORT_ID": ["export", "show", "--", "{}"],
    "export verify EXPORT_ID": ["export", "verify", "--", "{}"],
    "export push EXPORT_ID": ["export", "push", "--", "{}", "a/b"],
    "export push REPO": ["export", "push", "--", "job_", "{}"],
    "export push TYPES": ["export", "push", "--type={}", "job_", "a/b"],
    "export cancel EXPORT_ID": ["export", "cancel", "--", "{}"],
    "export resume EXPORT_ID": ["export", "resume", "--", "{}"],
    "export remove EXPORT_ID": ["export", "remove", "--yes", "--", "{}"],
    "eval tools MODEL": ["eval", "tools", "--", "{}"],
    "eval pocket MODEL": ["eval", "pocket", "--", "{}"],
    "eval run MODEL": ["eval", "run", "--set=/dev/null", "--", "{}"],
    "eval run NAME": ["eval", "run", "--set=/dev/null", "--name={}", "pocket-v0"],
    "eval run JUDGE": ["eval", "run", "--set=/dev/null", "--judge={}", "pocket-v0"],
    "eval vote MODEL": ["eval", "vote", "--set=/dev/null", "--", "{}", "pocket-v0"],
    "eval vote OTHER": ["eval", "vote", "--set=/dev/null", "--", "pocket-v0", "{}"],
    "eval vote NAME": ["eval", "vote", "--set=/dev/null", "--name={}", "pocket-v0", "other"],
    "eval compare BEFORE": ["eval", "compare", "--", "{}", "job_"],
    "eval compare AFTER": ["eval", "compare", "job_", "--", "{}"],
    "eval show EVALUATION_ID": ["eval", "show", "--", "{}"],
    "eval stop EVALUATION_ID": ["eval", "stop", "--", "{}"],
    "eval cancel EVALUATION_ID": ["eval", "cancel", "--", "{}"],
    "eval resume EVALUATION_ID": ["eval", "resume", "--", "{}"],
    "eval remove EVALUATION_ID": ["eval", "remove", "--yes", "--", "{}"],
    "requests show RECORD_ID": ["requests", "show", "--", "{}"],
    "requests show SECTION": ["requests", "show", "0", "--section={}"],
    "requests curl RECORD_ID": ["requests", "curl", "--", "{}"],
    "requests replay RECORD_ID": ["requests", "replay", "--", "{}"],
    "requests replay MODEL": ["requests", "replay", "0", "--model={}"],
}
# Commands that take a file or a folder of a person's own choice, or look whether a name is one.
PLACED = [
    ["export", "run", "{}"], ["export", "run", "--base={}", "pocket-v0"],
    ["export", "run", "--type=Q6_K", "--importance={}", "pocket-v0"],
    ["train", "estimate", "--set=data={}"], ["train", "estimate", "--set=data=llama-keeper", "--set=eval_data={}"],
    ["train", "estimate", "--set=data=llama-keeper", "--set=base={}"], ["train", "estimate", "{}"],
    ["backup", "make", "{}"], ["backup", "show", "{}"], ["backup", "check", "{}"], ["backup", "restore", "--yes", "{}"],
    ["models", "import", "{}"], ["models", "show", "{}"], ["models", "set", "pocket-v0", "chat_template={}"],
    ["models", "template", "{}", "--check"], ["chat", "--model={}", "hello"], ["doctor", "clients", "--model={}"],
    ["eval", "run", "--set={}", "pocket-v0"], ["eval", "tools", "--detach", "{}"], ["upgrade", "{}"],
    ["eval", "vote", "--set={}", "pocket-v0", "other"],
    ["engine", "use", "--path={}"],
]  # fmt: skip
# Texts that are no names: files and addresses of the person's own choice, and what is only said.
APART = {
    "backup make FILE", "backup show FILE", "backup check FILE", "backup restore FILE",
    "chat MESSAGE", "chat SYSTEM", "eval run SET_", "eval vote SET_", "models import FILE", "engine install ARCHIVE",
    "engine install PACKAGE", "engine install DEFINE", "engine use PATH", "remotes add KEY_FROM_ENV",
    "mcp add COMMAND", "mcp add ENV", "mcp add HEADER", "mcp add FOLDER", "mcp import FILE", "mcp import GIVEN",
    "remotes add MODEL", "hub token TOKEN_FROM_ENV",
    "knowledge add FILES", "knowledge search QUERY", "knowledge sync FOLDER",
    "setup python-stack BUILD", "setup python-stack INDEX", "train run SPEC", "train estimate SPEC", "train try ASK",
    "upgrade SOURCE",
}  # fmt: skip


def parameters() -> set[str]:
    """Every parameter of every command that takes a text, but addresses of paddock and what `serve` sets."""
    found: set[str] = set()

    def walk(command: Any, name: str) -> None:
        for word, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{name} {word}".strip())
        for one in command.params:
            kind = str(one.type_descriptor.annotation)
            if ("str" in kind or "Path" in kind) and one.name != "url":
                found.add(f"{name} {one.name.upper()}")

    walk(typer.main.get_command(cli.app), "")
    return {name for name in found if not name.startswith("serve ")}


def test_every_parameter_that_takes_a_text_is_in_the_table() -> None:
    assert parameters() ^ set(NAMED) == APART


def run(ground: Ground, commands: list[list[str]]) -> list[dict[str, Any]]:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PADDOCK_", "HF_"))},
        **ground.environ,
        "PADDOCK_HOME": str(ground.home),
        "PADDOCK_ENGINE_MIRROR": "http://127.0.0.1:9",
        "PADDOCK_PORT": "9",
        "PADDOCK_SCAN_OTHERS": "0",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
    work = ground.outer / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fakes.many_commands"], input=json.dumps(commands), env=environ, cwd=work,
        capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_text_that_can_be_no_path_is_no_fault_of_paddock(tmp_path: Path) -> None:
    ground = laid_out(tmp_path)
    texts = ["x" * 5000, "../" * 2000, "/" + "x" * 5000, "~nobodyhere/x"]
    asked = [[word.replace("{}", text) for word in words] for words in PLACED for text in texts]
    told = run(ground, asked)
    assert len(told) == len(asked)
    for one in told:
        about = (one["argv"][:3], one["out"][-300:], one["err"][-600:])
        assert one["status"] in (1, 2), about
        assert "fault of paddock" not in one["out"] + one["err"], about
        assert "Traceback" not in one["err"], about


@pytest.mark.attack("path traversal")
def test_no_name_on_the_command_line_leads_out_of_the_data_home(full: bool, tmp_path: Path) -> None:
    ground = laid_out(tmp_path)
    # No command line can hold NUL.
    every = [text for text in ways(ground) if "\0" not in text]
    apart = 3 if full else 23
    asked = [
        (name, [word.replace("<file>", str(ground.outer / "real.gguf")).replace("{}", text) for word in words])
        for number, (name, words) in enumerate(NAMED.items())
        for text in every[number % apart :: apart]
    ]
    before = ground.standing()
    told = run(ground, [words for _, words in asked])
    assert len(told) == len(asked)
    assert ground.standing() == before
    for (name, _), one in zip(asked, told, strict=True):
        said = one["out"] + one["err"]
        assert "fault of paddock" not in said, one
        assert one["status"] in range(9), one
        # A person may show a model by its file.
        assert ground.word not in said or (name == "models show MODEL" and "real" in str(one["argv"])), one
    assert {one["status"] for one in told} >= {0, 1, 2}
