"""A picture of a graph as boxes and lines on a grid of characters; the terminal and the SVG draw the same one. Pure.

Boxes stand in rows. Between two rows lies a channel, in which lines run level on tracks. A line to the next row stays
in the channel between; one that passes rows runs down in a lane on the left of them; one that leads back runs up in a
lane on the right. Lines join only where all of them lead from every source to every target that they touch, so a
picture never shows an edge that is not there; lines of different nets cross at right angles or not at all.
"""

from __future__ import annotations

from collections.abc import Callable

from mathagent.console.graph_layers import (
    Edge,
    Graph,
    Node,
    back_edges,
    centres,
    layered,
    neighbours,
    ordered,
)
from mathagent.console.graph_nets import Lane, Net, Point, assign_tracks, net_groups, simplified
from mathagent.types import Value

GAP = 3  # columns between two boxes of a row, at least
BOX_ROWS = 3  # frame, name, frame
LANE_GAP = 3  # columns between boxes and the nearest lane


class Box(Value):
    """A node: its frame begins at column ``x`` and row ``y``, is ``width`` columns wide and BOX_ROWS rows high."""

    node: Node
    x: int
    y: int
    width: int


class Route(Value):
    """An edge's way: from the lower frame of its source along ``points`` to the arrow head above its target.

    Routes of one ``net`` may share cells; those of different nets at most cross.
    """

    edge: Edge
    net: int
    points: tuple[Point, ...]


class Layout(Value):
    """The whole picture, ``width`` columns by ``height`` rows."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]


def lay_out(graph: Graph, text_width: Callable[[str], int] = len) -> Layout:
    """The picture of ``graph``; ``text_width`` is the columns that a label takes."""
    if not graph.nodes:
        return Layout(width=0, height=0, boxes=(), routes=())
    return _Picture(graph, text_width).finished()


class _Picture:
    def __init__(self, graph: Graph, text_width: Callable[[str], int]) -> None:
        self.graph = graph
        back = back_edges(graph)
        rows = layered(graph, back)
        self.pairs = neighbours(graph, rows, back)
        self.rows = ordered(rows, self.pairs)
        self.row = {node: index for index, nodes in enumerate(self.rows) for node in nodes}
        self.groups = net_groups(graph, self.pairs)
        self.lanes = self._far_edges()
        self.half = {node.id: self._half_width(node, text_width) for node in graph.nodes}
        self.x = centres(self.rows, self.pairs, self.half, GAP)
        self._place_lanes()
        self.exits = self._exits()
        self.channels = [self._channel(index) for index in range(len(self.rows) + 1)]
        self.tops = self._heights()

    def _far_edges(self) -> list[Lane]:
        """One lane for each target and direction."""
        found: dict[tuple[str, bool], Lane] = {}
        near = set(self.pairs)
        for edge in self.graph.edges:
            if (edge.source, edge.target) in near:
                continue
            leaves, enters = self.row[edge.source] + 1, self.row[edge.target]
            upwards = leaves > enters
            lane = found.setdefault(
                (edge.target, upwards), Lane(edge.target, upwards, [], first=enters, last=enters)
            )
            lane.sources.append(edge.source)
            lane.first, lane.last = min(lane.first, leaves), max(lane.last, leaves)
        return list(found.values())

    def _half_width(self, node: Node, text_width: Callable[[str], int]) -> int:
        """Columns on each side of the centre: for the label and for all pins, two columns apart."""
        down = sum(node.id in lane.sources for lane in self.lanes if not lane.upwards)
        up = sum(node.id in lane.sources for lane in self.lanes if lane.upwards)
        entries = sum(node.id in {target for _, target in group} for group in self.groups)
        entries += sum(lane.target == node.id for lane in self.lanes)
        return max(-(-(text_width(node.label) + 3) // 2), 2 * max(down, up) + 1, 2 * entries + 1)

    def _place_lanes(self) -> None:
        """Lanes stand outside of the rows they pass, the shorter ones nearer."""
        placed: list[Lane] = []
        for lane in sorted(self.lanes, key=lambda one: (one.last - one.first, one.target)):
            passed = self.rows[max(0, lane.first - 1) : lane.last + 1]
            if lane.upwards:
                side, edge = 1, max(self.x[node] + self.half[node] for row in passed for node in row)
            else:
                side, edge = -1, min(self.x[node] - self.half[node] for row in passed for node in row)
            lane.x = edge + side * LANE_GAP
            beside = [one for one in placed if one.first <= lane.last and lane.first <= one.last]
            while any(abs(one.x - lane.x) < 2 for one in beside):
                lane.x += side
            placed.append(lane)

    def _exits(self) -> dict[tuple[str, int], int]:
        """The column at which a source's line leaves for a lane (by its index), by (source, lane)."""
        near = {source for source, _ in self.pairs}
        exits: dict[tuple[str, int], int] = {}
        for node, centre in self.x.items():
            mine = [index for index, lane in enumerate(self.lanes) if node in lane.sources]
            # The nearest lane by the innermost pin: the lines of one box do not cross then.
            mine.sort(key=lambda index: abs(self.lanes[index].x - centre))
            up = [index for index in mine if self.lanes[index].upwards]
            down = [index for index in mine if not self.lanes[index].upwards]
            first = 0 if node not in near and not (up and down) else 1  # the centre is free for one of them
            exits.update({(node, index): centre + 2 * place for place, index in enumerate(up, first)})
            exits.update({(node, index): centre - 2 * place for place, index in enumerate(down, first)})
        return exits

    def _channel(self, channel: int) -> list[Net]:
        """The nets between row ``channel`` - 1 and row ``channel``, pins and tracks assigned."""
        leaving, entering = [], []
        for index, lane in enumerate(self.lanes):
            tops = {node: self.exits[node, index] for node in lane.sources if self.row[node] + 1 == channel}
            if tops:
                leaving.append(Net((index, "exit"), tops=tops, lane=lane.x))
            if self.row[lane.target] == channel:
                entering.append(Net((index, "entry"), bottoms={lane.target: 0}, lane=lane.x))
        near = [
            Net(
                ("near", *group[0]),
                tops={source: self.x[source] for source, _ in group},
                bottoms={target: 0 for _, target in group},
            )
            for group in self.groups
            if self.row[group[0][1]] == channel
        ]
        nets = [*leaving, *near, *entering]
        foreign = [(x, net) for net in nets for x in net.tops.values()]
        for target in self.rows[channel] if channel < len(self.rows) else []:
            self._pin(target, [net for net in nets if target in net.bottoms], foreign)
        leaving.sort(key=lambda net: -abs((net.lane or 0) - sum(net.tops.values()) / len(net.tops)))
        assign_tracks([*leaving, *nets[len(leaving) :]])
        return nets

    def _pin(self, target: str, nets: list[Net], foreign: list[tuple[int, Net]]) -> None:
        """Chooses the column of each net's arrow on ``target``: never below a line that another net lets down."""
        centre, reach = self.x[target], self.half[target] - 1
        near = sorted(
            (net for net in nets if net.lane is None), key=lambda net: sum(net.tops.values()) / len(net.tops)
        )
        from_left = [net for net in nets if net.lane is not None and net.lane < centre]
        from_right = [net for net in nets if net.lane is not None and net.lane > centre]
        wanted = {id(net): centre + 2 * (2 * place - len(near) + 1) for place, net in enumerate(near)}
        if len(nets) > 1:
            wanted |= {id(net): centre - 2 * len(near) - 1 for net in from_left}
            wanted |= {id(net): centre + 2 * len(near) + 1 for net in from_right}
        taken: list[int] = []
        for net in [*near, *from_left, *from_right]:
            ideal = wanted.get(id(net), centre)
            closed = {x for x, other in foreign if other is not net}
            open_columns = [x for x in range(centre - reach, centre + reach + 1) if x not in closed]
            apart = [x for x in open_columns if all(abs(x - other) > 1 for other in taken)]
            # Sources leave at even columns, so there are odd ones enough: see _half_width.
            x = min(apart or [x for x in open_columns if x not in taken], key=lambda x: (abs(x - ideal), x))
            net.bottoms[target] = x
            taken.append(x)

    def _heights(self) -> list[int]:
        """The first row of each channel, and of what would follow the last."""
        tops = [0]
        for channel, nets in enumerate(self.channels):
            tracks = 1 + max((net.track for net in nets if net.span[0] < net.span[1]), default=-1)
            arrows = any(net.bottoms for net in nets)
            height = max(tracks, 1) + 1 if arrows else tracks
            if 0 < channel < len(self.rows):
                height = max(height, 1)
            tops.append(tops[-1] + height + (BOX_ROWS if channel < len(self.rows) else 0))
        return tops

    def finished(self) -> Layout:
        """All of it, moved to the top left."""
        boxes, routes = [], []
        by_id = {node.id: node for node in self.graph.nodes}
        for index, row in enumerate(self.rows):
            for node in row:
                half = self.half[node]
                y = self.tops[index + 1] - BOX_ROWS
                boxes.append(Box(node=by_id[node], x=self.x[node] - half, y=y, width=2 * half + 1))
        numbers: dict[object, int] = {}
        for edge in self.graph.edges:
            key, points = self._way(edge)
            routes.append(Route(edge=edge, net=numbers.setdefault(key, len(numbers)), points=points))
        columns = [x for route in routes for x, _ in route.points]
        left = min([*columns, *(box.x for box in boxes)])
        right = max([*columns, *(box.x + box.width - 1 for box in boxes)])
        return Layout(
            width=right - left + 1,
            height=self.tops[-1],
            boxes=tuple(box.model_copy(update={"x": box.x - left}) for box in boxes),
            routes=tuple(
                route.model_copy(update={"points": tuple((x - left, y) for x, y in route.points)})
                for route in routes
            ),
        )

    def _way(self, edge: Edge) -> tuple[object, tuple[Point, ...]]:
        source, target = edge.source, edge.target
        leaves, enters = self.row[source] + 1, self.row[target]
        start_y, end_y = self.tops[leaves] - 1, self.tops[enters + 1] - BOX_ROWS - 1
        if (source, target) in self.pairs:
            net = next(net for net in self.channels[enters] if source in net.tops and target in net.bottoms)
            out, into, y = net.tops[source], net.bottoms[target], self.tops[enters] + net.track
            return net.key, simplified((out, start_y), (out, y), (into, y), (into, end_y))
        index = next(
            place for place, lane in enumerate(self.lanes) if lane.target == target and source in lane.sources
        )
        way_out = next(net for net in self.channels[leaves] if net.key == (index, "exit"))
        way_in = next(net for net in self.channels[enters] if net.key == (index, "entry"))
        out, into, lane = way_out.tops[source], way_in.bottoms[target], self.lanes[index].x
        out_y, in_y = self.tops[leaves] + way_out.track, self.tops[enters] + way_in.track
        points = ((out, start_y), (out, out_y), (lane, out_y), (lane, in_y), (into, in_y), (into, end_y))
        return index, simplified(*points)
