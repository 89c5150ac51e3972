"""Where is the answer in a text? Structured marks only; guessing the last number is a function of its own.

Rule (zero-shot-CoT, arXiv 2205.11916): the first match after an answer trigger, the last match without one. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mathagent.answers.choices import labelled_choices
from mathagent.answers.forms import parse_form
from mathagent.answers.latex import closing_braces, strip_wrappers, tidy, untext
from mathagent.answers.letters import choice_by_text, choice_in_statement, explicit_label
from mathagent.answers.normal import normalize
from mathagent.answers.values import answer_from_value
from mathagent.types import Answer

__all__ = [
    "answer_from_value",
    "extract_answer",
    "extract_from_trigger_reply",
    "extract_reference",
    "last_boxed",
    "last_number",
]

_NUMBER = re.compile(
    r"(?:(?<![\w)\]}.,])[-−]\s?)?[$€£]?(?<![A-Za-z_\d.])"
    r"(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:\s?/\s?\d+(?![\d/]))?(?:\s?\\?%)?"
)
_BARE_BOX = re.compile(r"-?\d+(?:\.\d+)?|[A-Za-z]\b")
_BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*")
_BETWEEN_BOXES = re.compile(
    r"[\s$]*(?:,|;|\band\b|\bor\b|\\text\{\s*(?:and|or)\s*\}|\\q?quad|\\[,;()]|[\s$])*[\s$]*"
)
_HASHES = re.compile(r"####\s*([^\n]+)")
_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_TRIGGER = re.compile(
    r"(?:\banswers?\b(?:\s*\([^()\n]{0,40}\))?(?:\s+(?:to|for|of)\s+[^.\n:]{1,80}?)?[\s*_]*"
    r"(?:\b(?:is|are|equals|would be|must be|should be|was)\b(?!\s+(?:as follows|given by|found))|[:：=])"
    r"|^[ \t]*#+[ \t]*(?:final[ \t]+)?answer[ \t*:]*$"
    r"|答案(?:应该|应)?(?:是|为|选|等于|[:：])|答え(?:は|[:：])|故选[:：]?"
    r"|la respuesta(?: final| correcta)? es|la réponse(?: finale)? est|die antwort (?:ist|lautet)|\bjibu ni\b"
    r"|(?<!\w)ответ\s*[:—–-]|సమాధానం|คำตอบคือ|উত্তর\s*(?:হলো|হল|[:：]))[\s*_:：]*",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(r"(?<=[^\s.])[.](?=\s|$|\*|[\"'])|[。！？।]|です|\?(?=\s|$)")
_ASIDE = re.compile(
    r"\s*(?:,\s*(?:which|because|since|so|as|where|but|i\.e)\b|[\s(](?:because|since|which means)\b|,?\s+因为).*$",
    re.DOTALL,
)
_LEADING = re.compile(
    r"^(?:(?:is|are|be|equals|equal to|therefore|thus|simply|just)\b\s*|\.{2,}|[=:：是为…\s>])+", re.IGNORECASE
)
_MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[a-z]+\*?\}(?:\{[lcr|]*\})?")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_NOT_PROSE = frozenset(["and", "or", "sin", "cos", "tan", "log", "ln", "sqrt", "pi", "exp"])
_MAX_WORDS = 6
_MAX_STATEMENT = 600


def extract_answer(text: str, choices: Sequence[str] = ()) -> Answer | None:
    """The answer stated in a reply: the last ``\\boxed{}``, ``#### n``, answer tag, or "the answer is …".

    With ``choices`` the answer is a choice's label (``normal`` in the choices' letter case), found by label, text or
    value; a marked label such as ``(B)`` then counts without a trigger too. None where nothing is stated.
    """
    for statement, marked in _statements(text):
        answer = _as_answer(statement) if marked and not choices else _answer_in(statement, choices)
        if answer is not None:
            return answer
    if not choices:
        return None
    labels = tuple(label for label, _ in labelled_choices(choices))
    label = explicit_label(text, labels, "last") or _label_alone(text, labels)
    return Answer(raw=label, normal=label) if label else None


def extract_from_trigger_reply(text: str, choices: Sequence[str] = ()) -> Answer | None:
    """The answer in a reply to "Therefore, the answer is": the first match. ``$1,234.`` → 1234; "" → None."""
    marked = last_boxed(text)
    if marked is not None:
        answer = _answer_in(marked, choices) if choices else _as_answer(marked)
        if answer is not None:
            return answer
    triggers = list(_TRIGGER.finditer(text))
    for tail in (*(text[match.end() :] for match in triggers[:1]), text):
        statement = _statement(tail)
        answer = _answer_in(statement, choices) if statement else None
        if answer is not None:
            return answer
    if choices:
        label = choice_in_statement(text, choices)
        return Answer(raw=label, normal=label) if label else None
    return _first_number(text)


def extract_reference(text: str) -> Answer | None:
    """The answer in a data set's reference: after ``####``, in the last ``\\boxed{}``, or the whole text."""
    hashes = _HASHES.findall(text)
    raw = hashes[-1] if hashes else last_boxed(text)
    return _as_answer(text if raw is None else raw)


def last_number(text: str) -> Answer | None:
    """The last number in free text: a guess, for callers who say so."""
    found = [match.group() for match in _NUMBER.finditer(text)]
    return _as_answer(found[-1]) if found else None


def last_boxed(text: str) -> str | None:
    """The content of the last closed ``\\boxed{}`` or ``\\fbox{}``; boxes joined by "and" or commas count as one list.

    An empty box and one that a truncated text leaves open are passed over; ``\\boxed 5`` is 5.
    """
    boxes: list[tuple[int, int, str]] = []
    closes = closing_braces(text)
    for match in _BOX.finditer(text):
        if boxes and match.start() < boxes[-1][1]:  # inside another
            continue
        if text[match.end() : match.end() + 1] == "{":
            close = closes.get(match.end())
            if close is None:
                continue
            content, end = text[match.end() + 1 : close].strip(), close + 1
        else:
            token = _BARE_BOX.match(text, match.end())
            content, end = (token.group(), token.end()) if token else ("", match.end())
        if content:
            boxes.append((match.start(), end, content))
    if not boxes:
        return None
    contents = [boxes[-1][2]]
    for (_, end, content), (start, _, _) in zip(boxes[-2::-1], boxes[:0:-1], strict=False):
        if not _BETWEEN_BOXES.fullmatch(text[end:start]):
            break
        contents.insert(0, content)
    return ", ".join(dict.fromkeys(contents))


def _statements(text: str) -> Iterator[tuple[str, bool]]:
    """(what a reply states as its answer, whether marks say where it ends), the most explicit and latest first."""
    boxed = last_boxed(text)
    if boxed is not None:
        yield boxed, True
    for pattern in (_TAG, _HASHES):
        found = pattern.findall(text)
        if found:
            yield found[-1].strip(), True
    for match in reversed(list(_TRIGGER.finditer(text))):
        statement = _statement(text[match.end() :])
        if statement:
            yield statement, False


def _statement(tail: str) -> str:
    """What follows a trigger, to the end of its sentence; a displayed formula counts as part of it."""
    tail = tail[:_MAX_STATEMENT].lstrip(" \t\n*_")
    display = re.match(r"(?:\$\$|\\\[)(.+?)(?:\$\$|\\\])", tail, re.DOTALL)
    if display:
        return display.group(1).strip()
    line = tail.split("\n", 1)[0]
    end = next(
        (match.start() for match in _SENTENCE_END.finditer(line) if not _inside_math(line, match.start())), None
    )
    statement = _ASIDE.sub("", line[:end].strip())
    return _LEADING.sub("", statement).strip(" *_`")


def _inside_math(text: str, position: int) -> bool:
    return any(match.start() < position < match.end() for match in _MATH.finditer(text))


def _answer_in(statement: str, choices: Sequence[str]) -> Answer | None:
    """The answer in a statement: the whole of it where it looks like one, else its first formula or number."""
    if choices:
        label = choice_in_statement(statement, choices)
        if label is None:
            inner = _formula_or_number(statement)
            label = choice_by_text(inner, choices) if inner else None
        return Answer(raw=statement, normal=label) if label else None
    plain = untext(_ENVIRONMENT.sub("", tidy(statement)))
    words = [word for word in _WORD.findall(plain) if word.lower() not in _NOT_PROSE]
    if parse_form(statement).kind in ("number", "ratio", "based") or len(words) < 2:
        return _as_answer(statement)
    inner = _formula_or_number(statement)
    if inner is not None:
        return _as_answer(inner)
    return _as_answer(statement) if len(words) <= _MAX_WORDS else None


def _formula_or_number(statement: str) -> str | None:
    formula = _MATH.search(statement)
    if formula:
        return next(group for group in formula.groups() if group).strip()
    number = _NUMBER.search(statement)
    return number.group() if number else None


def _first_number(text: str) -> Answer | None:
    found = _NUMBER.search(text)
    return _as_answer(found.group()) if found else None


def _label_alone(text: str, labels: tuple[str, ...]) -> str | None:
    """The label that the last line consists of."""
    lines = text.strip().splitlines()
    last = strip_wrappers(lines[-1]) if lines else ""
    return next((label for label in labels if last.lower() == label.lower()), None)


def _as_answer(raw: str) -> Answer | None:
    cleaned = strip_wrappers(raw)
    if "=" in cleaned and parse_form(cleaned).kind == "number":  # 5 + 3 = 8
        cleaned = strip_wrappers(cleaned.rpartition("=")[2])
    normal = normalize(cleaned)
    return Answer(raw=cleaned, normal=normal) if normal else None
