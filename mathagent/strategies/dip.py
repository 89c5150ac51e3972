"""dip: English hints from a dictionary behind the words of the question; then translate and reason in English.

Paper: "Dictionary Insertion Prompting for Multilingual Reasoning on Multilingual Large Language Models" (arXiv
2411.01141). One prompt: the question with hints, to be written in English and then solved step by step in English.
``dictionary`` is a file of words and translations (its form: mathagent/dictionaries/README.md), or ``sample-sw``, a
small Swahili sample; without one the question stays as it is, which is the baseline. With n > 1 the chains vote.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph
from langgraph.runtime import Runtime
from pydantic import Field, model_validator

from mathagent.agents.blocks.dictionary import dictionary_hash, hinted_problem, read_dictionary
from mathagent.agents.blocks.reason import REASON_PROMPTS, ChainConfig, conclude_reasoning
from mathagent.agents.blocks.reason_then_extract import reason_then_extract
from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.errors import UsageError
from mathagent.prompts import render

DIP_PROMPT = "dip/reason"


class DipConfig(ChainConfig):
    """Settings of dictionary hints."""

    dictionary: str = Field(
        default="", description="File of words and translations, or sample-sw; empty: no hints."
    )
    dictionary_hash: str = Field(
        default="",
        description="Identity of the dictionary's text, taken from it; an edited one is another setting.",
    )
    content_only: bool = Field(default=False, description="Leave function words without a hint.")
    names: bool = Field(default=False, description="Hint words with a capital letter inside of a sentence, too.")
    stem: int = Field(
        default=0, ge=0, le=32, description="Letters at least that an unknown word shares with its entry; 0: all."
    )

    @model_validator(mode="before")
    @classmethod
    def _identified(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("dictionary", ""), str):
            return given
        try:
            found = dictionary_hash(given.get("dictionary", ""))
        except UsageError as error:
            raise ValueError(str(error)) from error
        if given.get("dictionary_hash") not in (None, "", found):
            raise ValueError("the dictionary is not the one that this was begun with; leave dictionary_hash out")
        return {**given, "dictionary_hash": found}


def build(config: DipConfig) -> StateGraph[Any, Any, Any, Any]:
    """reason → extract → select."""
    dictionary = read_dictionary(config.dictionary)

    async def reason(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        hinted = hinted_problem(
            state.problem, dictionary, content_only=config.content_only, names=config.names, stem=config.stem
        )
        messages = render(DIP_PROMPT, problem=problem_text(hinted), has_choices=bool(hinted.choices))
        params = config.params.model_copy(update={"n": config.n})
        drafts, limit = await draw(runtime.context, messages, params, role="reasoner")
        return {"drafts": drafts, "limit": limit}

    async def extract(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates, limit = await conclude_reasoning(
            runtime.context, state.problem, config, state.drafts, rescue_truncated=config.n == 1
        )
        return {"candidates": candidates, "limit": state.limit or limit}

    return reason_then_extract(reason, extract)


STRATEGY = Strategy(
    name="dip",
    summary="Put English hints from a dictionary behind the words of the question, then reason in English.",
    paper="Dictionary Insertion Prompting for Multilingual Reasoning (arXiv 2411.01141)",
    config=DipConfig,
    build=build,
    prompts=(DIP_PROMPT, *REASON_PROMPTS),
    kind="language",
    calls=(1, 2),
    needs=("dictionary",),
)
