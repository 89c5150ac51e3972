"""One spelling for mathematics: LaTeX, Unicode and plain text are brought to one form of LaTeX. Pure text work."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_LENGTH = 2_000
"""Longer texts are left as they are: no final answer is that long, and some steps here are quadratic."""

_SYMBOLS = {
    **dict.fromkeys("−–—‐‑‒﹣－", "-"),
    **dict.fromkeys("×✕", r"\times "),
    **dict.fromkeys("·⋅∙", r"\cdot "),
    **dict.fromkeys("∗＊", "*"),
    "÷": "/",
    "≤": r"\le ",
    "⩽": r"\le ",
    "≥": r"\ge ",
    "⩾": r"\ge ",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "±": r"\pm ",
    "∓": r"\mp ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∈": r"\in ",
    "∞": r"\infty ",
    "∅": r"\emptyset ",
    "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}",
    "ℂ": r"\mathbb{C}",
    "°": r"^{\circ}",
    "℃": r"^{\circ}C",
    "℉": r"^{\circ}F",
    "⟨": r"\langle ",
    "⟩": r"\rangle ",
    "“": '"',
    "”": '"',
    "’": "'",
    "‘": "'",
    "\u200b": "",
    "\ufeff": "",
    "\u2061": "",
    "\u2062": "",
}
_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "ζ": "zeta",
    "θ": "theta",
    "λ": "lambda",
    "μ": "mu",
    "ξ": "xi",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "φ": "phi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
    "Δ": "Delta",
    "Ω": "Omega",
}
_TRANSLATION = str.maketrans({**_SYMBOLS, **{letter: f"\\{name} " for letter, name in _GREEK.items()}})
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋ₙ", "0123456789+-n")

_GREEK_WORDS = "|".join(name for name in _GREEK.values() if name.islower())
_FUNCTIONS = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|gcd|lcm|max|min"
_TEXT_COMMANDS = (
    "textnormal|textbf|textit|textrm|texttt|textsf|text|mbox|hbox|mathrm|mathbf|mathit|mathsf|mathtt|bm"
    r"|boldsymbol|operatorname\*?"
)

_COMMANDS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\(?:left|right|[bB]igg?[lrm]?)(?![a-zA-Z])\s*\.?", ""),
        (r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|rm|bf|it)(?![a-zA-Z])", ""),
        (r"\\[hv]?phantom\s*(?:\{[^{}]*\}|[^\s{])", ""),
        (r"(?<=\d),\\!\s*(?=\d{3})|(?<=\d)\s*\{,\}\s*(?=\d{3})", ""),
        (r"\\!|\\thinspace(?![a-zA-Z])", ""),
        (r"\\q?quad(?![a-zA-Z])(?!\s*\\text)", ", "),
        (r"(?<!\\)\\[,;: ]|\\q?quad(?![a-zA-Z])|(?<!\\)~", " "),
        (r"\\[()]|(?<!\\)\\[\[\]](?!\d+pt)", ""),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
        (r"\\(?:leqslant|leq)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geqslant|geq)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\neq(?![a-zA-Z])|!=", r"\\ne "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\colon(?![a-zA-Z])", ":"),
        (r"\\(?:mid|vert|lvert|rvert)(?![a-zA-Z])", "|"),
        (r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (r"\\lbrack(?![a-zA-Z])", "["),
        (r"\\rbrack(?![a-zA-Z])", "]"),
        (r"\\varnothing(?![a-zA-Z])", r"\\emptyset "),
        (r"\\imath(?![a-zA-Z])", "i"),
        (r"\\(?:div)(?![a-zA-Z])", "/"),
        (r"\\%", "%"),
        (rf"\\(?:{_TEXT_COMMANDS})\s*\{{", r"\\text{"),
        (r"(?<=[\d}])\s*(?:\\text\{\s*(?:percent(?:age)?|pct)\s*\}|(?:percent(?:age)?|pct)(?![A-Za-z]))", "%"),
        (r"\{\s*\\text\{([^{}]*)\}\s*\}", r"\\text{\1}"),
        (r"\\text\{\s*\}", ""),
        (r",?\s*\\text\{\s*,?\s*(?:and|or)\s*\}\s*", ", "),
        (r"(?<![\\A-Za-z])(?:infinity|inf|oo)(?![A-Za-z])", r"\\infty "),
        (rf"(?<![\\A-Za-z])({_GREEK_WORDS})(?![A-Za-z])", r"\\\1 "),
        (rf"(?<![\\A-Za-z])({_FUNCTIONS})(?=\s*[(^{{]|\s*\d|\s+[a-z](?![a-z]))", r"\\\1"),
        (r"(?<![\\A-Za-z])a(sin|cos|tan)(?=\s*\()", r"\\arc\1"),
        (r"\\exp\s*\(", r"e^("),
        (r"\*\*", "^"),
        (r"(?<=[\w)}\]])\s*\*\s*(?=[\w({\\\[-])", r"\\cdot "),
        (r"\\(?:times|ast)(?![a-zA-Z])", r"\\cdot "),
        (r"\^\s*\\circ(?![a-zA-Z])|\^\s*\{\s*\\circ\s*\}|\\degree(?![a-zA-Z])", r"^{\\circ}"),
        (r"(?<=\d)\^?\{?\s*\\text\{\s*(?:st|nd|rd|th)\s*\}\s*\}?|(?<=\d)\^\{(?:st|nd|rd|th)\}", ""),
    ]
]
_THOUSANDS = re.compile(r"(?<![\d.,])([1-9]\d{0,2}(?:,\d{3})+)(?![\d,])")
_DOUBLED = re.compile(
    r"\\\\(?=(?:left|right|d?frac|tfrac|sqrt|text|cdot|times|boxed|pi|theta|infty|pm|le|leq|ge|geq|cup|circ|ln|log|sin|cos|tan)"
    r"(?![a-zA-Z]))"
)
"""Commands of a text whose backslashes were escaped once too often, as in JSON that was never decoded."""
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"), ('"', '"'))


@lru_cache(maxsize=4096)
def tidy(text: str) -> str:
    """``text`` in one spelling: ``½`` and ``\\dfrac12`` become ``\\frac{1}{2}``, ``sqrt(2)`` and ``√2`` ``\\sqrt{2}``.

    Text commands become ``\\text{…}``; currency signs of LaTeX stay. Meaning is kept, layout is lost.
    """
    if len(text) > MAX_LENGTH:
        return text.strip()
    text = strip_wrappers(_unify_characters(text))
    if "\\begin" not in text:  # where \\\\ ends a row
        text = _DOUBLED.sub(lambda match: "\\", text)
    for pattern, replacement in _COMMANDS:
        text = pattern.sub(replacement, text)
    if len(re.findall(r"(?<!\\)\$", text)) > 1:
        text = re.sub(r"(?<!\\)\$", "", text)
    for command, count in (("\\frac", 2), ("\\binom", 2), ("\\sqrt", 1)):
        text = _brace_arguments(text, command, count)
    text = _brace_scripts(text)
    text = _THOUSANDS.sub(lambda match: match.group() if _depth(match) else match.group().replace(",", ""), text)
    text = re.sub(r"\\+\s*$", "", text) if not text.endswith("\\}") else text
    return strip_wrappers(_squeeze_spaces(text))


def untext(text: str) -> str:
    """``text`` with the content of its ``\\text{…}`` commands in their place."""
    previous = None
    while previous != text:
        previous, text = text, _TEXT.sub(lambda match: match.group(1), text)
    return _squeeze_spaces(text)


def strip_wrappers(text: str) -> str:
    """Removes dollar signs of mathematics, quotes, markdown marks and closing punctuation around ``text``."""
    previous = None
    while previous != text:
        previous = text
        text = text.strip().rstrip(".,;:。，；").strip()
        for opening, closing in _WRAPPERS:
            inner = text.removeprefix(opening).removesuffix(closing)
            wrapped = len(inner) == len(text) - len(opening) - len(closing)
            if wrapped and closing not in inner and not inner.endswith("\\"):
                text = inner
        boxed = re.match(r"\\(?:boxed|fbox|text)\s*(?=\{)", text)
        if boxed and matching_close(text, boxed.end()) == len(text) - 1:
            text = text[boxed.end() + 1 : -1]
    return text


def matching_close(text: str, start: int) -> int:
    """Index of the brace or bracket that closes the one at ``start``; -1 where there is none.

    Round and square brackets close each other (half-open intervals); braces close braces only.
    """
    pairs = {"{": "}", "(": ")]", "[": ")]"}
    closing = pairs[text[start]]
    opening = "{" if closing == "}" else "(["
    escaped = start > 0 and text[start - 1] == "\\"  # \{ and \} are brackets of their own kind
    depth = 0
    for i in range(start, len(text)):
        if closing == "}" and (i > 0 and text[i - 1] == "\\") != escaped:
            continue
        if text[i] in opening:
            depth += 1
        elif text[i] in closing:
            depth -= 1
            if depth == 0:
                return i
    return -1


def closing_braces(text: str) -> dict[int, int]:
    """Where each unescaped brace that opens is closed; those that nothing closes are left out. Linear in the text."""
    closes: dict[int, int] = {}
    open_at: list[int] = []
    for match in re.finditer(r"(?<!\\)[{}]", text):
        if match.group() == "{":
            open_at.append(match.start())
        elif open_at:
            closes[open_at.pop()] = match.start()
    return closes


def _unify_characters(text: str) -> str:
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+", lambda match: f"^{{{match.group().translate(_RAISED)}}}", text)
    text = re.sub(r"[₀₁₂₃₄₅₆₇₈₉₊₋ₙ]+", lambda match: f"_{{{match.group().translate(_LOWERED)}}}", text)
    text = re.sub(r"√\s*(\d+(?:\.\d+)?|[a-zA-Z])", r"\\sqrt{\1}", text).replace("√", "\\sqrt ")
    text = text.translate(_TRANSLATION)
    if not text.isascii():
        text = "".join(_ascii_character(character) for character in text)
    return text


def _ascii_character(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.digit(character))
    compatible = unicodedata.normalize("NFKC", character)
    if "①" <= character <= "⑳":
        return f"\\textcircled{{{compatible}}}"
    if "⁄" in compatible:
        above, _, below = compatible.partition("⁄")
        return f"\\frac{{{above}}}{{{below}}}" if above and below else "/"
    return {"。": ".", "、": ","}.get(compatible, compatible)


def _brace_arguments(text: str, command: str, count: int) -> str:
    """Puts braces around the ``count`` arguments of each ``command``: ``\\frac12`` → ``\\frac{1}{2}``."""
    parts = re.split(re.escape(command) + r"(?![a-zA-Z])", text)
    done = parts[-1]
    for part in reversed(parts[:-1]):
        done = part + command + _braced(done, command, count)
    return done


def _braced(rest: str, command: str, count: int) -> str:
    head, position = "", 0
    optional = re.match(r"\s*(\[[^\]]*\])", rest) if command == "\\sqrt" else None
    if optional:
        head, position = optional.group(1), optional.end()
    for _ in range(count):
        while position < len(rest) and rest[position].isspace():
            position += 1
        if position >= len(rest):
            return rest
        end = _argument_end(rest, position, command)
        if end <= position:
            return rest
        argument = rest[position:end]
        wrapped = argument[0] == "{" or (argument[0] == "(" and command == "\\sqrt")
        head += "{" + (argument[1:-1] if wrapped else argument) + "}"
        position = end
    return head + rest[position:]


def _argument_end(text: str, start: int, command: str) -> int:
    first = text[start]
    if first == "{" or (first == "(" and command == "\\sqrt"):
        return matching_close(text, start) + 1
    if first == "\\":
        nested = re.match(r"\\[a-zA-Z]+(?:\[[^\]]*\])?(?:\{[^{}]*\})*", text[start:])
        return start + nested.end() if nested else start
    return start + 1 if first.isalnum() else start


def _brace_scripts(text: str) -> str:
    """``x^10`` → ``x^{10}``, ``2^(1/2)`` → ``2^{1/2}``, ``52_8`` → ``52_{8}``."""
    text = re.sub(r"([\^_])\s+", r"\1", text)
    text = re.sub(r"([\^_])(-?\d+(?:\.\d+)?|-?[A-Za-z]|\\[a-zA-Z]+(?:\{[^{}]*\})*)", r"\1{\2}", text)
    pieces, position = [], 0
    while (found := text.find("^(", position)) >= 0:
        close = matching_close(text, found + 1)
        if close < 0:
            break
        pieces.append(text[position : found + 1] + "{" + text[found + 2 : close] + "}")
        position = close + 1
    return "".join(pieces) + text[position:]


def _squeeze_spaces(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?<=[^A-Za-z0-9.,]) | (?=[^A-Za-z0-9(\\])| (?=\\)", "", text)
    text = re.sub(r"(?<=[^A-Za-z]) (?=\()|(?<=\\) ", "", text)
    return re.sub(r",\s+", lambda match: "," if _depth(match) else ", ", text).strip()


def _depth(match: re.Match[str]) -> int:
    """How many brackets are open where ``match`` begins."""
    before = match.string[: match.start()]
    return sum(map(before.count, "([{")) - sum(map(before.count, ")]}"))
