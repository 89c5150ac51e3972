"""Typed functions: ``ask`` a model for a value of a type, ``define`` a function that a model computes or writes."""

from mathagent.functions.answering import ANSWER_PROMPTS, Called
from mathagent.functions.coding import CODE_PROMPTS, Written
from mathagent.functions.defining import ask, ask_async, define
from mathagent.functions.examples import Example
from mathagent.functions.function import AsyncTypedFunction, TypedFunction
from mathagent.functions.options import Options

FUNCTION_PROMPTS = (*ANSWER_PROMPTS, *CODE_PROMPTS)
"""The prompts of typed functions, beside those of every typed question."""

__all__ = [
    "FUNCTION_PROMPTS",
    "AsyncTypedFunction",
    "Called",
    "Example",
    "Options",
    "TypedFunction",
    "Written",
    "ask",
    "ask_async",
    "define",
]
