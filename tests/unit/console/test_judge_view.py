"""What ``judge-bench`` prints: scores times 100, what is missing said in words, nothing cut on a narrow terminal."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from mathagent.console.judge_view import show_results
from mathagent.evals.process.evaluate import CriticResult
from mathagent.evals.process.mathcheck import MathCheckReport
from mathagent.evals.process.matrix import Matrix, Scored
from mathagent.evals.process.metrics import MrItem, mr_score, process_score
from mathagent.evals.process.report import MrReport, ProcessBenchReport


def printed(*results: CriticResult, width: int = 80) -> str:
    out = StringIO()
    show_results(Console(file=out, width=width), results)
    return out.getvalue()


def result(**given: Any) -> CriticResult:
    return CriticResult.model_validate(
        {"critic": "critic", "model": "script:x", "items": 20, "names_steps": True, **given}
    )


def processbench() -> ProcessBenchReport:
    references = ["step 2"] * 10 + ["correct"] * 10
    said = ["step 2"] * 6 + ["correct"] * 4 + ["correct"] * 8 + ["step 1"] * 2
    scores = {f"processbench:{name}": process_score(references, said) for name in ("gsm8k", "olympiadbench")}
    return ProcessBenchReport(
        subsets=scores,
        average_f1=0.685714,
        low=0.5,
        high=0.8,
        offsets={},
        by_position={},
        by_final_answer={},
        verdicts={},
    )


def test_processbench_fits_80_columns() -> None:
    text = printed(result(kind="processbench", processbench=processbench()))
    assert "ProcessBench · script:x" in text
    row = next(line for line in text.splitlines() if "olympiadbench" in line).split()
    assert row[:7] == ["critic", "olympiadbench", "10", "10", "60.0", "80.0", "68.6"]
    average = next(line for line in text.splitlines() if "average" in line).split()
    assert average == ["critic", "average", "68.6", "50.0–80.0"]
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines() if line.startswith("critic"))
    assert "…" not in text


def test_a_narrow_terminal_gets_whole_numbers() -> None:
    text = printed(result(kind="processbench", processbench=processbench()), width=50)
    assert "critic gsm8k: wrong 10, right 10, E 60.0, C 80.0, F1 68.6" in text
    assert "…" not in text


def test_what_to_know_is_said() -> None:
    text = printed(
        result(
            kind="processbench",
            processbench=processbench(),
            names_steps=False,
            errors=1,
            unreadable=2,
            missing=3,
        )
    )
    assert "names no step" in text
    assert "1 item could not be judged at all" in text
    assert "2 items got no readable judgement" in text
    assert "3 items left for later" in text


def test_mr_gsm8k_without_right_solutions() -> None:
    score = mr_score([MrItem(is_correct=False, verdict="incorrect", step_right=True)])
    text = printed(result(kind="mr-gsm8k", mr=MrReport(score=score, by_type={"original": score})))
    row = next(line for line in text.splitlines() if line.startswith("critic")).split()
    assert "all" in text
    assert row[0] == "critic"
    assert "only right, or only wrong, solutions are here" in text
    assert "--reason-judge names the model" in text
    assert "nan" not in text.lower()


def test_mathcheck_matrix_and_confusions() -> None:
    half = Scored(value=0.5)
    matrix = Matrix(
        rows=("seed", "distractor"),
        columns=("solving", "outcome_judging"),
        cells=((half, half), (half, Scored(value=None))),
        row_means=(half, Scored(value=None)),
        column_means=(half, Scored(value=None)),
        overall=Scored(value=None),
        groups=2,
    )
    report = MathCheckReport(
        matrix=matrix,
        metrics={"solving": "accuracy", "outcome_judging": "macro-F1"},
        solving_passed=1,
        solving_groups=2,
        checklist_passed=0,
        checklist_groups=0,
        confusions={"outcome_judging": {"correct": {"correct": 3, "unreadable": 1}, "incorrect": {}}},
    )
    text = printed(result(kind="mathcheck", critic="mathcheck", strategy="cot", mathcheck=report))
    assert "mathcheck, solved by cot" in text
    assert next(line for line in text.splitlines() if line.startswith("distractor")).split() == [
        "distractor",
        "50.0",
        "-",
        "-",
    ]
    assert "solved in all four variants: 1 of 2 (50.0)" in text
    assert "every check" not in text
    assert "outcome: correct called correct 3, unreadable 1; incorrect called nothing" in text
