"""MathService: what the tools of the MCP server do, apart from the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from mathagent.agents import outside_requests
from mathagent.agents.blocks.check import check_candidate
from mathagent.agents.gate import Gate
from mathagent.answers.extract import extract_answer, last_boxed
from mathagent.budget import Budget, Meter
from mathagent.config import settings
from mathagent.errors import UsageError
from mathagent.evals.grader import Grader
from mathagent.events import Event
from mathagent.mcp.python_sessions import PythonSessions
from mathagent.mcp.results import (
    CheckResult,
    GradeResult,
    PythonResult,
    RecalledExperience,
    RecallResult,
    SolveResult,
    SymbolicResult,
)
from mathagent.memory.base import ExperienceStore, Query
from mathagent.memory.experience import ExperienceKind
from mathagent.memory.opening import open_store
from mathagent.sandbox.base import Limits
from mathagent.scorers.checks import OUT_OF_TIME, judge, run_certificate
from mathagent.solver import Solver
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.tools.retrieve import shown, source_of
from mathagent.tools.symbolic import SymbolicRequest, compute
from mathagent.types import Answer, Candidate, Check, Execution, Problem, Solution, Value

Result = TypeVar("Result")
OnEvent = Callable[[Event], None]

MAX_CERTIFICATE_CHARS = 400_000
_FOUND_BY_SEARCH: tuple[ExperienceKind, ...] = ("fact", "exemplar", "lesson", "template")
_VERDICTS = {"correct": "equal", "incorrect": "different", "undecided": "undecided"}


class ServiceLimits(Value):
    """What one server does at most."""

    solves: int = Field(default=2, ge=1, description="Solves, and checks that ask a model, at the same time.")
    waiting: int = Field(default=16, ge=0, description="Calls that wait for their turn; more are sent away.")
    seconds: float = Field(default=600.0, gt=0, description="Seconds of one solve or check.")
    programs: int = Field(default=4, ge=1, description="Programs and symbolic operations at the same time.")
    program_s: float = Field(default=30.0, gt=0, description="Seconds of one program.")
    sessions: int = Field(default=8, ge=1, description="Python sessions that are open at the same time.")
    session_idle_s: float = Field(default=900.0, gt=0, description="Seconds until a session left alone is closed.")


class MathService:
    """The solver and its parts for many clients. ``memory`` is the file that ``recall`` searches (None: the user's).

    Methods raise MathagentError with a message for the client. A call that is cancelled ends its work, and comes back
    when that has ended. Close it with ``aclose``; the solver is closed by whoever opened it.
    """

    def __init__(
        self,
        solver: Solver,
        *,
        strategy: str = DEFAULT_STRATEGY,
        budget: Budget | None = None,
        limits: ServiceLimits | None = None,
        memory: Path | None = None,
    ) -> None:
        self.solver, self.strategy = solver, strategy
        self.limits = limits or ServiceLimits()
        self._budget, self._memory = budget or Budget(), memory
        self._store: ExperienceStore | None = None
        self._program_limits = Limits(timeout_s=self.limits.program_s, cpu_s=self.limits.program_s)
        self._solves = Gate("solves", at_once=self.limits.solves, waiting=self.limits.waiting)
        self._programs = Gate("programs", at_once=self.limits.programs, waiting=self.limits.waiting)
        self.sessions = PythonSessions(
            solver.sandbox, self._program_limits, most=self.limits.sessions, idle_s=self.limits.session_idle_s
        )

    async def aclose(self) -> None:
        """Ends the sessions and closes the memory; safe to call twice."""
        store, self._store = self._store, None
        async with AsyncExitStack() as closing:  # both, whatever one of them raises
            if store is not None:
                closing.push_async_callback(store.aclose)
            closing.push_async_callback(self.sessions.aclose)

    async def solve(
        self,
        problem: Problem,
        *,
        strategy: str = "",
        samples: int = 0,
        seconds: float = 0.0,
        seed: int | None = None,
        on_event: OnEvent | None = None,
    ) -> SolveResult:
        """Solves ``problem``; "" and 0 mean the server's own choice."""
        name = allowed_strategy(strategy) or self.strategy
        config = {"n": samples} if samples else {}
        async with self._solves.entered():
            solution = await to_its_end(
                self.solver.solve(
                    problem, name, budget=self._bounded(seconds), config=config, seed=seed, on_event=on_event
                )
            )
        return SolveResult.of(solution)

    async def check(
        self,
        problem: Problem,
        answer: str,
        *,
        certificate: Sequence[Check] = (),
        ask_model: bool = True,
        seconds: float = 0.0,
        on_event: OnEvent | None = None,
    ) -> CheckResult:
        """Whether ``answer`` is right, by programs: those of ``certificate``, else those that the model proposes.

        What a certificate says of its own outcomes is ignored; of its programs those that have not ended in time are
        undecided. Without ``ask_model`` no model is asked.
        """
        read = _read_answer(answer, problem.choices)
        if certificate:
            return await self._rerun(problem, read, certificate, seconds)
        async with self._solves.entered():
            meter = Meter(self._bounded(seconds))  # its clock runs from here on: waiting for a turn is no work
            context = self.solver.beside.context(meter, on_event)
            verdict, _ = await to_its_end(
                check_candidate(context, problem, Candidate(answer=read), proposals=None if ask_model else ())
            )
        return CheckResult(
            judgement=verdict.judgement, reason=verdict.reason, checks=verdict.checks, usage=meter.usage
        )

    async def _rerun(
        self, problem: Problem, answer: Answer, certificate: Sequence[Check], seconds: float
    ) -> CheckResult:
        if sum(len(check.program) + len(check.expected) for check in certificate) > MAX_CERTIFICATE_CHARS:
            raise UsageError(f"the certificate holds more than {MAX_CERTIFICATE_CHARS:,} characters of programs")
        claimed = Solution(
            problem=problem,
            answer=answer.normal,
            confidence=None,
            confidence_basis="",
            certificate=tuple(certificate),
            strategy="",
            model="",
        )
        async with self._programs.entered():
            checks = await to_its_end(
                run_certificate(
                    self.solver.sandbox,
                    self.solver.comparer,
                    claimed,
                    self._program_limits,
                    within_s=self._bounded(seconds).max_seconds,
                )
            )
        verdict = judge(checks)
        late = sum(check.reason == OUT_OF_TIME for check in checks)
        reason = f"{verdict.reason}; the time was over before {late} of {len(checks)} checks had ended"
        return CheckResult(
            judgement=verdict.judgement, reason=reason if late else verdict.reason, checks=tuple(checks)
        )

    async def grade(
        self, answer: str, reference: str, *, choices: Sequence[str] = (), strict: bool = False
    ) -> GradeResult:
        """Whether the two are the same answer: as benchmarks grade (``reference`` is the right one), or ``strict``:
        as votes are counted, where neither is favoured. Texts with a box stand for what is in it."""
        if not reference.strip() or not answer.strip():
            raise UsageError("give two answers; one of them is empty")
        given, wanted = (_boxed(text, choices) for text in (answer, reference))
        async with self._programs.entered():
            if strict:
                compared = await to_its_end(self.solver.comparer.equal(given, wanted))
                return GradeResult(
                    verdict=compared.verdict, reason=compared.reason, seconds=round(compared.seconds, 4)
                )
            problem = Problem(text="", choices=tuple(choices), reference=wanted)
            grade = await to_its_end(Grader(self.solver.comparer).grade(given, problem))
        return GradeResult.model_validate(
            {"verdict": _VERDICTS[grade.outcome], "reason": grade.reason, "seconds": round(grade.seconds, 4)}
        )

    async def run_python(self, code: str, *, session: str = "") -> PythonResult:
        """Runs ``code`` in the sandbox: as a program of its own, or in ``session`` ("new": begin one)."""
        async with self._programs.entered():
            if session:
                name, execution = await to_its_end(self.sessions.run(session, code))
                return _as_result(execution, name)
            return _as_result(await to_its_end(self.solver.sandbox.run(code, self._program_limits)))

    async def symbolic(self, request: SymbolicRequest) -> SymbolicResult:
        """Carries ``request`` out. Raises UsageError with what was wrong with it."""
        async with self._programs.entered():
            done = await to_its_end(compute(self.solver.sandbox, request))
        if not done.ok:
            raise UsageError(done.text)
        return SymbolicResult(result=done.text)

    async def recall(self, query: str, *, kind: ExperienceKind | None = None, limit: int = 5) -> RecallResult:
        """What memory holds that fits ``query``, best first. Nothing is written; no memory yet: nothing is found."""
        path = self._memory or settings().memory_path
        if self._store is None:
            if not path.expanduser().is_file():
                return RecallResult()
            self._store = open_store(path, read_only=True)
        kinds = _FOUND_BY_SEARCH if kind is None else (kind,)
        hits = await to_its_end(self._store.search(Query(text=query, kinds=kinds, limit=limit)))
        return RecallResult(
            hits=tuple(
                RecalledExperience(
                    id=hit.experience.id,
                    kind=hit.experience.kind,
                    text=shown(hit.experience),
                    source=source_of(hit.experience),
                    trust=hit.experience.trust,
                    score=hit.score,
                )
                for hit in hits
            )
        )

    def _bounded(self, seconds: float) -> Budget:
        """The server's budget, with at most ``seconds`` (0: no wish)."""
        wishes = (self._budget.max_seconds, self.limits.seconds, seconds or None)
        return self._budget.model_copy(update={"max_seconds": min(one for one in wishes if one is not None)})


async def to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """What ``work`` gives. Where the call is cancelled, the work is cancelled once, and waited for.

    A cancel scope of anyio, as the protocol's SDK uses them, cancels whatever its task awaits again and again: clearing
    up (killing a program, closing a file) would not be let finish.
    """
    import anyio

    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # is told to nobody: who asked has gone
        raise


def allowed_strategy(name: str) -> str:
    """``name``, if a client may name it: a strategy of the tables, or a composition. Raises UsageError.

    Elsewhere a ``module:object`` path is a name, and settings of a composition may name models and addresses; from
    outside these would import, or call, what they like. So there is no colon, and no text in quotes to hide one in, and
    no setting that names a file or a model (``outside_requests``).
    """
    if any(sign in name for sign in ':"\\'):
        raise UsageError(
            "a strategy is named by its name here, such as pal, or 'pal(n=4) | cot': without : and quotes"
        )
    return outside_requests.allowed_strategy(name.strip(), STRATEGIES) if name.strip() else ""


def _read_answer(answer: str, choices: Sequence[str]) -> Answer:
    text = answer if last_boxed(answer) is not None else f"\\boxed{{{answer}}}"
    read = extract_answer(text, tuple(choices))
    if read is None:
        raise UsageError("the answer cannot be read; give the final answer alone, such as 42 or \\frac{1}{2}")
    return read


def _boxed(text: str, choices: Sequence[str]) -> str:
    """The answer within ``text`` where it holds a box, else ``text``."""
    found = extract_answer(text, tuple(choices)) if last_boxed(text) is not None else None
    return text if found is None else found.raw


def _as_result(execution: Execution, session: str = "") -> PythonResult:
    return PythonResult(
        status=execution.status,
        stdout=execution.stdout,
        stderr=execution.stderr,
        value=execution.value,
        error=execution.error,
        seconds=round(execution.wall_s, 4),
        session=session,
    )
