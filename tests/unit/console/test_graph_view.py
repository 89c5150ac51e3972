from __future__ import annotations

import pytest
from hypothesis import given, settings
from langgraph.graph import END, START, StateGraph
from rich.cells import cell_len

from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.console.graph_layers import Edge, Graph, Node
from mathagent.console.graph_view import graph_lines, graph_of, listed, mermaid_of
from mathagent.strategies import STRATEGIES
from tests.unit.console.graphs import graph, graphs

LINEAR = """
╭───────╮
│ start │
╰───┬───╯
    │
    ▼
┌───────┐
│ write │
└───┬───┘
    │
    ▼
 ┌─────┐
 │ run │
 └──┬──┘
    │
    ▼
 ╭─────╮
 │ end │
 ╰─────╯
"""
LOOP = """
 ╭───────╮
 │ start │
 ╰───┬───╯
     │  ╭┄┄┄┄╮
     ▼  ▼    ┆
┌─────────┐  ┆
│ sample  │  ┆
└────┬────┘  ┆
     │       ┆
     ▼       ┆
 ┌───────┐   ┆
 │ vote  │   ┆
 └───┬─┬─┘   ┆
     ┆ ╰┄┄┄┄┄╯
     ▼
  ╭─────╮
  │ end │
  ╰─────╯

┄┄ taken only where the node before decides so
"""
FAN = """
           ╭───────╮
           │ start │
           ╰───┬───╯
   ╭───────────┼───────────╮
   ▼           ▼           ▼
┌─────┐     ┌─────┐     ┌─────┐
│  a  │     │  b  │     │  c  │
└──┬──┘     └──┬──┘     └──┬──┘
   ╰───────────┼───────────╯
               ▼
           ┌───────┐
           │ join  │
           └───┬───┘
               │
               ▼
            ╭─────╮
            │ end │
            ╰─────╯
"""
REFINED = """
            ╭───────╮
            │ start │
            ╰───┬───╯
                │
                ▼
            ┌───────┐
            │ plan  │
            └─┬─┬───┘
╭┄┄┄┄┄┄┄┄┄┄┄┄┄╯ │
┆               ▼
┆           ┌───────┐
┆           │ code  │
┆           └───┬───┘
┆               │  ╭────────────╮
┆               ▼  ▼            │
┆          ┌─────────┐          │
┆          │ verify  │          │
┆          └────┬────┘          │
┆       ╭┄┄┄┄┄┄┄┴┄┄┄┄┄┄┄╮       │
╰┄┄┄┄┄┄┄┆┄┄┄┄┄┄┄┄┄┄┄┄╮  ┆       │
        ▼            ▼  ▼       │
   ┌─────────┐     ╭─────────╮  │
   │ refine  │     │   end   │  │
   └────┬────┘     ╰─────────╯  │
        ╰───────────────────────╯

┄┄ taken only where the node before decides so
"""
REFINED_EDGES = "start->plan plan->code code->verify verify~>refine refine->verify verify~>end plan~>end"


@pytest.mark.parametrize(
    ("edges", "picture"),
    [
        ("start->write write->run run->end", LINEAR),
        ("start->sample sample->vote vote~>sample vote~>end", LOOP),
        ("start->a start->b start->c a->join b->join c->join join->end", FAN),
        (REFINED_EDGES, REFINED),
    ],
    ids=["linear", "loop", "fan", "refined"],
)
def test_pictures(edges: str, picture: str) -> None:
    assert graph_lines(graph(edges), 80) == picture.strip("\n").split("\n")


def test_ascii_is_the_same_picture_in_ascii() -> None:
    some = graph(REFINED_EDGES)
    plain = graph_lines(some, 80, unicode=False)
    assert "\n".join(plain).isascii()
    assert [len(line) for line in plain] == [len(line) for line in graph_lines(some, 80)]
    assert "            | start |" in plain
    assert ":          | verify  |          |" in plain
    assert "+.......:............+  :       |" in plain
    assert ":               v  v            |" in plain


@pytest.mark.parametrize("columns", [30, 39, 33])
def test_a_list_where_there_is_no_room(columns: int) -> None:
    some = graph(
        "start->sample sample->a_long_name_of_a_node a_long_name_of_a_node~>sample a_long_name_of_a_node~>end"
    )
    assert graph_lines(some, columns) == [
        "start",
        "  ─→ sample",
        "sample",
        "  ─→ a_long_name_of_a_node",
        "a_long_name_of_a_node",
        "  ┄→ sample (back)",
        "  ┄→ end",
        "end",
    ]
    assert graph_lines(some, columns, unicode=False)[5:7] == ["  .> sample (back)", "  .> end"]


def test_wider_than_the_terminal_is_a_list_too() -> None:
    names = [f"branch_number_{index}" for index in range(5)]
    wide = graph(" ".join(f"start->{name} {name}->end" for name in names))
    assert graph_lines(wide, 80) == listed(wide)
    assert graph_lines(wide, 200) != listed(wide)


@settings(max_examples=60, deadline=None)
@given(graphs(most_nodes=12))
def test_every_node_and_edge_stands_in_the_list(some: Graph) -> None:
    lines = listed(some)
    labels = {node.id: node.label for node in some.nodes}
    at = {label: lines.index(label) for label in labels.values()}
    for edge in some.edges:
        following = lines[at[labels[edge.source]] + 1 :]
        mine = following[: next((place for place, line in enumerate(following) if line[0] != " "), len(following))]
        assert any(f"→ {labels[edge.target]}" in line for line in mine)


@settings(max_examples=60, deadline=None)
@given(graphs(most_nodes=12))
def test_a_picture_never_exceeds_the_terminal(some: Graph) -> None:
    for columns in (40, 80):
        lines = graph_lines(some, columns)
        assert lines == listed(some) or all(cell_len(line) <= columns for line in lines[:-2])


def test_conditions_that_have_names_stand_below() -> None:
    nodes = (Node(id="a", label="check"), Node(id="b", label="again"))
    some = Graph(nodes=nodes, edges=(Edge(source="a", target="b", conditional=True, label="it was wrong"),))
    assert graph_lines(some, 80)[-1] == "  check → again: it was wrong"
    assert "  ┄→ again (it was wrong)" in graph_lines(some, 30)


@pytest.mark.parametrize("name", STRATEGIES.table)
def test_the_graph_is_the_one_that_runs(name: str) -> None:
    strategy = STRATEGIES.load(name)
    config = strategy.configure({})
    compiled = strategy.build(config).compile().get_graph()
    drawn = graph_of(strategy, config)
    assert [node.id for node in drawn.nodes] == list(compiled.nodes)
    assert {(edge.source, edge.target) for edge in drawn.edges} == {
        (edge.source, edge.target) for edge in compiled.edges
    }
    text = "\n".join(graph_lines(drawn, 100))
    mermaid = mermaid_of(strategy, config)
    for node in drawn.nodes:
        assert node.label in text
        assert node.id in mermaid


def test_names_of_conditions_come_along_cleaned() -> None:
    def build(config: StrategyConfig) -> StateGraph[SolveState, RunContext, SolveState, SolveState]:
        built = StateGraph(SolveState, context_schema=RunContext)
        built.add_node("check", lambda state: {})
        built.add_edge(START, "check")
        built.add_conditional_edges("check", lambda state: "right", {"wrong\x1b[2J": "check", "right": END})
        return built

    strategy = Strategy(name="x", summary="", paper="", config=StrategyConfig, build=build, prompts=())
    assert set(graph_of(strategy, StrategyConfig()).edges) == {
        Edge(source="__start__", target="check"),
        Edge(source="check", target="check", conditional=True, label="wrong"),
        Edge(source="check", target="__end__", conditional=True, label="right"),
    }
