"""Installs what the tier `clients` runs: the agents from npm and the libraries from PyPI, at locked versions.

`--ask` only tells, by its exit status, whether npm answers here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".clients"
LOCKS = (ROOT / "tests" / "clients" / "package-lock.json", ROOT / "requirements" / "clients.txt")
_ASK_TIMEOUT_S = 30


def npm_answers() -> bool:
    """Whether npm is here and its registry answers."""
    npm = shutil.which("npm")
    if npm is None:
        return False
    try:
        asked = subprocess.run(
            [npm, "view", "openai", "version"], capture_output=True, timeout=_ASK_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def install() -> None:
    """Make `.clients` hold what the locks say; nothing is done where it does."""
    stamp = FOLDER / "stamp"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in LOCKS)).hexdigest()
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    print("Installing the clients: agents from npm, libraries from PyPI.", flush=True)
    stamp.unlink(missing_ok=True)
    node = FOLDER / "node"
    node.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "tests" / "clients" / name, node / name)
    # The agents' own install scripts put their programs in place; they run because the tier runs those programs.
    # `npm ci` would refuse the lock, which leaves out the agents' packages for other systems.
    words = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(words, cwd=node, check=True)
    python = FOLDER / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(python)], check=True)
    pip = [str(python / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", str(LOCKS[1])], check=True)
    stamp.write_text(wanted, "utf-8")


if __name__ == "__main__":
    if "--ask" in sys.argv:
        sys.exit(0 if npm_answers() else 1)
    install()
