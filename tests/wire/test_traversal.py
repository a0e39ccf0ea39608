"""Tests that no text which anybody may send leads to a file outside the data home: nothing is read, changed or made.

Every text of every route is tried, as `parameters.py` derives them; a slice of the ways daily, all of them in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from paddock.paths import Home
from tests.fuzz.sending import Got, Sent, exchange
from tests.traversal import DEPTH, Ground, laid_out, ways
from tests.wire import attacked
from tests.wire.parameters import Place, places, spellings, written
from tests.wire.rig import Rig, scripted_studio

pytestmark = [pytest.mark.anyio, pytest.mark.attack("path traversal")]


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """A ground in whose environment this process works."""
    made = laid_out(tmp_path)
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    return made


def attempts(ground: Ground, *, full: bool) -> Iterator[tuple[Place, str]]:
    """Each place with each way; of a slice, each with one way up, one from the root and one other."""
    every = ways(ground)
    rooted = [text for text in every if text.startswith(("/", "file:", "~", "out/"))]
    for number, place in enumerate(places()):
        some = ["../" * (1 + number % (DEPTH - 1)) + "canary", rooted[number % len(rooted)], every[number % len(every)]]
        # What hands out files itself is tried with all.
        chosen = every if full or place.where == "raw" or place.path.startswith(("/assets", "/chat/")) else some
        yield from ((place, text) for text in chosen)


async def test_no_text_leads_out_of_the_data_home(ground: Ground, full: bool) -> None:
    here = _listing()
    told: Counter[int] = Counter()
    beside = ground.outer / "laid"
    laid = attacked.files(beside, Home(root=ground.home))
    async with (
        scripted_studio(
            ground.home.parent, script=attacked.SEES, worker_program=attacked.WORKER, require_key=False,
            **attacked.FLAGS,
        ) as rig,
        attacked.jobs(rig, ground.home, beside, laid) as made,
    ):  # fmt: skip
        before = ground.standing()
        await anyio.to_thread.run_sync(lambda: _try_all(rig, ground, told, made, full))
        await attacked.evaluated(rig)
        # It is as well as before, with its model.
        assert (await rig.chat()).status_code == 200
        assert ground.standing() == before
        # What was begun went no further than its queue, and nothing of what lies outside came into the home.
        assert not _holding(ground)
    assert _listing() == here
    # Both sorts of answers came, or nothing was looked at.
    assert told[200] > 100
    assert told[400] + told[404] + told[422] > 500, told


def _listing() -> list[str]:
    return sorted(str(path) for path in Path().iterdir())


def _holding(ground: Ground) -> list[Path]:
    """The files of jobs that hold the word."""
    found = [path for path in (ground.home / "jobs").rglob("*") if path.is_file()]
    return [path for path in found if ground.word.encode() in path.read_bytes()]


def _try_all(rig: Rig, ground: Ground, told: Counter[int], laid: dict[str, str], full: bool) -> None:
    host, port = rig.studio.url.removeprefix("http://").split(":")
    for place, text in attempts(ground, full=full):
        for spelt in spellings(place, text):
            method, target, body = written(place, spelt, seeds=attacked.SEEDS, laid=laid)
            got = exchange((host, int(port)), Sent(method=method, target=target.encode(), body=body or b""))
            told[got.status] += 1
            _judge(ground, place, spelt, got)


def _judge(ground: Ground, place: Place, text: str, got: Got) -> None:
    said = got.body + repr(got.headers).encode()
    about = f"{place.operation} {place.where} {place.keys} = {text[:100]!r}: {got.status} {got.body[:300]!r}"
    assert ground.word.encode() not in said, about
    assert b"x-made" not in {name.lower().encode() for name in got.headers}, about
    assert b"root:x:" not in said, about
    assert b"Traceback" not in said, about
    assert got.status != 500, about
    for secret in ("keys.secret", "secrets.key"):
        path = ground.home / secret
        assert not path.exists() or path.read_bytes()[:32] not in said, about
