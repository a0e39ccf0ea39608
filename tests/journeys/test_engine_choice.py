"""Tests that the engine which was chosen is the one that computes."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil
import pytest

from paddock.app import Studio
from tests.engine import INSTALLED
from tests.wire.rig import CHAT, USER

PROGRAMS = [Path(INSTALLED).resolve()] if INSTALLED else []
pytestmark = pytest.mark.anyio


async def test_the_engine_that_the_run_is_about_is_the_one_that_computes(studio: Studio) -> None:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        answer = await http.post(f"{studio.url}{CHAT}", json={"messages": [USER], "max_tokens": 4})
        assert answer.status_code == 200
    (resident,) = studio.pool.residents.values()
    process = psutil.Process(resident.engine.pid)
    assert f"paddock.engine.{'installed' if INSTALLED else 'embedded'}" in process.cmdline()
    programs = [Path(child.exe()) for child in process.children()]
    assert programs == PROGRAMS
