"""beam: several next steps for each of the best paths, and only the best of them all go on.

Paper: "OVM, Outcome-supervised Value Models for Planning in Mathematical Reasoning" (arXiv 2311.09724). Each step, n
continuations are drawn, n/beams for each beam; the best ``beams`` stay, finished paths among them on the same scale;
the answer is that of the path with the highest value. The paper's value model is trained; any scorer of steps stands
in its place. ``kind=dvts`` is the diverse form (huggingface/search-and-learn): as many trees, in each of which the best
child alone goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import StateGraph
from pydantic import Field, model_validator

from mathagent.agents.blocks.expansion import Expansion, StepEnd
from mathagent.agents.blocks.frontier import beam, subtrees
from mathagent.agents.blocks.tree import TREE_PROMPTS, Search, TreeConfig, tree_graph
from mathagent.agents.context import RunContext
from mathagent.agents.search_tree import SearchTree
from mathagent.agents.strategy import Strategy


class BeamConfig(TreeConfig):
    """Settings of beam."""

    n: int = Field(default=20, ge=1, le=256, description="Continuations drawn a step, of all beams together.")
    beams: int = Field(default=4, ge=1, le=256, description="Paths that are kept; n is a multiple of it.")
    kind: Literal["beam", "dvts"] = Field(
        default="beam", description="The best of all continuations are kept, or the best one of each of the trees."
    )
    distinct: bool = Field(default=False, description="Whether repeated texts come behind all others (kind=beam).")
    temperature: float | None = Field(default=0.7, ge=0, le=2, description="Sampling temperature of steps.")
    max_tokens: int = Field(default=100, ge=1, description="Completion tokens of one step; a longer one is dead.")
    path_tokens: int = Field(default=400, ge=1, description="Completion tokens of a path; a longer one is dead.")
    step: StepEnd = Field(
        default="line", description="What ends a step: its line's end, a blank line, or the next one's number."
    )
    select: Literal["weighted", "best", "majority"] = Field(
        default="best",
        description="The answer is that of the best path, of the class with the most value, or of the majority.",
    )

    @model_validator(mode="after")
    def _whole(self) -> BeamConfig:
        if self.n % self.beams:
            raise ValueError(f"n={self.n} continuations cannot be shared out evenly among {self.beams} beams")
        return self


def build(config: BeamConfig) -> StateGraph[Any, Any, Any, Any]:
    """grow ⇄ grow → conclude."""

    def allot(tree: SearchTree, context: RunContext) -> Sequence[Expansion]:
        children = config.n // config.beams
        if config.kind == "dvts":
            return subtrees(tree, config.beams, children)
        return beam(tree, config.beams, children, distinct=config.distinct)

    return tree_graph(config, Search(allot=allot))


STRATEGY = Strategy(
    name="beam",
    summary="Of several next steps for each of a few paths keep the best; the best finished path answers.",
    paper="OVM, Outcome-supervised Value Models for Planning in Mathematical Reasoning (arXiv 2311.09724)",
    config=BeamConfig,
    build=build,
    prompts=TREE_PROMPTS,
    kind="search",
    calls=(21, 401),
    needs=(),
    training_free=False,
)
