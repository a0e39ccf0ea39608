"""A process is told from all others, also from one that gets its number."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from paddock import process

_SAYS = "import sys; from paddock import process; print(process.this(), flush=True); sys.stdin.read()"


def test_a_process_is_there_until_it_ends() -> None:
    assert process.is_there(process.this())
    with subprocess.Popen([sys.executable, "-c", _SAYS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        name = other.stdout.readline().decode().strip()
        assert name.startswith(f"{other.pid}-")
        assert process.is_there(name)
        other.kill()
        # It has ended, and its parent has yet to take note.
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        assert not process.is_there(name)
    assert not process.is_there(name)


@pytest.mark.parametrize("name", ["", "1", "x-1", "{}0", "{}/x", "99999999999-1"])
def test_another_of_that_number_is_not_it(name: str) -> None:
    assert not process.is_there(name.format(process.this()))
