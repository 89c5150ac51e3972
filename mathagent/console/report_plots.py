"""The plots of a report, each an SVG that also says in words what it shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from mathagent.console.plot_axes import SHARES, Axes, Scale, colour, cost_scale, share_scale
from mathagent.console.report_words import dollars
from mathagent.evals.report import COST_NAMES, ArmCalibration, ArmReport

MOST_LABELS = 12  # names beside their points; more would hide them, and the table has them


def frontier_plot(arms: Sequence[ArmReport], cost: str) -> Markup | None:
    """Accuracy against a cost (a name of COST_NAMES), the front as a line; None where nothing can be placed.

    An arm that costs nothing has no place on a logarithmic axis; ``off_axis`` says which those are.
    """
    placed = [
        (arm, value, arm.summary.accuracy)
        for arm in arms
        if (value := arm.cost[cost]) is not None and value > 0 and arm.summary.accuracy is not None
    ]
    if not placed:
        return None
    x = cost_scale([value for _, value, _ in placed], dollars if cost == "dollars" else _amount)
    y = share_scale([edge for arm, _, _ in placed for edge in (arm.summary.low, arm.summary.high)])
    axes = Axes(x, y, x_label=f"{COST_NAMES[cost]} (logarithmic)", y_label="accuracy")
    front = sorted((value, accuracy) for arm, value, accuracy in placed if cost in arm.on_front)
    if front:
        axes.line([*front, (x.high, front[-1][1])], "front", steps=True)
    for arm, value, _ in placed:
        axes.whisker(value, arm.summary.low, arm.summary.high, colour(arm.number))
    for arm, value, accuracy in placed:
        axes.mark(value, accuracy, arm.number, f"{arm.name}: {accuracy:.1%}, {x_words(cost, value)}")
    if len(placed) <= MOST_LABELS:
        for arm, value, accuracy in placed:
            axes.label(value, accuracy, arm.name)
    words = "; ".join(f"{arm.name} {accuracy:.1%} at {x_words(cost, value)}" for arm, value, accuracy in placed)
    return axes.svg(f"Accuracy against {COST_NAMES[cost]}", words)


def off_axis(arms: Sequence[ArmReport], cost: str) -> list[str]:
    """The arms with an accuracy that a logarithmic axis cannot hold, since they cost nothing."""
    return [arm.name for arm in arms if arm.cost[cost] == 0 and arm.summary.accuracy is not None]


def x_words(cost: str, value: float) -> str:
    """A cost a problem in words: "512 tokens", "0.31 s", "$0.002"."""
    if cost == "dollars":
        return dollars(value)
    return f"{value:,.0f} tokens" if cost == "tokens" else f"{value:.3g} s"


def reliability_plot(arm: ArmReport, table: ArmCalibration) -> Markup:
    """How often answers of each confidence are right: a bar for each tenth, against the diagonal."""
    axes = Axes(SHARES, SHARES, x_label="confidence", y_label="share right")
    for one in table.bins:
        tip = f"confidence {one.confidence:.0%}: {one.accuracy:.0%} of {one.answers} right"
        axes.bar(one.low, one.high, one.accuracy, f"bin {colour(arm.number)}", tip)
    axes.line([(0, 0), (1, 1)], "diagonal")
    for one in table.bins:
        tip = f"mean confidence {one.confidence:.1%}, {one.accuracy:.1%} right, {one.answers} answers"
        axes.mark(one.confidence, one.accuracy, arm.number, tip)
    words = "; ".join(f"{one.answers} at {one.confidence:.0%}: {one.accuracy:.0%} right" for one in table.bins)
    return axes.svg(f"Reliability of {arm.name}", words)


def risk_coverage_plot(arms: Sequence[ArmReport]) -> Markup | None:
    """The share wrong among the surest answers, against how many are given; None without confidences."""
    tables = [(arm, arm.calibration) for arm in arms if arm.calibration is not None]
    if not tables:
        return None
    top = max(point.risk for _, table in tables for point in table.curve)
    y = share_scale([0.0, max(top, 0.1)])
    axes = Axes(SHARES, y, x_label="share answered, surest first", y_label="share wrong")
    for arm, table in tables:
        axes.line([(point.coverage, point.risk) for point in table.curve], colour(arm.number))
        last = table.curve[-1]
        axes.mark(last.coverage, last.risk, arm.number, f"{arm.name}: all answered, {last.risk:.1%} wrong")
    words = "; ".join(f"{arm.name}: area {table.aurc:.3f}" for arm, table in tables)
    return axes.svg("Risk against coverage", words)


def coverage_plot(arms: Sequence[ArmReport]) -> Markup | None:
    """pass@k against k, solid, with the fitted law dotted, and maj@k dashed; None without several attempts."""
    curves = [(arm, arm.coverage) for arm in arms if arm.coverage is not None and len(arm.coverage.points) > 1]
    if not curves:
        return None
    most = max(curve.points[-1].k for _, curve in curves)
    last = max([most, *(point[0] for _, curve in curves for point in curve.fitted)])
    shown = [
        value for _, curve in curves for point in curve.points for value in (point.low, point.high, point.majority)
    ]
    shown += [share for _, curve in curves for _, share in curve.fitted]
    x = Scale(low=1, high=max(2.0, last), kind="log", ticks=tuple(_powers_of_two(last)))
    axes = Axes(x, share_scale(shown), x_label="attempts, k (logarithmic)", y_label="share of problems solved")
    for arm, curve in curves:
        css = colour(arm.number)
        axes.band([(one.k, one.low) for one in curve.points], [(one.k, one.high) for one in curve.points], css)
        if curve.fitted:
            axes.line(list(curve.fitted), f"fit {css}")
        axes.line([(one.k, one.oracle) for one in curve.points], css)
        axes.line([(one.k, one.majority) for one in curve.points], f"dashed {css}")
        for one in curve.points:
            axes.mark(one.k, one.oracle, arm.number, f"{arm.name}: pass@{one.k} {one.oracle:.1%}")
    words = "; ".join(f"{arm.name} pass@{c.points[-1].k} {c.points[-1].oracle:.1%}" for arm, c in curves)
    return axes.svg("Coverage against attempts", words)


def _powers_of_two(last: float) -> list[tuple[float, str]]:
    ticks, power = [], 1
    while power <= last:
        ticks.append((float(power), f"{power:,}"))
        power *= 2
    return ticks[:: -(-len(ticks) // 9)]


def _amount(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"
