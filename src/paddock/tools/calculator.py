"""Owns reckoning an arithmetic expression, exactly where that can be; runs no code of anybody's."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from paddock.protocol.turns import Outcome
from paddock.tools.tool import Given, Tool, Unfit, takes, text

_CHARACTERS_MOST = 1000
_BITS_MOST = 4096
_FACTORIAL_MOST = 500
_SHOWN_DIGITS = 15
_EXACT_DIGITS_MOST = 400

Number = Fraction | float


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits * abs(exponent.numerator) > _BITS_MOST:
            raise Unfit("the power is too large to be reckoned")
        return base**exponent.numerator
    return float(base) ** float(exponent)


def _whole(number: Number) -> int:
    if isinstance(number, Fraction) and number.denominator == 1:
        return number.numerator
    raise Unfit(f"{shown(number)} is not a whole number")


def _factorial(number: Number) -> Number:
    if not 0 <= _whole(number) <= _FACTORIAL_MOST:
        raise Unfit(f"factorial takes a whole number from 0 to {_FACTORIAL_MOST}")
    return Fraction(math.factorial(_whole(number)))


def _root(number: Number) -> Number:
    if isinstance(number, Fraction) and number >= 0:
        above, below = math.isqrt(number.numerator), math.isqrt(number.denominator)
        if above * above == number.numerator and below * below == number.denominator:
            return Fraction(above, below)
    return math.sqrt(number)


def _rounded(number: Number, digits: Number = Fraction(0)) -> Number:
    return Fraction(round(Fraction(number), max(-_SHOWN_DIGITS, min(_SHOWN_DIGITS, _whole(digits)))))


def _floor(number: Number) -> Number:
    return Fraction(math.floor(number))


def _ceiling(number: Number) -> Number:
    return Fraction(math.ceil(number))


def _common(*numbers: Number) -> Number:
    return Fraction(math.gcd(*map(_whole, numbers)))


def _multiple(*numbers: Number) -> Number:
    return Fraction(math.lcm(*map(_whole, numbers)))


def _quotient(number: Number, by: Number) -> Number:
    return number / by


def _divided(number: Number, by: Number) -> Number:
    return Fraction(number // by)


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: _quotient,
    ast.FloorDiv: _divided, ast.Mod: operator.mod, ast.Pow: _power,
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": _root, "abs": abs, "round": _rounded, "min": min, "max": max, "factorial": _factorial,
    "floor": _floor, "ceil": _ceiling, "gcd": _common, "lcm": _multiple,
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan,
    "exp": math.exp, "log": math.log, "ln": math.log, "log2": math.log2, "log10": math.log10,
    "degrees": math.degrees, "radians": math.radians, "hypot": math.hypot,
}  # fmt: skip
_CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e, "tau": math.tau}


def reckoned(expression: str) -> str:
    """The value of an expression, as text: exact as a whole number or decimal where it is one. Raises Unfit."""
    if len(expression) > _CHARACTERS_MOST:
        raise Unfit(f"the expression has {len(expression)} characters; at most {_CHARACTERS_MOST} are read")
    written = expression.replace("^", "**").replace("×", "*").replace("÷", "/").replace("−", "-").strip()
    try:
        return shown(_value(ast.parse(written, mode="eval").body))
    except ZeroDivisionError:
        raise Unfit("it divides by zero") from None
    except (SyntaxError, RecursionError, MemoryError):
        raise Unfit("it is no expression: write numbers with + - * / // % ** ( ) and functions") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise Unfit(str(error)) from None


def _value(node: ast.AST) -> Number:
    """What a part of the expression is worth."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        # As it is written, so that 0.1 is a tenth.
        return Fraction(repr(node.value)) if math.isfinite(node.value) else float(node.value)
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_value(node.operand))
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _bounded(_BINARY[type(node.op)](_value(node.left), _value(node.right)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = _FUNCTIONS.get(node.func.id)
        if function is None:
            raise Unfit(f"there is no function {node.func.id[:40]}; there are: {', '.join(_FUNCTIONS)}")
        return _bounded(function(*[_value(one) for one in node.args]))
    raise Unfit("only numbers, + - * / // % **, brackets and functions are reckoned with")


def _bounded(number: Any) -> Number:
    if isinstance(number, complex):
        raise Unfit("the result is not a real number")
    bits = number.numerator.bit_length() + number.denominator.bit_length() if isinstance(number, Fraction) else 0
    if bits > 4 * _BITS_MOST:
        raise Unfit("the numbers become too large to be reckoned with")
    return number


def shown(number: Number) -> str:
    """A number as text."""
    if isinstance(number, Fraction):
        if number.denominator == 1:
            return str(number.numerator)
        # A fraction of tens and fives has an end as a decimal.
        digits, left = 0, number.denominator
        while left % 10 == 0:
            left, digits = left // 10, digits + 1
        for prime in (2, 5):
            while left % prime == 0:
                left, digits = left // prime, digits + 1
        if left == 1 and digits <= _EXACT_DIGITS_MOST:
            scaled = number.numerator * 10**digits // number.denominator
            sign, whole = ("-" if scaled < 0 else ""), str(abs(scaled)).rjust(digits + 1, "0")
            return f"{sign}{whole[:-digits]}.{whole[-digits:]}".rstrip("0")
        number = float(number)
    return f"{number:.{_SHOWN_DIGITS}g}"


async def _carry_out(given: Given) -> Outcome:
    return Outcome(text=reckoned(given.arguments["expression"]))


CALCULATOR = Tool(
    name="calculator",
    description="Works out an arithmetic expression exactly.",
    parameters=takes({"expression": text("For example 23 * 19, or sqrt(2) / 3.")}),
    carry_out=_carry_out,
    is_harmless=True,
)
