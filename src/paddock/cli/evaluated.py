"""Owns how evaluations are printed: progress, tables of figures, failing tries, two side by side; computes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paddock.cli import printing

_EVERY = 25
_SHOWN_CHARACTERS = 600
_MARKS = {"shape": "SHAPE", "names": "RIGHT TOOLS", "exact": "EXACT"}
Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Says how far an evaluation is: on a terminal in one line, else now and then."""

    of: int
    is_quiet: bool

    def tell(self, tried: int, event: Json) -> None:
        """One more was tried."""
        if self.is_quiet:
            return
        line = f"{tried} of {self.of}: {printing.line(event.get('case', event['name']))}"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{line[:100]}", end="\n" if tried == self.of else "", file=sys.stderr, flush=True)
        elif tried % _EVERY == 0 or tried == self.of:
            print(line, file=sys.stderr, flush=True)


def shown(job: Json) -> tuple[str, str, str]:
    """The cells of a list: tried, of, and the share that passed."""
    figures = job["figures"]
    report: dict[str, Any] = figures.get("report") or {}
    total = report.get("total")
    share = _share(total) if total else "-"
    return str(figures.get("tried", 0)), str(figures.get("of", "-")), share


def standing(job: Json) -> str:
    """In a few words: the share that passed with its interval, or how far it is."""
    report: dict[str, Any] = job["figures"].get("report") or {}
    if total := report.get("total"):
        return _share(total)
    return f"{job['state']}, {job['figures'].get('tried', 0)} of {job['figures'].get('of', '-')} tried"


def print_head(job: Json) -> None:
    """What was asked, and what stood behind it."""
    print(f"{job['id']}  {printing.line(job['name'])}  {job['state']}")
    print(f"model: {printing.line(job['spec']['model'])}")
    if other := job["spec"].get("against"):
        print(f"against: {printing.line(other)}")
    if subject := job["figures"].get("subject"):
        print(f"file: {subject['file_digest']}  template: {subject['template_digest'] or 'none'}")
        print(f"engine: {printing.line(subject['engine'])}")
    if job["error"]:
        print(printing.clean(job["error"]["message"]))


def print_report(job: Json) -> None:
    """The figures by case and in all."""
    report = job["figures"].get("report")
    if report is None:
        print(f"{job['figures'].get('tried', 0)} of {job['figures'].get('of', 0)} are tried.")
        return
    if report["cases"]:
        marks = [name for name in _MARKS if all(name in one["marks"] for one in report["cases"])]
        rows = [
            (one["case"], str(one["of"]), *(str(one["marks"][name]) for name in marks), _share(one))
            for one in report["cases"]
        ]
        rows.append(("in all", str(report["total"]["of"]), *("" for _ in marks), _share(report["total"])))
        headings = ("CASE", "OF", *(_MARKS[name] for name in marks))
        printing.table((*headings, "PASSED"), rows, right=headings[1:])
    if text := report["text"]:
        ends = _ends(text["low"], text["high"], 3)
        print(f"perplexity {text['perplexity']:.3f}{ends} over {text['tokens']} tokens of {text['texts']} texts")
        ends = _ends(text["bits_per_byte_low"], text["bits_per_byte_high"], 4)
        print(f"{text['bits_per_byte']:.4f} bits a byte{ends}")


def print_votes(voted: Json) -> None:
    """What was chosen in a vote, whose names are told once they are shown."""
    print(f"{voted['voted']} of {voted['of']} are voted on; {voted['ready']} have both answers.")
    report = voted["report"]
    if report is None:
        print("Whose the answers are is hidden. `--names` shows it, which ends the vote.")
        return
    if not report["is_whole"]:
        print("The names were shown before all was voted on.")
    rows = [(printing.line(one["model"]), _chosen(one)) for one in report["models"]]
    rows += [("neither better", _chosen(report["tie"])), ("both bad", _chosen(report["bad"]))]
    printing.table(("BETTER", "SHARE"), rows, right=())
    first = printing.line(report["models"][0]["model"])
    print(f"{first} where one is better: {_chosen(report['preferred'])}, by chance {report['chance']:.3f}")
    print(f"left side where one is better: {_chosen(report['left'])}")


def print_failed(failed: Sequence[Json], most: int) -> None:
    """Failing tries, so many of each case: what was asked, what came, and what is wrong with it."""
    told: dict[str, int] = {}
    for one in failed:
        told[one["case"]] = told.get(one["case"], 0) + 1
        if told[one["case"]] > most:
            continue
        print(f"\n{printing.line(one['case'])}: {printing.line(one['name'])}")
        for body in one["asked"]:
            print(f"  asked: {_cut(_asked(body))}")
        print(f"  answer: {_cut(one['said'])}")
        print(f"  {_cut(one['why'])}")
    for case, count in told.items():
        if count > most:
            print(f"\n{printing.line(case)}: {count - most} more")


def print_compared(one: Json, two: Json, found: Json) -> None:
    """Two evaluations side by side."""
    print(f"before: {one['id']} {printing.line(one['spec']['model'])}")
    print(f"after:  {two['id']} {printing.line(two['spec']['model'])}")
    rows = [(case["case"], *_cells(case)) for case in found["cases"]]
    if found["total"]:
        rows.append(("in all", *_cells(found["total"])))
        headings = ("CASE", "OF", "BEFORE", "AFTER", "GAINED", "LOST", "DIFFERENCE", "BY CHANCE")
        printing.table(headings, rows, right=headings[1:6])
    if text := found["text"]:
        ends = _ends(text["difference_low"], text["difference_high"], 4)
        print(
            f"bits a byte: {text['before']:.4f} before, {text['after']:.4f} after, "
            f"{text['difference']:+.4f}{ends} over {text['texts']} texts; less is better"
        )
    if found["left_out"]:
        print(f"{found['left_out']} results have no other to stand beside, and are left out.")


def _cells(case: Json) -> tuple[str, ...]:
    figures = (str(case[name]) for name in ("of", "before", "after", "gained", "lost"))
    difference = f"{100 * case['difference']:+.1f} points ({100 * case['low']:+.1f} to {100 * case['high']:+.1f})"
    return (*figures, difference, f"{case['chance']:.3f}")


def _chosen(part: Json) -> str:
    return _share({**part, "passed": part["count"]})


def _share(part: Json) -> str:
    share = f"{part['passed']} of {part['of']}, {100 * part['share']:.1f}%"
    return f"{share} ({100 * part['low']:.1f} to {100 * part['high']:.1f})"


def _ends(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f" ({low:.{digits}f} to {high:.{digits}f})"


def _asked(body: Json) -> str:
    """The last that was said, and how it was asked."""
    if "prompt" in body:
        return str(body["prompt"])
    last = body["messages"][-1]
    more = {name: body[name] for name in ("tool_choice", "max_tokens", "stream") if name in body}
    content = last.get("content")
    words = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return f"{last['role']}: {words}  {json.dumps(more)}"


def _cut(text: str) -> str:
    text = printing.clean(text).replace("\n", "\n    ")
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
