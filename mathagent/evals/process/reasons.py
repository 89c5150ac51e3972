"""Reasons: does a critique explain the mistake as the data set's expert does? Asked of a model, for MR-GSM8K.

This is grading: the expert's explanation, which is a reference, is shown to the grading model and to no critic. What it
says is kept under the hash of both explanations, so that a score can be computed again without asking again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.refine import numbered
from mathagent.agents.role import Role
from mathagent.agents.source_hash import source_hash
from mathagent.budget import Meter
from mathagent.errors import BackendError, ResourceError, StorageError
from mathagent.evals.process.bench import reason_given
from mathagent.evals.process.critique import step_of
from mathagent.evals.process.items import ProcessItem
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.runner import OnRecord
from mathagent.models.prices import dollars_of
from mathagent.prompts import prompt_hash
from mathagent.solver import Solver
from mathagent.types import Answer, Candidate, Problem, SamplingParams, Solution, Step, Value


class ReasonGrade(Value):
    """Whether two explanations name one mistake."""

    mistake: Literal["same", "different"] = Field(description="same if both explanations name the same mistake")


REASON_GRADER = Role("reason-grader", "process/reason", SamplingParams(max_tokens=512), ReasonGrade)


class ReasonGrading:
    """Grades the reasons of critiques with the model of ``solver``; what it says is kept in ``store``."""

    def __init__(self, solver: Solver, store: RecordStore, *, concurrency: int | None = None) -> None:
        self.solver, self.store = solver, store
        self.concurrency = concurrency or solver.backend.max_parallel

    async def grade(
        self, items: Sequence[ProcessItem], records: Sequence[Record], on_record: OnRecord
    ) -> dict[str, bool | None]:
        """By item id: whether the reason was accepted; None where the grading failed, or the expert gave no reason.

        Only critiques that name the right step are graded: nothing else counts. A grade that cannot be read is a no.
        Raises ResourceError where all further grading would fail alike.
        """
        by_id = {item.id: item for item in items}
        wanted = [(by_id[record.problem_id], record) for record in records if needs_grade(record)]
        judged = [(item, record) for item, record in wanted if item.expert_reason.strip()]
        found = self.store.get([self.key(item, record) for item, record in judged])
        grades: dict[str, bool | None] = {item.id: None for item, _ in wanted}
        todo = iter(judged)

        async def work() -> None:
            for item, record in todo:
                key = self.key(item, record)
                known = found.get(key)
                grade = known or await self._grade(key, item, record)
                if known is None:
                    self.store.put(grade)
                grades[item.id] = None if grade.outcome == "error" else grade.outcome == "correct"
                on_record(grade, known is not None)

        workers = [asyncio.ensure_future(work()) for _ in range(min(self.concurrency, len(judged)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return grades

    def key(self, item: ProcessItem, record: Record) -> str:
        """The identity (hex SHA-256) of a grade: both explanations, the prompt, the model and the code."""
        parts: list[Any] = [
            "reason",
            item.content_hash(),
            reason_given(record),
            prompt_hash(REASON_GRADER.prompt, *ASK_PROMPTS),
            REASON_GRADER.params.model_dump(),
            self.solver.backend.identity,
            self.solver.backend.default_seed,
            source_hash("agents", "prompts", "evals/process/reasons.py"),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()

    async def _grade(self, key: str, item: ProcessItem, record: Record) -> Record:
        meter = Meter()
        given = reason_given(record)
        graded: dict[str, Any] = {
            "key": key,
            "dataset": record.dataset,
            "problem_id": item.id,
            "item_hash": record.item_hash,
            "subject": item.subject,
            "family": item.family,
            "strategy": REASON_GRADER.name,
            "config": {"of": record.strategy, "model": record.model},
            "model": self.solver.backend.name,
            "backend": self.solver.backend.identity,
            "reference": "same",
        }
        if not given.strip():
            return Record(
                **graded, answer=None, outcome="incorrect", reason="no reason was given", failure="no-answer"
            )
        try:
            asked = await ask(
                self.solver.beside.context(meter),
                REASON_GRADER,
                fallback=ReasonGrade(mistake="different"),
                problem=item.shown.question,
                steps=numbered(item.shown.steps),
                number=(step_of(item.reference) or 0) + 1,
                expected=item.expert_reason,
                given=given,
            )
        except ResourceError as error:
            if isinstance(error, StorageError) or (isinstance(error, BackendError) and error.status in (401, 403)):
                raise
            return Record(
                **graded,
                answer=None,
                outcome="error",
                reason="the grading failed",
                failure="error",
                error=str(error),
            )
        said = asked.reply.mistake
        solution = Solution(
            problem=Problem(text=f"{item.shown.question}\n\nWhat is said to be wrong:\n{given}", id=item.id),
            answer=None if asked.fell_back else said,
            confidence=None,
            confidence_basis="",
            candidates=(
                Candidate(
                    steps=(Step(kind="critique", text=asked.reasoning),), answer=Answer(raw=said, normal=said)
                ),
            ),
            usage=meter.usage,
            strategy=REASON_GRADER.name,
            model=self.solver.backend.name,
            seconds=meter.seconds,
        )
        return Record(
            **graded,
            answer=solution.answer,
            outcome="correct" if said == "same" else "incorrect",
            reason=asked.problem if asked.fell_back else f"{said} mistake",
            failure=None if said == "same" else "no-answer" if asked.fell_back else "wrong",
            usage=meter.usage,
            dollars=dollars_of(self.solver.backend.identity, meter.usage),
            seconds=meter.seconds,
            solution=solution,
        )


def needs_grade(record: Record) -> bool:
    """Whether a record's reason counts: its solution is wrong, was judged so, and the right step was named."""
    return record.outcome == "correct" and step_of(record.reference) is not None
