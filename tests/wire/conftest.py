"""Owns the fixtures of the wire tests: one paddock for each file, its engine's script forgotten; empty databases."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.knowledge_tables import metadata
from tests import leaks
from tests.fakes import postgres
from tests.wire.rig import Rig, client, scripted_studio


@pytest.fixture(scope="module")
async def lenient_studio(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Rig]:
    """Paddock as it is by default, shared by the tests of a file."""
    async with scripted_studio(tmp_path_factory.mktemp("lenient")) as rig:
        yield rig


@pytest.fixture(scope="module")
async def strict_studio(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Rig]:
    """Paddock with `strict_wire`, shared by the tests of a file."""
    async with scripted_studio(tmp_path_factory.mktemp("strict"), strict_wire=True) as rig:
        yield rig


@asynccontextmanager
async def visit(shared: Rig) -> AsyncGenerator[Rig]:
    """A shared paddock for one test: with a client of its own, and every connection closed afterwards."""
    before = leaks.open_files()
    async with client(shared.studio.url) as http:
        rig = Rig(studio=shared.studio, http=http)
        await rig.engine.clear()
        yield rig
        await rig.engine.rest()
    with anyio.move_on_after(1):
        while leaks.open_files() - before:
            await anyio.sleep(0.002)


@pytest.fixture
async def rig(lenient_studio: Rig) -> AsyncGenerator[Rig]:
    """Paddock as it is by default."""
    async with visit(lenient_studio) as rig:
        yield rig


@pytest.fixture
async def strict(strict_studio: Rig) -> AsyncGenerator[Rig]:
    """Paddock with `strict_wire`."""
    async with visit(strict_studio) as rig:
        yield rig


@pytest.fixture(params=["lenient", "strict"])
async def either(request: pytest.FixtureRequest, lenient_studio: Rig, strict_studio: Rig) -> AsyncGenerator[Rig]:
    """Paddock in both modes, one after the other."""
    async with visit(lenient_studio if request.param == "lenient" else strict_studio) as rig:
        yield rig


@pytest.fixture(scope="module")
def server() -> Generator[str]:
    """A PostgreSQL server, started for this file."""
    with postgres.serving() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    anyio_backend: str, request: pytest.FixtureRequest, server: str, tmp_path: Path
) -> AsyncGenerator[Database]:
    """An empty database of each kind."""
    home = Home(root=tmp_path)
    found = Database(server if request.param == "postgresql" else "", home)
    if request.param == "postgresql":
        with found.engine().begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
    yield found
    await found.close()
