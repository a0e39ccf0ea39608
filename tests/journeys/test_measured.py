"""Tests that what a real engine holds is seen once its model was used, and is what the model is planned with next."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import httpx
import pytest

from paddock.app import running
from paddock.config import load
from paddock.hardware import held_bytes
from paddock.models.catalog import Catalog
from paddock.serving.shelf import Shelf
from tests.engine import environ
from tests.wire.rig import HANG_GUARD_S

pytestmark = pytest.mark.anyio


async def test_a_used_model_is_planned_with_what_it_was_seen_to_hold(tmp_path: Path) -> None:
    settings = load({"port": 0, "context_tokens": 2048, "threads": 1, "scan_others": False}, environ(tmp_path))
    before = Shelf(Catalog(settings.home), settings).plan_for("pocket-v0")
    async with running(settings) as studio, httpx.AsyncClient(base_url=studio.url, timeout=60) as http:
        body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
        assert (await http.post("/v1/chat/completions", json=body)).status_code == 200
        pid = studio.pool.residents["pocket-v0"].engine.pid
        assert pid
        with anyio.fail_after(HANG_GUARD_S):
            while not settings.home.measured.exists():
                await anyio.sleep(0.01)
        holds_bytes = held_bytes(pid)
    (seen_bytes,) = json.loads(settings.home.measured.read_text()).values()
    assert 0 < seen_bytes <= holds_bytes * 1.5
    after = Shelf(Catalog(settings.home), settings).plan_for("pocket-v0")
    assert (after.memory_bytes, after.flags) == (seen_bytes, before.flags)
    assert before.memory_bytes != seen_bytes
