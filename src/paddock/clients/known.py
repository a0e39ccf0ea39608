"""Owns how each client is pointed at a paddock: its environment, its file, its program; writes nothing."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from paddock.clients.round_trip import json_text, laid, laid_entry, toml_text, yaml_text
from paddock.errors import BadRequest

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a client is pointed at. `url` has no `/v1`; `context_tokens` is what one request can have."""

    url: str
    model: str
    context_tokens: int
    key: str


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """A client's configuration file: where it lies in a person's home, and what it should say.

    `merged` takes the present text ("" for no file) and returns the new one; it raises ValueError where the present
    text cannot be read, or not be changed without loss. `warning` is a sentence about what in a text wins over
    ours, or "".
    """

    path: str
    merged: Callable[[str, Target], str]
    warning: Callable[[str], str] = field(default=lambda text: "")


@dataclass(frozen=True, kw_only=True)
class Client:
    """One client.

    `prompt_tokens` is how long its first prompt is, as counted for the bundled model when the program itself asked
    (2026-11-24); 0 if short.
    """

    name: str
    title: str
    environment: Callable[[Target], dict[str, str]]
    file: ConfigFile | None = None
    program: str = ""
    install: str = ""
    arguments: Callable[[Target], list[str]] = field(default=lambda target: [])
    # The environment variable by which the program finds a configuration made for one run alone.
    run_variable: str = ""
    prompt_tokens: int = 0
    note: str = ""


def _openai_environment(target: Target) -> dict[str, str]:
    return {"OPENAI_BASE_URL": f"{target.url}/v1", "OPENAI_API_BASE": f"{target.url}/v1", "OPENAI_API_KEY": target.key}


def _claude_environment(target: Target) -> dict[str, str]:
    models = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL",
              "ANTHROPIC_DEFAULT_OPUS_MODEL")  # fmt: skip
    return {
        "ANTHROPIC_BASE_URL": target.url,
        "ANTHROPIC_AUTH_TOKEN": target.key,
        **dict.fromkeys(models, target.model),
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(target.context_tokens),
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def _claude_file(text: str, target: Target) -> str:
    return json_text(text, lambda tree: laid(tree, {"env": _claude_environment(target)}))


def _codex_provider(target: Target) -> dict[str, str]:
    return {"name": "paddock", "base_url": f"{target.url}/v1", "wire_api": "responses", "env_key": "PADDOCK_API_KEY"}


def _codex_file(text: str, target: Target) -> str:
    top = {"model": target.model, "model_provider": "paddock", "model_context_window": target.context_tokens}
    return toml_text(text, lambda tree: laid(tree, {**top, "model_providers": {"paddock": _codex_provider(target)}}))


def _codex_profile(text: str) -> str:
    profile = tomllib.loads(text).get("profile")
    return f"'profile' is {profile!r} there: what that profile says of a model comes before this." if profile else ""


def _codex_arguments(target: Target) -> list[str]:
    words = [f"model_providers.paddock.{name}={json.dumps(value)}" for name, value in _codex_provider(target).items()]
    words += ['model_provider="paddock"', f"model_context_window={target.context_tokens}"]
    return [*(part for word in words for part in ("-c", word)), "-m", target.model]


def _opencode_config(target: Target) -> Json:
    limits = {"context": target.context_tokens, "output": max(256, target.context_tokens // 4)}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "paddock",
        "options": {"baseURL": f"{target.url}/v1", "apiKey": target.key},
        "models": {target.model: {"name": target.model, "limit": limits}},
    }
    chosen = f"paddock/{target.model}"
    return {"provider": {"paddock": provider}, "model": chosen, "small_model": chosen}


def _opencode_file(text: str, target: Target) -> str:
    return json_text(text, lambda tree: laid(tree, _opencode_config(target)))


def _continue_file(text: str, target: Target) -> str:
    head = {"name": "Local", "version": "1.0.0", "schema": "v1"}
    model = {
        "name": "paddock",
        "provider": "openai",
        "model": target.model,
        "apiBase": f"{target.url}/v1",
        "apiKey": target.key,
        "roles": ["chat", "edit", "apply"],
        "capabilities": ["tool_use"],
        "defaultCompletionOptions": {"contextLength": target.context_tokens},
    }

    def change(tree: Any) -> None:
        laid(tree, {name: value for name, value in head.items() if name not in tree})
        if tree.get("models") is None:
            tree["models"] = []
        laid_entry(tree["models"], model, "name")

    return yaml_text(text, change, empty=dict)


def _llm_file(text: str, target: Target) -> str:
    entry = {
        "model_id": "paddock",
        "model_name": target.model,
        "api_base": f"{target.url}/v1",
        "supports_tools": True,
        "supports_schema": True,
    }
    return yaml_text(text, lambda tree: laid_entry(tree, entry, "model_id"), empty=list)


def _aider_file(text: str, target: Target) -> str:
    ours = {"model": f"openai/{target.model}", "openai-api-base": f"{target.url}/v1", "openai-api-key": target.key}
    return yaml_text(text, lambda tree: laid(tree, ours), empty=dict)


CLIENTS: tuple[Client, ...] = (
    Client(
        name="claude-code",
        title="Claude Code",
        environment=_claude_environment,
        file=ConfigFile(path=".claude/settings.json", merged=_claude_file),
        program="claude",
        install="npm install -g @anthropic-ai/claude-code",
        prompt_tokens=39300,
    ),
    Client(
        name="codex",
        title="Codex",
        environment=lambda target: {"PADDOCK_API_KEY": target.key},
        file=ConfigFile(path=".codex/config.toml", merged=_codex_file, warning=_codex_profile),
        program="codex",
        install="npm install -g @openai/codex",
        arguments=_codex_arguments,
        prompt_tokens=17100,
    ),
    Client(
        name="opencode",
        title="opencode",
        environment=lambda target: {},
        file=ConfigFile(path=".config/opencode/opencode.json", merged=_opencode_file),
        program="opencode",
        install="npm install -g opencode-ai",
        run_variable="OPENCODE_CONFIG",
        prompt_tokens=14400,
    ),
    Client(
        name="continue",
        title="Continue",
        environment=lambda target: {},
        file=ConfigFile(path=".continue/config.yaml", merged=_continue_file),
        program="cn",
        install="npm install -g @continuedev/cli",
        run_variable="--config",
        prompt_tokens=2900,
    ),
    Client(
        name="aider",
        title="aider",
        environment=_openai_environment,
        file=ConfigFile(path=".aider.conf.yml", merged=_aider_file),
        program="aider",
        install="pip install aider-chat",
        arguments=lambda target: ["--model", f"openai/{target.model}"],
    ),
    Client(
        name="llm",
        title="llm",
        environment=lambda target: {},
        file=ConfigFile(path=".config/io.datasette.llm/extra-openai-models.yaml", merged=_llm_file),
        program="llm",
        install="pip install llm",
        note="Then: llm -m paddock --key not-needed 'Hello'",
    ),
    Client(
        name="cursor",
        title="Cursor",
        environment=_openai_environment,
        note=(
            "Cursor calls from its own cloud: it needs a public https address of this server, and a key "
            "(`paddock keys create`). Enter both under Settings, Models, OpenAI API Key, Override Base URL."
        ),
    ),
    Client(name="openai-sdk", title="OpenAI's libraries", environment=_openai_environment),
    Client(
        name="anthropic-sdk",
        title="Anthropic's libraries",
        environment=lambda target: {"ANTHROPIC_BASE_URL": target.url, "ANTHROPIC_API_KEY": target.key},
    ),
)


def client_of(name: str) -> Client:
    """The client of that name. Raises BadRequest."""
    for client in CLIENTS:
        if client.name == name:
            return client
    raise BadRequest(f"There is no client '{name}'. Clients: {', '.join(client.name for client in CLIENTS)}.")


def needs(client: Client, target: Target) -> Json:
    """What a client needs to be pointed there, as data."""
    file = {"path": client.file.path, "text": client.file.merged("", target)} if client.file else None
    return {"client": client.name, "environment": client.environment(target), "file": file, "note": client.note}
