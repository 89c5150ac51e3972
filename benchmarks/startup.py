"""How long a first look takes: `--help` of mathagent and of its peers, round robin in one run.

usage: python benchmarks/startup.py [--rounds N] [LABEL=COMMAND ...]
example: python benchmarks/startup.py inspect="/path/to/inspect --help" lm-eval="/path/to/lm-eval --help"
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import sys
import time


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("peers", nargs="*", metavar="LABEL=COMMAND")
    arguments = parser.parse_args()
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import mathagent": [sys.executable, "-c", "import mathagent"],
        "mathagent --help": [sys.executable, "-m", "mathagent", "--help"],
        **{label: shlex.split(command) for label, command in (peer.split("=", 1) for peer in arguments.peers)},
    }
    for command in commands.values():
        seconds(command)  # bytecode and disk cache
    times: dict[str, list[float]] = {label: [] for label in commands}
    for _ in range(arguments.rounds):
        for label, command in commands.items():
            times[label].append(seconds(command))
    ours = statistics.median(times["mathagent --help"])
    print("| command | median s | min s | × mathagent --help |\n|---|---|---|---|")
    for label, values in times.items():
        median = statistics.median(values)
        print(f"| {label} | {median:.3f} | {min(values):.3f} | {median / ours:.1f} |")


if __name__ == "__main__":
    main()
