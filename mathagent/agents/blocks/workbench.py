"""Block workbench: where one sample runs its programs, and the tools that it wrote itself, tested before it uses them.

Source: the tool creation of "HASHIRU" (arXiv 2506.04255). A tool is one Python function; it is run in the sandbox, each
call in a process of its own, and can install nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from mathagent.agents.blocks.code_text import extract_code
from mathagent.agents.blocks.evidence import execution_check
from mathagent.agents.blocks.execute import code_step, execute, executed_answer, program_limits
from mathagent.agents.context import RunContext
from mathagent.tools.python import OBSERVATION_CHARS, observation
from mathagent.types import Answer, Check, Execution, Problem, Step, Value

MAX_CODE = 8000
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_INSTALLS = re.compile(r"\bpip3?\b|\bsubprocess\b|\bos\.system\b|\bensurepip\b")


class OwnTool(Value):
    """A tested function: its ``code`` defines ``name``; ``example`` is the call that it was tested with."""

    name: str
    code: str
    example: str


def refusal(name: str, code: str, call: str, known: Mapping[str, OwnTool]) -> str:
    """Why such a tool is not even tested; "" where it may be. Pure."""
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name for a function; use small letters, digits and _"
    if name in known:
        return f"there is a tool {name} already"
    if not code or len(code) > MAX_CODE:
        return f"the code must have 1 to {MAX_CODE} characters"
    if not re.search(rf"^def {name}\(", code, re.MULTILINE):
        return f"the code does not define a function {name}"
    if _INSTALLS.search(code):
        return "a tool may not install packages or start programs"
    return "" if f"{name}(" in call else f"the test is no call of {name}"


class Workbench:
    """Where sample ``sample`` runs programs and its own tools; what ran is added to ``steps``.

    Each method returns what came of it, in words for the model, of whose output ``output_chars`` are kept. ``program``
    is the last that ended well.
    """

    def __init__(
        self,
        context: RunContext,
        steps: list[Step],
        *,
        timeout_s: float,
        sample: int = 0,
        output_chars: int = OBSERVATION_CHARS,
    ) -> None:
        self.context, self.steps, self.timeout_s, self.sample = context, steps, timeout_s, sample
        self.output_chars = output_chars
        self.tools: dict[str, OwnTool] = {}
        self.program: tuple[str, Execution] | None = None

    async def run(self, code: str, *, before: str = "") -> str:
        """Runs a program; what stands ``before`` it is no part of what the model wrote."""
        if not code:
            return "refused: the code is missing"
        source = f"{before}\n\n{code}" if before else code
        execution = await self._execute(source, shown=code)
        output = observation(execution, self.output_chars)
        self.steps += [
            code_step(code, execution),
            Step(kind="observation", text=output, origin="tool", execution=execution),
        ]
        if execution.ok:
            self.program = (execution.edited or source, execution)
        return output

    async def value(self, problem: Problem) -> Answer | None:
        """The answer that the last program gave to ``problem``; None where there is none."""
        if self.program is None:
            return None
        return await executed_answer(self.context, problem, self.program[1], returned=True, printed=True)

    async def checks(self, answer: Answer) -> tuple[Check, ...]:
        """The last program as a check of ``answer``, where it gave that."""
        check = await execution_check(self.context, *self.program, answer) if self.program else None
        return () if check is None else (check,)

    async def make(self, name: str, code: str, call: str, expected: str = "") -> str:
        """Keeps a tool once ``call`` has run (and given ``expected``, where that is not empty)."""
        code = extract_code(code)
        why = refusal(name, code, call, self.tools)
        if why:
            return f"refused: {why}"
        tested = await self._execute(_called(code, call))
        if not tested.ok:
            return f"refused: its test failed: {tested.error or tested.status}"
        if tested.value is None:
            return f"refused: its test failed: {call} returns nothing"
        if expected and (await self.context.comparer.equal(tested.value, expected)).verdict != "equal":
            return f"refused: its test failed: {call} gives {tested.value[:200]}, not {expected[:200]}"
        self.tools[name] = OwnTool(name=name, code=code, example=call)
        return f"the tool {name} passed its test"

    async def use(self, name: str, call: str) -> str:
        """Runs ``call``, an expression, with the tool ``name`` at hand."""
        tool = self.tools.get(name)
        if tool is None:
            return f"refused: there is no tool {name}"
        if f"{name}(" not in call:
            return f"refused: the text is no call of {name}"
        return await self.run(_called(tool.code, call))

    async def _execute(self, program: str, shown: str = "") -> Execution:
        run = partial(self.context.sandbox.run, limits=program_limits(self.context, self.timeout_s))
        return await execute(self.context, run, program, sample=self.sample, shown=shown)


def _called(code: str, call: str) -> str:
    return f"{code}\n\n{call}\n"
