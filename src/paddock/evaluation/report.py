"""Owns the figures of an evaluation, made of its results alone: by case and in all, with intervals; or of two."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paddock.evaluation.intervals import Interval, paired, ratio, sign_test, wilson

Result = Mapping[str, Any]
_TEXT = ("nats", "tokens", "bytes")
_DIGITS = 6


def report_of(results: Sequence[Result]) -> dict[str, Any]:
    """Shares that passed, by case and in all, and the perplexity of what was measured.

    `share` is of 1, with the ends of its interval `low` and `high`; `marks` counts the steps on the way to passing.
    """
    texts, tries = _parted(results)
    cases: dict[str, list[Result]] = defaultdict(list)
    for one in tries:
        cases[one["case"]].append(one)
    return {
        "cases": [{"case": case, **_share(own), "marks": _marks(own)} for case, own in cases.items()],
        "total": _share(tries) if tries else None,
        "text": _perplexity(texts) if texts else None,
    }


def compared(before: Sequence[Result], after: Sequence[Result]) -> dict[str, Any]:
    """Two evaluations on the tries that both have, by case and name.

    `difference` is the second's share less the first's, with the ends of its interval; `chance` is how likely so uneven
    a difference is by chance alone. Texts are compared by bits a byte, which does not hang on a tokenizer: less is
    better.
    """
    pairs = _pairs(before, after)
    cases: dict[str, list[tuple[Result, Result]]] = defaultdict(list)
    for one, two in pairs:
        if not _is_text(one):
            cases[one["case"]].append((one, two))
    every = [pair for own in cases.values() for pair in own]
    texts = [(one, two) for one, two in pairs if _is_text(one) and _is_text(two)]
    changed = [(one, two) for one, two in every if one["passed"] != two["passed"]]
    return {
        "tries": len(pairs),
        "left_out": len(before) + len(after) - 2 * len(pairs),
        "cases": [{"case": case, **_difference(own)} for case, own in cases.items()],
        "total": _difference(every) if every else None,
        "text": _text_difference(texts) if texts else None,
        "gained": [_named(one) for one, two in changed if two["passed"]],
        "lost": [_named(one) for one, _ in changed if one["passed"]],
    }


def _share(tries: Sequence[Result]) -> dict[str, Any]:
    passed = sum(bool(one["passed"]) for one in tries)
    low, high = wilson(passed, len(tries))
    share = passed / len(tries)
    return {"passed": passed, "of": len(tries), "share": _round(share), "low": _round(low), "high": _round(high)}


def _marks(tries: Sequence[Result]) -> dict[str, int]:
    names = dict.fromkeys(name for one in tries for name in one["marks"])
    return {name: sum(bool(one["marks"].get(name)) for one in tries) for name in names}


def _perplexity(texts: Sequence[Result]) -> dict[str, Any]:
    nats, tokens, lengths = ([float(one["figures"][name]) for one in texts] for name in _TEXT)
    mean, interval = ratio(nats, tokens)
    bits, bits_interval = ratio([one / math.log(2) for one in nats], lengths)
    low, high = (None, None) if interval is None else (_power(interval[0]), _power(interval[1]))
    return {
        "texts": len(texts),
        "tokens": round(sum(tokens)),
        "perplexity": _power(mean),
        "low": low,
        "high": high,
        "bits_per_byte": _round(bits),
        **_ends("bits_per_byte", bits_interval),
    }


def _difference(pairs: Sequence[tuple[Result, Result]]) -> dict[str, Any]:
    counts = {(one, two): 0 for one in (True, False) for two in (True, False)}
    for one, two in pairs:
        counts[bool(one["passed"]), bool(two["passed"])] += 1
    both, first, second, neither = counts[True, True], counts[True, False], counts[False, True], counts[False, False]
    difference, (low, high) = paired(both, first, second, neither)
    return {
        "of": len(pairs),
        "before": both + first,
        "after": both + second,
        "gained": second,
        "lost": first,
        "difference": _round(difference),
        "low": _round(low),
        "high": _round(high),
        "chance": _round(sign_test(first, second)),
    }


def _text_difference(pairs: Sequence[tuple[Result, Result]]) -> dict[str, Any]:
    lengths = [float(one["figures"]["bytes"]) for one, _ in pairs]
    first = [float(one["figures"]["nats"]) / math.log(2) for one, _ in pairs]
    second = [float(two["figures"]["nats"]) / math.log(2) for _, two in pairs]
    mean, interval = ratio([two - one for one, two in zip(first, second, strict=True)], lengths)
    before, after = ratio(first, lengths)[0], ratio(second, lengths)[0]
    return {
        "texts": len(pairs), "before": _round(before), "after": _round(after), "difference": _round(mean),
        **_ends("difference", interval),
    }  # fmt: skip


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = interval if interval else (None, None)
    return {
        f"{name}_low": None if low is None else _round(low),
        f"{name}_high": None if high is None else _round(high),
    }


def _parted(results: Iterable[Result]) -> tuple[list[Result], list[Result]]:
    """Those that measured a text, and all others; a text that could not be measured is a try that failed."""
    texts: list[Result] = []
    tries: list[Result] = []
    for one in results:
        (texts if _is_text(one) else tries).append(one)
    return texts, tries


def _is_text(result: Result) -> bool:
    return "nats" in result["figures"]


def _pairs(before: Sequence[Result], after: Sequence[Result]) -> list[tuple[Result, Result]]:
    known = {(one["case"], one["name"]): one for one in after}
    return [(one, known[key]) for one in before if (key := (one["case"], one["name"])) in known]


def _named(result: Result) -> dict[str, str]:
    return {"case": result["case"], "name": result["name"]}


def _round(value: float) -> float:
    return round(value, _DIGITS)


def _power(nats: float) -> float:
    """The perplexity of a mean in nats. What no number holds is told as the greatest that one does."""
    return _round(math.exp(min(nats, 700.0)))
