"""Towers of powers and floods from many threads do the grader no harm: each verdict is right, or "undecided"."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mathagent import _sync
from mathagent.answers.compare import AnswerComparer
from mathagent.answers.equality import compare_fast
from mathagent.evals.grader import Grader
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.types import Problem

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process sandbox is Linux's")

TOWERS = [
    "9^9^9^9",
    "9^{9^{9^{9}}}",
    "9**9**9**9",
    "10^(10^10)",
    r"10^{10^{10^{10}}}",
    "5^(5^(5^(5^5)))",
    r"\left(10^{10}\right)^{10^{10}}",
    "(30!)!",
    "((5!)!)!",
    "(2004!)!",
    "99999999!",
    r"\frac{1}{9^{9^{9}}}",
    "9^{9^{9}}+x",
    r"\sqrt{9^{9^{9}}}",
    r"\sin(10^{10^{10}})",
    "(1, 9^{9^{9}})",
]
SLOW_TOWERS = [r"\sum_{k=1}^{10^{9}} k^{k^{k}}", r"x^{x^{x^{9999999999}}}"]
"""These are not recognised as such: they are met by the deadline."""
NEIGHBOURS = [
    ("(x+1)^2", "x^2+2x+1", "correct"),
    (r"\sqrt{8}", r"2\sqrt{2}", "correct"),
    ("x^2", "x^3", "incorrect"),
]
THREADS = 16
EACH = 20


@pytest.fixture
def grader() -> Iterator[Grader]:
    """A grader on mathagent's own loop, as the synchronous interface uses it."""

    async def opened() -> ConfinedCalls:
        return ConfinedCalls()

    calls = _sync.run(opened())
    yield Grader(AnswerComparer(calls.call, timeout_s=10))
    _sync.run(calls.aclose())


def outcome(grader: Grader, answer: str, reference: str) -> str:
    return _sync.run(grader.grade(answer, Problem(text="?", reference=reference))).outcome


@pytest.mark.parametrize("tower", TOWERS)
def test_a_tower_is_known_for_one_without_being_evaluated(tower: str) -> None:
    for other in ("x+7", r"\sqrt{2}", "9^{9^{9^{8}}}"):
        judgement = compare_fast(tower, other)
        assert judgement is not None
        assert judgement.verdict != "equal"
    same = compare_fast(tower, f"${tower}$")
    assert same is not None
    assert same.verdict == "equal"


def test_towers_and_their_neighbours(grader: Grader) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def all_at_once() -> list[str]:
        pairs = [(tower, "x+7") for tower in (*TOWERS, *SLOW_TOWERS)]
        pairs[3:3] = pairs[9:9] = [(answer, reference) for answer, reference, _ in NEIGHBOURS]
        grades = await asyncio.gather(*(grader.grade(a, Problem(text="?", reference=b)) for a, b in pairs))
        outcomes = {pair: grade.outcome for pair, grade in zip(pairs, grades, strict=True)}
        assert all(outcomes[tower, "x+7"] != "correct" for tower in (*TOWERS, *SLOW_TOWERS))
        return [outcomes[answer, reference] for answer, reference, _ in NEIGHBOURS]

    assert _sync.run(all_at_once()) == [right for _, _, right in NEIGHBOURS]
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 100_000, "a tower was evaluated in this process"


def test_a_flood_from_many_threads(grader: Grader) -> None:
    """Signals and alarms, with which others bound their time, exist in a main thread only (Math-Verify #11, #50)."""

    def flood(thread: int) -> list[tuple[str, str]]:
        wrong = []
        for i in range(EACH):
            n = thread * EACH + i + 2
            for answer, reference, right in (
                (f"{n}/{2 * n}", "0.5", "correct"),
                (f"{n}", f"{n + 1}", "incorrect"),
                (TOWERS[n % 10], f"{n}", "undecided"),
                (f"(x+{n % 5})^2", f"x^2+{2 * (n % 5)}x+{(n % 5) ** 2}", "correct"),
                (f"x+{n % 7}", f"x+{n % 7 + 1}", "incorrect"),
            ):
                found = outcome(grader, answer, reference)
                if found != right:
                    wrong.append((f"{answer} | {reference}", found))
        return wrong

    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(flood, range(THREADS)))
    assert [item for wrong in found for item in wrong] == []


def test_the_fast_half_in_many_threads() -> None:
    def flood(thread: int) -> bool:
        return all(
            compare_fast(rf"\frac{{{n}}}{{{n + 1}}}", f"{2 * n}/{2 * n + 2}") == ("equal", "same normal form")
            and compare_fast(TOWERS[n % 10], f"{n}") is not None
            for n in range(thread, thread + 100)
        )

    with ThreadPoolExecutor(THREADS) as threads:
        assert all(threads.map(flood, range(THREADS)))
