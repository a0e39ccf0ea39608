"""Owns the root of all errors, and the words by which a message shows a value."""

from __future__ import annotations

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def size(size_bytes: int) -> str:
    """A size for people, in powers of 1000: 5053440 is "5.1 MB"."""
    amount, unit = float(size_bytes), _UNITS[0]
    for larger in _UNITS[1:]:
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 99.95 else f"{amount:.1f} {unit}"


def shown(value: object, *, limit_characters: int = 100) -> str:
    """A caller's value as a message may quote it: as Python writes it, cut short."""
    text = repr(value)
    return text if len(text) <= limit_characters else text[: limit_characters - 1] + "…"


class PaddockError(Exception):
    """The root: something a caller can act on. `message` is a full sentence for a person.

    `told` is what a caller over HTTP may read: the same, unless the message names what is for this machine's owner.
    """

    def __init__(self, message: str, *, told: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.told = told or message
