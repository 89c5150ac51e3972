from __future__ import annotations

import hashlib
import json
import re
import zlib
from base64 import b64decode, b64encode
from html.parser import HTMLParser
from typing import Any

import pytest

from mathagent.console.html_templates import asset
from mathagent.console.report_items import TOGETHER, draw_traces, report_items
from mathagent.console.report_page import SCRIPT, STYLES, report_page
from mathagent.evals.metrics import arms
from mathagent.evals.records import Record
from mathagent.evals.report import make_report
from mathagent.evals.report_coverage import ArmCoverage, CoveragePoint
from tests.unit.evals.report_records import record

HOSTILE = (
    "</script></title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}\u202e\x1b[31m"
)


class Page(HTMLParser):
    """A page taken apart: its elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.text = ""
        self._inside: tuple[str, dict[str, str | None]] = ("", {})
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = (tag, dict(attrs))
        self.starts.append(self._inside)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ("", {})

    def handle_data(self, data: str) -> None:
        tag, attributes = self._inside
        if tag == "script":
            self.scripts[attributes.get("id") or "code"] = data
        elif tag != "style":
            self.text += data

    @property
    def index(self) -> dict[str, Any]:
        return json.loads(inflated(self.scripts["index"]))

    @property
    def traces(self) -> list[str]:
        """The trace of each item, in the order of the index."""
        chunks = [inflated(self.scripts[f"traces-{n}"]).split("\0") for n in range(self.index["chunks"])]
        return [chunks[chunk][place] for chunk, place in (item["place"] for item in self.index["items"])]


def inflated(text: str) -> str:
    return zlib.decompress(b64decode(text)).decode()


def page_of(records: list[Record], title: str = "Title", coverage: dict[int, ArmCoverage] | None = None) -> Page:
    groups = arms(records)
    report = make_report(groups, title=title, made="today", version="1", sources=["a.jsonl"], coverage=coverage)
    return Page(report_page(report, groups))


def two_arms(**fields: Any) -> list[Record]:
    cot = [record(i, "incorrect" if i % 2 else "correct", confidence=0.6, **fields) for i in range(6)]
    pal = [record(i, strategy="pal", confidence=0.9, **fields) for i in range(6)]
    return [*cot, *pal]


def test_the_page_has_every_part() -> None:
    page = page_of([record(9, "error"), *two_arms(subject="Algebra"), record(7, "undecided", subject="Geometry")])
    for heading in ("Summary", "Accuracy and cost", "Comparison", "By subject", "Confidence", "Failures", "Items"):
        assert heading in page.text
    plots = [attributes for tag, attributes in page.starts if tag == "svg" and attributes.get("class") == "plot"]
    assert len(plots) == 5  # tokens, seconds, two reliability tables, risk and coverage
    assert all(len(attributes["aria-label"] or "") > 20 for attributes in plots)


def test_coverage_is_drawn_where_items_were_tried_several_times() -> None:
    points = tuple(
        CoveragePoint(k=k, oracle=k / 8, low=0, high=1, majority=k / 10, best_of=None) for k in (1, 2, 4)
    )
    curve = ArmCoverage(items=3, left_out=0, points=points, law="c(k) = …", fitted=((1, 0.1), (8, 0.9)))
    tried = [record(i, attempt=a) for i in range(3) for a in range(4)]
    assert "Coverage against attempts" in page_of(tried, coverage={0: curve}).text
    assert "Coverage against attempts" not in page_of([record(1)]).text


def test_the_page_loads_nothing_and_its_policy_allows_its_own_script_only() -> None:
    page = page_of(two_arms(model="embedded:m"))
    for _, attributes in page.starts:
        assert not {"src", "srcset", "style", "action"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert "http:" not in page.source
    assert "https:" not in page.source
    policy = next(a["content"] for tag, a in page.starts if tag == "meta" and "http-equiv" in a) or ""
    for name, content in (("style", asset(*STYLES)), ("script", asset(SCRIPT))):
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
        assert content in page.source
    assert policy.startswith("default-src 'none'")
    assert "url(" not in asset(*STYLES)
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|WebSocket|eval\(", asset(SCRIPT))


@pytest.mark.parametrize(
    "field", ["problem_id", "dataset", "subject", "level", "language", "model", "reference", "reason", "strategy"]
)
def test_no_text_of_a_record_becomes_markup(field: str) -> None:
    hostile = [record(i, "incorrect" if i else "correct", **{field: HOSTILE}) for i in range(3)]
    _assert_harmless(page_of([*hostile, record(5)]))


def test_no_text_of_a_trace_or_title_becomes_markup() -> None:
    hostile = [
        record(i, "incorrect", said=HOSTILE, answer=HOSTILE, error=HOSTILE, config={"x": HOSTILE})
        for i in range(3)
    ]
    page = page_of(hostile, title=HOSTILE)
    _assert_harmless(page)
    assert "alert(1)" in page.traces[0]  # shown, as text


def _assert_harmless(page: Page) -> None:
    assert "<script>alert" not in page.source
    assert "alert(1)" not in page.scripts["code"]
    for parsed in (page, *(Page(trace) for trace in page.traces)):
        tags = {tag for tag, _ in parsed.starts}
        assert "img" not in tags
        assert not any(name.startswith("on") for _, attributes in parsed.starts for name in attributes)
        assert "\u202e" not in parsed.source
        assert "\x1b" not in parsed.source
    assert all(not Page(trace).scripts for trace in page.traces)
    assert "49" not in page.text.split("{{ 7*7 }}")[0][-10:]


def test_the_index_says_what_the_filters_need() -> None:
    page = page_of(two_arms(subject="Algebra"))
    first, second = page.index["items"][:2]
    assert (first["id"], first["subject"], first["text"]) == ("sums/0", "Algebra", "Item 0: 3 + 4?")
    assert first["arms"] == [[0, [["correct", "7", None, 150, 2.0]]], [1, [["correct", "7", None, 150, 2.0]]]]
    assert second["arms"][0] == [0, [["incorrect", "8", "wrong", 150, 2.0]]]


def test_a_trace_shows_problem_answers_program_output_and_checks() -> None:
    trace = page_of(two_arms()).traces[1]
    assert "<math" in trace  # the problem's formula
    assert "✗ incorrect" in trace
    assert "✓ correct" in trace
    assert '<span class="k">def</span>' in trace
    assert "holds" in trace
    assert trace.count("<section") == 2


def test_a_record_without_its_trace_still_has_its_line() -> None:
    page = page_of([record(1, solution=None), record(2, "error")])
    assert "holds no trace" in page.traces[0]
    assert "no endpoint" in page.traces[1]


def test_links_are_different_for_items_with_the_same_id() -> None:
    same = [record(1), record(1, dataset="others", key="o"), record(1, item_hash="edited", key="e")]
    links = [item.link for item in report_items(arms(same))]
    assert len(set(links)) == 3
    assert [item.link for item in report_items(arms([record(4)]))] == ["sums/4"]


def test_every_link_to_an_item_leads_to_one() -> None:
    page = page_of([*two_arms(), record(8, "incorrect", problem_id="a&b=c #1/é")])
    targets = [a["href"] or "" for tag, a in page.starts if tag == "a" and "#item=" in (a.get("href") or "")]
    from urllib.parse import unquote

    links = {item["link"] for item in page.index["items"]}
    assert targets
    assert {unquote(target.removeprefix("#item=")) for target in targets} <= links


def test_traces_drawn_side_by_side_are_the_same() -> None:
    items = report_items(arms([record(i) for i in range(500)]))
    one, places = draw_traces(items)
    heard: list[int] = []
    several, same_places = draw_traces(items, processes=2, on_chunk=heard.append)
    assert several == one
    assert places == same_places
    assert len(one) == -(-500 // TOGETHER)
    assert sum(heard) == 500


def test_many_arms_are_told_apart_by_colour_and_shape() -> None:
    from mathagent.console.plot_axes import swatch

    assert len({swatch(number) for number in range(40)}) == 40
