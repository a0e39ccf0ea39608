"""Owns the inside of the sandbox: `python -I -S -B inside.py` gives up what it may do, then runs a stranger's function.

Read from stdin: a line of JSON with `code`, `function`, `memory_bytes` and `cpu_s`, then a line with the arguments of
each call. Written to stdout: `ready`, or why it cannot be confined; then a line for each call, `{"value": …}` or
`{"error": …}`. Python's standard library alone, and no other file of paddock's: what it needs is imported before it
gives up opening files.

The wall is seccomp: the kernel refuses every call that is not in a short list, whoever makes it. What code may import
is what was imported here.
"""

from __future__ import annotations

import ctypes
import importlib
import io
import json
import os
import platform
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any

# What a stranger's code may import.
LIBRARY = (
    "ast", "bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions",
    "functools", "heapq", "itertools", "json", "math", "operator", "random", "re", "statistics", "string", "textwrap",
    "typing", "unicodedata",
)  # fmt: skip
# Numbers of the calls that remain, on x86-64 and on arm64. None opens, connects, starts, signals or asks about another.
_CALLS = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "mremap": (25, 216), "madvise": (28, 233),
    "sched_yield": (24, 124), "nanosleep": (35, 101), "getpid": (39, 172), "exit": (60, 93), "exit_group": (231, 94),
    "futex": (202, 98), "gettimeofday": (96, 169), "clock_gettime": (228, 113), "clock_nanosleep": (230, 115),
    "getrandom": (318, 278), "sigaltstack": (131, 132), "gettid": (186, 178), "restart_syscall": (219, 128),
}  # fmt: skip
# As `linux/audit.h` numbers them: x86-64 and arm64, little-endian, 64 bits.
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, MACHINE_AT = 0, 4
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000
_SET_SECCOMP, _SECCOMP_FILTER, _NO_NEW_PRIVILEGES = 22, 2, 38
_WORDS_MOST = 300


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _filter() -> bytes:
    """The kernel's own little program: every call but those of the list is refused."""
    column, machine = MACHINES[platform.machine()]
    numbers = [both[column] for both in _CALLS.values()]
    steps = [
        (LOAD, 0, 0, MACHINE_AT), (JUMP_IF_EQUAL, 1, 0, machine), (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
        *((JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)),
        (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _give_up(memory_bytes: int, cpu_s: int) -> None:
    """Give up what may be done, for good. Raises OSError where the kernel does not take it."""
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu_s), (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 8),
    ):  # fmt: skip
        resource.setrlimit(kind, (most, most))
    code = _filter()
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(program)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main() -> int:
    """Run what is read; 2: this machine cannot confine it, and nothing was run."""
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    asked = sys.stdin
    order: dict[str, Any] = json.loads(asked.readline())
    for name in LIBRARY:
        importlib.import_module(name)
    try:
        _give_up(order["memory_bytes"], order["cpu_s"])
    except (OSError, KeyError, ValueError) as error:
        told.write(f"{type(error).__name__}: {error}\n")
        told.flush()
        return 2
    told.write("ready\n")
    told.flush()
    sys.stdout = sys.stderr = io.StringIO()
    names: dict[str, Any] = {"__name__": "reward"}
    # A stranger's code is what this is for.
    begun = _tried(lambda: exec(compile(order["code"], "reward", "exec"), names))  # noqa: S102
    for line in asked:
        sys.stdout.seek(0)
        sys.stdout.truncate()
        found = begun if "error" in begun else _tried(lambda line=line: _called(names[order["function"]], line))
        told.write(json.dumps(found) + "\n")
        told.flush()
    return 0


def _called(function: Callable[..., object], line: str) -> object:
    value = function(*json.loads(line))
    # What is no JSON is an error of the code, which is to be told as one.
    json.dumps(value, allow_nan=False)
    return value


def _tried(deed: Callable[[], object]) -> dict[str, object]:
    """What code gives, or what it raises, whatever that is."""
    try:
        return {"value": deed()}
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}"[:_WORDS_MOST]}


if __name__ == "__main__":
    sys.exit(main())
