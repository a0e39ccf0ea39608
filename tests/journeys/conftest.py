"""Owns the fixtures of the journeys: paddock with its own engine and the bundled model, fresh for each test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import openai
import pytest

from paddock.app import Studio, running
from paddock.config import load
from paddock.values import Value
from tests.engine import environ


@pytest.fixture
async def studio(anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Studio]:
    """Paddock with the real engine."""
    flags: dict[str, Value] = {"port": 0, "context_tokens": 4096, "threads": 1, "scan_others": False}
    settings = load(flags, environ=environ(tmp_path / "home"))
    async with running(settings) as studio:
        yield studio


@pytest.fixture
async def sdk(studio: Studio) -> AsyncGenerator[openai.AsyncOpenAI]:
    """The OpenAI SDK, unmodified, pointed at paddock."""
    async with openai.AsyncOpenAI(base_url=f"{studio.url}/v1", api_key="any", max_retries=0, timeout=60) as client:
        yield client
