"""Critics: the roles that judge solutions, how each is shown one, and how its reply becomes a Critique.

Every role with the slots problem and solution (or steps) and a reply of a known type is a critic as it stands; what
writes free text brings its own reader. More come in by a ``module:object`` path or the entry points
``mathagent.critics``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.judging import BinaryScore
from mathagent.agents.blocks.refine import numbered
from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.role import JudgedScore, Review, Role
from mathagent.agents.scoring import SCORING_PROMPTS
from mathagent.errors import BackendError, UsageError
from mathagent.evals.process.critique import Critique, Shown, Vote, correct, first_error_at
from mathagent.evals.process.critique_config import CritiqueConfig
from mathagent.evals.process.parsing import (
    answerable_critique,
    boxed_critique,
    judged_critique,
    step_critique,
    teacher_critique,
)
from mathagent.evals.process.scored import SCORER_MARK, scored_vote
from mathagent.prompts import render, slots
from mathagent.registry import Registry
from mathagent.scorers.base import Scorer, load_scorer
from mathagent.types import Completion, Failure, FailureKind, SamplingParams, Value

CRITICS = Registry(
    "critic",
    "critics",
    {
        "verifier": "mathagent.agents.role:VERIFIER",
        "judge": "mathagent.agents.role:JUDGE",
        "binary-judge": "mathagent.agents.blocks.judging:BINARY_JUDGE",
        "localiser": "mathagent.strategies.glore:LOCALISER",
        "critic": "mathagent.evals.process.critics:CRITIC",
        "teacher": "mathagent.evals.process.critics:TEACHER",
    },
)

PROCESS_PROMPTS = (
    *("process/critic", "process/teacher", "process/outcome", "process/step", "process/answerable"),
    "process/reason",
)
"""The prompts of process evaluation; the last is the grader's (reasons.py)."""


TypedReader = Callable[[Any, str, int, float], Critique]
"""From a typed reply, its reasoning, the number of steps and the threshold to a critique."""
TextReader = Callable[[str, int], Critique | None]
"""From a reply in free text and the number of steps to a critique; None: it cannot be read."""


@dataclass(frozen=True)
class Critic:
    """A role that judges, and the reader of its replies: ``typed`` of its reply type's, ``text`` of free text.

    ``fallback`` stands for a typed reply that never became readable; it counts as none. ``names_steps``: it says where
    a solution goes wrong, not only whether. ``scorer``: it is no role that judges, but a scorer (scored.py), whose
    first step below the threshold is the wrong one.
    """

    role: Role
    text: TextReader | None = None
    typed: TypedReader | None = None
    fallback: Value | None = None
    names_steps: bool = True
    scorer: Scorer | None = None

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompt files that it may render."""
        if self.scorer is not None:
            return SCORING_PROMPTS
        return (self.role.prompt, *(ASK_PROMPTS if self.typed else ()))

    def slots(self, shown: Shown) -> dict[str, Any]:
        """The role's slots, filled from what may be seen. Raises UsageError for a slot that cannot be filled."""
        steps = shown.steps or (shown.solution,)
        known = {
            "problem": shown.question,
            "solution": numbered(steps),
            "steps": numbered(steps),
            "paragraphs": "\n\n".join(
                f"<paragraph_{n}>\n{step}\n</paragraph_{n}>" for n, step in enumerate(steps)
            ),
            "whole": shown.solution or "\n\n".join(steps),
        }
        wanted = slots(self.role.prompt)
        unknown = sorted(wanted - known.keys())
        if unknown:
            raise UsageError(
                f"role '{self.role.name}' cannot judge solutions: its prompt {self.role.prompt} also wants"
                f" {', '.join(unknown)}; a critic's prompt has slots among {', '.join(known)}"
            )
        return {name: known[name] for name in wanted}


CRITIC = Critic(Role("critic", "process/critic", SamplingParams(max_tokens=2048)), text=boxed_critique)
TEACHER = Critic(Role("teacher", "process/teacher", SamplingParams(max_tokens=1024)), text=teacher_critique)
OUTCOME_JUDGE = Critic(
    Role("outcome-judge", "process/outcome", SamplingParams(max_tokens=1024)), judged_critique, names_steps=False
)
STEP_JUDGE = Critic(Role("step-judge", "process/step", SamplingParams(max_tokens=1024)), step_critique)
ANSWERABILITY_JUDGE = Critic(
    Role("answerability-judge", "process/answerable", SamplingParams(max_tokens=1024)),
    answerable_critique,
    names_steps=False,
)


def load_critic(name: str) -> Critic:
    """The critic ``name`` of the table, or at a ``module:object`` path: a Critic, or a Role with a reply of a known
    type; or, ``scorer:NAME``, a scorer. Raises UnknownName, or UsageError where the object cannot judge."""
    if name.startswith(SCORER_MARK):
        scorer = load_scorer(name.removeprefix(SCORER_MARK))
        return Critic(Role(name, "", SamplingParams()), names_steps=scorer.level == "step", scorer=scorer)
    loaded = CRITICS.load(name)
    if isinstance(loaded, Critic):
        return loaded
    if not isinstance(loaded, Role):
        raise UsageError(f"critic '{name}' is a {type(loaded).__name__}; give a Critic or a Role")
    return critic_of(loaded)


def critic_of(role: Role) -> Critic:
    """The critic that ``role`` is by the type of its reply. Raises UsageError for a type that holds no judgement."""
    from mathagent.strategies.glore import FirstWrongStep

    readers: dict[type[Value], tuple[TypedReader, Value]] = {
        Review: (_of_review, Review(judgement="unsure")),
        JudgedScore: (_of_score, JudgedScore(score=0)),
        BinaryScore: (_of_score, BinaryScore(score=0)),
        FirstWrongStep: (_of_first_wrong_step, FirstWrongStep()),
    }
    for kind, (reader, fallback) in readers.items():
        if role.reply is kind:
            names_steps = kind in (Review, FirstWrongStep)
            critic = Critic(role, typed=reader, fallback=fallback, names_steps=names_steps)
            critic.slots(Shown(question="?", steps=("?",)))
            return critic
    kinds = ", ".join(kind.__name__ for kind in readers)
    raise UsageError(
        f"role '{role.name}' replies with {'free text' if role.reply is None else role.reply.__name__}, not with one of"
        f" {kinds}; wrap it in a Critic that reads its reply"
    )


def _of_review(reply: Review, reasoning: str, steps: int, threshold: float) -> Critique:
    reason = "\n\n".join(text for text in (reasoning, reply.problem) if text)
    if reply.judgement == "correct":
        return correct(reason)
    if reply.judgement == "unsure" or reply.first_wrong_step is None:
        return Critique(verdict=reply.judgement, reason=reason)
    return first_error_at(reply.first_wrong_step - 1, steps, reason)


def _of_score(reply: JudgedScore | BinaryScore, reasoning: str, steps: int, threshold: float) -> Critique:
    score = float(reply.score)
    stated = score if isinstance(reply, JudgedScore) else None
    if score >= threshold:
        return correct(reasoning, stated)
    return Critique(verdict="incorrect", reason=reasoning, confidence=None if stated is None else 1 - stated)


def _of_first_wrong_step(reply: Any, reasoning: str, steps: int, threshold: float) -> Critique:
    return correct(reasoning) if reply.step is None else first_error_at(reply.step - 1, steps, reasoning)


async def critiques(
    context: RunContext, critic: Critic, shown: Shown, config: CritiqueConfig
) -> tuple[tuple[Vote, ...], str | None]:
    """``config.n`` critiques of what is shown (fewer where the budget ends), and the limit that ended it.

    Raises BackendError where not a single one could be had.
    """
    if critic.scorer is not None:
        return await scored_vote(context, critic.scorer, shown, config.threshold)
    if critic.typed is not None:
        return await _typed_votes(context, critic, shown, config)
    messages = render(critic.role.prompt, **critic.slots(shown))
    drafts, limit = await draw(context, messages, config.params_of(critic.role), role=critic.role.name)
    return tuple(
        Vote(failure=draft.failure)
        if draft.completion is None
        else _text_vote(critic, draft.completion, len(shown.steps))
        for draft in drafts
    ), limit


def _text_vote(critic: Critic, completion: Completion, steps: int) -> Vote:
    assert critic.text is not None
    critique = critic.text(completion.text, steps)
    if critique is not None:
        return Vote(label=critique.label, text=critique.reason, confidence=critique.confidence)
    kinds: dict[str, FailureKind] = {"length": "truncated", "content_filter": "refused"}
    kind = kinds.get(completion.finish_reason, "no-answer")
    return Vote(text=completion.text, failure=Failure(kind=kind, message="no judgement can be read in the reply"))


async def _typed_votes(
    context: RunContext, critic: Critic, shown: Shown, config: CritiqueConfig
) -> tuple[tuple[Vote, ...], str | None]:
    asked = await asyncio.gather(
        *(_typed_vote(context, critic, shown, config, sample) for sample in range(config.n)),
        return_exceptions=True,
    )
    failed: Sequence[BackendError] = [one for one in asked if isinstance(one, BackendError)]
    if len(failed) == len(asked):
        raise failed[0]
    votes: list[Vote] = []
    limits: list[str] = []
    for one in asked:
        if isinstance(one, BackendError):
            votes.append(Vote(failure=Failure(kind="model-error", message=str(one))))
        elif isinstance(one, BaseException):
            raise one
        elif isinstance(one, Vote):
            votes.append(one)
        else:
            limits.append(one)
    return tuple(votes), limits[0] if limits else None


async def _typed_vote(
    context: RunContext, critic: Critic, shown: Shown, config: CritiqueConfig, sample: int
) -> Vote | str:
    """A vote, or the limit that did not allow it."""
    assert critic.typed is not None
    assert critic.fallback is not None
    asked = await ask(
        context,
        critic.role,
        fallback=critic.fallback,
        sample=sample,
        params=config.params_of(critic.role),
        **critic.slots(shown),
    )
    if asked.limit is not None:
        return asked.limit
    if asked.fell_back:
        return Vote(failure=Failure(kind="no-answer", message=asked.problem or "no reply could be read"))
    critique = critic.typed(asked.reply, asked.reasoning, len(shown.steps), config.threshold)
    return Vote(label=critique.label, text=critique.reason, confidence=critique.confidence)
