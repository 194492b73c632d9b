"""A calculator: exact arithmetic over a small grammar, never `eval`.

Python's own parser reads the expression, and only numbers, operators and a few functions are walked. Numbers are
fractions, so that 0.1 + 0.2 is 0.3; the size of every result is known before it is computed, so that 9**9**9 is
refused at once.
"""

import ast
import math
import operator
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Annotated

from semantic_kernel.functions.kernel_function_decorator import kernel_function

from retrieval.errors import UsageError

PLUGIN_NAME = "calculator"
MAX_CHARACTERS = 300
_MAX_BITS = 4000  # of numerator and denominator together, about 1,200 digits
_MAX_DEPTH = 60
_SHOWN_DIGITS = 40  # of a result that is shown exactly
_ROUNDED = Context(prec=15, rounding=ROUND_HALF_UP)
_ROOTS = Context(prec=50)

_SIGNS = str.maketrans(
    {"×": "*", "✕": "*", "⋅": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "ー": "-", "√": "sqrt"}
)
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%(?!\s*[\d(.])")  # what follows a remainder is a number
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_CALL = re.compile(r"[A-Za-z]\s*\(")
_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda left, right: Fraction(left // right),
    ast.Mod: operator.mod,
}
_WHAT = "numbers, + - * / // % ** ( ), pi, and sqrt, abs, round, floor, ceil, min, max, sum, mean"


@dataclass(frozen=True, slots=True)
class Calculated:
    """A result. `is_exact` is false where a root or pi made it one of 50 digits."""

    number: Fraction
    is_exact: bool = True

    @property
    def text(self) -> str:
        """The result in decimals: exact where it has an end, else rounded to 15 digits, which is then said."""
        digits = _exact_digits(self.number) if self.is_exact else None
        if digits is not None:
            return digits
        rounded = _ROUNDED.divide(Decimal(self.number.numerator), Decimal(self.number.denominator))
        shown = f"{rounded.normalize():f}" if -6 <= rounded.adjusted() <= _SHOWN_DIGITS else str(rounded)
        return f"{shown} (rounded)"


def calculate(expression: str) -> Calculated:
    """Return the value of an expression.

    Full-width figures, × and ÷, thousands separators, `12.5%` and `12.5% of 80` are understood; `^` is a power.

    Raises:
        UsageError: it is no such expression, is too long, divides by zero, or its result is too large.
    """
    text = _plain(expression)
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise UsageError(f"'{_short(expression)}' is no calculation; it may have {_WHAT}") from None
    try:
        return _Walk(text).value(tree.body, 0)
    except ZeroDivisionError:
        raise UsageError(f"'{_short(expression)}' divides by zero") from None


class CalculatorPlugin:
    """Arithmetic for a model that is bad at it."""

    @kernel_function(
        name="calculate",
        description="Work out an arithmetic expression exactly, such as 3 * (1240 - 90) or 12.5% of 80.",
    )
    def calculate(self, expression: Annotated[str, f"only {_WHAT}"]) -> str:
        """Return the result as text.

        Raises:
            UsageError: see `calculate`.
        """
        return calculate(expression).text


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, node: ast.expr, depth: int) -> Calculated:
        """Return the value of a node."""
        if depth > _MAX_DEPTH:
            raise UsageError("the calculation is nested too deeply; work out its parts one by one")
        deeper = depth + 1
        match node:
            case ast.Constant():
                return self._number(node)
            case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
                inside = self.value(node.operand, deeper)
                negative = isinstance(node.op, ast.USub)
                return Calculated(-inside.number, inside.is_exact) if negative else inside
            case ast.BinOp(op=ast.Pow()):
                return _power(self.value(node.left, deeper), self.value(node.right, deeper))
            case ast.BinOp() if type(node.op) in _OPERATORS:
                left, right = self.value(node.left, deeper), self.value(node.right, deeper)
                number = _OPERATORS[type(node.op)](left.number, right.number)
                return _bounded(number, is_exact=left.is_exact and right.is_exact)
            case ast.Name(id="pi"):
                return Calculated(Fraction("3.14159265358979323846264338327950288419716939937511"), False)
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _FUNCTIONS:
                return _apply(name, [self.value(each, deeper) for each in node.args])
        raise UsageError(f"'{_short(ast.unparse(node))}' is no part of a calculation; it may have {_WHAT}")

    def _number(self, node: ast.Constant) -> Calculated:
        # As it is written, since Python has made a binary number of it.
        written = ast.get_source_segment(self._text, node) or ""
        if not _NUMBER.fullmatch(written):
            raise UsageError(f"'{_short(written)}' is no number in decimals")
        return Calculated(Fraction(written))


def _power(base: Calculated, exponent: Calculated) -> Calculated:
    power = exponent.number
    if _bits(base.number) * abs(power) > _MAX_BITS or abs(power) > _MAX_BITS:
        raise UsageError("the result would be too large to be worked out")
    is_exact = base.is_exact and exponent.is_exact
    if power.denominator == 1:
        return _bounded(base.number**power.numerator, is_exact=is_exact)
    if base.number < 0:
        raise UsageError("a negative number has no power that is no whole number")
    if power == Fraction(1, 2):
        return _root(base)
    if base.number == 0 and power < 0:
        raise ZeroDivisionError
    found = _ROOTS.power(_decimal(base.number), _decimal(power))
    return _bounded(Fraction(found), is_exact=False)


def _root(value: Calculated) -> Calculated:
    if value.number < 0:
        raise UsageError("a negative number has no square root")
    top, bottom = math.isqrt(value.number.numerator), math.isqrt(value.number.denominator)
    if Fraction(top * top, bottom * bottom) == value.number:
        return Calculated(Fraction(top, bottom), value.is_exact)
    return Calculated(Fraction(_ROOTS.sqrt(_decimal(value.number))), False)


def _round(value: Fraction, places: Fraction = Fraction(0)) -> Fraction:
    """Round half away from zero, as people do."""
    if places.denominator != 1 or abs(places) > 40:
        raise UsageError("round takes a number and how many decimals, 0 to 40")
    scale = Fraction(10) ** places.numerator
    whole = math.floor(abs(value) * scale + Fraction(1, 2))
    return Fraction(whole if value >= 0 else -whole) / scale


_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Fraction]]] = {
    # how many numbers it takes at least and at most
    "sqrt": (1, 1, lambda value: value),  # told apart in `_apply`
    "abs": (1, 1, abs),
    "round": (1, 2, _round),
    "floor": (1, 1, lambda value: Fraction(math.floor(value))),
    "ceil": (1, 1, lambda value: Fraction(math.ceil(value))),
    "min": (1, 50, lambda *values: min(values)),
    "max": (1, 50, lambda *values: max(values)),
    "sum": (1, 50, lambda *values: sum(values, Fraction(0))),
    "mean": (1, 50, lambda *values: sum(values, Fraction(0)) / len(values)),
}


def _apply(name: str, values: Sequence[Calculated]) -> Calculated:
    least, most, work = _FUNCTIONS[name]
    if not least <= len(values) <= most:
        raise UsageError(f"{name} takes {least} to {most} numbers, not {len(values)}")
    if name == "sqrt":
        return _root(values[0])
    is_exact = all(value.is_exact for value in values)
    return _bounded(work(*(value.number for value in values)), is_exact=is_exact)


def _bounded(number: Fraction, *, is_exact: bool) -> Calculated:
    if _bits(number) > _MAX_BITS:
        raise UsageError("the result is too large to be worked out")
    return Calculated(number, is_exact)


def _bits(number: Fraction) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def _decimal(number: Fraction) -> Decimal:
    return _ROOTS.divide(Decimal(number.numerator), Decimal(number.denominator))


def _exact_digits(number: Fraction) -> str | None:
    """Return a number in decimals; None where it has no end, or more digits than are shown."""
    rest, places = number.denominator, 0
    for factor in (2, 5):
        count = 0
        while rest % factor == 0:
            rest, count = rest // factor, count + 1
        places = max(places, count)
    if rest != 1 or places > _SHOWN_DIGITS:
        return None
    digits = str(abs(number.numerator) * 10**places // number.denominator)
    if len(digits) > _SHOWN_DIGITS:
        return None
    sign = "-" if number < 0 else ""
    if not places:
        return sign + digits
    digits = digits.zfill(places + 1)
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _plain(expression: str) -> str:
    text = unicodedata.normalize("NFKC", expression).translate(_SIGNS).strip().rstrip("=＝").strip()
    if not text or len(text) > MAX_CHARACTERS:
        raise UsageError(f"a calculation is of 1 to {MAX_CHARACTERS} characters, not {len(text)}")
    if not _CALL.search(text):  # in a call, commas stand between numbers
        text = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    text = _PERCENT.sub(r"(\1/100)", text)
    text = re.sub(r"(?<=[\d)])\s+of\s+(?=[\d(.])", " * ", text)
    return " ".join(text.replace("^", "**").split())


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"
