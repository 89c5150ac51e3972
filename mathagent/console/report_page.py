"""A report as one page of HTML: the numbers, the plots, and every item with its whole trace.

The page needs nothing but itself: no network, formulas as MathML, plots as SVG, one script of ours. What models,
programs and people wrote is untrusted (see html_templates): even if a text were to break out of its escapes, the page's
policy would run no script of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mathagent.console.html_templates import asset, csp_hash, template
from mathagent.console.plot_axes import swatch
from mathagent.console.report_items import compressed_json, draw_traces, item_index, report_items
from mathagent.console.report_plots import (
    coverage_plot,
    frontier_plot,
    off_axis,
    reliability_plot,
    risk_coverage_plot,
)
from mathagent.console.report_words import dollars, p_value, percent, points, seconds, without_seconds
from mathagent.evals.metrics import ArmRecords
from mathagent.evals.metrics.arms import copies_words
from mathagent.evals.report import COST_NAMES, Report

STYLES = ("trace.css", "report.css")
SCRIPT = "report.js"
MOST_FLIPS = 20  # named for each direction of each pair; the list of items shows them all


def report_page(
    report: Report,
    groups: Sequence[ArmRecords],
    *,
    processes: int = 1,
    on_drawn: Callable[[int], None] = lambda items: None,
) -> str:
    """The page, complete: UTF-8 text to be written to a file.

    ``groups`` are the arms that ``report`` was made of, in its order. The traces are drawn by ``processes`` side by
    side; ``on_drawn`` hears each time of how many items more.
    """
    items = report_items(groups)
    chunks, places = draw_traces(items, processes=processes, on_chunk=on_drawn)
    index = {
        "arms": [{"name": arm.name, "label": arm.label} for arm in report.arms],
        "chunks": len(chunks),
        "items": item_index(items, places),
    }
    style, script = asset(*STYLES), asset(SCRIPT)
    return template("report.html").render(
        report=report,
        items=len(items),
        links={(item.dataset, item.key): item.link for item in items},
        style=style,
        style_hash=csp_hash(style),
        script=script,
        script_hash=csp_hash(script),
        index=compressed_json(index),
        chunks=chunks,
        swatch=swatch,
        copies_words=copies_words,
        most_flips=MOST_FLIPS,
        cost_names=COST_NAMES,
        frontier_plot=frontier_plot,
        off_axis=off_axis,
        reliability_plot=reliability_plot,
        risk_coverage_plot=risk_coverage_plot,
        coverage_plot=coverage_plot,
        percent=percent,
        points=points,
        dollars=dollars,
        seconds=seconds,
        without_seconds=without_seconds,
        p_value=p_value,
        choices={
            "subject": sorted({item.subject for item in items} - {""}),
            "level": sorted({item.level for item in items} - {""}),
            "language": sorted({item.language for item in items} - {""}),
            "failure": sorted({row.failure for dataset in report.datasets for row in dataset.failures}),
        },
    )
