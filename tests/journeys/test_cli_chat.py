"""The chat in the terminal: piped, in one breath, and typed into a real terminal with Ctrl+C and Ctrl+D."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio.to_thread
import pytest

from tests.fakes.scripted_shapes import Answer
from tests.wire.rig import CHAT, Json, Rig, body_of, pieces, scripted_studio

pytestmark = pytest.mark.anyio

WAIT_S = 60.0
PADDOCK = [sys.executable, "-m", "paddock"]
# The terminal has to be the process's own, or Ctrl+C typed into it would reach nobody.
IN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
SLOW: Answer = {"generate": {"chunks": 2000, "per_s": 50, "text": "la "}}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A home of the test's own, and nothing at the usual address."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    return {**kept, "PADDOCK_HOME": str(tmp_path / "home"), "PADDOCK_PORT": "0", "TERM": "dumb"}


class Terminal:
    """A command in a terminal of its own: what it shows so far, and a hand on the keyboard."""

    def __init__(self, process: subprocess.Popen[bytes], keyboard: int) -> None:
        self.process = process
        self.shown = ""
        self._keyboard = keyboard

    def type(self, keys: str) -> None:
        os.write(self._keyboard, keys.encode())

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Read until `text` was shown that often since the last wait, and forget what was shown up to there."""
        deadline = time.monotonic() + WAIT_S
        while self.shown.count(text) < times:
            if time.monotonic() > deadline:
                pytest.fail(f"{text!r} was not shown, but: {self.shown!r}")
            if select.select([self._keyboard], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self._keyboard, 65536).decode(errors="replace")
                except OSError:
                    pytest.fail(f"it ended without {text!r}, but showed: {self.shown!r}")
        for _ in range(times):
            self.shown = self.shown.partition(text)[2]

    def end(self) -> int:
        """Read to the end and return the exit status."""
        while True:
            try:
                if not (data := os.read(self._keyboard, 65536)):
                    break
            except OSError:
                break
            self.shown += data.decode(errors="replace")
        return self.process.wait(WAIT_S)


@contextmanager
def terminal(env: dict[str, str], *words: str) -> Generator[Terminal]:
    """`paddock WORDS` in a terminal; killed with the block if it still runs then."""
    keyboard, screen = os.openpty()
    command = [sys.executable, "-c", IN_TERMINAL, *PADDOCK, *words]
    with subprocess.Popen(
        command, env=env, stdin=screen, stdout=screen, stderr=screen, start_new_session=True
    ) as process:
        os.close(screen)
        try:
            yield Terminal(process, keyboard)
        finally:
            process.kill()
            os.close(keyboard)


def chat(env: dict[str, str], *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """`paddock chat` without a terminal, to its end."""
    return subprocess.run(
        [*PADDOCK, "chat", *words], env=env, input=said, capture_output=True, text=True, timeout=WAIT_S, check=False
    )


async def chat_with(rig: Rig, env: dict[str, str], *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """The same against a running paddock, which goes on meanwhile."""
    return await anyio.to_thread.run_sync(lambda: chat(env, "--url", rig.studio.url, *words, said=said))


def answer(text: str) -> Answer:
    return {"generate": {"chunks": 1, "per_s": 0, "text": text}}


def said_to(engine_request: Json) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in engine_request["messages"]]


def test_a_message_is_answered_by_the_bundled_model_and_that_is_all_that_is_printed(env: dict[str, str]) -> None:
    ran = chat(env, "Hello! Who are you?")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.strip()) > 0
    assert ran.stdout.endswith("\n")


def test_each_piped_line_is_answered_on_a_line_of_its_own(env: dict[str, str]) -> None:
    ran = chat(env, said="Hello!\n\nHow are you?\n")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) >= 2


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--url", "http://127.0.0.1:1", "hi"], 1, "No paddock answers at http://127.0.0.1:1."),
        (["--url", "nonsense://x", "hi"], 2, "is not an address"),
        (["--model", "lama", "hi"], 1, "There is no model 'lama'."),
    ],
)
def test_a_chat_that_cannot_begin_is_one_sentence(
    env: dict[str, str], words: list[str], status: int, sentence: str
) -> None:
    ran = chat(env, *words)
    assert (ran.returncode, ran.stdout) == (status, "")
    assert sentence in ran.stderr
    assert ran.stderr.count("\n") == 1


async def test_a_conversation_is_remembered_with_its_system_line(env: dict[str, str], tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script(answer("One."), answer("Two."))
        ran = await chat_with(rig, env, "--system", "Be brief.", "--model", "pocket-v0", said="a\nb\n")
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "One.\nTwo.\n", "")
        requests = [body_of(seen) for seen in await rig.engine.seen()]
    assert [said_to(request) for request in requests] == [
        [("system", "Be brief."), ("user", "a")],
        [("system", "Be brief."), ("user", "a"), ("assistant", "One."), ("user", "b")],
    ]
    assert all(request["model"] == "pocket-v0" for request in requests)


async def test_the_paddock_at_the_usual_address_is_used(env: dict[str, str], tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script(answer("From there."))
        env["PADDOCK_PORT"] = rig.studio.url.rpartition(":")[2]
        ran = await anyio.to_thread.run_sync(lambda: chat(env, "hi"))
    assert (ran.returncode, ran.stdout) == (0, "From there.\n")
    assert ran.stderr == f"Talking to the paddock at {rig.studio.url}.\n"


async def test_what_the_model_says_cannot_steer_the_terminal(env: dict[str, str], tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script(answer("a\x1b[2Jb"))
        ran = await chat_with(rig, env, "hi")
    assert ran.stdout == "a[2Jb\n"


async def test_an_engine_that_crashes_in_an_answer_is_one_sentence(env: dict[str, str], tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        frame = b'data: {"choices": [{"index": 0, "delta": {"content": "la "}}]}\n\n'
        await rig.script({**pieces(frame, frame, frame, gap_s=0.02), "end": "crash"})
        ran = await chat_with(rig, env, "hi")
    assert ran.returncode == 1
    assert ran.stdout.startswith("la la la ")
    assert ran.stderr.startswith("Error: Lost connection to the model")
    assert ran.stderr.count("\n") == 1


async def test_control_c_stops_the_answer_and_not_the_program(env: dict[str, str], tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script(SLOW, answer("Still here."))
        with terminal(env, "chat", "--url", rig.studio.url) as typed:
            await anyio.to_thread.run_sync(typed.wait_for, "> ")
            typed.type("sing\n")
            await anyio.to_thread.run_sync(typed.wait_for, "la la la ")
            typed.type("\x03")
            record = await rig.engine.until(lambda record: record["requests"][0]["closed_s"])
            assert record["requests"][0]["chunks_sent"] < 2000
            await anyio.to_thread.run_sync(typed.wait_for, "> ")
            typed.type("and now?\n")
            await anyio.to_thread.run_sync(typed.wait_for, "Still here.")
            await anyio.to_thread.run_sync(typed.wait_for, "> ")
            typed.type("\x03")
            await anyio.to_thread.run_sync(typed.wait_for, "> ")
            typed.type("\x04")
            assert await anyio.to_thread.run_sync(typed.end) == 0
        second = body_of((await rig.engine.seen(CHAT))[1])
    assert [role for role, _ in said_to(second)] == ["user", "assistant", "user"]
    assert said_to(second)[1][1].startswith("la la la ")


async def test_an_error_ends_one_answer_and_new_forgets(env: dict[str, str], tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script(
            {"status": 400, "json": {"error": {"message": "Not that.", "type": "invalid_request_error"}}},
            answer("Fine."),
        )
        with terminal(env, "chat", "--url", rig.studio.url) as typed:
            for line, shown in (("bad", "Error: Not that."), ("good", "Fine."), ("/new", "Forgotten."), ("x", "Fine.")):
                await anyio.to_thread.run_sync(typed.wait_for, "> ")
                typed.type(f"{line}\n")
                await anyio.to_thread.run_sync(typed.wait_for, shown)
            await anyio.to_thread.run_sync(typed.wait_for, "> ")
            typed.type("/exit\n")
            assert await anyio.to_thread.run_sync(typed.end) == 0
        requests = [said_to(body_of(seen)) for seen in await rig.engine.seen()]
    assert requests == [[("user", "bad")], [("user", "good")], [("user", "x")]]


def test_control_c_stops_an_answer_of_the_model_inside_and_the_chat_goes_on(env: dict[str, str]) -> None:
    with terminal(env, "chat", "--system", "Be kind.") as typed:
        typed.wait_for("> ")
        for _ in range(2):
            typed.type("Hello!\n")
            typed.wait_for("Hello!\r\n")
            typed.type("\x03")
            typed.wait_for("> ")
        typed.type("Hello again!\n")
        typed.wait_for("\n> ")
        typed.type("\x04")
        assert typed.end() == 0
        assert "Traceback" not in typed.shown


def test_tables_are_coloured_on_a_terminal_unless_it_is_told_not_to(env: dict[str, str]) -> None:
    env["TERM"] = "xterm-256color"
    with terminal(env, "models", "list") as typed:
        assert typed.end() == 0
        assert "\x1b[1m" in typed.shown
    env["NO_COLOR"] = "1"
    with terminal(env, "doctor") as typed:
        assert typed.end() == 0
        assert "\x1b[3" not in typed.shown
        assert "pocket-v0" in typed.shown
