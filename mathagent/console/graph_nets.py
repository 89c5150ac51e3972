"""Nets and lanes: which lines of a picture share their way, and on which track they run. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from mathagent.console.graph_layers import Graph, Pair

Point = tuple[int, int]
"""Column and row, from 0 at the top left."""


@dataclass
class Net:
    """Lines that belong together in one channel: pins at its upper and lower side, and a lane it reaches."""

    key: object
    tops: dict[str, int] = field(default_factory=dict)  # source → column
    bottoms: dict[str, int] = field(default_factory=dict)  # target → column
    lane: int | None = None
    track: int = 0

    @property
    def span(self) -> tuple[int, int]:
        columns = [*self.tops.values(), *self.bottoms.values(), *([] if self.lane is None else [self.lane])]
        return min(columns), max(columns)


@dataclass
class Lane:
    """Where the far edges of one target run: ``first`` and ``last`` are the channels that it reaches."""

    target: str
    upwards: bool
    sources: list[str]
    first: int
    last: int
    x: int = 0


def assign_tracks(nets: list[Net]) -> None:
    """Gives every net that runs level the first track where it has room."""
    tracks: list[list[tuple[int, int]]] = []
    for net in nets:
        left, right = net.span
        if left == right:
            continue
        for track, used in enumerate(tracks):
            if all(right + 1 < start or end + 1 < left for start, end in used):
                net.track = track
                used.append((left, right))
                break
        else:
            net.track = len(tracks)
            tracks.append([(left, right)])


def net_groups(graph: Graph, pairs: list[Pair]) -> list[list[Pair]]:
    """``pairs`` in the groups that become one net each.

    Edges that touch make one group where it joins all of its sources with all of its targets, and all are conditional
    or none; elsewhere each source has a group of its own.
    """
    conditional = {(edge.source, edge.target): edge.conditional for edge in graph.edges}
    groups = []
    for group in _connected(pairs):
        sources = list(dict.fromkeys(source for source, _ in group))
        targets = {target for _, target in group}
        alike = len({conditional[pair] for pair in group}) == 1
        if alike and len(group) == len(sources) * len(targets):
            groups.append(group)
        else:
            groups += [[pair for pair in group if pair[0] == source] for source in sources]
    return groups


def _connected(pairs: list[Pair]) -> list[list[Pair]]:
    """``pairs`` in groups that share no node."""
    groups: list[list[Pair]] = []
    for pair in pairs:
        touching = [group for group in groups if any(pair[0] == one[0] or pair[1] == one[1] for one in group)]
        groups = [group for group in groups if group not in touching]
        groups.append([*(one for group in touching for one in group), pair])
    return groups


def simplified(*points: Point) -> tuple[Point, ...]:
    """``points`` without repetitions and without those in the middle of a straight line."""
    kept: list[Point] = []
    for point in points:
        if kept and point == kept[-1]:
            continue
        while len(kept) > 1 and (kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]):
            kept.pop()
        kept.append(point)
    return tuple(kept)
