"""Owns a scripted engine that runs apart, as a remote does; knows nothing of paddock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = Path(__file__).with_name("scripted_engine.py")


@contextmanager
def remote_engine(key: str, *words: str) -> Generator[int]:
    """The port of a scripted engine that wants this key, for as long as the block lasts. `words` are further flags."""
    argv = [sys.executable, str(_PROGRAM), "--model", "none", "--alias", "far-model", *words]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps({"api_key": key}).encode() + b"\n")
            process.stdin.flush()
            yield int(json.loads(process.stdout.readline())["port"])
        finally:
            process.kill()
