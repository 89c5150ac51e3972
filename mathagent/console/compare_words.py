"""The sentences and numbers of a comparison: what it shows, what it does not, and how many items would. Pure."""

from __future__ import annotations

from mathagent.console.page import Page
from mathagent.evals.comparison import PairComparison

ALPHA = 0.05


def percent(share: float) -> str:
    """A share as "53.3%"."""
    return f"{100 * share:.1f}%"


def points(page: Page, difference: float, *, sign: bool = True) -> str:
    """A difference of shares in points: "+3.3"."""
    shown = f"{100 * difference:+.1f}" if sign else f"{100 * difference:.1f}"
    if shown in ("-0.0", "+0.0"):
        shown = "0.0"
    return shown.replace("-", "−") if page.unicode else shown


def bound(page: Page, low: str, high: str) -> str:
    """An interval."""
    return f"{low} … {high}" if page.unicode else f"{low} .. {high}"


def p_value(p: float) -> str:
    """A p value with two digits that matter, for a table."""
    return "<0.0001" if p < 0.0001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def p_words(name: str, p: float) -> str:
    """A p value in a sentence: "p = 0.03", "p < 0.0001"."""
    shown = p_value(p)
    return f"{name} < {shown[1:]}" if shown.startswith("<") else f"{name} = {shown}"


def verdict_sentence(page: Page, pair: PairComparison, comparisons: int) -> str:
    """What the test says."""
    one = pair.difference
    shown = f"{points(page, one.difference)} points"
    p = pair.p_holm if comparisons > 1 else one.p
    test = f"{one.test}, {p_words('p', one.p)}"
    if one.mcnemar is not None:
        test += f", {p_words('mid-p', one.mcnemar.mid_p)}"
    if comparisons > 1:
        test += f", {p_words('Holm p', pair.p_holm)}"
    bootstrap = (
        f"paired bootstrap {bound(page, points(page, one.bootstrap.low), points(page, one.bootstrap.high))}"
    )
    if one.difference == 0:
        said = f"no difference: {one.better} items better and {one.worse} worse"
    elif p < ALPHA:
        said = f"{pair.second} is {'better' if one.difference > 0 else 'worse'} by {shown}"
        if _wins_by_spending(pair):
            said += ", at more tokens"
    else:
        said = f"not told apart: {shown} may be chance"
    return f"{said} ({test}; {bootstrap})"


def power_sentence(page: Page, pair: PairComparison) -> str:
    """How many items would tell the two apart, and what these can tell."""
    one = pair.difference
    if one.detectable is None:
        return "one family of items says nothing of the spread between families"
    if one.better + one.worse == 0:
        return f"they agree on all {one.items} items, which cannot say how many would tell them apart"
    finds = f"{one.items} items find a difference of {100 * one.detectable:.1f} points (power 80%, level 5%)"
    if one.needed is None:
        return f"{finds}; no number of items tells a difference of 0"
    needed = f"{one.needed:,} items are needed to tell these apart"
    return f"{needed} if the true difference is the observed {points(page, one.difference)} points; {finds}"


def equal_token_sentence(page: Page, pair: PairComparison) -> str:
    """Who spends more, and what the cheaper arm does with as much; "" where they spend about the same."""
    ratio, equal = pair.token_ratio, pair.equal_tokens
    if ratio is None or 0.9 <= ratio <= 1.1:
        return ""
    cheaper, dearer = (pair.first, pair.second) if ratio > 1 else (pair.second, pair.first)
    times = f"{max(ratio, 1 / ratio):.1f} times"
    spends = f"{dearer} spends {times} the tokens of {cheaper}"
    if equal is None:
        return spends
    return (
        f"{spends}; with votes over {equal.k} attempts ({equal.voted_tokens:.0f} tokens to {equal.dearer_tokens:.0f})"
        f" {cheaper} has {percent(equal.voted)} to {percent(equal.dearer)}: {points(page, equal.difference)} points"
        f" ({bound(page, points(page, equal.low), points(page, equal.high))}, {p_words('p', equal.p)})"
    )


def overuse_sentence(pair: PairComparison) -> str:
    """How many calls of tools were needless; "" where not exactly one of the arms called any."""
    one = pair.overuse
    if one is None or one.rate is None:
        return ""
    return (
        f"{one.arm} calls tools {one.calls / one.items:.1f} times an item; {percent(one.rate)} of the calls are on"
        f" items that {one.other} solves without tools (overuse)"
    )


def _wins_by_spending(pair: PairComparison) -> bool:
    """Whether the better arm is the one that spends more."""
    if pair.token_ratio is None or 0.9 <= pair.token_ratio <= 1.1:
        return False
    return (pair.token_ratio > 1) == (pair.difference.difference > 0)
