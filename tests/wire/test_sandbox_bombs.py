"""Code in a workspace takes all that it can get: processes, memory, disk, files, output, time. Each costs itself alone.

None is without an end of its own, so that a machine whose walls do not hold lives on.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import anyio
import psutil
import pytest

from paddock.sandbox.workspace import Result, Session
from tests.wire.workspaces import SMALL, WAIT_S, opened

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.attack("code that a model writes"),
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's"),
]


@pytest.fixture
async def session(tmp_path: Path) -> AsyncGenerator[Session]:
    async with opened(tmp_path / "workspaces" / "mine") as session:
        yield session
        # It goes on, whatever was done.
        assert (await session.python("20 + 22", timeout_s=WAIT_S)).text == "42\n"
        assert (await session.terminal("echo well", timeout_s=WAIT_S)).text == "well\n"


async def cell(session: Session, code: str) -> Result:
    return await session.python(code, timeout_s=WAIT_S)


async def test_processes_without_end_are_refused(session: Session) -> None:
    code = """
import os, time
begun = []
try:
    while len(begun) < 500:
        if (pid := os.fork()) == 0:
            time.sleep(20); os._exit(0)
        begun.append(pid)
except OSError as error:
    print("refused", len(begun) < 45)
"""
    result = await cell(session, code)
    assert result.text == "refused True\n" or "processes" in result.note


async def test_a_bomb_of_processes_ends_with_its_command(session: Session) -> None:
    # Each begins two, down to a depth at which there would be thousands.
    code = "import os, time\nfor _ in range(12):\n  try: os.fork()\n  except OSError: pass\ntime.sleep(20)"
    result = await session.terminal(f"python3 -I -S -c '{code}'", timeout_s=2.0)
    assert result.exit is None
    assert "seconds" in result.note or "processes" in result.note


async def test_threads_without_end_are_refused(session: Session) -> None:
    code = """
import threading, time
try:
    for n in range(500):
        threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
except RuntimeError:
    print("refused", n < 45)
"""
    result = await cell(session, code)
    assert result.text == "refused True\n" or "processes" in result.note


async def test_more_processes_than_may_be_are_ended_from_outside(tmp_path: Path) -> None:
    # Where the kernel does not count them: as without walls, or for a user who is root.
    async with opened(tmp_path / "w" / "mine", limits=replace(SMALL, processes=8), is_unsafe=True) as session:
        result = await session.terminal(
            "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 20 & done; wait", timeout_s=WAIT_S
        )
    assert result.exit is None
    assert "more than 8 processes" in result.note


async def test_memory_of_one_process_is_refused(session: Session) -> None:
    result = await cell(session, "x = bytearray(2**30)")
    assert "MemoryError" in result.text
    assert not result.is_state_lost


async def test_memory_of_many_processes_is_too_much_together(session: Session) -> None:
    code = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        held = bytearray(os.urandom(2**20) * 150)
        time.sleep(20); os._exit(0)
time.sleep(20)
"""
    result = await cell(session, code)
    assert "more than 400 MiB of memory" in result.note
    assert result.is_state_lost


async def test_memory_that_is_shared_is_counted(session: Session) -> None:
    code = """
import mmap, time
held = mmap.mmap(-1, 2**30)
for place in range(0, 2**30, 4096):
    held[place] = 1
time.sleep(20)
"""
    assert "more than 400 MiB of memory" in (await cell(session, code)).note


async def test_memory_by_files_in_memory_counts_as_disk(session: Session) -> None:
    code = "import time\nfor n in range(8):\n    open(f'/dev/shm/{n}', 'wb').write(bytes(60 * 2**20))\ntime.sleep(20)"
    assert "more than 100 MiB of disk" in (await cell(session, code)).note


async def test_one_endless_file_is_cut(session: Session) -> None:
    result = await session.terminal("head -c 200000000 /dev/zero > big; stat -c %s big", timeout_s=WAIT_S)
    assert f"\n{64 * 2**20}\n" in result.text or "MiB of disk" in result.note
    await session.terminal("rm big", timeout_s=WAIT_S)


@pytest.mark.parametrize("folder", ["/workspace", "/tmp", "/dev/shm"])
async def test_many_large_files_are_too_much(session: Session, folder: str) -> None:
    command = f"for n in 1 2 3 4 5; do head -c 50000000 /dev/zero > {folder}/$n; done; sleep 20"
    result = await session.terminal(command, timeout_s=WAIT_S)
    assert "more than 100 MiB of disk" in result.note
    assert (await session.terminal(f"rm {folder}/?; ls {folder}", timeout_s=WAIT_S)).exit == 0


@pytest.mark.parametrize("folder", ["/workspace", "/tmp"])
async def test_a_million_small_files_are_too_many(session: Session, folder: str) -> None:
    code = f"import time\nfor n in range(10**6):\n    open(f'{folder}/{{n}}', 'w').close()"
    assert "more than 2000 files and folders" in (await cell(session, code)).note


async def test_a_million_folders_in_one_another_are_too_deep(session: Session) -> None:
    code = "import os, time\nfor n in range(1500):\n    os.mkdir('d'); os.chdir('d')\ntime.sleep(20)"
    assert "nested them too deeply" in (await cell(session, code)).note


async def test_files_in_a_folder_that_was_shut_are_counted(session: Session) -> None:
    code = """
import os, time
os.mkdir("shut")
for n in range(5):
    open(f"shut/{n}", "wb").write(bytes(50 * 2**20))
os.chmod("shut", 0)
time.sleep(20)
"""
    assert "MiB of disk" in (await cell(session, code)).note


async def test_files_without_a_name_are_counted(session: Session) -> None:
    code = """
import os, time
held = []
for n in range(5):
    held.append(open("nameless", "wb"))
    held[-1].write(bytes(50 * 2**20)); held[-1].flush()
    os.unlink("nameless")
time.sleep(20)
"""
    assert "more than 100 MiB of disk" in (await cell(session, code)).note


async def test_open_files_without_end_are_refused(session: Session) -> None:
    code = "held = []\nwhile len(held) < 5000:\n    held.append(open('/dev/null'))"
    result = await cell(session, code)
    assert "Too many open files" in result.text
    await cell(session, "del held")


@pytest.mark.parametrize("tool", ["python", "terminal"])
async def test_a_gigabyte_of_output_is_cut_and_held_by_nobody(session: Session, tool: str) -> None:
    before = psutil.Process().memory_info().rss
    heard: list[str] = []
    if tool == "python":
        code = "for n in range(10**6): print('x' * 1023)\nn"
        result = await session.python(code, timeout_s=WAIT_S, on_output=heard.append)
    else:
        command = "yes xxxxxxxxxxxxxxxx | head -c 1000000000"
        result = await session.terminal(command, timeout_s=WAIT_S, on_output=heard.append)
    assert result.is_cut
    assert result.exit == 0
    assert "cut after 64 KiB" in result.note
    assert len(result.text) <= SMALL.output_bytes
    assert "".join(heard) == result.text
    assert psutil.Process().memory_info().rss - before < 30 * 2**20


async def test_output_of_programs_that_a_cell_starts_is_cut_too(session: Session) -> None:
    code = "import subprocess; subprocess.run('yes | head -c 100000000', shell=True).returncode"
    result = await cell(session, code)
    assert result.is_cut
    assert len(result.text) <= SMALL.output_bytes


@pytest.mark.parametrize("tool", ["python", "terminal"])
async def test_what_never_ends_is_ended(session: Session, tool: str) -> None:
    if tool == "python":
        code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
        result = await session.python(code, timeout_s=0.5)
        assert result.is_state_lost
    else:
        result = await session.terminal("trap '' TERM INT HUP; while :; do :; done", timeout_s=0.5)
    assert result.exit is None
    assert "more than 0.5 seconds" in result.note


async def test_a_daemon_does_not_outlive_its_command(session: Session) -> None:
    command = "(setsid sh -c 'while :; do date >> alive; sleep 0.01; done' </dev/null >/dev/null 2>&1 &) ; sleep 0.2"
    result = await session.terminal(command, timeout_s=WAIT_S)
    assert result.exit == 0
    await stands_still(session.folder / "alive")


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            open("alive", "a").write("x"); time.sleep(0.01)
    os._exit(0)
time.sleep(0.2)
"""


async def test_a_daemon_does_not_outlive_its_cell(session: Session) -> None:
    await cell(session, "kept = 1")
    assert not (await cell(session, DAEMON)).is_state_lost
    await stands_still(session.folder / "alive")
    assert (await cell(session, "kept")).text == "1\n"


async def test_a_thread_does_not_go_on_after_its_cell(session: Session) -> None:
    code = """
import threading, time
def go_on():
    while True:
        open("alive", "a").write("x"); time.sleep(0.01)
threading.Thread(target=go_on, daemon=True).start()
time.sleep(0.2)
"""
    await cell(session, code)
    await stands_still(session.folder / "alive")


@pytest.mark.parametrize("tool", ["python", "terminal"])
async def test_a_bomb_that_is_to_go_off_after_a_cancelled_call_does_not(session: Session, tool: str) -> None:
    command = "(setsid sh -c 'while :; do date >> alive; sleep 0.01; done' >/dev/null 2>&1 &); trap '' TERM; sleep 60"
    with anyio.move_on_after(0.5) as scope:
        if tool == "python":
            await cell(session, f"{DAEMON}\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass")
        else:
            await session.terminal(command, timeout_s=WAIT_S)
    assert scope.cancelled_caught
    assert (session.folder / "alive").exists()
    await stands_still(session.folder / "alive")


async def test_a_session_that_is_closed_leaves_nothing(tmp_path: Path) -> None:
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    async with opened(tmp_path / "w" / "mine") as session:
        await cell(session, DAEMON)
    assert {one.pid for one in psutil.Process().children(recursive=True)} <= before
    assert not session.folder.parent.exists()


async def test_a_session_is_closed_while_calls_are_under_way(tmp_path: Path) -> None:
    async with opened(tmp_path / "w" / "mine") as session, anyio.create_task_group() as group:
        group.start_soon(cell, session, "import time; time.sleep(60)")
        group.start_soon(lambda: session.terminal("sleep 60", timeout_s=WAIT_S))
        await anyio.sleep(0.5)
        await session.close(is_removed=True)
    with pytest.raises(OSError, match="closed"):
        await cell(session, "1")


async def stands_still(path: Path) -> None:
    """That nobody writes into a file any more."""
    size = size_of(path)
    await anyio.sleep(0.3)
    assert size_of(path) == size > 0


def size_of(path: Path) -> int:
    return path.stat().st_size
