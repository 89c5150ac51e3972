"""The graph of a strategy on a terminal: boxes and lines where there is room, else an indented list.

The graph is always the one that LangGraph compiled, so the picture cannot differ from what runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from mathagent.console.clean_text import one_line
from mathagent.console.graph_layers import Edge, Graph, Node, back_edges, layered
from mathagent.console.graph_layout import Box, Layout, Route, lay_out

if TYPE_CHECKING:
    from mathagent.agents.strategy import Strategy, StrategyConfig

NARROWEST = 40  # columns: below, a list reads better than boxes
LONGEST_NAME = 60

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
_LINES = {
    UP: "│", DOWN: "│", UP | DOWN: "│", LEFT: "─", RIGHT: "─", LEFT | RIGHT: "─",
    DOWN | RIGHT: "╭", DOWN | LEFT: "╮", UP | RIGHT: "╰", UP | LEFT: "╯",
    UP | DOWN | RIGHT: "├", UP | DOWN | LEFT: "┤", DOWN | LEFT | RIGHT: "┬", UP | LEFT | RIGHT: "┴",
    UP | DOWN | LEFT | RIGHT: "┼",
}  # fmt: skip
_DASHED = {"│": "┆", "─": "┄"}
_ASCII = str.maketrans(
    {"│": "|", "─": "-", "┆": ":", "┄": ".", "▼": "v", "→": ">", "⇢": ">", **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼", "+")}
)


def graph_of(strategy: Strategy, config: StrategyConfig) -> Graph:
    """The graph that ``strategy`` runs with ``config``. LangGraph has one edge for all conditions between two nodes."""
    drawable = strategy.build(config).compile().get_graph()
    ends = {"__start__": Node(id="__start__", label="start", kind="start")}
    ends["__end__"] = Node(id="__end__", label="end", kind="end")
    nodes = [
        ends.get(name) or Node(id=name, label=one_line(node.name, LONGEST_NAME))
        for name, node in drawable.nodes.items()
    ]
    edges = [
        Edge(
            source=edge.source,
            target=edge.target,
            conditional=edge.conditional,
            label=one_line("" if edge.data is None else str(edge.data), LONGEST_NAME),
        )
        for edge in drawable.edges
    ]
    return Graph(nodes=tuple(nodes), edges=tuple(edges))


def mermaid_of(strategy: Strategy, config: StrategyConfig) -> str:
    """The same graph as Mermaid text, as LangGraph writes it."""
    return strategy.build(config).compile().get_graph().draw_mermaid()


def graph_lines(graph: Graph, columns: int, *, unicode: bool = True) -> list[str]:
    """The graph in at most ``columns`` columns, line by line, without trailing spaces.

    A picture with its legend, or, where that does not fit or ``columns`` is below NARROWEST, a list of the nodes with
    what follows each. The list may be wider where a name is.
    """
    layout = lay_out(graph, cell_len)
    lines = drawn(layout) + legend(graph) if NARROWEST <= columns >= layout.width else listed(graph)
    return lines if unicode else [line.translate(_ASCII) for line in lines]


def drawn(layout: Layout) -> list[str]:
    """``layout`` in box-drawing characters; conditional edges are dashed."""
    grid = [[" "] * layout.width for _ in range(layout.height)]
    for box in layout.boxes:
        _draw_box(grid, box)
    for (x, y), char in _line_cells(layout.routes).items():
        grid[y][x] = char
    for route in layout.routes:
        (x, y), (end_x, end_y) = route.points[0], route.points[-1]
        grid[y][x] = "┬"
        grid[end_y][end_x] = "▼"
    # A character that is two columns wide is followed by an empty one.
    return ["".join(row).rstrip() for row in grid]


def legend(graph: Graph) -> list[str]:
    """What the dashes mean; and the conditions that have names, since the picture has no room for them."""
    conditional = [edge for edge in graph.edges if edge.conditional]
    labels = {node.id: node.label for node in graph.nodes}
    named = [
        f"  {labels[edge.source]} → {labels[edge.target]}: {edge.label}" for edge in graph.edges if edge.label
    ]
    return [*(["", "┄┄ taken only where the node before decides so"] if conditional else []), *named]


def listed(graph: Graph) -> list[str]:
    """Every node, in the order of the picture, and indented below it the nodes that may follow."""
    back = back_edges(graph)
    labels = {node.id: node.label for node in graph.nodes}
    lines = []
    for name in (name for row in layered(graph, back) for name in row):
        lines.append(labels[name])
        for edge in graph.edges:
            if edge.source != name:
                continue
            arrow = "┄→" if edge.conditional else "─→"
            remarks = [
                *(["back"] if (edge.source, edge.target) in back else []),
                *([edge.label] if edge.label else []),
            ]
            remark = f" ({', '.join(remarks)})" if remarks else ""
            lines.append(f"  {arrow} {labels[edge.target]}{remark}")
    return lines


def _draw_box(grid: list[list[str]], box: Box) -> None:
    corners = "┌┐└┘" if box.node.kind == "step" else "╭╮╰╯"
    inner = box.width - 2
    spare = inner - cell_len(box.node.label)
    text = [" "] * (spare // 2)
    for char in box.node.label:
        wide = cell_len(char)
        if wide == 0 and text:
            text[-1] += char
        else:
            text += [char, *[""] * (wide - 1)]
    text += [" "] * (inner - len(text))
    rows = (
        [corners[0], *"─" * inner, corners[1]],
        ["│", *text, "│"],
        [corners[2], *"─" * inner, corners[3]],
    )
    for offset, row in enumerate(rows):
        grid[box.y + offset][box.x : box.x + box.width] = row


def _line_cells(routes: Sequence[Route]) -> dict[tuple[int, int], str]:
    """The character of every cell that a line runs through."""
    arms: dict[tuple[int, int], dict[int, int]] = {}
    firm: set[tuple[int, int]] = set()  # cells where some unconditional edge runs
    for route in routes:
        for (x, y), (to_x, to_y) in zip(route.points, route.points[1:], strict=False):
            step_x, step_y = (to_x > x) - (to_x < x), (to_y > y) - (to_y < y)
            ahead = {(1, 0): RIGHT, (-1, 0): LEFT, (0, 1): DOWN, (0, -1): UP}[step_x, step_y]
            behind = {RIGHT: LEFT, LEFT: RIGHT, UP: DOWN, DOWN: UP}[ahead]
            while (x, y) != (to_x, to_y):
                for cell, arm in (((x, y), ahead), ((x + step_x, y + step_y), behind)):
                    nets = arms.setdefault(cell, {})
                    nets[route.net] = nets.get(route.net, 0) | arm
                    if not route.edge.conditional:
                        firm.add(cell)
                x, y = x + step_x, y + step_y
    cells = {}
    for cell, nets in arms.items():
        # Where two nets cross, the upright one is drawn and the level one passes below it.
        mask = next((mask for mask in nets.values() if mask & (UP | DOWN)), None) or next(iter(nets.values()))
        char = _LINES[mask]
        cells[cell] = char if cell in firm else _DASHED.get(char, char)
    return cells
