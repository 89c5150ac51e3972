"""Block compose: strategies joined to one graph, a node for each, under one budget and with one count of samples.

``first_sure``: each where those before it are unsure, as a cascade. ``both``: all, then the answer that evidence
supports best. ``majority_of``: all, one vote each. The parts run one after the other: a resumed solve repeats none that
had ended, and the solve of a part keeps its journal (solve_within.py).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.blocks.agree_or_escalate import all_agree
from mathagent.agents.blocks.check import is_fitting, voters
from mathagent.agents.blocks.part import run_part, run_part_or_lose_it, with_update
from mathagent.agents.blocks.select import answer_classes, majority, nothing
from mathagent.agents.blocks.verify import WEIGHTS, choose_verified, verify
from mathagent.agents.context import RunContext
from mathagent.agents.state import PartEnd, SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.errors import BackendError
from mathagent.events import Voted, Warned
from mathagent.types import Candidate, Check, Failure, Trial

Parts = Sequence[tuple[Strategy, StrategyConfig]]
Settle = Callable[[RunContext, SolveState, Trial, PartEnd], Awaitable[tuple[Trial, bool, dict[str, Any]]]]
"""After a part, whose trial and end are last and not in the state yet, its candidates are: the trial as it is judged,
whether the parts that are left need not run, and what else changes in the state."""
Select = Callable[[RunContext, SolveState], Awaitable[dict[str, Any]]]

MOST_NAME = 40
"""Characters of a part's name in a drawing of the graph."""
NO_ANSWER = Candidate(failure=Failure(kind="no-answer", message="this part gave no answer"))


def first_sure(
    parts: Parts, *, threshold: float, ask_verifier: bool, own_models: bool = False
) -> StateGraph[Any, Any, Any, Any]:
    """Each part in turn, until one is sure: it has an answer, no check of it fails, and its own confidence is at least
    ``threshold``. Checks that cost no call are always made; ``ask_verifier`` lets a verifier propose more where the
    confidence suffices.

    ``own_models``: each part has a model of its own. One whose model fails is a part without an answer, and the next
    is asked; only where there is neither a next one nor an earlier answer does the solve end by the error."""

    async def settle(
        context: RunContext, state: SolveState, trial: Trial, end: PartEnd
    ) -> tuple[Trial, bool, dict[str, Any]]:
        if trial.candidate is None:
            return trial, False, {}
        confident = end.confidence is not None and end.confidence >= threshold
        update = await verify(context, state, [trial.candidate], ask_verifier=ask_verifier and confident)
        judgement = update["verdicts"][trial.candidate].judgement
        sure = confident and judgement != "incorrect"
        return trial.model_copy(update={"judgement": judgement, "accepted": sure}), sure, update

    async def select(context: RunContext, state: SolveState) -> dict[str, Any]:
        return latest_standing(state)

    return _joined(parts, settle, select, own_models=own_models)


def both(parts: Parts, *, ask_verifier: bool) -> StateGraph[Any, Any, Any, Any]:
    """All parts; of their answers the one with most votes, weighted by what checks say, ties to the more confident.

    ``ask_verifier``: where the parts disagree, a verifier proposes checks.
    """

    async def settle(
        context: RunContext, state: SolveState, trial: Trial, end: PartEnd
    ) -> tuple[Trial, bool, dict[str, Any]]:
        if trial.candidate is None:
            return trial, False, {}
        update = await verify(context, state, [trial.candidate], ask_verifier=False)
        return trial.model_copy(update={"judgement": update["verdicts"][trial.candidate].judgement}), False, update

    async def select(context: RunContext, state: SolveState) -> dict[str, Any]:
        places = [trial.candidate for trial in state.trials if trial.candidate is not None]
        verdicts, update = dict(state.verdicts), dict[str, Any]()
        disagree = len(places) > 1 and not await all_agree(context, [state.candidates[place] for place in places])
        if ask_verifier and disagree and state.limit is None:
            update = await verify(context, state, places)
            verdicts |= update["verdicts"]
        order = sorted(
            range(len(state.trials)), key=lambda number: -(state.ends[number].confidence or 0.0)
        )  # a stable sort: equals stay in their order
        candidates = [_candidate(state, state.trials[number]) for number in order]
        known = {
            place: verdicts[where]
            for place, number in enumerate(order)
            if (where := state.trials[number].candidate) in verdicts and where is not None
        }
        chosen = await choose_verified(context, candidates, known)
        return {**update, **await of_parts(context, state, chosen)}

    return _joined(parts, settle, select)


def majority_of(parts: Parts) -> StateGraph[Any, Any, Any, Any]:
    """All parts, one vote each, ties to the first; parts that could change nothing any more are left out.

    Answers that the question's wording rules out vote only as long as there is no other: they decide nothing early.
    """

    async def settle(
        context: RunContext, state: SolveState, trial: Trial, end: PartEnd
    ) -> tuple[Trial, bool, dict[str, Any]]:
        trials = [*state.trials, trial]
        votes = _votes(state, trials)
        classes = await answer_classes(context, votes)
        left = len(parts) - len(trials)
        first, second = [*(one.votes for one in classes), 0, 0][:2]
        standing = all(is_fitting(state.problem, one) for one in votes)
        decided = left == 0 or (standing and first > second + left)
        tally = tuple((one.answer, one.votes) for one in classes)
        reason = f"{first} to {second} votes, {left} of {len(parts)} strategies left"
        context.emit(Voted(classes=tally, samples=len(trials), stop=decided, reason=reason))
        return trial, decided, {}

    async def select(context: RunContext, state: SolveState) -> dict[str, Any]:
        votes = _votes(state, state.trials)
        return await of_parts(context, state, majority(votes, await answer_classes(context, votes)))

    return _joined(parts, settle, select)


def latest_standing(state: SolveState) -> dict[str, Any]:
    """The state update with the last answer that no check fails; with the last of all where every one fails. Pure.

    A later part is the one that the asker trusts more: it is asked where the earlier are not sure.
    """
    answered = [number for number, trial in enumerate(state.trials) if trial.candidate is not None]
    standing = [number for number in answered if state.trials[number].judgement != "incorrect"]
    tried = ", ".join(trial.strategy for trial in state.trials)
    if not answered:
        return nothing(f"none of {tried} gave an answer" if tried else "no part was run")
    number = (standing or answered)[-1]
    trial, end = state.trials[number], state.ends[number]
    assert trial.candidate is not None
    confidence = end.confidence
    if confidence is not None and trial.judgement == "incorrect":
        confidence = round(confidence * WEIGHTS["incorrect"], 4)
    verdict = state.verdicts.get(trial.candidate)
    sure = "" if trial.accepted else f"none of {tried} is sure; "
    return {
        "answer": end.answer,
        "confidence": confidence,
        "confidence_basis": f"{sure}{trial.strategy}: {end.confidence_basis}",
        "certificate": with_more(end.certificate, () if verdict is None else verdict.checks),
        "winner": trial.candidate,
    }


async def of_parts(context: RunContext, state: SolveState, chosen: dict[str, Any]) -> dict[str, Any]:
    """``chosen``, a choice among the answers of the parts, with who they are that gave it, and their certificates.

    What else its basis says, behind a semicolon, stays.
    """
    classes = await answer_classes(context, [_candidate(state, trial) for trial in state.trials])
    alike = (
        one.members for one in classes if any(state.trials[n].answer == chosen["answer"] for n in one.members)
    )
    giving = next(alike, ())
    if not giving:
        return chosen
    certificate = chosen["certificate"]
    for number in giving:
        certificate = with_more(certificate, state.ends[number].certificate)
    names = ", ".join(state.trials[number].strategy for number in giving)
    rest = chosen["confidence_basis"].partition("; ")[2]
    basis = f"{len(giving)} of {len(state.trials)} strategies agree ({names})"
    return {
        **chosen,
        "confidence_basis": f"{basis}; {rest}" if rest else basis,
        "certificate": certificate,
        "winner": state.trials[giving[0]].candidate,
    }


def with_more(known: Sequence[Check], more: Sequence[Check]) -> tuple[Check, ...]:
    """``known`` and those of ``more`` that show something else. Pure."""
    seen = {(check.program, check.expected) for check in known}
    return (*known, *(check for check in more if (check.program, check.expected) not in seen))


def _candidate(state: SolveState, trial: Trial) -> Candidate:
    return NO_ANSWER if trial.candidate is None else state.candidates[trial.candidate]


def _votes(state: SolveState, trials: Sequence[Trial]) -> list[Candidate]:
    return voters(state.problem, [_candidate(state, trial) for trial in trials])


def _joined(
    parts: Parts, settle: Settle, select: Select, *, own_models: bool = False
) -> StateGraph[Any, Any, Any, Any]:
    """A node for each part → select; after each, select where the rest need not run or the budget has ended."""

    def solving(number: int, strategy: Strategy, config: StrategyConfig) -> Any:
        async def solve(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
            context = runtime.context
            if not own_models:
                trial, update = await run_part(context, state, strategy, config)
            else:
                trial, update, error = await run_part_or_lose_it(context, state, strategy, config)
                if error is not None:
                    context.emit(Warned(message=_without(strategy, error, state, is_last=number == len(parts))))
            trial, settled, more = await settle(context, with_update(state, update), trial, update["ends"][0])
            done = {**update, **more, "trials": [trial], "agreed": settled}
            # A part may end with some of the budget left, too little for a further step of its own: not for the next.
            if not settled and number < len(parts) and context.meter.limit_reached() is None:
                done["limit"] = None
            return done

        return solve

    async def conclude(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await select(runtime.context, state), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    names = [node_name(number, strategy) for number, (strategy, _) in enumerate(parts, start=1)]
    for number, (name, (strategy, config)) in enumerate(zip(names, parts, strict=True), start=1):
        graph.add_node(name, solving(number, strategy, config))
    graph.add_node("select", conclude)
    graph.add_edge(START, names[0])
    for name, following in pairwise(names):
        graph.add_conditional_edges(name, _after(following), [following, "select"])
    graph.add_edge(names[-1], "select")
    graph.add_edge("select", END)
    return graph


def _without(strategy: Strategy, error: BackendError, state: SolveState, *, is_last: bool) -> str:
    """What is said of a part whose model failed. Raises ``error`` where nothing can make up for it."""
    if not is_last:
        return f"{strategy.name}: {error}; going on with the next"
    if not any(trial.candidate is not None for trial in state.trials):
        raise error
    return f"{strategy.name}: {error}; an earlier answer stands"


def _after(following: str) -> Callable[[SolveState], str]:
    return lambda state: "select" if state.agreed or state.limit is not None else following


def node_name(number: int, strategy: Strategy) -> str:
    """The node of part ``number``: LangGraph and Mermaid keep some signs to themselves, and a drawing has little room.

    Pure.
    """
    words = strategy.name.replace("|", " or ").replace("&", " and ")
    name = " ".join(re.sub(r"[^\w.,=-]+", " ", words).split())
    return f"{number} {name if len(name) <= MOST_NAME else name[: MOST_NAME - 1] + '…'}"
