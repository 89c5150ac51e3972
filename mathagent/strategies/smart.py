"""smart: each step says whether knowledge will do or a tool is needed; tools run only where they are needed.

Paper: "SMART: Self-Aware Agent for Tool Overuse Mitigation" (arXiv 2502.11435), its inference with an untrained model:
the model writes numbered steps, each "general reasoning" or "tool: Name"; after the call of a tool the whole list goes
back to it with the output, for at most 10 rounds. The tools are Code (Python in the sandbox) and, where web search is
set up, Search; there is no AskUser.

``tool_policy`` compares it with what it replaces: ``always`` and ``never`` use tools for all that calculates and for
nothing; ``confident`` answers without tools where three short guesses agree. ``gate=asked`` adds a typed question
before each call. How many calls were needless is a metric over records (``mathagent compare``, with a run without tools
as the other arm): evals/metrics/tool_use.py.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.agree_or_escalate import all_agree
from mathagent.agents.blocks.certainty import GUESSES, guesses
from mathagent.agents.blocks.code_text import extract_code
from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.blocks.select import vote
from mathagent.agents.blocks.side_by_side import side_by_side
from mathagent.agents.blocks.step_list import CODE, ListedStep, Planned, is_exact_arithmetic, read_steps, shown
from mathagent.agents.blocks.workbench import Workbench
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.answers.extract import extract_answer, extract_from_trigger_reply, last_boxed
from mathagent.errors import BackendError, ResourceError, UsageError
from mathagent.events import CandidateProposed, Decided, Warned
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Failure, Problem, SamplingParams, Step, Value

GUESS_PROMPT = "nesycd/guess"
SOLVE_PROMPT = "smart/solve"
TOOLS = {
    CODE: "runs a Python program (SymPy can be imported) and gives what it prints",
    "Search": "searches the web and gives what it finds",
}
NO_TOOL = "No tool was used: work this step out yourself."
OUTPUT_CHARS = 1000


class ToolNeed(Value):
    """Whether one step needs a tool, and which."""

    need_tool: bool = Field(description="false where knowledge or small mental arithmetic does the step exactly")
    tool: str = Field(default="", max_length=40, description="the tool that is needed; empty where none is")
    reason: str = Field(default="", max_length=400, description="why, in one sentence")


GATE = Role("tool-gate", "smart/gate", SamplingParams(max_tokens=256), ToolNeed)


class SmartConfig(StrategyConfig):
    """Settings of smart."""

    rounds: int = Field(default=10, ge=1, le=64, description="Replies of the model at most.")
    tool_policy: Literal["gated", "always", "never", "confident"] = Field(
        default="gated",
        description="Tools where a step needs one; for all that calculates; never; or only where guesses disagree.",
    )
    gate: Literal["heading", "asked"] = Field(
        default="heading",
        description="What lets a tool run: the step's own heading (the paper), or a question before each call.",
    )
    guard: bool = Field(
        default=True,
        description="Run Code unasked for numbers over 4 digits or more than 3 operations (gate=asked).",
    )
    until: Literal["first", "last"] = Field(
        default="first",
        description="Of several calls in a reply the one that is made; last is the paper's program.",
    )
    unfinished: Literal["none", "value"] = Field(
        default="none",
        description="The answer after the last round: none (the paper), or the last program's value.",
    )
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a program may run.")


class StepRun:
    """One sample: its list of steps so far, what is kept of it, and what its programs gave."""

    def __init__(self, context: RunContext, problem: Problem, config: SmartConfig, sample: int) -> None:
        self.context, self.problem, self.config, self.sample = context, problem, config, sample
        self.listed: list[ListedStep] = []
        self.steps: list[Step] = []
        self.bench = Workbench(
            context, self.steps, timeout_s=config.timeout_s, sample=sample, output_chars=OUTPUT_CHARS
        )

    @property
    def tools(self) -> dict[str, str]:
        """What may be called, and what it does."""
        if self.config.tool_policy == "never":
            return {}
        return {name: what for name, what in TOOLS.items() if name == CODE or "web" in self.context.tools}

    async def solve(self) -> tuple[Candidate, str | None]:
        """The candidate, and the limit that ended it."""
        config = self.config
        params = config.params.model_copy(update={"stop": ("\n- Output:",)})
        limit: str | None = None
        for turn in range(config.rounds):
            messages = render(
                SOLVE_PROMPT,
                problem=problem_text(self.problem),
                has_choices=bool(self.problem.choices),
                policy=config.tool_policy,
                tools=self.tools,
                steps=shown(self.listed),
                number=len(self.listed) + 1,
            )
            number = self.sample + turn * config.n
            draft, limit = await draw_one(self.context, messages, params, role="reasoner", sample=number)
            reply = draft.completion
            if reply is None:
                return await self._concluded(None, draft.failure, value=limit is not None), limit
            planned = read_steps(reply.text, until=config.until)
            answer = self._final(planned, reply.text)
            if planned.final is not None or answer is not None:
                self._note(planned.steps)
                self.steps.append(Step(kind="thought", text=planned.final or reply.text))
                failure = Failure(kind="no-answer", message="the final response states no answer")
                return await self._concluded(answer, failure), limit
            stopped = await self._take(planned.steps)
            limit = limit or stopped
            if limit is not None:
                break
        failure = Failure(kind="no-answer", message=f"no final response within {config.rounds} rounds")
        return await self._concluded(None, failure, value=limit is not None), limit

    def _final(self, planned: Planned, reply: str) -> Answer | None:
        """The answer of the final response. A box ends the list, too, and so does a reply in no form that answers."""
        choices = self.problem.choices
        if planned.final is not None:
            return extract_answer(planned.final, choices) or extract_from_trigger_reply(planned.final, choices)
        goes_on = any(step.tool for step in planned.steps) or (planned.headed and last_boxed(reply) is None)
        return None if goes_on else extract_answer(reply, choices)

    async def _take(self, steps: tuple[ListedStep, ...]) -> str | None:
        """Adds ``steps`` to the list, the last one with its output where it calls a tool."""
        if not steps:
            return None
        last, limit = steps[-1], None
        self._note(steps[:-1])
        self.listed += steps[:-1]
        if last.tool:
            last, limit = await self._call(last)
        else:
            self._note([last])
        self.listed.append(last)
        return limit

    def _note(self, steps: tuple[ListedStep, ...] | list[ListedStep]) -> None:
        self.steps += [Step(kind="thought", text=f"{step.title}: {step.text}") for step in steps]

    async def _call(self, step: ListedStep) -> tuple[ListedStep, str | None]:
        tool = next((name for name in self.tools if name.casefold() == step.tool.casefold()), None)
        if tool is None:
            known = ", ".join(self.tools)
            text = f"There is no tool {step.tool}; there are: {known}." if known else NO_TOOL
            self._note([step])
            return step.model_copy(update={"output": text}), None
        needed, limit = await self._needed(step, tool)
        if limit is not None:
            return step, limit
        if not needed:
            self._note([step])
            return step.model_copy(update={"tool": "", "output": NO_TOOL}), None
        output = await self._run_code(step) if tool == CODE else await self._search(step.text)
        return step.model_copy(update={"tool": tool, "output": output}), None

    async def _needed(self, step: ListedStep, tool: str) -> tuple[bool, str | None]:
        """Whether the gate lets the call pass, and the limit met in asking."""
        if self.config.gate == "heading" or self.config.tool_policy == "always":
            self._decided(tool, "the step asks for it", needed=True)
            return True, None
        if self.config.guard and tool == CODE and is_exact_arithmetic(step.text):
            self._decided(tool, "its arithmetic is too long for the head", needed=True)
            return True, None
        try:
            asked = await ask(
                self.context,
                GATE,
                fallback=ToolNeed(need_tool=True, reason="the gate's reply could not be read"),
                sample=self.sample,
                problem=problem_text(self.problem),
                steps=shown(self.listed),
                tool=tool,
                step=f"{step.title}\n{step.text}",
            )
        except BackendError as error:
            self.context.emit(Warned(message=f"the tool runs without the gate's word: {error}"))
            return True, None
        self._decided(tool, asked.reply.reason, needed=asked.reply.need_tool)
        return asked.reply.need_tool, asked.limit

    def _decided(self, tool: str, why: str, *, needed: bool) -> None:
        decision = "use-tool" if needed else "no-tool"
        self.context.emit(Decided(role=GATE.name, sample=self.sample, decision=decision, subject=tool, reason=why))

    async def _run_code(self, step: ListedStep) -> str:
        self._note([ListedStep(title=step.title, text="(Code)")])
        return await self.bench.run(extract_code(step.text))

    async def _search(self, query: str) -> str:
        try:
            result = await self.context.tools["web"].call({"query": query})
            output = result.text[:OUTPUT_CHARS]
        except (ResourceError, UsageError) as error:
            output = f"The search failed: {error}"
        self._note([ListedStep(title="Search", text=query)])
        self.steps.append(Step(kind="observation", text=output, origin="tool"))
        return output

    async def _concluded(
        self, answer: Answer | None, failure: Failure | None, *, value: bool = False
    ) -> Candidate:
        """The candidate with ``answer``, else the last program's value (where it counts), else ``failure``."""
        counts = value or self.config.unfinished == "value"
        if answer is None and counts:
            answer = await self.bench.value(self.problem)
        if answer is None:
            return Candidate(steps=tuple(self.steps), failure=failure)
        return Candidate(steps=tuple(self.steps), answer=answer, checks=await self.bench.checks(answer))


def build(config: SmartConfig) -> StateGraph[Any, Any, Any, Any]:
    """[guess →] solve_by_steps → select."""

    async def guess(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        messages = render(GUESS_PROMPT, problem=problem_text(problem), has_choices=bool(problem.choices))
        made, limit = await guesses(context, problem, messages)
        agreed = len(made) == GUESSES and await all_agree(context, made)
        if not agreed:
            return {"limit": limit, "agreed": False}
        for sample, candidate in enumerate(made):
            context.emit(CandidateProposed(sample=sample, candidate=candidate))
        return {"candidates": made, "limit": limit, "agreed": True}

    async def solve_by_steps(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        async def propose(context: RunContext, problem: Problem, sample: int) -> tuple[Candidate, str | None]:
            return await StepRun(context, problem, config, sample).solve()

        candidates, limit = await side_by_side(runtime.context, state.problem, config.n, propose)
        return {"candidates": candidates, "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await vote(runtime.context, state.candidates), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("solve_by_steps", solve_by_steps)
    graph.add_node("select", select)
    if config.tool_policy == "confident":
        graph.add_node("guess", guess)
        graph.add_edge(START, "guess")
        graph.add_conditional_edges(
            "guess",
            lambda state: "select" if state.agreed or state.limit is not None else "solve_by_steps",
            ["select", "solve_by_steps"],
        )
    else:
        graph.add_edge(START, "solve_by_steps")
    graph.add_edge("solve_by_steps", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="smart",
    summary="Write steps that say whether they need a tool; run tools only where they do.",
    paper="SMART: Self-Aware Agent for Tool Overuse Mitigation (arXiv 2502.11435)",
    config=SmartConfig,
    build=build,
    prompts=(SOLVE_PROMPT, GATE.prompt, GUESS_PROMPT, *ASK_PROMPTS),
    kind="tools",
    calls=(1, 10),
    needs=("sandbox", "tools"),
    training_free=False,
)
