"""The names of the roles that ask models: what ``--role NAME=MODEL`` may name. Pure.

A test keeps the list true. Other packages' strategies have roles of their own, so that only a name that is nearly one
of ours is refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mathagent.errors import UsageError

ROLE_NAMES = frozenset(
    {
        "agent",
        "answerability-judge",
        "answerer",
        "assessor",
        "coder",
        "combiner",
        "comparer",
        "conditioner",
        "corrector",
        "critic",
        "decomposer",
        "drafter",
        "enricher",
        "extractor",
        "fixer",
        "formatter",
        "function",
        "function-coder",
        "gate",
        "generator",
        "inferrer",
        "inspector",
        "judge",
        "knowledge",
        "localiser",
        "manager",
        "outcome-judge",
        "planner",
        "probe",
        "prompt-engineer",
        "questioner",
        "reason-grader",
        "reasoner",
        "rebuilder",
        "recaller",
        "refiner",
        "rephraser",
        "rethinker",
        "rewriter",
        "router",
        "searcher",
        "selector",
        "self-evaluation",
        "solver",
        "step-judge",
        "step-token-value",
        "stepper",
        "syzygy",
        "tactician",
        "teacher",
        "templater",
        "thinker",
        "token-value",
        "tool-gate",
        "transcriber",
        "translator",
        "validator",
        "verifier",
        "web-reader",
        "window-judge",
        "wolfram",
        "wolfram-cleaner",
        "worker",
    }
)


def check_roles(names: Iterable[str]) -> None:
    """Raises UsageError for a name that is most likely one of ours, written wrongly."""
    for name in names:
        near = () if name in ROLE_NAMES else difflib.get_close_matches(name, sorted(ROLE_NAMES), n=3, cutoff=0.75)
        if near:
            raise UsageError(f"no role is named '{name}'; did you mean {' or '.join(near)}?")
