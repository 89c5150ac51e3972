"""What leaves the server: no paths of this machine, no addresses of its endpoints. Pure."""

from __future__ import annotations

import re

from mathagent.events import CandidateProposed, Event, Retried, SolveFinished, SolveStarted, Warned
from mathagent.types import Candidate, Solution

_FOLDERS = re.compile(r"(?<=[:=])/(?!/)(?:[^/,()?&]*/)*")


def public_name(model: str) -> str:
    """A model's name, or that of several, without the folders of the paths in it."""
    return _FOLDERS.sub("", model)


# The scheme is bounded: without a bound, a long text of such signs would take time that grows with its square.
_URL = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[^\s'\"<>]+", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w./\\])(?:~|[A-Za-z]:)?(?:[/\\][\w.@+-]+){2,}[/\\]?")


def public_text(text: str) -> str:
    """A message of ours as clients may read it: one that UTF-8 can hold, too."""
    sendable = text.encode("utf-8", "replace").decode()  # what a client sent may hold lone surrogates
    return _PATH.sub("(a file)", _URL.sub("(the endpoint)", sendable))


def public_event(event: Event, model: str) -> Event:
    """``event`` as clients may see it; ``model`` is the name that they know the model by."""
    match event:
        case SolveStarted():
            return event.model_copy(update={"model": model})
        case Warned():
            return event.model_copy(update={"message": public_text(event.message)})
        case Retried():
            return event.model_copy(update={"error": public_text(event.error)})
        case CandidateProposed():
            return event.model_copy(update={"candidate": _candidate(event.candidate)})
        case SolveFinished():
            return event.model_copy(update={"solution": public_solution(event.solution, model)})
    return event


def public_solution(solution: Solution, model: str) -> Solution:
    """``solution`` as clients may see it."""
    return solution.model_copy(
        update={
            "model": model,
            "detail": public_text(solution.detail),
            "candidates": tuple(_candidate(one) for one in solution.candidates),
            "by_model": tuple(
                one.model_copy(update={"backend": public_name(one.backend)}) for one in solution.by_model
            ),
        }
    )


def _candidate(candidate: Candidate) -> Candidate:
    if candidate.failure is None or candidate.failure.kind != "model-error":
        return candidate
    failure = candidate.failure.model_copy(update={"message": public_text(candidate.failure.message)})
    return candidate.model_copy(update={"failure": failure})
