"""Asides: what a solver's model is asked beside a solve, by those who build on a Solver (session, evaluations)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from mathagent.agents.blocks.teacher_note import write_note
from mathagent.agents.context import RunContext
from mathagent.agents.follow_up import Earlier, Understood, understand
from mathagent.agents.solve_run import Emitter, forward_interrupt
from mathagent.agents.solver_resources import SolverResources
from mathagent.agents.transcribe import TRANSCRIBER, Transcription, transcribe
from mathagent.budget import Budget, Meter
from mathagent.events import Event
from mathagent.memory.experience import Lesson
from mathagent.models.base import models_of, prepare
from mathagent.types import Candidate, Image, Problem


class Asides:
    """Questions to the model of ``resources`` of which nothing is kept. To be used on the solver's own event loop."""

    def __init__(self, resources: SolverResources) -> None:
        self._resources = resources

    def context(
        self, meter: Meter, on_event: Callable[[Event], None] | None = None, *, seed: int | None = None
    ) -> RunContext:
        """What a question beside a solve may use, such as one to a single role: the model, nothing that is kept.

        ``meter`` counts it and holds its budget; ``seed`` None: the backend's own.
        """
        open_here, emit = self._resources, Emitter(on_event)
        return RunContext(
            backend=open_here.wrapped(open_here.backend, open_here.semaphore, meter, emit),
            sandbox=open_here.sandbox,
            comparer=open_here.comparer,
            meter=meter,
            emit=emit,
            seed=open_here.backend.default_seed if seed is None else seed,
            stream_tokens=emit.on_event is not None,
        )

    async def prepare(self) -> None:
        """Finds out what the model's server can do, as a solve does before it asks it: the backend may have more
        capabilities, and another identity, from then on."""
        await self._resources.prepare()

    async def sees_images(self, within_s: float | None = None) -> bool:
        """Whether the model that ``transcribe`` asks sees pictures, as far as is known within ``within_s`` seconds.

        Endpoints are asked which server they are, as a solve does; no model is fetched or loaded for it. Raises
        UsageError or StorageError where what is said or known of the model is wrong.
        """
        from mathagent.models.openai_compat import OpenAICompatible  # solves of other models need neither
        from mathagent.models.openai_pool import EndpointPool

        backend = self._resources.backend
        models = models_of(backend)
        await asyncio.gather(
            *(prepare(one, within_s) for one in models if isinstance(one, OpenAICompatible | EndpointPool))
        )
        self._resources.known.settle(backend)
        return self.context(Meter()).can(TRANSCRIBER.name).images

    async def transcribe(
        self,
        image: Image,
        *,
        budget: Budget | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> Transcription:
        """The problem that a photo shows, as text to be checked and solved next: see agents/transcribe.py.

        ``budget`` is for this alone. Raises as that does.
        """
        await self._resources.prepare(None if budget is None else budget.max_seconds)
        return await transcribe(self.context(Meter(budget), on_event), image)

    async def understand(
        self,
        text: str,
        earlier: Sequence[Earlier],
        names: Mapping[str, str] | None = None,
        *,
        budget: Budget | None = None,
        on_event: Callable[[Event], None] | None = None,
        interrupt: asyncio.Event | None = None,
    ) -> Understood:
        """A follow-up question as a problem that is complete in itself, to be solved next: see agents/follow_up.py.

        ``budget`` is for this alone; setting ``interrupt`` ends it. Where the model fails, the text stays as it is.
        """
        meter = Meter(budget)
        context = self.context(meter, on_event)
        watcher = None if interrupt is None else asyncio.ensure_future(forward_interrupt(interrupt, meter))
        try:
            return await understand(context, text, earlier, names)
        finally:
            if watcher is not None:
                watcher.cancel()

    async def teach(self, problem: Problem, right_answer: str, wrong: Candidate) -> Lesson | None:
        """What the model, as a teacher who knows ``right_answer``, notes on the candidate that got ``problem`` wrong.

        None where it wrote nothing of use. Raises ResourceError where it cannot be asked.
        """
        return await write_note(self.context(Meter()), problem, right_answer, wrong)
