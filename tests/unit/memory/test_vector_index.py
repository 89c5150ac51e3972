from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mathagent.errors import UsageError
from mathagent.memory.vector_index import VectorIndex, to_bytes

DIMENSIONS = 32
Batches = Iterator[tuple[np.ndarray, np.ndarray]]


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


VECTORS = unit_vectors(2000)
"""Row ``n`` has the rowid 3 n + 1."""
LAST = 3 * 1999 + 1


def batches(first: int = 0, end: int = 2000, size: int = 300) -> Batches:
    for start in range(first, end, size):
        rows = np.arange(start, min(start + size, end))
        yield 3 * rows + 1, VECTORS[rows]


def opened(path: Path, **other: object) -> VectorIndex:
    return VectorIndex(path, **{"embedder": "words-1", "dimensions": DIMENSIONS, **other})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("index") / "i"
    assert opened(path).build(batches())
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store" / "[x] memory.vectors"


def assert_absent(index: VectorIndex) -> None:
    assert (index.covered, len(index)) == (0, 0)
    rowids, similarities = index.search(VECTORS[0], 5)
    assert (rowids.dtype, similarities.dtype) == (np.int64, np.float32)
    assert len(rowids) == len(similarities) == 0


def recall(index: VectorIndex, vectors: np.ndarray = VECTORS) -> float:
    queries = unit_vectors(50, seed=1)
    exact = [set((3 * np.argsort(-(vectors @ query))[:10] + 1).tolist()) for query in queries]
    found = [set(index.search(query, 10)[0].tolist()) for query in queries]
    return float(np.mean([len(a & b) / 10 for a, b in zip(exact, found, strict=True)]))


def test_what_was_built_is_found(path: Path) -> None:
    index = opened(path)
    assert_absent(index)
    assert index.build(batches())
    assert (index.covered, len(index)) == (LAST, 2000)
    rowids, similarities = index.search(VECTORS[7], 4)
    assert rowids[0] == 22
    assert similarities[0] == pytest.approx(1, abs=0.001)
    assert list(similarities) == sorted(similarities, reverse=True)
    exact = VECTORS[(rowids - 1) // 3] @ VECTORS[7]
    assert np.allclose(similarities, exact, atol=0.02)
    assert recall(index) > 0.95


def test_the_file_is_all_there_is_to_it(path: Path, whole: bytes) -> None:
    path.write_bytes(whole)
    assert recall(opened(path)) > 0.95
    assert {file.name for file in path.parent.iterdir()} == {path.name}


def test_limits_beyond_what_there_is(path: Path) -> None:
    index = opened(path)
    index.build(batches(end=3))
    assert sorted(index.search(VECTORS[0], 50)[0].tolist()) == [1, 4, 7]
    assert len(index.search(VECTORS[0], 0)[0]) == 0


def test_extending_adds_what_is_new_and_skips_what_is_known(path: Path) -> None:
    index, other = opened(path), opened(path)
    assert index.extend(batches(end=1000))  # where there is none, it makes one
    assert other.covered == 3 * 999 + 1
    assert index.extend(batches(first=900))
    assert (other.covered, len(other)) == (LAST, 2000)
    assert recall(other) > 0.95
    assert index.extend(batches(first=2000))
    assert other.covered == LAST


def test_an_index_that_lost_rows_meanwhile_is_not_extended(path: Path) -> None:
    index = opened(path)
    index.build(batches())
    assert index.covered == LAST
    opened(path).build(batches(end=10))
    rows = np.array([LAST + 1]), VECTORS[:1]
    assert not index.extend(iter([rows]))
    assert opened(path).covered == 28


def test_building_anew_forgets_the_old(path: Path) -> None:
    index = opened(path)
    index.build(batches())
    assert index.build(batches(end=100))
    assert (index.covered, len(index)) == (298, 100)
    assert index.build(iter([]))
    assert_absent(index)
    assert not path.exists()


def test_a_search_sees_the_file_that_covered_saw(path: Path) -> None:
    index = opened(path)
    index.build(batches(end=100))
    assert index.covered == 298
    opened(path).build(batches())
    assert index.search(VECTORS[1500], 100)[0].max() <= 298
    assert index.covered == LAST
    assert index.search(VECTORS[1500], 1)[0][0] == 4501


def test_a_vector_of_zeros_comes_before_nothing(path: Path) -> None:
    index = opened(path)
    index.build(iter([(np.array([1, 2]), np.stack([np.zeros(DIMENSIONS, np.float32), VECTORS[0]]))]))
    rowids, similarities = index.search(VECTORS[0], 2)
    assert rowids[0] == 2
    assert np.isfinite(similarities).all()


@pytest.mark.parametrize("other", [{"embedder": "words-2"}, {"dimensions": 64}])
def test_the_index_of_another_embedder_counts_as_absent(path: Path, other: dict[str, object]) -> None:
    opened(path).build(batches())
    assert_absent(opened(path, **other))
    foreign = opened(path, embedder="words-2")
    assert foreign.extend(batches(end=5))
    assert foreign.covered == 13
    assert_absent(opened(path))


@pytest.mark.parametrize("kept", [0, 1, 15, 16, 100, 5000, -1, -16, -200])
def test_a_file_that_is_cut_off_counts_as_absent(path: Path, whole: bytes, kept: int) -> None:
    path.write_bytes(whole[:kept])
    index = opened(path)
    assert_absent(index)
    assert index.build(batches(end=10))
    assert index.covered == 28


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9, 0.9999])
def test_a_file_that_was_changed_counts_as_absent(path: Path, whole: bytes, place: float) -> None:
    damaged = bytearray(whole)
    start = int(place * (len(whole) - 1))
    damaged[start : start + 40] = bytes(byte ^ 0xFF for byte in damaged[start : start + 40])
    path.write_bytes(damaged)
    assert_absent(opened(path))


@pytest.mark.parametrize("content", [b"SQLite format 3\0" * 400, b"\0" * 100_000], ids=["sqlite", "zeros"])
def test_a_foreign_file_counts_as_absent(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert_absent(opened(path))


def test_a_folder_in_its_place_counts_as_absent(path: Path) -> None:
    path.mkdir()
    assert_absent(opened(path))
    with pytest.raises(OSError, match="memory"):
        opened(path).build(batches(end=5))
    assert not list(path.parent.glob("*.new"))


def test_a_damaged_file_is_seen_by_those_who_had_the_good_one(path: Path, whole: bytes) -> None:
    index = opened(path)
    index.build(batches())
    assert index.covered == LAST
    replacement = path.with_name("other")
    replacement.write_bytes(whole[:5000])
    replacement.replace(path)
    assert index.covered == 0
    path.unlink()
    assert_absent(index)
    path.write_bytes(whole)
    assert index.covered == LAST


def test_while_another_writes_nothing_is_changed(path: Path) -> None:
    index, seen = opened(path), []

    def slow() -> Batches:
        for batch in batches():
            seen.append(opened(path).build(batches(end=5)))
            yield batch

    assert index.build(slow())
    assert seen
    assert not any(seen)
    assert len(index) == 2000


def test_a_batch_of_another_shape_is_refused_and_the_old_index_stays(path: Path) -> None:
    index = opened(path)
    index.build(batches(end=10))
    with pytest.raises(UsageError, match="shape"):
        index.extend(iter([(np.array([100]), np.zeros((1, 7), np.float32))]))
    assert index.covered == 28
    assert index.extend(batches())  # the lock is free again


def test_a_killed_writer_leaves_the_old_index_and_no_litter(path: Path) -> None:
    opened(path).build(batches(end=10))
    program = (
        "import os, sys; from pathlib import Path; import numpy as np\n"
        "from mathagent.memory import index_file as f, vector_index as v\n"
        "f.checksum = lambda *a: os.kill(os.getpid(), 9)\n"
        "i = v.VectorIndex(Path(sys.argv[1]), embedder='words-1', dimensions=32)\n"
        "i.build([(np.arange(1, 9), np.eye(8, 32, dtype=np.float32))])"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert list(path.parent.glob("*.new"))
    index = opened(path)
    assert index.covered == 28
    assert index.extend(batches())
    assert not list(path.parent.glob("*.new"))


def mapped(path: Path) -> int:
    return Path("/proc/self/maps").read_text().count(str(path))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the maps of a process can be read on Linux only")
def test_no_map_is_left_behind(path: Path) -> None:
    index, writer = opened(path), opened(path)
    for end in range(10, 60, 5):
        writer.build(batches(end=end))
        assert len(index) == end
        index.search(VECTORS[0], 3)
    gc.collect()
    assert mapped(path) == 1
    index.close()
    gc.collect()
    assert mapped(path) == 0
    assert len(index) == 55


def test_threads_search_while_the_file_is_replaced(path: Path) -> None:
    index, writer = opened(path), opened(path)
    writer.build(batches(end=500))
    done, failures = threading.Event(), []

    def search() -> None:
        while not done.is_set():
            covered = index.covered
            rowids, _ = index.search(VECTORS[3], 5)
            if covered == 0 or 10 not in rowids:
                failures.append((covered, rowids))

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for end in (600, 700, 800, 900):
        assert writer.build(batches(end=end))
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_eight_bits_keep_the_direction() -> None:
    small = to_bytes(VECTORS * np.float32(1e-3))
    assert small.dtype == np.int8
    assert np.array_equal(small, to_bytes(VECTORS))
    assert np.abs(small).max(axis=1).min() == 127
    back = small / np.linalg.norm(small, axis=1, keepdims=True)
    assert np.sum(back * VECTORS, axis=1).min() > 0.999
    assert not to_bytes(np.zeros((1, 4), np.float32)).any()


def test_a_copy_with_another_time_is_checked_and_used(path: Path) -> None:
    opened(path).build(batches())
    os.utime(path, (1, 1))
    assert opened(path).covered == LAST
