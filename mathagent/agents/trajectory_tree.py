"""Trajectory tree: what a tree of drafts, critiques and refinements says about each of its nodes, as training data.

Source: "MALT: Improving Reasoning with Multi-Agent LLM Training" (arXiv 2412.01928), sections 4.2 and 4.3. Pure: a tree
is a function of the ``Solution`` that the strategy malt returns with ``tree=n`` (its n³ candidates, breadth first).
The reference stays with the evaluation, which alone grades the leaves; the two meet here, as numbers::

    tree = TrajectoryTree.of(solution)
    outcomes = [(await grader.grade(answer, problem)).outcome for answer in tree.answers]  # evals/grader.py
    values = tree.values([GRADES[outcome] for outcome in outcomes])
    jsonl(tree.preference_pairs(values)), jsonl(tree.good_replies(values))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from mathagent.agents.problem_text import problem_text
from mathagent.prompts import render
from mathagent.types import Candidate, Message, Problem, Solution, Value

Path = tuple[int, ...]
"""A node: (i,) is draft i, (i, j) its critique j, (i, j, k) the refinement k that saw both."""
TreeRole = Literal["generator", "verifier", "refiner"]
Label = Literal["good", "bad"]

ROLES: tuple[TreeRole, ...] = ("generator", "verifier", "refiner")
DEPTH = len(ROLES)
THRESHOLD = 0.5
GRADES: Mapping[str, float | None] = {"correct": 1.0, "incorrect": 0.0, "undecided": None}
"""A grade's outcome as a leaf's value; a leaf that the grader could not judge has none."""

MALT_PROMPTS = ("malt/generate", "malt/verify", "malt/refine")


class GoodReply(Value):
    """A reply worth imitating: one record of supervised fine-tuning of ``role``."""

    role: TreeRole
    prompt: tuple[Message, ...]
    completion: str
    value: float


class PreferencePair(Value):
    """Two replies to the same prompt, one good and one bad: one record of preference optimisation of ``role``."""

    role: TreeRole
    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    chosen_value: float
    rejected_value: float


class TrajectoryTree(Value):
    """All n³ runs of the three roles on one problem, each node with n children, leaves in breadth-first order.

    The texts of a leaf's path are the texts of its steps. A leaf with fewer than three was never written (a request
    failed, or the budget ended): it has no value.
    """

    problem: Problem
    branching: int
    leaves: tuple[Candidate, ...]

    @classmethod
    def of(cls, solution: Solution) -> TrajectoryTree:
        """The tree of a solution by malt in tree mode. Raises ValueError where it is none."""
        branching = solution.config.get("tree")
        if not isinstance(branching, int) or len(solution.candidates) != max(1, branching) ** DEPTH:
            raise ValueError(
                f"{len(solution.candidates)} candidates of {solution.strategy} with tree={branching} are no tree"
            )
        return cls(problem=solution.problem, branching=branching, leaves=solution.candidates)

    @property
    def answers(self) -> list[str | None]:
        """The answer of each leaf, for the grader."""
        return [None if leaf.answer is None else leaf.answer.normal for leaf in self.leaves]

    def path(self, leaf: int) -> Path:
        """The path of leaf number ``leaf``."""
        n = self.branching
        return (leaf // n**2, leaf // n % n, leaf % n)

    def texts(self) -> dict[Path, str]:
        """The text of every node that was written, in breadth-first order."""
        found: dict[Path, str] = {}
        for index, leaf in enumerate(self.leaves):
            path = self.path(index)
            found.update({path[: depth + 1]: step.text for depth, step in enumerate(leaf.steps)})
        return dict(sorted(found.items(), key=lambda one: (len(one[0]), one[0])))

    def values(self, grades: Sequence[float | None]) -> dict[Path, float]:
        """The value of every node: a leaf's is its grade, another's the mean of its children's.

        ``grades`` are the leaves', in order, in [0, 1]; None: unknown. A node below which nothing is known has none.
        """
        values = {
            self.path(index): grade
            for index, (leaf, grade) in enumerate(zip(self.leaves, grades, strict=True))
            if grade is not None and len(leaf.steps) == DEPTH
        }
        level: dict[Path, float] = values
        for _ in range(DEPTH - 1):
            children: dict[Path, list[float]] = {}
            for path, value in level.items():
                children.setdefault(path[:-1], []).append(value)
            level = {path: sum(below) / len(below) for path, below in children.items()}
            values = level | values
        return dict(sorted(values.items(), key=lambda one: (len(one[0]), one[0])))

    def good_replies(self, values: Mapping[Path, float], threshold: float = THRESHOLD) -> list[GoodReply]:
        """Every good node, once where siblings wrote the same."""
        texts = self.texts()
        good: dict[tuple[Path, str], GoodReply] = {}
        for path, value in values.items():
            if label(value, threshold) == "good":
                reply = GoodReply(
                    role=role_of(path), prompt=self._prompt(path, texts), completion=texts[path], value=value
                )
                good.setdefault((path[:-1], texts[path]), reply)
        return list(good.values())

    def preference_pairs(self, values: Mapping[Path, float], threshold: float = THRESHOLD) -> list[PreferencePair]:
        """Every good node before every bad sibling that wrote something else; never across parents."""
        texts = self.texts()
        return [
            PreferencePair(
                role=role_of(better),
                prompt=self._prompt(better, texts),
                chosen=texts[better],
                rejected=texts[worse],
                chosen_value=values[better],
                rejected_value=values[worse],
            )
            for better, worse in sibling_pairs(values, threshold)
            if texts[better] != texts[worse]
        ]

    def _prompt(self, path: Path, texts: Mapping[Path, str]) -> tuple[Message, ...]:
        return prompt_of(self.problem, [texts[path[:depth]] for depth in range(1, len(path))])


def prompt_of(problem: Problem, before: Sequence[str]) -> tuple[Message, ...]:
    """What the next role is asked: ``before`` are the draft and the critique, as far as there are such.

    An empty critique is none: the paper's pipeline without its verifier.
    """
    shown = {"problem": problem_text(problem)}
    has_choices = bool(problem.choices)
    match list(before):
        case []:
            return render("malt/generate", has_choices=has_choices, **shown)
        case [solution]:
            return render("malt/verify", solution=solution, **shown)
        case [solution, critique]:
            return render("malt/refine", solution=solution, critique=critique, has_choices=has_choices, **shown)
        case _:
            raise ValueError(f"the tree is {DEPTH} deep: nothing comes after {len(before)} texts")


def role_of(path: Path) -> TreeRole:
    """Who wrote the node."""
    return ROLES[len(path) - 1]


def label(value: float, threshold: float = THRESHOLD) -> Label:
    """Good above the threshold; a value of exactly the threshold is bad."""
    return "good" if value > threshold else "bad"


def sibling_pairs(values: Mapping[Path, float], threshold: float = THRESHOLD) -> list[tuple[Path, Path]]:
    """(good, bad) for all nodes under the same parent, in order."""
    return [
        (better, worse)
        for better in values
        for worse in values
        if better[:-1] == worse[:-1]
        and label(values[better], threshold) == "good"
        and label(values[worse], threshold) == "bad"
    ]


def jsonl(records: Sequence[Value]) -> str:
    """The records as JSON lines."""
    return "".join(f"{record.model_dump_json()}\n" for record in records)
