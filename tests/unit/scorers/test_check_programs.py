"""What the programs of checks look like, and that anyone can run them. Their outcomes are in test_checks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mathagent.scorers.check_programs import build_check
from mathagent.scorers.check_proposals import BruteForce, CheckProposals, Numeric, Recomputation, Substitution
from mathagent.types import Problem
from tests.unit.scorers.test_checks import RIGHT_AND_WRONG

RUN_ALL = """
import ast, json, sys
for program in json.load(sys.stdin):
    tree, scope = ast.parse(program), {}
    last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "check", "exec"), scope)
    print(eval(compile(last, "check", "eval"), scope))
"""


def test_programs_run_outside_mathagent(tmp_path: Path) -> None:
    problems = [one if isinstance(one, Problem) else Problem(text=one) for _, one, _, _ in RIGHT_AND_WRONG]
    built = [
        build_check(proposal, problem, right)
        for (proposal, _, right, _), problem in zip(RIGHT_AND_WRONG, problems, strict=True)
    ]
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN_ALL],
        input=json.dumps([one.program for one in built]),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    values = [float(value) if value not in ("True", "False") else value for value in done.stdout.split()]
    assert values == ["True" if one.expected == "True" else float(one.expected) for one in built]


def test_a_substitution_reads_like_the_problem() -> None:
    proposal = Substitution(equations=("x + y = 10", "x - y = 2"), asked="x")
    built = build_check(proposal, Problem(text="?"), "6")
    assert built.claim == "x = 6 satisfies x + y = 10; x - y = 2"
    assert built.program.splitlines() == [
        "import sympy",
        "x, y = sympy.symbols('x y', real=True)",
        "answer = 6",
        "equations = [  # each must be zero",
        "    x + y - (10),",
        "    x - y - (2),",
        "]",
        "bound = [sympy.S(one).subs({x: answer}) for one in equations]",
        "remaining = [one for one in bound if sympy.simplify(one) != 0]",
        "not remaining or len(sympy.solve(remaining, [y], dict=True)) > 0",
    ]


def test_names_of_the_template_do_not_clash_with_the_problems() -> None:
    proposal = Substitution(equations=("bound + answer = 10", "bound = 4"), asked="answer")
    built = build_check(proposal, Problem(text="?"), "6")
    assert "answer_, bound_ = sympy.symbols('answer_ bound_', real=True)" in built.program
    assert "answer = 6" in built.program.splitlines()


def test_claims_are_short_and_of_one_line() -> None:
    proposal = Recomputation(program="1 + 1")
    built = build_check(proposal, Problem(text="?", choices=("x\n" * 300, "y")), "A")
    assert len(built.claim) <= 200
    assert "\n" not in built.claim


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (BruteForce, {"condition": "n > 1", "low": 5, "high": 5, "asks": "count"}),
        (BruteForce, {"condition": "n > 1", "high": 10**7, "asks": "count"}),
        (BruteForce, {"condition": "n > 1", "high": 9, "asks": "any"}),
        (Numeric, {"left": "answer", "right": "x", "low": 3, "high": 3}),
        (Substitution, {"equations": (), "asked": "x"}),
        (CheckProposals, {"checks": ({"kind": "agreement", "program": "1 + 1"},)}),
        (CheckProposals, {"checks": ({"kind": "execution", "program": "1 + 1"},)}),
    ],
)
def test_proposals_out_of_bounds_are_refused(kind: type, fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate(fields)  # type: ignore[attr-defined]


def test_a_verifiers_reply() -> None:
    reply = {
        "checks": [
            {"kind": "substitution", "equations": ["x + 1 = 5"], "asked": "x"},
            {"kind": "domain", "integer": True, "minimum": 0, "maximum": None, "count": None},
        ]
    }
    assert [one.kind for one in CheckProposals.model_validate(reply).checks] == ["substitution", "domain"]
