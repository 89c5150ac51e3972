"""From the samples of benchmarks/sandbox.py to its Markdown: pure, no clock and no process."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from sandbox_modes import MODES
from sandbox_peers import BOTH, CLIENTS, STATE_MB

BASE = "python-c"
TARGETS = {  # of issue 3, all on the SymPy solve: (what, wanted, at least or at most, unit)
    "cpu": ("one-shot, CPU a run: less than `python -c` by", 20.0, ">=", "×"),
    "ready": ("ready pool, p50: faster than `python -c` by", 25.0, ">=", "×"),
    "session": ("session cell, p50: faster than a Jupyter kernel by", 2.0, ">=", "×"),
    "snapshot": (f"snapshot of {STATE_MB} MB of state, p50", 5.0, "<=", " ms"),
    "throughput": (f"one-shot, {CLIENTS} clients: more runs/s than `python -c` by", 20.0, ">=", "×"),
}
Run = tuple[float, float, float]
"""Wall, CPU and the client's CPU seconds."""


@dataclass
class Measured:
    """All samples: mode → program → runs, or blocks of throughput (runs, seconds)."""

    runs: dict[str, dict[str, list[Run]]] = field(default_factory=dict)
    blocks: dict[str, dict[str, list[tuple[int, float]]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    load_before: tuple[float, float, float] = (0.0, 0.0, 0.0)
    load_after: tuple[float, float, float] = (0.0, 0.0, 0.0)
    others_cores: float = 0.0

    def figures(self, mode: str, kind: str) -> dict[str, float] | None:
        """Milliseconds: p50, p95 and min of wall, mean CPU and the client's share. None where not measured."""
        runs = self.runs.get(mode, {}).get(kind, [])
        if len(runs) < 2 or mode in self.failed:
            return None
        wall, cpu, client = ([1000 * value for value in column] for column in zip(*runs, strict=True))
        return {
            "p50": statistics.median(wall),
            "p95": statistics.quantiles(wall, n=20, method="inclusive")[18],
            "min": min(wall),
            "cpu": statistics.fmean(cpu),
            "client_cpu": statistics.fmean(client),
        }

    def ratio(self, field_name: str, mode: str, base: str, kind: str) -> float | None:
        """How many times smaller the figure of ``mode`` is than that of ``base``."""
        ours, theirs = self.figures(mode, kind), self.figures(base, kind)
        return theirs[field_name] / ours[field_name] if ours and theirs and ours[field_name] > 0 else None

    def rate(self, mode: str, kind: str) -> float | None:
        """Runs a second over all blocks."""
        blocks = self.blocks.get(mode, {}).get(kind, [])
        if not blocks or mode in self.failed:
            return None
        return sum(runs for runs, _ in blocks) / sum(seconds for _, seconds in blocks)


def reached(found: Measured) -> dict[str, float | None]:
    """What was measured for each of TARGETS; None where a mode that it needs was not."""
    big = found.figures("big-snapshot", "snapshot")
    ours, theirs = found.rate("one-shot", "solve"), found.rate(BASE, "solve")
    return {
        "cpu": found.ratio("cpu", "one-shot", BASE, "solve"),
        "ready": found.ratio("p50", "ready", BASE, "solve"),
        "session": found.ratio("p50", "session", "jupyter", "solve"),
        "snapshot": big["p50"] if big else None,
        "throughput": ours / theirs if ours and theirs else None,
    }


def summary(found: Measured) -> dict[str, object]:
    """All figures of the report, for --json."""
    kinds = {name: MODES[name].kinds for name in found.runs}
    return {
        "ms": {name: {kind: found.figures(name, kind) for kind in kinds[name]} for name in found.runs},
        "runs_a_second": {name: {kind: found.rate(name, kind) for kind in BOTH} for name in found.blocks},
        "targets": {key: {"measured": value, "wanted": TARGETS[key][1]} for key, value in reached(found).items()},
    }


def report(found: Measured, names: list[str]) -> str:
    """The Markdown for docs/benchmarks.md."""
    loads = [f"{' '.join(f'{value:.2f}' for value in load)}" for load in (found.load_before, found.load_after)]
    lines = [
        "; ".join(f"{key} {value}" for key, value in found.machine.items()) + ".",
        f"Load (1, 5, 15 min) before {loads[0]}, after {loads[1]}; "
        f"other work took {found.others_cores:.2f} cores meanwhile.",
        "",
        *_times(found, names),
        "",
        *_big_snapshot(found),
        *_throughput(found),
        *_targets(found),
        "",
        *_versions(found),
    ]
    return "\n".join(lines)


def _times(found: Measured, names: list[str]) -> list[str]:
    columns = "p50 / p95 / min ms | × | CPU ms (client) | ×"
    lines = [
        f"| mode | {' | '.join(f'{kind}: {columns}' for kind in BOTH)} |",
        "|---" * 9 + "|",
    ]
    for name in names:
        if MODES[name].kinds != BOTH:
            if name in found.failed:
                lines.append(f"| {MODES[name].label} | {_cell(found.failed[name])} |" + " |" * 7)
            continue
        cells = [cell for kind in BOTH for cell in _four(found, name, kind)]
        if name in found.failed:
            cells = [_cell(found.failed[name]), *[""] * 7]
        lines.append(f"| {MODES[name].label} | {' | '.join(cells)} |")
    note = (
        "× is p50 and CPU of `python -c` over that of the mode. CPU: all processes of the mode; in brackets that"
    )
    return [*lines, "", note + " of the process that calls it, which is part of it."]


def _four(found: Measured, name: str, kind: str) -> list[str]:
    figures = found.figures(name, kind)
    if figures is None:
        return ["not measured", "", "", ""]
    return [
        f"{figures['p50']:.2f} / {figures['p95']:.2f} / {figures['min']:.2f}",
        _times_text(found.ratio("p50", name, BASE, kind)),
        f"{figures['cpu']:.2f} ({figures['client_cpu']:.2f})",
        _times_text(found.ratio("cpu", name, BASE, kind)),
    ]


def _big_snapshot(found: Measured) -> list[str]:
    figures = found.figures("big-snapshot", "snapshot")
    if figures is None:
        return []
    return [
        f"Snapshot of {STATE_MB} MB of state: p50 {figures['p50']:.2f}, p95 {figures['p95']:.2f}, "
        f"min {figures['min']:.2f} ms; CPU {figures['cpu']:.2f} ms with a cell that reads it and its end.",
        "",
    ]


def _throughput(found: Measured) -> list[str]:
    if not found.blocks:
        return []
    lines = [f"| runs/s, {CLIENTS} clients | trivial | × | solve | × |", "|---|---|---|---|---|"]
    for name in found.blocks:
        cells = []
        for kind in BOTH:
            rate, base = found.rate(name, kind), found.rate(BASE, kind)
            cells += [
                f"{rate:.1f}" if rate else "not measured",
                _times_text(rate / base if rate and base else None),
            ]
        lines.append(f"| {MODES[name].label} | {' | '.join(cells)} |")
    return [*lines, ""]


def _targets(found: Measured) -> list[str]:
    lines = ["| target (SymPy solve) | wanted | measured | |", "|---|---|---|---|"]
    for key, value in reached(found).items():
        what, wanted, sign, unit = TARGETS[key]
        sign_text = "≥" if sign == ">=" else "≤"
        if value is None:
            measured, verdict = "–", "not measured"
        else:
            met = value >= wanted if sign == ">=" else value <= wanted
            measured, verdict = f"{value:.2f}{unit}", "met" if met else "**missed**"
        lines.append(f"| {what} | {sign_text} {wanted:g}{unit} | {measured} | {verdict} |")
    return lines


def _versions(found: Measured) -> list[str]:
    return [
        "Versions: "
        + "; ".join(
            f"{name}: " + ", ".join(f"{key} {value}" for key, value in versions.items())
            for name, versions in found.versions.items()
        )
        + "."
    ]


def _times_text(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}×"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
