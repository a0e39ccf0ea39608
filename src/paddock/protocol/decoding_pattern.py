"""Owns which regular expressions decoding can be held to, and how they are written for it; matches no text. Pure.

Engines put a pattern into a grammar as it stands: one that lets a quote or a backslash through breaks the JSON string
around it, and counted repeats within counted repeats keep a decoder busy for minutes. Class escapes they do not know at
all. So the pattern is read here, and written anew in what every engine knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

REPEATS_MOST = 1000
# Of repeats within repeats of variable length, so many ways to count are what a decoder can still follow.
_NESTED_MOST = 256
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_"}
_ESCAPABLE = frozenset(".-/+*?()[]{}|^$@:,;=!#%&<>~_ ")
_COUNT = re.compile(r"\{(\d{1,9})(?:(,)(\d{0,9}))?\}")


@dataclass(frozen=True, slots=True)
class _Atom:
    """One thing that can be repeated. `ways` bounds in how many places of it a decoder can be at once."""

    ways: int = 1
    varies: bool = False


class _Unreadable(Exception):
    """The pattern holds something that no grammar is made of."""


def decodable_pattern(pattern: str) -> str | None:
    r"""The pattern as decoding takes it, matching the same texts; None where it must do without.

    Taken: whole patterns (`^…$`) of literals, classes of named characters, `\d`, `\w`, groups, alternatives and
    repeats of at most 1,000. Not taken: what could match a quote, a backslash or a control character (`.`, `[^…]`,
    `\s`), looking around, back-references, and counted repeats nested beyond 256.
    """
    if len(pattern) < 2 or pattern[0] != "^" or pattern[-1] != "$" or pattern[-2:] == "\\$":
        return None
    reader = _Reader(pattern[1:-1])
    try:
        reader.read()
    except _Unreadable:
        return None
    return f"^{reader.written}$"


class _Reader:
    """Reads a pattern once, from left to right, and writes it anew."""

    def __init__(self, text: str) -> None:
        self.written = ""
        self._text = text
        self._at = 0

    def read(self) -> None:
        """Read all of it. Raises _Unreadable."""
        self._alternatives(depth=0)
        if self._at < len(self._text):
            raise _Unreadable

    def _alternatives(self, depth: int) -> _Atom:
        """What stands between two brackets."""
        inner: list[_Atom] = []
        while self._at < len(self._text) and self._text[self._at] != ")":
            if self._text[self._at] == "|":
                if not depth:
                    # Only the outer branches would begin and end where the whole does.
                    raise _Unreadable
                self._take("|")
                continue
            inner.append(self._repeated(self._atom(depth)))
        return _Atom(ways=max((atom.ways for atom in inner), default=1), varies=any(atom.varies for atom in inner))

    def _atom(self, depth: int) -> _Atom:
        character = self._text[self._at]
        if character == "(":
            return self._group(depth)
        if character == "[":
            self._class()
        elif character == "\\":
            self._at += 1
            self._write(self._escaped(in_class=False))
        elif character in '.^$*+?{}]"' or _breaks(ord(character)):
            raise _Unreadable
        else:
            # Engines count the bytes of a letter beyond ASCII that is repeated, so it is a class of one.
            self._take(character, character if character.isascii() else f"[{character}]")
        return _Atom()

    def _group(self, depth: int) -> _Atom:
        opening = "(?:" if self._text.startswith("(?:", self._at) else "("
        if opening == "(" and self._text.startswith("(?", self._at):
            raise _Unreadable
        self._take(opening, "(")
        inner = self._alternatives(depth + 1)
        if self._at >= len(self._text):
            raise _Unreadable
        self._take(")")
        return inner

    def _class(self) -> None:
        self._take("[")
        if self._text[self._at : self._at + 1] in ("^", "]", ""):
            raise _Unreadable
        while self._at < len(self._text) and self._text[self._at] != "]":
            low = self._member()
            if self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._take("-")
                high = self._member()
                if len(low) != 1 or len(high) != 1 or low > high:
                    raise _Unreadable
                if any(ord(low) <= code <= ord(high) for code in (0x22, 0x5C, 0x7F)):
                    raise _Unreadable
        if self._at >= len(self._text):
            raise _Unreadable
        self._take("]")

    def _member(self) -> str:
        """One character of a class, or several that an escape stands for; written, and returned without its escape."""
        character = self._text[self._at : self._at + 1]
        if character == "\\":
            self._at += 1
            written = self._escaped(in_class=True)
            self._write(written)
            return written.removeprefix("\\")
        if character in ("", "[", '"') or _breaks(ord(character)):
            raise _Unreadable
        self._take(character)
        return character

    def _escaped(self, *, in_class: bool) -> str:
        """What an escape is written as; the backslash was passed already."""
        character = self._text[self._at : self._at + 1]
        self._at += 1
        if character in _CLASSES:
            return _CLASSES[character] if in_class else f"[{_CLASSES[character]}]"
        if not character or character not in _ESCAPABLE:
            raise _Unreadable
        return f"\\{character}" if character in ".-/+*?()[]{}|^$" else character

    def _repeated(self, atom: _Atom) -> _Atom:
        """The atom with the repeat that follows it, if one does."""
        character = self._text[self._at : self._at + 1]
        counted = _COUNT.match(self._text, self._at) if character == "{" else None
        if counted:
            least = int(counted[1])
            most = (int(counted[3]) if counted[3] else None) if counted[2] else least
            self._take(counted[0])
        elif character and character in "*+?":
            least, most = (1 if character == "+" else 0), (1 if character == "?" else None)
            self._take(character)
        else:
            return atom
        if self._text[self._at : self._at + 1] == "?":
            # A lazy repeat matches the same texts.
            self._at += 1
        if least > REPEATS_MOST or (most is not None and (most > REPEATS_MOST or most < least)):
            raise _Unreadable
        varies = atom.varies or most != least
        ways = atom.ways * max(most or least, 1) if varies else 1
        if atom.varies and ways > _NESTED_MOST:
            raise _Unreadable
        return _Atom(ways=ways, varies=varies)

    def _take(self, text: str, written: str | None = None) -> None:
        self._at += len(text)
        self._write(text if written is None else written)

    def _write(self, text: str) -> None:
        self.written += text


def _breaks(code: int) -> bool:
    """Whether a character may not stand in a JSON string as it is."""
    return code < 0x20 or code == 0x7F or 0xD800 <= code <= 0xDFFF
