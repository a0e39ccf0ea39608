"""Owns the process that stands beside an installed llama-server and speaks for it; knows nothing of paddock's server.

    python -P -m paddock.engine.installed BINARY KEPT FLAGS

BINARY is the build's `llama-server`, KEPT the file for what its `--help` said, FLAGS are those of `engine/flags.py`.
How it speaks with its parent stands in `engine/child.py`; requests go to the engine itself and not through here.

Only flags that the build knows are passed to it. Its port is chosen by the kernel and read from the kernel, so no
line of its log has to be understood. Its key goes through a pipe; where there are none, through its environment.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import psutil

from paddock.engine import child
from paddock.engine.flags import EngineFlags, word_of
from paddock.engine.known_flags import environment_of, known_flags
from paddock.errors import EngineFailedToStart

_HOST = "127.0.0.1"
_LOOK_EVERY_S = 0.01
_HEALTH_TIMEOUT_S = 5.0
_SIGNALLED = 128
_KEY_FILE = "--api-key-file"


def main(argv: list[str]) -> int:
    """Start the build's llama-server, say where it serves, and stay until it ends. Returns the exit status."""
    child.die_with_parent()
    child.be_ended_first()
    binary, kept = Path(argv[0]), Path(argv[1])
    flags = EngineFlags.from_argv(argv[2:])
    api_key = child.read_key()
    if api_key is None:
        return 0
    try:
        known = known_flags(binary, kept)
        words = [str(binary.absolute()), *server_words(flags, known)]
        server = _start(words, binary, api_key, by_pipe=os.name == "posix" and _KEY_FILE in known)
    except EngineFailedToStart as error:
        child.report(event="failed", message=error.message)
        return 1
    child.leave_with_stdin(server.kill)
    port = _port_once_ready(server)
    if port is not None:
        child.report(event="ready", port=port)
    status = server.wait()
    return _SIGNALLED - status if status < 0 else status


def server_words(flags: EngineFlags, known: frozenset[str]) -> list[str]:
    """The flags in words that this build knows.

    What a model was asked to run with must be known; what is at its default, or only makes an engine tidy or
    comparable, may be left out.

    Raises:
        EngineFailedToStart: the build lacks a flag that is needed.
    """
    given: list[str] = []
    lacking = [flag for flag in ("--host", "--port") if flag not in known]
    for spec in fields(flags):
        flag, value = str(spec.metadata["flag"]), getattr(flags, spec.name)
        # For llama-server, too, no thread count and none given are one.
        is_chosen = value != spec.default and not (spec.name == "threads" and not value)
        if flag in known and value is not None and value is not False and (is_chosen or value):
            given += [flag] if value is True else [flag, word_of(value)]
        elif is_chosen and not spec.metadata["may_lack"]:
            lacking.append(flag)
    if lacking:
        raise EngineFailedToStart(
            f"this build of llama.cpp does not know {', '.join(lacking)} (unknown argument). Use another build: "
            "`paddock engine list` shows those here, `paddock engine use embedded` goes back to the wheel's",
            kind="unknown-flag",
        )
    tidy = [word for words in _tidy(flags, known) for word in words]
    return [*given, "--host", _HOST, "--port", "0", *tidy]


def _tidy(flags: EngineFlags, known: frozenset[str]) -> list[Sequence[str]]:
    """What every engine of ours runs with, as `embedded._parameters` sets it, where the build can."""
    wanted: list[Sequence[str]] = [
        ("--no-ui",) if "--no-ui" in known else ("--no-webui",),
        ("--jinja",),
        ("--slots",),
        ("--metrics",),
        ("--threads-http", str(flags.slots + child.SPARE_HTTP_THREADS)),
        # The build would otherwise shrink the context that we are about to publish.
        ("--fit", "off"),
        ("--cache-ram", str(child.prompt_cache_mib(has_adapters=bool(flags.lora_paths)))),
    ]
    return [words for words in wanted if words[0] in known]


def _start(words: list[str], binary: Path, api_key: str, *, by_pipe: bool) -> subprocess.Popen[bytes]:
    environment = environment_of(binary)
    with contextlib.ExitStack() as stack:
        passed: tuple[int, ...] = ()
        if by_pipe:
            descriptor = stack.enter_context(_readable(api_key))
            passed, words = (descriptor,), [*words, _KEY_FILE, f"/dev/fd/{descriptor}"]
        else:
            environment["LLAMA_API_KEY"] = api_key
        try:
            return subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                # Our own stdout belongs to the parent's protocol.
                stdout=sys.stderr.fileno(),
                pass_fds=passed,
                # Safe: no other thread runs yet.
                preexec_fn=child.die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise EngineFailedToStart(f"{binary.name} cannot be started: {reason}", kind="missing-library") from error


@contextmanager
def _readable(text: str) -> Generator[int]:
    """A descriptor from which a child that inherits it reads `text`, once."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(text.encode() + b"\n")
        yield reading
    finally:
        os.close(reading)


def _port_once_ready(server: subprocess.Popen[bytes]) -> int | None:
    """Where the engine listens, once its model is loaded; None if it ended before."""
    port: int | None = None
    while server.poll() is None:
        port = port or _listening_port(server.pid)
        if port is not None and _is_healthy(port):
            return port
        time.sleep(_LOOK_EVERY_S)
    return None


def _listening_port(pid: int) -> int | None:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.Process(pid).net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                return int(connection.laddr.port)
    return None


def _is_healthy(port: int) -> bool:
    """Whether it says that its model is loaded; until then it says 503."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=_HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)
