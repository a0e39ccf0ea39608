"""Owns the inside of a workspace: takes its limits, then runs a command, or cells of Python one after another.

Started as `python -I -B -X utf8 interpreter.py ORDER`, where ORDER is JSON: `limits` (name of a resource limit to its
value), `user` (a number to become, where it is begun by root), `folder` (the workspace), and either `command` (its
words, which take this process's place) or `asked` and `told`, two descriptors. On the first come lines with `call` (a
word), `code` and `output_bytes`; on the second go lines with `call`, `error` (a traceback, "" if all went well) and
`dropped_bytes`; the first of them, `{"call": "", …}`, once it is ready. What cells print goes to the standard output.

Python's standard library alone, and no other file of paddock's. Not covered: a cell that writes on these descriptors
deceives whoever reads about itself.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import json
import linecache
import os
import resource
import signal
import sys
import traceback
import types
import warnings
from collections.abc import Callable
from typing import Any

_NICER = 5
_WORDS_MOST = 16_000
_FIGURES_MOST = 20
_DEAD_MOST = 8


class _Bounded(io.RawIOBase):
    """The standard output up to so many bytes; what is more is counted and dropped."""

    name = "<stdout>"

    def __init__(self, most_bytes: int) -> None:
        self._left_bytes = most_bytes
        self.dropped_bytes = 0

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        kept = view[: self._left_bytes]
        self._left_bytes -= len(kept)
        self.dropped_bytes += len(view) - len(kept)
        while kept:
            kept = kept[os.write(1, kept) :]
        return len(view)


def _take_limits(order: dict[str, Any]) -> None:
    """Give up what may be done, for good."""
    if (user := order["user"]) is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    for name, most in order["limits"].items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # Some systems know a limit and take none.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (bound, bound))
    with contextlib.suppress(OSError):
        os.nice(_NICER)
    os.chdir(order["folder"])


def _run(code: str, number: int, names: dict[str, Any]) -> None:
    """Run one cell; the value of a last expression is shown, as in a notebook."""
    name = f"<cell {number}>"
    # So that a traceback shows the lines.
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    tree = ast.parse(code, name)
    last: list[ast.stmt] = []
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = [tree.body.pop()]
    # A model's code is what this is for.
    exec(compile(tree, name, "exec"), names)  # noqa: S102
    exec(compile(ast.Interactive(last), name, "single"), names)  # noqa: S102


def _show(value: object) -> None:
    if value is not None:
        builtins.__dict__["_"] = value
        print(repr(value))  # noqa: T201


def _keep_figures() -> None:
    """Save each figure that is open, under the next name that nobody has, and close it."""
    plots: Any = sys.modules.get("matplotlib.pyplot")
    if plots is None:
        return
    number = 0
    for each in plots.get_fignums()[:_FIGURES_MOST]:
        while True:
            number += 1
            with contextlib.suppress(FileExistsError), open(f"figure-{number}.png", "xb") as file:
                plots.figure(each).savefig(file, format="png", bbox_inches="tight")
                break
    plots.close("all")


def _tried(deed: Callable[[], None]) -> str:
    """What it raises, as a traceback without the lines of this file; "" if nothing."""
    try:
        deed()
    except BaseException as error:
        place = error.__traceback__
        while place is not None and place.tb_frame.f_code.co_filename in (__file__, ast.__file__):
            place = place.tb_next
        lines = traceback.format_exception(type(error), error, place)
        return "".join(lines)[-_WORDS_MOST:]
    return ""


def _bury() -> None:
    """Take note of children that ended and that nobody asks about; a few may wait for whoever began them."""
    with contextlib.suppress(OSError):
        dead = 0
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                dead += file.read().rpartition(b")")[2].split()[0] == b"Z"
        if dead > _DEAD_MOST:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _cells(asked: int, told: int) -> None:
    os.set_inheritable(asked, False)
    os.set_inheritable(told, False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.displayhook = _show
    sys.argv = [""]
    sys.path.insert(0, os.getcwd())
    # What a figure is shown on is a file.
    warnings.filterwarnings("ignore", message=".*non-interactive")

    def tell(**said: object) -> None:
        line = json.dumps(said).encode() + b"\n"
        while line:
            line = line[os.write(told, line) :]

    tell(call="", error="", dropped_bytes=0)
    number = 0
    with os.fdopen(asked, "rb") as orders:
        for line in orders:
            order = json.loads(line)
            number += 1
            _bury()
            output = _Bounded(order["output_bytes"])
            wrapped: Any = output
            sys.stdout = sys.stderr = io.TextIOWrapper(wrapped, "utf-8", "backslashreplace", write_through=True)
            error = _tried(lambda code=order["code"], number=number: _run(code, number, main.__dict__))
            error = "\n".join(filter(None, (error, _tried(_keep_figures))))
            tell(call=order["call"], error=error, dropped_bytes=output.dropped_bytes)


def main() -> int:
    """Do what the order says; 126: its command cannot be run."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    _take_limits(order)
    if command := order.get("command"):
        try:
            os.execv(command[0], command)
        except OSError as error:
            os.write(2, f"{command[0]} cannot be run: {error.strerror}\n".encode())
            return 126
    with contextlib.suppress(KeyboardInterrupt):
        _cells(order["asked"], order["told"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
