"""Owns one conversation in the terminal: prompts, history, what Ctrl+C means; refuses to know how answers are made."""

from __future__ import annotations

import contextlib
import os
import sys

from paddock.cli import printing
from paddock.cli.connection import Address, answer
from paddock.errors import PaddockError

_HINT = "Ctrl+C stops an answer; /new forgets the conversation; /exit or Ctrl+D leaves."
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


class Talk:
    """What was said so far, and what the model is told before it. One question at a time."""

    def __init__(self, *, address: Address, timeout_s: float, model: str | None, system: str | None) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._model = model
        self._opening = [{"role": "system", "content": system}] if system else []
        self._messages: list[dict[str, str]] = []

    def converse(self) -> None:
        """Read lines from the terminal and answer them, until /exit or the end of input. An error ends one answer."""
        printing.say(_HINT)
        while True:
            try:
                line = _read_line().strip()
                if line == "/exit":
                    return
                if line == "/new":
                    self._messages.clear()
                    printing.say("Forgotten.")
                elif line:
                    self.say_once(line)
            except EOFError:
                print()
                return
            except KeyboardInterrupt:
                # The shown ^C ends in the middle of a line.
                print(flush=True)
            except PaddockError as error:
                printing.say(f"Error: {error.message}")

    def say_once(self, text: str) -> None:
        """Say `text` and print the answer while it comes. Ctrl+C keeps what was answered so far.

        Raises:
            PaddockError: there is no answer; `text` is then forgotten.
            KeyboardInterrupt: Ctrl+C; `text` and what came of the answer are kept.
        """
        self._messages.append({"role": "user", "content": text})
        body: dict[str, object] = {"messages": [*self._opening, *self._messages]}
        if self._model is not None:
            body["model"] = self._model
        parts: list[str] = []
        try:
            self._print_answer(body, parts)
        except PaddockError:
            if parts:
                print(flush=True)
            self._messages.pop()
            raise
        except KeyboardInterrupt:
            self._messages.append({"role": "assistant", "content": "".join(parts)})
            raise
        print(flush=True)
        self._messages.append({"role": "assistant", "content": "".join(parts)})

    def _print_answer(self, body: dict[str, object], parts: list[str]) -> None:
        shows_thoughts = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        with contextlib.closing(answer(self._address, body, timeout_s=self._timeout_s)) as pieces:
            for piece in pieces:
                text = printing.clean(piece.text)
                if piece.kind == "answer":
                    parts.append(piece.text)
                    print(text, end="", flush=True)
                elif shows_thoughts:
                    print(f"{_DIM}{text}{_PLAIN}", end="", flush=True)


def _read_line() -> str:
    if sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            # Gives `input` line editing and a history.
            import readline  # noqa: F401  # pyright: ignore[reportUnusedImport]
        return input("> ")
    print("> ", end="", file=sys.stderr, flush=True)
    if not (line := sys.stdin.readline()):
        raise EOFError
    return line
