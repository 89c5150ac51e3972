"""Units behind a value: ``5\\text{ cm}`` is 5 and cm, ``9 (apples)`` is 9. Pure text work.

A unit of measurement or money is kept, because 5 cm is not 5 m; a counted noun ("apples") says nothing about the
value and is dropped.
"""

from __future__ import annotations

import re

from mathagent.answers.latex import tidy, untext

_KNOWN: dict[str, str] = {
    alias: unit
    for unit, aliases in {
        "mm": "mm millimeter millimetre",
        "cm": "cm centimeter centimetre",
        "dm": "dm decimeter decimetre",
        "m": "m meter metre mtr",
        "km": "km kilometer kilometre",
        "in": "in inch inche",
        "ft": "ft foot feet",
        "yd": "yd yard",
        "mi": "mi mile",
        "mg": "mg milligram",
        "g": "g gm gram",
        "kg": "kg kilogram kilo",
        "t": "ton tonne",
        "oz": "oz ounce",
        "lb": "lb pound",
        "ml": "ml milliliter millilitre",
        "cl": "cl centiliter centilitre",
        "l": "l liter litre",
        "gal": "gal gallon",
        "qt": "qt quart",
        "pt": "pint",
        "s": "s sec second",
        "min": "min minute",
        "h": "h hr hour",
        "day": "day",
        "week": "week wk",
        "month": "month",
        "year": "year yr",
        "am": "am",
        "pm": "pm",
        "mph": "mph",
        "km/h": "kmph kmh kph",
        "dollar": "dollar usd buck",
        "cent": "cent penny pennie pence",
        "euro": "euro eur",
        "pound sterling": "gbp",
        "rupee": "rupee rs inr",
        "yuan": "yuan rmb cny",
        "yen": "yen jpy",
        "hz": "hz hertz",
        "khz": "khz",
        "mhz": "mhz",
        "n": "newton",
        "j": "j joule",
        "kj": "kj",
        "w": "watt",
        "kw": "kw",
        "v": "volt",
        "ohm": "ohm",
        "k": "kelvin",
        "pa": "pa pascal",
        "kpa": "kpa",
        "acre": "acre",
        "hectare": "hectare",
        "rad": "rad radian",
        "mol": "mol mole",
    }.items()
    for alias in aliases.split()
}
_SINGLE = frozenset("mgslh")
_NEUTRAL = frozenset({"degree", "deg", "unit", "square unit", "cubic unit"})
_PREFIX_MONEY = {"\\$": "dollar", "$": "dollar", "€": "euro", "£": "pound sterling", "¥": "yen", "₹": "rupee"}
_NOT_NOUNS = frozenset(
    {"or", "and", "to", "is", "are", "i", "e", "d", "pi", "if", "for", "from", "where", "when", "because", "since"}
    | {"so", "which", "that", "then", "than", "mod", "modulo", "with", "choose", "over", "times", "plus", "minus"}
    | {"divided", "into", "equals"}
)
_TEXT_TAIL = re.compile(
    r"^(.*?[^\s\\{(\[,;=+*/^_-])\s*((?:[/·]?(?: per )?\\text\{[^{}]*\}(?:\^\{[23]\})?)+)$", re.DOTALL
)
_WORD_TAIL = re.compile(
    r"(?:(?<=[\d)}\]%])|(?<=\\pi))(\s*)([A-Za-z][A-Za-z.' ]*(?:\^\{[23]\})?(?:/[A-Za-z. ]+(?:\^\{[23]\})?)?)$"
)
_BRACKET_TAIL = re.compile(r"^(-?[\d.,/: ]*\d%?)\s*\(([A-Za-z][A-Za-z .'/-]*)\)$")
_NOUN = re.compile(r"^(?=.*[aeiou])[a-z.'-]{3,}$")
_PLAIN_NUMBER = re.compile(
    r"^-?\s*(?:\d[\d,]*(?:\.\d+)?|\.\d+|\d+/\d+|\d+ \d+/\d+|(?:\d+ ?)?\\frac\{\d+\}\{\d+\}|\d+:\d+)$"
)
_ATTACHED = re.compile(r"(?:cm|km|mm|kg|ft|am|pm|[A-Za-z]{3,})(?:\^\{[23]\})?$")
_FOREIGN_TAIL = re.compile(r"^(-?[\d.,/]*\d%?)\s*[^\x00-\x7f\d]{1,8}$")
_DEGREES = re.compile(r"\^\{\\circ\}\s*(?:\\text\{\s*[CFK]\s*\}|[CFK])?$")
_TRIGONOMETRIC = re.compile(r"\\(?:arc)?(?:sin|cos|tan|cot|sec|csc)")


def split_unit(text: str) -> tuple[str, str]:
    """(value, unit) of a tidied answer; the unit is in canonical spelling, "" where there is none that counts."""
    value, unit = _split_money(text.strip())
    if not unit:
        value, unit = _split_words(value)
    if not _TRIGONOMETRIC.search(value):
        value = _DEGREES.sub("", value).strip()
    return value, unit


def canonical_unit(words: str) -> str:
    """One spelling of a unit: ``square feet`` → ``ft^2``, ``miles per hour`` → ``mph``; "" for a counted noun."""
    plain = untext(tidy(words)).lower().replace(".", "").replace("^{", "^").replace("}", "")
    plain = re.sub(r"\s+per\s+|\s*/\s*(?:an?\s+)?", "/", plain.strip())
    parts = [_single_unit(part) for part in plain.split("/")]
    if not all(parts):
        return ""
    joined = "/".join(parts)
    return "mph" if joined == "mi/h" else joined


def _single_unit(words: str) -> str:
    words = words.strip()
    power = ""
    for names, exponent in (("square|sq", "^2"), ("cubic|cu", "^3")):
        match = re.match(rf"(?:{names})\s+(.*)$", words)
        if match:
            words, power = match.group(1), exponent
    raised = re.match(r"(.*?)\^([23])$", words)
    if raised:
        words, power = raised.group(1), f"^{raised.group(2)}"
    spelled = re.sub(r"^([ap]) m$", r"\1m", words)
    for candidate in (spelled, spelled.removesuffix("s"), spelled.removesuffix("es")):
        if candidate in _KNOWN:
            return _KNOWN[candidate] + power
    return ""


def _split_money(text: str) -> tuple[str, str]:
    match = re.match(r"^(-?)\s*(\\\$|\$|€|£|¥|₹)\s*(-?)\s*(.*)$", text, re.DOTALL)
    if not match or text.count("$") > 1:
        return text.replace("\\$", "").replace("$", "").strip(), ""
    value, word = _split_words(match.group(4))
    if word and word not in ("dollar", "euro", "yen", "rupee"):
        value = match.group(4)
    return match.group(1) + match.group(3) + value, _PREFIX_MONEY[match.group(2)]


def _split_words(text: str) -> tuple[str, str]:
    foreign = _FOREIGN_TAIL.match(text)
    if foreign:  # a counter or unit of another script: 11个
        return foreign.group(1), ""
    bracketed = _BRACKET_TAIL.match(text)
    if bracketed and (canonical_unit(bracketed.group(2)) or _has_noun(bracketed.group(2))):
        return bracketed.group(1).strip(), canonical_unit(bracketed.group(2))
    tail = _TEXT_TAIL.match(text)
    if tail and _is_unit_text(tail.group(1), tail.group(2)):
        return tail.group(1).strip(), canonical_unit(tail.group(2))
    words = _WORD_TAIL.search(text)
    if words and _are_unit_words(text[: words.start()], bool(words.group(1)), words.group(2)):
        return text[: words.start()].strip(), canonical_unit(words.group(2))
    return text, ""


def _is_unit_text(value: str, tail: str) -> bool:
    content = re.sub(r"\^\{\d\}", "", untext(tail)).strip().lower()
    if content in _NOT_NOUNS or not re.search(r"[a-z]", content) or re.search(r"\d", content):
        return False
    # A word behind a bare variable is more likely a name ("f \text{ is odd}") than a unit.
    return bool(re.search(r"\d|\\(?:pi|sqrt|frac)", value)) or bool(canonical_unit(tail))


def _are_unit_words(value: str, spaced: bool, words: str) -> bool:
    letters = [word for word in re.split(r"[ /]+", re.sub(r"\^\{\d\}", "", words).lower()) if word]
    if any(word in _NOT_NOUNS for word in letters) or not re.search(r"[\d\\]", value):
        return False
    if len(letters) == 1 and len(letters[0]) == 1:
        return spaced and letters[0] in _SINGLE and (bool(_PLAIN_NUMBER.match(value)) or "^" in words)
    if canonical_unit(words) or words.lower().rstrip("s") in _NEUTRAL:
        # Behind a bracket tidying has removed the space; behind a digit "5mg" may be a product.
        return spaced or bool(_ATTACHED.match(words)) or not value[-1].isdigit()
    return spaced and bool(_PLAIN_NUMBER.match(value)) and _has_noun(words)


def _has_noun(words: str) -> bool:
    return any(_NOUN.match(word) for word in re.split(r"[ /]+", words.lower()))
