"""Tests of size and speed: how much text the model takes, how long it takes to begin, how fast it writes."""

from __future__ import annotations

import asyncio
import time

from mathagent.errors import BackendError
from mathagent.evals.probe.asking import AT_ONCE, Asking, Outcome
from mathagent.models.served_models import told_context
from mathagent.types import Completion

FIRST_CONTEXT = 512
TOKENS_A_LINE = 16
"""Of filler, for tokenizers that take each digit by itself; others need fewer."""
REPLY_ROOM = 96
"""Tokens left for the question around the filler, the chat template and the reply."""
PASSWORD = "KIWI-7391"
SPEED_TOKENS = 64
REFUSING = (400, 413, 422)


async def context(asking: Asking) -> Outcome:
    """The context's length, as told, and as tried: prompts of doubling length, with a password at their beginning."""
    told = await told_context(asking.raw)
    bound = asking.limits.context_tokens if told is None else min(told, asking.limits.context_tokens)
    accepted = recalled = 0
    sizes = [FIRST_CONTEXT]
    while sizes[-1] * 2 < bound:
        sizes.append(sizes[-1] * 2)

    def outcome(end: str = "") -> Outcome:
        said = f"told {told}, " if told else "not told, "
        detail = f"{said}took {accepted} tokens and recalled the beginning of {recalled}{end}"
        numbers = {"accepted_tokens": accepted, "recalled_tokens": recalled} | (
            {"told_tokens": told} if told else {}
        )
        return Outcome(state="yes" if accepted else "no", detail=detail, numbers=numbers)

    for size in [one for one in sizes if one < bound] + [bound]:
        try:
            found = await _recall(asking, size)
        except BackendError as error:
            if error.status not in REFUSING:
                raise
            return outcome(f"; longer ones are refused: {error}")
        taken = found.usage.prompt_tokens
        if taken <= accepted:
            return outcome("; longer ones are cut")
        accepted = taken
        recalled = taken if PASSWORD in found.text else recalled
        asking.so_far = outcome()
    return outcome()


async def _recall(asking: Asking, size: int) -> Completion:
    """The reply to a prompt of about ``size`` tokens (a little less: it must fit with its reply)."""
    lines = max(1, (size - REPLY_ROOM) // TOKENS_A_LINE)
    filler = "\n".join(f"Line {number}: the entry is {number * 7919 % 9973}." for number in range(1, lines + 1))
    return await asking.reply("needle", {"password": PASSWORD, "filler": filler}, max_tokens=24)


async def speed(asking: Asking) -> Outcome:
    """Seconds to the first token, where it streams; tokens a second with one reply at a time and with several."""
    began = time.perf_counter()
    first: float | None = None

    def heard(_: int, text: str) -> None:
        nonlocal first
        first = first or time.perf_counter()

    listener = heard if asking.found.get("streaming", True) else None
    alone = await asking.reply("long", {"number": 1}, max_tokens=SPEED_TOKENS, on_delta=listener)
    ended = time.perf_counter()
    begun = first or ended
    made = alone.usage.completion_tokens
    # The first token is there with the prompt: it took no time of its own.
    rate = (made - 1) / (ended - begun) if ended > begun and made > 1 else made / (ended - began)
    numbers = {"tokens_per_s": rate}
    detail = f"{rate:.1f} tokens/s"
    if first is not None:
        numbers = {"first_token_s": begun - began, **numbers}
        detail = f"first token after {begun - began:.2f} s, then {detail}"
    streams = min(AT_ONCE, asking.raw.max_parallel)
    asking.so_far = Outcome(state="measured", detail=detail, numbers=dict(numbers))
    began = time.perf_counter()
    several = await asyncio.gather(
        *(asking.reply("long", {"number": 2 + index}, max_tokens=SPEED_TOKENS) for index in range(streams))
    )
    total = sum(one.usage.completion_tokens for one in several) / (time.perf_counter() - began)
    numbers |= {"streams": streams, "tokens_per_s_together": total}
    return Outcome(state="measured", detail=f"{detail}; {streams} at once {total:.1f} tokens/s", numbers=numbers)
