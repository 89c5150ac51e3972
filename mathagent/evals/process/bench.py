"""Critics over items, by the benchmark's runner: what is attempted is to judge a solution, not to solve a problem.

What is asked is built from ``ProcessItem.shown`` alone; the reference meets the critique only in the grade.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mathagent.agents.blocks.refine import numbered
from mathagent.agents.reply_schema import wire_schema
from mathagent.agents.source_hash import source_hash
from mathagent.budget import Meter
from mathagent.errors import UnsupportedOption
from mathagent.evals.attempt import Attempter
from mathagent.evals.grader import Grade
from mathagent.evals.plan import Arm, Planned, attempt_seed
from mathagent.evals.process.critics import Critic, critiques
from mathagent.evals.process.critique import Shown, Vote, agrees, majority
from mathagent.evals.process.critique_config import CritiqueConfig, critique_settings
from mathagent.evals.process.items import ItemSet, ProcessItem
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.runner import Benchmark
from mathagent.prompts import prompt_hash
from mathagent.solver import Solver
from mathagent.types import Answer, Candidate, Problem, Solution, Step

CriticOf = Callable[[ProcessItem], Critic]
"""Who judges an item: the tasks of MathCheck have a critic each."""

# What decides what a role is asked and how its reply is read; how critiques are counted does not.
_METHOD_PARTS = (
    "agents",
    "answers",
    "prompts",
    "scorers",
    *(
        f"evals/process/{name}.py"
        for name in ("bench", "critics", "critique", "critique_config", "items", "parsing", "scored")
    ),
)


@dataclass(frozen=True)
class Question:
    """What one attempt asks: whom, about what, and how it is sampled."""

    critic: Critic
    shown: Shown
    config: CritiqueConfig


class CritiqueAttempter(Attempter):
    """Has items judged and grades the label; deadlines, errors and costs are as of every attempt.

    ``questions`` holds by record key what is asked.
    """

    questions: Mapping[str, Question]

    async def _solve(self, planned: Planned) -> Solution:
        question = self.questions[planned.key]
        meter = Meter(planned.arm.budget)
        context = self.solver.beside.context(meter, seed=planned.seed)
        votes, limit = await critiques(context, question.critic, question.shown, question.config)
        return solution_of(planned.problem.without_reference(), votes, limit).model_copy(
            update={
                "strategy": planned.arm.strategy,
                "config": planned.config.model_dump(mode="json"),
                "model": self.solver.backend.name,
                "usage": meter.usage,
                "seconds": meter.seconds,
            }
        )

    async def _grade(self, solution: Solution, problem: Problem) -> Grade:
        label, reference = solution.answer, problem.reference or ""
        if label is None:
            return Grade(outcome="incorrect", reason="no judgement can be read")
        if agrees(label, reference):
            return Grade(outcome="correct", reason=label)
        return Grade(outcome="incorrect", reason=f"{label}, not {reference}")


class CriticBenchmark(Benchmark):
    """Runs critics over sets of items with one solver; resumes from ``store``, whatever ended an earlier run.

    The strategy of an arm names one of ``critics``, its config holds settings of critics. All else is as of Benchmark.
    """

    def __init__(
        self,
        solver: Solver,
        store: RecordStore,
        *sets: ItemSet,
        critics: Mapping[str, CriticOf],
        concurrency: int | None = None,
        run_id: str | None = None,
        first: int = 0,
        item_seconds: float | None = None,
    ) -> None:
        super().__init__(solver, store, concurrency=concurrency, run_id=run_id, first=first)
        self.sets, self.critics = sets, dict(critics)
        self._critiques = CritiqueAttempter(solver, item_seconds=item_seconds)
        self.attempter = self._critiques

    async def plan(self, *arms: Arm) -> list[Planned]:
        """All attempts at all items by ``arms``. Raises UsageError for a wrong setting, or a role that cannot judge."""
        planned: list[Planned] = []
        questions: dict[str, Question] = {}
        for items in self.sets:
            for arm in arms:
                for one, question in self._plan_arm(items, arm, first=len(planned)):
                    planned.append(one)
                    questions[one.key] = question
        self._critiques.questions = questions
        return planned

    def _plan_arm(self, items: ItemSet, arm: Arm, *, first: int) -> list[tuple[Planned, Question]]:
        backend = self.solver.backend
        if arm.seed is not None and not backend.capabilities.seed:
            raise UnsupportedOption(backend.name, "seed")
        base = backend.default_seed if arm.seed is None else arm.seed
        settings = critique_settings(arm.config)
        made: list[tuple[Planned, Question]] = []
        for attempt in range(arm.attempts):
            copies: Counter[str] = Counter()
            for item in items.items:
                critic = self.critics[arm.strategy](item)
                config = settings.of(critic.role)
                content = critique_key(
                    item, critic, config, model=backend.identity, seed=base, budget=arm.budget.model_dump()
                )
                # An item that stands twice has a record each time.
                key = hashlib.sha256(f"{content}#{attempt}#{copies[content]}".encode()).hexdigest()
                copies[content] += 1
                planned = Planned(
                    key=key,
                    place=first + len(made),
                    problem=problem_of_item(item),
                    dataset=items.name,
                    arm=arm,
                    config=config,
                    attempt=attempt,
                    seed=attempt_seed(base, attempt) if backend.capabilities.seed else None,
                )
                made.append((planned, Question(critic, item.shown, config)))
        return made


def critique_key(
    item: ProcessItem,
    critic: Critic,
    config: CritiqueConfig,
    *,
    model: str,
    seed: int | None,
    budget: Mapping[str, Any],
) -> str:
    """The identity (hex SHA-256) of a critique: the item, role, prompts, model, sampling, budget and code."""
    role = critic.role
    parts: list[Any] = [
        "critique",
        item.content_hash(),
        [role.name, role.prompt, prompt_hash(*critic.prompts)],
        None if role.reply is None else wire_schema(role.reply),
        config.model_dump(mode="json"),
        list(role.params.stop),
        model,
        seed,
        dict(budget),
        source_hash(*_METHOD_PARTS),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def problem_of_item(item: ProcessItem) -> Problem:
    """The item as a problem, for its record: question and solution as the text, the right label as the reference."""
    judged = f"\n\nSolution to be judged:\n{numbered(item.shown.steps)}" if item.shown.steps else ""
    return Problem(
        text=f"{item.shown.question}{judged}",
        id=item.id,
        reference=item.reference,
        metadata={"subject": item.subject, "level": item.level, "family": item.family},
    )


def solution_of(problem: Problem, votes: Sequence[Vote], limit: str | None) -> Solution:
    """The critiques as candidates, and the majority's label as the answer. Pure.

    ``winner`` is the first vote for it. The confidence is the share of the votes for it, of a single one its own.
    """
    label = majority([vote.label for vote in votes])
    winner = next((place for place, vote in enumerate(votes) if label is not None and vote.label == label), None)
    alike = sum(vote.label == label for vote in votes)
    confidence = None if winner is None else alike / len(votes) if len(votes) > 1 else votes[winner].confidence
    return Solution(
        problem=problem,
        answer=label,
        confidence=confidence,
        confidence_basis="" if winner is None else f"{alike} of {len(votes)} critiques",
        candidates=tuple(_candidate(vote) for vote in votes),
        stopped="finished" if limit is None else "budget",
        detail=limit or "",
        strategy="",
        model="",
        winner=winner,
    )


def reason_given(record: Record) -> str:
    """The words of the critique that a record's answer stands for; "" where there are none."""
    solution = record.solution
    if solution is None or solution.winner is None:
        return ""
    return "\n".join(step.text for step in solution.candidates[solution.winner].steps)


def _candidate(vote: Vote) -> Candidate:
    steps = (Step(kind="critique", text=vote.text),) if vote.text else ()
    if vote.label is None:
        return Candidate(steps=steps, failure=vote.failure)
    return Candidate(steps=steps, answer=Answer(raw=vote.label, normal=vote.label))
