"""The trace as one text."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.events import CandidateProposed, CodeFinished, CodeStarted, Event, ModelReplied, TokenDelta, Voted
from mathagent.server.reasoning import ReasoningText
from mathagent.types import Answer, Candidate, Execution, Failure, Usage


def piece(text: str, sample: int = 0, *, typed: bool = False) -> TokenDelta:
    return TokenDelta(role="solver", sample=sample, text=text, typed=typed)


def reply(text: str, sample: int = 0, *, typed: bool = False) -> ModelReplied:
    return ModelReplied(role="solver", sample=sample, text=text, usage=Usage(), cached=False, typed=typed)


def told(events: Iterable[Event]) -> str:
    reasoning = ReasoningText()
    return "".join([*(reasoning.add(event) for event in events), reasoning.end()])


def test_replies_at_the_same_time_do_not_mix() -> None:
    events = [piece("a1 "), piece("b1 ", 1), piece("a2"), piece("b2", 1), reply("a1 a2"), piece(" b3", 1)]
    text = told([*events, reply("b1 b2 b3", 1)])
    assert text == "a1 a2\n\nb1 b2 b3\n\n"


def test_what_came_whole_stands_whole() -> None:
    assert told([piece("a"), reply("cached", 1), piece("b"), reply("ab")]) == "ab\n\ncached\n\n"
    assert told([reply("cached")]) == "cached\n\n"


def test_typed_replies_are_left_out() -> None:
    assert told([piece('{"x"', typed=True), reply('{"x": 1}', typed=True)]) == ""


def test_programs_and_votes() -> None:
    done = Execution(status="ok", stdout="hello\n", value="42")
    failed = Execution(status="error", error="ZeroDivisionError: division by zero")
    text = told(
        [
            CodeStarted(sample=0, code="6*7\n"),
            CodeFinished(sample=0, execution=done),
            CodeFinished(sample=1, execution=failed),
            CandidateProposed(sample=0, candidate=Candidate(answer=Answer(raw="42", normal="42"))),
            Voted(classes=(("42", 3), ("41", 1)), samples=4, stop=True, reason="a clear lead"),
        ]
    )
    assert text.split("\n\n") == [
        "```python\n6*7\n```",
        "hello\n= 42",
        "The program failed (error): ZeroDivisionError: division by zero",
        "Candidate 1: 42",
        "Votes: 42 × 3, 41 × 1",
        "",
    ]


def test_a_reply_that_breaks_off_holds_up_no_other() -> None:
    failed = Candidate(failure=Failure(kind="model-error", message="gone"))
    text = told(
        [
            piece("a1"),
            piece("b1", 1),
            CandidateProposed(sample=0, candidate=failed),
            piece(" b2", 1),
            reply("b1 b2", 1),
        ]
    )
    assert text == "a1\n\nb1\n\nCandidate 1: none (model-error)\n\n b2\n\n"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_every_word_is_told_once(script: list[tuple[int, bool]]) -> None:
    events: list[Event] = []
    written: dict[int, str] = {}
    words = []
    for number, (sample, ends) in enumerate(script):
        word = f"w{number}w "
        words.append(word.strip())
        written[sample] = written.get(sample, "") + word
        events.append(piece(word, sample))
        if ends:
            events.append(reply(written.pop(sample), sample))
    assert sorted(told(events).split()) == sorted(words)
