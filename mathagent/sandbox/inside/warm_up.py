"""What the zygote does once so that no run has to: SymPy imports much only when first used, and fills caches.

A first ``solve`` in a clone imported 35 modules more: 130 ms of CPU, measured beside other work.
"""

from __future__ import annotations

import site
from importlib import import_module
from typing import Any

LIBRARIES = (
    "sympy",
    "numpy",
    "numpy.random",
    "mpmath",
    "random",
    "statistics",
    "itertools",
    "traceback",
    "datetime",
)


def warm_up() -> None:
    """Imports the libraries that are there and uses SymPy as programs commonly do."""
    site.setquit()  # exit() and quit(), which Python's own start, left out here, gives to programs
    found: dict[str, Any] = {}
    for name in LIBRARIES:
        try:
            found[name] = import_module(name)
        except ImportError:  # said by the program that misses it
            continue
    if "sympy" not in found:
        return
    sympy = found["sympy"]
    x, y = sympy.symbols("x y")
    results = [
        sympy.solve(x**2 - 11 * x + 7),
        sympy.solve([x + 3 * y - 17, 2 * x - y + 5], [x, y]),
        sympy.solve(sympy.Eq(x**3 - 13 * x, 0), x),
        sympy.simplify((x**2 - 169) / (x - 13)),
        sympy.factor(x**2 - 23 * x + 132),
        sympy.integrate(x * sympy.sin(x), (x, 0, 1)),
        sympy.sympify("x**2 + 29*x"),
        sympy.Rational(31, 37) + sympy.sqrt(41),
        sympy.Matrix([[1, x], [2, 43]]).det(),
        sympy.factorint(47 * 53),
        sympy.N(sympy.pi, 20),
    ]
    str(results)
