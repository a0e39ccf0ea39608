"""Owns how large the page is, as the wheel holds it; the budgets are the build's own."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

from bench.figures import Figure
from tools import build_page

_MIB, _KIB = 2**20, 1024


def sizes(wheel: Path) -> list[Figure]:
    """The rows of sizes, of gzipped bytes; `wheel` is where the wheel lies unpacked, beside itself."""
    made = wheel / "paddock" / "_page"
    index = (made / "index.html").read_text("utf-8")
    zipped = {path.name: len(gzip.compress(path.read_bytes(), 9)) / _KIB for path in (made / "assets").glob("*.*s")}
    first = sum(size for name, size in zipped.items() if f"/assets/{name}" in index)
    rest = {name: size for name, size in zipped.items() if f"/assets/{name}" not in index}
    text = sum(size for name, size in rest.items() if name.startswith(build_page.TEXT_CHUNK))
    other = max(size for name, size in rest.items() if not name.startswith(build_page.TEXT_CHUNK))
    scripts = sum(size for name, size in zipped.items() if name.endswith(".js"))
    (archive,) = wheel.parent.glob("paddock-*.whl")
    with zipfile.ZipFile(archive) as packed:
        whole = sum(one.compress_size for one in packed.infolist() if "/_page/" in one.filename)
    rows = (
        ("first load, gzipped", first, build_page.FIRST_LOAD_MOST_BYTES),
        ("part that shows Markdown, gzipped", text, build_page.TEXT_MOST_BYTES),
        ("largest other part, gzipped", other, build_page.CHUNK_MOST_BYTES),
        ("all scripts, gzipped", scripts, build_page.SCRIPTS_MOST_BYTES),
    )
    return [
        *(Figure(name=name, unit="KiB", runs=(size,), total=True, goal=most / _KIB) for name, size, most in rows),
        Figure(name="the page in the wheel", unit="MiB", runs=(whole / _MIB,), total=True, goal=6),
    ]
