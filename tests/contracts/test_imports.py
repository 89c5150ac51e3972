"""Import cost is design: what loads when."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "transformers",
    "langgraph",
    "openai",
    "sympy",
    "docker",
    "math_verify",
    "mcp",
    "numpy",
    "xllamacpp",
)

PROBE = """
import sys
{statement}
print(",".join(name for name in {heavy!r} if name in sys.modules))
"""


@pytest.mark.parametrize(
    "statement",
    [
        "import mathagent",
        "import mathagent; mathagent.Problem, mathagent.Budget, mathagent.UsageError",
        "import mathagent.cli; mathagent.cli.run(['--help'])",
        "import mathagent.cli; mathagent.cli.run(['solve', '--help'])",
        "import mathagent.console.repl",
    ],
)
def test_light(statement: str) -> None:
    code = PROBE.format(statement=statement, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == ""
