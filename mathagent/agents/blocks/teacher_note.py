"""Block teacher note: what a teacher writes about a problem that a student failed, for the memory.

Source: the knowledge base of "Neural-Symbolic Collaborative Distillation" (arXiv 2409.13203): general lessons and
specialised knowledge, written with the right answer at hand. For learning only: within a measured solve nobody knows
the right answer.
"""

from __future__ import annotations

from pydantic import Field

from mathagent.agents.ask import ask
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.memory.experience import Lesson
from mathagent.types import Candidate, Problem, SamplingParams, Value

MAX_ATTEMPT_CHARACTERS = 4000
"""Of the student's attempt that the teacher is shown: its end, where the answer stands."""
UNNAMED_MISTAKE = "the first attempt"


class TeacherNote(Value):
    """What a teacher writes for students who fail problems of a kind."""

    mistake: str = Field(
        default="", description="what the attempt did wrong, in up to twelve words, without numbers"
    )
    lessons: tuple[str, ...] = Field(max_length=6, description="one general lesson or step, in one sentence")
    facts: tuple[str, ...] = Field(max_length=6, description="one formula, theorem or concept, in one sentence")


TEACHER = Role("teacher", "nesycd/note", SamplingParams(max_tokens=768), TeacherNote)


async def write_note(
    context: RunContext, problem: Problem, right_answer: str, wrong_candidate: Candidate
) -> Lesson | None:
    """The teacher's note on ``problem``, which ``wrong_candidate`` got wrong; None where there is no usable one.

    ``context.backend`` is the teacher. Raises BackendError where it cannot be reached.
    """
    asked = await ask(
        context,
        TEACHER,
        fallback=TeacherNote(lessons=(), facts=()),
        problem=problem_text(problem),
        right_answer=right_answer,
        attempt=attempt_text(wrong_candidate),
    )
    lessons, facts = (_filled(texts) for texts in (asked.reply.lessons, asked.reply.facts))
    if not lessons and not facts:
        return None
    return Lesson(
        problem=problem_text(problem),
        mistake=asked.reply.mistake.strip().rstrip(".") or UNNAMED_MISTAKE,
        fix=" ".join(lessons),
        knowledge=facts,
    )


def attempt_text(candidate: Candidate) -> str:
    """What a candidate wrote and answered, as its teacher sees it. Pure."""
    written = "\n".join(step.text for step in candidate.steps).strip()
    if len(written) > MAX_ATTEMPT_CHARACTERS:
        written = f"… {written[-MAX_ATTEMPT_CHARACTERS:]}"
    failed = candidate.failure.message if candidate.failure is not None else "none"
    return f"{written}\n\nIts answer: {candidate.answer.raw if candidate.answer is not None else failed}".strip()


def _filled(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts if text.strip())
