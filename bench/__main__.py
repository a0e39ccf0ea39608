"""Owns the command `python -m bench [NAME ...] [--only NAME ...] [--quick]`: the measurements, and where they go."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src")]

from bench import (  # noqa: E402
    admitting,
    busy,
    clients,
    counting,
    dialects,
    exporting,
    fitting,
    knowing,
    looping,
    observing,
    paging,
    recalling,
    relaying,
    report,
    resting,
    rivals,
    sandboxing,
    stopping,
    swapping,
    training,
)
from bench.figures import Figure  # noqa: E402

_PAGE = ROOT / "docs" / "benchmarks.md"
MEASUREMENTS: dict[str, Callable[[bool], list[Figure]]] = {
    "plain": relaying.plain,
    "chunks": relaying.chunks,
    "forced": relaying.forced,
    "access": admitting.access,
    "observing": observing.observing,
    "memory": resting.memory,
    "start": resting.start,
    "cold": resting.cold,
    "swap": swapping.swap,
    "recall": recalling.recall,
    "stop": stopping.stop,
    "dialects": dialects.dialects,
    "counting": counting.counting,
    "prefixes": counting.prefixes,
    "fit": fitting.fit,
    "rivals": rivals.rivals,
    "busy": busy.busy,
    "page": paging.page,
    "training": training.training,
    "export": exporting.exporting,
    "sandbox": sandboxing.sandbox,
    "tools": looping.tools,
    "knowledge": knowing.knowledge,
    "clients": clients.compare,
}
# Takes the test set's packages and decides nothing anew; docs/adr/0002-http-client.md holds its outcome.
_ONLY_BY_NAME = ("clients",)


def main() -> int:
    """Measure what was named, or everything; print each table; write the page unless names alone were given."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}; all but clients if none"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="measure these, and renew their sections")
    parser.add_argument("--quick", action="store_true", help="few and short runs")
    arguments = parser.parse_args()
    named: list[str] = [*arguments.names, *arguments.only]
    unknown = [name for name in named if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"no measurement {unknown[0]!r}; there are: {', '.join(MEASUREMENTS)}")
    names = named or [name for name in MEASUREMENTS if name not in _ONLY_BY_NAME]
    sections = report.sections_of(_PAGE, list(MEASUREMENTS)) if arguments.only else {}
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        others = report.Others()
        figures = MEASUREMENTS[name](arguments.quick)
        if not figures:
            continue
        print(f"{report.table(figures)}\n", flush=True)
        sections[name] = report.section(name, figures, quick=arguments.quick, others_cores=others.cores())
    print(f"{report.machine()}. {report.libraries()}.")
    if not arguments.names:
        ordered = [sections[name] for name in MEASUREMENTS if name in sections]
        _PAGE.write_text(report.page(ordered), "utf-8")
        print(f"Written to {_PAGE.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
