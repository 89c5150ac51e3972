"""The symbolic tool: exact mathematics by name, computed by SymPy in the sandbox.

One tool with an ``operation``, not forty: a small model reads one short schema, and the name of an operation is the
choice it makes most reliably. The arguments are those that people say: an expression, a variable, bounds, a point.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue

from mathagent.answers.latex import tidy
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.tools.base import Tool, ToolResult
from mathagent.tools.inside_run import run_inside
from mathagent.types import Value

LIMITS = Limits(timeout_s=10.0, cpu_s=10.0, memory_mb=1024)
MAX_CHARACTERS = 4_000

Operation = Literal[
    "solve",
    "simplify",
    "expand",
    "factor",
    "partial_fractions",
    "evaluate",
    "differentiate",
    "integrate",
    "sum",
    "product",
    "limit",
    "series",
    "maximize",
    "minimize",
    "gcd",
    "lcm",
    "factor_integer",
    "is_prime",
    "next_prime",
    "nth_prime",
    "prime_count",
    "totient",
    "divisors",
    "divisor_count",
    "divisor_sum",
    "mod_inverse",
    "power_mod",
    "multiplicative_order",
    "chinese_remainder",
    "binomial",
    "permutations",
    "derangements",
    "partitions",
    "stirling1",
    "stirling2",
    "catalan",
    "bell",
    "fibonacci",
    "det",
    "inverse",
    "rank",
    "trace",
    "rref",
    "nullspace",
    "charpoly",
    "eigenvalues",
    "eigenvectors",
    "matmul",
    "linear_solve",
]
Domain = Literal["real", "complex", "positive", "integer"]
_EXPRESSION_OPERATIONS = (
    "solve simplify expand factor partial_fractions evaluate differentiate integrate sum product limit series maximize"
    " minimize"
)
_ON_EXPRESSIONS = frozenset(_EXPRESSION_OPERATIONS.split())
"""Operations on mathematics, where 1,000 is a number; the others take lists of numbers and matrices."""
_MATRIX = re.compile(r"\\begin\{[pbvBV]?matrix\}(.*?)\\end\{[pbvBV]?matrix\}", re.DOTALL)
_OPENING, _CLOSING = "([{", ")]}"


def _as_text(value: Any) -> Any:
    """Numbers and lists of texts, as models write them, as text; anything else as it is."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return "; ".join(value)
    if isinstance(value, list):
        return ", ".join(map(str, value)) if not any(isinstance(part, list) for part in value) else str(value)
    return value


Text = Annotated[str, BeforeValidator(_as_text), Field(max_length=MAX_CHARACTERS)]


class SymbolicRequest(Value):
    """One operation. ``expression`` may be several; ``variable`` lists unknowns; "" is what was not said."""

    operation: Operation
    expression: str
    variable: str = ""
    lower: str = ""
    upper: str = ""
    point: str = ""
    domain: Domain = "real"


def symbolic_tool(sandbox: Sandbox, limits: Limits | None = None) -> Tool:
    """The tool "symbolic": each call runs in ``sandbox`` under ``limits`` (default: LIMITS)."""

    async def symbolic(
        operation: Operation,
        expression: Annotated[Text, Field(description="Several are separated by ';' or ','.")],
        variable: Annotated[Text, Field(description="Unknowns, like 'x' or 'x, y'.")] = "",
        lower: Text = "",
        upper: Text = "",
        point: Annotated[Text, Field(description="For limit, series, differentiate.")] = "",
        domain: Domain = "real",
    ) -> ToolResult:
        """Exact mathematics: solve, calculus, number theory, counting, matrices.

        Examples: solve "x^2 + y = 7; x - y = 5"; solve "x^2 < 9" with domain "integer"; integrate "x*sin(x)" with
        lower "0", upper "pi"; limit "sin(x)/x" with point "0"; gcd "12, 18"; power_mod "2, 100, 7"; det
        "[[1,2],[3,4]]"; chinese_remainder "[2,3], [3,5]" (residues, moduli); evaluate "binomial(10,3)/2".
        """
        request = SymbolicRequest(
            operation=operation,
            expression=expression,
            variable=variable,
            lower=lower,
            upper=upper,
            point=point,
            domain=domain,
        )
        return await compute(sandbox, request, limits)

    return Tool(symbolic)


async def compute(sandbox: Sandbox, request: SymbolicRequest, limits: Limits | None = None) -> ToolResult:
    """Carries ``request`` out in ``sandbox``; what was wrong with it is a result, too. Raises SandboxError."""
    numbers = request.operation not in _ON_EXPRESSIONS
    fields: dict[str, JsonValue] = {
        "operation": request.operation,
        "parts": [*parts_of(request.expression, numbers=numbers)],
        "variables": [name.strip() for name in re.split(r"[,;\s]+", request.variable) if name.strip()],
        "domain": request.domain,
        "lower": tidy(request.lower),
        "upper": tidy(request.upper),
        "point": tidy(request.point),
    }
    return await run_inside(sandbox, "operations", fields, limits or LIMITS)


def parts_of(text: str, *, numbers: bool) -> list[str]:
    """The expressions in ``text``, each tidied: separated by ";", line ends, "and", or commas outside of brackets.

    ``numbers``: "12,180" are two numbers; else it is one, with a separator of thousands.
    """
    text = _rows_in_brackets(text)
    if not numbers:
        text = "; ".join(tidy(part) for part in re.split(r"[;\n]|\s+and\s+", text))
    parts = [tidy(part) for part in _split(text)]
    return [part for part in parts if part] or [""]


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character in _OPENING) - (character in _CLOSING)
        if character in ";\n" or (character == "," and depth <= 0):
            parts.append(text[start:index])
            start, depth = index + 1, 0
    return [*parts, text[start:]]


def _rows_in_brackets(text: str) -> str:
    """``{{1,2},{3,4}}`` and LaTeX's matrices as ``[[1,2],[3,4]]``."""

    def rows(match: re.Match[str]) -> str:
        cells = [row.replace("&", ",") for row in re.split(r"\\\\", match[1]) if row.strip()]
        return "[" + ",".join(f"[{row.strip()}]" for row in cells) + "]"

    text = _MATRIX.sub(rows, text)
    if re.match(r"\s*\{\s*\{", text):
        text = text.replace("{", "[").replace("}", "]")
    return text
