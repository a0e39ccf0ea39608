"""Owns the command line as a whole: which commands there are, how they end and how an error reads.

Refuses to know what a command does; each has its own file. Rooms are imported inside the commands that need them, so
that `paddock --version` and a mistyped word are answered at once.

Exit status: 0 done, 1 an error that a sentence on stderr explains, 2 wrong usage or an unusable setting, 3 to 8
about builds of llama.cpp (`cli/engine.py`), 130 Ctrl+C.
With `--json` the same error is also printed on stdout, as `{"error": {"kind": …, "message": …}}`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer

from paddock import __version__
from paddock.cli import (
    backup,
    chat,
    config,
    connect,
    doctor,
    downloads,
    engine,
    evaluate,
    export,
    hub,
    keys,
    knowledge,
    mcp,
    models,
    printing,
    pull,
    remotes,
    requests,
    serve,
    setup,
    train,
    upgrade,
    users,
)
from paddock.errors import (
    BuildBroken,
    BuildRefused,
    BuildUnavailable,
    BuildUnfit,
    CanaryFailed,
    InstallBusy,
    PaddockError,
    SettingInvalid,
)

_PACKAGE = Path(__file__).parents[1]
_STATUSES: dict[type[PaddockError], int] = {
    SettingInvalid: 2,
    BuildUnfit: 3,
    BuildUnavailable: 4,
    BuildRefused: 5,
    BuildBroken: 6,
    InstallBusy: 7,
    CanaryFailed: 8,
}

app = typer.Typer(
    name="paddock",
    help="A local studio for language models: run them, and serve them to the tools people use.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("chat")(chat.chat)
app.add_typer(models.app, name="models")
app.command("pull")(pull.pull)
app.add_typer(downloads.app, name="downloads")
app.add_typer(hub.app, name="hub")
app.add_typer(doctor.app, name="doctor")
app.add_typer(train.app, name="train")
app.add_typer(export.app, name="export")
app.add_typer(evaluate.app, name="eval")
app.add_typer(engine.app, name="engine")
app.add_typer(knowledge.app, name="knowledge")
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.add_typer(mcp.app, name="mcp")
app.add_typer(remotes.app, name="remotes")
app.add_typer(requests.app, name="requests")
app.command("connect", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(connect.connect)
app.add_typer(config.app, name="config")
app.add_typer(backup.app, name="backup")
app.add_typer(setup.app, name="setup")
app.command("upgrade")(upgrade.upgrade)
app.command("uninstall")(upgrade.uninstall)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit status. `argv` is the command line without the program."""
    args = list(sys.argv[1:] if argv is None else argv)
    sys.excepthook = partial(_tell_fault, "--json" in args)
    _open_what_is_closed()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # A character that the terminal or the locale cannot show must not end the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = _run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_the_pipe()
        status = 1
    sys.exit(status)


def _open_what_is_closed() -> None:
    """Give a process whose streams were closed (`<&-`) empty ones, as if from and to nowhere."""
    for name, mode, how in (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_WRONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, how)
            setattr(sys, name, open(nowhere, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - until the end


def _run(args: list[str]) -> int:
    as_json = "--json" in args
    try:
        outcome: object = typer.main.get_command(app).main(args, prog_name="paddock", standalone_mode=False)
    except typer.TyperException as error:
        return _fail("usage", _usage_sentence(error), status=error.exit_code, as_json=as_json)
    except PaddockError as error:
        kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
        return _fail(kind, error.message, status=_STATUSES.get(type(error), 1), as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    return outcome if isinstance(outcome, int) else 0


def _usage_sentence(error: typer.TyperException) -> str:
    command = getattr(getattr(error, "ctx", None), "command_path", "paddock")
    message = error.format_message().replace("'?.", "'?")
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} See `{command} --help`."


def _fail(kind: str, message: str, *, status: int, as_json: bool) -> int:
    if as_json:
        printing.data({"error": {"kind": kind, "message": message}})
    printing.say(f"Error: {message}")
    return status


def _tell_fault(as_json: bool, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What is said instead of a stack when paddock itself is at fault."""
    if os.environ.get("PADDOCK_LOG_LEVEL") == "debug":
        sys.__excepthook__(kind, error, trace)
    ours = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).is_relative_to(_PACKAGE)]
    place = f" in {Path(ours[-1].filename).name} line {ours[-1].lineno}" if ours else ""
    sentence = f"A fault of paddock itself: {kind.__name__}{place} ({error}). Please report it"
    _fail("internal", f"{sentence}; PADDOCK_LOG_LEVEL=debug shows more.", status=1, as_json=as_json)


def _leave_the_pipe() -> None:
    # What is still buffered would be flushed at exit, and complain a second time.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"paddock {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def paddock(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)
    _settle_restore()


def _settle_restore() -> None:
    """End a restore that was cut short before anything reads the data home. Raises HomeBusy while one is under way."""
    from paddock.paths import Home, default_root

    home = Home(root=default_root())
    if home.restoring.is_dir():
        from paddock.backup.swap import settle

        settle(home, printing.say)
