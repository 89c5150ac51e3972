"""The items of a report's page: the index that is searched, and the traces, drawn beforehand and kept compressed.

A page with 5,000 items and several arms would be hundreds of megabytes as plain HTML. The traces are therefore drawn
here, once, by the same blocks as the trace of one solve, and stand in the page as compressed text; a browser inflates
the few dozen around an item when it is opened.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from markupsafe import Markup

from mathagent.answers.choices import labelled_choices
from mathagent.console.clean_text import clean, one_line
from mathagent.console.html_templates import template
from mathagent.console.math_text import readable, readable_math
from mathagent.console.solution_view import counted, evidence_words
from mathagent.console.trace_page import shown_candidate
from mathagent.evals.failures import failure_of
from mathagent.evals.metrics import ArmRecords
from mathagent.evals.metrics.items import item_key
from mathagent.evals.records import Record
from mathagent.evals.report_pairs import ids_only
from mathagent.types import Check, Problem, Value

LONGEST_TEXT = 400  # characters of a problem that its line shows and the search looks through
TOGETHER = 48  # records whose traces are compressed together: more compress better and open slower
FEW = 400  # records up to which starting further processes takes longer than they save
_SEPARATOR = "\x00"  # cleaned text holds none


class ReportArm(Value):
    """What the traces say of an arm: its number in the report and its short name."""

    number: int
    name: str


class ReportItem(Value):
    """One item and every attempt at it: ``attempts`` has those of each arm that tried it.

    ``link`` is what the page's address calls it, different for each.
    """

    dataset: int
    key: str
    link: str
    problem_id: str
    subject: str
    level: str
    language: str
    reference: str
    problem: Problem | None
    attempts: tuple[tuple[ReportArm, tuple[Record, ...]], ...]

    @property
    def records(self) -> list[Record]:
        return [record for _, records in self.attempts for record in records]


def report_items(groups: Sequence[ArmRecords]) -> list[ReportItem]:
    """The items of all arms, numbered as in the report, in order of appearance within each data set."""
    names = list(dict.fromkeys(group.dataset for group in groups))
    found: dict[tuple[int, str], list[tuple[ReportArm, list[Record]]]] = {}
    for place, dataset in enumerate(names):
        by_id = ids_only([group for group in groups if group.dataset == dataset])
        for number, group in enumerate(groups):
            if group.dataset != dataset:
                continue
            arm = ReportArm(number=number, name=group.name)
            own: dict[str, list[Record]] = {}
            for record in group.records:
                own.setdefault(item_key(record, by_id=by_id), []).append(record)
            for key, records in own.items():
                found.setdefault((place, key), []).append((arm, sorted(records, key=lambda one: one.attempt)))
    ids = Counter(parts[0][1][0].problem_id for parts in found.values())
    links: Counter[str] = Counter()
    items = []
    for (place, key), parts in found.items():
        item = _item(place, key, parts)
        link = item.problem_id if ids[item.problem_id] == 1 else f"{names[place]}:{item.problem_id}"
        links[link] += 1
        items.append(item.model_copy(update={"link": link if links[link] == 1 else f"{link}#{links[link]}"}))
    return items


def _item(place: int, key: str, parts: Sequence[tuple[ReportArm, list[Record]]]) -> ReportItem:
    records = [record for _, records in parts for record in records]
    first = records[0]
    problem = next((one.solution.problem for one in records if one.solution is not None), None)
    return ReportItem(
        dataset=place,
        key=key,
        link="",
        problem_id=first.problem_id,
        subject=first.subject,
        level=first.level,
        language=first.language,
        reference=first.reference,
        problem=problem,
        attempts=tuple((arm, tuple(records)) for arm, records in parts),
    )


def item_index(items: Sequence[ReportItem], places: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """What the page's script knows of each item before it is opened; ``places`` say in which chunk its trace is."""
    return [_index_entry(item, place) for item, place in zip(items, places, strict=True)]


def _index_entry(item: ReportItem, place: tuple[int, int]) -> dict[str, Any]:
    text = "" if item.problem is None else item.problem.text
    return {
        "link": clean(item.link),
        "id": clean(item.problem_id),
        "key": clean(item.key),
        "dataset": item.dataset,
        "subject": clean(item.subject),
        "level": clean(item.level),
        "language": clean(item.language),
        "text": one_line(readable(text), LONGEST_TEXT),
        "reference": one_line(readable_math(item.reference), 80),
        "arms": [[arm.number, [_attempt(record) for record in records]] for arm, records in item.attempts],
        "place": list(place),
    }


def _attempt(record: Record) -> list[Any]:
    """Outcome, answer, failure, tokens, seconds."""
    answer = None if record.answer is None else one_line(readable_math(record.answer), 80)
    tokens = record.usage.prompt_tokens + record.usage.completion_tokens
    return [record.outcome, answer, failure_of(record), tokens, round(record.seconds, 2)]


def draw_traces(
    items: Sequence[ReportItem], *, processes: int = 1, on_chunk: Callable[[int], None] = lambda items: None
) -> tuple[list[str], list[tuple[int, int]]]:
    """The traces as compressed chunks, and the (chunk, place within it) of each item.

    ``on_chunk`` hears of each chunk how many items it holds. With ``processes`` many are drawn side by side.
    """
    batches = list(_batches(items))
    chunks: list[str] = []
    with _mapping(processes if sum(len(item.records) for item in items) > FEW else 1) as mapped:
        for batch, chunk in zip(batches, mapped(draw_chunk, batches), strict=True):
            chunks.append(chunk)
            on_chunk(len(batch))
    places = [(number, place) for number, batch in enumerate(batches) for place in range(len(batch))]
    return chunks, places


@contextmanager
def _mapping(processes: int) -> Iterator[Callable[..., Iterator[str]]]:
    if processes == 1:
        yield map
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Forked children would inherit the locks of whatever thread draws the progress.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _batches(items: Sequence[ReportItem]) -> Iterator[list[ReportItem]]:
    batch: list[ReportItem] = []
    held = 0
    for item in items:
        batch.append(item)
        held += max(1, len(item.records))
        if held >= TOGETHER:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def draw_chunk(items: Sequence[ReportItem]) -> str:
    """The traces of a few items, compressed."""
    return compressed(_SEPARATOR.join(item_html(item) for item in items))


def compressed(text: str) -> str:
    """``text`` deflated (zlib) and in base64, which can stand in any page."""
    return b64encode(zlib.compress(text.encode(), 9)).decode()


def compressed_json(value: Any) -> str:
    """``value`` as JSON, compressed."""
    return compressed(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def item_html(item: ReportItem) -> Markup:
    """Everything about one item: the problem, and of each arm the answers, grades, candidates and costs."""
    choices = () if item.problem is None else labelled_choices(item.problem.choices)
    return Markup(
        template("report_item.html").render(
            item=item,
            choices=choices,
            failure_of=failure_of,
            counted=counted,
            evidence_of=evidence_words,
            further_checks=further_checks,
            shown_candidate=shown_candidate,
            alone=len(item.attempts) == 1,
        )
    )


def further_checks(record: Record) -> list[Check]:
    """The checks of the certificate that none of the candidates shows already."""
    assert record.solution is not None
    shown = [check for candidate in record.solution.candidates for check in candidate.checks]
    return [check for check in record.solution.certificate if check not in shown]
