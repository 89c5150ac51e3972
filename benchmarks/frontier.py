"""What each strategy gets for its tokens, from the records of runs: a table, and a picture for docs/benchmarks.md.

usage: python benchmarks/frontier.py RUN… --svg FILE

RUN is a run's id or name, or a file that `mathagent bench --output` or `mathagent runs export` wrote. Prints Markdown:
accuracy with its Wilson interval, tokens, calls and seconds a problem, for each data set and strategy. The picture has
a panel for each data set: accuracy against tokens read and written, logarithmic, and the front that no other strategy
beats.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mathagent.console.report_plots import frontier_plot
from mathagent.errors import MathagentError
from mathagent.evals.metrics.arms import arms_of_runs
from mathagent.evals.report import ArmReport, DatasetReport, make_report
from mathagent.evals.runs import load_runs

WIDTH, HEIGHT, TITLE = 440, 320, 26  # a panel, and the room of its name
STYLE = """
:root { --ink: #1b1f23; --soft: #57606a; --line: #d0d7de; --card: #ffffff; }
.c0 { --arm: #17599c; } .c1 { --arm: #b3500b; } .c2 { --arm: #1a7a4c; } .c3 { --arm: #8a2c8a; }
.c4 { --arm: #a3232f; } .c5 { --arm: #6b5d00; } .c6 { --arm: #0b7285; } .c7 { --arm: #5b656d; }
text { font: 12px sans-serif; fill: var(--soft); }
text.name { fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
text.title { fill: var(--ink); font-size: 14px; font-weight: bold; }
.grid { stroke: var(--line); } .axis { fill: none; stroke: var(--soft); stroke-width: 1.2; }
.line.front { fill: none; stroke: var(--soft); stroke-width: 1.6; stroke-dasharray: 6 4; }
.whisker { fill: none; stroke: var(--arm); stroke-width: 1.4; opacity: .65; }
.mark { fill: var(--arm); stroke: var(--card); }
"""


def row(arm: ArmReport) -> str:
    """A line of the table."""
    one = arm.summary
    right = "– | – | –"
    if one.accuracy is not None:
        right = f"{one.correct} | {one.accuracy:.1%} | {one.low:.1%}–{one.high:.1%}"
    seconds = "–" if one.seconds is None else f"{one.seconds:.1f}"
    return (
        f"| `{arm.name}` | {one.attempts} | {right} | {one.completion_tokens:,.0f} | {one.calls:.1f} | {seconds} |"
    )


def table(dataset: DatasetReport) -> str:
    """The strategies on one data set, as Markdown."""
    head = (
        "| strategy | n | right | accuracy | 95% | tokens | calls | seconds |\n|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([f"### {dataset.name}", "", head, *(row(arm) for arm in dataset.arms)])


def picture(datasets: list[DatasetReport]) -> str:
    """All panels, side by side."""
    panels = []
    for place, dataset in enumerate(datasets):
        plot = frontier_plot(dataset.arms, "tokens")
        if plot is None:
            continue
        inner = str(plot).replace('class="plot"', f'x="0" y="{TITLE}" width="{WIDTH}" height="{HEIGHT}"', 1)
        panels.append(
            f'<g transform="translate({place * WIDTH} 0)">'
            f'<text class="title" x="52" y="18">{dataset.name}</text>{inner}</g>'
        )
    width = WIDTH * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + TITLE}" width="{width}"'
        f' height="{HEIGHT + TITLE}"><style>{STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{''.join(panels)}</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()
    try:
        loaded = load_runs(options.runs)
    except MathagentError as error:
        sys.exit(str(error))
    report = make_report(arms_of_runs(loaded), title="", made="", version="")
    for dataset in report.datasets:
        print(table(dataset), end="\n\n")
    if options.svg is not None:
        options.svg.write_text(picture(list(report.datasets)), encoding="utf-8")


if __name__ == "__main__":
    main()
