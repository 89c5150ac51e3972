"""AnswerComparer: equality of answers for voting and grading, with time limits and a memory of its verdicts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol, cast

from pydantic import JsonValue

from mathagent.answers.equality import Judgement, Verdict, compare_fast
from mathagent.answers.rational import exact_value
from mathagent.errors import WorkerError
from mathagent.types import Answer, Value

TIMEOUT_S = 5.0
MEMO_SIZE = 20_000
_COMPARE = "mathagent.answers.equality:compare"
_PROBE = "mathagent.answers.equality:probe"


class Caller(Protocol):
    """Runs a named function in a process that is killed at the deadline: ``CallPool.call``."""

    async def __call__(self, function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
        """Raises WorkerError where the call fails or runs past ``timeout_s``."""
        ...


class Comparison(Value):
    """Whether two answers are the same, why, and the wall-clock seconds it took (0 from memory)."""

    verdict: Verdict
    reason: str
    seconds: float = 0.0


class AnswerComparer:
    """Compares answers: plain ones here and now, the others through ``caller`` with ``timeout_s`` seconds each.

    Verdicts are symmetric, and a missing answer equals nothing. A comparison that fails or runs out of time is
    "undecided". Never raises for any text.
    """

    def __init__(self, caller: Caller, *, timeout_s: float = TIMEOUT_S) -> None:
        self._caller, self._timeout_s = caller, timeout_s
        self._memo: dict[tuple[str, str, bool], Comparison] = {}
        self._unreadable: dict[str, bool] = {}

    async def equal(self, a: str | Answer | None, b: str | Answer | None, *, lenient: bool = False) -> Comparison:
        """Whether ``a`` and ``b`` are the same answer. ``lenient`` is for grading only (see ``matching``)."""
        started = time.perf_counter()
        first, second = sorted((_text(a), _text(b)))
        known = self._memo.get((first, second, lenient))
        if known is not None:
            return known.model_copy(update={"seconds": 0.0})
        judgement = compare_fast(first, second, lenient=lenient)
        lasting = True
        if judgement is None:
            judgement, lasting = await self._ask(first, second, lenient)
        seconds = time.perf_counter() - started
        comparison = Comparison(verdict=judgement.verdict, reason=judgement.reason, seconds=seconds)
        if lasting:
            if len(self._memo) >= MEMO_SIZE:
                self._memo.clear()
            self._memo[first, second, lenient] = comparison
        return comparison

    async def equivalence_classes(self, answers: Sequence[Answer | None]) -> list[list[int]]:
        """Indices of equal answers, class by class in order of first appearance; a class's first is its delegate.

        Each answer joins the first class whose delegate it equals, so classes are disjoint whatever the comparisons
        say. A missing answer is in no class; "undecided" counts as different.
        """
        classes: list[list[int]] = []
        places: dict[str, int] = {}
        for index, answer in enumerate(answers):
            if answer is None or not answer.normal:
                continue
            keys = _keys(answer)
            place = next((places[key] for key in keys if key in places), None)
            if place is None:
                place = await self._place(answer, answers, classes)
            if place == len(classes):
                classes.append([])
                # Keys name delegates only: two members of a class need not equal the same third answer.
                places.update(dict.fromkeys(keys, place))
            classes[place].append(index)
        return classes

    async def _place(self, answer: Answer, answers: Sequence[Answer | None], classes: list[list[int]]) -> int:
        for place, members in enumerate(classes):
            if (await self.equal(answer, answers[members[0]])).verdict == "equal":
                return place
        return len(classes)

    async def _ask(self, first: str, second: str, lenient: bool) -> tuple[Judgement, bool]:
        """The worker's judgement, and whether it would be the same another time."""
        for text in (first, second):
            if self._unreadable.get(text):
                return Judgement("undecided", f"{_short(text)} cannot be evaluated in {self._timeout_s:g} s"), True
        try:
            answer = await self._caller(_COMPARE, first, second, lenient, timeout_s=self._timeout_s)
        except WorkerError as error:
            if error.timed_out:
                await self._blame(first, second)
            return Judgement("undecided", str(error)), error.timed_out
        verdict, reason = cast("list[Verdict]", answer)
        return Judgement(verdict, reason), True

    async def _blame(self, *texts: str) -> None:
        """Finds which of two texts took too long, so that it is not waited for again with every other answer."""
        for text in texts:
            if text in self._unreadable:
                continue
            try:
                await self._caller(_PROBE, text, timeout_s=self._timeout_s / 2)
                self._unreadable[text] = False
            except WorkerError as error:
                self._unreadable[text] = error.timed_out


def _text(answer: str | Answer | None) -> str:
    if isinstance(answer, Answer):
        return answer.normal
    return answer or ""


def _keys(answer: Answer) -> list[str]:
    value = exact_value(answer.normal)
    return [answer.normal] if value is None else [answer.normal, f"={value}"]


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
