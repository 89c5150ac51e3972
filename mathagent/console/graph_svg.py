"""The graph of a strategy as an SVG picture, from the same layout as the terminal's. Pure.

Colours come from the page around it: the picture names classes only (``graph``, ``node``, ``edge``, ``conditional``).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby, pairwise

from rich.cells import cell_len

from mathagent.console.graph_layers import Graph
from mathagent.console.graph_layout import BOX_ROWS, Box, Route, lay_out
from mathagent.console.graph_nets import Point, simplified

COLUMN, ROW = 9, 15  # pixels of a character's cell
CORNER = 7  # pixels of a rounded corner
MARGIN = 6

Place = tuple[float, float]


def graph_svg(graph: Graph, title: str) -> str:
    """An ``<svg>`` element with ``title`` and every edge in words for those who do not see it."""
    layout = lay_out(graph, cell_len)
    labels = {node.id: node.label for node in graph.nodes}
    words = "; ".join(
        f"{labels[edge.source]} to {labels[edge.target]}"
        + (" if decided so" if edge.conditional else "")
        + (f" ({edge.label})" if edge.label else "")
        for edge in graph.edges
    )
    width, height = layout.width * COLUMN + 2 * MARGIN, layout.height * ROW + 2 * MARGIN
    parts = [
        f'<svg class="graph" role="img" aria-labelledby="graph-title graph-edges" width="{width}" height="{height}"'
        f' viewBox="{-MARGIN} {-MARGIN} {width} {height}" xmlns="http://www.w3.org/2000/svg">',
        f'<title id="graph-title">{escape(title)}</title><desc id="graph-edges">{escape(words)}</desc>',
        *_lines(layout.routes),
        *(_node(box) for box in layout.boxes),
        "</svg>",
    ]
    return "".join(parts)


def _pixels(column: int, row: float) -> Place:
    return (column + 0.5) * COLUMN, (row + 0.5) * ROW


def _node(box: Box) -> str:
    left, top = _pixels(box.x, box.y)
    right, bottom = _pixels(box.x + box.width - 1, box.y + BOX_ROWS - 1)
    radius = 5 if box.node.kind == "step" else (bottom - top) / 2
    middle, base = (left + right) / 2, (top + bottom) / 2 + 4.5
    return (
        f'<g class="node {box.node.kind}"><rect x="{left:g}" y="{top:g}" width="{right - left:g}"'
        f' height="{bottom - top:g}" rx="{radius:g}"/>'
        f'<text x="{middle:g}" y="{base:g}">{escape(box.node.label)}</text></g>'
    )


def _lines(routes: Sequence[Route]) -> list[str]:
    """All edges. What routes of one net share is drawn once: dashes over dashes would look like a solid line."""
    drawn: set[tuple[int, frozenset[Point]]] = set()
    parts = []
    for route in sorted(routes, key=lambda route: route.edge.conditional):
        cells = _cells(route)
        steps = [(route.net, frozenset(step)) for step in pairwise(cells)]
        fresh = [step not in drawn for step in steps]
        drawn.update(steps)
        # One shared step at each end comes along, so that a branch leaves the line in a curve.
        kept = [any(fresh[max(0, index - 1) : index + 2]) for index in range(len(fresh))]
        ways = [
            [*(cells[index] for index in group), cells[group[-1] + 1]]
            for keep, run in groupby(range(len(kept)), key=kept.__getitem__)
            if keep and (group := list(run))
        ]
        parts.append(_edge(route, [_rounded([_pixels(*cell) for cell in simplified(*way)]) for way in ways]))
    return parts


def _cells(route: Route) -> list[Point]:
    """Every cell of a route, from the frame of its source to that of its target."""
    end_x, end_y = route.points[-1]
    cells = [route.points[0]]
    for (x, y), (to_x, to_y) in pairwise([*route.points, (end_x, end_y + 1)]):
        step_x, step_y = (to_x > x) - (to_x < x), (to_y > y) - (to_y < y)
        while (x, y) != (to_x, to_y):
            x, y = x + step_x, y + step_y
            cells.append((x, y))
    return cells


def _edge(route: Route, ways: Sequence[str]) -> str:
    kind = "edge conditional" if route.edge.conditional else "edge"
    tip_x, tip_y = _pixels(route.points[-1][0], route.points[-1][1] + 1)
    label = f"<title>{escape(route.edge.label)}</title>" if route.edge.label else ""
    line = f'<path d="{"".join(ways)}"/>' if ways else ""
    return f'<g class="{kind}">{label}{line}<path class="head" d="M{tip_x:g} {tip_y:g}l-4.5 -8h9z"/></g>'


def _rounded(points: Sequence[Place]) -> str:
    """A path along ``points`` whose corners are quarter circles."""
    path = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        near, far = _towards(corner, before), _towards(corner, after)
        path.append(f"L{near[0]:g} {near[1]:g}Q{corner[0]:g} {corner[1]:g} {far[0]:g} {far[1]:g}")
    return "".join([*path, f"L{points[-1][0]:g} {points[-1][1]:g}"])


def _towards(corner: Place, other: Place) -> Place:
    """The place ``CORNER`` pixels from ``corner`` on the way to ``other``, or half way where that is nearer."""
    (x, y), (to_x, to_y) = corner, other
    distance = abs(to_x - x) + abs(to_y - y)  # lines are upright or level
    share = min(CORNER, distance / 2) / distance
    return x + (to_x - x) * share, y + (to_y - y) * share
