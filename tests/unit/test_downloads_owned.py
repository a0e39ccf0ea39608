"""What a paddock says of the downloads of its home while it takes them over from the last one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from paddock.models import downloads as owning
from paddock.models.download_states import Download, read_states, write_state
from paddock.models.downloads import Downloads
from paddock.models.hub_process import HubProcess
from paddock.paths import Home

pytestmark = pytest.mark.anyio
PAUSED = Download(id="dl_a", model="a/b:Q8_0", revision="c" * 40, files=(), created_s=1).then(10, "paused")


async def test_a_download_is_known_while_it_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(root=tmp_path)
    home.downloads.mkdir(parents=True)
    write_state(home.downloads, PAUSED)
    begun, may_end = threading.Event(), threading.Event()

    def slow(folder: Path) -> Iterator[Download]:
        if not begun.is_set():
            begun.set()
            assert may_end.wait(30)
        yield from read_states(folder)

    monkeypatch.setattr(owning, "read_states", slow)
    async with anyio.create_task_group() as tasks:
        downloads = Downloads(home, tasks, HubProcess(home, lends_token=False, environ={}), most_at_once=1)
        tasks.start_soon(downloads.restore)
        try:
            assert await anyio.to_thread.run_sync(begun.wait, 30)
            assert await downloads.find(PAUSED.id) == PAUSED
        finally:
            may_end.set()
        await downloads.restore()
        assert await downloads.find(PAUSED.id) == PAUSED
        await downloads.close()
