"""Tests what confined code can reach and take: real processes, with bubblewrap around them where there is one."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paddock.sandbox.calls import Limits, Outcome, Sandbox, refusal
from paddock.sandbox.inside import LIBRARY

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="code is confined on Linux alone"),
    pytest.mark.attack("code that comes as a reward of a training"),
]
QUICK = Limits(call_s=1.0, answer_bytes=2**12)


def outcomes(code: str, *calls: list[Any], limits: Limits = QUICK) -> list[Outcome]:
    return Sandbox(code, "reward", limits).call(calls or [[]])


def body(line: str) -> str:
    return f"import os, ctypes\ndef reward():\n    {line}\n    return 'through'\n"


@pytest.fixture(params=["as it is", "without bubblewrap"])
def walls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with the inner wall alone, which is all that many machines have."""
    if request.param != "as it is":
        monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.usefixtures("walls")
def test_this_machine_confines_code() -> None:
    assert refusal() == ""


def test_a_function_is_called_again_and_again_and_its_names_live_on() -> None:
    code = "n = 0\ndef reward(text, row):\n    global n\n    n += 1\n    return [n, len(text), row['a']]\n"
    found = outcomes(code, ["one", {"a": 1}], ["three", {"a": None}])
    assert [one.value for one in found] == [[1, 3, 1], [2, 5, None]]


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.mark.usefixtures("walls")
@pytest.mark.parametrize(
    "line",
    [
        "open('/etc/passwd')", "open('SECRET')", "os.listdir('/')", "os.stat('/')", "os.unlink('SECRET')",
        "os.mkdir('/tmp/made')", "open('/proc/self/environ')", "os.fork()", "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})", "os.kill(os.getppid(), 0)", "os.pipe()", "os.dup(0)",
        "os.memfd_create('x')", "os.chdir('/')", "os.setuid(0)", "os.nice(-1)",
    ],
)  # fmt: skip
def test_nothing_outside_is_reached(tmp_path: Path, line: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    (found,) = outcomes(body(line.replace("SECRET", str(secret))))
    assert found.value is None
    assert "Operation not permitted" in found.error
    assert secret.read_text() == "hidden"


@pytest.mark.usefixtures("walls")
def test_no_network_is_reached_by_the_c_library_either(open_port: int) -> None:
    code = f"""
import ctypes
def reward():
    libc = ctypes.CDLL(None, use_errno=True)
    made = [libc.socket(2, 1, 0), libc.syscall(41, 2, 1, 0), libc.syscall(198, 2, 1, 0)]
    return [made, ctypes.get_errno(), {open_port}]
"""
    (found,) = outcomes(code)
    made, number, _ = found.value
    assert made == [-1, -1, -1]
    assert number == 1


@pytest.mark.parametrize(
    "module", ["socket", "subprocess", "urllib.request", "threading", "asyncio", "numpy", "paddock"]
)
def test_what_was_not_chosen_cannot_be_imported(module: str) -> None:
    (found,) = outcomes(
        f"import {module}\ndef reward():\n    import _thread\n    return _thread.start_new_thread(len, ('',))\n"
    )
    assert found.value is None
    assert "ModuleNotFoundError" in found.error or "can't start new thread" in found.error


def test_what_was_chosen_can_be_imported() -> None:
    code = f"import {', '.join(LIBRARY)}\ndef reward():\n    return "
    (found,) = outcomes(f"{code}[json.loads('[1]'), re.sub('a', 'b', 'a'), math.sqrt(4)]\n")
    assert found == Outcome(value=[[1], "b", 2.0])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("while True: pass", "took more than 1 seconds"),
        ("__import__('re').match('(a+)+$', 'a' * 40 + 'b')", "took more than 1 seconds"),
        ("return 'x' * 2**31", "MemoryError"),
        ("return 'x' * 5000", "gave more than 4096 bytes"),
        ("os._exit(0)", "Its process ended"),
        ("os.write(1, b'x' * 9000 + bytes([10]))", "gave more than 4096 bytes"),
        ("ctypes.string_at(0)", "Its process ended"),
        ("return float('nan')", "ValueError"),
        ("return {1}", "TypeError"),
        ("raise SystemExit(1)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_a_call_that_goes_wrong_costs_itself_alone(line: str, words: str) -> None:
    code = f"import os, ctypes\ndef reward(bad):\n    if not bad: return 'fine'\n    {line}\n"
    found = outcomes(code, [False], [True], [False])
    assert [found[0].value, found[2].value] == ["fine", "fine"]
    assert words in found[1].error
    assert found[1].value is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def reward(:", "SyntaxError"),
        ("x = 1", "KeyError: 'reward'"),
        ("1 / 0", "ZeroDivisionError"),
        ("(" * 10_000, "SyntaxError"),
        ("def reward(a): return a", "TypeError"),
    ],
)
def test_code_that_is_none_is_told_for_each_call(code: str, words: str) -> None:
    found = outcomes(code, [], [])
    assert len(found) == 2
    assert all(words in one.error for one in found)


def test_what_code_prints_is_nobodys(capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys\ndef reward():\n    print('out')\n    print('err', file=sys.stderr)\n    return 1\n"
    assert outcomes(code) == [Outcome(value=1)]
    assert capfd.readouterr() == ("", "")


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")
    (found,) = outcomes("import os\ndef reward():\n    return sorted(os.environ)\n")
    assert "SECRET_KEY" not in found.value
