"""Owns the settings' environment of a journey: its own home, and the engine that the run is about; holds no tests."""

from __future__ import annotations

import os
from pathlib import Path

# Set by tests/conftest.py where PADDOCK_TEST_ENGINE names a llama-server; else it is the wheel's.
INSTALLED = os.environ.get("PADDOCK_ENGINE", "")


def environ(home: Path) -> dict[str, str]:
    """What `load` reads in place of this process's own environment."""
    return {"PADDOCK_HOME": str(home), **({"PADDOCK_ENGINE": INSTALLED} if INSTALLED else {})}
