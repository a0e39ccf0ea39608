"""Owns the stage of the training tests: paddock with the real training stack, which the tier made in `.stack`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from paddock.app import running
from paddock.config import load

STACK = Path(__file__).resolve().parents[2] / ".stack" / "stack"
Opened = Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data home with the stack in it."""
    assert STACK.is_dir(), "python3 dev.py test --tier training makes the stack"
    found = tmp_path / "home"
    found.mkdir()
    (found / "stack").symlink_to(STACK)
    return found


@pytest.fixture
def opened(home: Path) -> Opened:
    """Opens paddock on that home, with the engine of its wheel, and a client of it; again and again."""

    @asynccontextmanager
    async def studio() -> AsyncGenerator[httpx.AsyncClient]:
        settings = load({"port": 0}, environ={"PADDOCK_HOME": str(home), "PADDOCK_SCAN_OTHERS": "0"})
        async with running(settings) as one, httpx.AsyncClient(base_url=one.url, trust_env=False, timeout=120) as http:
            yield http

    return studio
