"""Block code loop: words and programs by turns. The model writes, the sandbox runs, the output goes back to the model.

Sources: "ToRA" (arXiv 2309.17452), "MARIO" (arXiv 2401.08190), Qwen2.5-Math's TIR (arXiv 2409.12122); which of them
the loop resembles is a matter of settings. A single round without words is ``blocks/program.py``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Literal

from pydantic import Field

from mathagent.agents.blocks.code_text import CodeBlock, code_blocks, without_code
from mathagent.agents.blocks.evidence import execution_check
from mathagent.agents.blocks.execute import code_step, execute, executed_answer, program_limits
from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.context import RunContext
from mathagent.agents.strategy import StrategyConfig
from mathagent.answers.extract import extract_answer, last_boxed
from mathagent.prompts import render
from mathagent.tools.python import observation
from mathagent.types import (
    Answer,
    Candidate,
    Check,
    Completion,
    Execution,
    Failure,
    Message,
    Problem,
    SamplingParams,
    Step,
    Value,
)

OBSERVATION_PROMPT = "tir/observation"

_FINAL_ANSWER = re.compile(r"^[ \t*#]*final answer[ \t*]*[:：](.*)", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_STOP = {"block": ("```output",), "label": ("\nOutput:",)}


class CodeLoopConfig(StrategyConfig):
    """Settings of reasoning by turns with programs."""

    max_tokens: int = Field(default=1024, ge=1, description="Completion tokens of one turn.")
    rounds: int = Field(default=4, ge=1, le=64, description="Turns of the model at most.")
    state: Literal["live", "fresh"] = Field(
        default="live", description="Whether a program sees the names of earlier ones."
    )
    mark: Literal["boxed", "final-answer", "any"] = Field(
        default="any",
        description="What states the final answer: a box, the words Final Answer, or either and more.",
    )
    both: Literal["run", "finish", "error"] = Field(
        default="run",
        description="A turn with a program and an answer: run (the answer was a guess), finish, or a format error.",
    )
    unfinished: Literal["none", "value"] = Field(
        default="value", description="The answer where none was stated: none, or the last program's value."
    )
    output_style: Literal["block", "label"] = Field(
        default="block", description="How output goes back: in a fenced block, or after the word Output."
    )
    output_chars: int = Field(
        default=400, ge=80, description="Characters of output that go back; its ends are kept."
    )
    turns: Literal["auto", "chat"] = Field(
        default="auto",
        description="chat: output goes back as a message; auto: into the model's own turn where the backend can.",
    )
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a program may run.")


class Turn(Value):
    """What one reply of the model asks for: ``code`` to run, or the end, with an answer, or with the reason of none.

    ``text`` is the part of the reply that counts: what a model writes behind a program that is still to be run, it
    imagined.
    """

    text: str
    code: str | None = None
    answer: Answer | None = None
    failure: Failure | None = None


def read_turn(reply: Completion, config: CodeLoopConfig, problem: Problem, ran: tuple[str, ...] = ()) -> Turn:
    """Reads a reply; ``ran`` are the programs that have run before. Pure."""
    text = reply.text
    if reply.finish_reason == "content_filter":
        return Turn(text=text, failure=Failure(kind="refused", message="the model's provider withheld the reply"))
    block = next((one for one in reversed(code_blocks(text)) if one.is_python and one.closed), None)
    answer = stated_answer(without_code(text), config, problem)
    if block is None or not _is_to_run(block, text, config, answer, ran):
        return _last_turn(reply, config, block, answer)
    if answer is not None and config.both == "error":
        failure = Failure(kind="no-answer", message="the reply holds a program and a final answer")
        return Turn(text=text, failure=failure)
    return Turn(text=text[: block.end], code=block.code)


def _is_to_run(
    block: CodeBlock, text: str, config: CodeLoopConfig, answer: Answer | None, ran: tuple[str, ...]
) -> bool:
    if config.both == "finish":  # as ToRA does: a program counts where the reply ends with it
        return answer is None and not text[block.end :].strip()
    return not (answer is not None and block.code in ran)  # a summary may show the program again


def _last_turn(reply: Completion, config: CodeLoopConfig, block: CodeBlock | None, answer: Answer | None) -> Turn:
    if answer is not None:
        return Turn(text=reply.text, answer=answer)
    if reply.finish_reason == "length":
        message = f"the reply was cut at {reply.usage.completion_tokens} tokens without an answer"
        return Turn(text=reply.text, failure=Failure(kind="truncated", message=message))
    message = "the reply holds neither a program nor an answer" if block is None else "the reply states no answer"
    return Turn(text=reply.text, failure=Failure(kind="no-answer", message=message))


def stated_answer(text: str, config: CodeLoopConfig, problem: Problem) -> Answer | None:
    """The answer that ``text`` states behind the configured mark."""
    if config.mark == "boxed":
        return extract_answer(text, problem.choices) if last_boxed(text) is not None else None
    found = _FINAL_ANSWER.search(text)
    if found is not None:
        return extract_answer(f"The answer is {found[1].strip()}", problem.choices)
    return extract_answer(text, problem.choices) if config.mark == "any" else None


class Observed(Value):
    """A program that has run: ``output`` is what the model may see of it; ``last``: no further one will be run."""

    turn: Turn
    execution: Execution
    output: str
    last: bool


Observe = Callable[[Observed], str]


class Chain:
    """One sample of the loop: the conversation so far, its steps, and what its programs gave."""

    def __init__(
        self,
        context: RunContext,
        problem: Problem,
        config: CodeLoopConfig,
        messages: tuple[Message, ...],
        sample: int,
        role: str = "coder",
    ) -> None:
        self.context, self.problem, self.config, self.sample = context, problem, config, sample
        self.messages = messages
        self.steps: list[Step] = []
        self.ran: list[str] = []
        self.good: list[str] = []
        self.last: Execution | None = None
        own_turn = config.turns == "auto" and context.can(role).continue_assistant
        self.said: str | None = "" if own_turn else None  # the model's one long turn, where there is such

    async def turn(self, role: str) -> tuple[Turn | Failure, str | None]:
        """The model's next turn, or why there is none, and the budget's limit that was met."""
        continued = (Message(role="assistant", content=self.said),) if self.said else ()
        params = SamplingParams(
            temperature=self.config.sampling_temperature,
            top_p=self.config.top_p,
            max_tokens=self.config.max_tokens,
            stop=_STOP[self.config.output_style],
        )
        draft, limit = await draw_one(
            self.context,
            (*self.messages, *continued),
            params,
            role=role,
            sample=self.sample,
            continue_assistant=bool(continued),
        )
        if draft.completion is None:
            return draft.failure or Failure(kind="no-answer", message="nothing was drawn"), limit
        return read_turn(draft.completion, self.config, self.problem, tuple(self.ran)), limit

    async def run(
        self, run: Callable[[str], Awaitable[Execution]], turn: Turn, observe: Observe, *, last: bool
    ) -> None:
        """Runs the program of ``turn`` and puts what ``observe`` makes of its output before the model."""
        assert turn.code is not None
        self._note_words(turn)
        execution = await execute(self.context, run, turn.code, sample=self.sample)
        self.last = execution
        self.ran.append(turn.code)
        if execution.ok:
            self.good.append(execution.edited or turn.code)
        seen = observation(execution, self.config.output_chars)
        self.steps += [
            code_step(turn.code, execution),
            Step(kind="observation", text=seen, origin="tool", execution=execution),
        ]
        output = observe(Observed(turn=turn, execution=execution, output=seen, last=last))
        if self.said is None:
            answered = Message(role="assistant", content=turn.text)
            self.messages = (*self.messages, answered, Message(role="user", content=output))
        else:
            self.said += f"{turn.text}\n{output}\n"

    async def candidate(self, turn: Turn | None, failure: Failure | None) -> Candidate:
        """What the chain came to: the answer of its last ``turn``, the last program's value, or ``failure``."""
        if turn is not None:
            self.steps.append(Step(kind="thought", text=turn.text))
            failure = turn.failure
        answer = turn.answer if turn is not None else None
        if answer is None and self.config.unfinished == "value" and self.last is not None and self.last.ok:
            answer = await executed_answer(self.context, self.problem, self.last, returned=True, printed=True)
        if answer is None:
            why = failure or Failure(kind="no-answer", message=f"no answer within {self.config.rounds} rounds")
            return Candidate(steps=tuple(self.steps), failure=why)
        return Candidate(steps=tuple(self.steps), answer=answer, checks=await self._checks(answer))

    async def _checks(self, answer: Answer) -> tuple[Check, ...]:
        if self.last is None or not self.last.ok:
            return ()
        source = "\n".join(self.good) if self.config.state == "live" else self.good[-1]
        check = await execution_check(self.context, source, self.last, answer)
        return () if check is None else (check,)

    def _note_words(self, turn: Turn) -> None:
        words = without_code(turn.text).strip()
        if words:
            self.steps.append(Step(kind="thought", text=words))


async def code_loop(
    context: RunContext,
    problem: Problem,
    config: CodeLoopConfig,
    messages: tuple[Message, ...],
    *,
    role: str = "coder",
    sample: int = 0,
    observe: Observe | None = None,
    programs: int | None = None,
) -> tuple[Candidate, str | None]:
    """One candidate by at most ``config.rounds`` turns on the prompt ``messages``, and the limit that ended it.

    ``observe`` words what goes back to the model; at most ``programs`` are run (None: one a turn). A chain that a
    limit, a failed request or its last round ends keeps what its programs have found.
    """
    most = programs or config.rounds

    def shown(observed: Observed) -> str:
        turns = render(OBSERVATION_PROMPT, output=observed.output, style=config.output_style, last=observed.last)
        return turns[0].content.strip()

    chain = Chain(context, problem, config, messages, sample, role)
    async with AsyncExitStack() as stack:
        run: Callable[[str], Awaitable[Execution]] | None = None
        for _ in range(config.rounds):
            turn, limit = await chain.turn(role)
            if isinstance(turn, Failure):
                return await chain.candidate(None, turn), limit
            if turn.code is None or len(chain.ran) == most:
                return await chain.candidate(turn, None), limit
            limits = program_limits(context, config.timeout_s)
            if config.state == "fresh":
                run = partial(context.sandbox.run, limits=limits)
            elif run is None:
                session = await context.sandbox.session(limits)
                run = (await stack.enter_async_context(aclosing(session))).run
            await chain.run(run, turn, observe or shown, last=len(chain.ran) + 1 == most)
            if limit is not None:
                return await chain.candidate(None, None), limit
    return await chain.candidate(None, None), None
