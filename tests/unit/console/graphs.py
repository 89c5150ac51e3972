"""Graphs for tests: written in one line, drawn at random, and read back from their picture."""

from __future__ import annotations

from hypothesis import strategies as st

from mathagent.console.graph_layers import Edge, Graph, Node
from mathagent.console.graph_layout import BOX_ROWS, Layout

UP, DOWN, LEFT, RIGHT = (0, -1), (0, 1), (-1, 0), (1, 0)
ARMS = {
    "│": (UP, DOWN), "┆": (UP, DOWN), "─": (LEFT, RIGHT), "┄": (LEFT, RIGHT),
    "╭": (DOWN, RIGHT), "╮": (DOWN, LEFT), "╰": (UP, RIGHT), "╯": (UP, LEFT),
    "├": (UP, DOWN, RIGHT), "┤": (UP, DOWN, LEFT), "┬": (DOWN, LEFT, RIGHT), "┴": (UP, LEFT, RIGHT),
    "┼": (UP, DOWN, LEFT, RIGHT),
}  # fmt: skip


def graph(text: str) -> Graph:
    """``a->b b~>c``: edges, conditional ones with a tilde; ``start`` and ``end`` are what they say."""
    nodes: dict[str, Node] = {}
    edges = []
    for part in text.split():
        conditional = "~>" in part
        source, target = part.split("~>" if conditional else "->")
        for name in (source, target):
            kind = {"start": "start", "end": "end"}.get(name, "step")
            nodes.setdefault(name, Node.model_validate({"id": name, "label": name, "kind": kind}))
        edges.append(Edge(source=source, target=target, conditional=conditional))
    return Graph(nodes=tuple(nodes.values()), edges=tuple(edges))


@st.composite
def graphs(draw: st.DrawFn, most_nodes: int = 8) -> Graph:
    """Any graph: loops, cycles, parts that nothing joins, wide and odd names."""
    count = draw(st.integers(1, most_nodes))
    letters = st.text(alphabet="abß数🙂_-", min_size=0, max_size=12)
    nodes = [Node(id=f"n{index}", label=f"{index}{draw(letters)}") for index in range(count)]
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    edges = [
        Edge(source=f"n{source}", target=f"n{target}", conditional=draw(st.booleans()))
        for source, target in draw(st.lists(pairs, unique=True, max_size=2 * count))
    ]
    return Graph(nodes=tuple(nodes), edges=tuple(edges))


def edges_in(layout: Layout, lines: list[str]) -> set[tuple[str, str]]:
    """The edges that a reader finds who follows every line from every box; ``lines`` are the drawn layout.

    Raises AssertionError at a line that ends nowhere or runs into a box.
    """
    grid = [_columns(line, layout.width) for line in lines]
    found = set()
    for box in layout.boxes:
        bottom = box.y + BOX_ROWS - 1
        for x in range(box.x, box.x + box.width):
            if grid[bottom][x] == "┬":
                found |= {(box.node.id, target) for target in _followed(layout, grid, (x, bottom))}
    return found


def _columns(line: str, width: int) -> list[str]:
    from rich.cells import cell_len

    cells: list[str] = []
    for char in line:
        cells += [char, *[""] * (cell_len(char) - 1)]
    return cells + [" "] * (width - len(cells))


def _followed(layout: Layout, grid: list[list[str]], start: tuple[int, int]) -> set[str]:
    top = {(x, box.y): box.node.id for box in layout.boxes for x in range(box.x, box.x + box.width)}
    bottom = {(x, box.y + BOX_ROWS - 1) for box in layout.boxes for x in range(box.x, box.x + box.width)}
    todo, seen, targets = [(start, DOWN)], set(), set()
    while todo:
        (x, y), way = todo.pop()
        x, y = x + way[0], y + way[1]
        if ((x, y), way) in seen:
            continue
        seen.add(((x, y), way))
        char = grid[y][x]
        back = (-way[0], -way[1])
        if char == "▼" and way == DOWN:
            targets.add(top[x, y + 1])
        elif (x, y) in bottom and way == UP:
            assert char == "┬"  # the way back to another source of the same net
        elif way in (LEFT, RIGHT) and char in "│┆":
            todo.append(((x, y), way))  # the level line passes below the upright one
        else:
            assert back in ARMS[char], f"a line breaks off at {x}, {y} ({char!r}):\n" + "\n".join(
                map("".join, grid)
            )
            todo += [((x, y), arm) for arm in ARMS[char] if arm != back]
    return targets
