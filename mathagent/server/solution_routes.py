"""``/v1/solutions``: what was solved for a key: listed, fetched, resumed, verified, stopped, hinted at, deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from mathagent.server.api_errors import ApiError
from mathagent.server.job import Job, SolveOrder
from mathagent.server.openapi_text import ERRORS, SOLVE_REPLY
from mathagent.server.options import ServerKey
from mathagent.server.parts import Key, Parts, SharedParts, while_there
from mathagent.server.public_text import public_solution
from mathagent.server.solve_routes import answered
from mathagent.server.solve_wire import HintBody, ResumeBody, SolveEntry, SolveList, SolveRecord, Verified
from mathagent.server.store import StoredSolve
from mathagent.types import Solution

router = APIRouter(prefix="/v1/solutions", tags=["solutions"], responses=ERRORS)
SolveId = Annotated[str, Path(pattern=r"^[0-9a-z]{1,32}$", description="The `solve_id` of a Solution.")]


@router.get("")
async def list_solves(
    parts: SharedParts,
    key: Key,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False)] = None,
) -> SolveList:
    """The solves of this key, the latest first."""
    found = await parts.desk.store.solves(key.name, limit=limit, before=before)
    entries = tuple(_entry(parts, key, one) for one in found)
    return SolveList(data=entries, before=found[-1].created if len(found) == limit else None)


@router.get("/{solve_id}")
async def get_solve(solve_id: SolveId, parts: SharedParts, key: Key) -> SolveRecord:
    """A solve, with its Solution once there is one."""
    stored, solution = await _found(parts, key, solve_id)
    return SolveRecord(
        **_entry(parts, key, stored).model_dump(),
        solution=None if solution is None else public_solution(solution, stored.model),
        error=stored.error,
        waiting_for=None if solution is None else solution.waiting_for,
    )


@router.delete("/{solve_id}", status_code=204)
async def delete_solve(solve_id: SolveId, parts: SharedParts, key: Key) -> None:
    """Forgets a solve, with what was kept to resume it; one that runs is ended."""
    stored, _ = await _found(parts, key, solve_id)
    await parts.desk.delete(solve_id, key, stored.model)


@router.post("/{solve_id}/resume", responses={200: SOLVE_REPLY}, response_model=None)
async def resume_solve(
    solve_id: SolveId, body: ResumeBody, request: Request, parts: SharedParts, key: Key
) -> Response:
    """Goes on with a solve that was ended before its time; answers as `/v1/solve` does."""
    stored, _ = await _found(parts, key, solve_id)
    unfinished = await parts.desk.unfinished(solve_id, stored.model)
    if parts.desk.job(solve_id, key) is not None:  # looked at last: another may have begun meanwhile to resume it
        raise ApiError(409, "this solve is running", code="running")
    if unfinished is None:
        raise ApiError(
            409, "this solve cannot be resumed: it has ended, or was too long ago", code="not_resumable"
        )
    order = SolveOrder(
        problem=None,
        strategy=stored.strategy,
        model=stored.model,
        resume=solve_id,
        answer=body.answer,
        min_confidence=body.min_confidence,
    )
    return await answered(Job(parts.desk.check(order), key), body, request, parts)


@router.post("/{solve_id}/verify")
async def verify_solve(solve_id: SolveId, request: Request, parts: SharedParts, key: Key) -> Verified:
    """Runs the certificate's programs again, in the sandbox; no model is asked. Checks that the server's time for it
    does not suffice for are undecided, and `stopped` is `deadline`."""
    stored, solution = await _found(parts, key, solve_id)
    if solution is None:
        raise ApiError(409, "this solve has no solution yet", code="no_solution")
    checks = await while_there(request, parts.desk.verify(solution, stored.model))
    return Verified.of(solve_id, solution, checks)


@router.post("/{solve_id}/stop", status_code=202)
async def stop_solve(solve_id: SolveId, parts: SharedParts, key: Key) -> SolveEntry:
    """Has a solve that runs give its best answer so far, to whoever hears it."""
    stored, _ = await _found(parts, key, solve_id)
    _running(parts, key, solve_id).interrupt.set()
    return _entry(parts, key, stored)


@router.post("/{solve_id}/hint", status_code=202)
async def give_hint(solve_id: SolveId, body: HintBody, parts: SharedParts, key: Key) -> SolveEntry:
    """Gives the model a hint: the next call of the running solve sees it, and all later ones."""
    stored, _ = await _found(parts, key, solve_id)
    _running(parts, key, solve_id).human.hint(body.text)
    return _entry(parts, key, stored)


async def _found(parts: Parts, key: ServerKey, solve_id: str) -> tuple[StoredSolve, Solution | None]:
    found = await parts.desk.found(solve_id, key)
    if found is None:
        raise ApiError(404, f"there is no solve {solve_id}", code="not_found", param="solve_id")
    return found


def _running(parts: Parts, key: ServerKey, solve_id: str) -> Job:
    job = parts.desk.job(solve_id, key)
    if job is None:
        raise ApiError(409, "this solve does not run", code="not_running")
    return job


def _entry(parts: Parts, key: ServerKey, stored: StoredSolve) -> SolveEntry:
    """``stored`` as it is listed. What is noted as running, and does not, was ended with an earlier process."""
    values = stored.model_dump(include=set(SolveEntry.model_fields))
    if stored.status == "running" and parts.desk.job(stored.id, key) is None:
        values["status"] = "cancelled"
    return SolveEntry(**values)
