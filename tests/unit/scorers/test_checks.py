"""Each kind of check on right and on wrong answers, in a real sandbox; what always passes; what misbehaves."""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from mathagent.answers.compare import AnswerComparer
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.scorers.check_programs import build_check
from mathagent.scorers.check_proposals import (
    Agreement,
    BruteForce,
    Dimension,
    Domain,
    Numeric,
    Proposal,
    Recomputation,
    Reverse,
    Substitution,
)
from mathagent.scorers.checks import judge, run_certificate, run_check, run_checks
from mathagent.types import Check, Problem, Solution
from tests.unit.scorers.conftest import Make

pytestmark = pytest.mark.asyncio(loop_scope="module")

DUCKS = "16 eggs a day, 3 are eaten, 4 baked, the others sold at $2 each. How much does she make?"
ROUND = "3x is 10. Round x to the nearest hundredth."
CHOICES = Problem(text="x + 1 = 5. What is x?", choices=("3", "4", "5"))
SYSTEM = ("x + y = 10", "x - y = 2")

RIGHT_AND_WRONG: list[tuple[Proposal, str | Problem, str, str]] = [
    (Substitution(equations=SYSTEM, asked="x"), "?", "6", "5"),
    (Substitution(equations=SYSTEM, asked="x*y"), "?", "24", "25"),
    (Substitution(equations=SYSTEM, asked="x, y"), "?", "(6, 4)", "(4, 6)"),
    (Substitution(equations=("answer + 3 = 10",), asked="answer"), "?", "7", "4"),
    (Substitution(equations=("x^2 = 3",), asked="x"), "?", "\\sqrt{3}", "\\sqrt{2}"),
    (Substitution(equations=("x^2 + 1 = 0",), asked="x"), "?", "i", "-1"),
    (Substitution(equations=("3x = 10",), asked="x"), ROUND, "3.33", "3.34"),
    (Substitution(equations=("3x = y", "y = 10"), asked="x"), ROUND, "3.33", "3.34"),
    (Substitution(equations=("x + 1 = 5",), asked="x"), CHOICES, "B", "C"),
    (Substitution(equations=("x^2 - 5x + 6 = 0",), asked="x"), "x^2 + 6 is 5x.", "2, 3", "2, 4"),
    (Substitution(equations=("y - 2x = 1",), asked="y"), "?", "2x + 1", "2x - 1"),
    (Substitution(equations=("x*y = 6*y", "y = 3"), asked="x"), "xy is 6y.", "6", "5"),
    (Substitution(equations=("one + step = 10", "step = 4"), asked="one"), "?", "6", "5"),
    (Substitution(equations=("len + any = 10", "any = 4"), asked="len"), "?", "6", "5"),
    (Reverse(quantity="5", program="answer / 35"), "Thirty-five boxes hold 5 pens each.", "175", "170"),
    (Numeric(left="answer", right="diff(x**3, x)"), "?", "3x^2", "3x^2 + 1"),
    (Numeric(left="answer", right="binomial(n, 2)"), "?", "\\frac{n(n-1)}{2}", "n^2"),
    (Numeric(left="answer", right="integrate(x**2, (x, 0, 3))"), "?", "9", "8"),
    (BruteForce(condition="n % 4 == 0 and n % 6 == 0", high=100, asks="smallest"), "By 4 and by 6", "12", "24"),
    (BruteForce(condition="n**2 < 200", high=100, asks="largest"), "n^2 below 200", "14", "15"),
    (BruteForce(condition="isprime(n)", high=100, asks="count"), "?", "25", "24"),
    (BruteForce(condition="n % 2", high=9, low=0, asks="sum"), "?", "25", "24"),
    (BruteForce(condition="n**2 == 144", high=100, asks="only"), "Its square is 144.", "12", "13"),
    (Domain(integer=True, minimum=0), "?", "12", "2.5"),
    (Domain(minimum=0, maximum=1), "?", "\\frac{1}{6}", "7/6"),
    (Domain(count=2), "?", "1, 2", "1"),
    (Dimension(unit="square miles"), "?", "12 cm^2", "12 cm"),
    (Reverse(quantity="$2", program="answer / (16 - 3 - 4)"), DUCKS, "18", "20"),
    (Reverse(quantity="16 eggs", program="sold = answer / 2\nprint(sold + 3 + 4)"), DUCKS, "18", "20"),
    (Recomputation(program="eggs = 16\nleft = eggs - 3 - 4\nprint(left * 2)"), DUCKS, "18", "9"),
    (Agreement(program="def solution():\n    return 2 * (16 - 7)", source="sample 3"), DUCKS, "18", "9"),
    (Recomputation(program="2 + 2"), CHOICES, "B", "C"),
]


@pytest.mark.parametrize(("proposal", "problem", "right", "wrong"), RIGHT_AND_WRONG)
async def test_holds_for_the_right_answer_and_fails_for_a_wrong_one(
    make: Make, proposal: Proposal, problem: str | Problem, right: str, wrong: str
) -> None:
    held = await make(proposal, right, problem)
    assert (held.outcome, held.reason) == ("holds", "")
    assert held.kind == proposal.kind
    assert held.claim
    assert held.seconds > 0
    if proposal.kind not in ("recomputation", "agreement"):
        assert len(held.mutations) >= 3
        assert any(one.outcome == "fails" for one in held.mutations)
    failed = await make(proposal, wrong, problem)
    assert failed.outcome == "fails"
    assert failed.reason.startswith("the program gives")
    assert failed.mutations == ()


@pytest.mark.parametrize(
    ("proposal", "answer", "passing"),
    [
        (Substitution(equations=("x + y = 10",), asked="x"), "6", "7, 5, 12"),
        (Substitution(equations=("x - x = 0",), asked="x"), "6", "7, 5, 12"),
        (Numeric(left="answer", right="answer"), "6", "7, 5, 12"),
        (Numeric(left="diff(answer, x)", right="2*x"), "x^2 + C", "+ 1"),
        (Reverse(quantity="16", program="16 + answer * 0"), "18", "19, 17, 36"),
        (Reverse(quantity="16", program="min(answer, 16)"), "18", "19, 17, 36"),
        (BruteForce(condition="n % 2 == 0", high=10, asks="count"), "5", ""),
    ],
)
async def test_what_holds_for_other_answers_too_is_undecided(
    make: Make, proposal: Proposal, answer: str, passing: str
) -> None:
    check = await make(proposal, answer, DUCKS)
    if not passing:  # a check that tells answers apart, for contrast
        assert check.outcome == "holds"
        return
    assert check.outcome == "undecided"
    assert check.reason.startswith("it holds for other answers as well: ")
    assert passing in check.reason
    assert 2 * sum(one.outcome == "holds" for one in check.mutations) >= len(check.mutations)


async def test_a_domain_that_allows_everything_is_undecided(make: Make) -> None:
    check = await make(Domain(minimum=-(10**9), maximum=10**9), "5")
    assert (check.outcome, check.reason) == ("undecided", "it holds for answers of every kind")
    assert (await make(Domain(), "5")).reason == "the domain allows every answer"


@pytest.mark.parametrize(
    ("proposal", "answer", "reason"),
    [
        (Reverse(quantity="16", program="answer / 0"), "18", "ZeroDivisionError"),
        (Reverse(quantity="16", program="undefined_name + answer"), "18", "NameError"),
        (Reverse(quantity="16", program="answer and None"), "18", "no value"),
        (Reverse(quantity="16", program="object() if answer else 1"), "18", "is no answer"),
        (Reverse(quantity="16", program="16 * 3 / answer * 1.1"), "3.31", "nearly 16"),
        (Reverse(quantity="17", program="answer - 1"), "18", "does not state 17"),
        (Reverse(quantity="3 of 4", program="answer - 15"), "18", "not one number"),
        (Reverse(quantity="16", program="answer"), "x + 1", "holds variables"),
        (Reverse(quantity="16", program="-" * 5000 + "answer"), "18", ""),
        (Substitution(equations=("-" * 480 + "x = 1",), asked="x"), "1", ""),
        (Substitution(equations=("x + y = 1",), asked="x, y"), "1, 2, 3", "ask for 2 values, the answer has 3"),
        (Substitution(equations=("x + y = 1",), asked="x"), "1, 2", "several answers"),
        (Substitution(equations=("5*x + 6*y = 14",), asked="y"), "16", "which the problem does not state"),
        (Reverse(quantity="16", program="answer / 2 + 17 - 10"), "18", "uses 17"),
        (BruteForce(condition="n > 0 or True", high=9, asks="count"), "5", "holds for every number tried"),
        (BruteForce(condition="n > 16", high=9, asks="count"), "5", "or for none"),
        (BruteForce(condition="n % 7 == 3", high=9, asks="largest"), "10", "not between 1 and 9"),
        (BruteForce(condition="n == 12", high=99, asks="only"), "12", "compares with the answer itself"),
        (Domain(integer=True), "x + 1", "no number"),
        (Dimension(unit="cm"), "5", "no unit"),
        (Dimension(unit="sheep"), "5 cm", "sheep"),
        (Substitution(equations=("x/0 = 3",), asked="x"), "6", ""),
        (Recomputation(program="while True: pass\n1"), "18", "stopped"),
        (Recomputation(program="import sympy\nsympy.Symbol('x') * (16 - 7)"), "18", ""),
    ],
)
async def test_what_cannot_be_decided_says_why(make: Make, proposal: Proposal, answer: str, reason: str) -> None:
    check = await make(proposal, answer, DUCKS, Limits(timeout_s=1, cpu_s=1))
    if not reason:
        assert check.outcome != "holds"
        return
    assert check.outcome == "undecided"
    assert reason in check.reason


async def test_hostile_programs_run_in_the_sandbox_only(make: Make, tmp_path: Path) -> None:
    here = tmp_path / "owned"
    write = f"import pathlib\npathlib.Path({str(here)!r}).write_text('x')\n"
    for program in (f"{write}(16 - 7) * 2", f"{write}answer / 2 + 7"):
        await make(Recomputation(program=program), "18", DUCKS)
        await make(Reverse(quantity="16", program=program), "18", DUCKS)
    await make(
        BruteForce(condition=f"def holds(n):\n    {write.replace(chr(10), '; ')} n > 3", high=9, asks="count"), "6"
    )
    if sys.platform == "linux":
        assert not here.exists()
    for text in (f"__import__('pathlib').Path({str(here)!r}).touch() = x", "open('/etc/passwd') = x"):
        assert build_check(Substitution(equations=(text,), asked="x"), Problem(text="?"), "3").program == ""


async def test_many_at_once_and_a_repeated_program(sandbox: Sandbox, comparer: AnswerComparer) -> None:
    problem = Problem(text=DUCKS)
    program = "(16 - 3 - 4) * 2"
    own = Check(kind="execution", program=program, expected="18", outcome="fails")
    proposals = [
        Reverse(quantity="16", program="answer / 2 + 3 + 4"),
        Agreement(program=f"# the same program\n{program}"),
        Agreement(program="2 * (16 - 7)"),
        Recomputation(program="import time\ntime.sleep(0.5)\n(16 - 7) * 2"),
        Recomputation(program="import time\ntime.sleep(0.5)\n(16 - 7) * 2 + 0"),
    ]
    heard: list[Check] = []
    checks = [own, *(build_check(one, problem, "18") for one in proposals)]
    started = time.perf_counter()
    done = await run_checks(sandbox, comparer, checks, problem=problem, on_check=heard.append)
    assert time.perf_counter() - started < 60
    assert [one.outcome for one in done] == ["holds", "holds", "undecided", "holds", "holds", "holds"]
    assert "another check" in done[2].reason
    assert len(heard) == len(done)
    [repeated] = await run_checks(sandbox, comparer, [checks[2]], problem=problem, known=[own])
    assert repeated.outcome == "undecided"


async def test_programs_of_two_candidates_support_each_other(sandbox: Sandbox, comparer: AnswerComparer) -> None:
    problem = Problem(text=DUCKS)
    programs = ("(16 - 3 - 4) * 2", "2 * (16 - 7)")
    own = [Check(kind="execution", program=one, expected="18", outcome="undecided") for one in programs]
    theirs = [build_check(Agreement(program=one), problem, "18") for one in (*programs, programs[0])]
    done = await run_checks(sandbox, comparer, [*own, *theirs], problem=problem)
    assert [one.outcome for one in done] == ["holds", "holds", "holds", "holds", "undecided"]


async def test_stored_outcomes_are_not_believed(sandbox: Sandbox, comparer: AnswerComparer) -> None:
    problem = Problem(text=DUCKS)
    good = build_check(Reverse(quantity="16", program="answer / 2 + 3 + 4"), problem, "18")
    about_another = build_check(Reverse(quantity="16", program="answer / 2 + 3 + 3"), problem, "20")
    certificate = (
        good.model_copy(update={"outcome": "fails", "reason": "lies"}),
        about_another.model_copy(update={"outcome": "holds"}),
        Check(kind="execution", program="1 + 1", expected="2", outcome="holds"),
        Check(kind="recomputation", program="1 + 1", expected="18", outcome="holds"),
        Check(kind="substitution", program="answer = 18\nbool(answer)", expected="True", outcome="holds"),
        Check(kind="substitution", program="True", expected="True", outcome="holds"),
        Check(kind="reverse", program="", expected="", outcome="holds", reason="it was never built"),
        Check(kind="execution", program="print((16 - 7) * 2)", expected="18", outcome="undecided"),
        Check(kind="reverse", program="answer = 36/2\nanswer / 2 + 7", expected="16", outcome="holds"),
    )
    solution = Solution(
        problem=problem,
        answer="18",
        confidence=None,
        confidence_basis="",
        certificate=certificate,
        strategy="pal",
        model="script:x",
    )
    done = await run_certificate(sandbox, comparer, solution)
    assert [one.outcome for one in done] == [
        *("holds", "undecided", "undecided", "fails", "undecided", "undecided", "undecided", "holds", "holds"),
    ]
    assert "about the answer 20" in done[1].reason
    assert "about the answer 2" in done[2].reason
    assert "other answers" in done[4].reason
    assert "binds no answer" in done[5].reason
    unanswered = solution.model_copy(update={"answer": None})
    assert {one.outcome for one in await run_certificate(sandbox, comparer, unanswered)} == {"undecided"}


@given(
    root=st.fractions(min_value=-50, max_value=50, max_denominator=8),
    other=st.fractions(min_value=-50, max_value=50, max_denominator=8),
    factor=st.integers(-9, 9).filter(bool),
    off=st.fractions(min_value=-20, max_value=20, max_denominator=8).filter(bool),
    quadratic=st.booleans(),
)
@with_settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_substitution_into_random_equations(
    make: Make, root: Fraction, other: Fraction, factor: int, off: Fraction, quadratic: bool
) -> None:
    if quadratic:
        equation = f"{factor}*x^2 + ({-factor * (root + other)})*x + ({factor * root * other}) = 0"
    else:
        equation = f"{factor}*x + ({off}) = {factor * root + off}"
    proposal = Substitution(equations=(equation,), asked="x")
    held = await make(proposal, str(root), equation)
    assert (held.outcome, held.reason) == ("holds", "")
    perturbed = root + off
    if not (quadratic and perturbed == other):
        assert (await make(proposal, str(perturbed), equation)).outcome == "fails"


def check(kind: str, outcome: str) -> Check:
    return Check.model_validate({"kind": kind, "program": "1", "expected": "1", "outcome": outcome})


@pytest.mark.parametrize(
    ("outcomes", "judgement"),
    [
        ([], "unsure"),
        ([("execution", "holds"), ("domain", "holds")], "unsure"),
        ([("reverse", "undecided")], "unsure"),
        ([("reverse", "holds"), ("execution", "holds")], "correct"),
        ([("reverse", "holds"), ("numeric", "undecided")], "correct"),
        ([("reverse", "holds"), ("substitution", "fails")], "unsure"),
        ([("domain", "fails"), ("execution", "holds")], "incorrect"),
        ([("substitution", "fails")], "incorrect"),
    ],
)
async def test_verdict(outcomes: list[tuple[str, str]], judgement: str) -> None:
    checks = [check(*one) for one in outcomes]
    verdict = judge(checks)
    assert verdict.judgement == judgement
    assert verdict.checks == tuple(checks)
    assert verdict.reason


async def test_run_check_leaves_the_checks_own_words_alone(sandbox: Sandbox, comparer: AnswerComparer) -> None:
    given_check = Check(
        kind="execution",
        program="6 * 7",
        expected="42",
        outcome="fails",
        claim="it is 42",
        seconds=99,
        reason="no",
    )
    done = await run_check(sandbox, comparer, given_check, problem=Problem(text="What is 6*7?"))
    assert (done.claim, done.expected, done.outcome, done.reason) == ("it is 42", "42", "holds", "")
    assert done.seconds < 99
