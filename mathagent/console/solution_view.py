"""What a person sees of a Solution: the answer, how far to trust it, what it cost, why it ended."""

from __future__ import annotations

from collections import Counter

from rich.console import Console

from mathagent.console.clean_text import one_line
from mathagent.console.page import LABEL, Page
from mathagent.types import Candidate, Solution


def show_solution(console: Console, solution: Solution, *, stacked: str = "") -> None:
    """Prints ``solution`` on ``console``: on a terminal as a small table, else as ``label: value`` lines.

    ``stacked`` is the answer over several lines, where it has been drawn (see answers/stacked.py).
    """
    page = Page(console)
    _show_answer(page, solution, stacked)
    if solution.answer is not None:
        page.field("confidence", page.dot.join(_confidence(solution)))
        page.field("evidence", page.dot.join(evidence_words(solution)))
    elif solution.candidates:
        for kind, message in _failures(solution.candidates, page.dot):
            page.field(kind, message)
    if solution.recalled:
        page.field("memory", recalled_words(solution))
    page.field("cost", page.dot.join(cost_words(solution)))
    for model, used in model_lines(solution):
        page.field("model", f"{model}: {used}")
    if solution.stopped != "finished":
        detail = one_line(solution.detail) or solution.stopped
        page.field("stopped", f"error: {detail}" if solution.stopped == "error" else detail, style="magenta")


def _show_answer(page: Page, solution: Solution, stacked: str) -> None:
    if solution.answer is None:
        page.field("answer", "none", style="bold red")
        return
    shown = page.math(solution.answer)
    label, style = ("unsure", "bold yellow") if solution.abstained else ("answer", "bold green")
    page.field(label, shown, style=style)
    if stacked and page.console.is_terminal:
        page.line()
        for line in stacked.split("\n"):
            page.line(line, style="green", indent=LABEL)
        page.line()
    if shown != page.fit(solution.answer).strip():
        page.field("as written", solution.answer)


def _confidence(solution: Solution) -> list[str]:
    number = "unknown" if solution.confidence is None else f"{solution.confidence:.2f}"
    if solution.abstained:
        number += ", less than was asked for"
    return [number, *([one_line(solution.confidence_basis)] if solution.confidence_basis else [])]


def evidence_words(solution: Solution) -> list[str]:
    """How many checks of the certificate hold, fail and are undecided."""
    if not solution.certificate:
        return ["none that can be run again"]
    counts: Counter[str] = Counter(check.outcome for check in solution.certificate)
    verbs = {
        "holds": ("holds", "hold"),
        "fails": ("fails", "fail"),
        "undecided": ("is undecided", "are undecided"),
    }
    return [
        f"{counted(counts[outcome], 'check')} {one if counts[outcome] == 1 else many}"
        for outcome, (one, many) in verbs.items()
        if counts[outcome]
    ]


def recalled_words(solution: Solution) -> str:
    """How many experiences a model was shown."""
    return f"{counted(len(solution.recalled), 'experience')} shown to the model"


def _failures(candidates: tuple[Candidate, ...], dot: str) -> list[tuple[str, str]]:
    """Two fields: how many samples failed in which way, and the commonest message."""
    failures = [candidate.failure for candidate in candidates if candidate.failure is not None]
    if not failures:
        return []
    kinds = Counter(failure.kind for failure in failures).most_common()
    messages = Counter(one_line(failure.message) for failure in failures if failure.message).most_common(1)
    tally = ("failures", dot.join(f"{kind} {count}" for kind, count in kinds))
    return [tally, *(("for example" if len(failures) > 1 else "because", text) for text, _ in messages)]


def cost_words(solution: Solution) -> list[str]:
    """Calls, tokens and seconds."""
    usage = solution.usage
    calls = counted(usage.calls, "call")
    if usage.cached_calls:
        calls += f" ({'all' if usage.cached_calls == usage.calls else usage.cached_calls} cached)"
    tokens = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
    return [calls, tokens, f"{solution.seconds:.1f} s"]


def model_lines(solution: Solution) -> list[tuple[str, str]]:
    """What each model used and cost, a line for each, where there were several."""
    if len(solution.by_model) < 2:
        return []
    rows = []
    for one in solution.by_model:
        paid = [] if one.dollars is None else [f"${one.dollars:.4f}" if one.dollars else "free"]
        tokens = f"{one.usage.prompt_tokens:,} + {one.usage.completion_tokens:,} tokens"
        rows.append((one_line(one.model), ", ".join([counted(one.usage.calls, "call"), tokens, *paid])))
    return rows


def counted(count: int, noun: str) -> str:
    """``1 call``, ``1,200 calls``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
