from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given, settings

from mathagent.console.graph_layers import Edge, Graph, Node
from mathagent.console.graph_svg import graph_svg
from tests.unit.console.graphs import graph, graphs

SVG = "{http://www.w3.org/2000/svg}"


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_every_node_and_edge_is_drawn_inside_the_picture(some: Graph) -> None:
    root = ElementTree.fromstring(graph_svg(some, "A graph"))
    groups = [group.attrib["class"].split()[0] for group in root.iter(f"{SVG}g")]
    assert groups.count("node") == len(some.nodes)
    assert groups.count("edge") == len(some.edges)
    assert {text.text for text in root.iter(f"{SVG}text")} == {node.label for node in some.nodes}
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    for path in root.iter(f"{SVG}path"):
        if path.attrib.get("class") == "head":
            continue
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.attrib["d"])]
        assert all(left <= x <= left + width for x in numbers[::2])
        assert all(top <= y <= top + height for y in numbers[1::2])


def test_it_says_in_words_what_it_shows() -> None:
    root = ElementTree.fromstring(graph_svg(graph("start->vote vote~>vote vote~>end"), "Graph of x"))
    assert root.attrib["role"] == "img"
    labelled = root.attrib["aria-labelledby"].split()
    words = [element.text for element in root if element.attrib.get("id") in labelled]
    assert words == ["Graph of x", "start to vote; vote to vote if decided so; vote to end if decided so"]


def test_names_are_escaped() -> None:
    nodes = (Node(id="a", label="<script>alert(1)</script>"), Node(id="b", label='"&'))
    drawn = graph_svg(Graph(nodes=nodes, edges=(Edge(source="a", target="b", label="</svg>"),)), "<b>")
    assert "<script" not in drawn
    assert drawn.count("</svg>") == 1
    texts = [text.text for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")]
    assert texts == ["<script>alert(1)</script>", '"&']
