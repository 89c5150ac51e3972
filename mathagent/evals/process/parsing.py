"""Reads critiques that were written as text: whole words, whole numbers, the last statement. Pure.

What the published scripts get wrong is read right here: "incorrect" holds the letters of "correct", a verdict ends in
punctuation, a step is written as a word, a box holds braces, and what cannot be read is wrong instead of left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from mathagent.answers.extract import last_boxed
from mathagent.answers.latex import strip_wrappers, untext
from mathagent.evals.process.critique import NO_ERROR, Critique, correct, first_error_at

_INDEX = re.compile(r"(?:paragraph|step)?[\s_]*([-−–]?)\s*(\d{1,4})", re.IGNORECASE)
_DEGREE = r"(?:be|been|a|an|entirely|fully|quite|completely|totally)"
_NEGATED = rf"(?:\bnot|\bnever|\bcannot be|\b\w{{1,12}}n['’]t)\s+(?:{_DEGREE}\s+){{0,2}}"
_RIGHT = r"(?:correct|right|true|valid)"
_WRONG = r"(?:incorrect|wrong|false|invalid|erroneous)"
_VERDICT = re.compile(rf"(?P<turned>{_NEGATED})?\b(?:(?P<right>{_RIGHT})|{_WRONG})\b", re.IGNORECASE)
_FIRST_VERDICT = re.compile(
    rf"\W*(?:(?:the|this)\s+)?(?:(?:solution|answer|step)\s+)?(?:is\s+)?(?P<verdict>(?:{_NEGATED})?(?:{_RIGHT}|{_WRONG})\b)"
    r"(?=\W*$|\s*[.,;:!(*_\n]|\s+(?:because|since|as)\b)",
    re.IGNORECASE,
)
_SAYS_NO = re.compile(
    r"(?<!\w)(?:unanswerable|not\s+(?:be\s+|an?\s+|really\s+)?answer(?:able|ed)|(?:cannot|\w{1,12}n['’]t)\s+be\s+answered"
    r"|\w{1,12}n['’]t\s+(?:an?\s+)?answerable)\b",
    re.IGNORECASE,
)
_SAYS_YES = re.compile(r"(?<!\w)(?:answerable|can\s+be\s+answered)\b", re.IGNORECASE)
_NO_STEP = re.compile(r"\W*(?:n\s?/\s?a|none|nothing|no\b(?:\s+\w+){0,2}|not applicable|null)\b.*", re.I | re.S)
_PLACE = r"(?:steps?|lines?|paragraphs?)"
_STEP = re.compile(
    rf"\b{_PLACE}(?![^\W_])[\s#:.*_\\]*(?:(?:number|no)\b[\s.]*)?(\d{{1,4}}|[a-z]+)\b", re.IGNORECASE
)
_ORDINAL_STEP = re.compile(rf"\b([a-z]+|\d{{1,4}}(?:st|nd|rd|th))\s+{_PLACE}\b", re.IGNORECASE)
_BARE_STEP = re.compile(
    r"\W{0,4}(?:the\s+)?(\d{1,4})(?:st|nd|rd|th)?\b(?![.,]\d|\s*[/+*×=^-]\s*\d)", re.IGNORECASE
)
_DRESS = re.compile(r"\\(?:text(?:bf|it|rm|tt|sf|normal)|math(?:bf|it|rm|sf)|boldsymbol|bm)\s*\{")
_CARDINALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
_NUMBERS = {word: n for words in (_CARDINALS, _ORDINALS) for n, word in enumerate(words, start=1)}


def boxed_index(text: str) -> int | None:
    """The one whole number in the last closed box of ``text``, -1 or more; None where there is none such.

    "paragraph_3", "\\text{-1}" and "−1" are read; two numbers, or words, are not.
    """
    content = last_boxed(text)
    match = None if content is None else _INDEX.fullmatch(_plain(content))
    if match is None:
        return None
    number = -int(match[2]) if match[1] else int(match[2])
    return number if number >= NO_ERROR else None


def _plain(content: str) -> str:
    """What stands in a box, without braces and commands of dress around it."""
    before = ""
    while content != before:
        before, content = content, strip_wrappers(untext(_DRESS.sub(r"\\text{", strip_wrappers(content)))).strip()
        if content.startswith("{") and content.endswith("}"):
            content = content[1:-1]
    return content


def verdict_in(text: str) -> Literal["correct", "incorrect"] | None:
    """Whether ``text`` says "correct" or "incorrect", as whole words, negations heeded; None for neither or both.

    The word that ``text`` begins with counts alone: "Incorrect. The correct answer is 18." says incorrect.
    """
    first = _FIRST_VERDICT.match(text)
    if first is not None:
        text = first.group("verdict")
    said = {(match["right"] is None) == (match["turned"] is not None) for match in _VERDICT.finditer(text)}
    if len(said) != 1:
        return None
    return "correct" if True in said else "incorrect"


def answerable_in(text: str) -> Literal["answerable", "unanswerable"] | None:
    """Whether ``text`` says "answerable" or "unanswerable", as whole words; None for neither or both."""
    no = _SAYS_NO.search(text) is not None
    yes = _SAYS_YES.search(_SAYS_NO.sub(" ", text)) is not None
    if no == yes:
        return None
    return "unanswerable" if no else "answerable"


def step_in(text: str) -> int | None:
    """The number of the first step that ``text`` names, from 1; 0 where it says that there is none ("N/A"); else None.

    Numbers may be words ("step three", "the third step").
    """
    for pattern in (_STEP, _ORDINAL_STEP):
        for match in pattern.finditer(text):
            number = _number(match[1])
            if number is not None:
                return number
    if _NO_STEP.fullmatch(text):
        return 0
    bare = _BARE_STEP.match(text)
    return int(bare[1]) if bare else _NUMBERS.get(text.strip(" .*_`").lower())


def _number(word: str) -> int | None:
    digits = re.fullmatch(r"(\d+)(?:st|nd|rd|th)?", word, re.IGNORECASE)
    return int(digits[1]) if digits else _NUMBERS.get(word.lower())


def labelled(text: str, names: Sequence[str]) -> dict[str, str]:
    """What stands behind each of the labels ``names`` at the beginning of a line ("Name: …"), up to the next label.

    Marks of markdown around a label are forgiven; of a label that comes twice the last counts. Names are patterns.
    """
    alternatives = "|".join(f"(?P<n{place}>{name})" for place, name in enumerate(names))
    label = re.compile(rf"^[ \t>*#_\-\d.)]*(?:{alternatives})[*_ \t]*[:：][*_ \t]*", re.I | re.M)
    found = list(label.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)]
    said: dict[str, str] = {}
    for match, end in zip(found, ends, strict=False):
        said[names[int((match.lastgroup or "n0")[1:])]] = text[match.end() : end].strip()
    return said


JUDGEMENT, STEP, ANALYSIS = r"final judge?ment", r"first error step", r"error analysis"
_JUDGED, _FIRST_WRONG = r"(?:final )?judge?ment", r"first (?:wrong|error) step"


def teacher_critique(text: str, steps: int) -> Critique | None:
    """A critique in MR-GSM8K's three fields; None where its judgement cannot be read.

    The step counts from 1. A solution that is judged correct has no wrong step, whatever the second field says.
    """
    said = labelled(text, (JUDGEMENT, STEP, ANALYSIS))
    verdict = verdict_in(said.get(JUDGEMENT, ""))
    reason = said.get(ANALYSIS, "")
    if verdict is None:
        return None
    if verdict == "correct":
        return correct(reason)
    number = step_in(said.get(STEP, "")) or 0
    if number < 1:
        return Critique(verdict="incorrect", reason=reason)
    return first_error_at(number - 1, steps, reason)


def boxed_critique(text: str, steps: int) -> Critique | None:
    """A critique in ProcessBench's form: the index of the first wrong paragraph from 0, or -1, in a box."""
    index = boxed_index(text)
    return None if index is None else first_error_at(index, steps, text.strip())


def judged_critique(text: str, steps: int) -> Critique | None:
    """A reply that ends in "Judgement: correct" or "incorrect" (MathCheck, outcome judging)."""
    verdict = verdict_in(_statement(text, _JUDGED))
    if verdict is None:
        return None
    return correct(text.strip()) if verdict == "correct" else Critique(verdict=verdict, reason=text.strip())


def answerable_critique(text: str, steps: int) -> Critique | None:
    """A reply that ends in "Judgement: answerable" or "unanswerable" (MathCheck, answerable judging)."""
    verdict = answerable_in(_statement(text, _JUDGED))
    return None if verdict is None else Critique(verdict=verdict, reason=text.strip())


def step_critique(text: str, steps: int) -> Critique | None:
    """A reply that ends in "First wrong step: 3" (MathCheck, process judging)."""
    number = step_in(_statement(text, _FIRST_WRONG))
    return None if number is None else first_error_at(number - 1, steps, text.strip())


def _statement(text: str, label: str) -> str:
    """What ``text`` states: behind its last ``label``, else in its last box, else in its last line with words."""
    said = labelled(text, (label,))
    if said:
        line = (said[label].splitlines() or [""])[0]
        boxed = last_boxed(line)
        return line if boxed is None else _plain(boxed)
    boxed = last_boxed(text)
    lines = [line for line in text.splitlines() if line.strip()]
    return _plain(boxed) if boxed is not None else lines[-1] if lines else ""
