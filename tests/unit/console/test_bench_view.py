"""What a person sees of a benchmark: plain lines where nothing can be redrawn, rows that fit, numbers never cut."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mathagent.console.bench_view import ArmLine, BenchProgress, show_summaries
from mathagent.console.bench_words import (
    clock_words,
    count_words,
    dollar_words,
    failure_words,
    rate_words,
    shortened,
)
from mathagent.console.report_words import without_seconds
from mathagent.evals.metrics import summarize
from mathagent.evals.records import Record
from mathagent.types import Usage


def record(number: int, outcome: str = "correct", **changes: object) -> Record:
    values = {
        "key": f"k{number}",
        "dataset": "gsm8k",
        "problem_id": f"p{number}",
        "item_hash": f"h{number}",
        "strategy": "self-consistency",
        "config": {},
        "model": "openai:gpt-4o-mini",
        "reference": "1",
        "answer": "1",
        "outcome": outcome,
        "reason": "",
        "failure": None if outcome == "correct" else "wrong" if outcome == "incorrect" else "error",
        "error": "the endpoint is down" if outcome == "error" else None,
        "usage": Usage(calls=1, completion_tokens=1234),
        "dollars": 0.0123,
        "seconds": 2.0,
    }
    return Record.model_validate({**values, **changes})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def progress_text(*, terminal: bool, width: int = 100, rows: int = 2, errors: int = 0) -> str:
    out, clock = io.StringIO(), Clock()
    console = Console(file=out, force_terminal=terminal, width=width, height=20, color_system=None)
    labels = [(f"math500 · self-consistency n={8 * row}", 10) for row in range(rows)]
    progress = BenchProgress(console, labels, {f"k{n}": n // 10 for n in range(10 * rows)}, clock)
    with progress:
        for number in range(15):
            clock.now += 3
            progress.on_record(record(number, "error" if number < errors else "correct"), False)
    if not terminal:
        return out.getvalue()
    drawn = io.StringIO()  # what is drawn at the end, without what was drawn before it
    Console(file=drawn, width=width, height=20, color_system=None).print(progress._render())
    return drawn.getvalue()


def test_without_a_terminal_a_line_comes_now_and_then_and_at_the_end() -> None:
    text = progress_text(terminal=False)
    assert "\x1b" not in text
    lines = text.splitlines()
    assert 3 <= len(lines) <= 6  # 45 seconds, a line every 10
    assert lines[-1].startswith(
        "bench: 15/20 · 100.0% (80–100) right · 20.0/min · 0:15 left · 18.5k tokens · $0.1845"
    )


def test_errors_are_shown_a_few_times_and_then_counted() -> None:
    text = progress_text(terminal=False, errors=12)
    assert text.count("the endpoint is down") == 4
    assert "12 times: the endpoint is down" in text
    assert "not right: error 12" in text


@pytest.mark.parametrize("width", [30, 44, 60, 80, 120, 200])
def test_rows_fit_and_numbers_are_whole(width: int) -> None:
    text = progress_text(terminal=True, width=width)
    lines = [line for line in text.splitlines() if "/10" in line or "/20" in line]
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    assert "10/10" in lines[0]
    assert "5/10" in lines[1]
    assert "15/20" in lines[2]
    assert lines[0].split("  ")[0] != lines[1].split("  ")[0]  # shortened, but told apart
    assert ("100.0% (72–100)" in lines[0]) == (width >= 44)


def test_many_arms_leave_room_for_the_last_ones() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=12, color_system=None)
    progress = BenchProgress(console, [(f"arm {n}", 1) for n in range(40)], {f"k{n}": n for n in range(40)})
    with progress:
        for number in range(39):
            progress.on_record(record(number), False)
    drawn = io.StringIO()
    Console(file=drawn, width=100, height=12, color_system=None).print(progress._render())
    shown = drawn.getvalue()
    assert "(33 arms above)" in shown
    assert "arm 38" in shown
    assert "39/40" in shown


def table(width: int) -> str:
    out = io.StringIO()
    records = [record(n, ["correct", "incorrect", "error"][n % 3]) for n in range(9)]
    summary = summarize(records, strategy="self-consistency", model="openai:gpt-4o-mini", dataset="gsm8k")
    show_summaries(
        Console(file=out, width=width),
        [ArmLine(name=name, summary=summary, dollars=0.11) for name in ("self-consistency n=8", "cot")],
    )
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_table_has_accuracy_interval_and_money_at_any_width(width: int) -> None:
    text = table(width)
    assert text.count("50.0%") >= 2
    assert text.count("18.8%–81.2%") == 2  # Wilson, 3 of 6
    assert text.count("$0.1100") == 2
    assert "not right, cot: error 3, wrong 3" in text
    assert " ".join(text.split()).count("(were the 3 without a grade wrong, accuracy 33.3%)") == 2
    assert "…" not in text


def test_items_that_stand_twice_are_told_once_and_full_grades_hide_nothing() -> None:
    out = io.StringIO()
    summary = summarize([record(0), record(1, "incorrect")], strategy="cot", model="m", dataset="d")
    lines = [ArmLine(name=name, summary=summary, dollars=None, copies=(("a", "b"),)) for name in ("cot", "pal")]
    show_summaries(Console(file=out, width=200), lines)
    assert (
        out.getvalue().count("1 item stands several times in the data set and counts once (1 left out): a = b")
        == 1
    )
    assert "without a grade" not in out.getvalue()


def test_an_arm_whose_attempts_all_failed_took_no_time_from_the_cache() -> None:
    cached = record(0, usage=Usage(calls=1, cached_calls=1))
    for records, words in (
        ([cached], "cached"),
        ([record(0, "error")], "–"),
        ([record(0, "error"), cached], "cached"),
    ):
        summary = summarize(records, strategy="cot", model="m", dataset="d")
        assert summary.seconds is None
        assert without_seconds(summary) == words
        out = io.StringIO()
        show_summaries(Console(file=out, width=200), [ArmLine(name="cot", summary=summary, dollars=0.1)])
        assert ("cached" in out.getvalue()) == (words == "cached")


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (clock_words(7), "0:07"),
        (clock_words(750), "12:30"),
        (clock_words(11_100), "3:05:00"),
        (clock_words(187_200), "2d 4h"),
        (count_words(940), "940"),
        (count_words(12_345), "12.3k"),
        (count_words(4_500_000), "4.5M"),
        (dollar_words(None), "–"),
        (dollar_words(0.0021), "$0.0021"),
        (dollar_words(12.3), "$12.30"),
        (rate_words(12), "12.0/s"),
        (rate_words(0.05), "3.0/min"),
        (failure_words({"timeout": 1, "wrong": 12}), "wrong 12, timeout 1"),
        (failure_words({}), "none"),
        (shortened("cot", 8), "cot"),
        (shortened("math500 · self-consistency n=16", 16), "math500 …cy n=16"),
    ],
)
def test_words(shown: str, wanted: str) -> None:
    assert shown == wanted
