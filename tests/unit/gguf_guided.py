"""A program that has atheris look for GGUF headers which the reader takes in a new way: `SEED COUNT FOLDER`.

It ends with a fault where a header does anything but be read or be refused as unusable. Atheris keeps what reached code
that nothing had reached before, and changes that further.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

LONGEST_BYTES = 4096
MEMORY_MIB = 1024


def main(seed: int, count: int, folder: Path) -> None:
    """Read so many of them; atheris ends the program."""
    atheris: Any = importlib.import_module("atheris")
    # Only what is imported here is looked into: nothing above imports the reader.
    with atheris.instrument_imports(include=["paddock"]):
        from paddock.models.gguf import read_header
    from paddock.errors import ModelUnusable
    from tests.unit.gguf_mutants import WHOLE

    became = Counter[str]()
    path, kept = folder / f"guided-{seed}.gguf", folder / f"guided-{seed}"
    kept.mkdir()
    for number, whole in enumerate(WHOLE):
        (kept / str(number)).write_bytes(whole)

    def tried(data: bytes) -> None:
        # What ends this program is left there.
        path.write_bytes(data)
        try:
            read_header(path)
            became["read"] += 1
        except ModelUnusable:
            became["refused"] += 1
        if became.total() == count:
            (folder / f"guided-{seed}.json").write_text(json.dumps(became))

    words = [
        f"-seed={seed + 1}",
        f"-runs={count}",
        f"-max_len={LONGEST_BYTES}",
        "-len_control=0",
        "-verbosity=0",
        f"-rss_limit_mb={MEMORY_MIB}",
    ]
    atheris.Setup([sys.argv[0], str(kept), *words, f"-artifact_prefix={folder}/"], tried)
    atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
