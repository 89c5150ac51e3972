"""Other vector stores on the files of benchmarks/memory_scale.py. Run by the Python of the peers, which need not have
mathagent: python memory_peers.py NAME FOLDER prints one line of JSON.

FOLDER holds numbers.npy, vectors.npy (float32, of length 1), texts.json, queries.npy, exact.npy (the numbers of the ten
nearest of each query). Each peer keeps vector and text of every row, on the disk, with the index that its manual gives
for this many rows, and its own defaults otherwise.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 5000
NEIGHBOURS = 10


class LanceDB:
    """LanceDB: a table in columns, IVF partitions with an HNSW graph and 8-bit vectors in each."""

    package = "lancedb"

    def fill(self, folder: Path, numbers: np.ndarray, vectors: np.ndarray, texts: list[str]) -> None:
        import lancedb
        import pyarrow as pa

        self.folder = folder
        width = vectors.shape[1]
        schema = pa.schema(
            [("number", pa.int64()), ("text", pa.utf8()), ("vector", pa.list_(pa.float32(), width))]
        )
        self.table: Any = lancedb.connect(str(folder)).create_table("problems", schema=schema)
        for start in range(0, len(numbers), BATCH):
            part = slice(start, start + BATCH)
            flat = pa.array(np.ascontiguousarray(vectors[part]).reshape(-1))
            columns = [
                pa.array(numbers[part]),
                pa.array(texts[part]),
                pa.FixedSizeListArray.from_arrays(flat, width),
            ]
            self.table.add(pa.Table.from_arrays(columns, schema=schema))

    def index(self) -> None:
        if self.table.count_rows() >= 256:  # below that there is nothing to train partitions on
            self.table.create_index(metric="cosine", vector_column_name="vector", index_type="IVF_HNSW_SQ")

    def open(self) -> None:
        import lancedb

        self.table = lancedb.connect(str(self.folder)).open_table("problems")

    def search(self, vector: np.ndarray) -> list[int]:
        rows = self.table.search(vector).metric("cosine").limit(NEIGHBOURS).select(["number", "text"]).to_arrow()
        numbers: list[int] = rows["number"].to_pylist()
        return numbers


class Chroma:
    """Chroma: SQLite for texts, an HNSW graph of float32 vectors that is kept as it grows."""

    package = "chromadb"

    def fill(self, folder: Path, numbers: np.ndarray, vectors: np.ndarray, texts: list[str]) -> None:
        self.folder = folder
        self.collection: Any = self._client().create_collection("problems", metadata={"hnsw:space": "cosine"})
        for start in range(0, len(numbers), BATCH):
            part = slice(start, start + BATCH)
            ids = [str(number) for number in numbers[part]]
            self.collection.add(ids=ids, embeddings=vectors[part], documents=texts[part])

    def _client(self) -> Any:
        import chromadb
        from chromadb.config import Settings

        return chromadb.PersistentClient(str(self.folder), Settings(anonymized_telemetry=False))

    def index(self) -> None:
        """It is made while rows come in."""

    def open(self) -> None:
        self.collection = self._client().get_collection("problems")

    def search(self, vector: np.ndarray) -> list[int]:
        found = self.collection.query(query_embeddings=[vector], n_results=NEIGHBOURS, include=["documents"])
        return [int(number) for number in found["ids"][0]]


PEERS: dict[str, type[LanceDB] | type[Chroma]] = {"lancedb": LanceDB, "chroma": Chroma}


def resident_mb() -> float:
    """Memory of this process in MB, mapped files included."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return {"p50_ms": 1000 * statistics.median(seconds), "p95_ms": 1000 * cuts[18]}


def measured(name: str, folder: Path, step: str) -> dict[str, float | str]:
    """``fill``: rows a second, seconds of indexing, size. ``search``, for a new process: times, recall, memory."""
    peer = PEERS[name]()
    store = folder / name
    if step == "fill":
        numbers, vectors = np.load(folder / "numbers.npy"), np.load(folder / "vectors.npy", mmap_mode="r")
        texts = json.loads((folder / "texts.json").read_text())
        start = time.perf_counter()
        peer.fill(store, numbers, vectors, texts)
        filled = time.perf_counter()
        peer.index()
        return {
            "rows_per_s": len(numbers) / (filled - start),
            "index_s": time.perf_counter() - filled,
            "disk_mb": bytes_below(store) / 1e6,
            "version": version(peer.package),
        }
    peer.folder = store
    queries, exact = np.load(folder / "queries.npy"), np.load(folder / "exact.npy")
    start = time.perf_counter()
    peer.open()
    peer.search(queries[0])
    first = time.perf_counter() - start
    seconds, hits = [], 0
    for query, right in zip(queries, exact, strict=True):
        start = time.perf_counter()
        found = peer.search(query)
        seconds.append(time.perf_counter() - start)
        hits += len(set(found) & set(right.tolist()))
    return {
        **percentiles(seconds),
        "first_ms": 1000 * first,
        "recall": hits / exact.size,
        "resident_mb": resident_mb(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(sys.argv[1], Path(sys.argv[2]), sys.argv[3])) + "\n")
