"""Block verify: which candidates hold what the problem says of its answer? Verdicts, and the choice that follows.

The verifier proposes checks once for a problem; every candidate is held against the same ones (``blocks/check.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from mathagent.agents.blocks.check import check_candidate, propose_checks
from mathagent.agents.blocks.select import answer_classes, chosen, nothing
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.scorers.check_proposals import Agreement
from mathagent.scorers.printed_programs import shape
from mathagent.types import Candidate, Verdict

WEIGHTS = {"correct": 3.0, "unsure": 1.0, "incorrect": 0.25}
"""What a vote counts by the verdict on its candidate: evidence outweighs a vote or two, not a clear majority."""


async def verify(
    context: RunContext, state: SolveState, which: Iterable[int], *, ask_verifier: bool = True
) -> dict[str, Any]:
    """The state update with verdicts on the candidates ``which`` (by index).

    The verifier's proposals are asked for where there are none yet, unless it is not to be asked; without them the
    checks are those that cost no call to a model.
    """
    proposals, limit = state.proposals, state.limit
    if proposals is None and limit is None and ask_verifier:
        proposals, limit = await propose_checks(context, state.problem)
    classes = await answer_classes(context, state.candidates)
    class_of = {index: one.members for one in classes for index in one.members}

    async def verdict_on(index: int) -> Verdict:
        shared = agreements(state.candidates, class_of.get(index, ()), index)
        verdict, _ = await check_candidate(
            context, state.problem, state.candidates[index], sample=index, proposals=[*(proposals or ()), *shared]
        )
        return verdict

    indices = list(which)
    verdicts = await asyncio.gather(*(verdict_on(index) for index in indices))
    return {"proposals": proposals, "verdicts": dict(zip(indices, verdicts, strict=True)), "limit": limit}


def agreements(
    candidates: Sequence[Candidate], members: Sequence[int], index: int, most: int = 1
) -> list[Agreement]:
    """Programs of other ``members`` of the class of number ``index``: that they give its answer is evidence.

    Its own program once more is none, whoever wrote it. Those of other classes are not held against it: that they
    differ is counted in votes.
    """
    programs = {
        number: check.program
        for number in (index, *members)
        for check in candidates[number].checks
        if check.kind == "execution"
    }
    seen = {shape(programs[index])} if index in programs else set()
    found = []
    for number in members:
        if number in programs and (form := shape(programs[number])) not in seen:
            seen.add(form)
            found.append(Agreement(program=programs[number], source=f"sample {number + 1}"))
    return found[:most]


async def choose_verified(
    context: RunContext, candidates: Sequence[Candidate], verdicts: dict[int, Verdict]
) -> dict[str, Any]:
    """The class with the most votes, each weighted by the verdict on its class; its certificate is what was checked.

    A verdict on one member counts for its class: equal answers pass the same checks. Of several, the worst counts.
    """
    classes = await answer_classes(context, candidates)
    if not classes:
        return nothing("no sample gave an answer")
    judged = [_worst([verdicts[index] for index in one.members if index in verdicts]) for one in classes]
    weights = [
        one.votes * WEIGHTS[verdict.judgement if verdict else "unsure"]
        for one, verdict in zip(classes, judged, strict=True)
    ]
    best = max(range(len(classes)), key=lambda place: weights[place])
    members, verdict = classes[best].members, judged[best]
    basis = f"{len(members)} of {len(candidates)} samples agree"
    if verdict is not None:
        basis += f"; judged {verdict.judgement}: {verdict.reason}"
    update = chosen(candidates, members, (weights[best] + 1) / (sum(weights) + 2), basis)
    checked = [check for index in members if index in verdicts for check in verdicts[index].checks]
    return {**update, "certificate": tuple(checked) or update["certificate"]}


def _worst(verdicts: Sequence[Verdict]) -> Verdict | None:
    return min(verdicts, key=lambda verdict: WEIGHTS[verdict.judgement], default=None)
