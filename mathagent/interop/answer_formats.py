"""How a task of lm-evaluation-harness wants an answer stated: its filters look for the words of its own examples."""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.errors import UsageError

FORMATS = {
    "minerva": "Final Answer: The final answer is ${answer}$. I hope it is correct.",
    "hashes": "#### {answer}",
    "boxed": "$\\boxed{{answer}}$",
    "sentence": "The answer is {answer}.",
    "plain": "{answer}",
}
_SIGNS = {
    "minerva": "The final answer is",
    "hashes": "####",
    "boxed": "\\boxed",
    "sentence": "The answer is",
}


def statement(answer: str | None, form: str, context: str) -> str:
    """``answer`` in a named form, in a text with ``{answer}`` in it, or ("auto") in that of the prompt's examples.

    No answer is "". Raises UsageError for an unknown form.
    """
    if form == "auto":
        form = next((name for name, sign in _SIGNS.items() if sign in context), "sentence")
    template = FORMATS.get(form, form)
    if "{answer}" not in template:
        raise UsageError(f"answer={form}: give auto, {', '.join(FORMATS)}, or a text with {{answer}} in it")
    return "" if answer is None else template.replace("{answer}", answer)


def cut_at(text: str, stops: Sequence[str]) -> str:
    """``text`` up to the first of the stop texts, as the harness expects of a model."""
    ends = [found for stop in stops if stop and (found := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text
