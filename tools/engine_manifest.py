"""Writes the manifest of a llama.cpp release from what its API says: names, sizes and digests of its assets.

Knows nothing of machines. `python3 dev.py engine-manifest TAG` runs it; PADDOCK_ENGINE_MIRROR names another address.
It prints the manifest, with the verified source archives of the shipped one, for a person to review.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from paddock.config import load
from paddock.errors import PaddockError
from paddock.install import manifest
from paddock.install.release import Origin, asked


def main(tag: str) -> str:
    """The text of the manifest. Raises BuildUnavailable or BuildRefused."""
    made = asked(tag, Origin.of(load().engine_mirror))
    return manifest.write(replace(made, sources=manifest.shipped().sources))


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1]))
    except PaddockError as error:
        sys.exit(f"engine-manifest: {error.message}")
