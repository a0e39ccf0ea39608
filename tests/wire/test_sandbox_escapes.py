"""Code in a workspace tries to get out of it, in every way of `escapes.py`: for real, by cells and by commands.

That an attempt can succeed is shown where there are no walls, for those that root on a usual machine succeeds with.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from paddock.sandbox.probing import available
from paddock.sandbox.syscalls import NOT_THERE, REFUSED
from paddock.sandbox.workspace import Session
from tests.wire.escapes import ATTEMPTS, PRELUDE, Attempt
from tests.wire.rig import Rig
from tests.wire.workspaces import WAIT_S, World, opened, world

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.attack("code that a model writes"),
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's"),
]
WITH_TEETH = [one for one in ATTEMPTS if one.has_teeth]


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    with world(tmp_path_factory.mktemp("world")) as found:
        yield found


@pytest.fixture(scope="module")
async def inside(anyio_backend: str, outside: World) -> AsyncGenerator[Session]:
    async with opened(outside.folder / "workspaces" / "mine", hidden=(outside.folder / "home",)) as session:
        yield session


@pytest.fixture(scope="module")
async def bare(anyio_backend: str, outside: World) -> AsyncGenerator[Session]:
    async with opened(outside.folder / "workspaces" / "bare", is_unsafe=True) as session:
        yield session


def name_of(attempt: Attempt) -> str:
    return attempt.name


def test_this_machine_has_walls() -> None:
    assert available() is None


def test_every_attempt_has_a_name_of_its_own() -> None:
    assert len(ATTEMPTS) > 80
    assert len({one.name for one in ATTEMPTS}) == len(ATTEMPTS)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=name_of)
async def test_a_cell_does_not_get_out(inside: Session, outside: World, attempt: Attempt) -> None:
    result = await inside.python(outside.told(attempt.code), timeout_s=WAIT_S)
    assert (result.exit, result.text.split(" ")[0].strip()) == (0, "HELD"), result


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=name_of)
async def test_a_command_does_not_get_out(inside: Session, outside: World, attempt: Attempt) -> None:
    program = f"python3 -I -c {shlex.quote(outside.told(attempt.code))}"
    result = await inside.terminal(program, timeout_s=WAIT_S)
    assert (result.exit, result.text.split(" ")[0].strip()) == (0, "HELD"), result


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="what root can do is shown by root")
@pytest.mark.parametrize("attempt", WITH_TEETH, ids=name_of)
async def test_without_walls_it_would(bare: Session, outside: World, attempt: Attempt) -> None:
    result = await bare.python(outside.told(attempt.code), timeout_s=WAIT_S)
    assert (result.exit, result.text.split(" ")[0].strip()) == (0, "THROUGH"), result


async def test_every_system_call_of_the_list_is_refused(inside: Session, outside: World) -> None:
    names = sorted({**REFUSED, **NOT_THERE})
    numbers = {name: outside.names[name] for name in names if outside.names[name] is not None}
    code = f"{PRELUDE}\nprint([name for name, number in {numbers!r}.items() if taken(number, 0, 0, 0, 0, 0, 0)])"
    assert (await inside.python(code, timeout_s=WAIT_S)).text == "[]\n"


async def test_paddock_itself_cannot_be_asked(rig: Rig, inside: Session) -> None:
    code = f"import urllib.request; print(urllib.request.urlopen({rig.studio.url + '/health'!r}).status)"
    result = await inside.python(code, timeout_s=WAIT_S)
    assert "URLError" in result.text
    assert "200" not in result.text


async def test_what_is_hidden_within_what_is_shown_is_not_seen(outside: World) -> None:
    # As a data home within the environment of Python, which is shown.
    hidden = Path(sys.prefix) / "share"
    code = f"import os, sys; os.listdir({str(hidden)!r}), len(os.listdir(sys.prefix)) > 2"
    async with opened(outside.folder / "workspaces" / "third", hidden=(hidden,)) as session:
        result = await session.python(code, timeout_s=WAIT_S)
    assert result.text == "([], True)\n"
