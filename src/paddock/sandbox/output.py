"""Owns what a program said, as it comes: bounded, as text, without what steers a terminal; runs nothing."""

from __future__ import annotations

import codecs
import re

# Orders to a terminal (CSI), titles and links (OSC and their like, up to their end), and other two-letter ones.
_ORDER = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-OQ-WYZ\\`-~]"
)
# The beginning of one, which the next bytes may end.
_BEGUN = re.compile(r"(?:\x1b|\x9b|\x9d|\x90|\x98|\x9e|\x9f)[^\x07\x9c]*\Z")
_BEGUN_MOST = 256
# What else a terminal would do something for; among them marks that turn the writing round.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def cleaned(text: str) -> str:
    """A text without orders to a terminal; a lone carriage return, as of progress bars, ends its line."""
    return _STEERING.sub("", _ORDER.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


class Output:
    """What was said so far.

    Args:
        most_bytes: how much of it is kept, as it came.
    """

    def __init__(self, most_bytes: int) -> None:
        self._left_bytes = most_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""
        self._parts: list[str] = []
        self.dropped_bytes = 0

    @property
    def text(self) -> str:
        """All of it, cleaned."""
        return "".join(self._parts)

    @property
    def is_cut(self) -> bool:
        """Whether more was said than is kept."""
        return self.dropped_bytes > 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more is kept."""
        return self._left_bytes <= 0

    def heard(self, data: bytes | memoryview, *, is_last: bool = False) -> str:
        """Take what came, and give what of it can be shown now."""
        kept = data[: max(0, self._left_bytes)]
        self._left_bytes -= len(kept)
        self.dropped_bytes += len(data) - len(kept)
        text = self._begun + self._decoder.decode(kept, is_last)
        self._begun = ""
        if not is_last:
            # A carriage return may be half of an end of line.
            begun = _BEGUN.search(_ORDER.sub(lambda found: " " * len(found[0]), text))
            place = begun.start() if begun else len(text) - text.endswith("\r")
            if len(text) - place <= _BEGUN_MOST:
                text, self._begun = text[:place], text[place:]
        shown = cleaned(text)
        if shown:
            self._parts.append(shown)
        return shown
