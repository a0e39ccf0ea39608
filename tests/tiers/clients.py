"""Installs what the tier `clients` runs: the agents from npm, aider and the libraries from PyPI, at locked versions.

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
NODE_LOCK = ROOT / "tests" / "clients" / "package-lock.json"
# aider pins all that it needs at versions which the libraries do not take, so it has an environment of its own.
PYTHONS = {"python": ROOT / "requirements" / "clients.txt", "aider": ROOT / "requirements" / "aider.txt"}
LOCKS = (NODE_LOCK, *PYTHONS.values())
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
    for name, lock in PYTHONS.items():
        python = FOLDER / name
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(python)], check=True)
        pip = [str(python / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", str(lock)], check=True)
    stamp.write_text(wanted, "utf-8")


if __name__ == "__main__":
    if "--ask" in sys.argv:
        sys.exit(0 if npm_answers() else 1)
    install()
