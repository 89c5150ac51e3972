"""/v1/solve and /v1/solutions, in this process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mathagent.agents.checkpoints import Checkpoints
from mathagent.errors import StorageError
from mathagent.events import SolveStarted, event_adapter
from mathagent.models.base import ChatRequest
from mathagent.models.cache import sample_keys
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.process import ProcessSandbox
from mathagent.scorers.checks import OUT_OF_TIME
from mathagent.server.app import create_app
from mathagent.server.job import Job, SolveOrder
from mathagent.server.keys import ANYONE
from mathagent.server.model_table import ModelTable
from mathagent.server.options import ServeLimits, ServeOptions
from mathagent.solver import Solver
from mathagent.types import Completion, Execution, Solution
from tests.unit.server.served import (
    FORTY_TWO,
    KEY,
    OTHER_KEY,
    Served,
    Waits,
    always,
    idle,
    keys,
    sent_events,
    served,
    until,
)

PROGRAM = "```python\ndef solution():\n    return 6 * 7\n```"
CHOOSY = {"Authorization": f"Bearer {KEY}"}
OTHER = {"Authorization": f"Bearer {OTHER_KEY}"}


async def test_events_as_they_happen(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.solve()
        without = await server.solve(pieces=False)
    events = [(kind, event_adapter.validate_python(data)) for kind, data in sent_events(response.text)]
    assert all(kind == event.kind for kind, event in events)
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "solve-started"
    assert kinds[-1] == "solve-finished"
    assert "token-delta" in kinds
    assert "token-delta" not in [kind for kind, _ in sent_events(without.text)]
    assert events[-1][1].solution.answer == "42"  # type: ignore[union-attr]


async def test_the_solution_alone_and_again_by_its_id(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        solution = Solution.model_validate_json((await server.solve(stream=False)).text)
        record = (await server.http.get(f"/v1/solutions/{solution.solve_id}")).json()
        listed = (await server.http.get("/v1/solutions")).json()
    assert solution.answer == "42"
    assert record["status"] == "finished"
    assert Solution.model_validate(record["solution"]) == solution
    assert [one["id"] for one in listed["data"]] == [solution.solve_id]
    assert listed["data"][0]["problem"] == "What is 6*7?"
    assert listed["before"] is None


async def test_every_door_leads_to_the_same_solution(tmp_path: Path) -> None:
    """Python, the two routes and the stream: one answer, one certificate, one usage."""
    async with Solver(ScriptedBackend(always(PROGRAM)), sandbox="subprocess", cache=False) as solver:
        own = await solver.solve("What is 6*7?", "pal")
    async with served(tmp_path, always(PROGRAM)) as server:
        whole = Solution.model_validate_json((await server.solve(strategy="pal", stream=False)).text)
        streamed = sent_events((await server.solve(strategy="pal")).text)[-1][1]["solution"]
        chat = (await server.chat(model="pal")).json()

    def shown(solution: Solution) -> tuple[object, ...]:
        checks = [(check.kind, check.program, check.outcome) for check in solution.certificate]
        return solution.answer, solution.confidence, checks, solution.usage

    assert own.answer == "42"
    assert own.certificate
    assert shown(whole) == shown(Solution.model_validate(streamed)) == shown(own)
    assert chat["choices"][0]["message"]["content"] == own.answer
    assert chat["mathagent"]["usage"] == own.usage.model_dump()
    assert [check["kind"] for check in chat["mathagent"]["checks"]] == [check.kind for check in own.certificate]


async def test_pages_of_a_long_list(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        ids = [(await server.solve(stream=False)).json()["solve_id"] for _ in range(3)]
        first = (await server.http.get("/v1/solutions", params={"limit": 2})).json()
        second = (await server.http.get("/v1/solutions", params={"limit": 2, "before": first["before"]})).json()
    assert [one["id"] for one in (*first["data"], *second["data"])] == ids[::-1]


async def test_what_is_anothers_is_not_there(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO), keys=keys(), headers=CHOOSY) as server:
        solve_id = (await server.solve(stream=False)).json()["solve_id"]
        place = f"/v1/solutions/{solve_id}"
        assert (await server.http.get(place)).status_code == 200
        for request in (
            server.http.get(place, headers=OTHER),
            server.http.delete(place, headers=OTHER),
            server.http.post(f"{place}/resume", json={}, headers=OTHER),
            server.http.post(f"{place}/verify", headers=OTHER),
            server.http.post(f"{place}/stop", headers=OTHER),
            server.http.post(f"{place}/hint", json={"text": "x"}, headers=OTHER),
        ):
            response = await request
            assert response.status_code == 404
        assert (await server.http.get("/v1/solutions", headers=OTHER)).json()["data"] == []
        assert (await server.http.get(place)).status_code == 200


async def test_deleting(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        solve_id = (await server.solve(stream=False)).json()["solve_id"]
        assert (await server.http.delete(f"/v1/solutions/{solve_id}")).status_code == 204
        assert (await server.http.get(f"/v1/solutions/{solve_id}")).status_code == 404


async def stopped(server: Served, backend: Waits) -> str:
    """The place of a solve that was stopped before it had an answer."""
    backend.asked.clear()
    solving = asyncio.ensure_future(server.solve(stream=False))
    await backend.asked.wait()
    solve_id = (await server.http.get("/v1/solutions")).json()["data"][0]["id"]
    await server.http.post(f"/v1/solutions/{solve_id}/stop")
    assert (await solving).json()["resumable"]
    return f"/v1/solutions/{solve_id}"


def checkpoints(own_home: Path) -> list[Path]:
    return list((own_home / "solves").glob("*.db"))


async def test_of_two_that_resume_one_solve_at_once_one_does(tmp_path: Path) -> None:
    backend = Waits(always(FORTY_TWO))
    async with served(tmp_path, backend) as server:
        place = await stopped(server, backend)
        resuming = [
            asyncio.ensure_future(server.http.post(f"{place}/resume", json={"stream": stream}))
            for stream in (False, True, False)
        ]
        await until(lambda: sum(one.done() for one in resuming) == 2)
        backend.let.set()
        replies = await asyncio.gather(*resuming)
        assert sorted(one.status_code for one in replies) == [200, 409, 409]
        refused = [one.json()["error"] for one in replies if one.status_code == 409]
        assert {one["code"] for one in refused} == {"running"}
        assert all("this solve is running" in one["message"] for one in refused)
        await idle(server)
        record = (await server.http.get(place)).json()
    assert (record["status"], record["answer"]) == ("finished", "42")


@pytest.mark.parametrize("stream", [False, True])
async def test_deleting_one_that_was_resumed_and_waits_for_its_turn(
    tmp_path: Path, own_home: Path, stream: bool
) -> None:
    backend = Waits(always(FORTY_TWO))
    async with served(tmp_path, backend, limits=ServeLimits(solves=1, drain_s=0)) as server:
        place = await stopped(server, backend)
        backend.asked.clear()
        held = asyncio.ensure_future(server.solve(stream=False))
        await backend.asked.wait()
        waiting = asyncio.ensure_future(server.http.post(f"{place}/resume", json={"stream": stream}))
        await until(lambda: server.desk.gate.waiting == 1)
        assert len(checkpoints(own_home)) == 2
        assert (await server.http.delete(place)).status_code == 204
        ended = await waiting
        assert (ended.status_code, ended.json()["error"]["code"]) == (503, "ended")
        assert (await server.http.get(place)).status_code == 404
        assert len(checkpoints(own_home)) == 1  # that of the other
        backend.let.set()
        assert (await held).json()["answer"] == "42"
        assert (await server.http.post(f"{place}/resume", json={})).status_code == 404


async def test_deleting_leaves_nothing_to_resume(tmp_path: Path, own_home: Path) -> None:
    backend = Waits(always(FORTY_TWO))
    async with served(tmp_path, backend) as server:
        place = await stopped(server, backend)
        solving = asyncio.ensure_future(server.http.post(f"{place}/resume", json={"stream": False}))
        backend.asked.clear()
        await backend.asked.wait()
        assert (await server.http.delete(place)).status_code == 204  # while it runs
        assert (await solving).status_code == 503
        assert checkpoints(own_home) == []
        other = await stopped(server, backend)
        assert len(checkpoints(own_home)) == 1
        assert (await server.http.delete(other)).status_code == 204  # while it does not
        assert checkpoints(own_home) == []


async def test_what_another_process_works_on_is_not_deleted(tmp_path: Path, own_home: Path) -> None:
    backend = Waits(always(FORTY_TWO))
    async with served(tmp_path, backend) as server:
        place = await stopped(server, backend)
        _, saver = await Checkpoints(own_home / "solves").reopen(place.rpartition("/")[2])
        refused = await server.http.delete(place)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "running")
        assert (await server.http.get(place)).status_code == 200
        await saver.aclose(delete=False)
        assert (await server.http.delete(place)).status_code == 204
    assert checkpoints(own_home) == []


async def test_stopping_gives_the_best_so_far_and_it_can_be_resumed(tmp_path: Path) -> None:
    backend = Waits(always(FORTY_TWO))
    async with served(tmp_path, backend) as server:
        solving = asyncio.ensure_future(server.solve(stream=False))
        await backend.asked.wait()
        solve_id = (await server.http.get("/v1/solutions")).json()["data"][0]["id"]
        place = f"/v1/solutions/{solve_id}"
        assert (await server.http.get(place)).json()["status"] == "running"
        assert (await server.http.post(f"{place}/resume", json={})).json()["error"]["code"] == "running"
        assert (await server.http.post(f"{place}/verify")).json()["error"]["code"] == "no_solution"
        assert (await server.http.post(f"{place}/stop")).status_code == 202
        stopped = (await solving).json()
        assert (stopped["stopped"], stopped["answer"], stopped["resumable"]) == ("interrupted", None, True)
        assert (await server.http.get(place)).json()["status"] == "resumable"
        backend.let.set()
        resumed = (await server.http.post(f"{place}/resume", json={"stream": False})).json()
        assert (resumed["solve_id"], resumed["answer"]) == (solve_id, "42")
        again = await server.http.post(f"{place}/resume", json={})
        assert again.json()["error"]["code"] == "not_resumable"
        assert (await server.http.post(f"{place}/stop")).json()["error"]["code"] == "not_running"


async def test_a_hint_reaches_the_running_solve(tmp_path: Path) -> None:
    backend = Waits(lambda request, sample: "no answer yet" if len(backend.requests) == 1 else FORTY_TWO)
    async with served(tmp_path, backend) as server:
        solving = asyncio.ensure_future(server.solve(stream=False))
        await backend.asked.wait()
        solve_id = (await server.http.get("/v1/solutions")).json()["data"][0]["id"]
        response = await server.http.post(f"/v1/solutions/{solve_id}/hint", json={"text": "count in sevens"})
        assert response.status_code == 202
        backend.let.set()
        assert (await solving).json()["answer"] == "42"
    assert any("count in sevens" in message.content for message in backend.requests[1].messages)


async def test_a_program_that_needs_approval_waits_for_a_resume(tmp_path: Path) -> None:
    async with served(tmp_path, always(PROGRAM)) as server:
        first = (await server.solve(strategy="pal", stream=False, approve_code=True)).json()
        place = f"/v1/solutions/{first['solve_id']}"
        assert first["waiting_for"]["kind"] == "approve-code"
        record = (await server.http.get(place)).json()
        assert (record["status"], record["waiting_for"]) == ("resumable", first["waiting_for"])
        done = await server.http.post(f"{place}/resume", json={"stream": False, "answer": {"kind": "approved"}})
    assert done.json()["answer"] == "42"


async def test_a_certificate_is_run_again(tmp_path: Path) -> None:
    async with served(tmp_path, always(PROGRAM)) as server:
        solution = (await server.solve(strategy="pal", stream=False)).json()
        verified = (await server.http.post(f"/v1/solutions/{solution['solve_id']}/verify")).json()
    assert verified["answer"] == "42"
    assert len(verified["checks"]) == len(solution["certificate"])
    assert all(check["strength"] in ("strong", "weak") for check in verified["checks"])
    assert verified["result"] in ("holds", "undecided")


class Sluggish(ProcessSandbox):
    """Its programs end while ``slow`` is not set."""

    slow = False

    async def run(self, code: str, *values: Any, **options: Any) -> Execution:
        if self.slow:
            await asyncio.sleep(3600)
        return await super().run(code, *values, **options)


async def test_a_certificate_is_run_again_within_the_time_of_the_server_and_in_its_turn(tmp_path: Path) -> None:
    sandbox = Sluggish()
    limits = ServeLimits(solves=1, waiting=0, verify_s=600, drain_s=0)
    async with served(tmp_path, always(PROGRAM), sandbox=sandbox, limits=limits) as server:
        solution = (await server.solve(strategy="pal", stream=False)).json()
        place = f"/v1/solutions/{solution['solve_id']}/verify"
        sandbox.slow = True
        verifying = asyncio.ensure_future(server.http.post(place))
        await until(lambda: server.desk.gate.running == 1)
        assert (await server.http.post(place)).json()["error"]["code"] == "server_busy"
        verifying.cancel()
        await until(lambda: server.desk.gate.running == 0)
        server.desk.limits = limits.model_copy(update={"verify_s": 0.05})
        verified = (await server.http.post(place)).json()
        server.desk.limits, sandbox.slow = limits, False
        again = (await server.http.post(place)).json()
    await sandbox.aclose()
    assert (verified["stopped"], verified["result"]) == ("deadline", "undecided")
    assert {check["reason"] for check in verified["checks"]} == {OUT_OF_TIME}
    assert again["stopped"] == "finished"
    assert OUT_OF_TIME not in [check["reason"] for check in again["checks"]]


async def test_all_is_closed_though_one_part_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    class Stubborn(ScriptedBackend):
        async def aclose(self) -> None:
            closed.append(self.name)
            raise StorageError(f"{self.name} stays")

    opened: list[Solver] = []

    def open_solver(name: str) -> Solver:
        opened.append(Solver(Stubborn(always(FORTY_TWO), name=name), sandbox="subprocess"))
        opened[-1]._resources.to_close.append(opened[-1].backend)
        return opened[-1]

    models = ModelTable({name: lambda name=name: open_solver(name) for name in ("a", "b")})  # type: ignore[misc]
    app = create_app(models, ServeOptions(limits=ServeLimits(drain_s=0)), tmp_path / "server.db")
    books = app.state.mathagent.desk.store

    async def live() -> None:
        async with app.router.lifespan_context(app):
            for name in ("a", "b"):
                models.solver(name)
            assert await books.solves("anyone", limit=1) == []

    with pytest.raises(StorageError, match="stays"):
        await live()
    assert sorted(closed) == ["a", "b"]
    assert books._connection is None
    for one in opened:
        assert one._resources.cache is not None
        with pytest.raises(StorageError):  # it is closed
            one._resources.cache.store(sample_keys("x", ChatRequest(messages=())), [Completion(text="x")])


async def test_who_leaves_the_stream_ends_the_solve(tmp_path: Path) -> None:
    backend = Waits(always(FORTY_TWO))
    async with served(tmp_path, backend) as server:
        solving = asyncio.ensure_future(server.solve())
        await backend.asked.wait()
        solving.cancel()
        await idle(server)
        assert backend.left == 1
        listed = (await server.http.get("/v1/solutions")).json()["data"]
    assert [one["status"] for one in listed] == ["cancelled"]


async def test_the_deadline_of_the_server_holds_for_all(tmp_path: Path) -> None:
    limits = ServeLimits(seconds=0.2, drain_s=0)
    backend = Waits(always(FORTY_TWO))
    async with served(tmp_path, backend, limits=limits) as server:
        response = await server.solve(stream=False, budget={"max_seconds": 3600})
    assert response.json()["stopped"] == "budget"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"wrong": 1}, "wrong"),
        ({"n": -1}, "n"),
        ({"trigger": 5}, "trigger"),
    ],
)
async def test_wrong_settings_are_named(tmp_path: Path, settings: object, word: str) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.solve(settings=settings)
    assert response.status_code == 400
    assert word in response.json()["error"]["message"]


async def test_warnings_and_details_hold_no_paths(tmp_path: Path) -> None:
    replies = [FORTY_TWO, Reply(error="cannot reach http://10.1.2.3/v1 (/srv/x/y.py)", status=400)]
    async with served(tmp_path, ScriptedBackend(replies)) as server:
        response = await server.solve(strategy="self-consistency", settings={"over": "cot", "n": 2})
    assert "10.1.2.3" not in response.text
    assert "/srv/x" not in response.text


async def test_a_client_that_leaves_with_its_solution_finds_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, let = asyncio.Event(), asyncio.Event()
    async with served(tmp_path, always(FORTY_TWO)) as server:
        end = server.desk.store.end

        async def slowly(*values: Any, **options: Any) -> None:
            writing.set()
            await let.wait()
            await end(*values, **options)

        monkeypatch.setattr(server.desk.store, "end", slowly)
        leaving = asyncio.ensure_future(server.solve())
        await writing.wait()
        leaving.cancel()
        await asyncio.wait({leaving})
        let.set()
        await idle(server)
        (listed,) = (await server.http.get("/v1/solutions")).json()["data"]
    assert (listed["status"], listed["answer"]) == ("finished", "42")


@pytest.mark.parametrize(
    ("setting", "says"),
    [('"' + "a." * 100_000 + '": 1', "has no setting"), (r'"\ud800": "/etc/passwd"', "half a character")],
)
async def test_a_setting_of_any_name_is_refused_at_once(tmp_path: Path, setting: str, says: str) -> None:
    body = f'{{"problem": "x", "strategy": "cot", "settings": {{{setting}}}}}'
    headers = {"content-type": "application/json"}
    async with served(tmp_path, always(FORTY_TWO)) as server, asyncio.timeout(10):
        response = await server.http.post("/v1/solve", content=body, headers=headers)
    assert response.status_code == 400
    assert says in response.json()["error"]["message"]


async def test_a_stream_tells_of_a_failure_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:

        async def fails(*_: Any) -> None:
            raise KeyError("/home/secret")

        monkeypatch.setattr(server.desk.books, "ended", fails)
        events = sent_events((await server.solve()).text)
    assert events[-1][0] == "error"
    assert events[-1][1]["error"]["code"] == "internal_error"
    assert "secret" not in str(events[-1])


async def test_a_second_resume_that_fails_takes_nothing_from_the_first(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        solution = Solution.model_validate_json((await server.solve(stream=False)).text)
        books, order = (
            server.desk.books,
            SolveOrder(problem=None, strategy="cot", model="m", resume=solution.solve_id),
        )
        first, second = Job(order, ANYONE), Job(order, ANYONE)
        started = SolveStarted(problem_id="", strategy="cot", model="m", solve_id=solution.solve_id, resumed=True)
        books.on_event(first, started)
        await books.failed(second, StorageError("it is being worked on"))
        await books.ended(first, solution)
        record = (await server.http.get(f"/v1/solutions/{solution.solve_id}")).json()
    assert (record["status"], record["answer"]) == ("finished", "42")
