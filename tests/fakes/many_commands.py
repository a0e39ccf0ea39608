"""A program that runs many command lines of paddock in one process: a JSON list of them on stdin, an outcome a line.

Starting Python takes longer than most commands.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback

from paddock.cli import main


def run(argv: list[str]) -> dict[str, object]:
    """The exit status of one, and what it printed. A fault of paddock's own has the status -1."""
    out, err = io.StringIO(), io.StringIO()
    status: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(argv)
        except SystemExit as left:
            status = left.code or 0
        except BaseException:
            status = -1
            traceback.print_exc()
    return {"argv": argv, "status": status, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    for argv in json.load(sys.stdin):
        print(json.dumps(run(argv)), flush=True)
