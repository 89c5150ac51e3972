"""Block thought template: a solution in tags, one a step, with the general method behind it; read leniently. Pure.

Source: the output format of "SuperCorrect: Supervising and Correcting Language Models with Error-Driven Insights"
(arXiv 2410.09008). A tag that was never closed is closed by the next one that opens.
"""

from __future__ import annotations

import re

from mathagent.answers.extract import extract_from_trigger_reply
from mathagent.memory.experience import Experience, Provenance, Template
from mathagent.types import Answer, Solution, Value

MAX_TYPE_CHARACTERS = 100
"""Of the type of problem that a general method begins with; more before the colon is no type."""

_TAG = re.compile(r"<[ \t]*(/?)[ \t]*(step[ \t_]*\d+|key|generalized|answer)[ \t]*>", re.IGNORECASE)


class TemplateStep(Value):
    """One step: its ``text`` without the ``keys``, the explanations and warnings within it."""

    text: str
    keys: tuple[str, ...] = ()

    def written(self, number: int) -> str:
        """The step as step ``number`` of a solution in tags."""
        lines = [self.text, *(f"<Key>{key}</Key>" for key in self.keys)]
        inside = "\n".join(line for line in lines if line)
        return f"<Step{number}>{inside}</Step{number}>"


class ThoughtTemplate(Value):
    """What a solution in tags says: its steps, the method for all such problems (``generalized``), and the text of its
    answer; "" for what it lacks."""

    steps: tuple[TemplateStep, ...] = ()
    generalized: str = ""
    answer: str = ""

    @property
    def step_texts(self) -> tuple[str, ...]:
        """The steps, each in its tag."""
        return tuple(step.written(number) for number, step in enumerate(self.steps, start=1))

    @property
    def plain_text(self) -> str:
        """The steps, their keys and the answer without tags, a line each."""
        lines = [line for step in self.steps for line in (step.text, *step.keys) if line]
        return "\n".join([*lines, f"The answer is {self.answer}."] if self.answer else lines)

    def extracted(self, choices: tuple[str, ...] = ()) -> Answer | None:
        """The final answer in the answer tag; None where there is none."""
        return extract_from_trigger_reply(self.answer, choices) if self.answer else None


def parse_template(text: str) -> ThoughtTemplate:
    """What ``text`` says in tags; words before the first tag and behind the answer's are left out.

    A step with the number of an earlier one takes the place of that and of all behind it: the solution was begun anew
    there. Of several answers the last counts.
    """
    steps: dict[int, list[tuple[str, str]]] = {}
    ends = {"generalized": "", "answer": ""}
    section, in_key, start = "", False, 0

    def take(piece: str) -> None:
        if section.isdigit():
            steps[int(section)].append(("key" if in_key else "text", piece.strip()))
        elif section in ends:
            ends[section] = " ".join((ends[section], piece.strip())).strip()

    for tag in _TAG.finditer(text):
        take(text[start : tag.start()])
        start = tag.end()
        closes, name = bool(tag[1]), tag[2].lower()
        if name == "key":
            in_key = not closes and section.isdigit()
            continue
        in_key = False
        if name.startswith("step"):
            if not closes:
                section = str(int(re.sub(r"\D", "", name)))
                steps = {number: parts for number, parts in steps.items() if number < int(section)}
                steps[int(section)] = []
        elif closes:
            section = ""
        else:
            section, ends[name] = name, ""
    take(text[start:])
    read = tuple(_step(parts) for parts in steps.values() if any(piece for _, piece in parts))
    return ThoughtTemplate(steps=read, generalized=ends["generalized"], answer=ends["answer"])


def _step(parts: list[tuple[str, str]]) -> TemplateStep:
    return TemplateStep(
        text="\n".join(piece for kind, piece in parts if kind == "text" and piece),
        keys=tuple(piece for kind, piece in parts if kind == "key" and piece),
    )


def template_of(generalized: str, problem: str = "") -> Template | None:
    """The template that a general method states, as "type of problem: method"; None where it states none."""
    text = " ".join(generalized.split())
    before, colon, after = text.partition(":")
    if colon and after.strip() and len(before) <= MAX_TYPE_CHARACTERS:
        return Template(problem_type=before.strip(), plan=after.strip(), problem=problem)
    return Template(problem_type="", plan=text, problem=problem) if text else None


def templates_of(solution: Solution) -> list[Experience]:
    """The general method that the answer of ``solution`` was found by, as one "unchecked" experience, or nothing.

    Whether the answer is right, so that the method may be kept, is for the caller to say.
    """
    if solution.answer is None:
        return []
    for candidate in reversed(solution.candidates):
        if candidate.answer is None or candidate.answer.normal != solution.answer:
            continue
        written = [step.text for step in candidate.steps if step.kind == "thought"]
        template = template_of(parse_template(written[-1]).generalized, solution.problem.text) if written else None
        if template is not None:
            where = Provenance(
                run=solution.solve_id,
                model=solution.model,
                strategy=solution.strategy,
                item=solution.problem.id,
            )
            return [Experience(content=template, provenance=where)]
    return []
