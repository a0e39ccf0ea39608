"""Makes the training stack that the tier `training` runs with, as `paddock setup python-stack` makes it, in `.stack`.

What pip finds by itself is tried first (a wheel that lies on this machine), then torch's own index.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".stack"
PADDOCK = [str(ROOT / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"), "-m", "paddock"]


def main() -> int:
    """Make it; nothing is done where it is there. Returns the exit status."""
    environment = {**os.environ, "PADDOCK_HOME": str(FOLDER), "PADDOCK_SCAN_OTHERS": "false"}
    command = [*PADDOCK, "setup", "python-stack", "--with", "ray", "--yes"]
    for more in (["--index", ""], []):
        code = subprocess.run([*command, *more], cwd=ROOT, env=environment, check=False).returncode
        if code == 0:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
