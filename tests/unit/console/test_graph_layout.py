from __future__ import annotations

import random

from hypothesis import given, settings
from rich.cells import cell_len

from mathagent.console.graph_layers import Edge, Graph, Node, back_edges, layered
from mathagent.console.graph_layout import BOX_ROWS, lay_out
from mathagent.console.graph_view import drawn
from tests.unit.console.graphs import edges_in, graph, graphs


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_a_reader_of_the_picture_finds_exactly_the_edges(some: Graph) -> None:
    layout = lay_out(some, cell_len)
    lines = drawn(layout)
    assert edges_in(layout, lines) == {(edge.source, edge.target) for edge in some.edges}
    for node in some.nodes:
        assert any(node.label in line for line in lines)
    assert all(cell_len(line) <= layout.width for line in lines)


def test_crowded_graphs_are_drawn_without_an_edge_too_many() -> None:
    dice = random.Random(5)
    for _ in range(400):
        count = dice.randint(8, 12)
        pairs = {(dice.randrange(count), dice.randrange(count)) for _ in range(dice.randint(0, 2 * count))}
        some = Graph(
            nodes=tuple(Node(id=str(index), label=str(index) * dice.randint(1, 4)) for index in range(count)),
            edges=tuple(
                Edge(source=str(one), target=str(two), conditional=dice.random() < 0.5)
                for one, two in sorted(pairs)
            ),
        )
        layout = lay_out(some)
        assert edges_in(layout, drawn(layout)) == {(edge.source, edge.target) for edge in some.edges}


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_boxes_lie_apart_and_inside_the_picture(some: Graph) -> None:
    layout = lay_out(some, cell_len)
    cells = [
        (x, y)
        for box in layout.boxes
        for x in range(box.x - 1, box.x + box.width + 1)
        for y in range(box.y, box.y + 3)
    ]
    assert len(cells) == len(set(cells))
    for box in layout.boxes:
        assert box.x >= 0
        assert box.x + box.width <= layout.width
        assert 0 <= box.y <= layout.height - BOX_ROWS
    assert {box.node for box in layout.boxes} == set(some.nodes)


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_without_its_back_edges_a_graph_runs_downwards(some: Graph) -> None:
    back = back_edges(some)
    row = {name: index for index, names in enumerate(layered(some, back)) for name in names}
    for edge in some.edges:
        assert (edge.source, edge.target) in back or row[edge.source] < row[edge.target]


def test_only_what_closes_a_cycle_is_a_back_edge() -> None:
    some = graph("start->plan plan->code code->check check~>code check~>plan check~>end plan~>end code->code")
    assert back_edges(some) == {("check", "code"), ("check", "plan"), ("code", "code")}
    assert layered(some, back_edges(some)) == [["start"], ["plan"], ["code"], ["check"], ["end"]]


def test_the_end_stands_in_the_last_row() -> None:
    some = graph("start->a start~>end a->b")
    assert layered(some, back_edges(some))[-1] == ["end", "b"]


def test_no_nodes_no_picture() -> None:
    layout = lay_out(Graph(nodes=(), edges=()))
    assert (layout.width, layout.height, drawn(layout)) == (0, 0, [])
