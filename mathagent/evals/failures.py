"""Failures: why an attempt is not correct, as one table of kinds, with counts and examples. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mathagent.evals.records import Record
from mathagent.types import Candidate, Solution, Value

FAILURES: Mapping[str, str] = MappingProxyType(
    {
        "wrong": "an answer was given, and it is not the reference",
        "format": "the model came to an end, but not in the form asked for: no answer could be read from its reply, "
        "it wrote prose for a program, or the answer names none of the choices",
        "no-answer": "nothing was answered: an empty reply, or a program that gave nothing",
        "truncated": "the reply was cut at its token limit before the answer",
        "refused": "the model, or its provider, declined to answer",
        "code-error": "the program failed: an exception, too much memory or output, a crash",
        "timeout": "a program, or the whole attempt, ran out of time",
        "budget": "the budget ended before there was an answer",
        "interrupted": "the attempt was interrupted before there was an answer",
        "error": "the attempt itself failed: the model, the sandbox or a disk; it is tried again on resume",
        "undecided": "an answer was given, and the grader could not tell whether it is right",
    }
)
"""Every kind of failure, and what it means."""

_SAME_AS = {
    "code-timeout": "timeout",
    "model-error": "error",
    "finished": "no-answer",  # how a solve without any candidate ended
    "deadline": "timeout",
}

_WORDS = ("thought", "critique")  # a model's own words: of a solver, and of a role that judges

# A reply that opens with somebody unable *to help*, be it after an apology; "I cannot assume that" is mathematics.
_EXCUSE = (
    r"(?:(?:i['’]?m\s|i\sam\s|we\sare\s)?(?:very\s|so\s)?sorry|i\sapologi[sz]e|apologies|unfortunately"
    r"|as\san?\s(?:ai|[\w\s]{0,20}model)\b)"
)
_UNABLE = (
    r"(?:can['’]?t|can\s?not|won['’]?t|will\snot"
    r"|(?:\s?am|\s?are|['’]m|['’]re)\s(?:unable|not\sable|not\sallowed)\sto)"
)
_HELP = r"(?:help|assist|comply|fulfil|answer|provide|respond|participate|engage|discuss)"
_REFUSAL = re.compile(
    rf"""^\W{{0,4}}(?:
      (?:{_EXCUSE}[^.!?\n]{{0,60}}?)?\b(?:i|we)\s?{_UNABLE}\s(?:\w+\s){{0,2}}?{_HELP}
     |(?:{_EXCUSE}[^.!?\n]{{0,60}}?)?\bi\s(?:must|have\sto)\s(?:\w+\s)?(?:decline|refuse)
     |(?:很?抱歉|对不起|不好意思)[^。！？\n]{{0,20}}?(?:无法|不能|没办法)
     |(?:作为[^。！？\n]{{0,20}}?)?我(?:无法|不能)(?:提供|回答|协助|帮助|满足)
    )""",
    re.IGNORECASE | re.VERBOSE,
)


_HEADER = re.compile(r"\A\s*def \w+\(.*\):[ \t]*(?:\n|\Z)")
"""What PAL's prompt begins the program with."""
_CODE_LINE = re.compile(
    r"""^\s*(?:import\s\w|from\s[\w.]+\simport\b|(?:return|raise|assert|del|pass)\b|@\w|\#
      |(?:async\s)?(?:def|for|while|if|else|try|with|class)\b.*:\s*(?:\#.*)?$
      |[\w.\[\]'"]+(?:\s*,\s*\w+)*\s*(?::\s*\w+\s*)?(?:[-+*/%]|//|\*\*)?=(?!=)|[\w.]+\()""",
    re.MULTILINE | re.VERBOSE,
)
"""A line that somebody meant to be Python."""


def failure_of(record: Record) -> str | None:
    """Why ``record`` is not correct: a key of ``FAILURES``; None where it is correct.

    Its candidates tell, where the record holds them: the kind that most of them failed with. Records without their
    solution keep the kind that was stored with them.
    """
    if record.outcome == "correct":
        return None
    if record.outcome == "undecided":
        return "undecided"
    if record.answer is None and _named(record.failure) == "timeout":  # the attempt's own deadline
        return "timeout"
    if record.outcome == "error":
        return "error"
    if record.solution is not None:
        return failure_kind(record.solution, choices=bool(record.solution.problem.choices), reason=record.reason)
    return _named(record.failure or ("no-answer" if record.answer is None else "wrong"))


def failure_kind(solution: Solution, *, choices: bool = False, reason: str = "") -> str:
    """Why a solution that is not right is not: a key of ``FAILURES``. ``reason`` is the grader's."""
    if solution.answer is not None:
        if solution.candidates and all(is_refusal(_first_words(one)) for one in solution.candidates):
            return "refused"  # the "answer" was made of the words that declined
        return "format" if choices and reason == "no choice is named" else "wrong"
    kinds = [candidate_failure(candidate) for candidate in solution.candidates if candidate.failure is not None]
    if not kinds:
        return _named(solution.stopped)
    if solution.stopped == "budget" and set(kinds) == {"no-answer"}:
        return "budget"
    counts = Counter(kinds)
    return max(counts, key=lambda kind: (counts[kind], kind not in ("no-answer", "error")))


def candidate_failure(candidate: Candidate) -> str:
    """Why ``candidate`` has no answer. A reply that declines in words, or that cannot be read, is known by its text,
    also where it was taken for a program and run."""
    if candidate.failure is None:
        raise ValueError("this candidate has an answer: it did not fail")
    kind = _named(candidate.failure.kind)
    if kind == "code-error":
        return _no_program(candidate) or kind
    if kind != "no-answer":
        return kind
    words = [step.text for step in candidate.steps if step.origin == "model" and step.kind in _WORDS]
    said = [text for text in words if text.strip()]
    if any(is_refusal(text) for text in said):
        return "refused"
    ended_in_words = bool(candidate.steps) and candidate.steps[-1].kind in _WORDS
    return "format" if said and ended_in_words and "budget" not in candidate.failure.message else "no-answer"


def _no_program(candidate: Candidate) -> str | None:
    """What the last reply is that was run as a program and is none; None where it is one, be it a broken one."""
    programs = [step.text for step in candidate.steps if step.origin == "model" and step.kind == "code"]
    message = "" if candidate.failure is None else candidate.failure.message
    if not programs or not message.startswith(("SyntaxError", "IndentationError")):
        return None
    said = _HEADER.sub("", programs[-1]).strip()
    if not said:
        return "no-answer"
    if is_refusal(said):
        return "refused"
    return None if _CODE_LINE.search(said) else "format"


def _first_words(candidate: Candidate) -> str:
    return next((step.text for step in candidate.steps if step.origin == "model" and step.kind in _WORDS), "")


def is_refusal(text: str) -> bool:
    """Whether ``text`` declines to answer: it opens with a refusal and holds no worked result."""
    return bool(_REFUSAL.search(text.strip()[:400])) and "\\boxed" not in text and "####" not in text


class FailureCount(Value):
    """How often one kind of failure occurred, what it means, and the first items where it did."""

    kind: str
    meaning: str
    count: int
    examples: tuple[Record, ...] = ()


def count_failures(records: Sequence[Record], *, examples: int = 3) -> list[FailureCount]:
    """The failures of ``records``, the most frequent first, each with its first ``examples`` records."""
    found: dict[str, list[Record]] = {}
    for record in records:
        kind = failure_of(record)
        if kind is not None:
            found.setdefault(kind, []).append(record)
    counts = [
        FailureCount(kind=kind, meaning=FAILURES[kind], count=len(failed), examples=tuple(failed[:examples]))
        for kind, failed in found.items()
    ]
    return sorted(counts, key=lambda one: (-one.count, list(FAILURES).index(one.kind)))


def _named(kind: str | None) -> str:
    """``kind`` as this table names it; what it does not know (another version's) is a missing answer."""
    kind = _SAME_AS.get(kind or "", kind or "")
    return kind if kind in FAILURES else "no-answer"
