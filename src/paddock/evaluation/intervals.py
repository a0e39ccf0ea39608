"""Owns how sure a figure is: intervals of 95 in 100 for shares, means by weight, and paired differences; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

# The quantile of the normal distribution that leaves 2.5 in 100 above it.
_Z = 1.959963984540054
# Of Student's t, by degrees of freedom; above these it is taken as normal.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
Interval = tuple[float, float]


def wilson(passed: int, of: int) -> Interval:
    """The interval of a share (Wilson, 1927): it also holds for few tries, and for none or all of them passed."""
    if not of:
        return 0.0, 1.0
    share, spread = passed / of, _Z * _Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    # At the ends arithmetic leaves a trace of what is exactly 0 or 1.
    return 0.0 if passed == 0 else max(0.0, middle - half), 1.0 if passed == of else min(1.0, middle + half)


def paired(both: int, only_first: int, only_second: int, neither: int) -> tuple[float, Interval]:
    """The second's share less the first's on the same tries, and its interval (Newcombe, 1998, method 10).

    Args:
        both: tries that both passed.
        only_first: tries that the first alone passed.
        only_second: tries that the second alone passed.
        neither: tries that none passed.
    """
    of = both + only_first + only_second + neither
    if not of:
        return 0.0, (-1.0, 1.0)
    first, second = both + only_first, both + only_second
    one, two = first / of, second / of
    low_one, high_one = wilson(first, of)
    low_two, high_two = wilson(second, of)
    phi = _correlation(both, only_first, only_second, neither)
    down_two, up_one = two - low_two, high_one - one
    up_two, down_one = high_two - two, one - low_one
    below = math.sqrt(max(0.0, down_two**2 - 2 * phi * down_two * up_one + up_one**2))
    above = math.sqrt(max(0.0, up_two**2 - 2 * phi * up_two * down_one + down_one**2))
    return two - one, (max(-1.0, two - one - below), min(1.0, two - one + above))


def sign_test(only_first: int, only_second: int) -> float:
    """How likely it is by chance alone that the tries which tell two apart fall so unevenly, or more so (exact)."""
    of, least = only_first + only_second, min(only_first, only_second)
    if not of:
        return 1.0
    tail = sum(math.comb(of, count) for count in range(least + 1))
    return min(1.0, 2 * tail / 2**of)


def ratio(amounts: Sequence[float], weights: Sequence[float]) -> tuple[float, Interval | None]:
    """The sum of amounts by the sum of weights, and the interval of that ratio; None of a single one.

    Each pair is one observation, such as the nats and the tokens of a piece of text; the interval is that of the ratio
    estimator of survey sampling, by Student's t.
    """
    total = math.fsum(weights)
    mean = math.fsum(amounts) / total
    count = len(amounts)
    if count < 2:
        return mean, None
    squares = math.fsum((amount - mean * weight) ** 2 for amount, weight in zip(amounts, weights, strict=True))
    error = math.sqrt(count / (count - 1) * squares) / total
    half = (_T[count - 2] if count - 2 < len(_T) else _Z) * error
    return mean, (mean - half, mean + half)


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """How far the two pass the same tries, from -1 to 1, corrected for continuity as Newcombe does."""
    rows = (both + only_first) * (only_second + neither)
    columns = (both + only_second) * (only_first + neither)
    if not rows or not columns:
        return 0.0
    of = both + only_first + only_second + neither
    product = both * neither - only_first * only_second
    corrected = max(product - of / 2, 0) if product > 0 else product
    return corrected / math.sqrt(rows * columns)
