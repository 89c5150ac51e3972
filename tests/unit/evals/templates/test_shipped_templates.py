"""Each shipped template against a program of another kind: simulation, search or SymPy, never its own formula."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction as F
from typing import Any

import pytest
import sympy

from mathagent.evals.templates import Template, instances, load_templates, shipped_templates
from mathagent.evals.templates.generator import has_variant
from mathagent.evals.templates.originals import number_in_words

V = Mapping[str, Any]  # an assignment: numbers as Fraction, the rest as text
x = sympy.Symbol("x")


def solve(equation: Any) -> F:
    """The one solution for x of an expression that is to be 0."""
    [root] = sympy.solve(equation, x)
    return F(int(sympy.numer(root)), int(sympy.denom(root)))


def S(value: F) -> Any:
    return sympy.Rational(value.numerator, value.denominator)


def first(values: Any, holds: Callable[[Any], bool]) -> Any:
    return next(value for value in values if holds(value))


def only(values: Any, holds: Callable[[Any], bool]) -> Any:
    [found] = [value for value in values if holds(value)]
    return found


def simulated_weeks(cost: F, have: F, per_week: F) -> int:
    weeks = 0
    while have < cost:
        have, weeks = have + per_week, weeks + 1
    return weeks


def paths(a: int, b: int) -> int:
    table = [[1] * (b + 1) for _ in range(a + 1)]
    for i, j in itertools.product(range(1, a + 1), range(1, b + 1)):
        table[i][j] = table[i - 1][j] + table[i][j - 1]
    return table[a][b]


def same_color(*counts: int) -> F:
    marbles = [color for color, count in enumerate(counts) for _ in range(count)]
    draws = list(itertools.combinations(marbles, 2))
    return F(sum(one == two for one, two in draws), len(draws))


def bounce(h: F, f: F, k: F) -> F:
    for _ in range(int(k)):
        h = h * f
    return h


def shift(start: F, length: F, rest: F, pay: F) -> F:
    minutes = sum(1 for _ in range(int(start), int(start + length))) - rest
    return minutes * pay / 60


def bacteria(v: V) -> F:
    count, clock = v["n"], 0
    while clock < v["k"] * v["t"]:
        clock += v["t"]
        count += count
    return count


def meets(d: F, v: F, w: F, head_start: F = F(0)) -> F:
    return 60 * solve(S(v) * (x + S(head_start)) + S(w) * x - S(d))


def rows(v: V, skip: int = 0) -> F:
    return sum((v["a"] + row * v["d"] for row in range(int(v["n"]) - skip)), F(0))


def weekday(v: V) -> int:
    names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    days = itertools.cycle(names)
    day = first(days, lambda name: name == v["weekday"])
    for _ in range(int(v["n"]) - 1):
        day = next(days)
    return names.index(day) + 1


def together(*periods: F) -> int:
    return first(itertools.count(1), lambda minute: all(minute % period == 0 for period in periods))


def underlined(v: V) -> list[int]:
    return [number for number in range(int(v["lo"]), int(v["hi"]) + 1) if number % v["m"] == 0]


def divisors(v: V) -> list[int]:
    return sympy.divisors(int(v["p"] ** v["a"] * v["q"] ** v["b"]))


def balance(v: V) -> F:
    return solve(S(v["a"]) + S(v["p"]) * x - S(v["b"]) - S(v["q"]) * x)


def pool_path(v: V) -> int:
    a, b, w = int(v["a"]), int(v["b"]), int(v["w"])
    tiles = itertools.product(range(-w, a + w), range(-w, b + w))
    return sum(1 for i, j in tiles if not (0 <= i < a and 0 <= j < b))


def committee(v: V) -> int:
    groups = (itertools.combinations(range(int(v[who])), int(v[k])) for who, k in (("w", "a"), ("m", "b")))
    return math.prod(len(list(group)) for group in groups)


def arrangements(v: V) -> int:
    n, a = int(v["a"] + v["b"]), int(v["a"])
    return sum(bin(mask).count("1") == a for mask in range(2**n))


def youngest(v: V) -> F:
    return solve(3 * x + 2 * S(v["b"]) + S(v["a"]) - S(v["total"]))


def daughter(v: V) -> int:
    return only(range(1, 60), lambda age: v["k"] * age + v["t"] == v["j"] * (age + v["t"]))


def blend(v: V) -> F:
    return solve(S(v["a"] * v["p"]) + S(v["q"]) * x - S(v["r"]) * (S(v["a"]) + x))


def garden(v: V) -> F:
    return solve(x - S(v["f"]) * x - S(v["g"]) * x - S(v["rest"]))


def codes(v: V) -> int:
    digits = range(int(v["d"]) + 1)
    return sum(code[0] >= v["f"] for code in itertools.permutations(digits, int(v["n"])))


def sequence(v: V) -> F:
    term = v["a"]
    for _ in range(4):
        term = v["m"] * term + v["c"]
    return term


def joined_height(v: V) -> F:
    return solve((S(v["n"] * v["avg"]) + x) / S(v["n"] + 1) - S(v["new"]))


def total_of(v: V) -> F:
    return v["p"] * (v["n"] - v["k"]) + v["q"] * v["k"]


def crates(v: V, bottom: bool = True) -> int:
    layers = [int(v[side] / v["e"]) for side in "abc"]
    return sum(1 for *_, z in itertools.product(*map(range, layers)) if bottom or z > 0)


def ticket(v: V) -> F:
    prizes = [v["x"]] * int(v["a"]) + [v["y"]] * int(v["b"])
    return sum(prizes, F(0)) / v["n"]


def distance(v: V) -> int:
    line = sympy.Point(int(v["x1"]), int(v["y1"])).distance(sympy.Point(int(v["x2"]), int(v["y2"])))
    return int(line)


def part(text: str) -> F:
    found = number_in_words(text)
    assert found is not None, text
    return found


INDEPENDENT: dict[str, Callable[[V], Any]] = {
    "two-pumps": lambda v: 60 * solve(x / S(v["a"]) + x / S(v["b"]) - 1),
    "two-pumps/p1": lambda v: (
        v["t"] + 60 * solve(S(v["t"] / 60) * (1 / S(v["a"]) + 1 / S(v["b"])) + x / S(v["b"]) - 1)
    ),
    "printing-shop": lambda v: v["m"] * (v["r"] / v["t"]) * (v["h"] * 60),
    "printing-shop/p1": lambda v: v["m"] * v["r"] * v["h"] * 60 / v["t"] / v["d"] * (v["d"] - 1),
    "trains-meet": lambda v: meets(v["d"], v["v"], v["w"]),
    "trains-meet/p1": lambda v: v["late"] + meets(v["d"], v["v"], v["w"], v["late"] / 60),
    "upstream": lambda v: solve((S(v["d"] / v["t"]) - x) - (S(v["d"] / v["u"]) + x)),
    "painters": lambda v: solve(S(v["q"]) * x - S(v["p"] * v["d"])),
    "painters/p1": lambda v: solve(S(v["q"]) * x - S(v["p"] * v["d"]) * (100 + S(v["pct"])) / 100),
    "fuel-trip": lambda v: v["price"] * v["c"] * v["km"] / 100,
    "fuel-trip/p1": lambda v: v["price"] * (v["c"] * (v["km"] / 4)) / 100,
    "candles": lambda v: solve(10 * S(v["a"]) - S(v["p"]) * x - 10 * S(v["b"]) + S(v["q"]) * x),
    "average-speed": lambda v: 2 / (1 / v["u"] + 1 / v["v"]),
    "library-shelves": lambda v: (v["n"] * v["pct"] / 100) * part(v["f"]),
    "library-shelves/p1": lambda v: (v["n"] * v["pct"] / 100) * part(v["f"]) - v["k"],
    "two-discounts": lambda v: (v["price"] - v["price"] * v["p"] / 100) * (100 - v["q"]) / 100,
    "two-discounts/p1": lambda v: (v["price"] - v["price"] * v["p"] / 100 + v["s"]) * (100 - v["q"]) / 100,
    "price-before-rise": lambda v: solve(x + x * S(v["p"]) / 100 - S(v["after"])),
    "garden-parts": lambda v: garden({**v, "f": part(v["f"]), "g": part(v["g"])}),
    "garden-parts/p1": lambda v: garden({**v, "f": part(v["f"]), "g": part(v["g"])}) + v["more"],
    "salt-solution": lambda v: solve(S(v["m"] * v["p"]) - S(v["q"]) * (S(v["m"]) + x)),
    "coffee-blend": blend,
    "coffee-blend/p1": lambda v: (v["a"] + blend(v)) * 1000 / v["g"],
    "election": lambda v: (lambda cast: cast * v["p"] / 100 - (cast - cast * v["p"] / 100))(v["n"] * v["t"] / 100),
    "evaporation": lambda v: bounce(v["v"], 1 - v["p"] / 100, v["w"]),
    "market-change": lambda v: v["note"] - sum([v["p"]] * int(v["a"]) + [v["q"]] * int(v["b"])),
    "market-change/p1": lambda v: (
        v["note"] - sum([v["p"]] * int(v["a"]) + [v["q"]] * int(v["b"])) * (100 - v["pct"]) / 100
    ),
    "phone-plans": lambda v: solve(100 * S(v["a"]) + S(v["p"]) * x - 100 * S(v["b"]) - S(v["q"]) * x),
    "saving-goal": lambda v: simulated_weeks(v["cost"], v["have"], v["earn"] - v["spend"]),
    "saving-goal/p1": lambda v: simulated_weeks(
        v["cost"], v["have"] + v["cost"] * part(v["f"]), v["earn"] - v["spend"]
    ),
    "coins": lambda v: only(range(int(v["n"]) + 1), lambda k: total_of({**v, "k": F(k)}) == total_of(v)),
    "weekday-later": weekday,
    "bus-departures": lambda v: together(v["a"], v["b"]),
    "bus-departures/p1": lambda v: together(v["a"], v["b"], v["c"]),
    "night-shift": lambda v: shift(v["start"], v["length"], v["rest"], v["pay"]),
    "night-shift/p1": lambda v: shift(v["start"], v["length"], v["rest"], v["pay"] + v["extra"]),
    "simple-interest": lambda v: v["c"] + sum([v["c"] * v["r"] / 1200] * int(v["m"])),
    "mother-daughter": daughter,
    "mother-daughter/p1": lambda v: daughter(v) + v["d"],
    "three-siblings": lambda v: youngest(v) + v["a"] + v["b"],
    "three-siblings/p1": lambda v: v["m"] * (youngest(v) + v["b"]),
    "goats-and-hens": lambda v: only(
        range(int(v["heads"]) + 1),
        lambda g: 4 * g + 2 * (v["heads"] - g) == 4 * v["goats"] + 2 * (v["heads"] - v["goats"]),
    ),
    "tickets-two-kinds": lambda v: only(
        range(int(v["n"]) + 1),
        lambda k: v["c"] * k + v["a"] * (v["n"] - k) == v["c"] * v["kids"] + v["a"] * (v["n"] - v["kids"]),
    ),
    "tickets-two-kinds/p1": lambda v: v["kids"] / 100 * v["pct"],
    "two-numbers": lambda v: v["s"] - solve(x * part(v["f"]).numerator + S(v["d"]) + x - S(v["s"])),
    "quadratic-roots": lambda v: sum(
        root**2 for root in sympy.roots(x**2 - int(v["a"] + v["b"]) * x + int(v["a"] * v["b"]), x)
    ),
    "quadratic-roots/p1": lambda v: sum((root + v["k"]) ** 2 for root in (v["a"], v["b"])),
    "linear-function": lambda v: v["m"] * v["x3"] + v["b"],
    "three-friends-share": lambda v: (
        (v["total"] / (v["p"] + v["q"] + v["r"])) * v["r"] - (v["total"] / (v["p"] + v["q"] + v["r"])) * v["p"]
    ),
    "three-friends-share/p1": lambda v: (lambda won: won - won * part(v["f"]))(
        v["total"] / (v["p"] + v["q"] + v["r"]) * v["r"]
    ),
    "system-of-prices": lambda v: v["v"],
    "exponential-growth": bacteria,
    "exponential-growth/p1": lambda v: bacteria(v) - bacteria(v) * v["pct"] / 100,
    "fenced-field": lambda v: v["a"] + v["b"] + v["a"] + v["b"] - v["g"],
    "fenced-field/p1": lambda v: (v["a"] + v["b"] + v["a"] + v["b"] - v["g"]) * v["p"] + v["q"],
    "path-around-pool": pool_path,
    "path-around-pool/p1": lambda v: pool_path(v) * part(v["f"]).denominator,
    "mast-cable": lambda v: only(range(1, 200), lambda h: h * h + v["foot"] ** 2 == v["length"] ** 2),
    "boxes-in-crate": crates,
    "boxes-in-crate/p1": lambda v: crates(v, bottom=False),
    "polygon-diagonals": lambda v: sum(
        (j - i) % int(v["n"]) not in (1, int(v["n"]) - 1) for i, j in itertools.combinations(range(int(v["n"])), 2)
    ),
    "triangle-angles": lambda v: (lambda a: max(a, a + v["d"], 180 - a - (a + v["d"])))(
        solve(x + x + S(v["d"]) + S(v["k"]) * x - 180)
    ),
    "scale-model": lambda v: v["b"] * (v["s"] / 100) ** 2,
    "lattice-distance": distance,
    "lattice-distance/p1": lambda v: F(distance(v)) / v["v"],
    "remainder-of-power": lambda v: pow(int(v["b"]), int(v["e"]), int(v["m"])),
    "smallest-with-remainders": lambda v: only(
        range(int(v["a"] * v["b"])), lambda n: n % v["a"] == v["n"] % v["a"] and n % v["b"] == v["n"] % v["b"]
    ),
    "divisor-count": lambda v: len(divisors(v)),
    "divisor-count/p1": lambda v: sum(one % v["p"] == 0 for one in divisors(v)),
    "equal-bunches": lambda v: max(k for k in range(1, int(v["a"]) + 1) if v["a"] % k == 0 and v["b"] % k == 0),
    "equal-bunches/p1": lambda v: (
        v["p"] * max(k for k in range(1, int(v["a"]) + 1) if v["a"] % k == 0 and v["b"] % k == 0)
    ),
    "trailing-zeros": lambda v: (lambda text: len(text) - len(text.rstrip("0")))(str(math.factorial(int(v["n"])))),
    "consecutive-numbers": lambda v: max(range(int(v["a"]), int(v["a"] + v["k"]))),
    "multiples-in-range": lambda v: len(underlined(v)),
    "multiples-in-range/p1": lambda v: sum(number % v["k"] != 0 for number in underlined(v)),
    "committee": committee,
    "committee/p1": lambda v: committee(v) * v["a"],
    "handshakes": lambda v: only(range(2, 200), lambda n: sum(range(n)) == sum(range(int(v["n"])))),
    "word-arrangements": arrangements,
    "word-arrangements/p1": lambda v: arrangements(v) * (v["a"] + v["b"] + 1),
    "marbles-same-color": lambda v: same_color(int(v["r"]), int(v["b"])),
    "marbles-same-color/p1": lambda v: same_color(int(v["r"]), int(v["b"]), int(v["g"])),
    "dice-at-least": lambda v: F(
        sum(i + j >= v["s"] for i, j in itertools.product(range(1, int(v["n"]) + 1), repeat=2)), int(v["n"]) ** 2
    ),
    "grid-paths": lambda v: paths(int(v["a"]), int(v["b"])),
    "grid-paths/p1": lambda v: paths(int(v["c"]), int(v["d"])) * paths(int(v["a"] - v["c"]), int(v["b"] - v["d"])),
    "codes": codes,
    "expected-prize": ticket,
    "expected-prize/p1": lambda v: v["c"] - ticket(v),
    "theater-rows": rows,
    "theater-rows/p1": lambda v: rows(v, int(v["k"])),
    "bouncing-ball": lambda v: bounce(v["h"], part(v["f"]), v["k"]),
    "missing-score": lambda v: solve((S(v["n"] * v["avg"]) + x) / S(v["n"] + 1) - S(v["goal"])),
    "nth-term": lambda v: list(itertools.islice(itertools.count(int(v["a"]), int(v["d"])), int(v["k"])))[-1],
    "team-average-height": joined_height,
    "team-average-height/p1": lambda v: joined_height(v) + v["d"],
    "recurrence": sequence,
    "odd-numbers-sum": lambda v: only(
        range(1, 60),
        lambda n: (
            sum(range(int(v["a"]), int(v["a"]) + 2 * n, 2)) == sum(range(int(v["a"]), int(v["a"] + 2 * v["n"]), 2))
        ),
    ),
    "overtaking-savings": balance,
    "overtaking-savings/p1": lambda v: (v["a"] + v["p"] * balance(v)) / v["n"],
}

TEMPLATES = shipped_templates()
CASES = [(one, "symbolic") for one in TEMPLATES] + [(one, "p1") for one in TEMPLATES if one.p1]


def values(assignment: Mapping[str, str | int]) -> dict[str, Any]:
    return {
        name: F(value)
        if isinstance(value, int) or (re.fullmatch(r"-?\d+/\d+", value) and name not in "fg")
        else value
        for name, value in assignment.items()
    }


def test_there_are_enough_and_of_many_kinds() -> None:
    assert len(TEMPLATES) >= 45
    assert len({one.id for one in TEMPLATES}) == len(TEMPLATES)
    assert len({one.subject for one in TEMPLATES}) >= 8
    assert {one.level for one in TEMPLATES} == {1, 2, 3, 4}
    assert sum(one.p1 is not None for one in TEMPLATES) >= 30
    assert sum(one.noop is not None for one in TEMPLATES) >= 45


def test_every_template_has_an_independent_program() -> None:
    assert set(INDEPENDENT) == {one.id if variant == "symbolic" else f"{one.id}/p1" for one, variant in CASES}


@pytest.mark.parametrize(("template", "variant"), CASES, ids=[f"{one.id}-{variant}" for one, variant in CASES])
def test_fifty_instances_agree_with_it(template: Template, variant: Any) -> None:
    program = INDEPENDENT[template.id if variant == "symbolic" else f"{template.id}/p1"]
    made = instances(template, 50, seed=11, variant=variant)
    assert len({one.text for one in made}) == 50
    for one in made:
        expected = program(values(one.assignment))
        assert F(one.answer) == F(str(expected)), (one.text, one.answer, expected)


_ACCIDENTS = re.compile(
    r"[{}]|\.\.|\s[.,;?]|  |\b1 (?!a\b|and|is|to|of|by|or|being|where|not|[a-z]*s [a-z])[a-z]+s\b"
    r"|\ba [aeio]\w|\ban [^aeiouh8\W1]|\b0 [a-z]{3,}s\b|-\d+ [a-z]{4,}s\b|\b(\w+) \1\b",
)


@pytest.mark.parametrize("template", TEMPLATES, ids=[one.id for one in TEMPLATES])
def test_no_grammar_accidents_and_sensible_sizes(template: Template) -> None:
    for variant in ("symbolic", "p1", "noop", "original"):
        if not has_variant(template, variant):  # type: ignore[arg-type]
            continue
        for one in instances(template, 30, seed=5, variant=variant):  # type: ignore[arg-type]
            accident = _ACCIDENTS.search(one.text)
            assert accident is None, (accident, one.text)
            assert one.text[0].isupper() or one.text[0].isdigit()
            assert one.text.rstrip().endswith(("?", "."))
            assert abs(F(one.answer)) < 10**7
            assert len(one.text) < 600


@pytest.mark.parametrize("variant", ["symbolic", "p1", "noop", "original", "names", "numbers"])
def test_data_sets(variant: Any) -> None:
    dataset = load_templates(2, seed=1, variant=variant)
    assert dataset.name == ("templates" if variant == "symbolic" else f"templates-{variant}")
    assert len({problem.id for problem in dataset.problems}) == len(dataset.problems) >= 30
    for problem in dataset.problems:
        assert problem.reference
        assert problem.metadata["family"] in {one.id for one in TEMPLATES}
        assert problem.id.startswith("templates/")
