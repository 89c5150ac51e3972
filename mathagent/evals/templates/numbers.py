"""The numbers of templates: exact values, words that stand for a number, and the functions over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from mathagent.errors import UsageError

Number = int | Fraction
MOST_VALUES = 1_000_000


class Word(NamedTuple):
    """A text that stands for a number: ("half", 1/2), ("twice", 2). ``[1]`` is the number."""

    text: str
    value: Number


def exact(value: Any) -> Any:
    """``value``, a Fraction that is whole as an int."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def as_number(value: Any) -> Any:
    """The number of a value. Raises UsageError for a text or a list."""
    if isinstance(value, Word):
        return value.value
    if isinstance(value, int | Fraction):
        return value
    raise UsageError(f"{value!r} stands where a number belongs")


def is_int(value: Any) -> bool:
    """Whether a number is whole."""
    return isinstance(exact(as_number(value)), int)


def divides(number: Any, divisor: Any) -> bool:
    """Whether ``number`` is a multiple of ``divisor`` (in the order that GSM-Symbolic's templates use)."""
    return bool(as_number(number) % as_number(divisor) == 0)


def _whole(value: Any, least: int = 0) -> int:
    number = exact(as_number(value))
    if not isinstance(number, int) or not least <= number <= MOST_VALUES:
        raise ZeroDivisionError(f"{number} is not a whole number from {least} to {MOST_VALUES:,}")
    return number


def fraction(numerator: Any, denominator: Any = 1) -> Number:
    """The exact quotient; also of a text such as "3/4"."""
    top = Fraction(numerator) if isinstance(numerator, str) else Fraction(as_number(numerator))
    value: Number = exact(top / Fraction(as_number(denominator)))
    return value


def rounded(value: Any, places: int = 0) -> Number:
    """As Python rounds: a tie goes to the even neighbour."""
    result: Number = exact(Fraction(round(Fraction(as_number(value)), places)))
    return result


def is_prime(value: Any) -> bool:
    """Whether a whole number up to a million is prime."""
    number = _whole(value)
    return number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1))


def is_square(value: Any) -> bool:
    """Whether a whole number is a square."""
    number = exact(as_number(value))
    return isinstance(number, int) and number >= 0 and math.isqrt(number) ** 2 == number


def digit_sum(value: Any) -> int:
    """The sum of the decimal digits of a whole number."""
    return sum(int(digit) for digit in str(_whole(value)))


def factorial(value: Any) -> int:
    """n!, for n up to 100."""
    number = _whole(value)
    if number > 100:
        raise UsageError(f"factorial({number}) is too large; at most 100")
    return math.factorial(number)


def _each(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*values: Any) -> Any:
        items = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        return exact(function([as_number(item) for item in items]))

    return apply


def arithmetic_range(start: Any, stop: Any = None, step: Any = 1) -> list[Number]:
    """Like ``range``, exact for decimals too. Raises UsageError for a step of 0 or over a million values."""
    low, high = (0, as_number(start)) if stop is None else (as_number(start), as_number(stop))
    width = as_number(step)
    if width == 0:
        raise UsageError("a range with the step 0")
    count = max(0, math.ceil(Fraction(high - low) / Fraction(width)))
    if count > MOST_VALUES:
        raise UsageError(f"a range of {count:,} values; at most {MOST_VALUES:,}")
    return [exact(low + index * width) for index in range(count)]


def numbers_within(low: Any, high: Any) -> list[Number]:
    """The whole numbers from ``low`` to ``high``, both included."""
    return arithmetic_range(low, as_number(high) + 1)


def as_list(values: Iterable[Any]) -> list[Any]:
    """The values as a list."""
    return list(values)


NUMBER_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Fraction": fraction,
    "abs": lambda value: abs(as_number(value)),
    "ceil": lambda value: math.ceil(as_number(value)),
    "comb": lambda n, k: math.comb(_whole(n), _whole(k)),
    "digit_sum": digit_sum,
    "divides": divides,
    "factorial": factorial,
    "floor": lambda value: math.floor(as_number(value)),
    "gcd": lambda *values: math.gcd(*(_whole(value) for value in values)),
    "int": lambda value: int(as_number(value)),
    "is_int": is_int,
    "is_prime": is_prime,
    "is_square": is_square,
    "isqrt": lambda value: math.isqrt(_whole(value)),
    "lcm": lambda *values: math.lcm(*(_whole(value) for value in values)),
    "len": len,
    "max": _each(max),
    "min": _each(min),
    "perm": lambda n, k: math.perm(_whole(n), _whole(k)),
    "round": rounded,
    "sum": _each(sum),
}

# What a variable is drawn from; fix_floats and shuffle_list only repaired floats and order in the published templates.
DOMAIN_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "arange": arithmetic_range,
    "fix_floats": as_list,
    "frange": arithmetic_range,
    "list": as_list,
    "numbers_within": numbers_within,
    "range": arithmetic_range,
    "shuffle_list": as_list,
}
