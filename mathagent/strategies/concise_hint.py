"""concise-hint: hints to be brief are put into the text while the model writes; effort tags set its length.

Papers: "ConciseHint: Boosting Efficient Reasoning via Continuous Concise Hints during Generation" (arXiv 2506.18810),
without its trained hints: the prompt asks to let the length follow the difficulty, and the text is written in pieces
that grow with it, each with a hint. Effort tags are those of "AdaCtrl: Towards Adaptive and Controllable Reasoning via
Difficulty-Aware Budgeting" (arXiv 2505.18822), without its training: ``effort`` easy or hard sets an instruction and
the tokens, auto asks the model first which it is. The hint is plain text: tokens of a chat template would be another
model's.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.hinted_writing import Hint, write_hinted
from mathagent.agents.blocks.reason import REASON_PROMPTS, ChainConfig, conclude_reasoning
from mathagent.agents.blocks.sample import draw
from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import Draft, SolveState
from mathagent.agents.strategy import Strategy
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.prompts import render
from mathagent.types import SamplingParams, Value

PROMPT = "concise_hint/solve"
Effort = Literal["none", "easy", "hard"]


class Difficulty(Value):
    """What a model says of a problem before it solves it."""

    label: Literal["easy", "hard"] = Field(description="easy or hard")


ASSESSOR = Role("assessor", "concise_hint/effort", SamplingParams(max_tokens=128), Difficulty)


class ConciseHintConfig(ChainConfig):
    """Settings of concise-hint. Temperature, top_p and tokens are the paper's for GSM8K."""

    temperature: float | None = Field(default=0.6, ge=0, le=2, description="Sampling temperature.")
    top_p: float = Field(default=0.95, gt=0, le=1, description="Nucleus of sampling.")
    max_tokens: int = Field(default=10_240, ge=1, description="Completion tokens of one solution.")
    hints: bool = Field(default=True, description="Whether hints are put into the text; needs continuation.")
    hint: str = Field(default="make answer concise!", min_length=1, max_length=500, description="The hint's text.")
    first_piece: int = Field(default=128, ge=1, description="Tokens before the first hint.")
    slope: float = Field(default=0.2, ge=0, description="How many tokens a piece grows by for each token so far.")
    count_prompt: bool = Field(
        default=False, description="Whether the prompt's tokens count as tokens so far, as in the repository."
    )
    adapt: bool = Field(
        default=True, description="Whether the prompt asks to let the length follow the difficulty."
    )
    effort: Literal["none", "easy", "hard", "auto"] = Field(
        default="none", description="Effort tag: an instruction and a token limit; auto: the model says which."
    )
    easy_tokens: int = Field(default=1024, ge=1, description="Completion tokens of a solution tagged easy.")

    def limit_of(self, effort: Effort) -> int:
        """Completion tokens of one solution."""
        return min(self.max_tokens, self.easy_tokens) if effort == "easy" else self.max_tokens


async def effort_of(
    context: RunContext, state: SolveState, config: ConciseHintConfig
) -> tuple[Effort, str | None]:
    """The effort tag, and the limit that ended the asking. A label that cannot be had is "hard": it costs no answer."""
    if config.effort != "auto":
        return config.effort, None
    try:
        asked = await ask(
            context, ASSESSOR, fallback=Difficulty(label="hard"), problem=problem_text(state.problem)
        )
    except BackendError as error:
        context.emit(Warned(message=f"the problem counts as hard, nobody could say: {error}"))
        return "hard", None
    return asked.reply.label, asked.limit


async def write(
    context: RunContext, state: SolveState, config: ConciseHintConfig, effort: Effort
) -> tuple[tuple[Draft, ...], str | None]:
    """``config.n`` solutions, and the limit that ended it. Raises BackendError where none could be had."""
    messages = render(
        PROMPT,
        problem=problem_text(state.problem),
        adapt=config.adapt,
        effort=effort,
        has_choices=bool(state.problem.choices),
    )
    params = SamplingParams(
        temperature=config.sampling_temperature,
        top_p=config.top_p,
        n=config.n,
        max_tokens=config.limit_of(effort),
    )
    if not config.hints:
        return await draw(context, messages, params, role="reasoner")
    hint = Hint(text=config.hint, first=config.first_piece, slope=config.slope)
    results = await asyncio.gather(
        *(
            write_hinted(
                context,
                messages,
                params,
                hint,
                role="reasoner",
                sample=sample,
                count_prompt=config.count_prompt,
            )
            for sample in range(config.n)
        )
    )
    failures = [draft.failure for draft, _ in results]
    if failures[0] is not None and all(one is not None and one.kind == "model-error" for one in failures):
        raise BackendError(failures[0].message)
    return tuple(draft for draft, _ in results), next((limit for _, limit in results if limit), None)


def build(config: ConciseHintConfig) -> StateGraph[Any, Any, Any, Any]:
    """write (label, then pieces with hints) → extract → select."""

    async def reason(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        effort, limit = await effort_of(runtime.context, state, config)
        if limit is not None:
            return {"limit": limit}
        drafts, limit = await write(runtime.context, state, config, effort)
        return {"plan": f"effort: {effort}", "drafts": drafts, "limit": limit}

    async def extract(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates, limit = await conclude_reasoning(
            runtime.context, state.problem, config, state.drafts, rescue_truncated=config.n == 1
        )
        return {"candidates": candidates, "limit": state.limit or limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        update = await vote(runtime.context, state.candidates)
        if config.effort == "auto" and state.plan:
            update |= {"confidence_basis": f"{update['confidence_basis']}; {state.plan}"}
        return {**update, "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("write", reason)
    graph.add_node("extract", extract)
    graph.add_node("select", select)
    graph.add_edge(START, "write")
    graph.add_edge("write", "extract")
    graph.add_edge("extract", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="concise-hint",
    summary="Hints to be brief are put into the solution while it is written; effort tags set its length.",
    paper="ConciseHint (arXiv 2506.18810), effort tags of AdaCtrl (arXiv 2505.18822)",
    config=ConciseHintConfig,
    build=build,
    prompts=(PROMPT, ASSESSOR.prompt, *REASON_PROMPTS, *ASK_PROMPTS),
    kind="prompting",
    calls=(1, 19),
    needs=("continuation",),
)
