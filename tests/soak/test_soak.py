"""Shows that hours of mixed use, with engines and clients killed all along, lose no request and leave nothing behind.

Three models take turns in room for two. What the server holds is read from outside, from its process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import psutil
import pytest

from paddock.models.catalog import BUNDLED
from tests import leaks
from tests.engine import environ
from tests.soak.account import Account, Held
from tests.soak.judging import Asked
from tests.soak.load import ask, engines_of, load

pytestmark = pytest.mark.anyio
MODELS = ("pocket-v0", "second", "third")
_FLAGS = (
    "--port=0", "--models-most=2", "--queue-patience-s=1", "--context-tokens=1024", "--threads=1", "--slots=2",
    "--queue-most=34",
)  # fmt: skip
_WARM_SHARE = 0.2
# Longer than a worker thread may idle (10 s) and than a connection to an engine is kept.
_REST_S = 13.0
_SETTLE_S = 3.0
_GROWTH_MOST = 0.05
_STOP_S = 30.0


@contextmanager
def serving(folder: Path) -> Generator[tuple[str, psutil.Process]]:
    """A paddock as it is started on a command line, with three models; its address and its process."""
    models = folder / "home" / "models"
    models.mkdir(parents=True)
    for name in MODELS[1:]:
        shutil.copy(BUNDLED["pocket-v0"], models / f"{name}.gguf")
    with (
        (folder / "log.txt").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "paddock", "serve", *_FLAGS],
            env={**os.environ, **environ(folder / "home")},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout
            yield process.stdout.readline().strip(), psutil.Process(process.pid)
            process.terminate()
            assert process.wait(_STOP_S) == 0
        finally:
            process.kill()


async def at_rest(url: str, server: psutil.Process, account: Account) -> Held:
    """What the server holds when nothing is asked of it and two models are loaded; counted."""
    await anyio.sleep(_REST_S)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        for model in MODELS[:2]:
            asked = Asked(dialect="responses", model=model, stream=False, tokens=16, words="Hello")
            # The engine that was killed last may be waiting out its back-off.
            with anyio.fail_after(60):
                while await ask(http, asked, account) != "200":
                    await anyio.sleep(1)
    await anyio.sleep(_SETTLE_S)
    account.rests.append(Held.of(server))
    assert len(engines_of(server)) == len(server.children(recursive=True)) == 2
    return account.rests[-1]


async def test_a_soak_loses_no_request_and_leaves_nothing_behind(
    tmp_path: Path, length_s: float, account: Account
) -> None:
    with serving(tmp_path) as (url, server):
        await load(url, server, MODELS, length_s=length_s * _WARM_SHARE, seed=1, account=account)
        before = await at_rest(url, server, account)
        await load(url, server, MODELS, length_s=length_s * (1 - _WARM_SHARE), seed=2, account=account)
        after = await at_rest(url, server, account)
    assert account.faults == []
    assert account.engines_killed > 0
    assert account.clients_killed > 0
    assert leaks.once_settled(lambda: [str(pid) for pid in account.engine_pids if leaks.is_marked(pid)]) == []
    assert {name: share for name, share in after.growth(before).items() if share > _GROWTH_MOST} == {}
