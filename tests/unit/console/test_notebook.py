"""What a notebook shows of a Solution."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from mathagent import _display
from mathagent.console.notebook import html, latex, markdown
from mathagent.types import Answer, Candidate, Check, Problem, Solution, Step

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def solution(answer: str | None = "\\frac{1}{2}", **fields: object) -> Solution:
    given = {"confidence": 0.75, "confidence_basis": "3 of 4 votes", "strategy": "pal", "model": "script:x"}
    problem = fields.pop("problem", Problem(text="What is $\\sqrt{x^2}$ for x = 1/2?"))
    return Solution.model_validate({"problem": problem, "answer": answer, **given, **fields})


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    found: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Reader().feed(text)
    return found


def test_formulas_are_mathml_and_nothing_is_loaded() -> None:
    shown = html(solution())
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>" in shown
    assert "<msqrt>" in shown
    assert "confidence 0.75" in shown
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags(shown)}
    assert not re.search(r"https?://|url\(|@import", shown)


def test_evidence_and_the_candidate_that_gives_the_answer() -> None:
    check = Check(kind="substitution", program="2 + 2", expected="4", outcome="holds", claim="put in")
    wrong = Candidate(steps=(Step(kind="thought", text="Wrong."),), answer=Answer(raw="3", normal="3"))
    right = Candidate(steps=(Step(kind="code", text="print(4)"),), answer=Answer(raw="4", normal="4"))
    shown = html(solution("4", certificate=(check,), candidates=(wrong, right)))
    assert "1 check holds" in shown
    assert "Candidate 2 of 2" in shown
    assert "put in" in shown
    assert "Wrong." not in shown


@pytest.mark.parametrize("place", ["answer", "detail", "confidence_basis", "model", "problem", "step"])
def test_what_models_wrote_is_escaped(place: str) -> None:
    fields: dict[str, object] = {"stopped": "error", "detail": "x"}
    if place == "problem":
        fields["problem"] = Problem(text=EVIL, choices=(EVIL,))
    elif place == "step":
        step = Step(kind="thought", text=EVIL)
        fields["candidates"] = (Candidate(steps=(step,), answer=Answer(raw=EVIL, normal=EVIL)),)
    else:
        fields[place] = EVIL
    shown = html(solution(**fields))  # type: ignore[arg-type]
    assert not {"script", "img"} & {tag for tag, _ in tags(shown)}
    assert "alert(1)" in shown


def test_no_answer_and_an_unsure_one() -> None:
    assert "none" in html(solution(None, confidence=None))
    assert "unsure: the best candidate" in html(solution(abstained=True))


@pytest.mark.parametrize(
    ("answer", "typeset"),
    [
        ("42", "$\\displaystyle 42$"),
        ("\\frac{1}{2}", "$\\displaystyle \\frac{1}{2}$"),
        ("3\\text{ or }5", "$\\displaystyle 3\\text{ or }5$"),
        ("sqrt(2)", "sqrt(2)"),
        ("Tuesday & 5%", "Tuesday \\& 5\\%"),
        ("\\input{/etc/passwd}", "\\textbackslash{}input\\{/etc/passwd\\}"),
        ("$\\input{x}$", "\\$\\textbackslash{}input\\{x\\}\\$"),
        ("\\text{\\input x}", "\\textbackslash{}text\\{\\textbackslash{}input x\\}"),
        ("\\hspace{\\input x}y", "\\textbackslash{}hspace\\{\\textbackslash{}input x\\}y"),
        (
            "\\text{^^5cinput x}",
            "\\textbackslash{}text\\{\\textasciicircum{}\\textasciicircum{}5cinput x\\}",
        ),
        ("\\left(\\sqrt{2}\\right)", "$\\displaystyle \\left(\\sqrt{2}\\right)$"),
        (None, "no answer"),
    ],
)
def test_latex_holds_mathematics_or_plain_words(answer: str | None, typeset: str) -> None:
    assert latex(solution(answer)) == typeset


def test_markdown_keeps_latex() -> None:
    assert "**\\frac{1}{2}**" in markdown(solution())


def test_a_solution_draws_itself_without_the_console_being_imported_before() -> None:
    program = (
        "import sys; from mathagent.types import Problem, Solution\n"
        "one = Solution(problem=Problem(text='x'), answer='1', confidence=None, confidence_basis='', strategy='s',"
        " model='')\n"
        "assert not any(name.startswith('mathagent.console') for name in sys.modules)\n"
        "print(one._repr_html_()[:4], one._repr_latex_())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "<div $\\displaystyle 1$\n"


def test_what_nobody_draws_is_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_display, "drawn_by", {})
    one = solution()
    assert (one._repr_html_(), one._repr_markdown_(), one._repr_latex_()) == (None, None, None)
