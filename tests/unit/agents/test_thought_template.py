"""The lenient reader of solutions in tags, and what memory keeps of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.blocks.thought_template import (
    TemplateStep,
    ThoughtTemplate,
    parse_template,
    template_of,
    templates_of,
)
from mathagent.memory.experience import Template
from mathagent.types import Answer, Candidate, Problem, Solution, Step

WHOLE = (
    "<Step1>Take 3.</Step1>\n<Step2>Square it: 9.<Key>A square is never negative.</Key> Keep it.</Step2>\n"
    "<Step3>So it is 9.</Step3>\n<Generalized>squares: multiply the number by itself</Generalized>\n<Answer>9</Answer>"
)


def test_a_whole_solution() -> None:
    read = parse_template(WHOLE)
    assert [step.text for step in read.steps] == ["Take 3.", "Square it: 9.\nKeep it.", "So it is 9."]
    assert [step.keys for step in read.steps] == [(), ("A square is never negative.",), ()]
    assert read.generalized == "squares: multiply the number by itself"
    assert read.extracted() == Answer(raw="9", normal="9")
    assert read.plain_text.splitlines()[-3:] == ["A square is never negative.", "So it is 9.", "The answer is 9."]


@pytest.mark.parametrize(
    "text",
    [
        "<Step1>a<Step2>b<Key>k<Step3>c<Generalized>g<Answer>9",
        "Sure!\n<step 1>a</step 1><STEP 2>b<key>k</key></STEP 2><Step_3>c</Step_3><generalized>g</generalized>"
        "<answer>9</answer>\nI hope this helps with 10 things.",
        "<Step1>a</Step2><Step2>b<Key>k</Step2><Step3>c</Step3></Key><Generalized>g</Generalized><Answer>9</Answer>",
    ],
)
def test_tags_that_are_missing_or_odd(text: str) -> None:
    read = parse_template(text)
    assert [step.text for step in read.steps] == ["a", "b", "c"]
    assert read.steps[1].keys == ("k",)
    assert (read.generalized, read.answer) == ("g", "9")


def test_no_tags_and_empty_ones() -> None:
    assert parse_template("The answer is 9.") == ThoughtTemplate()
    assert parse_template("<Step1></Step1><Answer></Answer>") == ThoughtTemplate()
    assert parse_template("").extracted() is None


def test_a_solution_begun_anew_takes_the_place_of_the_steps_from_there() -> None:
    read = parse_template("<Step1>a</Step1><Step2>b</Step2><Answer>1</Answer><Step2>c</Step2><Answer>2</Answer>")
    assert [step.text for step in read.steps] == ["a", "c"]
    assert read.answer == "2"


def test_answers_as_formulas_and_choices() -> None:
    assert parse_template("<Answer>\\boxed{x+1}</Answer>").extracted() == Answer(raw="x+1", normal="x+1")
    answer = parse_template("<Answer>(B) 7</Answer>").extracted(("A)6", "B)7"))
    assert answer is not None
    assert answer.normal == "B"


WORDS = st.text(st.sampled_from("ab1 =+."), min_size=1).map(str.strip).filter(bool)


@given(st.lists(st.builds(TemplateStep, text=WORDS, keys=st.lists(WORDS, max_size=2).map(tuple)), max_size=4))
def test_what_is_written_is_read_again(steps: list[TemplateStep]) -> None:
    template = ThoughtTemplate(steps=tuple(steps))
    assert parse_template("\n\n".join(template.step_texts)).steps == template.steps


def test_the_type_stands_before_the_colon() -> None:
    assert template_of("rates: add\nthe rates", "p") == Template(
        problem_type="rates", plan="add the rates", problem="p"
    )
    assert template_of("Add the rates.") == Template(problem_type="", plan="Add the rates.")
    long = f"{'to solve such problems ' * 8}: add"
    assert template_of(long) == Template(problem_type="", plan=long)
    assert template_of("  ") is None


def solution(answer: str | None, *texts: tuple[str, str]) -> Solution:
    candidates = tuple(
        Candidate(steps=(Step(kind="thought", text=text),), answer=Answer(raw=given, normal=given))
        for text, given in texts
    )
    return Solution(
        problem=Problem(text="What is 3 squared?", id="p1"),
        answer=answer,
        confidence=None,
        confidence_basis="",
        candidates=candidates,
        strategy="supercorrect",
        model="m",
        solve_id="s1",
    )


def test_the_method_behind_the_answer_is_kept() -> None:
    other = "<Generalized>guessing: guess</Generalized><Answer>8</Answer>"
    (kept,) = templates_of(solution("9", (other, "8"), (WHOLE, "9"), (other, "8")))
    assert kept.content == Template(
        problem_type="squares", plan="multiply the number by itself", problem="What is 3 squared?"
    )
    assert kept.trust == "unchecked"
    assert (kept.provenance.run, kept.provenance.item) == ("s1", "p1")
    assert kept.key_text == "squares\nWhat is 3 squared?"


def test_without_an_answer_or_a_method_nothing_is() -> None:
    assert templates_of(solution(None, (WHOLE, "9"))) == []
    assert templates_of(solution("9", ("It is 9.", "9"))) == []
