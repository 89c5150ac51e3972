"""LivePython: the Python session of a conversation, in the sandbox.

The program that supports the last answer is run in it, so that its names can be used: by the person (``!expr``,
``>>> code``) and by what a follow-up question means. Names stay until the conversation is forgotten.
"""

from __future__ import annotations

import ast
import json
from contextlib import suppress

from mathagent.sandbox.base import Limits, Sandbox, Session
from mathagent.scorers.binding import bind
from mathagent.scorers.expressions import Unreadable
from mathagent.types import Execution, Problem, Solution

LIMITS = Limits(timeout_s=30.0, cpu_s=30.0)
MOST_NAMES = 12
ANSWER_NAME = "answer"

_NAMES = """\
__import__("json").dumps({name: repr(value)[:60] for name, value in list(globals().items())
    if not name.startswith("_") and not callable(value) and type(value).__name__ != "module"})
"""


class LivePython:
    """Opens its session when it is first needed, and again in another sandbox: what ran before is run again there.

    Close it with ``aclose``; ``forget`` does so and begins anew.
    """

    def __init__(self) -> None:
        self._session: Session | None = None
        self._sandbox: Sandbox | None = None
        self._done: list[str] = []  # cells that have run well
        self._due: list[str] = []  # programs to be run before the next cell

    def take(self, solution: Solution) -> None:
        """Has the programs that support the answer of ``solution`` run before what comes next, and the answer named."""
        if solution.answer is not None:
            naming = _naming_the_answer(solution.problem, solution.answer)
            self._due += [f"{ANSWER_NAME} = None", *supporting_programs(solution), *naming]

    async def run(self, sandbox: Sandbox, code: str) -> Execution:
        """Runs ``code`` where the names of the conversation are. Raises SandboxError."""
        session = await self._opened(sandbox)
        execution = await session.run(code)
        if execution.ok:
            self._done.append(code)
        return execution

    async def names(self, sandbox: Sandbox) -> dict[str, str]:
        """The session's names that hold values, each with the beginning of its ``repr``; the latest MOST_NAMES."""
        if not self._done and not self._due:
            return {}
        execution = await (await self._opened(sandbox)).run(_NAMES)
        if not execution.ok or execution.value is None:
            return {}
        with suppress(ValueError):
            found = json.loads(execution.value)
            if isinstance(found, dict):
                return {str(name): str(value) for name, value in list(found.items())[-MOST_NAMES:]}
        return {}

    async def forget(self) -> None:
        """Ends the session; the next cell sees none of its names."""
        await self.aclose()
        self._done, self._due = [], []

    async def aclose(self) -> None:
        """Ends the session's process; safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    async def _opened(self, sandbox: Sandbox) -> Session:
        if self._sandbox is not sandbox:
            await self.aclose()
        if self._session is None:
            self._session, self._sandbox = await sandbox.session(LIMITS), sandbox
            self._due, self._done = [*self._done, *self._due], []
        while self._due:
            program = self._due.pop(0)
            if (await self._session.run(program)).ok:  # one that does not run here leaves no names; that is all
                self._done.append(program)
        return self._session


def supporting_programs(solution: Solution) -> list[str]:
    """The programs of a candidate that gave the answer, as they ran; the last value is named ``answer``. Pure."""
    for candidate in solution.candidates:
        steps = [step for step in candidate.steps if step.kind == "code"]
        if candidate.answer is None or candidate.answer.normal != solution.answer or not steps:
            continue
        programs = [step.text for step in steps]
        own = next((check.program for check in candidate.checks if check.kind == "execution"), "")
        if own.startswith(programs[-1]):  # with the call of its function, which the model need not have written
            programs[-1] = own
        return [*programs[:-1], _naming_its_value(programs[-1])]
    return []


def _naming_the_answer(problem: Problem, answer: str) -> list[str]:
    """What names the answer where no program has: none was written, or it prints its value. Pure.

    Nothing where the answer is no value that Python can hold without variables.
    """
    try:
        bound = bind(problem, answer)
    except (Unreadable, RecursionError):
        return []
    if bound.names:
        return []
    needed = "    import sympy\n" if "sympy." in bound.source else ""
    return [f"if {ANSWER_NAME} is None:\n{needed}    {ANSWER_NAME} = {bound.source}"]


def _naming_its_value(program: str) -> str:
    """``program`` with its last expression assigned to ``answer``; as it is where there is none."""
    try:
        tree = ast.parse(program)
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            target = ast.Name(id=ANSWER_NAME, ctx=ast.Store())
            tree.body[-1] = ast.Assign(targets=[target], value=tree.body[-1].value)
            return ast.unparse(ast.fix_missing_locations(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return program


def python_code(text: str) -> str | None:
    """The code in ``!expr`` or in lines that begin with ``>>>`` and ``...``; None where ``text`` is neither. Pure."""
    stripped = text.lstrip()
    if stripped.startswith("!"):
        return stripped[1:].strip()
    if not stripped.startswith(">>>"):
        return None
    first, *others = stripped.splitlines()
    if any(
        line.startswith((">>>", "...")) for line in others
    ):  # copied from a session: other lines are its output
        others = [_without_prompt(line) for line in others if line.startswith((">>>", "..."))]
    return "\n".join([_without_prompt(first), *others]).rstrip(" ")


def is_unfinished_code(code: str) -> bool:
    """Whether more lines must follow ``code``. Pure."""
    from codeop import compile_command

    try:
        return compile_command(code, symbol="exec") is None and not code.endswith("\n")
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return False  # the sandbox's Python will say what is wrong


def _without_prompt(line: str) -> str:
    for prompt in (">>> ", "... "):
        if line.startswith(prompt):
            return line[len(prompt) :]
    return line.removeprefix(">>>").removeprefix("...")
