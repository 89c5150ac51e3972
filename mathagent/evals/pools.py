"""From an arm's items to pools of attempts: which attempts give the same answer? By equivalence, as strategies vote."""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.answers.compare import AnswerComparer
from mathagent.evals.grader import Grader
from mathagent.evals.metrics.attempts import Pool
from mathagent.evals.metrics.items import Item, Ungraded, counted
from mathagent.evals.records import Record
from mathagent.types import Answer


async def attempt_pools(
    items: Sequence[Item], comparer: AnswerComparer, *, ungraded: Ungraded = "leave-out"
) -> list[Pool]:
    """A pool for each item with attempts that count; the answers of an item are put in classes by ``comparer``.

    Answers that cannot be compared are different; a missing one agrees with none. An attempt's score is its confidence.
    """
    return [await _pool(item, those, comparer) for item in items if (those := counted(item.records, ungraded))]


def repeated_attempts(items: Sequence[Item]) -> int:
    """How many attempts are, word for word, an earlier one at the same item: they add nothing to a pool."""
    repeated = 0
    for item in items:
        texts = [text for record in item.records if (text := _text(record))]
        repeated += len(texts) - len(set(texts))
    return repeated


async def candidate_pools(
    items: Sequence[Item], comparer: AnswerComparer, *, ungraded: Ungraded = "leave-out"
) -> list[Pool]:
    """A pool for each attempt that counts and kept its candidates, with these as the attempts: what one solve by
    repeated sampling covers (arXiv 2407.21787). They are graded as answers are; one that cannot be graded is wrong.

    The tokens of the solve are divided evenly. Candidates have no scores.
    """
    grader = Grader(comparer)
    return [
        await _candidate_pool(item, record, comparer, grader)
        for item in items
        for record in counted(item.records, ungraded)
        if record.solution is not None and record.solution.candidates
    ]


async def _candidate_pool(item: Item, record: Record, comparer: AnswerComparer, grader: Grader) -> Pool:
    assert record.solution is not None
    answers = [candidate.answer for candidate in record.solution.candidates]
    problem = record.solution.problem.model_copy(update={"reference": record.reference})
    right, voted = [False] * len(answers), _no_votes(len(answers))
    for number, members in enumerate(await comparer.equivalence_classes(answers)):
        for place in members:
            answer = answers[place]
            voted[place] = number
            # Members of a class may be graded differently: the grader is lenient where votes are not.
            right[place] = answer is not None and (await grader.grade(answer.normal, problem)).outcome == "correct"
    each = record.usage.completion_tokens // len(answers)
    return Pool(
        key=f"{item.key}/{record.attempt}",
        cluster=item.cluster,
        right=tuple(right),
        voted=tuple(voted),
        scores=(None,) * len(answers),
        completion_tokens=(each,) * len(answers),
    )


def _no_votes(count: int) -> list[int | None]:
    return [None] * count


async def _pool(item: Item, records: Sequence[Record], comparer: AnswerComparer) -> Pool:
    given = [(record.answer or "").strip() for record in records]
    answers = [Answer(raw=text, normal=text) if text else None for text in given]
    voted = _no_votes(len(records))
    for number, members in enumerate(await comparer.equivalence_classes(answers)):
        for place in members:
            voted[place] = number
    return Pool(
        key=item.key,
        cluster=item.cluster,
        right=tuple(record.outcome == "correct" for record in records),
        voted=tuple(voted),
        scores=tuple(record.confidence for record in records),
        completion_tokens=tuple(record.usage.completion_tokens for record in records),
    )


def _text(record: Record) -> str:
    """All that the models wrote in an attempt; "" where it was not kept."""
    if record.solution is None:
        return ""
    return "\x00".join(
        step.text for candidate in record.solution.candidates for step in candidate.steps if step.origin == "model"
    )
