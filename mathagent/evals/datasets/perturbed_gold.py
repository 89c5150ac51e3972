"""A gold answer, changed so that it is wrong: what a grader must not take for the gold. Pure."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from mathagent.answers.choices import labelled_choices
from mathagent.answers.form import Form
from mathagent.answers.forms import parse_form
from mathagent.answers.letters import several_labels
from mathagent.evals import number_game
from mathagent.types import Problem

_OPPOSITES = {
    "true": "false",
    "false": "true",
    "yes": "no",
    "no": "yes",
    "correct": "incorrect",
    "incorrect": "correct",
}


def perturbed(problem: Problem) -> str:
    """A wrong answer of the same kind as the reference of ``problem``."""
    reference = problem.reference or ""
    if problem.choices:
        return _other_choice(reference, problem.choices)
    if problem.metadata.get("answer_type") == number_game.ANSWER_TYPE:
        return reference  # the target alone uses no number
    spellings = accepted_spellings(reference)
    if spellings:
        return _changed(parse_form(max(spellings, key=len)))
    listed = _json_list(reference)
    if listed:
        first = listed[0]
        changed = not first if isinstance(first, bool) else first + 1 if isinstance(first, int | float) else None
        return json.dumps([changed, *listed[1:]])
    return _changed(parse_form(reference))


def accepted_spellings(reference: str) -> list[str]:
    """The spellings that a reference lists as right, each by itself (``["4", "four"]``); [] where it lists none."""
    listed = _json_list(reference)
    return [str(one) for one in listed] if any(isinstance(one, str) for one in listed) else []


def _json_list(reference: str) -> list[Any]:
    try:
        listed = json.loads(reference) if reference.lstrip().startswith("[") else []
    except ValueError:  # an interval
        return []
    return listed if isinstance(listed, list) else []


def _other_choice(reference: str, choices: tuple[str, ...]) -> str:
    labelled = labelled_choices(choices)
    wanted = {reference.strip("() "), reference, *accepted_spellings(reference)}
    right = {label for label, text in labelled if {label, text} & wanted}
    right |= set(several_labels(reference, [label for label, _ in labelled]))
    right |= {label for label, text in labelled for known, same in labelled if known in right and text == same}
    return next((label for label, _ in labelled if label not in right), "none of them")


def _changed(form: Form) -> str:
    if form.kind == "number" and form.value is not None:
        return _number(form.value + 1)
    if form.kind == "text":
        return _OPPOSITES.get(form.text.lower(), f"{form.text} not so")
    if form.kind == "based":
        return f"1{form.text}"
    if form.kind == "expression" or not form.items:
        return "0" if _is_infinite(form.text) else f"({form.text}) + 1"
    parts = [one.text for one in form.items]
    place = len(parts) - 1 if form.kind in ("equation", "inequality") else 0
    changed = _changed(form.items[place])
    whole = form.text
    at = whole.rfind(parts[place]) if place else whole.find(parts[place])
    return f"({whole}) + 1" if at < 0 else whole[:at] + changed + whole[at + len(parts[place]) :]


def _number(value: Fraction) -> str:
    return str(value)


def _is_infinite(text: str) -> bool:
    return "infty" in text or text.strip("+- ") in ("oo", "∞")
