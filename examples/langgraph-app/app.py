"""A LangGraph app in which mathagent is a subgraph: a question is turned into a problem, solved, and answered in words.

``langgraph dev`` serves it (see langgraph.json and README.md); ``python app.py "…"`` runs it once.
"""

from __future__ import annotations

import sys

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict  # Studio's form needs its schema: typing's has none before 3.12

from mathagent import Budget, Solution, Solver


class State(TypedDict, total=False):
    """``problem`` and ``solution`` are what the subgraph reads and writes."""

    question: str
    problem: str
    solution: Solution
    reply: str


def read(state: State) -> State:
    """Where your app would find out what is to be solved."""
    return {"problem": state["question"].removeprefix("Please: ").strip()}


def reply(state: State) -> State:
    """Where your app would go on with what was found."""
    found = state["solution"]
    if found.answer is None:
        return {"reply": f"I found no answer: {found.detail or found.confidence_basis}"}
    held = sum(check.outcome == "holds" for check in found.certificate)
    return {"reply": f"The answer is {found.answer}; checks that hold: {held}."}


solver = Solver()  # MATHAGENT_MODEL, or the default model; opens nothing before the first problem

builder = StateGraph(State)
builder.add_node("read", read)
builder.add_node("solve", solver.graph("pal", budget=Budget(max_seconds=300)))
builder.add_node("reply", reply)
builder.add_edge(START, "read")
builder.add_edge("read", "solve")
builder.add_edge("solve", "reply")
builder.add_edge("reply", END)
graph = builder.compile(name="math-app")

if __name__ == "__main__":
    print(graph.invoke({"question": sys.argv[1]})["reply"])
    solver.close()
