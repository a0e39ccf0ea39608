"""Owns which options need a library that a training stack may lack, and what is said then; refuses to install one.

The server asks the stack's Python before a training is queued, the worker itself before it loads anything.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.errors import FieldInvalid

if TYPE_CHECKING:
    from paddock.training.spec import TrainSpec

_PROBE = """
import importlib.util, sys
sys.path[:0] = sys.argv[2:]
sys.exit(0 if importlib.util.find_spec(sys.argv[1]) else 9)
"""
_PROBE_S = 60.0


def refuse_lacking(spec: TrainSpec, is_there: Callable[[str], bool]) -> None:
    """Raises FieldInvalid, whose `param` is the option, where the library that it needs is not there.

    Args:
        spec: what is trained.
        is_there: whether there is a module of that name.
    """
    if spec.base_is_in_4_bits and not is_there("bitsandbytes"):
        raise FieldInvalid(
            "base_is_in_4_bits needs bitsandbytes, which this training stack lacks. `paddock setup python-stack` "
            "installs it on Linux and Windows; there is none for macOS. Without it, say base_is_in_4_bits false.",
            param="base_is_in_4_bits",
        )
    if spec.method == "embedding" and not is_there("sentence_transformers"):
        raise FieldInvalid(
            "method embedding needs sentence-transformers, which this training stack lacks. `paddock setup "
            "python-stack` brings it up to date.",
            param="method",
        )


def has_module(python: str, module: str, *folders: Path) -> bool:
    """Whether a Python finds a module, also in these folders. Blocking."""
    words = [python, "-I", "-c", _PROBE, module, *map(str, folders)]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
