"""Owns `paddock serve`: its flags and what it prints; refuses to know how serving works."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paddock.cli import printing
from paddock.config import NAMES, Settings, describe, load
from paddock.errors import PortBusy

if TYPE_CHECKING:
    from paddock.app import Studio


# What stands for a value in the help, where the setting's name does not tell it.
_METAVARS = {
    "host": "HOST", "model": "MODEL", "allowed_origins": "ORIGINS", "server_names": "NAMES", "tls_cert": "FILE",
    "trusted_proxies": "ADDRESSES", "tls_key": "FILE", "database_url": "URL", "model_folders": "FOLDERS",
    "lmstudio_folder": "FOLDER", "ollama_folder": "FOLDER", "engine": "BUILD", "engine_mirror": "URL",
    "log_level": "LEVEL", "log_format": "FORMAT", "trace_endpoint": "URL", "port": "PORT",
}  # fmt: skip
_UNITS = {"_s": "SECONDS", "_days": "DAYS", "_bytes": "BYTES"}
_SHORTER = {"context_tokens": ("--ctx",)}


def _parameter(name: str) -> inspect.Parameter:
    """The option for one setting. Its text is taken as it is: the settings check it, whoever set it."""
    words = name.replace("_", "-")
    is_switch = isinstance(Settings.__dataclass_fields__[name].default, bool)
    unit = next((metavar for ending, metavar in _UNITS.items() if name.endswith(ending)), "N")
    flags = [f"--{words}/--no-{words}"] if is_switch else [*_SHORTER.get(name, ()), f"--{words}"]
    metavar = None if is_switch else _METAVARS.get(name, unit)
    option = typer.Option(*flags, metavar=metavar, help=describe(name), show_default=False)
    kind = Annotated[bool | None, option] if is_switch else Annotated[str | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def serve(**typed: str | bool | None) -> None:
    """Serve models through the APIs that programs speak. The first line printed when ready is the address."""
    settings = load(typed)

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


# One option for each setting, in their order.
serve.__signature__ = inspect.Signature([_parameter(name) for name in NAMES])


def curl_line(url: str) -> str:
    """A command that asks the server for a chat completion when pasted into this system's usual shell."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hello! Who are you?"}]})
    words = ["curl", f"{url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", body]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _announce(settings: Settings, studio: Studio, holder: Mapping[str, Any] | None) -> None:
    url = studio.url
    if _is_plain(settings) and not _is_exposed(settings):
        printing.say(
            f"Warning: on {settings.host} passwords, keys and chats travel unencrypted. Use --tls-cert self-signed, "
            "or a proxy that speaks HTTPS with --trusted-proxies."
        )
    if studio.link is not None:
        printing.say(
            "Nobody can sign in yet. Open this link within an hour, choose a password for 'admin', and you are in:\n"
            f"  {studio.link}"
        )
    if fingerprint := _fingerprint(settings):
        printing.say(
            f"The certificate is self-signed. Compare its SHA-256 fingerprint in the browser:\n  {fingerprint}"
        )
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


def _fingerprint(settings: Settings) -> str | None:
    from paddock.store.certificates import SELF_SIGNED, fingerprint

    return fingerprint(settings.home) if settings.tls_cert == SELF_SIGNED else None


def _is_plain(settings: Settings) -> bool:
    """Whether others reach this paddock without encryption."""
    from paddock.api.credentials import is_loopback

    return not is_loopback(settings.host) and not settings.tls_cert and not settings.trusted_proxies


def _is_exposed(settings: Settings) -> bool:
    """Whether only the typed permission keeps the address from being refused."""
    from paddock.api.credentials import is_loopback

    return settings.unsafe_no_auth and not is_loopback(settings.host)
