"""Mathematical queries in words, as people type them into Wolfram|Alpha, as operations of the symbolic tool. Pure.

A fixed list of phrasings, not a language: what is not among them is not understood, and that is said.
"""

from __future__ import annotations

import re

from mathagent.tools.symbolic import Domain, Operation, SymbolicRequest

MAX_CHARACTERS = 300

_NAMES: dict[str, Operation] = {
    "gcd": "gcd",
    "greatest common divisor": "gcd",
    "hcf": "gcd",
    "lcm": "lcm",
    "least common multiple": "lcm",
    "prime factors": "factor_integer",
    "prime factorization": "factor_integer",
    "factorization": "factor",
    "euler phi": "totient",
    "phi": "totient",
    "totient": "totient",
    "number of divisors": "divisor_count",
    "sum of divisors": "divisor_sum",
    "divisors": "divisors",
    "next prime after": "next_prime",
    "next prime": "next_prime",
    "number of primes up to": "prime_count",
    "number of partitions": "partitions",
    "partitions": "partitions",
    "derangements": "derangements",
    "catalan number": "catalan",
    "bell number": "bell",
    "fibonacci number": "fibonacci",
    "fibonacci": "fibonacci",
    "binomial": "binomial",
    "binomial coefficient": "binomial",
    "permutations": "permutations",
    "determinant": "det",
    "det": "det",
    "inverse": "inverse",
    "inverse matrix": "inverse",
    "rank": "rank",
    "trace": "trace",
    "row reduce": "rref",
    "rref": "rref",
    "null space": "nullspace",
    "nullspace": "nullspace",
    "kernel": "nullspace",
    "characteristic polynomial": "charpoly",
    "eigenvalues": "eigenvalues",
    "eigenvectors": "eigenvectors",
    "partial fractions": "partial_fractions",
    "partial fraction decomposition": "partial_fractions",
    "simplify": "simplify",
    "expand": "expand",
    "factor": "factor",
    "factorize": "factor",
    "evaluate": "evaluate",
    "compute": "evaluate",
    "calculate": "evaluate",
    "value": "evaluate",
}
_BY_LENGTH = "|".join(sorted(_NAMES, key=len, reverse=True))
_NAMED = re.compile(
    rf"(?:the )?({_BY_LENGTH})(?:\s+(?:of|for)(?: the matrix)?\b)?(?!\w)\s*(?P<expression>.+)", re.I
)
_OF_EXPRESSIONS = frozenset({"factor", "partial_fractions", "simplify", "expand", "evaluate"})
_DOMAINS: dict[str, Domain] = {
    "integers": "integer",
    "whole numbers": "integer",
    "reals": "real",
    "real numbers": "real",
    "complex numbers": "complex",
    "positive numbers": "positive",
}
_OVER = re.compile(rf"(?P<rest>.+?),? (?:over|in|for) (?:the )?(?P<domain>{'|'.join(_DOMAINS)})", re.I)
_LETTER = r"[a-z](?![a-z])"
_INDEX = rf"(?:for |with )?(?:(?P<variable>{_LETTER}) ?(?:=|from)|from(?: (?P<index>{_LETTER}) ?=)?) ?"
_PATTERNS: list[tuple[Operation, str]] = [
    (
        "solve",
        rf"solve (?:the )?(?:equations? |system |inequality )?(?P<expression>.+?)"
        rf"(?: for (?P<variable>{_LETTER}(?:, ?{_LETTER})*))?",
    ),
    ("solve", r"(?:the )?(?:real )?(?:roots|zeros|zeroes|solutions) of (?P<expression>.+)"),
    (
        "differentiate",
        rf"(?:the )?(?P<twice>second )?(?:derivative of|differentiate|d/d(?P<variable>{_LETTER})) ?(?P<expression>.+?)"
        rf"(?: with respect to (?P<index>{_LETTER}))?(?: at (?:{_LETTER} ?= ?)?(?P<point>.+))?",
    ),
    (
        "integrate",
        rf"(?:the )?(?:integrate|integral of|antiderivative of) (?P<expression>.+?)(?: ?\bd(?P<variable>{_LETTER}))?"
        rf"(?: with respect to (?P<index>{_LETTER}))?(?: from (?:{_LETTER} ?= ?)?(?P<lower>.+?) to (?P<upper>.+?))?"
        rf"(?: d(?P<last>{_LETTER}))?",
    ),
    (
        "limit",
        rf"(?:the )?lim(?:it)?(?: of)? (?P<expression>.+?),? as (?P<variable>{_LETTER}) ?"
        r"(?:->|→|to|approaches|goes to|tends to) ?(?P<point>.+)",
    ),
    ("limit", rf"lim(?:it)? (?P<variable>{_LETTER}) ?(?:->|→) ?(?P<point>\S+?),?(?: of)? (?P<expression>.+)"),
    ("sum", rf"(?:the )?sum (?:of )?(?P<expression>.+?),? {_INDEX}(?P<lower>.+?) to (?P<upper>.+)"),
    ("product", rf"(?:the )?product (?:of )?(?P<expression>.+?),? {_INDEX}(?P<lower>.+?) to (?P<upper>.+)"),
    (
        "series",
        r"(?:the )?(?:taylor |maclaurin )?series (?:expansion )?(?:of |for )?(?P<expression>.+?)"
        rf"(?: (?:at|around|about|near) (?:{_LETTER} ?= ?)?(?P<point>.+))?",
    ),
    ("is_prime", r"is (?P<expression>\d+) (?:a )?prime(?: number)?"),
    ("nth_prime", r"(?:the )?(?P<expression>\d+)(?:st|nd|rd|th) prime(?: number)?"),
]
_COMPILED = [(operation, re.compile(pattern, re.I)) for operation, pattern in _PATTERNS]
_EXTREME = re.compile(
    r"(?:the )?(?P<kind>max|min)(?:imi[sz]e|(?:imum)?(?: value)? of) (?P<expression>.+?)"
    r"(?:,? (?:subject to|given|with|where|such that|if) (?P<constraints>.+)"
    r"|,? (?:on|in|over) (?:the interval )?\[(?P<lower>[^,]+), ?(?P<upper>[^\]]+)\]"
    rf"|,? (?:for )?(?:{_LETTER} )?from (?P<first>.+?) to (?P<last>.+))?",
    re.I,
)
_MODULUS = r" ?(?:mod(?:ulo)?|\(mod) (\d+)\)?"
_MODULAR: list[tuple[Operation, re.Pattern[str]]] = [
    ("mod_inverse", re.compile(rf"(?:the )?(?:modular )?inverse of (\d+){_MODULUS}", re.I)),
    ("power_mod", re.compile(rf"(\d+) ?(?:\^|\*\*) ?\(?(\d+)\)?{_MODULUS}", re.I)),
]
_QUESTION = re.compile(r"^(?:(?:please|what(?:'s| is| are)|find|give|determine) )+", re.I)
_SHARE_OF = re.compile(r"(?<=[\d%)]) of (?=[\w(])")
"""20% of 80, 3/4 of 80: a product."""
_WORD = re.compile(r"[A-Za-z]{3,}|\b(?:an|as|at|by|if|in|is|of|on|or|to)\b")
_MATHEMATICAL = re.compile(
    r"(?:arc|a)?(?:sin|cos|tan|cot|sec|csc)h?|sqrt|log|exp|abs|gcd|lcm|mod|floor|ceil(?:ing)?|max|min|binomial"
    r"|factorial|choose|infinity|frac|cdot|left|right|times|pi|and"
)


def read_query(text: str) -> SymbolicRequest | None:
    """What ``text`` asks for; None where it is not understood."""
    text = " ".join(text.split()).rstrip("?. ")
    if not text or len(text) > MAX_CHARACTERS:
        return None
    text = _QUESTION.sub("", text)
    over = _OVER.fullmatch(text)
    if over:
        text = over["rest"]
    found = _modular(text) or _extreme(text) or _pattern(text) or _named(text) or _bare(text)
    if found is None or over is None:
        return found
    return found.model_copy(update={"domain": _DOMAINS[over["domain"].lower()]})


def _modular(text: str) -> SymbolicRequest | None:
    for operation, pattern in _MODULAR:
        match = pattern.fullmatch(text)
        if match:
            return SymbolicRequest(operation=operation, expression=", ".join(match.groups()))
    return None


def _extreme(text: str) -> SymbolicRequest | None:
    match = _EXTREME.fullmatch(text)
    if match is None:
        return None
    expression = "; ".join(part for part in (match["expression"], match["constraints"]) if part)
    return SymbolicRequest(
        operation="maximize" if match["kind"].lower() == "max" else "minimize",
        expression=expression,
        lower=match["lower"] or match["first"] or "",
        upper=match["upper"] or match["last"] or "",
    )


def _pattern(text: str) -> SymbolicRequest | None:
    for operation, pattern in _COMPILED:
        match = pattern.fullmatch(text)
        if match is None or not _is_mathematics(match["expression"]):
            continue
        said = {name: value or "" for name, value in match.groupdict().items()}
        variable = next((said[name] for name in ("variable", "index", "last") if said.get(name)), "")
        if said.get("twice"):
            variable = ", ".join([variable or _only_letter(said["expression"])] * 2)
        ends = {name: said[name] for name in ("lower", "upper", "point") if said.get(name)}
        return SymbolicRequest(operation=operation, expression=said["expression"], variable=variable, **ends)
    return None


def _only_letter(expression: str) -> str:
    letters = sorted(set(re.findall(r"(?<![A-Za-z])[a-z](?![A-Za-z])", expression)) - {"e", "i"})
    return letters[0] if letters else "x"


def _named(text: str) -> SymbolicRequest | None:
    match = _NAMED.fullmatch(text)
    if match is None:
        return None
    operation, expression = _NAMES[match[1].lower()], match["expression"].strip()
    if expression.startswith("(") and expression.endswith(")") and operation != "evaluate":
        inner = expression[1:-1]
        expression = (
            inner if inner.count("(") == inner.count(")") and ")" not in inner.split("(")[0] else expression
        )
    if operation == "factor" and expression.isdecimal():
        operation = "factor_integer"
    if operation not in _OF_EXPRESSIONS:
        expression = re.sub(r",? and ", ", ", expression)
    return SymbolicRequest(operation=operation, expression=expression) if _is_mathematics(expression) else None


def _bare(text: str) -> SymbolicRequest | None:
    """An expression without words is evaluated, an equation solved."""
    if not _is_mathematics(text) or not re.search(r"[\d=+*/^<>-]", text):
        return None
    operation: Operation = "solve" if re.search(r"[=<>≤≥]", text) else "evaluate"
    return SymbolicRequest(operation=operation, expression=text)


def _is_mathematics(text: str) -> bool:
    """Whether the longer words of ``text`` are all names of functions."""
    return all(_MATHEMATICAL.fullmatch(word.lower()) for word in _WORD.findall(_SHARE_OF.sub("*", text)))
