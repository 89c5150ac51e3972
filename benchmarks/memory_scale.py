"""The experience store at 10³, 10⁵ and 10⁶ experiences, beside LanceDB and Chroma, on the same texts and vectors.

usage: python benchmarks/memory_scale.py [--sizes 1000,100000,1000000] [--queries N] [--data FOLDER] [--models FOLDER]
                                         [--peers FOLDER] [--without-peers] [--seed N] [--json FILE]

Peers are never dependencies of ours: they live in a folder below --peers (default ~/.cache/mathagent-peers):

  PEERS=~/.cache/mathagent-peers
  python -m venv $PEERS/memory && $PEERS/memory/bin/pip install lancedb chromadb numpy

Texts are the problems of --data (default ../shared/data) and variations of them (memory_texts.py), the queries more of
the same that are not stored. Ours does what it does in use: text in, BM25 and vectors, fused, ten experiences out; the
peers are given the query's vector and find the nearest ten with their texts. Each store is filled in one process and
searched in a fresh one, one after the other. Recall@10 counts the exact ten nearest, by the stored vectors; ours is
given as the index has it, and "within 40" for the number that a search takes from it before its ranks are fused.
10⁶ need about 6 GB of disk below $TMPDIR, and an hour. Prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from memory_peers import NEIGHBOURS, PEERS, percentiles, resident_mb
from memory_texts import problems

from mathagent.config import settings
from mathagent.memory.base import Query
from mathagent.memory.candidates import Sieve, lexical_ranking
from mathagent.memory.experience import Exemplar, Experience, Provenance
from mathagent.memory.hybrid_search import LEAST_DEPTH, WordCounts
from mathagent.memory.index_upkeep import index_path
from mathagent.memory.lexical import match_query
from mathagent.memory.schema import open_reader
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.memory.static_embedder import default_embedder
from mathagent.memory.store_writes import count_experiences

ADD_BATCH = 500
HERE = Path(__file__).parent
Figures = dict[str, Any]


def opened(folder: Path, models: Path) -> SqliteStore:
    return SqliteStore(folder / "memory.db", default_embedder(models), max_experiences=None)


def experiences(data: Path, seed: int, size: int) -> Iterator[Experience]:
    for number, text in enumerate(itertools.islice(problems(data, seed), size)):
        content = Exemplar(problem=text, program=f"print({number})", answer=str(number))
        yield Experience(content=content, provenance=Provenance(dataset="scale", item=str(number)), trust="graded")


def fill(folder: Path, data: Path, models: Path, seed: int, size: int) -> Figures:
    """Fills a store and builds its index anew; the seconds are those of ``add`` alone."""
    rows = experiences(data, seed, size)

    async def add_all(store: SqliteStore) -> float:
        seconds = 0.0
        while batch := list(itertools.islice(rows, ADD_BATCH)):
            start = time.perf_counter()
            await store.add(batch)
            seconds += time.perf_counter() - start
        await store.aclose()
        return seconds

    store = opened(folder, models)
    seconds = asyncio.run(add_all(store))
    start = time.perf_counter()
    store.upkeep.bring_up_to_date(rebuild=True)
    rebuild_s = time.perf_counter() - start
    database, index = folder / "memory.db", index_path(folder / "memory.db")
    return {
        "rows_per_s": size / seconds,
        "index_s": rebuild_s,
        "disk_mb": (database.stat().st_size + index.stat().st_size) / 1e6,
        "index_mb": index.stat().st_size / 1e6,
        "version": store.embedder.name,
    }


def lay_out(folder: Path, data: Path, models: Path, seed: int, size: int, queries: int) -> None:
    """Writes what peers need, from the store itself: its vectors, their texts, queries, and the exact ten nearest."""
    store = opened(folder, models)
    connection = open_reader(store.path)
    assert connection is not None
    asked = list(itertools.islice(problems(data, seed), size, size + queries))
    vectors_of_queries = store.embedder.embed(asked)
    best = np.full((queries, NEIGHBOURS), -2.0, np.float32)
    nearest = np.zeros((queries, NEIGHBOURS), np.int64)
    numbers, parts = [], []
    for some, vectors in store.vectors.batches(connection):
        numbers.append(some)
        parts.append(vectors.astype(np.float32))
        both = np.concatenate([best, vectors_of_queries @ parts[-1].T], axis=1)
        names = np.concatenate([nearest, np.broadcast_to(some, (queries, len(some)))], axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :NEIGHBOURS]
        best, nearest = np.take_along_axis(both, order, axis=1), np.take_along_axis(names, order, axis=1)
    texts = dict(
        connection.execute(
            "SELECT vectors.number, key_text FROM vectors JOIN experiences ON experiences.number = experience"
        )
    )
    connection.close()
    names_of_all = np.concatenate(numbers)
    np.save(folder / "numbers.npy", names_of_all)
    np.save(folder / "vectors.npy", np.concatenate(parts))
    (folder / "texts.json").write_text(json.dumps([texts[number] for number in names_of_all.tolist()]))
    np.save(folder / "queries.npy", vectors_of_queries)
    np.save(folder / "exact.npy", nearest)
    (folder / "asked.json").write_text(json.dumps(asked))


def search(folder: Path, models: Path) -> Figures:
    """Whole searches, then each part of one by itself, in a process that has not seen the store before."""
    asked = json.loads((folder / "asked.json").read_text())
    exact = np.load(folder / "exact.npy")
    start = time.perf_counter()
    store = opened(folder, models)

    async def whole() -> tuple[float, list[float]]:
        await store.search(Query(text=asked[0], limit=NEIGHBOURS))
        first, seconds = time.perf_counter() - start, []
        for text in asked:
            begun = time.perf_counter()
            await store.search(Query(text=text, limit=NEIGHBOURS))
            seconds.append(time.perf_counter() - begun)
        return first, seconds

    first, seconds = asyncio.run(whole())
    memory = resident_mb()
    connection = open_reader(store.path)
    assert connection is not None
    index, words, count = store.index(connection), WordCounts(), count_experiences(connection)
    vectors = store.embedder.embed(asked)

    def by_words(text: str) -> None:
        expression = match_query(text, lambda some: words.look_up(connection, count, some), count)
        lexical_ranking(connection, expression, Sieve(connection, Query(text=text)), LEAST_DEPTH)

    parts = {
        "embed": timed(lambda place: store.embedder.embed([asked[place]]), len(asked)),
        "index": timed(lambda place: index.search(vectors[place], LEAST_DEPTH), len(asked)),
        "words": timed(lambda place: by_words(asked[place]), len(asked)),
    }
    found = [index.search(vector, LEAST_DEPTH)[0].tolist() for vector in vectors]
    right = [set(row.tolist()) for row in exact]
    connection.close()
    asyncio.run(store.aclose())
    return {
        **percentiles(seconds),
        "first_ms": 1000 * first,
        "resident_mb": memory,
        "parts": parts,
        "recall": np.mean([len(set(f[:NEIGHBOURS]) & r) for f, r in zip(found, right, strict=True)]) / NEIGHBOURS,
        "recall_40": np.mean([len(set(f) & r) for f, r in zip(found, right, strict=True)]) / NEIGHBOURS,
    }


def timed(one: Callable[[int], object], count: int) -> dict[str, float]:
    seconds = []
    for place in range(count):
        start = time.perf_counter()
        one(place)
        seconds.append(time.perf_counter() - start)
    return percentiles(seconds)


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls ``function`` in a fresh process, so that memory and caches are its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def peer_figures(name: str, folder: Path, peers: Path) -> Figures:
    python = peers / "memory" / "bin" / "python"
    if not python.exists():
        return {"failed": f"not installed in {python.parents[1]} (see this file's docstring)"}
    figures: Figures = {}
    for step in ("fill", "search"):
        command = [str(python), str(HERE / "memory_peers.py"), name, str(folder), step]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return {"failed": " ".join((done.stderr.strip().splitlines() or ["no reason given"])[-1].split())}
        figures |= json.loads(done.stdout.splitlines()[-1])
    return figures


def report(size: int, figures: dict[str, Figures]) -> str:
    """One table of Markdown."""
    lines = [
        f"### {size:,} experiences",
        "| store | rows/s in | index s | disk MB | p50 ms | p95 ms | first ms | recall@10 | resident MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in figures.items():
        if "failed" in row:
            lines.append(f"| {name} | {row['failed']} |||||||| ")
            continue
        lines.append(
            f"| {name} ({row['version']}) | {row['rows_per_s']:,.0f} | {row['index_s']:.1f} | {row['disk_mb']:,.0f} |"
            f" {row['p50_ms']:.2f} | {row['p95_ms']:.2f} | {row['first_ms']:.0f} | {row['recall']:.3f} |"
            f" {row['resident_mb']:,.0f} |"
        )
    ours = figures["mathagent"]
    parts = ", ".join(
        f"{name} {part['p50_ms']:.2f} ({part['p95_ms']:.2f})" for name, part in ours["parts"].items()
    )
    lines += [
        "",
        f"Parts of a search, p50 (p95) in ms: {parts}. Index file {ours['index_mb']:,.1f} MB; of the ten nearest,"
        f" {ours['recall_40']:.3f} are within the 40 that a search takes from it.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--models", type=Path, default=settings().models_dir)
    parser.add_argument("--peers", type=Path, default=Path.home() / ".cache" / "mathagent-peers")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    everything: Figures = {"machine": platform.platform(), "processors": os.cpu_count(), "load": os.getloadavg()}
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="memory-scale-") as name:
            folder = Path(name)
            common = (options.data, options.models, options.seed, size)
            ours = in_a_process(fill, folder, *common)
            in_a_process(lay_out, folder, *common, options.queries)
            figures = {"mathagent": ours | in_a_process(search, folder, options.models)}
            for peer in () if options.without_peers else PEERS:
                figures[peer] = peer_figures(peer, folder, options.peers)
        everything[str(size)] = figures
        sys.stdout.write(report(size, figures) + "\n")
        sys.stdout.flush()
        if options.json:
            options.json.write_text(json.dumps(everything, indent=2, default=float) + "\n")


if __name__ == "__main__":
    main()
