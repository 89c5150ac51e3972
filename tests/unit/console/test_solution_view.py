import io
from typing import Any

import pytest
from rich.console import Console

from mathagent.console.solution_view import show_solution
from mathagent.types import Candidate, Check, Failure, Problem, Solution, Usage


def solution(**changes: Any) -> Solution:
    values: dict[str, Any] = {
        "problem": Problem(text="?"),
        "answer": "18",
        "confidence": 5 / 6,
        "confidence_basis": "4 of 4 samples agree; uncalibrated",
        "usage": Usage(calls=4, prompt_tokens=1812, completion_tokens=305, cached_calls=2),
        "strategy": "pal",
        "model": "script:x",
        "seconds": 3.24,
    }
    return Solution(**(values | changes))


def shown(value: Solution, **options: Any) -> str:
    out = io.StringIO()
    show_solution(Console(file=out, **options), value)
    return out.getvalue()


def check(outcome: Any) -> Check:
    return Check(kind="execution", program="1", expected="1", outcome=outcome)


def test_plain_lines_hold_answer_confidence_evidence_and_cost() -> None:
    assert shown(solution(certificate=(check("holds"),) * 4)).splitlines() == [
        "answer: 18",
        "confidence: 0.83 · 4 of 4 samples agree; uncalibrated",
        "evidence: 4 checks hold",
        "cost: 4 calls (2 cached) · 1,812 + 305 tokens · 3.2 s",
    ]


def test_a_terminal_gets_the_answer_in_bold_and_columns() -> None:
    text = shown(solution(), force_terminal=True, color_system="standard", width=80)
    assert "\x1b[1;32m18\x1b[0m" in text


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), "none that can be run again"),
        (("holds",), "1 check holds"),
        (("holds", "holds", "fails", "undecided"), "2 checks hold · 1 check fails · 1 check is undecided"),
    ],
)
def test_evidence_counts_outcomes(outcomes: tuple[str, ...], expected: str) -> None:
    text = shown(solution(certificate=tuple(check(one) for one in outcomes)))
    assert f"evidence: {expected}\n" in text


def test_without_an_answer_the_failures_are_counted_by_kind() -> None:
    failures = [("code-error", "NameError: x")] * 2 + [("truncated", "cut at 512 tokens")]
    candidates = tuple(Candidate(failure=Failure(kind=kind, message=text)) for kind, text in failures)  # type: ignore[arg-type]
    lines = shown(solution(answer=None, confidence=None, candidates=candidates)).splitlines()
    assert lines[:3] == ["answer: none", "failures: code-error 2 · truncated 1", "for example: NameError: x"]
    assert not any(line.startswith(("confidence", "evidence")) for line in lines)


@pytest.mark.parametrize(
    ("stopped", "detail", "line"),
    [
        ("budget", "the budget of 4 calls is used up", "stopped: the budget of 4 calls is used up"),
        ("interrupted", "", "stopped: interrupted"),
        ("error", "the endpoint\nbroke off", "stopped: error: the endpoint broke off"),
    ],
)
def test_it_says_why_it_stopped_unless_it_finished(stopped: str, detail: str, line: str) -> None:
    assert shown(solution(stopped=stopped, detail=detail)).splitlines()[-1] == line
    assert "stopped" not in shown(solution())


def test_a_latex_answer_is_readable_and_given_as_written() -> None:
    lines = shown(solution(answer=r"\frac{1}{2}")).splitlines()
    assert lines[:2] == ["answer: 1/2", r"as written: \frac{1}{2}"]


def test_a_hostile_answer_is_harmless() -> None:
    text = shown(solution(answer="\x1b[2J[red]18[/red]\u202e"), force_terminal=True, color_system=None, width=80)
    assert "\x1b" not in text
    assert "[red]18[/red]\\u202e" in text


def test_a_very_long_answer_is_whole() -> None:
    digits = "1234567890" * 500
    text = shown(solution(answer=digits), force_terminal=True, color_system=None, width=40)
    assert digits in "".join(line.removeprefix("answer").strip() for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= 40


def test_costs_say_when_all_calls_were_cached() -> None:
    assert "1 call (all cached)" in shown(solution(usage=Usage(calls=1, cached_calls=1)))


def test_an_abstained_answer_is_shown_as_unsure() -> None:
    lines = shown(solution(abstained=True, confidence=0.41)).splitlines()
    assert lines[:2] == [
        "unsure: 18",
        "confidence: 0.41, less than was asked for · 4 of 4 samples agree; uncalibrated",
    ]


def test_what_memory_was_shown_is_counted() -> None:
    assert "memory: 1 experience shown to the model" in shown(solution(recalled=("a",))).splitlines()
    assert "memory: 2 experiences shown to the model" in shown(solution(recalled=("a", "b"))).splitlines()
    assert "memory" not in shown(solution())
