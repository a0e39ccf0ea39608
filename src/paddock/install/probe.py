"""Owns trying a build before anyone depends on it: version, devices, flags, one answer and one tool call of pocket.

Refuses to install or activate it. Blocking; call it from a worker thread, or from no event loop at all.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock.engine.known_flags import environment_of, known_flags
from paddock.engine.private import with_engine
from paddock.engine.process import Endpoint
from paddock.errors import BuildBroken, EngineError
from paddock.install.builds import installed_program
from paddock.install.pocket import pocket_flags

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient

_TELL_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 120.0
_CONTEXT_TOKENS = 2048
_ANSWER_TOKENS = 16
_CALL_TOKENS = 64
_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Oslo", "Paris"]}}, "required": ["city"]},
    },
}


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What a build said of itself, and proof that it answers."""

    version: str
    devices: tuple[str, ...]
    flag_count: int
    answer: str
    tool_call: str


def probe(binary: Path, kept_flags: Path, *, accelerator: str = "cpu", load_timeout_s: float = 120.0) -> Probe:
    """Try a build's llama-server for real.

    Args:
        binary: its llama-server.
        kept_flags: the file for what its `--help` says.
        accelerator: what it is meant to compute on; anything but "cpu" and "other" must show a device.
        load_timeout_s: how long loading the bundled model may take.

    Raises:
        BuildBroken: it fails; the message says at what, in its own words.
    """
    try:
        known = known_flags(binary, kept_flags)
        version = _first(_tell(binary, "--version"), "version") or "it does not tell its version"
        devices = parse_devices(_tell(binary, "--list-devices")) if "--list-devices" in known else ()
        if accelerator not in ("cpu", "other") and not devices:
            raise BuildBroken(
                f"This build is for {accelerator}, but finds no device, so it would compute on the processor alone. "
                "Its libraries or the driver are missing: `paddock engine doctor` looks for them."
            )
        answer, call = with_engine(
            installed_program(binary, kept_flags),
            pocket_flags("probe", context_tokens=_CONTEXT_TOKENS, slots=1),
            _answers,
            load_s=load_timeout_s,
            work_s=_ANSWER_TIMEOUT_S,
        )
    except TimeoutError as error:
        raise BuildBroken(f"This build gave no answer within {_ANSWER_TIMEOUT_S:g} s. Use another one.") from error
    except EngineError as error:
        raise BuildBroken(f"This build does not pass its probe: {error.message}") from error
    return Probe(version=version, devices=devices, flag_count=len(known), answer=answer, tool_call=call)


def parse_devices(text: str) -> tuple[str, ...]:
    """The devices in the text of `--list-devices`: the indented lines after its heading."""
    _, _, listed = text.partition("Available devices:")
    lines = (line for line in listed.splitlines() if line.startswith(" ") and ":" in line)
    return tuple(line.strip() for line in lines)


def _tell(binary: Path, flag: str) -> str:
    """What the program prints for one flag and then ends. Raises BuildBroken."""
    try:
        told = subprocess.run(
            [str(binary.absolute()), flag],
            env=environment_of(binary),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TELL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildBroken(f"This build's llama-server {flag} fails: {error}. Install another build.") from error
    if told.returncode:
        words = (told.stdout.strip().splitlines() or ["it said nothing"])[-1]
        raise BuildBroken(f"This build's llama-server {flag} ended with status {told.returncode}: {words[:300]}")
    return told.stdout


def _first(text: str, word: str) -> str:
    line = next((line for line in text.splitlines() if line.startswith(f"{word}:")), "")
    return line.partition(":")[2].strip()


async def _answers(endpoint: Endpoint, client: EngineClient) -> tuple[str, str]:
    """An answer's text, and a tool call's arguments."""
    greeting: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": _ANSWER_TOKENS}
    said = await client.ask(endpoint, "/v1/chat/completions", greeting)
    asking = {
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": [_TOOL],
        "tool_choice": "required",
        "max_tokens": _CALL_TOKENS,
    }
    called = await client.ask(endpoint, "/v1/chat/completions", asking)
    try:
        answer = str(said["choices"][0]["message"]["content"] or "")
        call = called["choices"][0]["message"]["tool_calls"][0]["function"]
        arguments = json.loads(call["arguments"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BuildBroken("This build answers, but makes no tool call that can be read. Use a newer one.") from error
    if not answer or call["name"] != "get_weather" or not isinstance(arguments, dict):
        raise BuildBroken("This build gives an empty answer, or calls another tool than asked. Use another one.")
    return answer, str(call["arguments"])
