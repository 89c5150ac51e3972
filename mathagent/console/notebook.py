"""A Solution where a notebook shows it: the answer, how far to trust it, and, to be opened, its evidence and its steps.

The fragment of HTML needs nothing but itself (formulas are MathML, no script, no network) and takes its colours from
the page around it, light or dark. What models and programs wrote is escaped (see html_templates).
"""

from __future__ import annotations

import re

from mathagent.answers.choices import labelled_choices
from mathagent.console.certificate_view import conclude
from mathagent.console.clean_text import clean, one_line
from mathagent.console.html_templates import asset, template
from mathagent.console.mathml import mathml
from mathagent.console.solution_markdown import solution_markdown
from mathagent.console.solution_view import cost_words
from mathagent.console.trace_page import shown_candidate
from mathagent.types import Solution

_LATEX_SPECIAL = {char: f"\\{char}" for char in "#$%&_{}"} | {
    "\\": "\\textbackslash{}",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
}

_TEXT = re.compile(r"\\(?:text|mathrm|operatorname|begin|end)\{[^{}]*\}")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_PAIRED = frozenset({"begin", "end", "left", "right"})
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")


def html(solution: Solution) -> str:
    """The solution as a fragment of HTML: of its candidates the one that gives the answer."""
    index = shown_candidate(solution)
    return template("notebook.html").render(
        solution=solution,
        style=asset("notebook.css"),
        choices=labelled_choices(solution.problem.choices),
        evidence=conclude(solution.certificate),
        cost=", ".join(cost_words(solution)),
        shown=solution.candidates[index] if solution.candidates else None,
        number=index + 1,
    )


def markdown(solution: Solution) -> str:
    """The solution as Markdown, complete; formulas stay LaTeX."""
    return solution_markdown(solution)


def latex(solution: Solution) -> str:
    """The answer as LaTeX, for documents that are typeset of a notebook.

    It is set as mathematics only if all its commands are such, so that it cannot make TeX read files.
    """
    answer = "no answer" if solution.answer is None else clean(solution.answer).strip()
    if solution.answer is not None and _is_formula(answer):
        return f"$\\displaystyle {answer}$"
    return re.sub(r"[#$%&_{}\\^~]", lambda match: _LATEX_SPECIAL[match[0]], one_line(answer, 2000))


def _is_formula(answer: str) -> bool:
    """Whether TeX may read it as mathematics: MathML can be made of all of it, and it holds no words."""
    if any(sign in answer for sign in ("$", "%", "#", "^^", "\\href")):  # ^^5c is a backslash to TeX
        return False
    if not all(map(_is_mathematics, _COMMAND.findall(answer))):
        return False
    bare = _TEXT.sub("", answer)
    return _WORD.search(bare) is None and mathml(answer) is not None


def _is_mathematics(command: str) -> bool:
    """Whether MathML can be made of ``command`` itself: what stands in a text is taken over as it is."""
    return command in _PAIRED or mathml(f"\\{command}{{a}}{{b}}") is not None
