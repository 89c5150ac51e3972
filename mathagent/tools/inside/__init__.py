"""All of the tools that runs inside the sandbox: it is laid into a run as the package ``inside``.

The trusted side never imports it. Nothing of mathagent is at hand here: the standard library, SymPy and, where they
are installed, z3 and latex2sympy2_extended.
"""
