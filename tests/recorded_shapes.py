"""Owns writing `src/paddock/rehearsal/recorded` from recordings with their prose replaced by filler.

`python -m tests.recorded_shapes FOLDER` writes one file for each recording in FOLDER.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

from paddock.rehearsal.shapes import filler

RECORDED = Path(__file__).resolve().parents[1] / "src" / "paddock" / "rehearsal" / "recorded"
_SHORTEST_CHARACTERS = 24
_WORDS = 15


def packed(value: Any) -> Any:
    """A value whose texts of filler alone are replaced by marks that `shapes.expanded` reads."""
    if isinstance(value, dict):
        return {name: packed(inner) for name, inner in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [packed(inner) for inner in cast(list[Any], value)]
    if isinstance(value, str) and len(value) >= _SHORTEST_CHARACTERS:
        for start in range(_WORDS):
            if filler(start, len(value)) == value:
                return f"filler {start} {len(value)}"
    return value


def lines_of(recording: dict[str, Any]) -> str:
    """The file of one client."""
    head = {"client": recording["client"], "version": recording["version"]}
    rows = [head, *(packed(request) for request in recording["requests"])]
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def main(folder: Path) -> None:
    """Write the files."""
    RECORDED.mkdir(exist_ok=True)
    for path in sorted(folder.glob("*.json")):
        recording: dict[str, Any] = json.loads(path.read_text("utf-8"))
        (RECORDED / f"{recording['client']}.jsonl").write_text(lines_of(recording), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
