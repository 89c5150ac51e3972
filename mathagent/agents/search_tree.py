"""SearchTree: what a step search has written so far, as one value that a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from mathagent.types import Answer, Failure, Value

NodeState = Literal["open", "closed", "finished", "dead", "pruned"]
"""May be gone on from; is a complete plan, from which only solutions may be written; states an answer; ended without
one; is left aside (nobody has shown that it is wrong)."""


class TreeNode(Value):
    """One step behind those of its parents (numbers in the tree; the root, number 0, is the bare problem).

    ``rest``: it is not one step but all that is left of a solution. ``score`` in [0, 1] is the scorer's of this step
    (None: not scored), ``value`` what it makes of the whole path. ``prior`` in [0, 1] is how likely the model found it.
    ``drawn`` counts the children asked for, ``rests`` the rests of solutions. ``visits`` and ``total`` are what was
    backed up: how many rewards, and their sum. ``group`` is the first node of the equal states that it is merged with
    (None: itself). ``sources`` are the nodes that a model combined into it; its path is then its own, from the root on.
    ``tokens`` are completion tokens.
    """

    parent: int | None = None
    depth: int = 0
    text: str = ""
    rest: bool = False
    state: NodeState = "open"
    answer: Answer | None = None
    failure: Failure | None = None
    score: float | None = None
    value: float = 0.5
    prior: float = 1.0
    drawn: int = 0
    rests: int = 0
    visits: int = 0
    total: float = 0.0
    group: int | None = None
    sources: tuple[int, ...] = ()
    tokens: int = 0

    @property
    def mean(self) -> float:
        """The mean of the rewards that were backed up; its value where none was."""
        return self.total / self.visits if self.visits else self.value


class SearchTree(Value):
    """The nodes in the order in which they came, the root first; ``rounds`` counts expansions, ``over``: there is
    to be none any more. ``tokens_before`` and ``calls_before`` are what the solve had used when the search began."""

    nodes: tuple[TreeNode, ...] = Field(default=(TreeNode(),), min_length=1)
    rounds: int = 0
    over: bool = False
    tokens_before: int = 0
    calls_before: int = 0

    def path(self, number: int) -> list[int]:
        """The nodes from the root's child down to ``number``; nothing for the root."""
        found: list[int] = []
        at: int | None = number
        while at is not None and at != 0:
            found.append(at)
            at = self.nodes[at].parent
        return found[::-1]

    def steps(self, number: int) -> tuple[str, ...]:
        """The texts of ``path``."""
        return tuple(self.nodes[one].text for one in self.path(number))

    def ancestors(self, number: int) -> Iterator[int]:
        """``number`` itself, its parent, and so on up to the root."""
        at: int | None = number
        while at is not None:
            yield at
            at = self.nodes[at].parent

    def children(self, number: int) -> list[int]:
        """Its children, rests of solutions left out."""
        return [place for place, node in enumerate(self.nodes) if node.parent == number and not node.rest]

    def group_of(self, number: int) -> int:
        """The first of the equal states that ``number`` is one of."""
        group = self.nodes[number].group
        return number if group is None else group

    def states(self) -> dict[int, list[int]]:
        """The nodes of each group of equal states by its first, the best value first; none that is left aside."""
        found: dict[int, list[int]] = {}
        for number, node in enumerate(self.nodes):
            if node.state != "pruned":
                found.setdefault(self.group_of(number), []).append(number)
        return {group: sorted(members, key=lambda one: -self.nodes[one].value) for group, members in found.items()}

    def in_state(self, *states: NodeState) -> list[int]:
        """The nodes in one of ``states``, in order."""
        return [place for place, node in enumerate(self.nodes) if node.state in states]

    def with_nodes(self, nodes: Sequence[TreeNode]) -> SearchTree:
        """The tree with ``nodes`` behind its own."""
        return self.model_copy(update={"nodes": (*self.nodes, *nodes)})

    def changed(self, changes: Mapping[int, Mapping[str, Any]]) -> SearchTree:
        """The tree with fields of some nodes set anew."""
        nodes = list(self.nodes)
        for number, fields in changes.items():
            nodes[number] = nodes[number].model_copy(update=dict(fields))
        return self.model_copy(update={"nodes": tuple(nodes)})
