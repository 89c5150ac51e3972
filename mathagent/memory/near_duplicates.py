"""Near duplicates: is it the same problem in other dress? Pure text work, about 0.1 ms a problem, 0.01 ms a comparison.

A problem becomes a list of tokens: words, numbers and operators, one spelling each. How alike two lists are is measured
by their longest common subsequence, which a replaced name shortens by one (n-grams lose n), and by common 5-grams,
which inserted sentences leave alone. What was measured with them stands in leak_guard.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

__all__ = ["containment", "is_near_duplicate", "near_duplicate_key", "normal_problem", "overlap", "shape"]

NUMBER = "#"
"""What stands for a number in a shape."""
MAX_CHARACTERS = 20_000
"""What of a text is looked at: no problem is that long."""
GRAM = 5
"""Tokens in a row that two problems hardly share by chance."""

_UNIT_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_PART_WORDS = (
    "half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths eighth eighths tenth tenths"
    " twice thrice double doubles doubled triple triples tripled"
)
_SMALL_WORDS = (
    "a an the is are was were be been being do does did will would can could of and that this these those then there so"
    " please"
)
_UNITS = {word: number for number, word in enumerate(_UNIT_WORDS.split())}
_TENS = {word: 10 * number for number, word in enumerate(_TENS_WORDS.split(), start=2)}
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_NUMBER_WORDS = frozenset((*_UNITS, *_TENS, *_SCALES))
_PARTS = frozenset(_PART_WORDS.split())
"""Words that stand for a factor: numbers in a shape, words in a normal form."""
_SMALL = frozenset(_SMALL_WORDS.split())
"""Words that may come and go without another problem's being asked. Prepositions and pronouns are none: "by 5" is not
"to 5"."""

_SYMBOLS = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑‒", "-"),
        **dict.fromkeys("×⋅·∗", "*"),
        **dict.fromkeys("’‘`´", "'"),
        **{raised: f"^{digit}" for raised, digit in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)},
        "÷": "/",
        "⁄": "/",
        "√": " sqrt ",
        "π": " pi ",
        "°": " degrees ",
        "≠": " ne ",
        "≤": " le ",
        "≥": " ge ",
        "½": " 1/2",
        "¼": " 1/4",
        "¾": " 3/4",
        "⅓": " 1/3",
        "⅔": " 2/3",
    }
)
_LATEX = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits)(?![a-zA-Z])", " "),
        (r"\\(?:text(?:bf|it|rm|normal)?|math(?:rm|bf|it|sf)|mbox|operatorname\*?)(?![a-zA-Z])", " "),
        (r"(?<=\d),?\\!\s*(?=\d{3})|(?<=\d)\{,\}(?=\d{3})", ""),
        (r"\\[dtc](?=(?:frac|binom)(?![a-zA-Z]))", r"\\"),  # of a fraction with braces in it, too
        (r"\\[dtc]?frac(\d)(\d)", r" \1/\2 "),
        (r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r" \1/\2 "),
        (r"\\(?:times|cdot|ast)(?![a-zA-Z])", "*"),
        (r"\\div(?![a-zA-Z])", "/"),
        (r"\\(?:leq|leqslant)(?![a-zA-Z])|<=", " le "),
        (r"\\(?:geq|geqslant)(?![a-zA-Z])|>=", " ge "),
        (r"\\neq(?![a-zA-Z])", " ne "),
        (r"\^\s*(?:\{\s*)?\\circ(?![a-zA-Z])\s*\}?", " degrees "),
        (r"\\(?:q?quad|hspace\{[^}]*\}|[,;:! ])", " "),
        (r"\\(?:begin|end)\{[a-z]+\*?\}(?:\{[lcr|]*\})?", " "),
    ]
]
_CHOICE_LABEL = re.compile(r"^(?:Choices:\s*$|\([A-Z]\)\s)", re.MULTILINE)
"""How a problem's choices are put before a model; a problem that is stored has them without labels."""
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_PERCENT = re.compile(r"(?<=\d)\s*(?:percent\b|per\s?cent\b|\\%)")
_APOSTROPHE = re.compile(r"(?<=[^\W\d_])'(?=[^\W\d_])")
_HYPHEN = re.compile(r"(?<=\w)-(?=[^\W\d_]{2})|(?<=[^\W\d_]{2})-(?=\w)")
_PICTURE = re.compile(r"\[asy\](?:(?!\[/?asy\]).)*\[/asy\]", re.DOTALL)
# Scripts without spaces are taken letter by letter.
_TOKEN = re.compile(
    r"\d+(?:\.\d+)?|\.\d+|[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]"
    r"|[^\W\d_\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+|[-+*/^=<>%()|]"
)


def normal_problem(text: str) -> str:
    """The tokens of ``text`` in one spelling, joined by spaces: equal for problems that differ in dress only.

    Case, layout, punctuation, labels of choices, LaTeX's dress (``$``, ``\\text``, ``\\left``, ``\\dfrac``), thousands
    separators and number words up to billions make no difference; numbers, operators and the order of words do. Looks
    at MAX_CHARACTERS characters.
    """
    return " ".join(tokens_of(text))


def shape(text: str) -> str:
    """The normal form with a mark ``#`` for every number, sign or factor in words: equal for a problem and the same
    problem with other numbers. ``12``, ``1/2``, ``two hundred``, ``twice`` and ``half`` are all ``#``; the source of
    a picture (``[asy]``) is left out."""
    return " ".join(shape_of(tokens_of(without_pictures(text))))


def near_duplicate_key(text: str) -> str:
    """The normal form without small words (articles, "is", "of" …) and plural endings: equal for near duplicates.

    One changed word that tells something asks another question: of the pairs in MATH with the same numbers and an
    overlap of 0.95 and more, three in four have different answers ("large barrels", "small barrels"). Of those with
    the same key in SVAMP, ASDiv, MAWPS, GSM8K and MATH, none has.
    """
    return " ".join(telling_tokens(tokens_of(text)))


def is_near_duplicate(a: str, b: str) -> bool:
    """Whether two problems are the same but for dress and small words. An equivalence: ``near_duplicate_key``."""
    return near_duplicate_key(a) == near_duplicate_key(b)


def overlap(a: str, b: str) -> float:
    """How much of two token texts (normal forms or shapes) is common, in order: 2 |LCS| / (|a| + |b|), in [0, 1].

    Symmetric; 1 iff the texts are equal; two empty texts are equal.
    """
    first, second = a.split(), b.split()
    if not first and not second:
        return 1.0
    return 2 * common_length(positions(first), len(first), second) / (len(first) + len(second))


def containment(a: str, b: str) -> float:
    """The share of the 5-grams of the shorter of two token texts that the other has, too, in [0, 1]. Symmetric.

    A text of less than 5 tokens is one gram.
    """
    return contained(grams(a.split()), grams(b.split()))


def tokens_of(text: str) -> list[str]:
    """The tokens of the normal form of ``text``."""
    text = _CHOICE_LABEL.sub(" ", text[:MAX_CHARACTERS]) if "\n(" in text else text[:MAX_CHARACTERS]
    text = unicodedata.normalize("NFKC", text.translate(_SYMBOLS)).casefold()
    if "\\" in text:
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    text = _PERCENT.sub("%", text)
    text = _APOSTROPHE.sub("", text)
    return _with_numbers(_TOKEN.findall(_HYPHEN.sub(" ", text)))


def without_pictures(text: str) -> str:
    """``text`` without the source of its pictures, whose numbers are no numbers of the problem."""
    return _PICTURE.sub(" ", text[:MAX_CHARACTERS]) if "[asy]" in text else text


def telling_tokens(tokens: Sequence[str]) -> list[str]:
    """The tokens of the near-duplicate key out of those of the normal form."""
    return [_stem(token) for token in tokens if token not in _SMALL]


def shape_of(tokens: Sequence[str]) -> list[str]:
    """The shape of the tokens of a normal form."""
    marked: list[str] = []
    for token in tokens:
        if token[0].isdigit() or token in _PARTS:
            if marked[-2:] == [NUMBER, "/"]:
                marked.pop()
            elif marked[-1:] != [NUMBER]:
                marked.append(NUMBER)
        else:
            marked.append("+" if token == "-" else token)
    return marked


def positions(tokens: Sequence[str]) -> dict[str, int]:
    """Where each token stands, as the bits of an integer: the form in which ``common_length`` wants its first list."""
    found: dict[str, int] = {}
    for index, token in enumerate(tokens):
        found[token] = found.get(token, 0) | 1 << index
    return found


def common_length(where: dict[str, int], length: int, tokens: Sequence[str]) -> int:
    """The length of the longest common subsequence of a list (its ``positions`` and length) and ``tokens``.

    Bit-parallel (Hyyrö 2004): one addition of integers a token.
    """
    row = full = (1 << length) - 1
    for token in tokens:
        matches = row & where.get(token, 0)
        if matches:
            row = ((row + matches) | (row - matches)) & full
    return length - row.bit_count()


def grams(tokens: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """The different 5-grams of ``tokens``."""
    return frozenset(tuple(tokens[start : start + GRAM]) for start in range(max(1, len(tokens) - GRAM + 1)))


def contained(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> float:
    """The share of the smaller set of grams that is in the other."""
    return len(a & b) / min(len(a), len(b))


def _with_numbers(tokens: Sequence[str]) -> list[str]:
    """``tokens`` with numbers in words as digits ("two hundred twenty five": 225) and one spelling of each number."""
    if _NUMBER_WORDS.isdisjoint(tokens):
        return [_plain(token) if token[0].isdigit() or token[0] == "." else token for token in tokens]
    done: list[str] = []
    total, current, last = Decimal(0), Decimal(0), ""

    def end_number() -> None:
        nonlocal total, current, last
        if last:
            done.append(_plain(str(total + current)))
        total, current, last = Decimal(0), Decimal(0), ""

    for token, following in zip(tokens, [*tokens[1:], ""], strict=False):
        kind = _kind(token, following)
        if not kind or kind == "digits" or (kind == "unit" and last in ("unit", "digits")):
            end_number()
        if kind == "tens" and last in ("unit", "tens", "digits"):
            end_number()
        match kind:
            case "digits":
                current = Decimal(token)
            case "unit":
                current += _UNITS[token]
            case "tens":
                current += _TENS[token]
            case "scale" if _SCALES[token] < 1000:
                current = (current or 1) * Decimal(_SCALES[token])
            case "scale":
                total, current = total + (current or 1) * _SCALES[token], Decimal(0)
            case _:
                done.append(_plain(token) if token[0].isdigit() or token[0] == "." else token)
        last = kind
    end_number()
    return done


def _kind(token: str, following: str) -> str:
    """The part of ``token`` in a number in words, "" where it is none; digits are one before "thousand" only."""
    if token in _UNITS:
        return "unit"
    if token in _TENS:
        return "tens"
    if token in _SCALES:
        return "scale"
    return "digits" if following in _SCALES and token[0].isdigit() and len(token) < 20 else ""


def _plain(number: str) -> str:
    """One spelling of a number: no leading zeros, no trailing ones behind the point."""
    whole, point, decimals = number.partition(".")
    decimals = decimals.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{decimals}" if point and decimals else "")


def _stem(token: str) -> str:
    return token[:-1] if len(token) > 3 and token.endswith("s") else token
