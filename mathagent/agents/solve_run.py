"""SolveRun: the work of one process on a solve, from its first event to its Solution."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from mathagent import telemetry
from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.graph import GraphRun, ready_graph, run_graph
from mathagent.agents.human import Human, Interrupts
from mathagent.agents.outside_tools import OutsideTools
from mathagent.agents.saver import Progress
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.agents.thread import SolveThread
from mathagent.budget import Meter
from mathagent.events import CandidateProposed, Event, HintGiven, PersonAsked, SolveFinished, SolveStarted
from mathagent.models.prices import usage_by_model
from mathagent.types import Candidate, Solution, Stopped

INTERRUPT_S = 1.0
"""How often an interrupt is looked at: an event that is set in another thread does not wake this one."""


class Emitter:
    """Publishes events, and remembers the candidates; after the last event there is none."""

    def __init__(self, on_event: Callable[[Event], None] | None) -> None:
        self.on_event = on_event
        self.proposed: list[tuple[int, Candidate]] = []
        self.on_proposed: Callable[[int, Candidate], None] = lambda sample, candidate: None
        self.observe: Callable[[Event], None] = lambda event: None
        self._finished = False

    def __call__(self, event: Event) -> None:
        if self._finished:  # from a task that a stopped node has left behind
            return
        if isinstance(event, CandidateProposed):
            self.proposed.append((event.sample, event.candidate))
            self.on_proposed(event.sample, event.candidate)
        self.observe(event)
        if self.on_event is not None:
            self.on_event(event)

    def finish(self, solution: Solution) -> None:
        """Publishes the end."""
        self(SolveFinished(solution=solution))
        self._finished = True


class SolveRun:
    """One process's work on a thread: its meter, its person, what of it is kept, and the solution.

    ``waited_s`` are seconds of the budget that have passed before it: for the model's server, to say which one it is.
    """

    def __init__(self, thread: SolveThread, human: Human, emit: Emitter, *, waited_s: float = 0.0) -> None:
        self.thread, self.spec, self.human, self.emit = thread, thread.spec, human, emit
        progress = thread.progress
        self.meter = Meter(
            self.spec.budget,
            usage=progress.usage,
            seconds=progress.seconds + waited_s,
            by_model=progress.by_model,
        )
        human.approve_code |= self.spec.approve_code
        human.review_plans |= self.spec.review_plans
        self._take_hints()
        self.interrupts = Interrupts(human, self.meter, emit, answers=thread.answers, keep=thread.keep_answer)
        if thread.saver is not None:
            thread.saver.progress = self._progress
            thread.saver.seconds = lambda: self.meter.seconds
            thread.saver.is_stopping = lambda: self.meter.interrupted

    async def solve(
        self,
        context: RunContext,
        strategy: Strategy,
        config: StrategyConfig,
        interrupt: asyncio.Event | None,
        outside: OutsideTools | None = None,
    ) -> tuple[Solution, bool]:
        """The solution, and whether the solve can be resumed. Raises the error that ended it before any answer.

        ``outside`` are tools that are added to those of ``context``.
        """
        started = SolveStarted(
            problem_id=self.spec.problem.id,
            strategy=strategy.name,
            model=self.spec.model,
            samples=config.most_samples,
            solve_id=self.spec.solve_id,
            resumed=self.thread.resumed,
        )
        self.emit(started)
        for sample, candidate in self.thread.progress.proposed:
            self.emit(CandidateProposed(sample=sample, candidate=candidate))
        if self.thread.saver is not None:
            self.emit.on_proposed = self.thread.saver.propose
        watcher = None if interrupt is None else asyncio.ensure_future(forward_interrupt(interrupt, self.meter))
        tracing = telemetry.solving(
            strategy.name, self.spec.model, self.spec.solve_id, resumed=self.thread.resumed
        )
        with ExitStack() as ending:
            if watcher is not None:
                ending.callback(watcher.cancel)
            traced = ending.enter_context(tracing)
            self.emit.observe = traced.on_event
            if outside is not None:
                context = await outside.added(context, strategy, measured=self.spec.measured)
            kept = self.thread.saver is not None
            built = config if context.memory is not None else config.without_memory()
            run = await run_graph(
                strategy.build(built) if kept else ready_graph(strategy, built),
                SolveState(problem=self.spec.problem),
                context,
                self.thread.saver,
                resume=self.thread.begun,
            )
            run = await self._best_so_far(run, context)
            early = run.error is not None or run.waiting_for is not None or self.meter.interrupted
            keep = early and self.thread.durable
            solution = self._solution(run, strategy, config, keep)
            traced.finished(solution)
        if run.waiting_for is not None:
            self.thread.keep_waiting(run.waiting_for)
            if self.human.on_interrupt is None:
                self.emit(PersonAsked(request=run.waiting_for))
        return solution, keep

    def _take_hints(self) -> None:
        """The hints given before and now; further ones are kept as they come."""
        new = [text for text in self.human.hints if text not in self.thread.hints]
        self.human.hints[:] = [*self.thread.hints, *new]
        for text in new:
            self.thread.keep_hint(text)

        def on_hint(text: str) -> None:
            self.thread.keep_hint(text)
            self.emit(HintGiven(text=text))

        self.human.on_hint = on_hint

    def _progress(self) -> Progress:
        return Progress(
            usage=self.meter.usage,
            by_model=dict(self.meter.by_model),
            seconds=round(self.meter.seconds, 3),
            proposed=tuple(self.emit.proposed),
        )

    async def _best_so_far(self, run: GraphRun, context: RunContext) -> GraphRun:
        """After an early end, the vote over what was proposed before it, in the order of the samples: ties must not go
        to what came first by the clock. Raises the error where there is nothing."""
        if run.error is None and run.waiting_for is None:
            return run
        proposed = [candidate for _, candidate in sorted(self.emit.proposed, key=lambda one: one[0])]
        if any(candidate.answer is not None for candidate in proposed):
            update = await vote(context, proposed)
            return replace(run, state=run.state.model_copy(update={**update, "candidates": proposed}))
        if run.error is not None:
            raise run.error
        return run

    def _solution(self, run: GraphRun, strategy: Strategy, config: StrategyConfig, resumable: bool) -> Solution:
        state, meter = run.state, self.meter
        stopped: Stopped = "finished"
        detail = ""
        exhausted = meter.limit_reached()
        if run.error is not None:
            stopped, detail = "error", str(run.error)
        elif run.waiting_for is not None:
            stopped, detail = "interrupted", f"it waits for a person ({run.waiting_for.kind})"
        elif meter.interrupted:
            stopped, detail = "interrupted", "interrupted; this is the best so far"
        elif state.limit is not None or (state.answer is None and exhausted is not None):
            stopped, detail = "budget", state.limit or str(exhausted)
        return Solution(
            problem=self.spec.problem,
            answer=state.answer,
            confidence=state.confidence,
            confidence_basis=state.confidence_basis,
            certificate=state.certificate,
            candidates=tuple(state.candidates),
            usage=meter.usage,
            by_model=usage_by_model(meter.by_model),
            stopped=stopped,
            detail=detail,
            strategy=strategy.name,
            config=config.model_dump(mode="json"),
            model=self.spec.model,
            seconds=round(meter.seconds, 3),
            solve_id=self.spec.solve_id,
            resumable=resumable,
            waiting_for=run.waiting_for,
            winner=state.winner,
            trials=tuple(state.trials),
            recalled=tuple(dict.fromkeys(one.id for one in state.recalled)),
        )


async def forward_interrupt(interrupt: asyncio.Event, meter: Meter) -> None:
    """Ends the budget of ``meter`` once ``interrupt`` is set, at once or, by another thread, ``INTERRUPT_S`` later."""
    while not interrupt.is_set():
        try:
            await asyncio.wait_for(interrupt.wait(), INTERRUPT_S)
        except TimeoutError:
            pass
        except RuntimeError:  # another event loop has waited for it: it can only be looked at
            await asyncio.sleep(INTERRUPT_S)
    meter.interrupt()
