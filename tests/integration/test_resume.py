"""kill -9 in the middle of a solve, and what a second process makes of it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import preforked
import pytest
from fake_endpoint import Behaviour, FakeEndpoint

from mathagent.agents.checkpoints import Checkpoints
from mathagent.config import settings
from mathagent.errors import StorageError, UnknownName, UsageError
from mathagent.events import CandidateProposed, Event, SolveStarted
from mathagent.memory.experience import Exemplar, Experience
from mathagent.memory.opening import open_store
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.models.base import ConnectOptions
from mathagent.models.openai_compat import connect
from mathagent.solver import Solver
from mathagent.types import Solution, Usage

APP = Path(__file__).parents[1] / "solve_app.py"
QUESTION = "What is 6 times 7?"
SEED = 100


@dataclass(frozen=True)
class Scenario:
    """A strategy with settings, and what the model says (``reply`` by default)."""

    strategy: str
    config: dict[str, Any]
    text: Callable[[dict[str, Any], int], str] | None = None


def stubborn_reply(body: dict[str, Any], index: int) -> str:
    """Wrong in many ways, until a check fails and the refiner is told."""
    prompt = " ".join(str(message["content"]) for message in body["messages"])
    if "Which checks" in prompt:
        check = {"kind": "substitution", "equations": ["x = 6*7"], "asked": "x"}
        return json.dumps({"reasoning": "as stated", "checks": [check]})
    if "What is wrong" in prompt:
        return "```python\ndef solution():\n    return 6 * 7\n```"
    if "solution()" in prompt:
        return f"```python\ndef solution():\n    return 6 * 7 + {body['seed'] - SEED}\n```"
    return f"It is \\boxed{{{body['seed'] - SEED - 7}}}."


def modules_reply(body: dict[str, Any], index: int) -> str:
    """A fact, then a program that prints, then the solution."""
    prompt = " ".join(str(message["content"]) for message in body["messages"])
    if "short Python programs" in prompt:
        return "```python\nprint(6 * 7)\n```"
    return "Seven sixes are \\boxed{42}." if "boxed" in prompt else "Times means repeated addition."


SCENARIOS: dict[str, Scenario] = {
    "cot": Scenario("cot", {"n": 3, "always_extract": True}),
    "pal": Scenario("pal", {"n": 3}),
    "self-consistency": Scenario("self-consistency", {"n": 6, "window": 3, "stop": "none"}),
    "auto, the views agree": Scenario("auto", {}),
    "auto, to the repair": Scenario("auto", {"n": 6}, stubborn_reply),
    "smart-meta, two strategies": Scenario(
        "smart-meta",
        {"strategies": ["cot", "pal"], "accept": "correct", "ask_verifier": False, "epsilon": 0.0},
    ),
    "mathsensei": Scenario("mathsensei", {"modules": "kr_pg_sg"}, modules_reply),
}


def reply(body: dict[str, Any], index: int) -> str:
    """A program, a chain of thought, or the extracted answer; every third sample is wrong."""
    prompt = " ".join(message["content"] for message in body["messages"])
    value = 41 if body["seed"] % 3 == 0 else 42
    if "final answer is" in prompt:
        return str(value)
    if "solution()" in prompt:
        return f"```python\ndef solution():\n    return {value}\n```"
    return f"Sample {body['seed']}: six sevens are \\boxed{{{value}}}."


@asynccontextmanager
async def endpoint(scenario: str = "", **behaviour: Any) -> AsyncIterator[FakeEndpoint]:
    """One that answers one sample a request, so that each sample is seen by itself."""
    text = (SCENARIOS[scenario].text if scenario else None) or reply
    server = FakeEndpoint(Behaviour(text=text, n="ignore", **behaviour))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def options(
    server: FakeEndpoint, scenario: str, *, cache: bool = True, memory_mode: str = "off", **more: Any
) -> dict[str, Any]:
    strategy, config = SCENARIOS[scenario].strategy, SCENARIOS[scenario].config
    return {
        "solver": {"model": "openai:m", "base_url": server.url, "cache": cache, "memory_mode": memory_mode},
        "solve": {"problem": QUESTION, "strategy": strategy, "config": config, "seed": SEED},
        **more,
    }


class App:
    """A process that solves."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.kinds: list[str] = []
        self.solve_id = ""
        self.solution: Solution | None = None

    @classmethod
    async def start(cls, given: dict[str, Any]) -> App:
        return cls(
            await preforked.create_subprocess_exec(
                sys.executable, str(APP), json.dumps(given), stdout=asyncio.subprocess.PIPE
            )
        )

    async def until(self, word: str) -> None:
        """Reads on until a line begins with ``word``."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while line := (await self.process.stdout.readline()).decode().strip():
                if line.startswith("id "):
                    self.solve_id = line[3:]
                elif line.startswith("solution "):
                    self.solution = Solution.model_validate_json(line[9:])
                else:
                    self.kinds.append(line)
                if line.startswith(word):
                    return
        raise AssertionError(f"the process ended before {word!r}: {self.kinds}")

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


async def resume(server: FakeEndpoint, solve_id: str, *, cache: bool = True) -> tuple[Solution, list[Event]]:
    events: list[Event] = []
    async with Solver("openai:m", base_url=server.url, cache=cache) as solver:
        return await solver.solve(resume=solve_id, on_event=events.append), events


def asked(server: FakeEndpoint) -> Counter[tuple[str, int]]:
    """How often each (prompt, sample) was asked for."""
    return Counter((json.dumps(body["messages"]), body["seed"]) for body in server.bodies)


async def seen(server: FakeEndpoint, count: int) -> None:
    """Returns once ``server`` has seen ``count`` requests."""
    while len(server.bodies) < count:  # noqa: ASYNC110 - it has no event for it
        await asyncio.sleep(0.02)


def essence(solution: Solution) -> dict[str, Any]:
    """All of a solution but when, how long and under which id."""
    plain = solution.model_dump(mode="json", exclude={"seconds", "solve_id"})
    return json.loads(json.dumps(plain), object_hook=_without_measurements)


def _without_measurements(value: dict[str, Any]) -> dict[str, Any]:
    left_out = ("wall_s", "cpu_s", "peak_memory_mb", "seconds", "backend")  # whose address has a port of each test
    return {key: one for key, one in value.items() if key not in left_out}


async def undisturbed(
    scenario: str, monkeypatch: pytest.MonkeyPatch, folder: Path, **how: Any
) -> tuple[App, Counter[Any]]:
    with monkeypatch.context() as patch:
        patch.setenv("MATHAGENT_HOME", str(folder / "undisturbed"))
        async with endpoint(scenario) as server:
            app = await App.start(options(server, scenario, **({"cache": False} | how)))
            await app.until("solution")
            await app.process.wait()
            return app, asked(server)


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "pal"])  # its nodes are auto's, too
async def test_kill_9_in_each_node(scenario: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the cache: all that is not asked again was kept by the solve itself."""
    whole, expected = await undisturbed(scenario, monkeypatch, tmp_path)
    assert whole.solution is not None
    assert whole.solution.answer == "42"
    assert set(expected.values()) == {1}
    kinds = whole.kinds
    # The first event of each kind, and the last but one of all: they lie in all nodes of these graphs.
    points = sorted({kinds.index(kind) for kind in kinds[:-1]} | {len(kinds) - 2})
    async with endpoint(scenario) as server, Solver("openai:m", base_url=server.url, cache=False) as solver:
        for point in points:
            place = f"killed at event {point} ({kinds[point]})"
            server.bodies.clear()
            app = await App.start(options(server, scenario, cache=False, stall_at=point))
            await app.until("stalled")
            await app.kill()
            under_way = len(server.bodies) - app.kinds.count("model-replied")
            events: list[Event] = []
            solution = await solver.solve(resume=app.solve_id, on_event=events.append)
            assert essence(solution) == essence(whole.solution), place
            again = asked(server) - expected
            assert asked(server) - again == expected, place
            assert again.total() <= under_way, f"{place}: asked twice: {again}"
            assert isinstance(events[0], SolveStarted)
            assert events[0].resumed
            told = {event.sample for event in events if isinstance(event, CandidateProposed)}
            assert told == set(range(len(solution.candidates))), place
    assert Checkpoints(settings().solves_dir).resumable() == []


SIMILAR = Experience(
    content=Exemplar(
        problem="How much are 3 times 8 apples?",
        program="def solution():\n    return 3 * 8",
        reasoning="Three eights are 24.",
        answer="24",
    ),
    trust="graded",
)


def files_of_memory(home: Path) -> list[Path]:
    return list(home.glob("memory.db*"))


async def filled_memory(home: Path) -> SqliteStore:
    """The memory of who lives in ``home``: it knows SIMILAR, and nothing else."""
    for path in files_of_memory(home):
        path.unlink()
    store = open_store(home / "memory.db")
    assert isinstance(store, SqliteStore)
    await store.add([SIMILAR])
    return store


async def remembered(store: SqliteStore) -> list[dict[str, Any]]:
    """All that it holds, but when and by which solve."""
    found = [json.loads(one.model_dump_json(exclude={"provenance"})) async for one in store.scan()]
    await store.aclose()
    return [json.loads(json.dumps(one), object_hook=_without_measurements) for one in found]


async def test_kill_9_of_a_solve_with_a_memory_that_learns(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_home: Path
) -> None:
    """What was recalled stays what it was, and what it teaches is stored once, with one use of what was shown."""
    scenario, learns = "auto, to the repair", {"cache": False, "memory_mode": "learn"}
    store = await filled_memory(tmp_path / "undisturbed")
    whole, _ = await undisturbed(scenario, monkeypatch, tmp_path, **learns)
    assert whole.solution is not None
    assert whole.solution.recalled == (SIMILAR.id,)
    expected = await remembered(store)
    kinds = Counter(one["content"]["kind"] for one in expected)
    assert (kinds["exemplar"], kinds["statistics"]) == (2, 1)
    assert [one["uses"] for one in expected if one["content"]["kind"] == "exemplar"] == [1, 0]
    points = [whole.kinds.index(kind) for kind in ("recalled", "judged", "remembered")]
    async with endpoint(scenario) as server:
        for point in points:
            place = f"killed at event {point} ({whole.kinds[point]})"
            store = await filled_memory(own_home)
            app = await App.start(options(server, scenario, stall_at=point, **learns))
            await app.until("stalled")
            await app.kill()
            async with Solver("openai:m", base_url=server.url, cache=False, memory_mode="learn") as solver:
                solution = await solver.solve(resume=app.solve_id)
            assert essence(solution) == essence(whole.solution), place
            assert await remembered(store) == expected, place
    assert Checkpoints(settings().solves_dir).resumable() == []


async def test_a_node_killed_half_way_has_paid_for_what_arrived_only_once() -> None:
    async with endpoint() as server:
        server.script = [server.behaviour, server.behaviour, Behaviour(delay_s=None)]
        app = await App.start(options(server, "pal"))
        async with asyncio.timeout(60):
            await seen(server, 3)
            await asyncio.sleep(0.2)
        await app.kill()
        (stored,) = Checkpoints(settings().solves_dir).resumable()
        solution, _ = await resume(server, stored.spec.solve_id)
        assert solution.answer == "42"
        assert sorted(asked(server).values()) == [1, 1, 2]  # the third was under way
        assert solution.usage.calls == 3
        assert solution.usage.cached_calls == 0


async def test_the_clock_and_the_budget_go_on() -> None:
    async with endpoint() as server:
        server.script = [server.behaviour] * 3 + [Behaviour(delay_s=None)]
        given = options(server, "self-consistency")
        async with Solver(**given["solver"]) as solver:
            assert solver.checkpoints is not None
        app = await App.start(given)
        async with asyncio.timeout(60):
            await seen(server, 4)
            await asyncio.sleep(1.5)
        await app.kill()
        (stored,) = Checkpoints(settings().solves_dir).resumable()
        assert stored.calls == 3
        assert stored.candidates == 3
        assert stored.spec.problem.text == QUESTION
        solution, _ = await resume(server, app.solve_id or stored.spec.solve_id)
        assert solution.seconds >= stored.seconds > 0
        assert solution.usage.calls == 6


async def test_one_process_at_a_time() -> None:
    async with endpoint(delay_s=None) as server:
        app = await App.start(options(server, "cot"))
        await app.until("solve-started")
        await app.until("id")
        checkpoints = Checkpoints(settings().solves_dir)
        assert checkpoints.resumable() == []  # it is alive
        with pytest.raises(StorageError, match="another process"):
            await resume(server, app.solve_id)
        with pytest.raises(StorageError, match="another process"):
            checkpoints.stored(app.solve_id)
        await checkpoints.tidy(max_age_days=0, max_files=0)
        await app.kill()
        server.will(delay_s=0.0)
        async with Solver("openai:m", base_url=server.url) as solver:
            results = await asyncio.gather(
                solver.solve(resume=app.solve_id), solver.solve(resume=app.solve_id), return_exceptions=True
            )
        # Where the first has ended by then, the second finds none.
        (lost,) = (result for result in results if isinstance(result, BaseException))
        assert isinstance(lost, StorageError | UnknownName)
        assert sum(isinstance(result, Solution) for result in results) == 1
        assert list(settings().solves_dir.iterdir()) == []


async def test_another_model_or_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with endpoint() as server:
        app = await App.start(options(server, "cot", stall_at=2))
        await app.until("stalled")
        await app.kill()
        async with Solver(connect("other", ConnectOptions(base_url=server.url))) as solver:
            with pytest.raises(UsageError, match="begun with openai:m"):
                await solver.solve(resume=app.solve_id)
        with monkeypatch.context() as patch:
            patch.setattr("mathagent.solver.method_version", lambda strategy: "newer")
            with pytest.raises(UsageError, match="other code"):
                await resume(server, app.solve_id)
        with pytest.raises(UsageError, match="no unfinished solve is named 'abc'"):
            await resume(server, "abc")
        solution, _ = await resume(server, app.solve_id)
        assert solution.answer == "42"
        assert solution.usage != Usage()


async def command(*arguments: str) -> tuple[int, str, str]:
    """``mathagent solve`` in a process of its own: exit code, stdout, stderr."""
    process = await preforked.create_subprocess_exec(
        *(sys.executable, "-m", "mathagent", "solve", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_command_line_after_kill_9() -> None:
    async with endpoint() as server:
        server.script = [server.behaviour] * 3 + [Behaviour(delay_s=None)]
        given = ("-m", "openai:m", "--base-url", server.url, "--seed", str(SEED), "--no-cache")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mathagent", "solve", QUESTION, "-s", "self-consistency", *given),
            *("--set", "over=cot", "--set", "n=6", "--set", "window=3", "--set", "stop=none", "-q"),
            stdin=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(60):
            await seen(server, 4)
            await asyncio.sleep(0.3)
        process.kill()
        await process.wait()
        code, out, _ = await command("--resume")
        solve_id = out.split()[0]
        assert code == 0
        assert QUESTION in out
        assert "self-consistency" in out
        assert "3 candidates" in out
        code, out, err = await command("--resume", "--json")
        assert (code, json.loads(out)[0]["spec"]["solve_id"]) == (0, solve_id), err
        code, out, err = await command("--resume", solve_id, "--strategy", "cot", "--seed", "3")
        assert (code, out) == (2, "")
        assert "leave out --strategy, --seed" in err
        code, out, err = await command("--resume", "nothing")
        assert (code, out) == (2, "")
        assert "no unfinished solve is named 'nothing'" in err
        code, out, err = await command("--resume", solve_id, "--json")
        solution = Solution.model_validate_json(out)
        assert (code, solution.answer, solution.solve_id) == (0, "42", solve_id), err
        assert (solution.usage.calls, solution.usage.cached_calls) == (6, 0)
        assert sorted(asked(server).values()) == [1, 1, 1, 1, 1, 2]
        code, out, _ = await command("--resume")
        assert (code, out) == (0, "no solve is unfinished\n")


async def test_approval_needs_a_terminal() -> None:
    code, out, err = await command("6*7?", "--approve", "-m", "openai:m", "--base-url", "http://127.0.0.1:9/v1")
    assert (code, out) == (2, "")
    assert "--approve asks at a terminal" in err
