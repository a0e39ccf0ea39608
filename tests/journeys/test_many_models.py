"""Tests several models at once on the real engine: side by side where they fit, in turns where they do not."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.app import Studio, running
from paddock.config import load
from paddock.models.catalog import BUNDLED

pytestmark = pytest.mark.anyio
MODELS = ("pocket-v0", "second", "third")
_GUARD_S = 120


@asynccontextmanager
async def stable(folder: Path, **settings: Any) -> AsyncGenerator[tuple[Studio, httpx.AsyncClient]]:
    """Paddock with the bundled model and two copies of it."""
    models = folder / "home" / "models"
    models.mkdir(parents=True)
    for name in MODELS[1:]:
        shutil.copy(BUNDLED["pocket-v0"], models / f"{name}.gguf")
    common: dict[str, Any] = {"port": 0, "threads": 1, "context_tokens": 1024}
    wished = load({**common, **settings}, environ={"PADDOCK_HOME": str(folder / "home")})
    async with (
        running(wished) as studio,
        httpx.AsyncClient(base_url=studio.url, trust_env=False, timeout=_GUARD_S) as http,
    ):
        yield studio, http


async def ask_all(http: httpx.AsyncClient, times: int) -> None:
    """Each model is asked at once, streamed and not, and answers."""

    async def ask(model: str, stream: bool) -> None:
        body = {"model": model, "stream": stream, "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
        answer = await http.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        assert f'"model":"{model}"' in answer.text
        assert '"error"' not in answer.text

    with anyio.fail_after(_GUARD_S):
        async with anyio.create_task_group() as group:
            for number in range(times):
                for model in MODELS:
                    group.start_soon(ask, model, bool(number % 2))


async def test_models_that_fit_are_asked_side_by_side(tmp_path: Path) -> None:
    async with stable(tmp_path) as (studio, http):
        await ask_all(http, 2)
        assert sorted(studio.pool.residents) == sorted(MODELS)
        pids = {resident.engine.pid for resident in studio.pool.residents.values()}
        assert len(pids - {None}) == 3


async def test_models_that_do_not_fit_together_take_turns(tmp_path: Path) -> None:
    async with stable(tmp_path, models_most=1, queue_patience_s=0.2) as (studio, http):
        await ask_all(http, 4)
        assert len(studio.pool.residents) == 1
        assert studio.pool.waiting == []
