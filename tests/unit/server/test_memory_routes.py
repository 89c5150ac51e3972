"""/v1/memory: what a server remembers, and who may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mathagent.memory.experience import Exemplar, Experience, Fact, Lesson, Provenance, StrategyStatistics
from mathagent.memory.opening import open_store
from mathagent.models.scripted import ScriptedBackend
from mathagent.server.app import create_app
from mathagent.server.model_table import ModelTable
from mathagent.server.options import ServeLimits, ServeOptions, ServerKey
from mathagent.solver import Solver
from tests.unit.server.served import FORTY_TWO, KEY, OTHER_KEY, Served, always, keys
from tests.unit.server.served import served as served_without_memory

ALICE = {"Authorization": f"Bearer {KEY}"}
BOB = {"Authorization": f"Bearer {OTHER_KEY}"}


def exemplar(number: int, run: str = "", **more: Any) -> Experience:
    content = Exemplar(
        problem=f"Two trains, {number} km apart: when do they meet?", program="1", answer=str(number)
    )
    return Experience(content=content, trust="verified", provenance=Provenance(run=run, **more))


FACT = Experience(
    content=Fact(title="Sum of cubes", statement="It is the square of the sum."),
    provenance=Provenance(source="/srv/secret/notes.md"),
)
LESSON = Experience(content=Lesson(problem="How many odd numbers?", mistake="one too few", fix="count the last"))
COUNTS = Experience(content=StrategyStatistics(problem="x", strategy="pal", model="m", success=True))


@asynccontextmanager
async def served(folder: Path, *experiences: Experience, who: tuple[ServerKey, ...] = ()) -> AsyncIterator[Served]:
    """An app whose memory holds ``experiences``."""
    import httpx

    store = open_store(folder / "memory.db")
    await store.add(experiences)

    def solver() -> Solver:
        backend = ScriptedBackend(always(FORTY_TWO))
        return Solver(backend, sandbox="subprocess", cache=False, memory=store, memory_mode="read")

    options = ServeOptions(limits=ServeLimits(drain_s=0), keys=who)
    app = create_app(ModelTable({"script:test": solver}), options, folder / "server.db")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30) as http,
    ):
        yield Served(http, app.state.mathagent.desk, app)
    await store.aclose()


async def test_a_server_without_memory_says_what_to_do(tmp_path: Path) -> None:
    async with served_without_memory(tmp_path, always(FORTY_TWO)) as server:
        listed = await server.http.get("/v1/memory")
        one = await server.http.get(f"/v1/memory/{FACT.id}")
    for response in (listed, one):
        assert (response.status_code, response.json()["error"]["code"]) == (404, "no_memory")
        assert "--memory-mode" in response.json()["error"]["message"]


async def test_it_is_listed_in_pages_the_newest_first(tmp_path: Path) -> None:
    all_of_it = [exemplar(number) for number in range(100, 105)]
    async with served(tmp_path, *all_of_it) as server:
        first = (await server.http.get("/v1/memory", params={"limit": 2})).json()
        second = (await server.http.get("/v1/memory", params={"limit": 2, "after": first["after"]})).json()
        third = (await server.http.get("/v1/memory", params={"limit": 2, "after": second["after"]})).json()
    pages = [first, second, third]
    assert [len(page["data"]) for page in pages] == [2, 2, 1]
    assert [one["id"] for page in pages for one in page["data"]] == [one.id for one in reversed(all_of_it)]
    assert third["after"] is None
    assert first["data"][0]["answer"] == "104"


async def test_kinds_are_chosen_and_statistics_must_be(tmp_path: Path) -> None:
    async with served(tmp_path, exemplar(1), FACT, LESSON, COUNTS) as server:

        async def kinds(*wanted: str) -> list[str]:
            listed = await server.http.get("/v1/memory", params={"kind": list(wanted)})
            return [one["kind"] for one in listed.json()["data"]]

        assert await kinds() == ["lesson", "fact", "exemplar"]
        assert await kinds("lesson") == ["lesson"]
        assert await kinds("fact", "statistics") == ["statistics", "fact"]
        assert (await server.http.get("/v1/memory", params={"kind": "none"})).status_code == 400


async def test_it_is_searched(tmp_path: Path) -> None:
    async with served(tmp_path, LESSON, exemplar(120), FACT) as server:
        found = (await server.http.get("/v1/memory", params={"q": "trains that meet", "limit": 1})).json()
        nothing = (await server.http.get("/v1/memory", params={"q": "…"})).json()
    assert [one["kind"] for one in found["data"]] == ["exemplar"]
    assert found["data"][0]["score"] > 0
    assert found["after"] is None
    assert nothing["data"] == []


@pytest.mark.parametrize("text", ["\x00", '"', "a AND NOT (", "' OR 1=1 --", "*", "\\", "NEAR(a b)", "%"])
async def test_whatever_is_searched_for_is_only_searched_for(tmp_path: Path, text: str) -> None:
    async with served(tmp_path, exemplar(1)) as server:
        assert (await server.http.get("/v1/memory", params={"q": f"trains {text}"})).status_code == 200


async def test_one_experience_is_whole_and_tells_no_path(tmp_path: Path) -> None:
    async with served(tmp_path, FACT) as server:
        one = await server.http.get(f"/v1/memory/{FACT.id}")
        listed = await server.http.get("/v1/memory")
        missing = await server.http.get(f"/v1/memory/{'0' * 32}")
        wrong = await server.http.get("/v1/memory/..%2f..")
    assert one.json()["experience"]["content"]["statement"] == "It is the square of the sum."
    assert one.json()["id"] == FACT.id
    assert one.json()["source"] == listed.json()["data"][0]["source"] == "notes.md"
    assert "secret" not in one.text + listed.text
    assert missing.status_code == 404
    assert wrong.status_code in (400, 404)


async def test_what_came_of_anothers_solve_is_not_shown(tmp_path: Path) -> None:
    async with served(tmp_path, FACT, who=keys()) as server:
        solved = await server.http.post(
            "/v1/solve", json={"problem": "What is 6*7?", "strategy": "cot", "stream": False}, headers=ALICE
        )
        mine = exemplar(7, run=solved.json()["solve_id"])
        nobodys = exemplar(8, run="0fromelsewhere")
        store = server.desk.models.solver("script:test").memory.store
        assert store is not None
        await store.add([mine, nobodys])

        async def seen(headers: dict[str, str], **query: str) -> set[str]:
            listed = await server.http.get("/v1/memory", params=query, headers=headers)
            return {one["id"] for one in listed.json()["data"]}

        assert await seen(ALICE) == {FACT.id, mine.id}
        assert await seen(BOB) == {FACT.id}
        assert mine.id in await seen(ALICE, q="trains meet")
        assert mine.id not in await seen(BOB, q="trains meet")
        assert (await server.http.get(f"/v1/memory/{mine.id}", headers=ALICE)).status_code == 200
        assert (await server.http.get(f"/v1/memory/{mine.id}", headers=BOB)).status_code == 404
        assert (await server.http.get("/v1/memory")).status_code == 401


async def test_with_one_key_or_none_all_of_it_is_shown(tmp_path: Path) -> None:
    async with served(tmp_path, exemplar(1, run="0fromelsewhere"), who=keys()[:1]) as server:
        assert len((await server.http.get("/v1/memory", headers=ALICE)).json()["data"]) == 1
