"""The test tables of public graders: our verdict on every item is the one that the table and the docs say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from mathagent.answers.compare import AnswerComparer
from mathagent.answers.equality import compare
from mathagent.evals.grader import Grader
from mathagent.types import Problem

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "grader_tables.py"


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("grader_tables", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = _script()
CASES = [
    pytest.param(case, id=f"{name}-{number}")
    for name, table in TABLES.tables().items()
    for number, case in enumerate(table["case"])
]


async def in_process(function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
    a, b, lenient = args
    return [*compare(str(a), str(b), bool(lenient))]


@pytest.mark.parametrize("case", CASES)
async def test_verdict(case: dict[str, Any]) -> None:
    problem = Problem(text="?", reference=case["reference"])
    grade = await Grader(AnswerComparer(in_process)).grade(case["answer"], problem)
    assert grade.outcome == TABLES.verdict(case), grade.reason


@pytest.mark.parametrize("case", CASES)
def test_a_verdict_of_our_own_is_explained(case: dict[str, Any]) -> None:
    differs = TABLES.verdict(case) != ("correct" if case["equal"] else "incorrect")
    assert differs == bool(case.get("why"))
    assert differs == ("ours" in case)


def test_the_page_in_docs_is_what_the_tables_say() -> None:
    assert TABLES.PAGE.read_text(encoding="utf-8") == TABLES.page()
