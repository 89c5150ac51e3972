"""Signals that an item may not be verifiable: what Big-Math filters by, as pure rules over text.

Source: Albalak et al. 2025 (Big-Math), arXiv 2502.17387; their rules are tightened where they hit prose. A signal is a
reason to look, not a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mathagent.answers.forms import parse_form
from mathagent.types import Value

_LINK = re.compile(r"\\(?:url|href)\b|https?://", re.IGNORECASE)
_EMPTY_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{[\s$~]*\}")
_LETTER_MARK = r"(?<![A-Za-z0-9_)\\]){open}{letter}{close}(?=\s*\S)"
_ASKS_WHICH = re.compile(r"\bwhich\b|\bchoose\b|\bselect\b|\boptions?\b|\bchoices\b|下列|选项|以下", re.IGNORECASE)
_BOUNDARY = r"(?:\A|(?<=\n)|(?<=[.;:?!。；：？，])|(?<=[.;:?!] )|(?<=\s{2}))\s*"
_PART_MARKS = (
    (r"\((?:I|i)\)", r"\((?:II|ii)\)"),
    (r"[（(]\s*1\s*[)）]", r"[（(]\s*2\s*[)）]"),
    (r"\(\s*[aA]\s*\)", r"\(\s*[bB]\s*\)"),
    (r"①", r"②"),
    (r"1[.)](?=\s)", r"2[.)](?=\s)"),
)
_ONLY_AT_BOUNDARY = r"1[.)](?=\s)"
_WORD_BETWEEN = re.compile(r"[A-Za-z\u4e00-\u9fff]{2,}|\$|\\")
_TRUE_FALSE = re.compile(r"\b(?:true|false)\b", re.IGNORECASE)
_ASKS_TRUE_FALSE = re.compile(r"\btrue or false\b|\btrue/false\b|对还是错|判断正误", re.IGNORECASE)
_YES_NO = re.compile(r"\byes\b|\bno\b(?=\s*(?:[.,;:!)]|\Z))|\A\s*[是否]\s*\Z", re.IGNORECASE)
_ASKS_YES_NO = re.compile(
    r"\A(?:is|are|do|does|did|can|could|will|was|were|has|have)\b(?!\s+not\b)", re.IGNORECASE
)
_PROVE = re.compile(
    r"\bprove\b(?!\s+to\s+be\b)|\bproof\s+(?:that|of\s+the)\b|\b(?:a|your|the)\s+proof\b|(?:\A|[.;:?!,\n]\s*|\b(?:to|and|then|also)\s+)show\s+that\b|求证|证明",
    re.IGNORECASE,
)
_PROOF_OF_ELSE = re.compile(r"\bproof\s+(?:of\s+purchase|coins?|alcohol|spirit|whisk(?:e)?y|rum)\b", re.IGNORECASE)
_SHOW = re.compile(
    r"(?:\A|[.;:?!\n])\s*show\b(?!\s+(?:your|all|the\s+(?:steps|work|working)|each\s+step|work|me|how\s+you)\b)",
    re.IGNORECASE,
)
_FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)|\\[A-Za-z]+", re.DOTALL)
_LEAST_LETTERS = 10
_NOT_LATIN = {
    "ar": "\u0600-\u06ff",
    "bn": "\u0980-\u09ff",
    "el": "\u0370-\u03ff",
    "he": "\u0590-\u05ff",
    "hi": "\u0900-\u097f",
    "ja": "\u3040-\u30ff\u4e00-\u9fff",
    "ko": "\uac00-\ud7af",
    "ru": "\u0400-\u04ff",
    "te": "\u0c00-\u0c7f",
    "th": "\u0e00-\u0e7f",
    "zh": "\u4e00-\u9fff",
}
"""The letters of languages that are not written in Latin ones."""


class Text(Value):
    """What the rules look at. ``has_choices``: the item lists choices of its own. ``olympiad``: such a source, in which
    "Show …" asks for a proof. ``language`` is the one that the data set names, "" for none."""

    problem: str
    solution: str = ""
    answer: str = ""
    has_choices: bool = False
    olympiad: bool = False
    language: str = ""


def hyperlink(text: Text) -> bool:
    """A link in problem or solution."""
    return bool(_LINK.search(text.problem) or _LINK.search(text.solution))


def multiple_choice(text: Text) -> bool:
    """Choices: of the item's own, or marked (A) … (D), A. … D. in its text, or (1) … (4) where it asks "which"."""
    if (
        text.has_choices
        or _marked(text.problem, "ABCD", r"\(", r"\)")
        or _marked(text.problem, "ABCD", "（", "）")
    ):
        return True
    starts = [r"(?:\A|(?<=\n)|(?<=\s{2})|(?<=[?:.。？：]\s))", *[r"(?<=\s)"] * 3]
    marks = [rf"{start}{letter}[.．、:)]\s*(?=\S)" for start, letter in zip(starts, "ABCD", strict=True)]
    if _in_order(text.problem, marks):
        return True
    digits = [rf"(?<![A-Za-z0-9_)\\])[（(]\s*{digit}\s*[)）]" for digit in "1234"]
    small = [rf"(?<![A-Za-z0-9_)\\])\(\s*{letter}\s*\)" for letter in "abcd"]
    asks = bool(_ASKS_WHICH.search(text.problem))
    return asks and (_in_order(text.problem, digits) or _in_order(text.problem, small))


def multi_part(text: Text) -> bool:
    """Several questions in one: (I) … (II), (1) … (2), (a) … (b), 1. … 2., ① … ②, the first where a sentence begins."""
    if multiple_choice(text):
        return False
    for first, second in _PART_MARKS:
        head = re.search(_BOUNDARY + first, text.problem)
        if head is None:
            continue
        behind = text.problem[head.end() :]
        where = (_BOUNDARY if first == _ONLY_AT_BOUNDARY else r"(?<=[\s.;:?!。；：？，$])") + second
        tail = re.search(where, behind)
        if tail is not None and _WORD_BETWEEN.search(behind[: tail.start()]) and behind[tail.end() :].strip():
            return True
    return False


def true_false(text: Text) -> bool:
    """The answer is true or false; without an answer, the last line of the solution says so."""
    said = text.answer or _last_line(text.solution)
    asks = bool(_ASKS_TRUE_FALSE.search(text.problem)) and _may_be_words(text.answer)
    return asks or bool(_TRUE_FALSE.search(said))


def yes_no(text: Text) -> bool:
    """The answer is yes or no ("no solution" is neither), or the last line asks for it: "Is …?", "Can …?"."""
    if _YES_NO.search(text.answer or _last_line(text.solution)):
        return True
    line = _last_line(text.problem)
    asks = bool(_ASKS_YES_NO.match(line)) and line.rstrip(" $*").endswith("?")
    return asks and _may_be_words(text.answer)


def proof(text: Text) -> bool:
    """It asks for a proof. "Show your work" does not."""
    problem = _PROOF_OF_ELSE.sub(" ", text.problem)
    return bool(_PROVE.search(problem) or (text.olympiad and _SHOW.search(problem)))


def empty_box(text: Text) -> bool:
    """The solution's box is empty."""
    return bool(_EMPTY_BOX.search(text.solution))


def foreign_language(text: Text) -> bool:
    """Most letters are of another script than the language that the data set names (English where it names none).

    Languages in one script are not told apart. Formulas do not count; fewer than ten letters are English.
    """
    letters = [letter for letter in _FORMULA.sub(" ", text.problem) if letter.isalpha()]
    if len(letters) < _LEAST_LETTERS:
        return False
    expected = _NOT_LATIN.get(text.language.lower()[:2], "A-Za-z\u00c0-\u024f\u1e00-\u1eff")
    native = sum(bool(re.match(f"[{expected}]", letter)) for letter in letters)
    return native < len(letters) / 2


SIGNALS: dict[str, Callable[[Text], bool]] = {
    "hyperlink": hyperlink,
    "multiple-choice": multiple_choice,
    "multi-part": multi_part,
    "true-false": true_false,
    "yes-no": yes_no,
    "proof": proof,
    "empty-box": empty_box,
    "foreign-language": foreign_language,
}


def _marked(text: str, letters: str, before: str, after: str) -> bool:
    return _in_order(text, [_LETTER_MARK.format(open=before, letter=letter, close=after) for letter in letters])


def _in_order(text: str, marks: list[str]) -> bool:
    """Whether all marks stand in the text one behind the other, with something after each."""
    position = 0
    for mark in marks:
        found = re.compile(mark).search(text, position)
        if found is None or (position and not text[position : found.start()].strip()):
            return False
        position = found.end()
    return bool(text[position:].strip())


def _may_be_words(answer: str) -> bool:
    return not answer or parse_form(answer).kind == "text"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""
