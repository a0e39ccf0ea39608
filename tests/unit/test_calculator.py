"""Tests what the calculator reckons, how exactly, and what it refuses."""

from __future__ import annotations

import pytest

from paddock.tools.calculator import reckoned
from paddock.tools.tool import Unfit


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("23 * 19", "437"),
        ("0.1 + 0.2", "0.3"),
        ("1 / 3", "0.333333333333333"),
        ("7 / 4", "1.75"),
        ("-7 / 40", "-0.175"),
        ("2 ** 200", str(2**200)),
        ("2^10", "1024"),
        ("2 ** -2", "0.25"),
        ("2 ** 0.5", "1.4142135623731"),
        ("sqrt(144) + sqrt(1/4)", "12.5"),
        ("sqrt(2)", "1.4142135623731"),
        ("17 // 5 * 100 + 17 % 5", "302"),
        ("round(2.345, 2)", "2.34"),
        ("factorial(20)", "2432902008176640000"),
        ("min(3, 1, 2) + max(1, 2) + abs(-4) + gcd(12, 18) + lcm(4, 6)", "25"),
        ("floor(2.7) + ceil(2.1)", "5"),
        ("12 × 3 ÷ 4 − 1", "8"),
        ("1e-7 * 1", "0.0000001"),
        ("cos(0) + pi - pi", "1"),
        ("(1 + 2) * (3 + 4)", "21"),
    ],
)
def test_an_expression_has_its_value(expression: str, value: str) -> None:
    assert reckoned(expression) == value


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("1 / 0", "divides by zero"),
        ("0 ** -1", "divides by zero"),
        ("__import__('os').system('id')", "only numbers"),
        ("().__class__", "only numbers"),
        ("open('x')", "there is no function open"),
        ("[1 for _ in (1,)]", "only numbers"),
        ("lambda: 1", "only numbers"),
        ("x = 1", "no expression"),
        ("two plus two", "no expression"),
        ("", "no expression"),
        ("9 ** 9 ** 9", "too large"),
        ("10 ** 100000", "too large"),
        ("factorial(100000)", "from 0 to 500"),
        ("factorial(factorial(6))", "from 0 to 500"),
        ("(-8) ** 0.5", "not a real number"),
        ("sqrt(-1)", "math domain error"),
        ("gcd(1.5, 2)", "not a whole number"),
        ("1" + " + 1" * 400, "characters"),
        ("(" * 300 + "1" + ")" * 300, "no expression"),
        ("exp(10 ** 6)", "range"),
        ("True + 1", "only numbers"),
        ("'a' * 100", "only numbers"),
        ("round(1, 2, 3)", "argument"),
    ],
)
def test_what_is_no_arithmetic_is_refused_with_its_reason(expression: str, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        reckoned(expression)


def test_numbers_cannot_be_made_to_grow_without_end() -> None:
    with pytest.raises(Unfit, match="too large"):
        reckoned("*".join(["(2 ** 4000)"] * 60))
