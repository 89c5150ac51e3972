"""What units measure."""

from __future__ import annotations

import pytest

from mathagent.answers.units import canonical_unit
from mathagent.scorers.dimensions import dimension_of


@pytest.mark.parametrize(
    ("a", "b"),
    [("cm", "miles"), ("cm^2", "acres"), ("liters", "cubic centimeters"), ("km/h", "mph"), ("dollars", "euros")],
)
def test_units_of_one_dimension(a: str, b: str) -> None:
    first, second = dimension_of(canonical_unit(a)), dimension_of(canonical_unit(b))
    assert first is not None
    assert first == second


def test_units_of_different_dimensions() -> None:
    found = [dimension_of(unit) for unit in ("cm", "cm^2", "cm^3", "s", "km/h", "kg", "dollar/h", "rad")]
    assert None not in found
    assert len({str(one) for one in found}) == len(found)


@pytest.mark.parametrize("unit", ["", "apples", "cm^4", "cm/apples"])
def test_unknown_units(unit: str) -> None:
    assert dimension_of(unit) is None
