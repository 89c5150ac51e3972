"""What the server's store keeps: the latest solves of each key, and whatever runs."""

from __future__ import annotations

from pathlib import Path

from mathagent.server.store import SolutionStore, Status, StoredSolve
from mathagent.types import Solution


def stored(name: str, at: float, status: Status = "finished") -> StoredSolve:
    return StoredSolve(id=name, created=at, updated=at, status=status, strategy="pal", model="m", problem="6*7?")


async def test_one_keys_solves_do_not_push_out_anothers(tmp_path: Path) -> None:
    store = SolutionStore(tmp_path / "server.db", kept=2, kept_days=1e6)
    await store.begin(stored("quiet", 1), "quiet")
    for at in range(2, 7):
        await store.begin(stored(f"busy-{at}", at), "busy")
    assert await store.solve("quiet", "quiet") is not None
    kept = [at for at in range(2, 7) if await store.solve(f"busy-{at}", "busy") is not None]
    assert kept == [5, 6]


async def test_what_runs_is_kept_until_it_has_its_solution(tmp_path: Path) -> None:
    store = SolutionStore(tmp_path / "server.db", kept=1, kept_days=1e6)
    await store.begin(stored("long", 1, "running"), "one")
    await store.begin(stored("later", 2), "one")
    await store.begin(stored("latest", 3), "one")
    done = {
        "problem": {"text": "6*7?"},
        "answer": "42",
        "confidence": None,
        "confidence_basis": "none",
        "usage": {},
        "stopped": "finished",
        "strategy": "pal",
        "model": "m",
    }
    await store.end("long", "finished", solution=Solution.model_validate(done))
    found = await store.solve("long", "one")
    assert found is not None
    assert found[1] is not None
    assert found[1].answer == "42"
    assert await store.solve("later", "one") is None
