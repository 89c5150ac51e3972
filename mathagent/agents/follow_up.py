"""Follow-up questions: "now for n = 7" becomes a problem that can be understood, solved and certified alone.

Strategies never see a conversation. What refers to earlier questions is written out by the model before it is solved,
so that every strategy serves, and so that a certificate is about a problem that is complete in itself. What plainly
stands alone is not asked about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mathagent.agents.ask import ask
from mathagent.agents.context import RunContext
from mathagent.agents.role import REWRITER, Rewriting
from mathagent.errors import BackendError
from mathagent.types import Usage, Value

MOST_EARLIER = 3
"""Questions that the model is told of, the latest ones."""
LONGEST_EARLIER = 2000
"""Characters of an earlier question; more is cut in the middle."""
RETRIES = 1

_OPENER = re.compile(
    r"^\W*(?:(?:and|but|so|or|ok(?:ay)?|now|then|also|again|same|instead|only|just)\b"
    r"|(?:what|how) (?:about|if)\b|(?:what|how) is (?:it|that|this)\b|why\b|try (?:it|again)\b"
    r"|(?:for|with|without|using|if instead|when|where|at|in) "
    r"(?:the same\b|[a-z]\w* ?(?:=|<|>|\\(?:le|ge)|≤|≥)|that\b|it\b))",
    re.IGNORECASE,
)
_BACK = re.compile(
    r"\b(?:previous|earlier|above|(?:the|that|this|your|my|last) (?:same|last one|answer|result|solution|problem"
    r"|question|sum|number|value|one)(?! of)|same (?:problem|question|thing)|you (?:found|got|said|computed))\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|its|that|this|these|those|they|them|their|he|she|his|her)\b", re.IGNORECASE)
_TASK = re.compile(
    r"\?|\b(?:find|solve|compute|calculate|evaluate|determine|simplify|factor|expand|prove|show|integrate|differentiate"
    r"|what|how|which|who|when|count|list|give|minimi[sz]e|maximi[sz]e)\b",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(r"[\d\w\s.,+*/^(){}\[\]\\$|!%√π∑∫-]+")
_OPERATION = re.compile(r"[+*/^√∑∫!-]|\\[a-zA-Z]+")
FEW = 3  # words: too few for a question, unless it has a formula
SHORT = 8  # words: a short text that says "it" means something outside of itself
LONG = 25  # words: a long text that says "it" means something of its own


class Earlier(Value):
    """A question of the conversation, complete in itself, and the answer that was found."""

    question: str
    answer: str | None


class Understood(Value):
    """What a new input asks: ``text`` is to be solved.

    ``rewritten``: it is the model's, not the person's. ``trouble`` says why it is not where it may have had to be.
    """

    text: str
    rewritten: bool = False
    trouble: str = ""
    usage: Usage = Usage()


def stands_alone(text: str) -> bool:
    """Whether ``text`` plainly needs no earlier question to be understood. Pure; in doubt it is False."""
    words = text.split()
    if _OPENER.search(text) or _BACK.search(text):
        return False
    if len(words) > LONG:
        return True
    if _PRONOUN.search(text) and (len(words) < SHORT or _PRONOUN.search(" ".join(words[:4]))):
        return False
    has_numbers = bool(re.search(r"\d|\\[a-zA-Z]", text))
    if _TASK.search(text) and (len(words) > FEW or _OPERATION.search(text)):
        return has_numbers or len(words) >= SHORT
    return bool(_EXPRESSION.fullmatch(text) and has_numbers and _OPERATION.search(text) and len(words) < SHORT)


async def understand(
    context: RunContext, text: str, earlier: Sequence[Earlier], names: Mapping[str, str] | None = None
) -> Understood:
    """``text`` as a problem that is complete in itself, given the questions before it (the latest last).

    ``names`` are those of the conversation's Python session with their values, shortly. Asks the model only where
    the text may refer back; where that fails, or the budget does not allow it, the text stays as typed.
    """
    if not earlier or stands_alone(text):
        return Understood(text=text)
    shown = [
        Earlier(question=_clipped(one.question), answer=one.answer and _clipped(one.answer, 200))
        for one in earlier[-MOST_EARLIER:]
    ]
    fallback = Rewriting(refers_back=False, problem=text)
    try:
        asked = await ask(
            context,
            REWRITER,
            fallback=fallback,
            retries=RETRIES,
            earlier=shown,
            names=dict(names or {}),
            problem=text,
        )
    except BackendError as error:
        return Understood(text=text, trouble=str(error), usage=context.meter.usage)
    usage = context.meter.usage
    if asked.fell_back:
        return Understood(text=text, trouble=asked.limit or asked.problem or "no reply could be read", usage=usage)
    problem = asked.reply.problem.strip()
    if not asked.reply.refers_back or not problem or problem == text.strip():
        return Understood(text=text, usage=usage)
    return Understood(text=problem, rewritten=True, usage=usage)


def _clipped(text: str, longest: int = LONGEST_EARLIER) -> str:
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} … {text[-half:]}"
