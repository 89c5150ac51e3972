"""Many processes write, read, forget and use one experience store, and are killed (-9) at random: is anything lost?

usage: python benchmarks/memory_soak.py [--seconds 300] [--processes 8] [--kill-every-s 1.0] [--least-tail 4096]
                                        [--seed N]

Each process adds batches of experiences and notes, after each commit, what it added; it looks at once for what it
wrote, counts uses, and forgets some. Checked at the end: every experience noted as added is there unless its deletion
was begun; every one noted as deleted is gone; of each batch, noted or not, all is there or nothing; uses are those
that were noted, plus at most the ones under way at a kill; SQLite's integrity check and the store's doctor are content,
before any repair; and after it the vector index is whole, too. Prints a summary; exit code 1 where something failed.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import itertools
import multiprocessing
import random
import secrets
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathagent.errors import MathagentError
from mathagent.memory import index_upkeep
from mathagent.memory.base import Query
from mathagent.memory.experience import Exemplar, Experience, Provenance
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.memory.store_doctor import examine, repair

BATCH = 3
FORGET_SHARE = 0.1
NOUNS = ("apples", "pears", "trains", "boxes", "tickets", "marbles", "coins", "books", "pages", "hours")
USED = "used by all"
START_S = 60.0
PRELOADED = [
    "mathagent.memory.store_doctor",
    "mathagent.memory.hashed_embedder",
    "mathagent.memory.vector_index",
    "numpy",
    "usearch.index",
]
"""What a process needs to begin: without it, it is killed while it imports."""


@dataclass(frozen=True)
class Soak:
    store: Path
    logs: Path
    least_tail: int

    @property
    def stop(self) -> Path:
        return self.logs / "stop"

    def log(self, number: int) -> Path:
        return self.logs / f"{number}.log"

    def await_work(self, number: int) -> None:
        """Returns when that process has begun its first batch. Raises TimeoutError."""
        end = time.monotonic() + START_S
        while not (self.log(number).exists() and self.log(number).stat().st_size):
            if time.monotonic() > end:
                raise TimeoutError(f"process {number} does not begin")
            time.sleep(0.005)


def batch_of(run: str, chance: random.Random) -> list[Experience]:
    made = []
    for item in range(BATCH):
        a, b = chance.randrange(10**6), chance.randrange(10**6)
        noun = chance.choice(NOUNS)
        problem = (
            f"In the shop of {run}{'xyz'[item]} there are {a} {noun}, and {b} more are brought. How many now?"
        )
        content = Exemplar(problem=problem, answer=str(a + b), program=f"{a} + {b}")
        made.append(Experience(content=content, provenance=Provenance(run=run, item=str(item)), trust="verified"))
    return made


async def work(soak: Soak, log: Any, chance: random.Random) -> None:
    store = SqliteStore(soak.store, HashedEmbedder(), max_experiences=None)
    used = (used_experience().id,)

    def note(*words: str) -> None:
        log.write((" ".join(words) + "\n").encode())  # unbuffered: what is written survives our death

    mine: list[str] = []
    while not soak.stop.exists():
        run = "".join(
            secrets.choice("abcdefghijklmnopqrst") for _ in range(12)
        )  # a word: numbers are not looked for
        note("using")
        batch = batch_of(run, chance)
        added = await store.add(batch, used=used, success=True)
        note("added", *added.ids)
        note("used")
        mine += added.ids
        if [one.id for one in await store.get(added.ids)] != list(added.ids):
            note("violation", f"{run}: what was added cannot be read")
        last = batch[-1]
        hits = await store.search(Query(text=last.key_text, limit=3))
        note("searched")
        if not (hits and hits[0].experience.id == last.id and (hits[0].similarity or 0) > 0.99):
            note("violation", f"{run}: what was added is not found")
        if chance.random() < FORGET_SHARE:
            victim = mine.pop(chance.randrange(len(mine)))
            note("forgetting", victim)
            await store.forget([victim])
            note("forgot", victim)
    await store.aclose()


def used_experience() -> Experience:
    return Experience(content=Exemplar(problem=USED, answer="1"), trust="person")


def worker(soak: Soak, number: int, seed: int) -> None:
    index_upkeep.LEAST_TAIL = soak.least_tail
    with soak.log(number).open("ab", buffering=0) as log:
        try:
            asyncio.run(work(soak, log, random.Random(seed)))
        except MathagentError as error:
            log.write(f"violation {type(error).__name__}: {error}\n".encode())


def soak_for(soak: Soak, seconds: float, processes: int, kill_every_s: float, chance: random.Random) -> int:
    """Runs the processes, killing and replacing one of them again and again; returns the number of kills.

    Raises RuntimeError where one ended by itself.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    numbers = itertools.count()

    def start() -> tuple[int, Any]:
        number = next(numbers)
        process = context.Process(target=worker, args=(soak, number, chance.randrange(2**32)))
        process.start()
        return number, process

    running = [start() for _ in range(processes)]
    try:
        for number, _ in running:
            soak.await_work(number)
        end = time.monotonic() + seconds
        kills = 0
        while time.monotonic() < end:
            time.sleep(chance.uniform(0, 2 * kill_every_s))
            place = chance.randrange(processes)
            number, process = running[place]
            soak.await_work(number)  # on a busy machine all would die before they do anything
            process.kill()
            process.join()
            if process.exitcode != -signal.SIGKILL:
                raise RuntimeError(f"a process ended by itself, with exit code {process.exitcode}")
            kills += 1
            running[place] = start()
        soak.stop.touch()
        for _, process in running:
            process.join()
    finally:
        for _, process in running:
            process.kill()
            process.join()
    if codes := [process.exitcode for _, process in running if process.exitcode]:
        raise RuntimeError(f"processes failed, with exit codes {codes}")
    return kills


async def verify(soak: Soak) -> tuple[collections.Counter[str], list[str]]:
    """What was done, and what of it does not hold."""
    done: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    added, leaving, gone = set(), set(), set()
    for path in sorted(soak.logs.glob("*.log")):
        for line in path.read_text().splitlines():
            word, *rest = line.split(" ")
            done[word] += 1
            match word:
                case "added":
                    added.update(rest)
                case "forgetting":
                    leaving.update(rest)
                case "forgot":
                    gone.update(rest)
                case "violation":
                    wrong.append(" ".join(rest))
    store = SqliteStore(soak.store, HashedEmbedder(), max_experiences=None)
    findings = await examine(store)
    wrong += [f"{one.part}: {one.detail}" for one in findings if one.state != "ok" and one.part != "vector index"]
    found: dict[str, Experience] = {one.id: one async for one in store.scan()}
    done["experiences"] = len(found)
    wrong += [f"lost: {identity}" for identity in added - leaving - set(found)]
    wrong += [f"came back: {identity}" for identity in gone & set(found)]
    batches = collections.Counter(one.provenance.run for one in found.values() if one.provenance.run)
    whole = {run for run, count in batches.items() if count == BATCH}
    touched = {one.provenance.run for one in found.values() if one.id in added}
    wrong += [f"half a batch that nobody noted: {run}" for run in set(batches) - whole - touched]
    uses = found[used_experience().id].uses
    if not done["used"] <= uses <= done["using"]:
        wrong.append(f"{uses} uses, of {done['used']} noted and {done['using']} begun")
    wrong += [f"after repair, {one.part}: {one.detail}" for one in await repair(store) if one.state != "ok"]
    statistics = await store.statistics()
    done["indexed"] = statistics.indexed
    if statistics.indexed != statistics.experiences:
        wrong.append(f"after repair the index holds {statistics.indexed} of {statistics.experiences}")
    await store.aclose()
    return done, wrong


async def prepare(soak: Soak) -> None:
    store = SqliteStore(soak.store, HashedEmbedder())
    await store.add([used_experience()])
    await store.aclose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--kill-every-s", type=float, default=1.0)
    parser.add_argument("--least-tail", type=int, default=index_upkeep.LEAST_TAIL)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(store=Path(folder, "memory.db"), logs=Path(folder), least_tail=options.least_tail)
        asyncio.run(prepare(soak))
        chance = random.Random(options.seed)
        kills = soak_for(soak, options.seconds, options.processes, options.kill_every_s, chance)
        started = time.monotonic()
        done, wrong = asyncio.run(verify(soak))
        print(
            f"{options.processes} processes, {options.seconds:g} s, {kills} killed: {done['added']} batches of {BATCH}"
            f" committed, {done['searched']} searches, {done['forgot']} deletions, {done['used']} uses;"
            f" {done['experiences']} experiences, {done['indexed']} indexed;"
            f" checked in {time.monotonic() - started:.1f} s"
        )
    if not (kills and done["added"] and done["searched"]):
        wrong.append("too little was done to show anything")
    for line in wrong[:20]:
        print(f"WRONG {line}")
    print("nothing lost, nothing damaged" if not wrong else f"{len(wrong)} things wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
