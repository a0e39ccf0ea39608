"""Owns the few commands of a checkout: makes `.venv`, then runs, tests, formats or measures paddock in it.

Refuses to know anything of models, and needs nothing but Python's standard library. The file must parse on old
Pythons too, so that they can be told what is missing; that is why it has no `from __future__ import annotations`.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (an older Python is exactly who this line is for)
    sys.exit(
        "paddock needs Python 3.11 or newer; this is Python %d.%d (%s).\n"  # noqa: UP031
        "Install a newer one and start again with it, for example: python3.12 dev.py run"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

from tools import build_page as page
from tools.outcome import Outcome, summary, verification

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "paddock.json"
WINDOWS = os.name == "nt"
BIN = VENV / ("Scripts" if WINDOWS else "bin")
PYTHON = BIN / ("python.exe" if WINDOWS else "python")
SETS = ("run", "test")  # `test` holds all of `run`
MAKERS = {step: ROOT / "tests" / "tiers" / f"{step}.py" for step in ("clients", "source", "training")}
EVERY_DAY = ("lint", "format", "types", "web", "unit", "wire", "journeys", "page", "fuzz")
# How many of a tier's files run side by side, for each processor: most of them wait. The fuzz counts as one.
AT_ONCE = {"unit": 1.0, "wire": 2.0, "journeys": 1.5, "page": 1.0, "clients": 1.0}
LONG = ("debian12", "debian13", "source", "training", "soak")
TIERS = (*EVERY_DAY, "clients", "attack", "kill", "leave", *LONG, "all")


def say(words: str) -> None:
    print(words, flush=True)


def fail(words: str) -> NoReturn:
    sys.exit(f"dev.py: {words}")


def digest(kind: str) -> str:
    """Fingerprint of what the set `kind` should be."""
    return hashlib.sha256((ROOT / "requirements" / f"{kind}.txt").read_bytes()).hexdigest()


def identity() -> str:
    """What an environment belongs to: this tree, and this Python."""
    return f"{sys.version_info.major}.{sys.version_info.minor} {sys.base_prefix} {ROOT}"


def read_stamp() -> dict[str, str] | None:
    """What was last installed; None where nothing of ours was. An unreadable stamp counts as a broken install."""
    try:
        return dict(json.loads(STAMP.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        return {"state": "installing"}


def write_stamp(stamp: dict[str, str]) -> None:
    VENV.mkdir(exist_ok=True)
    draft = STAMP.with_suffix(".draft")
    draft.write_text(json.dumps(stamp, indent=1), "utf-8")
    draft.replace(STAMP)


def is_ready(kind: str) -> bool:
    stamp = read_stamp() or {}
    return stamp.get("for") == identity() and stamp.get(kind) == digest(kind) and PYTHON.exists()


def why_unusable(stamp: dict[str, str] | None) -> str:
    """Why the environment that is there must be made anew; empty where it can be built upon."""
    if stamp is not None and stamp.get("state") == "installing":
        return "an earlier install was interrupted"
    if not PYTHON.exists():
        return "its Python is gone"
    if stamp is not None and stamp.get("for") != identity():
        return "it belongs to another Python or another place"
    if stamp is None and not site_packages().joinpath("pip").is_dir():
        return "it was made for another Python, or without pip"
    return ""


def ensure(kind: str) -> None:
    """Make `.venv` hold the requirement set `kind`; milliseconds where it already does.

    The stamp says "installing" from before the first change until after the last one, so that an install that was
    cut short is seen by the next start, which begins anew.
    """
    if is_ready(kind):
        return
    with alone():
        if is_ready(kind):
            return
        started = time.monotonic()
        stamp = read_stamp()
        reason = why_unusable(stamp) if VENV.exists() else ""
        if reason:
            say(f"Making .venv anew: {reason}.")
            shutil.rmtree(VENV)
            stamp = None
        write_stamp({"state": "installing"})
        if not PYTHON.exists():
            make_venv()
        install(kind)
        link()
        held = {name: digest(name) for name in SETS if stamp and stamp.get(name) == digest(name)}
        held.update({name: digest(name) for name in SETS[: SETS.index(kind) + 1]})
        write_stamp({"for": identity(), **held})
        say(f"The environment is ready ({time.monotonic() - started:.0f} s).")


@contextlib.contextmanager
def alone() -> Generator[None]:
    """Only one dev.py changes the environment at a time; others wait here."""
    with (ROOT / ".venv.lock").open("a+b") as lock:
        if sys.platform == "win32":
            import msvcrt

            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another dev.py is making the environment; waiting for it.")
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def site_packages() -> Path:
    return Path(sysconfig.get_path("purelib", scheme="venv", vars={"base": str(VENV), "platbase": str(VENV)}))


def make_venv() -> None:
    say(f"Making .venv with Python {sys.version.split()[0]}.")
    hint = "On Debian and Ubuntu: apt install python3-venv"
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        shutil.rmtree(VENV, ignore_errors=True)
        fail(f"this Python cannot make environments, as a part of it is packaged apart. {hint}")
    base = getattr(sys, "_base_executable", None) or sys.executable
    made = subprocess.run([base, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode:
        fail(f"`python -m venv` failed.\n{made.stdout}{made.stderr}\n{hint}")


def install(kind: str) -> None:
    """Install the set `kind` with pip, hash by hash, telling how far it is."""
    wanted = ROOT / "requirements" / f"{kind}.txt"
    total = sum("==" in line for line in wanted.read_text("utf-8").splitlines())
    say(f"Installing the {kind} set, up to {total} packages.")
    command = [str(PYTHON), "-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "-r", str(wanted)]
    environment = {**os.environ, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"}
    last: list[str] = []
    seen = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            last = [*last[-40:], line]
            word, _, rest = line.strip().partition(" ")
            if word in {"Collecting", "Processing", "Requirement"}:
                seen += 1
                place = rest.split(": ")[-1].split(" in ")[0].split(" (")[0]
                name = "-".join(Path(place).name.split("-")[:2])
                progress(f"  {seen} of {total}: {name}", every=10, count=seen)
            elif word == "Installing":
                progress("  unpacking", every=1, count=1)
    progress("", every=1, count=0)
    if pip.returncode:
        fail(f"pip could not install requirements/{kind}.txt:\n{''.join(last)}")


def progress(words: str, *, every: int, count: int) -> None:
    """One line that is written over on a terminal; now and then a line elsewhere."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[K{words}")
        sys.stdout.flush()
    elif words and count % every == 0:
        say(words)


def link() -> None:
    """Let the environment see the tree itself, and give it the `paddock` command."""
    (site_packages() / "paddock-tree.pth").write_text(f"{ROOT / 'src'}\n", "utf-8")
    if WINDOWS:
        (BIN / "paddock.cmd").write_text('@"%~dp0python.exe" -m paddock %*\r\n', "utf-8")
        return
    # A shell reads the second line as a command, Python as a string: so the path may hold blanks and be long.
    lines = ("#!/bin/sh", f'"exec" "{PYTHON}" "$0" "$@"', "import sys", "", "from paddock.cli import main", "")
    (BIN / "paddock").write_text("\n".join([*lines, "sys.exit(main())", ""]), "utf-8")
    (BIN / "paddock").chmod(0o755)


def run(extra: Sequence[str]) -> NoReturn:
    """Start paddock in place of this process, with `serve` unless something else was asked for."""
    ensure("run")
    build_page()
    words = list(extra) or ["serve"]
    if WINDOWS:
        sys.exit(subprocess.call([str(PYTHON), "-m", "paddock", *words]))
    sys.stdout.flush()
    os.execv(PYTHON, [str(PYTHON), str(BIN / "paddock"), *words])


def build_page() -> None:
    """Build the page where its sources have changed since; with Node from a wheel where the machine has none."""
    if page.is_fresh():
        return
    started = time.monotonic()
    ensure_node()
    say("Building the page.")
    if call("tools.build_page"):
        fail("the page could not be built; what is said above tells why.")
    say(f"The page is ready ({time.monotonic() - started:.0f} s).")


def ensure_node() -> None:
    """Have a Node that builds the page: the machine's, or one from a wheel, put into `.venv`."""
    if call("tools.build_page", "--ask") == 0:
        return
    say("This machine has no Node.js of 20.19 or 22.12: installing one into .venv.")
    words = ["pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"]
    if call(*words, "--disable-pip-version-check", "-r", str(ROOT / "requirements" / "node.txt")):
        fail("Node.js could not be installed from requirements/node.txt.")


def call(*words: str) -> int:
    """Run a module of the environment in the tree's root."""
    # pyright's wheel would otherwise ask the network whether it is the newest.
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    # Without compiled modules every run compiles every test anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.call([str(PYTHON), "-m", *words], cwd=ROOT, env=environment)


def fmt(extra: Sequence[str]) -> int:
    ensure("test")
    ensure_node()
    codes = [call("ruff", "check", "--fix", *extra), call("ruff", "format", *extra)]
    codes.append(call("tools.check_page", "--write"))
    return max(*codes, subprocess.call([str(PYTHON), "docs/generate.py"], cwd=ROOT))


def bench(extra: Sequence[str]) -> int:
    ensure("test")
    return call("bench", *extra)


def lock(extra: Sequence[str]) -> int:
    """Write requirements/*.txt anew from pyproject.toml. Pins stay unless `-- --upgrade` is given."""
    ensure("run")
    if call("pip", "install", "--quiet", "--disable-pip-version-check", "uv"):
        return 1
    base = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version=3.11", "--generate-hashes"]
    base += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet", *extra]
    if call(*base, "--output-file=requirements/run.txt"):
        return 1
    held = "--constraints=requirements/run.txt"
    code = call(*base, "--group=test", held, "--output-file=requirements/test.txt")
    # With the run set in it, so that both fit together: it is installed over that.
    code = code or call(*base, "--extra=trace", held, "--output-file=requirements/trace.txt")
    # The libraries of the clients are installed apart from ours, at versions of their own.
    words = [word for word in base if word != "pyproject.toml"]
    code = code or call(*words, "tests/clients/python.in", "--output-file=requirements/clients.txt")
    # aider has an environment of its own, and what the bench stands beside paddock another.
    code = code or call(*words, "tests/clients/aider.in", "--output-file=requirements/aider.txt")
    # Which torch, and whose libraries it brings, is chosen by machine. Ray fits beside what is chosen here.
    theirs = (ROOT / "requirements" / "training.in").read_text("utf-8").partition("# Brought by torch: ")[2].split()
    chosen = [f"--no-emit-package={name}" for name in theirs]
    more = {"training": chosen, "ray": ["--constraints=requirements/training.txt"]}
    for name in ("node", "build", "training", "ray", "bench"):
        code = code or call(*words, *more.get(name, ()), f"requirements/{name}.in", f"-o=requirements/{name}.txt")
    return code


def pytest(step: str, extra: Sequence[str], *selection: str) -> Outcome:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = call("pytest", *selection, f"--junitxml={report}", *extra)
        counts = read_counts(report)
    if code == 5 and extra:  # nothing matched what was asked for; another tier may have it
        code = 0
    return Outcome(step=step, code=code, took_s=time.monotonic() - started, counts=counts)


def read_counts(report: Path) -> dict[str, int]:
    if not report.exists():
        return {}
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for suite in suites:
        for name in total:
            total[name] += int(suite.get(name, "0"))
    bad = {name: total[name] for name in ("failures", "errors", "skipped")}
    return {"passed": total["tests"] - sum(bad.values()), **bad}


def perform(step: str, extra: Sequence[str], *, full: bool) -> Outcome:
    """Run one step of the tests. `full` runs every round of the long suites, not their slice."""
    plain: dict[str, Callable[[], int]] = {
        "lint": lambda: call("ruff", "check"),
        "format": lambda: call("ruff", "format", "--check"),
        "types": lambda: call("pyright"),
        "web": lambda: call("tools.check_page"),
        **dict.fromkeys(("debian12", "debian13"), lambda: call("tests.tiers.debian", step[-2:])),
    }
    say(f"\n{step}")
    if step in plain:
        started = time.monotonic()
        return Outcome(step=step, code=plain[step](), took_s=time.monotonic() - started, counts={})
    if step in MAKERS and subprocess.call([sys.executable, str(MAKERS[step])]):
        return Outcome(step=step, code=1, took_s=0.0, counts={})
    if step == "source":
        os.environ["PADDOCK_TEST_ENGINE"] = str(ROOT / ".source" / "llama-server")
        return pytest(step, extra, "tests/journeys")
    if step in {"attack", "kill", "leave"}:  # what attacks the page has one length
        marks = "attack and not kill" if step == "attack" else step
        return pytest(step, extra, "tests", "--ignore=tests/page", "-m", marks, "--full")
    workers = round(AT_ONCE.get(step, 0) * min(4, os.cpu_count() or 1))
    at_once = [f"--numprocesses={workers}", "--dist=loadfile"] if workers > 1 else []
    return pytest(step, extra, f"tests/{step}", *at_once, *(["--full"] if full else []))


def test(tier: str | None, extra: Sequence[str]) -> int:
    ensure("test")
    ensure_node()
    subprocess.call([sys.executable, str(ROOT / "tests" / "tiers" / "machine.py")])
    daily = EVERY_DAY
    if tier in (None, "all"):
        if subprocess.call([sys.executable, str(MAKERS["clients"]), "--ask"]) == 0:
            daily = (*EVERY_DAY, "clients")
        else:
            say("npm does not answer: the tier `clients` is not run.")
    steps = (*daily, *LONG) if tier == "all" else (tier,) if tier else daily
    outcomes = [perform(step, extra, full=tier in ("all", "fuzz", "training")) for step in steps]
    say("")
    for outcome in outcomes:
        say(f"{outcome.step:<10} {'ok' if outcome.code == 0 else 'FAILED':<7} {outcome.took_s:7.1f} s")
    if tier == "all":
        (ROOT / "docs" / "verification.md").write_text(verification(outcomes, ROOT), "utf-8")
        say("Written to docs/verification.md.")
    say(summary(outcomes))
    return 1 if any(o.code for o in outcomes) else 0


def main(argv: Sequence[str]) -> int:
    words = list(argv)
    cut = words.index("--") if "--" in words else len(words)
    own, extra = words[:cut], words[cut + 1 :]
    parser = argparse.ArgumentParser(prog="dev.py", description="The commands of a paddock checkout.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="serve on 127.0.0.1:8642; `run -- ARGS` runs `paddock ARGS` instead")
    tests = commands.add_parser("test", help="lint, types and every tier; `test -- ARGS` passes ARGS to pytest")
    tests.add_argument("--tier", choices=TIERS, help="one tier alone and in full; `all` records the outcome in docs/")
    benches = commands.add_parser("bench", help="measure, and write docs/benchmarks.md; `bench -- ARGS` passes ARGS on")
    benches.add_argument("--only", nargs="+", default=[], metavar="NAME", help="renew these sections, keep the others")
    commands.add_parser("fmt", help="format, mend what can be mended, write the generated docs")
    commands.add_parser("engine-manifest", help="print the manifest of a llama.cpp release").add_argument("tag")
    commands.add_parser("lock", help="write requirements/*.txt anew; `lock -- --upgrade` raises the pins")
    chosen = parser.parse_args(own)
    if chosen.command == "test":
        return test(chosen.tier, extra)
    if chosen.command == "bench" and chosen.only:
        extra = ["--only", *chosen.only, *extra]
    if chosen.command == "engine-manifest":
        ensure("run")
        return call("tools.engine_manifest", chosen.tag)
    return {"run": run, "bench": bench, "fmt": fmt, "lock": lock}[chosen.command](extra)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\ndev.py: stopped.")
