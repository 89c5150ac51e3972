"""The z3 tool: what fits constraints, all of it, or the best of it; decided by z3 in the sandbox.

The model gives variables and constraints, not Python of z3 or SMT-LIB: that is shorter to write and to teach, and
leaves nothing to get wrong but the mathematics. Programs that need all of z3 can import it with the tool "python".
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Annotated

from pydantic import Field, JsonValue

from mathagent.errors import UsageError
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.tools.base import Tool, ToolResult
from mathagent.tools.inside_run import run_inside
from mathagent.tools.symbolic import Text

LIMITS = Limits(timeout_s=15.0, cpu_s=15.0, memory_mb=2048)
SOLVER_SHARE = 0.7
"""Of the time limit: z3 then says itself that it did not decide."""
MAX_CONSTRAINTS = 300
MAX_VARIABLES = 300
_SORTS = {"int": "int", "integer": "int", "real": "real", "float": "real", "bool": "bool", "boolean": "bool"}
_VARIABLE = re.compile(r"([A-Za-z_]\w*)\s*(?::\s*([A-Za-z]+))?")
_MISSING = "the tool z3 needs z3, which is not installed {where}: pip install 'mathagent[z3]'"


def z3_tool(sandbox: Sandbox, limits: Limits | None = None) -> Tool:
    """The tool "z3": each call runs in ``sandbox`` under ``limits`` (default: LIMITS).

    Raises UsageError where z3 is not installed here; a call raises it where it is not in the sandbox.
    """
    if find_spec("z3") is None:
        raise UsageError(_MISSING.format(where="here"))
    limits = limits or LIMITS

    async def z3(
        variables: Annotated[
            Text, Field(description="Like 'x, y' (whole numbers) or 'x: int; r: real; p: bool'.")
        ],
        constraints: Annotated[Text, Field(description="Separated by ';'.")],
        maximize: Text = "",
        minimize: Text = "",
        solutions: Annotated[int, Field(ge=1, le=50, description="How many to list.")] = 1,
    ) -> ToolResult:
        """Finds values that fit constraints, or the largest or smallest value under them.

        Constraints are Python: x + y == 10; x*y > 12 or x < 2; x % 3 == 1; distinct(x, y, z); implies(p, x > 0);
        abs(x), sum(a, b), max(a, b). It says whether there are more solutions.
        """
        try:
            names = _variables(variables)
            parts = [part.strip() for part in re.split(r"[;\n]", constraints) if part.strip()]
            if len(parts) > MAX_CONSTRAINTS:
                raise ValueError(f"{len(parts)} constraints; at most {MAX_CONSTRAINTS} are solved")
            if maximize and minimize:
                raise ValueError("give maximize or minimize, not both")
        except ValueError as error:
            return ToolResult(text=str(error), ok=False)
        fields: dict[str, JsonValue] = {
            "variables": [[name, sort] for name, sort in names.items()],
            "constraints": [*parts],
            "maximize": maximize,
            "minimize": minimize,
            "solutions": solutions,
            "timeout_ms": int(limits.timeout_s * SOLVER_SHARE * 1000),
        }
        result = await run_inside(sandbox, "constraints", fields, limits)
        if "No module named 'z3'" in result.text and not result.ok:
            raise UsageError(_MISSING.format(where=f"in the sandbox {sandbox.label}"))
        return result

    return Tool(z3)


def _variables(text: str) -> dict[str, str]:
    """Name → sort. Raises ValueError."""
    found: dict[str, str] = {}
    for group in re.split(r"[;\n]", text):
        waiting: list[str] = []
        for name, sort in _VARIABLE.findall(group):
            waiting.append(name)
            if sort:
                if sort.lower() not in _SORTS:
                    raise ValueError(f"'{sort}' is no kind of variable; there are int, real, bool")
                found |= dict.fromkeys(waiting, _SORTS[sort.lower()])
                waiting = []
        found |= dict.fromkeys(waiting, "int")
        if re.sub(r"[\s,]", "", _VARIABLE.sub("", group)):
            raise ValueError(f"'{group.strip()}' does not list variables; write them like x, y: int")
    if not found:
        raise ValueError("no variable is given; write them like x, y: int")
    if len(found) > MAX_VARIABLES:
        raise ValueError(f"{len(found)} variables; at most {MAX_VARIABLES} are solved for")
    return found
