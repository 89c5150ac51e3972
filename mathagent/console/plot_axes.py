"""Axes of a plot as SVG: scales, ticks, and marks that are told apart by shape as well as colour. Pure.

Written by us and not by a plotting library: a page takes its colours from its own style sheet (light, dark, print), is
a few kilobytes, and says everything it shows as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, log10
from typing import Literal
from unicodedata import east_asian_width

from markupsafe import Markup

from mathagent.console.clean_text import clean
from mathagent.types import Value

COLOURS = 8  # the style sheet has so many; marks of further series differ by their shapes
_SHAPES: tuple[Callable[[float, float], str], ...] = (
    lambda x, y: f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>',
    lambda x, y: f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"/>',
    lambda x, y: f'<path d="M{x:.1f} {y - 6:.1f}l5.5 10h-11z"/>',
    lambda x, y: f'<path d="M{x:.1f} {y - 6.5:.1f}l6 6.5l-6 6.5l-6 -6.5z"/>',
    lambda x, y: f'<path d="M{x:.1f} {y + 6:.1f}l5.5 -10h-11z"/>',
)
_LETTER = 6.6
"""The width of a letter at the size of labels, a little over the mean."""
_LABEL_ROWS = (-7, 15, 4, 28, -20, 41, -33)
"""How far below its point a label's foot may stand, the nearest first."""
_Box = tuple[float, float, float, float]


class Scale(Value):
    """Values from ``low`` to ``high`` (less than it), linear or logarithmic; ``ticks`` are (value, label)."""

    low: float
    high: float
    kind: Literal["linear", "log"] = "linear"
    ticks: tuple[tuple[float, str], ...] = ()

    def share(self, value: float) -> float:
        """Where ``value`` is: 0 at the low end, 1 at the high one."""
        if self.kind == "log":
            return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)


SHARES = Scale(low=0, high=1, ticks=tuple((tick / 5, f"{tick * 20}%") for tick in range(6)))


def share_scale(values: Iterable[float]) -> Scale:
    """A scale of shares around ``values``: whole tens of percent, from 0 to 100% at most."""
    found = list(values) or [0.0, 1.0]
    low = max(0.0, floor(min(found) * 10 - 1e-9) / 10)
    high = min(1.0, ceil(max(found) * 10 + 1e-9) / 10)
    if high - low < 0.15:
        low, high = max(0.0, high - 0.2), max(0.2, high)
    step = 0.1 if high - low < 0.65 else 0.2
    ticks = [low + step * index for index in range(round((high - low) / step) + 1)]
    return Scale(low=low, high=high, ticks=tuple((tick, f"{tick:.0%}") for tick in ticks if tick <= high + 1e-9))


def cost_scale(values: Iterable[float], label: Callable[[float], str]) -> Scale:
    """A logarithmic scale around ``values`` (more than 0), with ticks at 1, 2 and 5 times a power of ten."""
    found = list(values)
    low, high = min(found) / 1.25, max(found) * 1.25
    if high / low < 4:
        middle = (low * high) ** 0.5
        low, high = middle / 2, middle * 2
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    wide = high / low > 300
    steps = (1,) if wide else (1, 2, 5)
    ticks = [step * 10.0**power for power in powers for step in steps]
    if high / low > 3e6:  # more powers of ten than labels fit
        ticks = ticks[:: ceil(len(ticks) / 7)]
    inside = [tick for tick in ticks if low <= tick <= high]
    return Scale(low=low, high=high, kind="log", ticks=tuple((tick, label(tick)) for tick in inside))


class Axes:
    """A plot in the making: each method draws one thing, ``svg`` returns the whole."""

    def __init__(
        self, x: Scale, y: Scale, *, x_label: str, y_label: str, width: int = 440, height: int = 320
    ) -> None:
        self.x, self.y = x, y
        self.width, self.height = width, height
        self._left, self._right, self._top, self._bottom = 52, 24, 24, 44
        self._body: list[str] = []
        self._taken: list[_Box] = []
        self._frame(x_label, y_label)

    def at_x(self, value: float) -> float:
        """The column of a value, in the plot's units."""
        return self._left + self.x.share(value) * (self.width - self._left - self._right)

    def at_y(self, value: float) -> float:
        """The row of a value."""
        return self.height - self._bottom - self.y.share(value) * (self.height - self._top - self._bottom)

    def line(self, points: Sequence[tuple[float, float]], css: str, *, steps: bool = False) -> None:
        """A line through ``points``; ``steps``: it keeps its height until the next point."""
        if not points:
            return
        drawn = [f"M{self.at_x(points[0][0]):.1f} {self.at_y(points[0][1]):.1f}"]
        for _, (x, y) in pairwise(points):
            drawn.append(
                f"H{self.at_x(x):.1f}V{self.at_y(y):.1f}" if steps else f"L{self.at_x(x):.1f} {self.at_y(y):.1f}"
            )
        self._body.append(f'<path class="line {css}" d="{"".join(drawn)}"/>')

    def band(self, low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]], css: str) -> None:
        """The area between two lines."""
        corners = [*low, *reversed(high)]
        path = "L".join(f"{self.at_x(x):.1f} {self.at_y(y):.1f}" for x, y in corners)
        self._body.append(f'<path class="band {css}" d="M{path}z"/>')

    def bar(self, low_x: float, high_x: float, y: float, css: str, tip: str) -> None:
        """A bar from the bottom up to ``y``."""
        left, right, top = self.at_x(low_x), self.at_x(high_x), self.at_y(y)
        bottom = self.at_y(self.y.low)
        self._body.append(
            f'<rect class="{css}" x="{left + 1:.1f}" y="{top:.1f}" width="{max(1.0, right - left - 2):.1f}"'
            f' height="{max(0.0, bottom - top):.1f}">{_tip(tip)}</rect>'
        )

    def whisker(self, x: float, low: float, high: float, css: str) -> None:
        """An interval: a vertical line with caps."""
        column = self.at_x(x)
        top, bottom = self.at_y(high), self.at_y(low)
        self._body.append(
            f'<path class="whisker {css}" d="M{column:.1f} {top:.1f}V{bottom:.1f}'
            f'M{column - 4:.1f} {top:.1f}h8M{column - 4:.1f} {bottom:.1f}h8"/>'
        )

    def mark(self, x: float, y: float, series: int, tip: str) -> None:
        """A point of the ``series``-th series."""
        column, row = self.at_x(x), self.at_y(y)
        self._taken.append((column - 5, row - 5, column + 5, row + 5))
        self._body.append(f'<g class="mark {colour(series)}">{_shape(series, column, row)}{_tip(tip)}</g>')

    def label(self, x: float, y: float, text: str) -> None:
        """Words beside a point, where they lie on no other words and no mark that is there already; none where every
        place is taken. Marks come first, labels after."""
        column, row = self.at_x(x), self.at_y(y)
        shown = clean(text)
        width = sum(2 if east_asian_width(char) in "WF" else 1 for char in shown) * _LETTER
        left_half = column < (self._left + self.width - self._right) / 2
        for lower in _LABEL_ROWS:
            for right in (left_half, not left_half):
                start = column + 9 if right else column - 9 - width
                box = (start, row + lower - 10, start + width, row + lower + 3)
                if self._is_free(box):
                    self._taken.append(box)
                    anchor, at = ("start", column + 9) if right else ("end", column - 9)
                    self._body.append(
                        f'<text class="name" x="{at:.1f}" y="{row + lower:.1f}" text-anchor="{anchor}">'
                        f"{escape(shown)}</text>"
                    )
                    return

    def _is_free(self, box: _Box) -> bool:
        inside = box[0] >= 0 and box[2] <= self.width and box[1] >= 0 and box[3] <= self.height - self._bottom
        return inside and not any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
            for other in self._taken
        )

    def svg(self, title: str, description: str) -> Markup:
        """The plot; a screen reader says ``title`` and ``description`` in its place."""
        words = escape(clean(f"{title}. {description}"))
        body = "".join(self._body)
        return Markup(
            f'<svg class="plot" viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{words}">{body}</svg>'
        )

    def _frame(self, x_label: str, y_label: str) -> None:
        bottom, right = self.height - self._bottom, self.width - self._right
        for value, label in self.y.ticks:
            row = self.at_y(value)
            self._body.append(
                f'<path class="grid" d="M{self._left} {row:.1f}H{right}"/>'
                f'<text class="tick" x="{self._left - 7}" y="{row + 4:.1f}" text-anchor="end">{escape(label)}</text>'
            )
        for value, label in self.x.ticks:
            column = self.at_x(value)
            self._body.append(
                f'<path class="grid" d="M{column:.1f} {self._top}V{bottom}"/>'
                f'<text class="tick" x="{column:.1f}" y="{bottom + 16}" text-anchor="middle">{escape(label)}</text>'
            )
        middle_x, middle_y = (self._left + right) / 2, (self._top + bottom) / 2
        self._body.append(
            f'<path class="axis" d="M{self._left} {self._top}V{bottom}H{right}"/>'
            f'<text class="axis-name" x="{middle_x:.0f}" y="{self.height - 8}" text-anchor="middle">'
            f"{escape(x_label)}</text>"
            f'<text class="axis-name" transform="translate(13 {middle_y:.0f}) rotate(-90)" text-anchor="middle">'
            f"{escape(y_label)}</text>"
        )


def colour(series: int) -> str:
    """The class of the ``series``-th series' colour."""
    return f"c{series % COLOURS}"


def swatch(series: int) -> Markup:
    """The mark of a series, for a legend or a table."""
    return Markup(
        f'<svg class="swatch" viewBox="0 0 14 14" aria-hidden="true"><g class="mark {colour(series)}">'
        f"{_shape(series, 7, 7)}</g></svg>"
    )


def _shape(series: int, x: float, y: float) -> str:
    return _SHAPES[(series + series // COLOURS) % len(_SHAPES)](x, y)


def _tip(text: str) -> str:
    return f"<title>{escape(clean(text))}</title>"
