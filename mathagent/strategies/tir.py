"""tir: tool-integrated reasoning, words and programs by turns until the answer is stated.

Papers: "ToRA: A Tool-Integrated Reasoning Agent for Mathematical Problem Solving" (arXiv 2309.17452), "MARIO: MAth
Reasoning with code Interpreter Output" (arXiv 2401.08190), "Qwen2.5-Math Technical Report" (arXiv 2409.12122).
``like=tora``, ``like=mario`` and ``like=qwen2.5-math`` set their loops; each setting may still be given. With n > 1 the
answers vote. MARIO's value model is trained and left out; its replay of earlier snippets is a live session here.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import StateGraph
from pydantic import Field, model_validator

from mathagent.agents.blocks.by_turns import TURNS_PROMPT, by_turns
from mathagent.agents.blocks.code_loop import OBSERVATION_PROMPT, CodeLoopConfig
from mathagent.agents.blocks.side_by_side import propose_then_vote
from mathagent.agents.strategy import Strategy

Published = Literal["tora", "mario", "qwen2.5-math"]

_TORA = {
    "rounds": 4,
    "state": "fresh",
    "both": "finish",
    "mark": "boxed",
    "unfinished": "none",
    "output_chars": 400,
    "timeout_s": 5.0,
}
LOOPS: dict[str, dict[str, Any]] = {
    "tora": _TORA,
    "qwen2.5-math": _TORA,
    "mario": {
        "rounds": 8,
        "state": "live",
        "both": "error",
        "mark": "final-answer",
        "unfinished": "none",
        "output_style": "label",
        "max_tokens": 2048,
        "timeout_s": 30.0,
    },
}
"""The published loops as settings. Qwen2.5-Math's is ToRA's with a prompt of its own."""
PROMPTS = {None: TURNS_PROMPT, "tora": "tir/tora", "mario": "tir/mario", "qwen2.5-math": "tir/qwen"}


class TirConfig(CodeLoopConfig):
    """Settings of tool-integrated reasoning."""

    like: Published | None = Field(
        default=None, description="Whose loop and prompt: what else is set goes over it."
    )

    @model_validator(mode="before")
    @classmethod
    def _as_published(cls, given: Any) -> Any:
        return LOOPS.get(str(given.get("like")), {}) | given if isinstance(given, dict) else given


def build(config: TirConfig) -> StateGraph[Any, Any, Any, Any]:
    """solve_by_turns → select."""

    return propose_then_vote("solve_by_turns", config.n, by_turns(config, PROMPTS[config.like]))


STRATEGY = Strategy(
    name="tir",
    summary="Reason in words and programs by turns; each program's output goes back to the model.",
    paper="ToRA (arXiv 2309.17452), MARIO (arXiv 2401.08190), Qwen2.5-Math (arXiv 2409.12122)",
    config=TirConfig,
    build=build,
    prompts=(*PROMPTS.values(), OBSERVATION_PROMPT),
    kind="tools",
    calls=(1, 4),
    needs=("sandbox",),
    training_free=False,
)
