"""Owns how each agent program is pointed at paddock and asked for one task; judges nothing: the tests do."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.scripted_shapes import Act

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / ".clients" / "node" / "node_modules" / ".bin"
AIDER = ROOT / ".clients" / "aider" / "bin" / "aider"
MODEL = "pocket-v0"
WORDS = "paddock was here"
TASK = "Write the words 'paddock was here' into hello.txt with the shell, then read the file back and say what it says."
CLOSING = "The file says: paddock was here."
# A guard against hanging, not a measure of speed.
RUN_TIMEOUT_S = 400.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a program runs: an empty folder, an empty home, and the server it is pointed at."""

    url: str
    folder: Path
    home: Path
    context_tokens: int = 65536
    # A small model may call tools for ever, and nobody knows which: where a program can be told so, none is run.
    most_turns: int = 4
    lets_it_act: bool = True


Command = tuple[list[str], dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Program:
    """One agent program: the tool by which it runs a shell, and how it is started."""

    name: str
    route: str
    shell_tool: str
    arguments: Callable[[str], dict[str, Any]]
    command: Callable[[Place], Command]

    def plot(self) -> list[Act]:
        """What its model does: write the file, read it, say so."""
        return [
            {"tool": self.shell_tool, "arguments": self.arguments(f"echo {WORDS} > hello.txt")},
            {"tool": self.shell_tool, "arguments": self.arguments("cat hello.txt")},
            {"text": CLOSING},
        ]


def run(start: Command, place: Place) -> subprocess.CompletedProcess[str]:
    """Let a program do its task, and wait for its end."""
    command, environment = start
    plain = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
    places = {"HOME": str(place.home), "XDG_CONFIG_HOME": str(place.home / ".config"), "NO_COLOR": "1", "CI": "1"}
    return subprocess.run(
        command,
        cwd=place.folder,
        env={**plain, **places, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )


def _claude_code(place: Place) -> Command:
    environment = {
        "ANTHROPIC_BASE_URL": place.url,
        "ANTHROPIC_AUTH_TOKEN": "not-needed",
        "ANTHROPIC_MODEL": MODEL,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": MODEL,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(place.context_tokens),
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "512",
        "DISABLE_AUTOUPDATER": "1",
    }
    command = [str(NODE / "claude"), "-p", TASK, "--output-format", "json", "--max-turns", str(place.most_turns)]
    command += ["--allowedTools", "Bash"] if place.lets_it_act else ["--disallowedTools", "Bash", "Write", "Edit"]
    return command, environment


def _codex(place: Place) -> Command:
    home = place.home / "codex"
    home.mkdir(parents=True, exist_ok=True)
    provider = f'name = "paddock"\nbase_url = "{place.url}/v1"\nwire_api = "responses"\nenv_key = "PADDOCK_API_KEY"\n'
    settings = f'model = "{MODEL}"\nmodel_provider = "paddock"\nmodel_context_window = {place.context_tokens}\n'
    (home / "config.toml").write_text(f"{settings}\n[model_providers.paddock]\n{provider}", "utf-8")
    sandbox = "danger-full-access" if place.lets_it_act else "read-only"
    command = [str(NODE / "codex"), "exec", "--skip-git-repo-check", "--sandbox", sandbox, TASK]
    return command, {"CODEX_HOME": str(home), "PADDOCK_API_KEY": "not-needed"}


def _opencode(place: Place) -> Command:
    limits = {"context": place.context_tokens, "output": 1024}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "paddock",
        "options": {"baseURL": f"{place.url}/v1", "apiKey": "not-needed"},
        "models": {MODEL: {"name": "pocket", "limit": limits}},
    }
    chosen: dict[str, Any] = {"model": f"paddock/{MODEL}", "small_model": f"paddock/{MODEL}"}
    if not place.lets_it_act:
        chosen["permission"] = dict.fromkeys(("bash", "edit", "webfetch"), "deny")
    (place.folder / "opencode.json").write_text(json.dumps({"provider": {"paddock": provider}, **chosen}), "utf-8")
    quiet = {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"}
    return [str(NODE / "opencode"), "run", TASK], quiet


def _continue(place: Place) -> Command:
    lines = [
        "name: paddock", "version: 1.0.0", "schema: v1", "models:", "  - name: pocket", "    provider: openai",
        f"    model: {MODEL}", f"    apiBase: {place.url}/v1", "    apiKey: not-needed", "    roles: [chat]",
        "    capabilities: [tool_use]", "    defaultCompletionOptions:", "      maxTokens: 1024",
    ]  # fmt: skip
    config = place.home / "continue.yaml"
    config.write_text("\n".join(lines) + "\n", "utf-8")
    quiet = {"CONTINUE_TELEMETRY_ENABLED": "0", "CONTINUE_CLI_DISABLE_COMMIT_SIGNATURE": "1"}
    return [
        str(NODE / "cn"),
        "--config",
        str(config),
        "-p",
        "--auto" if place.lets_it_act else "--readonly",
        TASK,
    ], quiet


def aider(place: Place, message: str) -> Command:
    """One message to aider about hello.txt. It calls no tools: files are shown to the model and read from its words."""
    environment = {
        "OPENAI_API_BASE": f"{place.url}/v1",
        "OPENAI_API_KEY": "not-needed",
        # It would fetch prices of models from the network.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    quiet = ["--no-check-update", "--no-analytics", "--no-show-model-warnings", "--no-show-release-notes", "--no-git"]
    words = ["--model", f"openai/{MODEL}", "--edit-format", "whole", "--yes-always", "--no-auto-lint", "--no-pretty"]
    return [str(AIDER), *words, *quiet, "--message", message, "hello.txt"], environment


PROGRAMS = (
    Program(
        name="claude-code",
        route="/v1/messages",
        shell_tool="Bash",
        arguments=lambda command: {"command": command, "description": "Run a command"},
        command=_claude_code,
    ),
    Program(
        name="codex",
        route="/v1/responses",
        shell_tool="exec_command",
        arguments=lambda command: {"cmd": command},
        command=_codex,
    ),
    Program(
        name="opencode",
        route="/v1/chat/completions",
        shell_tool="bash",
        arguments=lambda command: {"command": command, "description": "Run a command"},
        command=_opencode,
    ),
    Program(
        name="continue",
        route="/v1/chat/completions",
        shell_tool="Bash",
        arguments=lambda command: {"command": command},
        command=_continue,
    ),
)
