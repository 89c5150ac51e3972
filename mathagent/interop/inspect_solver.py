"""``mathagent/solve``: a solver for inspect_ai (``inspect eval task.py --solver mathagent/solve``).

Found through inspect's entry points (group ``inspect_ai``). Heavy modules are imported when a sample is solved: every
``inspect`` command of an environment may load this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from inspect_ai.hooks import Hooks, RunEnd, hooks
from inspect_ai.model import ChatMessageAssistant, Model, ModelOutput, ModelUsage, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import sample_limits

from mathagent.errors import ResourceError, UsageError

if TYPE_CHECKING:
    from mathagent.budget import Budget
    from mathagent.solver import Solver as MathSolver
    from mathagent.types import Problem, Solution

KEY = "mathagent"
"""Where a sample's metadata and store hold what mathagent says about it."""
ANSWER = "ANSWER: {answer}"
GRACE_SHARE, GRACE_S = 0.05, 2.0
"""How much earlier than inspect's time limit a solve ends (at most), so that its best answer is still scored."""


@solver
def solve(
    strategy: str = "auto",
    model: str | None = None,
    base_url: str | None = None,
    config: dict[str, Any] | None = None,
    budget_tokens: int | None = None,
    budget_calls: int | None = None,
    budget_seconds: float | None = None,
    seed: int | None = None,
    sandbox: str = "process",
    memory_mode: str = "off",
    answer: str = ANSWER,
) -> Solver:
    """Solves each sample with a strategy of mathagent; ``answer`` is the form of the output that is scored.

    Without ``model`` (a name as ``mathagent -m`` takes) it is inspect's model under evaluation that is asked, through
    inspect: its usage, cache and limits hold. The certificate, the confidence and the usage go to the sample's
    metadata, the whole solution to its store, both under "mathagent". Raises UsageError for wrong arguments.
    """
    budget = _checked(strategy, config, answer, budget_tokens, budget_calls, budget_seconds)
    if memory_mode not in ("off", "read"):
        raise UsageError("memory_mode is 'off' or 'read': a sample may run twice, so that none can be learnt from")

    def open_solver(asked: str | Model) -> MathSolver:
        from mathagent.interop.inspect_backend import InspectBackend
        from mathagent.solver import Solver as MathSolver

        backend = asked if isinstance(asked, str) else InspectBackend(asked)
        options: dict[str, Any] = {"sandbox": sandbox, "checkpoints": False, "memory_mode": memory_mode}
        return MathSolver(backend, base_url=base_url, cache=isinstance(asked, str), **options)

    opened = OpenSolvers(open_solver)

    async def run(state: TaskState, generate: Generate) -> TaskState:
        from mathagent.interop.inspect_backend import LimitWatch, limit_watch

        math_solver = opened.get(get_model() if model is None else model)
        watch = LimitWatch()
        token = limit_watch.set(watch)
        try:
            solution = await math_solver.solve(
                problem_of(state),
                strategy,
                budget=_within_limits(budget),
                config=config,
                seed=seed,
                interrupt=watch.interrupt,
                measured=True,
            )
        except ResourceError:
            if watch.error is not None:
                raise watch.error from None
            raise
        finally:
            limit_watch.reset(token)
        if solution.stopped == "error" and solution.answer is None:
            raise ResourceError(solution.detail)
        record_solution(state, solution, answer)
        if watch.error is not None:  # inspect notes the limit, and scores the answer that is in the state
            raise watch.error
        return state

    return run


class OpenSolvers:
    """One Solver for each event loop and model, for all samples of a task; closed when inspect's run ends."""

    def __init__(self, open_solver: Callable[[str | Model], MathSolver]) -> None:
        self._open_solver = open_solver
        self._opened: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str | Model, MathSolver]]
        self._opened = WeakKeyDictionary()

    def get(self, model: str | Model) -> MathSolver:
        """The open solver for a model's name, or one of inspect's. Raises UsageError outside asyncio."""
        try:
            of_loop = self._opened.setdefault(asyncio.get_running_loop(), {})
        except RuntimeError as error:
            raise UsageError("mathagent/solve runs on asyncio; unset INSPECT_ASYNC_BACKEND=trio") from error
        if model not in of_loop:
            _close_at_run_end(self)
            of_loop[model] = self._open_solver(model)
        return of_loop[model]

    async def aclose(self) -> None:
        for math_solver in self._opened.pop(asyncio.get_running_loop(), {}).values():
            await math_solver.aclose()


_to_close: set[OpenSolvers] = set()


def _close_at_run_end(opened: OpenSolvers) -> None:
    if not _to_close:
        # Not when this module is imported: inspect would announce the hook to people who never use this solver.
        hooks("close_solvers", "closes mathagent's solvers")(_CloseSolvers)
    _to_close.add(opened)


class _CloseSolvers(Hooks):
    async def on_run_end(self, data: RunEnd) -> None:
        for opened in list(_to_close):
            await opened.aclose()


def problem_of(state: TaskState) -> Problem:
    """The sample's question, without its target. Earlier solvers may have rewritten the user's message."""
    from mathagent.types import Problem

    asked = [message.text for message in state.messages if message.role == "user"]
    choices = tuple(choice.value for choice in state.choices)
    return Problem(text=asked[-1] if asked else state.input_text, id=str(state.sample_id), choices=choices)


def record_solution(state: TaskState, solution: Solution, form: str) -> None:
    """Puts what was found into the state: the output that is scored, marked choices, metadata and store."""
    text = "" if solution.answer is None else form.replace("{answer}", solution.answer)
    for step in solution.candidates[solution.winner].steps if solution.winner is not None else ():
        state.messages.append(ChatMessageAssistant(content=step.text, metadata={KEY: {"step": step.kind}}))
    state.output = ModelOutput.from_content(model=solution.model, content=text)
    used = solution.usage
    state.output.usage = ModelUsage(
        input_tokens=used.prompt_tokens, output_tokens=used.completion_tokens, total_tokens=used.total_tokens
    )
    state.messages.append(state.output.message)
    if len(state.choices):
        from mathagent.answers.choices import labelled_choices

        labels = [label for label, _ in labelled_choices([choice.value for choice in state.choices])]
        for index, label in enumerate(labels):
            state.choices.mark_choice(index, solution.answer == label)
    state.metadata[KEY] = solution.model_dump(
        mode="json",
        include={"answer", "confidence", "confidence_basis", "abstained", "certificate", "usage", "stopped"}
        | {"detail", "strategy", "config", "model", "seconds", "trials"},
    )
    state.store.set(KEY, solution.model_dump(mode="json", exclude={"problem"}))


def _checked(
    strategy: str,
    config: dict[str, Any] | None,
    answer: str,
    tokens: int | None,
    calls: int | None,
    seconds: float | None,
) -> Budget:
    """The budget; wrong arguments are found before the first sample. Raises UsageError."""
    from pydantic import ValidationError

    from mathagent.budget import Budget
    from mathagent.strategies import STRATEGIES

    if config is not None and not isinstance(config, dict):
        raise UsageError("""config is a table of settings: -S config='{"samples": 5}'""")
    if "{answer}" not in answer:
        raise UsageError("answer has no {answer} in it; write for example -S answer='ANSWER: {answer}'")
    STRATEGIES.load(strategy).configure(config or {})
    try:
        return Budget(max_tokens=tokens, max_calls=calls, max_seconds=seconds)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0]).removeprefix("max_")
        raise UsageError(f"budget_{name} must be greater than 0") from error


def _within_limits(budget: Budget) -> Budget:
    """``budget``, and the time that inspect's limits leave, with some to spare."""
    limits = sample_limits()
    left = [seconds for seconds in (limits.time.remaining, limits.working.remaining) if seconds is not None]
    if not left:
        return budget
    seconds = max(min(left) - min(GRACE_S, min(left) * GRACE_SHARE), 0.01)
    if budget.max_seconds is not None:
        seconds = min(seconds, budget.max_seconds)
    return budget.model_copy(update={"max_seconds": seconds})
