"""A program that reads GGUF headers which somebody spoilt on purpose: `SEED COUNT FOLDER`. Prints what became of them.

It ends with a fault where a header does anything but be read or be refused as unusable, or takes more than its memory.
"""

from __future__ import annotations

import json
import random
import resource
import struct
import sys
from collections import Counter
from pathlib import Path

from paddock.errors import ModelUnusable
from paddock.models.gguf import read_header
from tests.fakes.gguf_files import ARRAY, STRING, Typed, gguf

MEMORY_BYTES = 512 * 2**20
# Where counts, lengths and offsets change what is done with them.
NUMBERS = (0, 1, 7, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
WORDS = (
    b"general.architecture",
    b"tokenizer.ggml.tokens",
    b"blk.0.",
    b"llama.",
    b"general.alignment",
    b"\xff\xfe",
    b"\0",
)
WHOLE = (
    gguf(),
    gguf(more={"a.list": [1, 2, 3], "a.flag": True, "a.real": 0.5, "a.text": "x" * 300}),
    gguf(more={"tokenizer.ggml.tokens": [f"piece {n}" for n in range(200)]}),
    gguf(more={"a.deep": Typed(value=[[1, 2], [3]], kind=ARRAY, items=ARRAY)}),
    gguf(more={"general.name": "ü" * 40, "split.count": 2, "split.no": 0}, version=2),
    gguf(more={"tokenizer.chat_template": "{{ messages }}" * 50}, alignment=64),
)
KINDS = (0, 1, 4, 7, STRING, ARRAY, 10, 13, 99, 2**32 - 1)


def spoilt(chance: random.Random) -> bytes:
    """One of the files with one to six faults."""
    data = bytearray(chance.choice(WHOLE))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(max(1, min(len(data), 4000)))
        match chance.randrange(8):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                data[at : at + 8] = struct.pack("<Q", chance.choice(NUMBERS))
            case 2:
                data[at : at + 4] = struct.pack("<I", chance.choice(KINDS))
            case 3:
                del data[at : at + chance.choice((1, 4, 8, 40, 400))]
            case 4:
                data[at:at] = data[at : at + chance.choice((4, 8, 40, 400))]
            case 5:
                data[at:at] = chance.randbytes(chance.choice((1, 4, 8, 40)))
            case 6:
                data[at : at + 4] = chance.choice(WORDS)
            case _:
                del data[at:]
    return bytes(data)


def main(seed: int, count: int, folder: Path) -> None:
    """Read so many of them."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    chance, became = random.Random(seed), Counter[str]()
    path = folder / f"mutant-{seed}.gguf"
    for _ in range(count):
        # What ends this program is left there.
        path.write_bytes(spoilt(chance))
        try:
            read_header(path)
            became["read"] += 1
        except ModelUnusable:
            became["refused"] += 1
    print(json.dumps(became))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
