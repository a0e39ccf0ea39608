"""Owns the fixtures of the wire tests: one paddock for each file, its engine's script forgotten before each test."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.wire.rig import Rig, scripted_studio


@pytest.fixture(scope="module")
async def _lenient_rig(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Rig]:
    async with scripted_studio(tmp_path_factory.mktemp("lenient")) as rig:
        yield rig


@pytest.fixture(scope="module")
async def _strict_rig(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Rig]:
    async with scripted_studio(tmp_path_factory.mktemp("strict"), strict_wire=True) as rig:
        yield rig


@pytest.fixture
async def rig(_lenient_rig: Rig) -> Rig:
    """Paddock as it is by default."""
    await _lenient_rig.engine.clear()
    return _lenient_rig


@pytest.fixture
async def strict(_strict_rig: Rig) -> Rig:
    """Paddock with `strict_wire`."""
    await _strict_rig.engine.clear()
    return _strict_rig
