"""The report's page in a real browser: filters, deep links, search in traces, and hostile text that must not run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from mathagent.console.report_page import report_page
from mathagent.evals.metrics import arms
from mathagent.evals.records import Record
from mathagent.evals.report import make_report
from tests.unit.evals.report_records import record

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")

PAYLOADS = (
    "</script><script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "<svg onload=\"document.title='run'\"></svg>",
    "$\\text{<img src=x onerror=document.title='run'>}$",
    "<a href=\"javascript:document.title='run'\">x</a>",
    "```html\n<script>document.title='run'</script>\n```",
    "<iframe srcdoc=\"<script>parent.document.title='run'</script>\"></iframe>",
)


def write_page(records: list[Record], path: Path, title: str = "Title") -> Path:
    groups = arms(records)
    report = make_report(groups, title=title, made="today", version="1")
    path.write_text(report_page(report, groups), encoding="utf-8")
    return path


def shown(path: Path, address: str = "") -> str:
    """The page's markup after its script has run."""
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
    profile = f"--user-data-dir={path.parent / 'profile'}"
    ended = subprocess.run(
        [*command, profile, f"{path.as_uri()}{address}"], capture_output=True, text=True, timeout=200, check=True
    )
    assert "data-ready" in ended.stdout[:3000], "the script came to no end"
    return ended.stdout


def rows(markup: str) -> list[str]:
    """The ids in the lines of the items that are listed."""
    return re.findall(r'<span class="about soft small">([^<·]*?)(?: ·[^<]*)?</span>', markup)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cot = [record(i, "incorrect" if i % 3 == 0 else "correct", subject="ab"[i % 2]) for i in range(150)]
    pal = [record(i, strategy="pal", subject="ab"[i % 2], said=f"needle-{i}-end <b>") for i in range(150)]
    return write_page([*cot, *pal], tmp_path_factory.mktemp("report") / "report.html")


def test_all_items_are_counted_and_the_first_ones_listed(page: Path) -> None:
    markup = shown(page)
    assert "150 items" in markup
    assert rows(markup)[:3] == ["sums/0", "sums/1", "sums/2"]


def test_the_address_filters(page: Path) -> None:
    markup = shown(page, "#agree=differ&subject=b")
    assert "25 of 150 items" in markup
    assert rows(markup) == [f"sums/{i}" for i in range(3, 150, 6)]
    assert "50 of 150 items" in shown(page, "#only=1,0")


def test_a_link_to_an_item_opens_it_with_its_trace(page: Path) -> None:
    markup = shown(page, "#item=sums%2F123")
    first = markup[markup.index('id="list"') :]
    assert rows(first)[0] == "sums/123"
    opened = first[: first.index("</section></div>") if "</section></div>" in first else 20_000]
    assert "<details" in opened
    assert "needle-123-end" in opened
    assert "<math" in opened


def test_traces_are_searched_as_they_are_written(page: Path) -> None:
    markup = shown(page, "#q=needle-42-end+%3Cb%3E&traces=1")
    assert rows(markup) == ["sums/42"]
    assert rows(shown(page, "#q=needle-42-end")) == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    everywhere = "".join(PAYLOADS)
    records = [
        record(
            i,
            "incorrect",
            said=payload,
            answer=payload,
            problem_id=payload,
            subject=everywhere,
            reason=payload,
            dataset=everywhere,
            config={"x": everywhere},
        )
        for i, payload in enumerate(PAYLOADS)
    ]
    return write_page(records, tmp_path_factory.mktemp("hostile") / "report.html", title=f"Safe {everywhere}")


@pytest.mark.parametrize("number", [0, 1, 3])
def test_no_hostile_text_runs(hostile: Path, number: int) -> None:
    markup = shown(hostile, f"#item={quote(PAYLOADS[number], safe='')}")
    assert "<title>Safe " in markup
    assert 'class="result-of"' in markup  # the trace is open


def test_the_payloads_would_run_in_a_page_that_lets_them(tmp_path: Path) -> None:
    naive = tmp_path / "naive.html"
    naive.write_text(f"<html data-ready='1'><title>Safe</title><body>{PAYLOADS[1]}", encoding="utf-8")
    assert "<title>run" in shown(naive)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext")
def test_printed_it_has_the_numbers_and_the_open_item_and_no_controls(page: Path) -> None:
    assert BROWSER is not None
    paper = page.parent / "paper.pdf"
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"]
    command += ["--no-pdf-header-footer", f"--print-to-pdf={paper}", f"--user-data-dir={page.parent / 'profile'}"]
    subprocess.run([*command, page.as_uri()], capture_output=True, timeout=200, check=True)
    text = subprocess.run(["pdftotext", "-layout", paper, "-"], capture_output=True, text=True, check=True).stdout
    for shown in ("Summary", "accuracy", "95% interval", "How to read it"):
        assert shown in text
    for control in ("in the traces, too", "Colours: as the system", "next and previous item"):
        assert control not in text
