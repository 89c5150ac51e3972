"""From mathematics as people and models write it to SymPy's objects. In the sandbox only: reading evaluates.

Text comes tidied (answers/latex.py). Letters and words that are no known function or constant are variables. Nothing
of Python but arithmetic, calls of known functions and lists is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from tokenize import TokenError
from typing import Any

import sympy
from sympy.parsing import sympy_parser

from .functions import FUNCTIONS, WITHOUT_BRACKETS
from .refusal import Unreadable

MAX_CHARACTERS = 2_000
DOMAINS: dict[str, dict[str, bool]] = {
    "complex": {},
    "real": {"real": True},
    "positive": {"positive": True},
    "integer": {"integer": True},
}
RELATIONS = {
    "=": sympy.Eq,
    "==": sympy.Eq,
    "!=": sympy.Ne,
    "<": sympy.Lt,
    "<=": sympy.Le,
    ">": sympy.Gt,
    ">=": sympy.Ge,
}
_CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "E": sympy.E, "i": sympy.I, "I": sympy.I, "oo": sympy.oo}
_NAMES = {name: getattr(sympy, name) for name in ("Symbol", "Integer", "Float", "Rational", "Function")}
_STEPS = (
    sympy_parser.auto_symbol,
    sympy_parser.auto_number,
    sympy_parser.factorial_notation,
    sympy_parser.rationalize,
    sympy_parser.implicit_multiplication,
    sympy_parser.function_exponentiation,
)
_FAILURES = (SyntaxError, TokenError, TypeError, ValueError, AttributeError, NameError, IndexError)
_RELATION = re.compile(r"(<=|>=|!=|==|=|<|>)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_CALL = re.compile(r"([A-Za-z]\w+|[fghFGH])\(")
_FOREIGN = re.compile(r"[^A-Za-z0-9_\s+\-*/%!(),.\[\]]|\.\s*[A-Za-z_]|__")
_MIXED = re.compile(r"(?<![\w.^_/])(?<!\*\*)(\d+)(?:\s*\\frac\{(\d+)\}\{(\d+)\}|\s+(\d+)/(\d+)(?![\w.(^]))")
_BRACED = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\text\{([^{}]*)\}", r"\1"),
        (r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))"),
        (r"\\binom\{([^{}]*)\}\{([^{}]*)\}", r"binomial(\1,\2)"),
        (r"\\sqrt\[([^\[\]{}]*)\]\{([^{}]*)\}", r"root(\2,\1)"),
        (r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)"),
        (r"\\?\blog_\{([^{}]*)\}\s*(\w+|\((?:[^()]|\([^()]*\))*\))", r"(log(\2)/log(\1))"),
        (r"(\d+(?:\.\d+)?)\^\{\\circ\}", r"(\1*pi/180)"),
        (r"\^\{\\circ\}", r"*pi/180"),
        (r"\|([^|]+)\|", r" Abs(\1)"),
        (r"\\(sin|cos|tan)\^\{-1\}", r"\\arc\1"),
        (r"\^\{(\w+)\}", r"**\1 "),
        (r"\^\{([^{}]*)\}", r"**(\1)"),
        (r"_\{(\w+)\}(\w*)", r"_\1\2"),  # tidying made total_{c}ost of total_cost
    ]
]
_BARE = "|".join(sorted(WITHOUT_BRACKETS, key=len, reverse=True))
_PLAIN = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\(?:cdot|times)(?![A-Za-z])", "*"),
        (r"\\infty(?![A-Za-z])", " oo "),
        (r"\\le(?![A-Za-z])", "<="),
        (r"\\ge(?![A-Za-z])", ">="),
        (r"\\ne(?![A-Za-z])", "!="),
        (r"\\lfloor(?![A-Za-z])", " floor("),
        (r"\\lceil(?![A-Za-z])", " ceiling("),
        (r"\\r(?:floor|ceil)(?![A-Za-z])", ")"),
        (r"\\log(2|10)(?=\()", r" log\1"),
        (r"\\([A-Za-z]+)", r" \1 "),
        (r"\{", "("),
        (r"\}", ")"),
        (r"\^", "**"),
        (r"\blambda\b", "lamda"),
        (r"(\w+)\s+choose\s+(\w+)", r"binomial(\1,\2)"),
        (r"\s+mod\s+", "%"),
        (r"%\s*of(?=[\s\d(])", "/100*"),
        (r"(?<=[\d)])\s+of\s+(?=[\w(])", "*"),  # 3/4 of 80
        (r"%(?!\s*[\w(])", "/100"),
        (r"\b(sin|cos|tan|ln|log)([a-z])\b", r"\1 \2"),
        (  # the function of the next number and letters: sin 2x cos x, sin^2 x, ln 2, cos pi/3
            rf"\b({_BARE})\b(\s*\*\*\s*\d+)?\s*(?=[ \d])\s*(?=\w)(?!(?:{_BARE})\b)"
            rf"((?:\d+(?:\.\d+)?)?(?:\s*(?!(?:{_BARE})\b)[A-Za-z]\w*(?:\*\*\w+)?(?![\w(]))*(?:(?<=pi)\s?/\d+)?)",
            r"\1(\3)\2 ",
        ),
        (r"(?<![\w.])(\d+\.?\d*)(?!\d|e[+-]?\d)\s*(?=[A-Za-z(])", r"\1*"),
        (r"(?<![A-Za-z_])C\(", "binomial("),
        (r"(?<![A-Za-z_])P\(", "permutations("),
        (r"(?<![A-Za-z_])([a-eijk-zABDEI-Z])\(", r"\1*("),  # x(x + 1) is a product, f(x) is none
    ]
]


class Reader:
    """Reads the texts of one request. ``variables`` are names that mean a variable even where they are e, i or xy."""

    def __init__(self, variables: Collection[str] = (), domain: str = "real") -> None:
        self._variables = set(variables)
        self._assumptions = DOMAINS[domain]

    def symbol(self, name: str) -> Any:
        """The variable ``name``."""
        name = _plain(name).strip()
        if not _NAME.fullmatch(name):
            raise Unreadable(f"'{name}' is not the name of a variable; give one letter or word")
        return sympy.Symbol(name, **self._assumptions)

    def value(self, text: str) -> Any:
        """An expression, or a list of them. Raises Unreadable."""
        if len(text) > MAX_CHARACTERS:
            raise Unreadable(f"it has {len(text)} characters; at most {MAX_CHARACTERS} are read")
        if re.search(r"\\(?:int|sum|prod|lim|begin)(?![A-Za-z])", text):
            return self._latex(text)
        source = _plain(text)
        if not source.strip():
            raise Unreadable("an expression is empty")
        if _RELATION.search(source):
            raise Unreadable(f"'{text}' is an equation or inequality; here an expression is needed")
        foreign = _FOREIGN.search(source)
        if foreign:
            raise Unreadable(f"'{foreign[0]}' in '{text}' cannot be read; write it like 2*x^2 + sqrt(x)/3")
        for called in _CALL.findall(source):
            if called not in FUNCTIONS and called not in self._variables:
                raise Unreadable(
                    f"the function {called} is not known; write its expression out, e.g. x^2 for f(x)"
                )
        source = _NAME.sub(self._split, source)
        names = {name: self.symbol(name) for name in self._unknown(source)}
        known = {name: value for name, value in {**_CONSTANTS, **FUNCTIONS}.items() if name not in names}
        try:
            found = sympy_parser.parse_expr(
                source.strip(),
                local_dict=names,
                global_dict={"__builtins__": {}, **_NAMES, **known},
                transformations=_STEPS,
            )
        except Unreadable:
            raise
        except _FAILURES as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Unreadable(f"'{text}' cannot be read ({reason}); write it like 2*x^2 + sqrt(x)/3") from error
        settled = _settled(found, text)
        real = self._assumptions and isinstance(settled, sympy.Expr)
        return _with_real_roots(settled) if real else settled

    def expression(self, text: str) -> Any:
        """One expression. Raises Unreadable."""
        found = self.value(text)
        if not isinstance(found, sympy.Expr):
            raise Unreadable(f"'{text}' is not a single expression")
        return found

    def relations(self, text: str) -> list[Any]:
        """The equations and inequalities of ``text`` (two in ``1 < x < 3``); a bare expression is to be 0."""
        pieces = _RELATION.split(_plain(text)) if not re.search(r"\\begin", text) else [text]
        sides = [self.expression(piece) for piece in pieces[::2]]
        if len(sides) == 1:
            return [sympy.Eq(sides[0], 0, evaluate=False)]
        pairs = zip(sides, pieces[1::2], sides[1:], strict=False)
        return [RELATIONS[sign](left, right, evaluate=False) for left, sign, right in pairs]

    def _unknown(self, source: str) -> Iterator[str]:
        for name in set(_NAME.findall(source)):
            if name in self._variables or not (name in _CONSTANTS or _is_function(name, source)):
                yield name

    def _split(self, match: re.Match[str]) -> str:
        """``xy`` is a product, unless it is declared; longer words are variables."""
        name = match[0]
        known = name in self._variables or name in FUNCTIONS or name in _CONSTANTS
        if known or len(name) != 2 or not name.isalpha() or not name.islower():
            return name
        return f"({name[0]}*{name[1]})"

    def _latex(self, text: str) -> Any:
        try:
            from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy
        except ImportError:
            raise Unreadable(
                f"LaTeX like '{text[:40]}' is not read here; use the operations integrate, sum, product, limit"
            ) from None
        try:
            found = latex2sympy(
                text, normalization_config=None, conversion_config=ConversionConfig(lowercase_symbols=False)
            )
        except Exception as error:  # the parser raises bare Exceptions on what it cannot read
            raise Unreadable(f"the LaTeX '{text}' cannot be read") from error
        symbols = {symbol: sympy.Symbol(symbol.name, **self._assumptions) for symbol in found.free_symbols}
        return found.subs(symbols).doit()


def _is_function(name: str, source: str) -> bool:
    return name in WITHOUT_BRACKETS or (name in FUNCTIONS and bool(re.search(rf"(?<!\w){name}\s*\(", source)))


def _plain(text: str) -> str:
    """Tidied LaTeX as arithmetic that Python's tokeniser knows."""
    text = _MIXED.sub(_sum_of_mixed, text)
    previous = None
    while previous != text:
        previous = text
        for pattern, replacement in _BRACED:
            text = pattern.sub(replacement, text)
    for pattern, replacement in _PLAIN:
        text = pattern.sub(replacement, text)
    return text


def _sum_of_mixed(match: re.Match[str]) -> str:
    """``3 1/2`` as a sum, as answers are read (answers/rational.py); with an improper fraction it is a product."""
    whole, above, below = (part for part in match.groups() if part)
    return f"({whole}+{above}/{below})" if int(above) < int(below) else match[0]


def _with_real_roots(found: Any) -> Any:
    """Odd roots of negative numbers are negative, not the principal complex ones."""

    def is_odd_root(part: Any) -> bool:
        odd = part.is_Pow and part.exp.is_Rational and part.exp.q > 1 and part.exp.q % 2 == 1
        return bool(odd and part.base.is_negative)

    return found.replace(is_odd_root, lambda part: (-1) ** part.exp.p * (-part.base) ** part.exp)


def _settled(found: Any, text: str) -> Any:
    """``found`` if it is a value: a number, an expression, a matrix, a list, or a function's yes, no or text."""
    if isinstance(found, (list, tuple)):
        return [_settled(one, text) for one in found]
    if isinstance(found, (bool, str)):
        return found
    if not isinstance(found, (sympy.Basic, sympy.MatrixBase)):
        raise Unreadable(f"'{text}' has no value; a function lacks its arguments")
    if found in (sympy.nan, sympy.zoo):
        raise Unreadable(f"'{text}' has no value: it divides by zero or is undefined")
    return found
