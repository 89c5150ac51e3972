"""How a real `mathagent bench` ends: killed at any instant, interrupted, hanging. Nothing is lost, nothing repeated."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import preforked
import pytest
from fake_endpoint import Behaviour, FakeEndpoint

ITEMS, ATTEMPTS, DELAY_S, KILLS = 24, 2, 0.06, 20
TOLD_APART = ("problem_id", "attempt", "answer", "outcome", "failure", "item_hash", "subject", "config", "usage")


def question(body: dict[str, Any]) -> int:
    found = re.search(r"What is (\d+) \+", body["messages"][-1]["content"])
    assert found is not None
    return int(found.group(1))


def doubled(body: dict[str, Any], index: int) -> str:
    """Right for even seeds: the answers of two attempts differ where their seeds do."""
    number = question(body)
    return f"So it is \\boxed{{{2 * number + body['seed'] % 2}}}."


@pytest.fixture
async def endpoint() -> Any:
    server = await FakeEndpoint(Behaviour(text=doubled, delay_s=DELAY_S)).start()
    yield server
    await server.stop()


def problems(folder: Path) -> Path:
    path = folder / "doubles.jsonl"
    items = [
        {"id": f"p{n}", "question": f"What is {n} + {n}?", "answer": str(2 * n), "subject": "sums"}
        for n in range(ITEMS)
    ]
    path.write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    return path


async def start(endpoint: FakeEndpoint, folder: Path, home: str, *more: str, new: bool = False) -> Any:
    """A process; ``new``: one that has imported nothing, and hashes words in an order of its own."""
    options = f"-s cot --attempts {ATTEMPTS} --temperature 0.7 --seed 11 --concurrency 3 --no-cache --shuffle"
    model = ("-m", "openai:fake", "--base-url", endpoint.url)
    return await preforked.create_subprocess_exec(
        *(sys.executable, "-m", "mathagent", "bench", str(problems(folder)), *options.split(), *model, *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "MATHAGENT_HOME": str(folder / home)},
        new=new,
    )


def stored(folder: Path, home: str) -> dict[str, dict[str, Any]]:
    path = folder / home / "runs.db"
    if not path.exists():
        return {}
    with sqlite3.connect(path, timeout=30) as connection:
        try:
            rows = connection.execute("SELECT key, record FROM records").fetchall()
        except sqlite3.OperationalError:  # killed before the tables were there
            return {}
    return {key: json.loads(record) for key, record in rows}


def told(records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What of the records must be the same in any run (seconds and the solve's id differ)."""
    return {key: {name: record[name] for name in TOLD_APART} for key, record in records.items()}


@pytest.mark.timeout(1800)
async def test_killed_at_20_random_instants_it_has_the_records_of_an_undisturbed_run(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    whole = await start(endpoint, tmp_path, "undisturbed", "--name", "mine", new=True)
    _, err = await whole.communicate()
    assert whole.returncode == 0, err
    undisturbed = stored(tmp_path, "undisturbed")
    assert len(undisturbed) == ITEMS * ATTEMPTS
    assert {record["outcome"] for record in undisturbed.values()} == {"correct", "incorrect"}

    rng = random.Random(20261129)
    endpoint.bodies.clear()
    asked: Counter[tuple[int, int]] = Counter()
    lost = 0
    for kill in range(KILLS):
        before = stored(tmp_path, "killed")
        process = await start(endpoint, tmp_path, "killed", "--name", "mine")
        if kill % 5 == 4:  # while it starts
            await asyncio.sleep(rng.uniform(0, 1.0))
        else:
            await until(asked_or_ended(endpoint, process, rng.randint(1, 6)))
            await asyncio.sleep(rng.uniform(0, DELAY_S))
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()
        after = stored(tmp_path, "killed")
        assert before.items() <= after.items()  # what was recorded stays as it was
        lost += assert_none_repeated(endpoint, before, asked)
    last = await start(endpoint, tmp_path, "killed", "--name", "mine", "--json", new=True)
    before = stored(tmp_path, "killed")
    out, err = await last.communicate()
    assert last.returncode == 0, err
    assert_none_repeated(endpoint, before, asked)
    assert json.loads(out)[0]["attempts"] == ITEMS * ATTEMPTS
    assert told(stored(tmp_path, "killed")) == told(undisturbed)
    assert lost > 0, "no kill met a request in flight"
    # What was asked twice was in flight at a kill: 3 at a time at most.
    assert sum(asked.values()) - ITEMS * ATTEMPTS <= 3 * KILLS
    assert len(asked) == ITEMS * ATTEMPTS


def assert_none_repeated(
    endpoint: FakeEndpoint, recorded: dict[str, dict[str, Any]], asked: Counter[tuple[int, int]]
) -> int:
    """Nothing that was recorded has been asked again; returns how many requests there were, which it forgets."""
    done = {(int(one["problem_id"][1:]), one["attempt"]) for one in recorded.values()}
    first_seed = 11
    now = [(question(body), int(body["seed"] != first_seed)) for body in endpoint.bodies]
    assert not done & set(now)
    asked.update(now)
    count = len(endpoint.bodies)
    endpoint.bodies.clear()
    return count


def asked_or_ended(endpoint: FakeEndpoint, process: Any, requests: int) -> Callable[[], bool]:
    return lambda: len(endpoint.bodies) >= requests or process.returncode is not None


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.002)


async def test_ctrl_c_finishes_what_is_in_flight_and_says_how_to_go_on(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    endpoint.will(delay_s=0.5)
    process = await start(endpoint, tmp_path, "home", "--name", "mine")
    await until(lambda: len(endpoint.bodies) >= 4)
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert process.returncode == 130, err
    assert b"finishing what is in flight" in err
    assert b"go on with: mathagent bench --resume mine" in out
    assert b"Traceback" not in err
    assert len(stored(tmp_path, "home")) == len(endpoint.bodies)  # all that was begun is there
    endpoint.will(delay_s=0)
    resumed = await preforked.create_subprocess_exec(
        *(sys.executable, "-m", "mathagent", "bench", "--resume", "mine", "--json"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "MATHAGENT_HOME": str(tmp_path / "home")},
    )
    out, _ = await resumed.communicate()
    assert (resumed.returncode, json.loads(out)[0]["attempts"]) == (0, ITEMS * ATTEMPTS)
    assert len(endpoint.bodies) == ITEMS * ATTEMPTS


@pytest.mark.parametrize(
    ("signals", "more"),
    [
        ((signal.SIGINT, signal.SIGINT), ()),
        ((signal.SIGTERM, signal.SIGTERM), ()),
        ((signal.SIGINT,), ("--on-interrupt", "leave")),
    ],
    ids=["Ctrl-C twice", "SIGTERM twice", "Ctrl-C with --on-interrupt leave"],
)
async def test_what_hangs_is_left_for_later_at_once(
    endpoint: FakeEndpoint, tmp_path: Path, signals: tuple[signal.Signals, ...], more: tuple[str, ...]
) -> None:
    endpoint.will(delay_s=None)
    endpoint.script = [Behaviour(text=doubled)]
    process = await start(endpoint, tmp_path, "home", *more)
    await until(lambda: len(endpoint.bodies) >= 4)
    await until(lambda: stored(tmp_path, "home"))
    for one in signals:
        process.send_signal(one)
        await asyncio.sleep(1)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130, err
    assert f"{ITEMS * ATTEMPTS - 1} of {ITEMS * ATTEMPTS} left".encode() in out
    assert b"Traceback" not in err
    assert len(stored(tmp_path, "home")) == 1


async def test_an_attempt_that_hangs_is_given_up_and_the_run_ends(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    endpoint.script = [Behaviour(delay_s=None)]
    process = await start(endpoint, tmp_path, "home", "--item-seconds", "20", "--limit", "4", "--json")
    out, err = await process.communicate()
    assert process.returncode == 3, err
    (summary,) = json.loads(out)
    assert (summary["attempts"], summary["errors"], summary["failures"].get("timeout")) == (8, 1, 1)
    assert b"did not end within 20 seconds" in err
