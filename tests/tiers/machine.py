"""Installs the system's programs that the tests start: PostgreSQL, Chromium and bubblewrap, of Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def has_postgres() -> bool:
    """Whether PostgreSQL's server is here."""
    return bool(list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))) or Path("/usr/local/bin/initdb").exists()


def has_chromium() -> bool:
    """Whether a browser for the tests of the page is here."""
    return any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))) or "PADDOCK_CHROMIUM" in os.environ


def main() -> int:
    """Install what is missing where that can be done; the tests themselves say what they lack."""
    missing = [
        *([] if has_postgres() else ["postgresql"]),
        *([] if has_chromium() else ["chromium"]),
        *([] if shutil.which("bwrap") else ["bubblewrap"]),
    ]
    if not missing or shutil.which("apt-get") is None or os.geteuid() != 0:
        return 0
    print(f"Installing {', '.join(missing)} for the tests.", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
    words = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    return subprocess.run(words, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
