"""The functions that an expression may call: elementary ones, number theory, combinatorics, linear algebra.

Each takes and gives SymPy objects (lists are Python's), and can be an operation of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sympy
from sympy.functions.combinatorial.numbers import nP, stirling
from sympy.ntheory import modular

MAX_DIVISORS = 500


def whole(value: Any) -> int:
    """``value`` as a Python int. Raises ValueError."""
    number = sympy.sympify(value)
    if not number.is_Integer:
        raise ValueError(f"{number} is not a whole number")
    return int(number)


def matrix(rows: Any) -> Any:
    """The matrix of ``[[1, 2], [3, 4]]``; a flat list is a column. Raises ValueError."""
    if isinstance(rows, sympy.MatrixBase):
        return rows
    if not isinstance(rows, list) or not rows:
        raise ValueError("a matrix is written [[1, 2], [3, 4]]")
    if (
        any(isinstance(row, list) for row in rows)
        and len({len(row) for row in rows if isinstance(row, list)}) != 1
    ):
        raise ValueError("the rows of a matrix must have the same length")
    return sympy.Matrix(rows)


def _on_integers(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: sympy.sympify(function(*map(whole, values)))


def _on_matrices(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: function(*map(matrix, values))


def _on_square(function: Callable[..., Any]) -> Callable[..., Any]:
    def of(rows: Any) -> Any:
        square = matrix(rows)
        if square.rows != square.cols:
            raise ValueError(f"the matrix has {square.rows} rows and {square.cols} columns; it must be square")
        return function(square)

    return of


def _several(function: Callable[..., Any]) -> Callable[..., Any]:
    """gcd(a, b, c), and of a list."""

    def of(*values: Any) -> Any:
        numbers = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        if not numbers:
            raise ValueError("give at least one number")
        found = numbers[0]
        for number in numbers[1:]:
            found = function(found, number)
        return sympy.Abs(found) if getattr(found, "is_Integer", False) else found

    return of


def _factor_integer(number: int) -> str:
    if number == 0:
        raise ValueError("0 has no factors")
    powers = [f"{prime}^{power}" if power > 1 else str(prime) for prime, power in sympy.factorint(number).items()]
    return " * ".join(powers) or "1"


def _divisors(number: int) -> list[int]:
    if sympy.divisor_count(number) > MAX_DIVISORS:
        raise ValueError(f"it has {sympy.divisor_count(number)} divisors, more than {MAX_DIVISORS}")
    return list(sympy.divisors(number))


def _chinese_remainder(residues: list[Any], moduli: list[Any]) -> Any:
    if not isinstance(residues, list) or not isinstance(moduli, list) or len(residues) != len(moduli):
        raise ValueError("give as many residues as moduli, like [2, 3], [3, 5]")
    found = modular.crt([whole(m) for m in moduli], [whole(r) for r in residues])
    if found is None:
        raise ValueError("no number has these residues")
    return sympy.Integer(found[0])


def _mod_inverse(number: int, modulus: int) -> int:
    if sympy.gcd(number, modulus) != 1:
        raise ValueError(f"{number} has no inverse modulo {modulus}: they have a common divisor")
    return pow(number, -1, modulus)


def _permutations(number: int, places: int | None = None) -> Any:
    """Orders of ``places`` of so many things; of all of them where that is not said, of which nP says another thing."""
    return nP(number, number if places is None else places)


def _eigenvalues(square: Any) -> list[Any]:
    return [value for value, count in square.eigenvals().items() for _ in range(count)]


def _eigenvectors(square: Any) -> list[Any]:
    return [[value, [list(vector) for vector in vectors]] for value, _, vectors in square.eigenvects()]


def _inverse(square: Any) -> Any:
    if square.det() == 0:
        raise ValueError("the matrix has no inverse: its determinant is 0")
    return square.inv()


def _linear_solve(left: Any, right: Any) -> Any:
    names = sympy.symbols(f"x1:{left.cols + 1}")
    found = sympy.linsolve((left, right), *names)
    if not found:
        raise ValueError("the system has no solution")
    return list(next(iter(found)))


_SAME_NAME = (
    "sqrt root cbrt exp log sin cos tan cot sec csc asin acos atan acot sinh cosh tanh asinh acosh atanh Abs sign floor"
    " ceiling re im arg conjugate gamma erf zeta Max Min Mod factorial factorial2 Matrix"
)
_BARE = "sqrt exp log ln sin cos tan cot sec csc asin acos atan sinh cosh tanh"
ELEMENTARY: dict[str, Callable[..., Any]] = {
    **{name: getattr(sympy, name) for name in _SAME_NAME.split()},
    "ln": sympy.log,
    "log2": lambda value: sympy.log(value) / sympy.log(2),
    "log10": lambda value: sympy.log(value) / sympy.log(10),
    "abs": sympy.Abs,
    "max": sympy.Max,
    "min": sympy.Min,
    "mod": sympy.Mod,
    "ceil": sympy.ceiling,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
}
NUMBER_THEORY: dict[str, Callable[..., Any]] = {
    "gcd": _several(sympy.gcd),
    "lcm": _several(sympy.lcm),
    "factor_integer": lambda number: _factor_integer(whole(number)),
    "is_prime": lambda number: bool(sympy.isprime(whole(number))),
    "next_prime": _on_integers(sympy.nextprime),
    "nth_prime": _on_integers(sympy.prime),
    "prime_count": lambda number: sympy.primepi(number),
    "totient": _on_integers(sympy.totient),
    "divisors": _on_integers(_divisors),
    "divisor_count": _on_integers(sympy.divisor_count),
    "divisor_sum": _on_integers(sympy.divisor_sigma),
    "mod_inverse": _on_integers(_mod_inverse),
    "power_mod": _on_integers(pow),
    "multiplicative_order": _on_integers(sympy.n_order),
    "chinese_remainder": _chinese_remainder,
}
COMBINATORICS: dict[str, Callable[..., Any]] = {
    "binomial": sympy.binomial,
    "permutations": _on_integers(_permutations),
    "derangements": sympy.subfactorial,
    "partitions": lambda number: sympy.partition(whole(number)),
    "stirling1": _on_integers(lambda n, k: stirling(n, k, kind=1)),
    "stirling2": _on_integers(stirling),
    "catalan": sympy.catalan,
    "bell": sympy.bell,
    "fibonacci": sympy.fibonacci,
}
LINEAR_ALGEBRA: dict[str, Callable[..., Any]] = {
    "det": _on_square(lambda square: square.det()),
    "inverse": _on_square(_inverse),
    "rank": _on_matrices(lambda rows: sympy.Integer(rows.rank())),
    "trace": _on_square(lambda square: square.trace()),
    "rref": _on_matrices(lambda rows: rows.rref()[0]),
    "nullspace": _on_matrices(lambda rows: [list(vector) for vector in rows.nullspace()]),
    "charpoly": _on_square(lambda square: square.charpoly(sympy.Symbol("lamda")).as_expr()),
    "eigenvalues": _on_square(_eigenvalues),
    "eigenvectors": _on_square(_eigenvectors),
    "matmul": _on_matrices(lambda left, right: left * right),
    "linear_solve": _on_matrices(_linear_solve),
}
OPERATIONS = {**NUMBER_THEORY, **COMBINATORICS, **LINEAR_ALGEBRA}
"""Functions that are operations of their own."""
FUNCTIONS = {
    **ELEMENTARY,
    **OPERATIONS,
    "gcd": _several(_on_integers(math.gcd)),  # SymPy's gcd of a variable and a number is 1, whatever the variable
    "lcm": _several(_on_integers(math.lcm)),
    "factorint": OPERATIONS["factor_integer"],
    "isprime": OPERATIONS["is_prime"],
    "combinations": sympy.binomial,
    "stirling": OPERATIONS["stirling2"],
}
WITHOUT_BRACKETS = frozenset(_BARE.split())
"""Functions that are written without brackets, too; the other names are variables where no bracket follows."""
