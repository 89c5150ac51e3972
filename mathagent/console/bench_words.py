"""Numbers of a benchmark in few characters. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from mathagent.evals.progress import Tally


def clock_words(seconds: float) -> str:
    """ "0:07", "12:30", "3:05:00", "2d 4h"."""
    whole = round(seconds)
    if whole >= 86_400:
        return f"{whole // 86_400}d {whole % 86_400 // 3600}h"
    minutes, rest = divmod(whole, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def count_words(count: float) -> str:
    """ "940", "12.3k", "4.5M"."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if count >= limit:
            return f"{count / (1e3 if unit == 'k' else limit):.1f}{unit}"
    return f"{count:.0f}"


def dollar_words(dollars: float | None) -> str:
    """ "$0.0021", "$12.30"; "–" where no price is known."""
    if dollars is None:
        return "–"
    return f"${dollars:.2f}" if dollars >= 1 or dollars == 0 else f"${dollars:.4f}"


def rate_words(rate: float | None) -> str:
    """ "12.0/s", or "3.1/min" where it is slow."""
    if rate is None:
        return "–"
    return f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"


def accuracy_words(tally: Tally) -> str:
    """ "57.1% (44–69)": what is right of what is graded, and its 95% interval."""
    if tally.accuracy is None:
        return "–"
    share, low, high = tally.accuracy
    return f"{share:.1%} ({100 * low:.0f}–{100 * high:.0f})"


def failure_words(failures: Mapping[str, int]) -> str:
    """ "wrong 12, timeout 1", the most frequent first; "none"."""
    ordered = sorted(failures.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{kind} {count}" for kind, count in ordered) or "none"


def shortened(label: str, width: int) -> str:
    """``label`` in ``width`` characters: its middle is left out, since labels differ at their ends."""
    if len(label) <= width:
        return label
    start = width // 2
    return f"{label[:start]}…{label[len(label) - (width - start - 1) :]}"
