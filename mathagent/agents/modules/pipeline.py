"""Pipeline: one chain of modules on its way to a candidate; what its modules read, ask and look up with.

Source: "MATHSENSEI: A Tool-Augmented Large Language Model for Mathematical Reasoning" (arXiv 2402.17231).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import Draft, Finding, SolveState
from mathagent.agents.strategy import StrategyConfig
from mathagent.errors import BackendError, ResourceError, UsageError
from mathagent.events import Warned
from mathagent.prompts import render
from mathagent.tools.base import ToolResult
from mathagent.types import Failure, Message, Problem, Step

RESULT_CHARS = 5000
"""Characters of a tool's result that a prompt shows. Its end is cut, never its middle: a quotation stays one."""
LOOK_UPS = ("web", "wolfram")
"""The modules that look something up with the context's tool of their name."""
OUTSIDE = "."
"""What the names of tools of MCP servers have in them, and no other name."""
_OUT_OF_BUDGET = Failure(kind="no-answer", message="the budget ended before an answer")


class PipelineConfig(StrategyConfig):
    """Settings of modules. Temperatures, tokens and tries are the paper's."""

    temperature: float | None = Field(default=0.5, ge=0, le=2, description="Sampling temperature of all modules.")
    max_tokens: int = Field(
        default=600, ge=1, description="Completion tokens of a reply; some modules take fewer at most."
    )
    about: str = Field(
        default="", max_length=500, description="Subject, level, … of the problem; comes first in the context."
    )
    refine: int = Field(
        default=2, ge=0, le=16, strict=True, description="Fixes of a failing program at most; 0: none."
    )
    fixer_temperature: float = Field(default=0.7, ge=0, le=2, description="Sampling temperature of the fixer.")
    hits: int = Field(default=5, ge=1, le=8, description="Results of one web search.")
    wolfram_tries: int = Field(default=3, ge=1, le=16, description="Queries at most until one has a result.")
    solution_tries: int = Field(default=4, ge=1, le=16, description="Solutions at most until one has an answer.")
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a program may run.")


@dataclass(frozen=True)
class Pipeline:
    """The chain of sample ``sample``: what it may use, and its ``findings`` so far."""

    context: RunContext
    problem: Problem
    config: PipelineConfig
    findings: tuple[Finding, ...]
    sample: int

    @property
    def known(self) -> str:
        """The growing context: what is given about the problem, then what the modules found, in order."""
        about = [f"About the question: {self.config.about}"] if self.config.about else []
        found = [f"{one.title}:\n{one.text}" if one.title else one.text for one in self.findings if one.text]
        return "\n\n".join(about + found)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All that the modules did, failed attempts included."""
        return tuple(step for finding in self.findings for step in finding.steps)

    def prompt(self, name: str, **slots: Any) -> tuple[Message, ...]:
        """The turns of prompt ``name`` with the problem in it."""
        return render(name, problem=problem_text(self.problem), **slots)

    async def write(
        self, role: Role, messages: tuple[Message, ...], *, attempt: int = 0, temperature: float | None = None
    ) -> tuple[Draft, str | None]:
        """One reply of ``role`` (a draft with a failure where there is none), and the limit that ended it.

        ``attempt`` tells tries apart that may have the same prompt; ``temperature`` is the setting's by default.
        """
        config = self.config
        params = role.params.model_copy(
            update={
                "temperature": config.sampling_temperature if temperature is None else temperature,
                "top_p": config.top_p,
                "max_tokens": min(role.params.max_tokens, config.max_tokens),
            }
        )
        number = self.sample + attempt * config.n
        limit: str | None = None
        failure = _OUT_OF_BUDGET
        try:
            drafts, limit = await draw(self.context, messages, params, role=role.name, first_sample=number)
            if drafts:
                return drafts[0], limit
        except BackendError as error:  # what the modules before have found stays
            self.context.emit(Warned(message=f"{role.name} has no reply: {error}"))
            failure = Failure(kind="model-error", message=str(error))
        return Draft(sample=number, messages=messages, failure=failure), limit

    async def call_outside(self, tool: str, arguments: str) -> ToolResult:
        """What ``tool`` of an MCP server says to ``arguments``, JSON or, where it takes one text, that text."""
        result = await self.context.tools[tool].call(arguments)
        return ToolResult(text=result.text[:RESULT_CHARS] or "(nothing)", ok=result.ok)

    async def look_up(self, tool: str, query: str) -> ToolResult:
        """What ``tool`` of the context says to ``query``; not ``ok`` where it is absent, failed or says nothing.

        The tool bounds and quotes what it brings from outside; "web" is told how many results are wanted.
        """
        if tool not in self.context.tools:
            return ToolResult(text=f"there is no tool {tool}", ok=False)
        try:
            more = {"results": self.config.hits} if tool == "web" else {}
            result = await self.context.tools[tool].call({"query": query, **more})
        except (ResourceError, UsageError) as error:
            self.context.emit(Warned(message=f"the tool {tool} failed: {error}"))
            return ToolResult(text=str(error), ok=False)
        text = result.text.strip()
        return ToolResult(text=text[:RESULT_CHARS], ok=result.ok and bool(text))


Found = tuple[Finding, str | None]
"""A module's finding, and the limit of the budget that ended its work."""
Module = Callable[[Pipeline], Awaitable[Found]]


def available(tasks: Mapping[str, str], context: RunContext) -> dict[str, str]:
    """``tasks`` of modules or actions by name, without those whose tool the context has not."""
    return {name: task for name, task in tasks.items() if name not in LOOK_UPS or name in context.tools}


def tools_outside(context: RunContext) -> dict[str, str]:
    """The tools of MCP servers by name, ``SERVER.TOOL``, with what they do and which parameters they have."""
    found = {}
    for name in context.tools:
        if OUTSIDE in name:
            spec = context.tools[name].spec()
            properties = spec.parameters.get("properties")
            known = ", ".join(map(str, properties)) if isinstance(properties, dict) else ""
            found[name] = f"{spec.description or 'says nothing of itself'} (JSON with {known or 'nothing in it'})"
    return found


def warn_of_absent_tools(context: RunContext, names: Iterable[str]) -> None:
    """Says which of the tools that modules ``names`` need are not set up, where there are such."""
    for name in names:
        if name in LOOK_UPS and name not in context.tools:
            context.emit(Warned(message=f"the tool {name} is not set up; the solve goes on without it"))


def pipelines(config: PipelineConfig, state: SolveState, context: RunContext) -> list[Pipeline]:
    """The chains under way. Where there are none they are begun: all that are left, or one at a time where the
    backend answers one at a time; after a limit none is begun."""
    done, findings = len(state.candidates), state.findings
    if not findings and state.limit is None:
        findings = ((),) * (1 if context.backend.max_parallel == 1 else config.n - done)
    return [
        Pipeline(context, state.problem, config, found, sample)
        for sample, found in enumerate(findings, start=done)
    ]


async def add_findings(
    config: PipelineConfig, state: SolveState, context: RunContext, module: Module
) -> dict[str, Any]:
    """The state update that has ``module`` add its finding to every chain; after a limit nothing is added."""
    if state.limit is not None:
        return {}
    under_way = pipelines(config, state, context)
    found = await asyncio.gather(*(module(pipeline) for pipeline in under_way))
    grown = tuple((*one.findings, finding) for one, (finding, _) in zip(under_way, found, strict=True))
    return {"findings": grown, "limit": next((limit for _, limit in found if limit), None)}
