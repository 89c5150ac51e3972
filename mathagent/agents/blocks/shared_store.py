"""Block shared store: the best responses that anybody has given so far, as all see them in the next round.

Source: the shared memory D_S of Xolver. It is a function of the candidates and scores of a state, so nothing is kept
twice: the best m of all are the best m of the former best m and the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.tools.python import cut_middle
from mathagent.types import Candidate, Step, Value, Verdict

EXPLANATION_SHARE = 4
"""A judge's explanation is shown at a quarter of a response's length at most."""


class SharedResponse(Value):
    """A response as others see it; ``explanation`` is what the judge said ("": not shown, or nothing)."""

    text: str
    score: str
    explanation: str = ""


def best_responses(candidates: Sequence[Candidate], scores: Sequence[float], m: int) -> list[int]:
    """The indices of the ``m`` responses that score highest, best first, ties in order of appearance. Pure.

    A response need not state an answer; a candidate for which nothing was written is none.
    """
    written = [index for index, candidate in enumerate(candidates) if candidate.steps]
    return sorted(written, key=lambda index: -scores[index])[:m]


def response_text(candidate: Candidate, max_chars: int | None = None) -> str:
    """All that a candidate wrote, its programs and their outputs in fences; a longer text loses its middle. Pure."""
    text = steps_text(candidate.steps)
    return text if max_chars is None else cut_middle(text, max_chars)


def steps_text(steps: Sequence[Step]) -> str:
    """All that stands in ``steps``, programs and their outputs in fences. Pure."""
    return "\n".join(written(step) for step in steps)


def shared_response(candidate: Candidate, score: float, verdict: Verdict | None, max_chars: int) -> SharedResponse:
    """``candidate`` as others see it, with its score and what ``verdict`` says (None: nothing is shown). Pure."""
    return SharedResponse(
        text=response_text(candidate, max_chars),
        score=f"{score:.2g}",
        explanation="" if verdict is None else cut_middle(verdict.reason, max_chars // EXPLANATION_SHARE),
    )


def written(step: Step) -> str:
    """One step, a program or its output in a fence. Pure."""
    if step.kind == "code":
        return f"```python\n{step.text}\n```"
    return f"```output\n{step.text}\n```" if step.kind == "observation" else step.text
