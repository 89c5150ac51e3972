"""What a process and those below it hold: for benchmarks/sandbox_soak.py."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass

from sandbox_cpu import tree


@dataclass
class Left:
    """What we and the processes below us hold."""

    files: int
    files_below: int
    processes: int
    zombies: int
    memory_mb: float
    memory_below_mb: float

    @classmethod
    def now(cls) -> Left:
        gc.collect()
        ours, *below = tree(os.getpid())
        living = [process for process in below if process.state != "Z"]
        return cls(
            files=ours.open_files,
            files_below=sum(process.open_files for process in living),
            processes=len(living),
            zombies=len(below) - len(living),
            memory_mb=ours.memory_mb,
            memory_below_mb=sum(process.memory_mb for process in living),
        )

    def more_than(self, before: Left, growth_mb: float) -> list[str]:
        """In what ways this is more than ``before``."""
        counts = [
            (f"{name}: {getattr(before, name)} before, {getattr(self, name)} after", before_count < after_count)
            for name in ("files", "files_below", "processes", "zombies")
            for before_count, after_count in [(getattr(before, name), getattr(self, name))]
        ]
        sizes = [
            (f"{name}: {getattr(before, name):.1f} before, {getattr(self, name):.1f} after", grown > growth_mb)
            for name in ("memory_mb", "memory_below_mb")
            for grown in [getattr(self, name) - getattr(before, name)]
        ]
        return [text for text, is_more in counts + sizes if is_more]

    def __str__(self) -> str:
        return (
            f"files {self.files} + {self.files_below} below, processes {self.processes}, zombies {self.zombies}, "
            f"RSS {self.memory_mb:.1f} + {self.memory_below_mb:.1f} MB below"
        )
