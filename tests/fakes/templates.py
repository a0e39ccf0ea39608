"""Owns making a model that really runs, with any chat template in its file; shares no code with paddock."""

from __future__ import annotations

import struct
from pathlib import Path

_KEY = b"tokenizer.chat_template"
_STRING = struct.pack("<I", 8)
# What follows the header begins at a multiple of this, and must stay there.
_ALIGNMENT = 32


def templated(source: Path, target: Path, template: str) -> Path:
    """A copy of the model `source` in which `template`, with blanks behind it, takes the place of its own."""
    data = source.read_bytes()
    at = data.index(struct.pack("<Q", len(_KEY)) + _KEY + _STRING) + 8 + len(_KEY) + len(_STRING)
    (length,) = struct.unpack_from("<Q", data, at)
    text = template.encode()
    # An own template ends its prompt as it likes: what is added stands in a comment.
    text += b"{#" + b" " * ((length - len(text) - 4) % _ALIGNMENT) + b"#}"
    target.write_bytes(data[:at] + struct.pack("<Q", len(text)) + text + data[at + 8 + length :])
    return target
