from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from mathagent.console.event_log import EventLog, TimedEvent
from mathagent.console.graph_layers import Graph
from mathagent.console.html_templates import LONGEST_OUTPUT
from mathagent.console.trace_page import trace_page
from mathagent.events import (
    CandidateProposed,
    ModelReplied,
    Recalled,
    Recollection,
    Remembered,
    SolveFinished,
    SolveStarted,
    Voted,
)
from mathagent.types import (
    Answer,
    Candidate,
    Check,
    Execution,
    Failure,
    Mutation,
    Problem,
    Solution,
    Step,
    Stopped,
    Usage,
)
from tests.unit.console.graphs import graph

HOSTILE = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;{{ 7*7 }}\x1b[31m\u202e"
VOID = {"meta", "br", "img"}


class Page(HTMLParser):
    """A page, taken apart; raises AssertionError where its elements are not nested properly."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.source = page
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not {"style", "annotation"} & set(self._open):
            self.text += data

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.starts]


def candidate(answer: str | None = "1/2", text: str = "We add.", **execution: object) -> Candidate:
    ran = Execution.model_validate(
        {"status": "ok", "value": answer, "wall_s": 0.25, "sandbox": "process/A", **execution}
    )
    return Candidate(
        steps=(
            Step(kind="thought", text=text),
            Step(kind="code", text="print(1 + 1)  # add"),
            Step(kind="observation", text="", origin="tool", execution=ran),
        ),
        answer=None if answer is None else Answer(raw=answer, normal=answer),
        failure=Failure(kind="code-error", message="ZeroDivisionError: by zero") if answer is None else None,
    )


def solution(
    candidates: Sequence[Candidate] = (),
    *,
    answer: str | None = "1/2",
    text: str = "What is $\\frac{1}{4} + \\frac{1}{4}$?",
    certificate: tuple[Check, ...] = (),
    stopped: Stopped = "finished",
    detail: str = "",
) -> Solution:
    return Solution(
        problem=Problem(text=text),
        answer=answer,
        confidence=0.75,
        confidence_basis="3 of 4 samples agree",
        certificate=certificate,
        candidates=tuple(candidates),
        usage=Usage(calls=2, prompt_tokens=1200, completion_tokens=34),
        stopped=stopped,
        detail=detail,
        strategy="pal",
        config={"n": 4, "over": "pal"},
        model="script:x",
        seconds=1.5,
    )


def replied(role: str, tokens: int, *, cached: bool = False) -> ModelReplied:
    usage = Usage(calls=1, prompt_tokens=100, completion_tokens=tokens, cached_calls=int(cached))
    return ModelReplied(role=role, sample=0, text="x", usage=usage, cached=cached)


def timed(*events: object) -> list[TimedEvent]:
    return [TimedEvent.model_validate({"at_s": index / 4, "event": event}) for index, event in enumerate(events)]


def test_an_abstained_answer_is_called_unsure() -> None:
    said = "unsure: the best candidate"
    assert said not in trace_page(solution())
    assert said in trace_page(solution().model_copy(update={"abstained": True}))


def test_a_person_finds_everything_on_the_page() -> None:
    checks = (
        Check(kind="substitution", program="1/4 + 1/4", expected="1/2", outcome="holds", claim="it fits $x = 1$"),
        Check(kind="numeric", program="2 - 1", expected="7", outcome="fails", reason="it gave 1"),
        Check(
            kind="domain",
            program="0 < 1",
            expected="True",
            outcome="undecided",
            mutations=(Mutation(answer="3", outcome="fails"),),
        ),
    )
    solved = solution(
        [candidate(), candidate("1/3"), candidate(None, status="error", error="by zero")], certificate=checks
    )
    votes = Voted(classes=(("1/2", 3), ("1/3", 1)), samples=4, stop=True, reason="the lead is clear")
    events = timed(
        SolveStarted(problem_id="p", strategy="pal", model="script:x"),
        replied("coder", 20),
        replied("coder", 14, cached=True),
        votes,
        SolveFinished(solution=solved),
    )
    page = Page(trace_page(solved, events, graph("start->write write~>write write~>end")))
    for words in ("1/2", "0.75", "3 of 4 samples agree", "script:x", "1,200 + 34 tokens", "1.5 s"):
        assert words in page.text
    for words in ("1 check holds", "1 check fails", "1 check is undecided", "it gave 1", "domain, weak"):
        assert words in page.text
    for mark in "✓✗?":
        assert mark in page.text
    for words in ("We add.", "print(1 + 1)  # add", "0.25 s in process/A", "by zero", "code-error", "Candidate 3"):
        assert words in page.text
    for words in ("the lead is clear", "solve-started", "0.75 s", "All 5 events", "the whole solve"):
        assert words in page.text
    assert re.search(r"coder\s*2\s*1\s*200\s*34", page.text)
    assert page.tags.count("svg") == 1 + 1 + 2  # the gauge, the graph, a bar for each class
    assert page.tags.count("math") >= 2
    assert page.tags.count("details") == 3 + 3 + 1 + 1 + 5  # checks, candidates, settings, events and each of them


def test_it_needs_nothing_but_itself() -> None:
    page = Page(trace_page(solution([candidate()]), timed(replied("coder", 1)), graph("start->a a->end")))
    forbidden = {"script", "link", "img", "iframe", "object", "embed", "form", "input", "base", "video", "audio"}
    assert not forbidden & set(page.tags)
    for tag, attributes in page.starts:
        assert not any(name.startswith("on") or name in ("style", "src") for name in attributes), tag
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert set(re.findall(r"https?://[^\"' <]+", page.source)) <= {"http://www.w3.org/2000/svg"}


def test_the_policy_allows_the_one_style_sheet_only() -> None:
    page = Page(trace_page(solution([candidate(text=HOSTILE)])))
    (policy,) = [a["content"] for tag, a in page.starts if a.get("http-equiv") == "Content-Security-Policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", page.source, re.DOTALL)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert page.tags.index("meta") < page.tags.index("style")


def test_hostile_text_is_text_wherever_it_stands() -> None:
    hostile = Candidate(
        steps=(
            Step(kind="thought", text=HOSTILE + f"\n```\n{HOSTILE}\n```\n$\\text{{{HOSTILE}}}$"),
            Step(kind="code", text=f"'{HOSTILE}'"),
            Step(
                kind="observation",
                text=HOSTILE,
                execution=Execution(
                    status="error", stdout=HOSTILE, stderr=HOSTILE, value=HOSTILE, error=HOSTILE, traceback=HOSTILE,
                    files={HOSTILE: b"x"}, sandbox=HOSTILE, edited=HOSTILE,
                ),
            ),
            Step(kind="observation", text=HOSTILE),
            Step(kind="critique", text=HOSTILE),
        ),
        answer=Answer(raw=HOSTILE, normal=HOSTILE),
        checks=(Check(kind="numeric", program=HOSTILE, expected=HOSTILE, outcome="holds", claim=HOSTILE),),
    )  # fmt: skip
    everywhere = Solution(
        problem=Problem(text=HOSTILE, choices=(HOSTILE, HOSTILE), language=HOSTILE),
        answer=HOSTILE,
        confidence=None,
        confidence_basis=HOSTILE,
        certificate=hostile.checks,
        candidates=(hostile, Candidate(failure=Failure(kind="refused", message=HOSTILE))),
        stopped="error",
        detail=HOSTILE,
        strategy=HOSTILE,
        config={HOSTILE: HOSTILE},
        model=HOSTILE,
        solve_id=HOSTILE,
    )
    events = timed(
        ModelReplied(role=HOSTILE, sample=0, text=HOSTILE, usage=Usage(), cached=False),
        Voted(classes=((HOSTILE, 1),), samples=1, stop=True, reason=HOSTILE),
        SolveFinished(solution=everywhere),
    )
    harmless = Page(trace_page(solution([candidate()]), timed(replied("coder", 1)), graph("start->a a->end")))
    page = Page(trace_page(everywhere, events, graph("start->a a->end")))
    assert not {"script", "img"} & set(page.tags)
    assert page.source.count("</style>") == 1
    assert page.source.count("<title>") == harmless.source.count("<title>")
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    assert "\x1b" not in page.source
    assert "\u202e" not in page.source
    for _, attributes in page.starts:
        assert not any(name.startswith("on") for name in attributes)


@pytest.mark.parametrize(
    ("stopped", "answer", "words"),
    [
        ("budget", "1/2", "A limit of the budget ended the search: 100 tokens are spent"),
        ("interrupted", "1/2", "Interrupted: 100 tokens are spent"),
        ("error", None, "An error ended the solve: 100 tokens are spent"),
    ],
)
def test_it_says_why_the_solve_ended(stopped: Stopped, answer: str | None, words: str) -> None:
    page = Page(trace_page(solution([], answer=answer, stopped=stopped, detail="100 tokens are spent")))
    assert words in page.text
    assert ("confidence" in page.text) == (answer is not None)
    assert "There is no candidate" in page.text


def test_a_solution_without_events_is_enough() -> None:
    page = Page(trace_page(solution([candidate("2"), candidate("1/2"), candidate("1/2")])))
    assert "letter by letter" in page.text
    opened = [index for index, (tag, a) in enumerate(page.starts) if tag == "details" and "open" in a]
    assert len(opened) == 1
    assert "All 0 events" not in page.text
    assert not any(attributes.get("href") in ("#events", "#graph") for _, attributes in page.starts)


def test_links_of_the_contents_lead_somewhere_and_ids_are_unique() -> None:
    votes = Voted(classes=(("1/2", 1),), samples=1, stop=True, reason="r")
    page = Page(trace_page(solution([candidate()]), timed(votes), graph("start->a a->end")))
    ids = [attributes["id"] for _, attributes in page.starts if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"] for tag, attributes in page.starts if tag == "a"}
    assert targets == {"#evidence", "#votes", "#candidates", "#graph", "#cost", "#events"}
    for _, attributes in page.starts:
        for name in ("aria-labelledby",):
            assert set((attributes.get(name) or "").split()) <= set(ids)
    assert {target[1:] for target in targets} <= set(ids)


def test_headings_go_down_one_level_at_a_time() -> None:
    page = Page(trace_page(solution([candidate(text="# Big\n### Small")]), timed(replied("coder", 1))))
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_an_answer_in_latex_is_drawn_and_shown_as_written() -> None:
    page = Page(trace_page(solution([], answer="\\frac{1}{2}")))
    assert "as written: \\frac{1}{2}" in page.text
    assert "mfrac" in page.tags
    assert "as written" not in Page(trace_page(solution([], answer="42"))).text


def test_endless_output_is_cut() -> None:
    page = trace_page(solution([candidate(stdout="x" * (LONGEST_OUTPUT + 1234))]))
    assert "(1,234 more characters)" in page
    assert len(page) < 2 * LONGEST_OUTPUT


def test_half_a_character_does_not_spoil_the_file() -> None:
    trace_page(solution([candidate(text="\ud800", stdout="\udfff")], text="\ud83d?")).encode("utf-8")


def test_what_the_events_tell_of_a_solve_that_raised() -> None:
    log = EventLog()
    log.on_event(SolveStarted(problem_id="p", strategy="pal", model="script:x"))
    log.on_event(replied("coder", 20))
    log.on_event(CandidateProposed(sample=0, candidate=candidate(None)))
    told = log.solution_so_far(
        Problem(text="x?", reference="secret"), {"n": 2}, stopped="error", detail="the endpoint is down"
    )
    assert (told.strategy, told.model, told.answer, told.stopped) == ("pal", "script:x", None, "error")
    assert told.usage.completion_tokens == 20
    assert told.candidates == (candidate(None),)
    assert told.problem.reference is None
    page = Page(trace_page(told, log.events))
    assert "An error ended the solve: the endpoint is down" in page.text
    assert "secret" not in page.source


def test_no_graph_no_figure() -> None:
    assert "figure" not in Page(trace_page(solution(), graph=None)).tags
    assert "Dashed" not in Page(trace_page(solution(), graph=graph("start->a a->end"))).text
    assert "Dashed" in Page(trace_page(solution(), graph=graph("start->a a~>end"))).text
    assert "figure" in Page(trace_page(solution(), graph=Graph(nodes=(), edges=()))).tags


def test_the_memory_that_had_a_part_in_it() -> None:
    evil = Recollection(id="0123456789abcdef", experience="fact", title=f"$x^2$ {HOSTILE}", source=HOSTILE)
    hens = Recollection(
        id="fedcba9876543210", experience="exemplar", title="A farm.", source="gsm8k.train/12", trust="graded"
    )
    events = timed(Recalled(found=(evil,)), Recalled(found=(evil, hens)), Remembered(new=2, merged=1))
    solved = solution([candidate()]).model_copy(update={"recalled": (evil.id, hens.id, "unknown-id")})
    page = Page(trace_page(solved, events))
    memory = page.text.split("What the model was shown")[1].split("Candidates")[0]
    for words in (
        "gsm8k.train/12",
        "graded",
        "fedcba987654",
        "A farm.",
        "unknown-id",
        "2 new experiences, 1 known already",
    ):
        assert memory.count(words) == 1
    assert memory.count("0123456789ab") == 1  # shown twice, listed once
    assert ("a", {"href": "#memory"}) in page.starts
    assert "script" not in page.tags
    assert 'id="memory"' not in trace_page(solution([candidate()]))
