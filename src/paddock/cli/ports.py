"""Owns what can be said about a port: free, or taken and by whom; refuses to serve on one."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

import psutil

from paddock.cli.connection import Address, is_paddock

_NEARBY_PORTS = 50
# What listens on this very machine answers at once, if it is one of ours.
_LOOK_S = 0.3


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. Port 0 always can."""
    return _try(host, port) is None


def free_port(host: str, above: int) -> int:
    """The next free port above one, or any free port if its neighbours are all taken."""
    for port in range(above + 1, min(above + _NEARBY_PORTS, 65536)):
        if is_free(host, port):
            return port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def listener(port: int) -> str:
    """Who listens on a port, such as "python3 (process 4711)"; "another program" where the system does not tell."""
    for pid in _listening_processes(port):
        try:
            return f"{psutil.Process(pid).name()} (process {pid})"
        except psutil.Error:
            return f"process {pid}"
    return "another program"


def refusal(host: str, port: int) -> str:
    """A full sentence why a server cannot listen there, and what to type instead."""
    error = _try(host, port)
    if error is None:
        return f"Port {port} on {host} was taken a moment ago and is free again: try once more."
    if error.errno == errno.EADDRINUSE:
        kin = "another paddock, " if is_paddock(Address(host=host, port=port), timeout_s=_LOOK_S) else ""
        return (
            f"Port {port} on {host} is taken by {kin}{listener(port)}. "
            f"Stop it, or choose another port: --port {free_port(host, port)} is free."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} is reserved for the administrator. Choose one above 1023, such as --port 8642."
    return f"{host} is no address of this machine ({error.strerror}). Leave --host out to listen on 127.0.0.1."


def _try(host: str, port: int) -> OSError | None:
    """What the system says to a server that would listen there; None if it is welcome."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def _listening_processes(port: int) -> Iterator[int]:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if _listens(connection.status, connection.laddr, port) and connection.pid:
                yield connection.pid
        return
    except psutil.AccessDenied:
        pass
    # macOS shows the whole list to the administrator only, but a person's own processes to that person.
    for process in psutil.process_iter():
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        if any(_listens(connection.status, connection.laddr, port) for connection in connections):
            yield process.pid


def _listens(status: str, address: object, port: int) -> bool:
    return status == psutil.CONN_LISTEN and getattr(address, "port", None) == port
