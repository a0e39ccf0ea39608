"""Tests what is told of processes: the memory of their own, and the connections that only they still hold open."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from paddock.hardware.processes import half_closed, own_bytes, parse_status

MIB = 2**20
HOARD = f"import sys; kept = bytearray(b'x' * {64 * MIB}); print('ready', flush=True); sys.stdin.read()"


def test_a_status_is_read_and_what_is_none_is_nothing() -> None:
    assert parse_status("Name:\tx\nRssAnon:\t  12 kB\nRssFile:\t 900 kB\nVmSwap:\t 3 kB\n") == 15 * 1024
    assert parse_status("") == 0


@pytest.mark.parametrize("depth", [0, 1])
def test_the_memory_of_a_process_and_of_its_children_is_told(depth: int) -> None:
    program = HOARD if not depth else f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOARD!r}])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdin
        assert child.stdout.readline() == b"ready\n"
        assert 64 * MIB <= own_bytes(child.pid) < 160 * MIB
        child.stdin.close()
        pid = child.pid
    assert own_bytes(pid) == 0


def test_what_a_client_closed_and_the_process_holds_is_told_until_it_lets_go() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        port = int(address[1])
        client, other = socket.create_connection(address), socket.create_connection(address)
        held, kept = server.accept()[0], server.accept()[0]
        with client, other, held, kept:
            assert half_closed(os.getpid(), port) == frozenset()
            gone = int(client.getsockname()[1])
            client.close()
            assert half_closed(os.getpid(), port) == {gone}
            assert half_closed(os.getpid(), port + 1) == frozenset()
            held.close()
            assert half_closed(os.getpid(), port) == frozenset()
    assert half_closed(2**22 + 1, port) == frozenset()
