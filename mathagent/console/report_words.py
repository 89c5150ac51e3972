"""Numbers of a report as people write them. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mathagent.evals.metrics import Summary

NONE = "–"


def percent(share: float | None, digits: int = 1) -> str:
    """0.5 → "50.0%"."""
    return NONE if share is None else f"{share:.{digits}%}"


def points(difference: float) -> str:
    """A difference of two shares in percentage points: 0.031 → "+3.1"."""
    return f"{100 * difference:+.1f}"


def seconds(value: float | None) -> str:
    """Three digits of a duration."""
    if value is None:
        return "cached"
    return f"{value:.2f}" if value < 10 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def without_seconds(summary: Summary) -> str:
    """What stands for the seconds that no attempt tells: the cache answered all of them, or all of them failed."""
    return NONE if summary.errors == summary.attempts else "cached"


def dollars(value: float | None) -> str:
    """Money; what is not known is no 0."""
    if value is None:
        return NONE
    return "$0" if value == 0 else f"${value:,.2f}" if value >= 1 else f"${Decimal(f'{value:.3g}'):f}"


def p_value(value: float) -> str:
    """Two digits of a probability or so; very small ones as a bound."""
    if value < 0.0001:
        return "< 0.0001"
    return f"{value:.4f}" if value < 0.01 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
