"""SolveThread: one solve across the processes that work on it: what it was asked, has used, and was told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from mathagent.agents.checkpoints import Checkpoints, SolveSpec
from mathagent.agents.human import request_key
from mathagent.agents.saver import Progress, SolveSaver, failure
from mathagent.errors import StorageError, UsageError
from mathagent.events import Event, Warned
from mathagent.types import Request, Response

_request: TypeAdapter[Request | None] = TypeAdapter(Request | None)
_response: TypeAdapter[Response] = TypeAdapter(Response)


@dataclass
class SolveThread:
    """``saver`` is None where nothing is kept; ``begun`` says that there is a checkpoint to go on from."""

    spec: SolveSpec
    saver: SolveSaver | None = None
    resumed: bool = False
    begun: bool = False
    progress: Progress = field(default_factory=Progress)
    answers: dict[str, Response] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)

    @property
    def durable(self) -> bool:
        """Whether what happens now is being kept."""
        return self.saver is not None and self.saver.works

    def keep_answer(self, key: str, response: Response) -> None:
        """Keeps what a person said to the request of ``key``: nobody asks them again."""
        self.answers[key] = response
        if self.saver is not None:
            self.saver.note("answer", key, response.model_dump_json())

    def keep_hint(self, text: str) -> None:
        """Keeps a hint."""
        self.hints.append(text)
        if self.saver is not None:
            self.saver.note("hint", f"{len(self.hints):06}", text)

    def keep_waiting(self, request: Request | None) -> None:
        """Keeps what the solve waits for; None: for nothing."""
        if self.saver is not None:
            self.saver.note("waiting", "", _request.dump_json(request).decode())

    async def aclose(self, *, keep: bool) -> None:
        """Lets go of the file; deletes it unless it is to be resumed."""
        if self.saver is not None:
            await self.saver.aclose(delete=not keep)


async def begin_thread(
    checkpoints: Checkpoints | None, spec: SolveSpec, emit: Callable[[Event], None]
) -> SolveThread:
    """A new thread. Where its file cannot be made it has none: the solve is warned and goes on."""
    if checkpoints is None:
        return SolveThread(spec)
    try:
        saver = await checkpoints.begin(spec)
    except StorageError as error:
        _warn(emit, error)
        return SolveThread(spec)
    saver.on_failure = lambda error: _warn(emit, error)
    return SolveThread(spec, saver)


async def resume_thread(
    checkpoints: Checkpoints | None, solve_id: str, answer: Response | None, emit: Callable[[Event], None]
) -> SolveThread:
    """The thread of a solve that was ended before its time; ``answer`` is what it waits for, where it does.

    Raises UsageError (unknown, of another version, or an answer that nobody asked for) and StorageError (damaged,
    or at work elsewhere).
    """
    if checkpoints is None:
        raise UsageError("this Solver keeps no checkpoints; make it with checkpoints=True to resume a solve")
    spec, saver = await checkpoints.reopen(solve_id)
    saver.on_failure = lambda error: _warn(emit, error)
    try:
        progress = await saver.restored()
        notes = {key: _response.validate_json(value) for key, value in (await saver.notes("answer")).items()}
        thread = SolveThread(
            spec,
            saver,
            resumed=True,
            begun=progress is not None,
            progress=progress or Progress(),
            answers=notes,
            hints=[*(await saver.notes("hint")).values()],
        )
        waiting = _request.validate_json((await saver.notes("waiting")).get("", "null"))
        if answer is not None:
            if waiting is None:
                raise UsageError(f"solve {solve_id} waits for no answer; resume it without one")
            thread.keep_answer(request_key(waiting), answer)
        thread.keep_waiting(None)
    except BaseException as error:
        await saver.aclose(delete=False)
        if isinstance(error, sqlite3.Error | ValidationError | KeyError):
            raise failure(saver.path, error) from error
        raise
    return thread


def _warn(emit: Callable[[Event], None], error: StorageError) -> None:
    emit(Warned(message=f"{error}; this solve goes on, but cannot be resumed"))
