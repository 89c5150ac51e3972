"""Layers of a graph: which node stands in which row, in which order, and where. Pure.

The layered drawing of Sugiyama, Tagawa and Toda (1981) in its shortest form: edges that close a cycle are set aside,
the others run downwards by longest path, rows are ordered by barycentre, and centres are placed by least squares under
a smallest distance (pool adjacent violators).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

from mathagent.types import Value

SWEEPS = 4  # of ordering and of placing; graphs of strategies settle in two


class Node(Value):
    """A node of a graph; "start" and "end" are not steps but the way in and out."""

    id: str
    label: str
    kind: Literal["start", "step", "end"] = "step"


class Edge(Value):
    """``conditional``: it is taken only where the source decides so; ``label`` is the name of that decision."""

    source: str
    target: str
    conditional: bool = False
    label: str = ""


class Graph(Value):
    """A directed graph; cycles and loops are welcome, edges name nodes of the graph, at most one per pair."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


Pair = tuple[str, str]


def back_edges(graph: Graph) -> frozenset[Pair]:
    """The edges whose removal leaves no cycle: those that a depth-first walk meets on its own way back."""
    following: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    for edge in graph.edges:
        following[edge.source].append(edge.target)
    open_nodes: set[str] = set()
    done: set[str] = set()
    found: set[Pair] = set()
    for root in following:
        if root in done:
            continue
        walk = [(root, iter(following[root]))]
        open_nodes.add(root)
        while walk:
            node, rest = walk[-1]
            target = next(rest, None)
            if target is None:
                walk.pop()
                open_nodes.discard(node)
                done.add(node)
            elif target in open_nodes:
                found.add((node, target))
            elif target not in done:
                walk.append((target, iter(following[target])))
                open_nodes.add(target)
    return frozenset(found)


def layered(graph: Graph, back: frozenset[Pair]) -> list[list[str]]:
    """The ids row by row: every edge outside ``back`` leads to a later row; the end stands in the last one."""
    before: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    for edge in graph.edges:
        if (edge.source, edge.target) not in back:
            before[edge.target].append(edge.source)
    row: dict[str, int] = {}
    waiting = list(before)
    while waiting:
        later = [name for name in waiting if not all(source in row for source in before[name])]
        for name in waiting:
            if name not in later:
                row[name] = 1 + max((row[source] for source in before[name]), default=-1)
        waiting = later
    last = max(row.values(), default=-1)
    sources = {edge.source for edge in graph.edges}
    for node in graph.nodes:
        if node.kind == "end" and node.id not in sources:
            row[node.id] = last
    rows: list[list[str]] = [[] for _ in range(last + 1)]
    for node in graph.nodes:
        rows[row[node.id]].append(node.id)
    return rows


def neighbours(graph: Graph, rows: Sequence[Sequence[str]], back: frozenset[Pair]) -> list[Pair]:
    """The edges that lead from one row to the very next."""
    row = {node: index for index, nodes in enumerate(rows) for node in nodes}
    return [
        (edge.source, edge.target)
        for edge in graph.edges
        if (edge.source, edge.target) not in back and row[edge.target] == row[edge.source] + 1
    ]


def ordered(rows: Sequence[Sequence[str]], pairs: Sequence[Pair]) -> list[list[str]]:
    """The rows with their nodes in an order that has few crossings among ``pairs``."""
    arranged = [list(row) for row in rows]
    above, below = _both_ways(pairs)
    for sweep in range(SWEEPS):
        linked = above if sweep % 2 == 0 else below
        place = {node: index for row in arranged for index, node in enumerate(row)}
        for row in arranged if sweep % 2 == 0 else reversed(arranged):
            centre = {node: _mean([place[other] for other in linked.get(node, [])], place[node]) for node in row}
            row.sort(key=centre.__getitem__)
            place.update({node: index for index, node in enumerate(row)})
    return arranged


def centres(
    rows: Sequence[Sequence[str]], pairs: Sequence[Pair], half: Mapping[str, int], gap: int
) -> dict[str, int]:
    """The column of every node's centre, always even; nodes of one row are ``gap`` or more columns apart.

    ``half`` is the columns of a node on each side of its centre.
    """
    above, below = _both_ways(pairs)
    at = {node: 0.0 for row in rows for node in row}
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            linked = above if sweep % 2 == 0 else below
            wanted = [_mean([at[other] for other in linked.get(node, [])], at[node]) for node in row]
            # In fours of columns, so that the middle of two neighbours is a column that a centre may have.
            steps = [2 * -(-(half[one] + half[two] + 1 + gap) // 4) for one, two in pairwise(row)]
            at.update(zip(row, _spread(wanted, steps), strict=True))
    return {node: 2 * round(place) for node, place in at.items()}


def _spread(wanted: Sequence[float], steps: Sequence[int]) -> list[float]:
    """Whole numbers nearest to ``wanted`` by least squares, each ``steps`` or more after the one before."""
    offsets = [0]
    for step in steps:
        offsets.append(offsets[-1] + step)
    pools: list[list[float]] = []
    for place, offset in zip(wanted, offsets, strict=True):
        pools.append([place - offset])
        while len(pools) > 1 and _mean(pools[-2], 0) > _mean(pools[-1], 0):
            pools[-2:] = [pools[-2] + pools[-1]]
    # Rounding is monotone, so it keeps the distances.
    starts = [(_mean(pool, 0) + 0.5) // 1 for pool in pools for _ in pool]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _both_ways(pairs: Sequence[Pair]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for source, target in pairs:
        above.setdefault(target, []).append(source)
        below.setdefault(source, []).append(target)
    return above, below


def _mean(numbers: Sequence[float], default: float) -> float:
    return sum(numbers) / len(numbers) if numbers else default
