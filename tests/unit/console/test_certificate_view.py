"""A certificate as a person sees it."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from mathagent.console.certificate_view import conclude, show_certificate
from mathagent.types import Check


def check(outcome: Any, kind: Any = "reverse", **more: Any) -> Check:
    return Check(kind=kind, program="1", expected="16", outcome=outcome, **more)


def shown(*checks: Check, **options: Any) -> str:
    out = io.StringIO()
    show_certificate(Console(file=out, width=80, **options), checks, conclude(checks))
    return out.getvalue()


def test_a_line_for_each_check_with_claim_and_reason() -> None:
    long = "from the answer 18 follows 16, which the problem states, as a program shows that is run again here"
    assert shown(
        check("holds", claim=long, seconds=0.123),
        check("fails", "domain", claim="the answer is whole", reason="the program gives False"),
        check("undecided", "numeric", reason="NameError: x"),
        check("holds", "execution"),
    ).splitlines() == [
        f"✓ reverse (strong, 0.12 s): {long}",
        "✗ domain (weak, 0.00 s): the answer is whole – the program gives False",
        "? numeric (strong, 0.00 s): NameError: x",
        "✓ execution (weak, 0.00 s): the candidate's program gives 16",
        "2 checks hold, 1 fails, 1 undecided",
    ]


def test_a_table_on_a_terminal() -> None:
    text = shown(check("holds", claim="word " * 40), force_terminal=True, legacy_windows=False)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).split() for line in text.splitlines()]
    assert lines[0] == ["check", "strength", "seconds", "shows"]
    assert lines[1][:4] == ["✓", "reverse", "strong", "0.00"]
    assert sum(line.count("word") for line in lines) == 40
    assert lines[-1] == ["1", "check", "holds"]


def test_untrusted_text_is_cleaned_and_no_markup() -> None:
    text = shown(check("holds", claim="[red]x[/red] \x1b[2J\nsecond"))
    assert "[red]x[/red]" in text
    assert "\x1b[2J" not in text


def test_an_encoding_without_the_signs() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    checks = [check("holds", claim="√2"), check("fails"), check("undecided")]
    show_certificate(Console(file=out, width=100), checks, conclude(checks))
    out.seek(0)
    marks = [line[0] for line in out.read().splitlines()[:3]]
    assert marks == ["+", "x", "?"]


@pytest.mark.parametrize(
    ("checks", "conclusion"),
    [
        ([], "the solution has no certificate: nothing can be run again"),
        ([check("holds")], "1 check holds"),
        ([check("undecided")], "0 checks hold, 1 undecided"),
        ([check("holds", "domain")], "1 check holds; only weak ones hold, which a wrong answer may pass as well"),
        ([check("holds", "domain"), check("holds"), check("fails"), check("fails")], "2 checks hold, 2 fail"),
    ],
)
def test_conclusion(checks: list[Check], conclusion: str) -> None:
    assert conclude(checks) == conclusion
