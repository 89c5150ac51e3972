"""Checks that could not fail are refused before they run, by the program's text alone."""

from __future__ import annotations

from typing import Any

import pytest

from mathagent.scorers.check_programs import build_check
from mathagent.scorers.check_proposals import Agreement, BruteForce, Numeric, Recomputation, Reverse, Substitution
from mathagent.scorers.printed_programs import valued_by_print
from mathagent.scorers.vacuity import objection
from mathagent.types import Check, Problem

DUCKS = Problem(text="16 eggs a day, three are eaten, 4 baked, the others sold at $2 each. What does she make?")


HUGE = f"0x{'f' * 5000}"
"""Python parses it, and refuses to write it in decimals."""


def check(kind: Any, program: str, expected: str = "True") -> Check:
    return Check(kind=kind, program=program, expected=expected, outcome="undecided")


@pytest.mark.parametrize(
    "good",
    [
        check("reverse", "answer = 18\nanswer / 2 + 3 + 4", "16"),
        check("reverse", "answer = 18\nsold = answer / 2\nsold + 3 + 4", "16"),
        check("reverse", "answer = 4\nanswer * 3 + 4", "16"),  # the problem has a 4 of its own
        check("recomputation", "(16 - 3 - 4) * 2", "18"),
        check("recomputation", "eggs = 16\nfor used in (3, 4):\n    eggs -= used\neggs * 2", "18"),
        check("execution", "def solution():\n    return (16 - 7) * 2\nsolution()", "18"),
        check("agreement", valued_by_print("print((16 - 7) * 2)"), "18"),
        check("execution", "def solution():\n    return 18 * 1\nsolution()", "18"),  # weak in any case
    ],
)
def test_good_ones_pass(good: Check) -> None:
    assert objection(good, DUCKS) is None


@pytest.mark.parametrize(
    ("vacuous", "why"),
    [
        (check("reverse", "18 / 2 + 7", "16"), "binds no answer"),
        (check("reverse", "answer = 18\n9 + 7", "16"), "does not use the answer"),
        (check("reverse", "answer = 18\nanswer = 20\nanswer - 4", "16"), "another value"),
        (check("reverse", "answer = 18\nfor answer in [20]: pass\nanswer - 4", "16"), "another value"),
        (check("reverse", "answer = 18\nanswer - 1", "17"), "does not state 17"),
        (check("reverse", "answer = 18\n16 if answer == 18 else 0", "16"), "compares with the answer itself"),
        (check("reverse", "answer = 18\n{18: 16}[answer]", "16"), "holds the answer"),
        (check("reverse", "answer = -18\n{-18: 16}[answer]", "16"), "holds the answer"),
        (check("recomputation", "18", "18"), "computes nothing"),
        (check("recomputation", "result = 18\nprint(result)\nresult", "18"), "computes nothing"),
        (check("recomputation", "def solution():\n    return 18\nsolution()", "18"), "computes nothing"),
        (check("recomputation", "18 + 0 * 16", "18"), "holds the answer 18"),
        (check("recomputation", "float('18') * 1", "18"), "holds the answer 18"),
        (check("agreement", "18 + 0 * 16", "18"), "holds the answer 18"),
        (check("execution", "18", "18"), "computes nothing"),
        (check("agreement", valued_by_print("print(18)"), "18"), "computes nothing"),
        (check("agreement", valued_by_print("eggs = 16 - 7\nprint('so', 18)"), "18"), "holds the answer 18"),
        (check("recomputation", f"{HUGE} * 2", "18"), "thousands of digits"),
        (check("reverse", f"answer = 18\nanswer * {HUGE}", "16"), "thousands of digits"),
        (check("substitution", "answer = 6\nanswer == 6"), "compares with the answer itself"),
        (check("numeric", "answer = 6\nsides = [answer, 6]\nsides[0] == sides[1]"), "holds the answer"),
        (check("numeric", "no python", "True"), "no Python"),
    ],
)
def test_vacuous_ones_are_refused(vacuous: Check, why: str) -> None:
    assert why in (objection(vacuous, DUCKS) or "")


@pytest.mark.parametrize(
    ("proposal", "answer", "why"),
    [
        (Substitution(equations=("y + 3 = 10",), asked="x"), "7", "no equation mentions x"),
        (Substitution(equations=("x = 7", "x + 3 = 10"), asked="x"), "7", "states x itself"),
        (Substitution(equations=("x + 3",), asked="x"), "7", "not an equation"),
        (Substitution(equations=("x + 3 = 10",), asked="5"), "7", "names nothing"),
        (Substitution(equations=("x + 3 = 10",), asked="x"), "Tuesday", "word"),
        (Numeric(left="answer", right="7"), "7", "states the answer"),
        (Numeric(left="os.system", right="answer"), "7", "cannot be read"),
        (Reverse(quantity="16", program="for i in range(3): pass"), "7", "does not end in a value"),
        (Recomputation(program="(("), "7", "no Python"),
        (Agreement(program=""" """), "7", "empty"),
        (Recomputation(program=f"print({HUGE})"), "7", "thousands of digits"),
        (BruteForce(condition=f"n == {HUGE}", high=9, asks="only"), "7", "thousands of digits"),
    ],
)
def test_what_cannot_be_built_is_an_undecided_check_with_a_reason(proposal: Any, answer: str, why: str) -> None:
    built = build_check(proposal, DUCKS, answer)
    assert built.outcome == "undecided"
    assert built.program == ""
    assert why in built.reason
