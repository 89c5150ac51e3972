"""Tests of what the wire carries: samples, seeds, stop strings, streams, turns to go on with, log-probs, vectors."""

from __future__ import annotations

import math

from mathagent.evals.probe.asking import Asking, Outcome, no, shown, skipped, yes
from mathagent.models.base import Embedder
from mathagent.prompts import render
from mathagent.types import Message

SEED = 11
SEVERAL = 3
COUNT = {"last": 20}
MOST_ALTERNATIVES = 20


async def hello(asking: Asking) -> Outcome:
    """Whether it replies at all."""
    found = await asking.reply("hello")
    if found.text.strip():
        return yes(shown(found.text))
    if found.reasoning:
        return no(f"it thought for {found.usage.completion_tokens} tokens and said nothing; allow longer replies")
    return no("its reply is empty")


async def samples(asking: Asking) -> Outcome:
    """Several samples in one request; without a seed, which a server may refuse."""
    done = await asking.replies(render("probe/invent"), max_tokens=32, sampling={"n": SEVERAL, "temperature": 1.0})
    different = len({one.text for one in done})
    # A backend whose server ignores or refuses n draws them one by one, and says so from then on.
    if not asking.raw.capabilities.n:
        return no("the server gives one sample a request; more are drawn one by one", "n", different=different)
    return yes(f"{len(done)} samples from one request, {different} of them different", "n", different=different)


async def seeds(asking: Asking) -> Outcome:
    """Whether a seed repeats a reply, and another one gives another."""

    async def drawn(seed: int) -> str:
        return (await asking.reply("invent", max_tokens=32, sampling={"temperature": 1.0, "seed": seed})).text

    first, again = await drawn(SEED), await drawn(SEED)
    others = [await drawn(seed) for seed in (SEED + 1, SEED + 2)]
    if first != again:
        return no("the same seed gave two texts", "seed")
    if all(other == first for other in others):
        return no("three seeds gave the same text: it does not heed them", "seed")
    return yes("the same seed gave the same text, others gave other texts", "seed")


async def stop_strings(asking: Asking) -> Outcome:
    """Whether a reply ends before a stop string. What it says unstopped decides where that is."""
    whole = (await asking.reply("count", COUNT, max_tokens=64)).text
    words = whole.split()
    stop = words[len(words) // 2] if len(words) >= 4 else ""
    if not stop or whole.index(stop) == 0:
        return skipped(f"its reply is too short to be stopped: {shown(whole)}")
    found = await asking.reply("count", COUNT, max_tokens=64, sampling={"stop": (stop,)})
    expected = whole[: whole.index(stop)]
    if stop in found.text:
        return no(f"it wrote on past “{stop}”")
    if found.text.rstrip() != expected.rstrip():
        return Outcome(state="failed", detail="the same greedy request gave two texts, so nothing can be compared")
    return yes(f"it stopped before “{stop}”")


async def streaming(asking: Asking) -> Outcome:
    """Whether a reply comes in pieces."""
    pieces: list[str] = []
    found = await asking.reply("count", COUNT, max_tokens=64, on_delta=lambda _, text: pieces.append(text))
    if not found.text:
        return skipped("its reply is empty")
    if "".join(pieces) != found.text:
        return no("the pieces are not the reply", "streaming", pieces=len(pieces))
    if len(pieces) < 2:
        return no("the reply came in one piece", "streaming", pieces=len(pieces))
    return yes(f"{len(pieces)} pieces", "streaming", pieces=len(pieces))


async def continuation(asking: Asking) -> Outcome:
    """Whether a turn of the assistant that is half there is gone on with, instead of begun anew."""
    whole = (await asking.reply("count", COUNT, max_tokens=64)).text
    half = len(whole) // 2
    begun, rest = whole[:half].rstrip(), whole[:half][len(whole[:half].rstrip()) :] + whole[half:]
    if len(rest.strip()) < 6:
        return skipped(f"its reply is too short to be continued: {shown(whole)}")
    turns = (*render("probe/count", **COUNT), Message(role="assistant", content=begun))
    found = (await asking.replies(turns, max_tokens=24, continue_assistant=True))[0].text
    wanted = rest.strip()[:6]
    if found.strip().startswith(wanted):
        return yes(f"it went on with {shown(found, 24)}", "continue_assistant")
    return no(f"after {shown(begun[-16:])} it wrote {shown(found, 24)}", "continue_assistant")


async def log_probs(asking: Asking) -> Outcome:
    """Log-probabilities of tokens, and how many alternatives there are to each. Where a server refuses the most, what
    came of the smaller numbers holds."""
    most = 0
    for wanted in (0, 5, MOST_ALTERNATIVES):
        found = await asking.reply("count", COUNT, max_tokens=8, logprobs=wanted)
        tokens = found.logprobs
        if not tokens:
            return no("none came with the reply", "logprobs")
        values = [one.logprob for one in tokens]
        if any(not math.isfinite(value) or value > 1e-3 for value in values):
            return no("what came are no log-probabilities", "logprobs")
        if len(values) > 2 and not any(values):
            return no("all of them are exactly 0: they were not calculated", "logprobs")
        most = max(most, min(len(one.top) for one in tokens))
        asking.so_far = yes(f"with up to {most} alternatives a token", "logprobs", alternatives=most)
    assert asking.so_far is not None
    return asking.so_far


async def vectors(asking: Asking) -> Outcome:
    """Whether its backend turns texts into vectors, as it was opened; which is no property of the model."""
    if not isinstance(asking.raw, Embedder):
        return no("its backend makes no vectors")
    first, second = await asking.raw.embed(["a dog barks", "the integral of x"])
    if len(first) != len(second) or first == second:
        return no("two texts gave no two vectors of one length")
    return yes(f"vectors of {len(first)} numbers", dimensions=len(first))
