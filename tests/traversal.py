"""Owns the ground on which ways out of a data home are tried, and the ways; tries none.

Around the home lie canaries, files that hold a word which no answer may hold, and that must stay as they are.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.gguf_files import gguf

# What code that takes a name for a file may put behind it.
ENDINGS = ("", ".txt", ".json", ".gguf", ".jinja", ".toml", ".bin", ".pem", ".paddock.json", ".db")
DEPTH = 5


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where the attacked home lies: `home` within `outer`, with files around it that hold `word`."""

    outer: Path
    home: Path
    word: str

    @property
    def canary(self) -> Path:
        return self.outer / "canary"

    @property
    def environ(self) -> dict[str, str]:
        """For who works there: a hub that does not answer, and `~` is not the home of whoever runs the tests."""
        return {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(self.home / "hf"), "HOME": str(self.outer)}

    def standing(self) -> dict[str, tuple[int, int, str]]:
        """Everything around the home: sizes, times and digests."""
        found: dict[str, tuple[int, int, str]] = {}
        for path in sorted(self.outer.rglob("*")):
            if not path.is_relative_to(self.home) and not path.is_dir():
                about = path.lstat()
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[str(path)] = (about.st_size, about.st_mtime_ns, digest)
        return found


def laid_out(outer: Path) -> Ground:
    """Canaries on every level above the home, and links that lead out of it."""
    home, word = outer / "a" / "b" / "home", f"canary-{secrets.token_hex(12)}"
    made = Ground(outer=outer, home=home, word=word)
    for folder in (home.parent, home.parent.parent, outer):
        folder.mkdir(parents=True, exist_ok=True)
        for ending in ENDINGS:
            (folder / f"canary{ending}").write_text(f'{{"word": "{word}"}}\n', "utf-8")
    (outer / "real.gguf").write_bytes(gguf(more={"general.name": word}))
    for room in ("", "models", "templates", "requests", "downloads", "slots", "engines"):
        (home / room).mkdir(parents=True, exist_ok=True)
        (home / room / "out").symlink_to(outer)
    return made


def ways(ground: Ground) -> list[str]:
    """Texts that would lead out, were they taken for paths."""
    away = str(ground.canary)
    up = ["../" * depth + "canary" for depth in range(1, DEPTH)]
    made = ["../" * depth + "made" for depth in range(1, DEPTH)]
    return [
        *up, *made, "../../canary.gguf", "..\\..\\canary", "..\\made", "models/../../canary", "./../canary",
        "....//....//canary", "..%2f..%2fcanary", "%2e%2e%2f%2e%2e%2fcanary", "..%252f..%252fcanary",
        "..%c0%af..%c0%afcanary", "..;/..;/canary", "\u2025/\u2025/canary", "\uff0e\uff0e/\uff0e\uff0e/canary",
        "org/../../../canary", "org/..:Q4", "..:Q4_K_M", "pocket-v0/../../../canary", "pocket-v0+../../canary",
        away, f"{away}.gguf", f"/{away}", f"file://{away}", f"file:{away}", f"@{away}", f"{ground.outer}/made",
        f"//?/{away}", "\\\\?\\C:\\canary", "C:\\canary", "C:/canary", "~/canary", "~root/canary", "$HOME/canary",
        "${HOME}/canary", "%HOME%/canary", "../canary\0", "../../canary\0.gguf", f"{away}\0.txt", "x\0/../../canary",
        "../" * 2000 + "canary", "a" * 5000, "a/" * 2000, "CON", "NUL.gguf", "aux", "com1:", "out", "out/canary",
        "out/real", "out/real.gguf", "../out/canary", ".", "..", "/", "\\", "-", "--help", "-rf", f"|cat {away}",
        f";cat {away}", f"$(cat {away})", f"`cat {away}`", "{{cycler}}", f"{{% include '{away}' %}}", "\r\nX-Made: 1",
    ]  # fmt: skip
