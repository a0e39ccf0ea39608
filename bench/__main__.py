"""Owns the command `python -m bench [NAME ...] [--quick]`: which measurements there are, and where they are written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src")]

from bench import clients, relaying, report, resting, stopping  # noqa: E402
from bench.figures import Figure  # noqa: E402

_PAGE = ROOT / "docs" / "benchmarks.md"
MEASUREMENTS: dict[str, Callable[[bool], list[Figure]]] = {
    "plain": relaying.plain,
    "chunks": relaying.chunks,
    "forced": relaying.forced,
    "memory": resting.memory,
    "start": resting.start,
    "cold": resting.cold,
    "stop": stopping.stop,
    "clients": clients.compare,
}
# Takes the test set's packages and decides nothing anew; docs/adr/0002-http-client.md holds its outcome.
_ONLY_BY_NAME = ("clients",)


def main() -> int:
    """Measure what was named, or everything; print the table; write the page when everything was measured."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; all but clients if none"
    )
    parser.add_argument("--quick", action="store_true", help="few and short runs")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no measurement {unknown[0]!r}; there are: {', '.join(MEASUREMENTS)}")
    names = arguments.names or [name for name in MEASUREMENTS if name not in _ONLY_BY_NAME]
    others = report.Others()
    figures: list[Figure] = []
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        figures += MEASUREMENTS[name](arguments.quick)
    others_cores = others.cores()
    print(report.table(figures))
    print(f"\n{report.machine()}. {report.libraries()}. Others used {others_cores:.2f} cores.")
    if not arguments.names:
        _PAGE.write_text(report.page(figures, quick=arguments.quick, others_cores=others_cores), "utf-8")
        print(f"Written to {_PAGE.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
