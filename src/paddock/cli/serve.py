"""Owns `paddock serve`: its flags and what it prints; refuses to know how serving works."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import typer

from paddock.cli import printing
from paddock.config import Settings, describe, load
from paddock.errors import PortBusy


def _flag(name: str, metavar: str, *also: str) -> Any:
    """The option for one setting. Its text is taken as it is: the settings check it, whoever set it."""
    return typer.Option(*also, f"--{name.replace('_', '-')}", metavar=metavar, help=describe(name), show_default=False)


def _switch(name: str) -> Any:
    flag = name.replace("_", "-")
    return typer.Option(f"--{flag}/--no-{flag}", help=describe(name), show_default=False)


def serve(
    host: Annotated[str | None, _flag("host", "HOST")] = None,
    port: Annotated[str | None, _flag("port", "PORT")] = None,
    model: Annotated[str | None, _flag("model", "MODEL")] = None,
    context_tokens: Annotated[str | None, _flag("context_tokens", "N", "--ctx")] = None,
    slots: Annotated[str | None, _flag("slots", "N")] = None,
    threads: Annotated[str | None, _flag("threads", "N")] = None,
    batch_tokens: Annotated[str | None, _flag("batch_tokens", "N")] = None,
    strict_wire: Annotated[bool | None, _switch("strict_wire")] = None,
    unsafe_no_auth: Annotated[bool | None, _switch("unsafe_no_auth")] = None,
    allowed_origins: Annotated[str | None, _flag("allowed_origins", "ORIGINS")] = None,
    status_deadline_s: Annotated[str | None, _flag("status_deadline_s", "SECONDS")] = None,
    keepalive_s: Annotated[str | None, _flag("keepalive_s", "SECONDS")] = None,
    answer_timeout_s: Annotated[str | None, _flag("answer_timeout_s", "SECONDS")] = None,
    answer_tokens_most: Annotated[str | None, _flag("answer_tokens_most", "N")] = None,
    load_timeout_s: Annotated[str | None, _flag("load_timeout_s", "SECONDS")] = None,
    memory_budget_bytes: Annotated[str | None, _flag("memory_budget_bytes", "BYTES")] = None,
    models_most: Annotated[str | None, _flag("models_most", "N")] = None,
    queue_most: Annotated[str | None, _flag("queue_most", "N")] = None,
    queue_patience_s: Annotated[str | None, _flag("queue_patience_s", "SECONDS")] = None,
    idle_unload_s: Annotated[str | None, _flag("idle_unload_s", "SECONDS")] = None,
    slot_cache_bytes: Annotated[str | None, _flag("slot_cache_bytes", "BYTES")] = None,
    max_body_bytes: Annotated[str | None, _flag("max_body_bytes", "BYTES")] = None,
    require_key: Annotated[bool | None, _switch("require_key")] = None,
    database_url: Annotated[str | None, _flag("database_url", "URL")] = None,
    response_days: Annotated[str | None, _flag("response_days", "DAYS")] = None,
    guard_control_text: Annotated[bool | None, _switch("guard_control_text")] = None,
    fetch_images: Annotated[bool | None, _switch("fetch_images")] = None,
    image_most_bytes: Annotated[str | None, _flag("image_most_bytes", "BYTES")] = None,
    fetch_timeout_s: Annotated[str | None, _flag("fetch_timeout_s", "SECONDS")] = None,
    model_folders: Annotated[str | None, _flag("model_folders", "FOLDERS")] = None,
    scan_others: Annotated[bool | None, _switch("scan_others")] = None,
    lmstudio_folder: Annotated[str | None, _flag("lmstudio_folder", "FOLDER")] = None,
    ollama_folder: Annotated[str | None, _flag("ollama_folder", "FOLDER")] = None,
    downloads_at_once: Annotated[str | None, _flag("downloads_at_once", "N")] = None,
    lend_hub_token: Annotated[bool | None, _switch("lend_hub_token")] = None,
    engine: Annotated[str | None, _flag("engine", "BUILD")] = None,
    engine_mirror: Annotated[str | None, _flag("engine_mirror", "URL")] = None,
    record: Annotated[bool | None, _switch("record")] = None,
    record_most_bytes: Annotated[str | None, _flag("record_most_bytes", "BYTES")] = None,
    record_days: Annotated[str | None, _flag("record_days", "DAYS")] = None,
    log_level: Annotated[str | None, _flag("log_level", "LEVEL")] = None,
) -> None:
    """Serve models through the APIs that programs speak. The first line printed when ready is the address."""
    # Each parameter has the name of its setting.
    settings = load(dict(locals()))

    from paddock import app

    if _is_exposed(settings):
        printing.say(
            f"Warning: everyone who can reach {settings.host} can use this paddock; nobody is asked for a key."
        )
    try:
        app.serve(settings, partial(_announce, settings))
    except PortBusy as error:
        from paddock.cli import ports

        raise PortBusy(ports.refusal(settings.host, settings.port)) from error


def curl_line(url: str) -> str:
    """A command that asks the server for a chat completion when pasted into this system's usual shell."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hello! Who are you?"}]})
    words = ["curl", f"{url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", body]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _announce(settings: Settings, url: str, holder: Mapping[str, Any] | None) -> None:
    if holder is not None:
        printing.say(_held(settings, holder))
    # Who reads only the first line, and closes the pipe, still has a server.
    with contextlib.suppress(BrokenPipeError):
        print(url, curl_line(url), "Ctrl+C stops it.", sep="\n", flush=True)


def _held(settings: Settings, holder: Mapping[str, Any]) -> str:
    """A sentence about the paddock that serves on the data home already."""
    pid, url = holder.get("pid"), holder.get("url")
    who = f"process {pid}, which serves at {url}" if pid and url else "another paddock"
    return (
        f"Warning: the data home {settings.home.root} is held by {who}. Both serve, each with engines of its own; "
        "together they may take more memory than there is, and downloads are left to that one. Use that one, or give "
        "this one a home of its own with PADDOCK_HOME."
    )


def _is_exposed(settings: Settings) -> bool:
    """Whether only the typed permission keeps the address from being refused."""
    from paddock.api.credentials import is_loopback

    return settings.unsafe_no_auth and not is_loopback(settings.host)
