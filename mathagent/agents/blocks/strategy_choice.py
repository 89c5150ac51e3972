"""Block strategy choice: which strategy to try first, by how each fared on similar problems. Pure.

Source: "SMART: Self-learning Meta-strategy Agent for Reasoning Tasks" (arXiv 2410.16128), with a bandit over remembered
outcomes in place of its trained policy. Its implicit biasing is here that a strategy which succeeded after others had
failed is remembered as if it had been tried first (``outcome_records``, ``first_attempts``).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal

from mathagent.agents.problem_text import problem_text
from mathagent.memory.experience import Experience, Provenance, StrategyStatistics, Trust
from mathagent.types import Candidate, Problem, Solution, Trial, Value

Neighbour = tuple[StrategyStatistics, float]
"""An outcome on a similar problem, and how similar that is, in [0, 1]."""


class Estimate(Value):
    """What is known of a strategy near a problem.

    ``success`` is the smoothed success rate, ``weight`` the sum of the similarities that it rests on, ``tokens`` the
    mean cost; ``score`` is success less what the tokens are worth.
    """

    strategy: str
    success: float
    weight: float
    tokens: float
    score: float


class FirstAttempt(Value):
    """One record of supervised fine-tuning: to this problem, answer with this strategy and solution at once."""

    problem: str
    strategy: str
    solution: str
    first_attempt: Literal[True] = True


def estimate_strategies(
    strategies: Sequence[str], neighbours: Sequence[Neighbour], *, nearest: int, cost_weight: float
) -> list[Estimate]:
    """The strategies, best score first; equal scores keep the order of ``strategies``.

    Of each the ``nearest`` most similar outcomes count, by their similarity, under Laplace's prior of one success and
    one failure. ``cost_weight`` is what 1,000 tokens are worth in success rate; a strategy that nothing is known of is
    taken to cost what the others do.
    """
    usual = _mean_tokens(neighbours)
    estimates = []
    for strategy in strategies:
        own = [one for one in neighbours if one[0].strategy == strategy]
        own = sorted(own, key=lambda one: -one[1])[:nearest]
        weight = sum(similarity for _, similarity in own)
        won = sum(similarity for outcome, similarity in own if outcome.success)
        success = (won + 1) / (weight + 2)
        tokens = _mean_tokens(own) if weight else usual
        score = success - cost_weight * tokens / 1000
        estimates.append(Estimate(strategy=strategy, success=success, weight=weight, tokens=tokens, score=score))
    return sorted(estimates, key=lambda one: -one.score)


def _mean_tokens(neighbours: Sequence[Neighbour]) -> float:
    weight = sum(similarity for _, similarity in neighbours)
    return sum(one.tokens * similarity for one, similarity in neighbours) / weight if weight else 0.0


def explored(estimates: Sequence[Estimate], *, epsilon: float, key: str) -> list[Estimate]:
    """``estimates``, with probability ``epsilon`` another than the best first; the same for the same ``key``."""
    chance = Random(key)
    if len(estimates) < 2 or chance.random() >= epsilon:
        return list(estimates)
    first = chance.choice(estimates[1:])
    return [first, *(one for one in estimates if one is not first)]


def explained(order: Sequence[Estimate], best: Estimate | None = None) -> str:
    """Why the strategies are tried in this order, a line each. ``best`` is the one whose turn it is without exploring
    (default: the first with the best score)."""
    best = best or max(order, key=lambda one: one.score, default=None)
    lines = []
    for number, one in enumerate(order, start=1):
        known = (
            f"success {one.success:.2f} on similar problems (weight {one.weight:.1f}), {one.tokens:.0f} tokens"
            if one.weight
            else "nothing is known of it"
        )
        exploring = number == 1 and one is not best
        lines.append(f"{number}. {one.strategy}: {known}{'; tried to explore' if exploring else ''}")
    return "\n".join(lines)


def outcome_of(trials: Sequence[Trial], number: int, right: bool | None) -> tuple[bool | None, Trust]:
    """Whether trial ``number`` succeeded (None: nobody knows), and what that rests on.

    ``right`` is what a reference says of the last trial's answer, if one was there. Without it checks decide, and where
    they do not, that another trial has the same answer. No answer is a failure, but not where the budget cut it.
    """
    one, last = trials[number], trials[-1]
    if right is not None and last.answer is not None and one.answer == last.answer:
        return right, "graded"
    if right and one.judgement != "correct":
        return False, "graded"
    if one.judgement != "unsure":
        return one.judgement == "correct", "verified"
    others = [trial for place, trial in enumerate(trials) if place != number and trial.judgement != "incorrect"]
    agrees = one.answer is not None and any(trial.answer == one.answer for trial in others)
    return (True, "judged") if agrees else (None, "unchecked")


def outcome_records(
    problem: Problem, trials: Sequence[Trial], provenance: Provenance, *, right: bool | None = None
) -> list[Experience]:
    """What each trial leaves for later choices; nothing for those of which nobody knows how they came out."""
    records = []
    for number, trial in enumerate(trials):
        success, trust = outcome_of(trials, number, right)
        if success is not None:
            content = StrategyStatistics(
                problem=problem_text(problem),
                strategy=trial.strategy,
                model=provenance.model,
                success=success,
                tokens=trial.tokens,
                seconds=trial.seconds,
            )
            where = provenance.model_copy(update={"strategy": trial.strategy})
            records.append(Experience(content=content, provenance=where, trust=trust))
    return records


def with_outcomes(solution: Solution, trials: Sequence[Trial], found: Sequence[Experience]) -> list[Experience]:
    """``found``, what every solve leaves, and how each of the ``trials`` within this one came out."""
    whole = next((one for one in found if isinstance(one.content, StrategyStatistics)), None)
    where = Provenance(
        run=solution.solve_id, model=solution.model, strategy=solution.strategy, item=solution.problem.id
    )
    right: bool | None = None
    if whole is not None:
        where = whole.provenance
        assert isinstance(whole.content, StrategyStatistics)
        right = whole.content.success if whole.trust in ("graded", "person") else None
    return [*found, *outcome_records(solution.problem, trials, where, right=right)]


def first_attempts(
    problem: Problem, trials: Sequence[Trial], candidates: Sequence[Candidate], *, right: bool | None = None
) -> list[FirstAttempt]:
    """The first trial that succeeded, as if it had been the first of all; nothing where none did."""
    for number, trial in enumerate(trials):
        if trial.candidate is not None and outcome_of(trials, number, right)[0]:
            solution = "\n".join(step.text for step in candidates[trial.candidate].steps)
            return [FirstAttempt(problem=problem_text(problem), strategy=trial.strategy, solution=solution)]
    return []
