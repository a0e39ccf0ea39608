"""Tests telling whether the process that was making an answer still does."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import psutil

from paddock.serving.chat_workers import is_gone, name_of_this


def test_a_process_is_gone_once_it_has_ended_whether_or_not_its_parent_took_note() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        there = psutil.Process(process.pid)
        name = f"{socket.gethostname()}/{process.pid}/{there.create_time():.2f}"
        assert not is_gone(name, None, now_s=time.time())
        process.kill()
        while there.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.001)
        assert is_gone(name, time.time(), now_s=time.time())
    assert is_gone(name, time.time(), now_s=time.time())


def test_a_process_is_no_other_that_got_its_number_later() -> None:
    name = name_of_this()
    assert not is_gone(name, None, now_s=time.time())
    assert is_gone(f"{name}9", time.time(), now_s=time.time())


def test_a_process_of_another_host_is_gone_once_it_is_silent() -> None:
    assert not is_gone("elsewhere/1/1.00", time.time() - 10, now_s=time.time())
    assert is_gone("elsewhere/1/1.00", time.time() - 100, now_s=time.time())
    assert is_gone(None, None, now_s=time.time())
