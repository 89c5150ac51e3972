"""Block tactics: formalisms as cards: what each is for, what its programs may use, and what a reply's action says.

Source: "Can LLMs Reason in the Wild with Programs?" (arXiv 2406.13764). The cards are ours, for python, sympy, z3 and
text; the paper's are math, predicate logic, graphs and any program. Pure.
"""

from __future__ import annotations

import re
from typing import Literal

from mathagent.agents.blocks.code_text import blanked_code
from mathagent.types import Value

_STANDARD = (
    *("math", "fractions", "itertools", "collections", "functools", "decimal", "statistics"),
    *("datetime", "re", "string", "heapq", "operator", "typing"),
)

Z3_SKELETON = '''\
from z3 import *

def judge(facts, claim):
    """"Agree": the facts imply claim; "Contradict": they imply its opposite; else "Uncertain" or "Unknown"."""
    def status(extra):
        solver = Solver()
        solver.set("timeout", 3000)
        solver.add(*facts, extra)
        return solver.check()
    holds, fails = status(claim), status(Not(claim))
    if unknown in (holds, fails):
        return "Unknown"
    if holds == sat and fails == unsat:
        return "Agree"
    if holds == unsat and fails == sat:
        return "Contradict"
    return "Uncertain"'''

ActionKind = Literal["plan", "program", "reason", "answer", "check"]


class Tactic(Value):
    """One formalism. ``program``: it has programs, which ``imports`` bounds, ``build`` names and ``skeleton`` precedes;
    ``meaning`` says what their output means. ``tool`` is the tool of a context without which it is not offered."""

    name: str
    about: str
    program: bool = True
    build: str = "Write program"
    imports: tuple[str, ...] = ()
    meaning: str = ""
    skeleton: str = ""
    tool: str = ""


TACTICS: dict[str, Tactic] = {
    one.name: one
    for one in (
        Tactic(
            name="python",
            about="arithmetic in a story, counting, searching and simulating: whatever a plain program computes",
            imports=_STANDARD,
            meaning="Its last line is the answer.",
        ),
        Tactic(
            name="sympy",
            about="algebra and calculus: equations, exact numbers, derivatives, integrals, number theory",
            build="Build math model",
            imports=("sympy", *_STANDARD),
            meaning="Its last line is the answer, exact where it can be.",
        ),
        Tactic(
            name="z3",
            about="logic and constraints: what follows from facts, and which values fit conditions",
            build="Build constraint model",
            imports=("z3", *_STANDARD),
            meaning="For a claim it prints judge(facts, claim); for unknowns, the values of a model.",
            skeleton=Z3_SKELETON,
            tool="z3",
        ),
        Tactic(
            name="text",
            about="questions of words and common sense that no program can model",
            program=False,
        ),
    )
}


class Act(Value):
    """One action of a reply, by the name that the model gave it."""

    thought: str
    name: str
    output: str


_THOUGHT = re.compile(r"^[ \t#*_-]*thought[ \t*_]*\d*[ \t*_]*[:：][ \t*_]*", re.IGNORECASE | re.MULTILINE)
_ACTION = re.compile(r"^[ \t#*_-]*action[ \t*_]*\d*[ \t*_]*[:：][ \t*_]*(?P<inline>[^\n]*)$", re.I | re.M)
_NAME = re.compile(r"^[ \t#*_-]*(?:action[ \t]+)?name[ \t*_]*[:：][ \t*_]*(?P<name>[^\n]+)$", re.I | re.M)
_OUTPUT = re.compile(r"^[ \t#*_-]*(?:action[ \t]+)?output[ \t*_]*[:：][ \t*_]*", re.IGNORECASE | re.MULTILINE)
_IMAGINED = re.compile(
    r"^[ \t#*_(-]*(?:observation|it is told)[ \t*_]*\d*[ \t*_]*[:：]", re.IGNORECASE | re.MULTILINE
)
_IMPORT = re.compile(r"^[ \t]*(?:import[ \t]+([\w., \t]+)|from[ \t]+([\w.]+)[ \t]+import\b)", re.MULTILINE)
_LITERAL = r"(?:[-+]?[\d_.,]+(?:[eE][-+]?\d+)?|\"[^\"\n]*\"|'[^'\n]*'|True|False)"
_SHORTCUT = re.compile(rf"(?:print\(\s*(?:{_LITERAL}|\w+)\s*\)|\w+\s*=\s*{_LITERAL}|{_LITERAL}|\w+)")


def read_act(reply: str) -> Act | None:
    """The first action of ``reply``; None where it holds none in the form that was asked for."""
    imagined = _IMAGINED.search(blanked_code(reply))
    text = reply[: imagined.start() if imagined else None]
    action = _ACTION.search(text)
    named = _NAME.search(text, action.end() if action else 0)
    inline = action["inline"].strip(" *_`") if action else ""
    name = named["name"].strip(" *_`") if named else inline
    after = named.end() if named else action.end() if action and inline else None
    output = _OUTPUT.search(text, after) if after is not None else None
    if not name or output is None:
        return None
    head = text[: action.start() if action else named.start() if named else 0]
    rest = text[output.end() :]
    following = _THOUGHT.search(blanked_code(rest))
    return Act(
        thought=_THOUGHT.sub("", head).strip(),
        name=name,
        output=rest[: following.start() if following else None].strip(),
    )


def kind_of(name: str, tactic: Tactic) -> ActionKind | None:
    """What an action of this name is; None where ``tactic`` has no such action."""
    first = name.strip().lower()
    if first.startswith(("build", "write", "revise")):
        return "program" if tactic.program else None
    if first.startswith(("aggregate", "answer")):
        return "answer"
    if first.startswith("tactic"):
        return "check"
    return "plan" if first.startswith("plan") else "reason" if first.startswith("reason") else None


def is_bad(output: str) -> bool:
    """Whether a tactic check gives the tactic up."""
    return bool(re.search(r"\bbad\b", output, re.IGNORECASE))


def forbidden_imports(code: str, tactic: Tactic) -> list[str]:
    """The packages that ``code`` imports and ``tactic`` does not allow, in order."""
    found: list[str] = []
    for several, one in _IMPORT.findall(code):
        names = [one] if one else [part.split(" as ")[0].split()[0] for part in several.split(",") if part.split()]
        found += [name.partition(".")[0] for name in names]
    return [name for name in dict.fromkeys(found) if name not in tactic.imports]


def is_shortcut(code: str) -> bool:
    """Whether a program only prints what it was given to print: it models nothing."""
    lines = [re.sub(r"\s*#.*$", "", line).strip() for line in code.splitlines()]
    working = [line for line in lines if line and not re.match(r"(?:import|from)\s", line)]
    return bool(working) and all(_SHORTCUT.fullmatch(line) for line in working)
