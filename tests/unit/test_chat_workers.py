"""Tests telling whether the process that was making an answer still does."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from paddock.serving.chat_workers import Workers, name_of_this


def test_a_process_is_gone_once_it_has_ended_whether_or_not_its_parent_took_note() -> None:
    workers = Workers()
    says = "from paddock.serving import chat_workers as w; print(w.name_of_this(), flush=True); input()"
    command = [sys.executable, "-c", says]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        name = process.stdout.readline().strip()
        assert not workers.is_gone(name, None)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert workers.is_gone(name, time.time())
    assert workers.is_gone(name, time.time())


def test_a_process_is_no_other_that_got_its_number_later() -> None:
    name = name_of_this()
    assert not Workers().is_gone(name, None)
    assert Workers().is_gone(f"{name}9", time.time())


def test_a_process_is_itself_whatever_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    name, boot_s, began_s = name_of_this(), psutil.boot_time(), psutil.Process().create_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: boot_s + 1e7)

    def create_time(process: psutil.Process) -> float:
        return began_s + 1e7

    monkeypatch.setattr(psutil.Process, "create_time", create_time)
    assert not Workers().is_gone(name, None)


def test_a_process_of_another_host_is_gone_once_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    workers, now_s = Workers(), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    # Its clock is years behind, or ahead: it says something, and that is all that counts.
    for beat_s in (100.0, 101.0, 102.0):
        assert not workers.is_gone("elsewhere/1/1.00", beat_s)
        now_s[0] += 50
    assert not workers.is_gone("elsewhere/1/1.00", 102.0)
    now_s[0] += 20
    assert workers.is_gone("elsewhere/1/1.00", 102.0)
    assert not workers.is_gone("elsewhere/1/1.00", 103.0)
    assert workers.is_gone(None, None)
