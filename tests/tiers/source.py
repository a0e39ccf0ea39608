"""Makes llama-server from the verified source archive, for the tier `source`, which runs the journeys with it.

What was made stays in `.source`, a data home of its own; the next run uses it while the archive is the same one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".source"
PADDOCK = [str(ROOT / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"), "-m", "paddock"]
# Where the tests find it.
LINK = FOLDER / "llama-server"


def main() -> int:
    """Make it, and say how long that took and how large it is. Returns the exit status."""
    # Its canary tries the bundled model alone, whatever models this machine has.
    environment = {**os.environ, "PADDOCK_HOME": str(FOLDER), "PADDOCK_SCAN_OTHERS": "false"}
    started = time.monotonic()
    command = [*PADDOCK, "engine", "install", "--from-source", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(done.stdout)
        return done.returncode
    binary = Path(json.loads(done.stdout)["build"]["binary"])
    draft = FOLDER / ".llama-server"
    draft.unlink(missing_ok=True)
    draft.symlink_to(binary)
    draft.replace(LINK)
    sizes = ", ".join(f"{file.name} {file.stat().st_size} bytes" for file in sorted(binary.parent.glob("llama-*")))
    print(f"From source in {time.monotonic() - started:.0f} s: {sizes}.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
