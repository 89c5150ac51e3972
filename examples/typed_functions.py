"""Typed functions (docs/typed-functions.md): python examples/typed_functions.py"""

from dataclasses import dataclass

from mathagent import ask, define


@dataclass
class Share:
    numerator: int
    denominator: int


@define
def probability(event: str) -> Share:
    """The probability of {{event}} with one fair die, in lowest terms."""


@define(codable=True, examples=[({"n": 123}, 6)], tests=[({"n": 90210}, 12), ({"n": 0}, 0)])
def digit_sum(n: int) -> int:
    """The sum of the decimal digits of {{n}}."""


if __name__ == "__main__":
    print(ask(int, "What is {{a}} times {{b}}?", a=6, b=7))
    print(probability("a number above four"))
    print(digit_sum(999))
    code = digit_sum.compile()
    print(f"written in {code.tries} tries by {code.model}")
