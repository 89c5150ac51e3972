"""Several processes write and read one store and are killed at random; for five minutes: benchmarks/memory_soak.py."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "benchmarks" / "memory_soak.py"


def test_processes_that_are_killed_lose_and_damage_nothing() -> None:
    # A small tail, so that the vector index is extended, and its writer killed, many times.
    options = ["--seconds", "6", "--processes", "4", "--kill-every-s", "0.25", "--least-tail", "60", "--seed", "1"]
    ran = subprocess.run([sys.executable, SOAK, *options], capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "nothing lost, nothing damaged" in ran.stdout
    done = re.search(r"(\d+) killed: (\d+) batches .* (\d+) searches", ran.stdout)
    assert done is not None
    assert all(int(count) > 1 for count in done.groups())
