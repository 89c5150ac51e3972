"""Module python (PG): a SymPy program that prints its way; where it fails, a fixer corrects it.

Success is no error and some output. The fixer sees the program and its error, not the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import Field

from mathagent.agents.blocks.code_text import extract_code
from mathagent.agents.blocks.execute import code_step, execute, program_limits
from mathagent.agents.modules.pipeline import Found, Pipeline
from mathagent.agents.reply_ladder import Reading, read
from mathagent.agents.role import Role
from mathagent.agents.state import Finding
from mathagent.prompts import render
from mathagent.tools.python import observation
from mathagent.types import Completion, Execution, SamplingParams, Step, Value

CODER = Role("coder", "mathsensei/python", SamplingParams(max_tokens=256))
FIXER = Role("fixer", "mathsensei/fix", SamplingParams(max_tokens=500))
PYTHON_PROMPTS = (CODER.prompt, FIXER.prompt)
OUTPUT_CHARS = 1000


class FixedProgram(Value):
    """The two parts of the fixer's reply."""

    corrected_python_code: str = Field(min_length=1)
    errors_fixed: str


async def python(pipeline: Pipeline) -> Found:
    """The first program that ran and printed, with its output, within ``refine`` fixes."""
    config = pipeline.config
    prompt = pipeline.prompt(CODER.prompt, known=pipeline.known, has_choices=bool(pipeline.problem.choices))
    draft, limit = await pipeline.write(CODER, prompt)
    if draft.completion is None:
        return Finding(module="python"), limit
    code, steps = extract_code(draft.completion.text), list[Step]()
    for attempt in range(config.refine + 1):
        execution = await _run(pipeline, code)
        output = observation(execution, OUTPUT_CHARS)
        ran = code_step(code, execution)
        steps += [ran, Step(kind="observation", text=output, origin="tool", execution=execution)]
        if has_output(execution):
            text = f"{ran.text}\nOutput:\n{output}"
            return Finding(module="python", title="Python program", text=text, steps=tuple(steps)), limit
        if attempt == config.refine or limit is not None:
            break
        error = "the program printed nothing" if execution.ok else output
        prompt = render(FIXER.prompt, program=ran.text, error=error)
        draft, limit = await pipeline.write(FIXER, prompt, attempt=attempt, temperature=config.fixer_temperature)
        if draft.completion is None:
            break
        steps.append(Step(kind="critique", text=draft.completion.text))
        code = fixed_program(draft.completion) or ran.text
    return Finding(module="python", steps=tuple(steps)), limit


def fixed_program(reply: Completion) -> str | None:
    """The program in a fixer's reply; None where one of its two headings is missing. Pure."""
    # What counts is that both are there: a list of errors that is cut short does no harm.
    whole = reply.model_copy(update={"finish_reason": "stop"})
    reading = read(whole, "labels", FixedProgram)
    return extract_code(reading.reply.corrected_python_code) if isinstance(reading, Reading) else None


def has_output(execution: Execution) -> bool:
    """Whether a program ended well and said something."""
    return execution.ok and bool(execution.stdout.strip() or execution.value)


def last_good_program(steps: Sequence[Step]) -> tuple[str, Execution] | None:
    """The latest program among ``steps`` that succeeded, and its execution. Pure."""
    for place in range(len(steps) - 1, 0, -1):
        execution = steps[place].execution
        if execution is not None and has_output(execution):
            return steps[place - 1].text, execution
    return None


async def _run(pipeline: Pipeline, code: str) -> Execution:
    context = pipeline.context
    limits = program_limits(context, pipeline.config.timeout_s)
    return await execute(context, partial(context.sandbox.run, limits=limits), code, sample=pipeline.sample)
