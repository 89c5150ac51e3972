"""From mathematics as people and models write it to exact Python over SymPy. Pure text work: nothing is evaluated.

``x + y = 10``, ``\\frac{\\sqrt{3}}{2}`` and ``2xy^2`` become source text that a check's program holds. Only arithmetic
and known functions come through, so a template keeps its shape whatever stands in its slots.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator
from itertools import pairwise

from mathagent.answers.latex import matching_close, tidy
from mathagent.types import Value

MAX_CHARACTERS = 500
MAX_DEPTH = 40

_SAME_NAME = (
    "sqrt root binomial factorial exp log sin cos tan cot sec csc asin acos atan sinh cosh tanh floor ceiling gcd lcm"
    " diff integrate limit summation product Abs Max Min Mod"
)
_OTHER_NAME = (
    "ln:log abs:Abs max:Max min:Min ceil:ceiling sum:summation arcsin:asin arccos:acos arctan:atan comb:binomial"
    " mod:Mod"
)
_FUNCTIONS: dict[str, str] = {
    **{name: name for name in _SAME_NAME.split()},
    **dict(pair.split(":") for pair in _OTHER_NAME.split()),
}
"""Name in expressions to name in SymPy."""
_FUNCTION_LETTERS = frozenset("fghFGH")
"""f(2) is no product, x(x + 1) is one."""
_CONSTANTS = {"pi": "pi", "e": "E", "oo": "oo", "infty": "oo"}
_IN_ANSWERS = {"E": "E", "i": "I", "I": "I"}
"""Constants in answers; in a model's equations I is as likely interest, and E an unknown."""
_RESERVED = frozenset(
    {
        "answer",
        "sympy",
        "random",
        "equations",
        "bound",
        "found",
        "points",
        "values",
        "sides",
        "half",
        "remaining",
        "one",
        "value",
        "step",
        "side",
        "point",
        "all",
        "any",
        "len",
    }
)
"""Names that templates use; a variable of the same name gets an underscore."""
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d{1,3}(?![\d.]))?|\.\d+)|\\(?P<command>[A-Za-z]+)|(?P<name>[A-Za-z]+)"
    r"|(?P<sign>//|[-+*/^(){}!%,\[\]_|]))"
)
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd)
_ALLOWED = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Call,
    ast.Name,
    ast.Constant,
    ast.Tuple,
    ast.Load,
    *_OPERATORS,
)


class Unreadable(ValueError):
    """The text cannot be written as Python; the message says why, for the reason of an undecided check."""


class Expression(Value):
    """``source`` is exact Python that uses SymPy as ``sympy`` and the variables ``names``."""

    source: str
    names: frozenset[str]


def read_equation(text: str) -> list[tuple[Expression, Expression]]:
    """The equations in ``a = b`` (two in ``a = b = c``). Raises Unreadable."""
    sides = re.split(r"=+", text)
    if len(sides) < 2 or re.search(r"[<>≤≥≠]|!=|:=|\\(?:[lg]eq?|ne)\b", text):
        raise Unreadable(f"'{_short(text)}' is not an equation")
    read = [read_expression(side) for side in sides]
    return list(pairwise(read))


def read_expression(text: str, *, letters: bool = False, keep: frozenset[str] = frozenset()) -> Expression:
    """The expression in ``text``: LaTeX, Unicode or Python. Raises Unreadable.

    ``letters``: a run of letters that is no known name is a product (``xy`` is x times y), as in answers; else it is
    one variable (``apples``), as in equations that a model writes. A variable with a name that templates use gets
    an underscore, but for the names in ``keep``.
    """
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(f"an expression has {len(text)} characters, more than {MAX_CHARACTERS}")
    tidied = tidy(text)
    pieces = list(_pieces(tidied, letters, 0))
    try:
        tree = ast.parse("".join(_with_products(pieces)), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"'{_short(text)}' cannot be read as an expression") from error
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise Unreadable(f"'{_short(text)}' holds more than arithmetic")
    exact = _Exact(text, {**_CONSTANTS, **_IN_ANSWERS} if letters else _CONSTANTS, _RESERVED - keep)
    try:
        source = ast.unparse(exact.visit(tree))
    except RecursionError as error:
        raise Unreadable("an expression is nested too deeply") from error
    return Expression(source=source, names=frozenset(exact.names))


def _pieces(text: str, letters: bool, depth: int) -> Iterator[str]:
    """Python tokens of tidied ``text``, without the signs of products that are not written."""
    if depth > MAX_DEPTH:
        raise Unreadable("an expression is nested too deeply")
    position = 0

    def group(start: int) -> tuple[str, int]:
        """The text in the braces that open at ``start``, and where it ends."""
        close = matching_close(text, start) if text[start : start + 1] == "{" else -1
        if close < 0:
            raise Unreadable(f"braces are missing in '{_short(text)}'")
        return text[start + 1 : close], close + 1

    def inside(content: str) -> list[str]:
        return ["(", *_pieces(content, letters, depth + 1), ")"]

    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            if not text[position:].strip():
                return
            raise Unreadable(f"'{text[position:].strip()[:12]}' in '{_short(text)}' cannot be read")
        kind, word = token.lastgroup, token[token.lastgroup or 0]
        position = token.end()
        if kind == "number":
            yield word.rstrip(".")
        elif kind == "name":
            following, position = _subscript(text, position, whole_words=not letters)
            yield from _names(word, letters and not following, following)
        elif kind == "command" and word in ("frac", "binom"):
            above, position = group(position)
            below, position = group(position)
            middle = "/" if word == "frac" else ","
            head = ["("] if word == "frac" else ["binomial", "("]
            yield from [*head, *inside(above), middle, *inside(below), ")"]
        elif kind == "command" and word == "sqrt":
            index = re.match(r"\[([^\]]*)\]", text[position:])
            position += index.end() if index else 0
            content, position = group(position)
            yield from ["root" if index else "sqrt", "(", *inside(content)]
            yield from [",", *inside(index[1]), ")"] if index else [")"]
        elif kind == "command":
            piece, position = _command(word, text, position)
            yield from piece
        elif word == "^":
            yield "**"
        else:
            yield {"{": "(", "}": ")"}.get(word, word)


def _command(word: str, text: str, position: int) -> tuple[list[str], int]:
    if word in ("cdot", "times"):
        return ["*"], position
    if word in ("lfloor", "lceil"):
        return ["floor" if word == "lfloor" else "ceiling", "("], position
    if word in ("rfloor", "rceil"):
        return [")"], position
    if word in _FUNCTIONS and not text[position:].lstrip().startswith("("):
        # \sin x, \ln 2: the function of the next number, letter or command alone
        argument = re.match(r"\s*(\d+(?:\.\d+)?[A-Za-z]?|[A-Za-z]|\\[A-Za-z]+(?:\{[^{}]*\})*)", text[position:])
        if argument is None:
            raise Unreadable(f"'\\{word}' in '{_short(text)}' has no argument that can be read")
        inner = list(_pieces(argument[1], True, 1))
        return [word, "(", *_with_products(inner), ")"], position + argument.end()
    following, position = _subscript(text, position)
    return [f"{word}{following}"], position


def _subscript(text: str, position: int, *, whole_words: bool = False) -> tuple[str, int]:
    """``_1`` of ``x_{1}``, and where it ends; "" where there is none.

    ``whole_words``: ``total_{c}ost``, which tidying made of total_cost, is one name.
    """
    tail = "[A-Za-z0-9]*" if whole_words else ""
    match = re.match(rf"\d*(?:_\{{?[A-Za-z0-9]+\}}?{tail})*", text[position:])
    if match is None or not match[0]:
        return "", position
    return match[0].replace("{", "").replace("}", ""), position + match.end()


def _names(word: str, letters: bool, following: str) -> list[str]:
    if not letters or len(word) == 1 or word in (*_FUNCTIONS, *_CONSTANTS):
        return [f"{word}{following}"]
    if len(word) > 3:  # a word, not a product: no answer multiplies four variables without a space
        raise Unreadable(f"'{word}' is a word, not mathematics")
    return list(word)


def _with_products(pieces: list[str]) -> list[str]:
    """``pieces`` with the signs of products written, and factorials as calls."""
    done: list[str] = []
    for index, piece in enumerate(pieces):
        previous = pieces[index - 1] if index else ""
        if piece == "!":
            start = _operand_start(done)
            done[start:] = ["factorial(", *done[start:], ")"]
            continue
        if (_is_word(previous) and (_is_word(piece) or piece == "(")) or (
            previous in _FUNCTION_LETTERS and piece == "("
        ):
            raise Unreadable(
                f"'{previous} {piece}' is no product; write variables in one word, and signs of products"
            )
        begins = piece[0].isalnum() or piece == "(" or piece == "."
        ends = bool(previous) and (previous[-1].isalnum() or previous in (")", "!"))
        if begins and ends and not (previous in _FUNCTIONS and piece == "("):
            done.append("*")
        if keyword.iskeyword(piece) and piece != "lambda":
            raise Unreadable(f"'{piece}' is no variable")
        done.append("lambda_" if piece == "lambda" else piece)
    return done


def _is_word(piece: str) -> bool:
    return len(piece) > 1 and piece.isalpha() and piece not in _FUNCTIONS and piece not in _CONSTANTS


def _operand_start(done: list[str]) -> int:
    """Where the operand that ``done`` ends with begins."""
    depth = 0
    for index in range(len(done) - 1, -1, -1):
        depth += done[index].count(")") - done[index].count("(")
        if depth <= 0:
            return index - (index > 0 and done[index] == "(" and done[index - 1] in _FUNCTIONS)
    raise Unreadable("'!' has nothing before it")


class _Exact(ast.NodeTransformer):
    """Names of SymPy get their module, decimals and quotients become exact, variables are noted in ``names``."""

    def __init__(self, text: str, constants: dict[str, str], reserved: frozenset[str]) -> None:
        self.text, self.constants, self.reserved = text, constants, reserved
        self.names: set[str] = set()

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.func.id not in _FUNCTIONS or node.keywords:
            raise Unreadable(f"'{_short(self.text)}' calls something that is not a known function")
        arguments = [self.visit(argument) for argument in node.args]
        return ast.Call(func=_sympy(_FUNCTIONS[node.func.id]), args=arguments, keywords=[])

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.constants:
            return _sympy(self.constants[node.id])
        if node.id in _FUNCTIONS:
            raise Unreadable(f"'{node.id}' in '{_short(self.text)}' lacks its argument")
        name = f"{node.id}_" if node.id in self.reserved else node.id
        self.names.add(name)
        return ast.Name(id=name, ctx=ast.Load())

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) is int:
            return node
        if type(node.value) is not float:
            raise Unreadable(f"'{_short(self.text)}' holds more than numbers")
        return ast.Call(func=_sympy("Rational"), args=[ast.Constant(ast.unparse(node))], keywords=[])

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        left, right = self.visit(node.left), self.visit(node.right)
        plain = not any(isinstance(part, ast.Name) for part in ast.walk(left))
        if plain and isinstance(node.op, (ast.Div, ast.Pow)):  # Python's own 1/3 and 2**-1 are floats
            left = ast.Call(func=_sympy("S"), args=[left], keywords=[])
        return ast.BinOp(left=left, op=node.op, right=right)


def _sympy(name: str) -> ast.expr:
    return ast.Attribute(value=ast.Name(id="sympy", ctx=ast.Load()), attr=name, ctx=ast.Load())


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else f"{flat[:59]}…"
