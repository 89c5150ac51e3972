"""What units measure: ``km/h`` is length by time. Pure."""

from __future__ import annotations

import re
from collections import Counter

_MEASURES: tuple[tuple[tuple[str, ...], dict[str, int]], ...] = (
    (("mm", "cm", "dm", "m", "km", "in", "ft", "yd", "mi"), {"length": 1}),
    (("acre", "hectare"), {"length": 2}),
    (("ml", "cl", "l", "gal", "qt", "pt"), {"length": 3}),
    (("mg", "g", "kg", "t", "oz", "lb"), {"mass": 1}),
    (("s", "min", "h", "day", "week", "month", "year"), {"time": 1}),
    (("hz", "khz", "mhz"), {"time": -1}),
    (("mph",), {"length": 1, "time": -1}),
    (("n",), {"length": 1, "mass": 1, "time": -2}),
    (("j", "kj"), {"length": 2, "mass": 1, "time": -2}),
    (("w", "kw"), {"length": 2, "mass": 1, "time": -3}),
    (("pa", "kpa"), {"length": -1, "mass": 1, "time": -2}),
    (("k",), {"temperature": 1}),
    (("mol",), {"amount": 1}),
    (("rad",), {}),
    (("dollar", "cent", "euro", "pound sterling", "rupee", "yuan", "yen"), {"money": 1}),
)
_BASE = {unit: exponents for units, exponents in _MEASURES for unit in units}


def dimension_of(unit: str) -> dict[str, int] | None:
    """Exponents of the base quantities of ``unit`` (canonical, as ``answers.units`` writes it); None if unknown."""
    exponents: Counter[str] = Counter()
    for place, part in enumerate(unit.split("/")):
        match = re.fullmatch(r"(.*?)(?:\^([23]))?", part)
        if match is None or match[1] not in _BASE:
            return None
        factor = int(match[2] or 1) * (1 if place == 0 else -1)
        for quantity, exponent in _BASE[match[1]].items():
            exponents[quantity] += factor * exponent
    return {quantity: exponent for quantity, exponent in sorted(exponents.items()) if exponent}
