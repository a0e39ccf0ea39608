"""Tests that the sources call nothing that runs what it reads: by a look at every call, and by bandit's."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.attack("malicious notebooks and data sets")
SOURCES = Path(__file__).resolve().parents[2] / "src"
FILES = sorted(SOURCES.rglob("*.py"))
# Modules that run what they read, or what is no longer kept up.
MODULES = {
    *("pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "imp", "telnetlib"),
    *("nbformat", "nbconvert", "nbclient", "jupyter_client", "xmlrpc"),
}
# What runs code which somebody wrote: after consent, in processes of their own, within walls.
EXCEPTED = {(f"paddock/sandbox/{name}.py", call) for name in ("inside", "interpreter") for call in ("exec", "compile")}
# What bandit asks to be thought about, each thought about; `-s` leaves out its words on every assert that tells the
# type checker something, every import of subprocess, and every program that is started from a list without a shell.
LEFT_OUT = "B101,B404,B603"
THOUGHT_ABOUT = {
    ("paddock/sandbox/inside.py", "B102"): "runs rewards apart, after consent",
    ("paddock/sandbox/interpreter.py", "B102"): "runs a model's code within walls, where a person lets it",
    ("paddock/sandbox/interpreter.py", "B606"): "becomes the shell of a command, within walls",
    ("paddock/toolservers/keeper.py", "B606"): "becomes the program that a person turned on",
    ("paddock/sandbox/walls.py", "B108"): "the temporary folder within walls, which is the workspace's own",
    ("paddock/api/guard.py", "B104"): "names the address in order to know it",
    ("paddock/listening.py", "B104"): "names the address in order to warn of it",
    ("paddock/models/fetching.py", "B105"): "a sentence about tokens",
    ("paddock/cli/doctor.py", "B105"): "the colour of a verdict named `pass`",
    ("paddock/cli/canary.py", "B105"): "the word of a verdict named `pass`",
    ("paddock/training/worker/dry_run.py", "B311"): "chance that a seed repeats is what is wanted",
    ("paddock/training/worker/material.py", "B311"): "chance that a seed repeats is what is wanted",
    ("paddock/hardware/processor.py", "B607"): "sysctl, where the system keeps it",
    ("paddock/install/environment.py", "B607"): "a program of whoever installs, found as their shell would find it",
    ("paddock/training/worker/backend.py", "B615"): "reads a folder of this machine, and no code of it",
    ("paddock/export/worker/source.py", "B615"): "reads a folder of this machine, and no code of it",
    ("paddock/export/worker/joining.py", "B615"): "reads a folder of this machine, and no code of it",
    ("paddock/training/worker/seeing.py", "B615"): "reads a folder of this machine, and no code of it",
}


def faults(source: str) -> Iterator[str]:
    """What must not be in a file, each by its line and name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"{node.lineno} {name}" for name in names if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            yield from (f"{node.lineno} {name}" for name in in_call(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".ipynb"):
            yield f"{node.lineno} notebook"


# Calls that are wrong whatever they are given, and those that are right with one value of one argument alone.
NEVER = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"),
}
NEVER_BY_LAST = {"extractall", "unpack_archive", "_create_unverified_context"}
NEEDED = {
    "torch.load": ("weights_only", True),
    "numpy.load": ("allow_pickle", False),
    **{f"hashlib.{name}": ("usedforsecurity", False) for name in ("md5", "sha1", "new")},
}
NEEDED_BY_LAST = {"from_pretrained": ("trust_remote_code", False)}
# What may be given no other value; a name that is handed on is looked at where it was given, but for `shell`.
ALONE = {"shell": False, "verify": True, "check_hostname": True, "trust_remote_code": False}


def in_call(call: ast.Call) -> Iterator[str]:
    """The names of what is wrong with one call."""
    given = {one.arg: one.value.value if isinstance(one.value, ast.Constant) else ... for one in call.keywords}
    called = ast.unparse(call.func)
    last = called.rpartition(".")[2]
    if called in NEVER or last in NEVER_BY_LAST:
        yield last
    # PEFT reads an addition, which has no code, and takes no such argument.
    needed = NEEDED.get(called) or (NEEDED_BY_LAST.get(last) if called != "PeftModel.from_pretrained" else None)
    if needed and given.get(needed[0]) is not needed[1]:
        yield last
    for name, value in ALONE.items():
        if given.get(name, value) not in ((value,) if name == "shell" else (value, ...)):
            yield name
    if last == "YAML" and given.get("typ", "rt") not in ("safe", "rt"):
        yield last


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from marshal import loads", "import shelve as x", "import nbformat.v4", "eval(x)", "exec(x)",
        "compile(x, '', 'exec')", "f(x, shell=True)", "f(x, shell=y)", "os.system(x)", "torch.load(x)",
        "torch.load(x, weights_only=False)", "AutoModel.from_pretrained(x)", "yaml.load(x)", "YAML(typ='unsafe')",
        "A.from_pretrained(x, trust_remote_code=True)", "tar.extractall(x)", "tempfile.mktemp()",
        "hashlib.md5(x)", "hashlib.sha1(x, usedforsecurity=True)", "hashlib.new('md5')", "f('a.ipynb')",
        "ssl._create_unverified_context()", "get(x, verify=False)", "shutil.unpack_archive(x)",
    ],
)  # fmt: skip
def test_the_look_sees(source: str) -> None:
    assert list(faults(source))


@pytest.mark.parametrize(
    "source",
    [
        "x.eval(y)", "re.compile(x)", "f(shell=False)", "torch.load(x, weights_only=True)", "YAML()",
        "A.from_pretrained(x, trust_remote_code=False)", "hashlib.sha1(x, usedforsecurity=False)", "hashlib.sha256(x)",
    ],
)  # fmt: skip
def test_the_look_lets_be(source: str) -> None:
    assert not list(faults(source))


def test_no_source_runs_what_it_reads() -> None:
    found = {(file.relative_to(SOURCES).as_posix(), one) for file in FILES for one in faults(file.read_text("utf-8"))}
    assert len(FILES) > 200
    assert {one for one in found if (one[0], one[1].partition(" ")[2]) not in EXCEPTED} == set()
    # An exception that nothing needs any more goes.
    assert {(file, one.partition(" ")[2]) for file, one in found} >= EXCEPTED


def test_bandit_finds_nothing_that_was_not_thought_about() -> None:
    words = [sys.executable, "-m", "bandit", "-q", "-r", str(SOURCES), "-s", LEFT_OUT, "-f", "json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert told["errors"] == []
    assert len(told["metrics"]) > 200
    found = {
        (Path(one["filename"]).relative_to(SOURCES).as_posix(), one["test_id"]): (one["line_number"], one["issue_text"])
        for one in told["results"]
    }
    assert {place: said for place, said in found.items() if place not in THOUGHT_ABOUT} == {}
    assert set(THOUGHT_ABOUT) - set(found) == set()
