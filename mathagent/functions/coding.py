"""The code generation protocol of AskIt (arXiv 2308.15645): a model writes the function once, and tests accept it.

The prompt is the signature with a body to be filled in, and the examples as calls with their results; the tests are
kept apart: no prompt shows them. What a try lacked is told to the model once, then the conversation starts afresh.
(AskIt starts afresh each time, and installs what an import lacks: here that is a failed try.)
"""

from __future__ import annotations

import builtins
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mathagent.agents.blocks.code_text import code_blocks
from mathagent.agents.blocks.execute import program_limits
from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.errors import FunctionError
from mathagent.functions.answering import TRIES_A_CONVERSATION, limit_reached, sampling
from mathagent.functions.examples import CheckedExample
from mathagent.functions.options import Options
from mathagent.functions.plain_types import stub
from mathagent.functions.running import NO_FUNCTION, NO_RESULT, OTHER_TYPE, Ran, run_code, same_value
from mathagent.functions.signature import Signature
from mathagent.prompts import render
from mathagent.types import Completion, ExecutionStatus, Value

PROMPT, AGAIN_PROMPT = "functions/write", "functions/write_again"
CODE_PROMPTS = (PROMPT, AGAIN_PROMPT)
ROLE = "function-coder"
SHOWN_CHARACTERS = 4_000

Flaw = Literal["no-code", "load-error", "no-function", "test-failed"]
"""Why a try was not accepted: its reply holds no code, the code cannot be loaded, it does not define the function, or
an example or test is not met."""
_FLAWS: dict[str, Flaw] = {"load": "load-error", "function": "no-function"}
_KNOWN_ERRORS = frozenset(
    {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}
    | {*get_args(ExecutionStatus), OTHER_TYPE, NO_RESULT, NO_FUNCTION}
)


class Written(Value):
    """Code that passed its tests: the ``model`` that wrote it (its identity), and how many ``tries`` that took, with
    the flaws of those before."""

    code: str
    model: str
    tries: int
    flaws: dict[Flaw, int]


@dataclass(frozen=True)
class _Rejected:
    flaw: Flaw
    problem: str


async def write_code(
    context: RunContext,
    signature: Signature,
    examples: Sequence[CheckedExample],
    tests: Sequence[CheckedExample],
    options: Options,
) -> Written:
    """Has the model write the function until its code passes ``examples`` and ``tests``.

    Raises FunctionError where no try does, LimitReached where the budget ends before, BackendError or SandboxError.
    """
    question = render(PROMPT, stub=stub(signature), calls=[_call(signature, one) for one in examples])
    flaws: Counter[Flaw] = Counter()
    problems: list[str] = []
    messages = question
    for tried in range(options.attempts):
        conversation, again = divmod(tried, TRIES_A_CONVERSATION)
        params = sampling(options.params, conversation).model_copy(update={"n": 1})
        drafts, limit = await draw(
            context, messages if again else question, params, role=ROLE, first_sample=conversation
        )
        completion = drafts[0].completion if drafts else None
        if completion is None:
            raise limit_reached(context, limit or "the budget is used up")
        outcome = await _tested(context, signature, completion, examples, tests, options)
        if isinstance(outcome, str):
            return Written(code=outcome, model=context.backend.identity, tries=tried + 1, flaws=dict(flaws))
        flaws[outcome.flaw] += 1
        problems.append(outcome.problem)
        reply = completion.text.strip()[:SHOWN_CHARACTERS] or "(nothing)"
        messages = (*question, *render(AGAIN_PROMPT, reply=reply, problem=outcome.problem))
    counted = ", ".join(f"{flaw} {count}" for flaw, count in flaws.items())
    raise FunctionError(
        f"{signature.name}: none of {options.attempts} tries at its code passed its examples ({counted}); the last"
        f" problem: {problems[-1]}",
        problems,
    )


async def _tested(
    context: RunContext,
    signature: Signature,
    completion: Completion,
    examples: Sequence[CheckedExample],
    tests: Sequence[CheckedExample],
    options: Options,
) -> str | _Rejected:
    """The code in a reply if it is accepted, else why not."""
    code = _code_in(completion.text, signature.name)
    if code is None:
        cut = completion.finish_reason == "length"
        why = "was cut before its code was complete; keep it shorter" if cut else "holds no fenced Python block"
        return _Rejected("no-code", f"The reply {why}.")
    for shown, one in [*((True, example) for example in examples), *((False, test) for test in tests)]:
        limits = program_limits(context, options.timeout_s)
        ran = await run_code(context.sandbox, signature, code, one.inputs, limits)
        flaw = _flaw(signature, one, ran, shown=shown)
        if flaw is not None:
            return flaw
    return code


def _flaw(signature: Signature, one: CheckedExample, ran: Ran, *, shown: bool) -> _Rejected | None:
    """What a run shows to be wrong; None where it is as expected. Of a test that is not ``shown``, only the kind of the
    flaw is told: code can read its inputs while it is loaded, and put them into a message or a name."""
    if ran.stage in _FLAWS:
        told = ran.problem if shown else f"{_error_kind(ran)} for other inputs than those of the examples"
        return _Rejected(_FLAWS[ran.stage], f"The code cannot be used: {told}")
    returned = ran.stage == "returned"
    if returned and same_value(signature.returned, ran.value, one.value):
        return None
    if shown:
        said = f"returned {ran.value!r}"[:SHOWN_CHARACTERS] if returned else f"did not return:\n{ran.problem}"
        return _Rejected("test-failed", f"The code fails: {_call(signature, one)}, but it {said}")
    said = "returned another value than expected" if returned else f"failed ({_error_kind(ran)})"
    return _Rejected("test-failed", f"The code {said} for other inputs than those of the examples.")


def _error_kind(ran: Ran) -> str:
    """The kind of an error, where Python or the sandbox named it: of another name the code itself is the author."""
    return ran.error if ran.error in _KNOWN_ERRORS else "an error of its own"


def _call(signature: Signature, one: CheckedExample) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in one.inputs.items())
    return f"{signature.name}({arguments}) == {one.output!r}"


def _code_in(text: str, name: str) -> str | None:
    """The closed Python block that defines ``name``, else the last one; None where there is none."""
    blocks = [block for block in code_blocks(text) if block.closed and (block.is_python or not block.language)]
    defining = [block for block in blocks if re.search(rf"^\s*def\s+{name}\s*\(", block.code, re.MULTILINE)]
    chosen = (defining or blocks)[-1:]
    code = chosen[0].code.strip().encode("utf-8", "replace").decode() if chosen else ""  # no lone surrogates
    return f"{code}\n" if code else None
