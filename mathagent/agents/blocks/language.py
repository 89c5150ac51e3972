"""Block language: which language is a text in? And is a translation still about the same numbers? Pure.

Languages are told by their script and by their most frequent words: enough for a question of a few sentences.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from mathagent.types import Problem

ENGLISH = "en"
NAMES: Mapping[str, str] = {
    "ar": "Arabic",
    "bn": "Bengali",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "pt": "Portuguese",
    "ru": "Russian",
    "sw": "Swahili",
    "te": "Telugu",
    "th": "Thai",
    "zh": "Chinese",
}
"""Languages that are told apart, by their code (ISO 639-1)."""
_SCRIPTS = {
    "ARABIC": "ar",
    "BENGALI": "bn",
    "DEVANAGARI": "hi",
    "HANGUL": "ko",
    "CYRILLIC": "ru",
    "TELUGU": "te",
    "THAI": "th",
    "CJK": "zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
}
_NOT_IN = {"ru": "іїєґўђћљњџјѓќ", "ar": "پچژگکیےٹڈڑں", "hi": "ळ"}
"""Letters that other languages of their scripts have and these have not: Ukrainian, Serbian, Persian, Urdu, Marathi."""
_FREQUENT = {
    "de": "der die das und ist nicht ein eine wie viele hat sie von mit zu für auf im den er wenn jeder insgesamt",
    "en": "the and is of to a in how many has he she it are was for each what does if with that on they much find",
    "es": "el la los las y de que cuántos cuántas un una en por con si tiene cada se su cuánto es del más total",
    "fr": "le la les et de des un une combien est il elle dans pour par que qui a chaque si du au avec sont plus",
    "it": "il lo la gli le e di che un una quanti quante per con se ha ogni del della sono è in quanto più totale",
    "nl": "de het een en van hoeveel is zij hij in voor met op als heeft elke dat te zijn er per kost aan dan",
    "pt": "o a os as e de que um uma quantos quantas em por com se tem cada do da dos são é ele ela mais quanto",
    "sw": "na ya wa za kwa ni kila ana alikuwa ngapi wangapi mangapi katika kama ili baada kisha hii yake cha la je",
}
_FREQUENT_WORDS = {code: frozenset(words.split()) for code, words in _FREQUENT.items()}
_WORD = re.compile(r"[^\W\d_]+")
_FORMULA = re.compile(r"\$[^$]*\$|\\[A-Za-z]+(?:\{[^{}]*\})?")
_DIGITS = re.compile(
    r"((?<!\d)\d{1,2}(?:,\d{2})+,\d{3}(?![\d,])|\d+(?:[.,\u00a0\u202f' ]\d{3}(?!\d))*)\s?([万萬만億亿억])?"
)
"""A number with separators of thousands, as in 1,250 or in India 1,00,000, and the East Asian unit behind it."""
_ZEROS = {"万": 4, "萬": 4, "만": 4, "億": 8, "亿": 8, "억": 8}
MAX_CHARACTERS = 4000


def language_of(problem: Problem) -> str | None:
    """The code of the problem's language: what it says itself, else what its text looks like; None: not known."""
    if problem.language:
        said = problem.language.strip().lower().replace("_", "-").partition("-")[0]
        return next((code for code, name in NAMES.items() if name.lower() == said), said)
    return detected("\n".join((problem.text, *problem.choices)))


def detected(text: str) -> str | None:
    """The code of the language that ``text`` looks like; None where too little speaks for one."""
    words = _WORD.findall(_FORMULA.sub(" ", text[:MAX_CHARACTERS]))
    scripts = _scripts("".join(words))
    if scripts:
        best = max(scripts, key=lambda code: scripts[code])
        if any(letter in _NOT_IN.get(best, "") for word in words for letter in word.lower()):
            return None
        return "ja" if "ja" in scripts and best == "zh" else best
    counts = {code: sum(word.lower() in frequent for word in words) for code, frequent in _FREQUENT_WORDS.items()}
    ordered = sorted(counts, key=lambda code: -counts[code])
    clear = counts[ordered[0]] >= 2 and counts[ordered[0]] > counts[ordered[1]]
    return ordered[0] if clear else None


def _scripts(letters: str) -> dict[str, int]:
    """How many letters are of the scripts that only one of the languages has."""
    counts: dict[str, int] = {}
    for letter in letters:
        code = _SCRIPTS.get(unicodedata.name(letter, "").partition(" ")[0].partition("-")[0])
        if code is not None:
            counts[code] = counts.get(code, 0) + 1
    return {code: count for code, count in counts.items() if 4 * count >= len(letters)}


def language_name(code: str | None) -> str:
    """The English name of a language, as a prompt says it."""
    return NAMES.get(code, code) if code else "the language of the question"


def lost_numbers(original: str, translation: str) -> list[str]:
    """The numbers of two digits or more in ``original`` that ``translation`` does not have, in any script's digits.

    Separators of thousands are passed over; smaller numbers may have become words. 15万 may be 150,000.
    """
    kept = {form for forms in _numbers(translation) for form in forms}
    lost = [forms[0] for forms in _numbers(original) if len(forms[0]) > 1 and kept.isdisjoint(forms)]
    return list(dict.fromkeys(lost))


def _numbers(text: str) -> list[tuple[str, ...]]:
    """The digits of each number; where a unit stands behind it, those of the whole amount, too."""
    plain = "".join(str(unicodedata.digit(one)) if one.isdigit() and one.isdecimal() else one for one in text)
    found: list[tuple[str, ...]] = []
    for number, unit in _DIGITS.findall(plain):
        digits = "".join(re.findall(r"\d", number))
        found.append((digits, digits + "0" * _ZEROS[unit]) if unit else (digits,))
    return found
