"""Records in the formats of other tools: inspect's log and NeMo-Skills' lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mathagent.types import Solution, Step


def generation_of(solution: Solution) -> tuple[Step, ...]:
    """The steps of the candidate whose answer the solution gives, else of the first; none without candidates."""
    candidates = solution.candidates
    for candidate in candidates:
        if candidate.answer is not None and candidate.answer.normal == solution.answer:
            return candidate.steps
    return candidates[0].steps if candidates else ()


def generation_text(steps: Sequence[Step]) -> str:
    """The steps as one text, programs and outputs fenced."""
    fences = {"code": "python", "observation": "output"}
    parts = [f"```{fences[step.kind]}\n{step.text}\n```" if step.kind in fences else step.text for step in steps]
    return "\n".join(parts)


def file_name(text: str) -> str:
    """``text`` as a part of a path: what is no letter, digit, dot or dash becomes a dash; never empty or hidden."""
    return re.sub(r"[^\w.=-]+", "-", text).strip(".-")[:100] or "unnamed"
