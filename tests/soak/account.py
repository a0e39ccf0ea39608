"""Owns the count of a soak: requests, how they ended, kills, and what the server held; judges nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

import psutil


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the server's process holds at rest."""

    files: int
    threads: int
    memory_kib: int

    @classmethod
    def of(cls, server: psutil.Process) -> Held:
        """What it holds now."""
        return cls(files=server.num_fds(), threads=server.num_threads(), memory_kib=server.memory_info().rss // 1024)

    def growth(self, before: Held) -> dict[str, float]:
        """By how much each is more than before, as a share of that; negative where it is less."""
        names = [one.name for one in fields(self)]
        return {name: getattr(self, name) / getattr(before, name) - 1 for name in names}


@dataclass(kw_only=True)
class Account:
    """What was asked, and what came of it."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    faults: list[str] = field(default_factory=list[str])
    engines_killed: int = 0
    engine_pids: set[int] = field(default_factory=set[int])
    rests: list[Held] = field(default_factory=list[Held])
    load_s: float = 0.0

    @property
    def clients_killed(self) -> int:
        """Requests whose connection was broken by their client."""
        return sum(count for (_, end), count in self.ends.items() if end == "client killed")

    def lines(self) -> list[str]:
        """The figures, to be printed."""
        by_end: Counter[str] = Counter()
        by_dialect: Counter[str] = Counter()
        for (dialect, end), count in self.ends.items():
            by_end[end] += count
            by_dialect[dialect] += count
        # An engine that was not killed, nor is one of the two that stand at the end, was stopped to make room.
        swaps = max(0, len(self.engine_pids) - self.engines_killed - 2)
        lines = [
            f"{self.ends.total()} requests in {self.load_s:.0f} s; {len(self.faults)} without a right end",
            "by dialect: " + ", ".join(f"{name} {count}" for name, count in sorted(by_dialect.items())),
            "by end: " + ", ".join(f"{name}: {count}" for name, count in sorted(by_end.items())),
            f"{self.engines_killed} engines and {self.clients_killed} clients killed",
            f"{len(self.engine_pids)} engines seen; at least {swaps} made room for another model",
            *(f"no right end: {fault}" for fault in self.faults[:20]),
            *(f"at rest: {held}" for held in self.rests),
        ]
        if len(self.rests) > 1:
            grown = self.rests[-1].growth(self.rests[0])
            lines.append("growth: " + ", ".join(f"{name} {share:+.1%}" for name, share in grown.items()))
        return lines
