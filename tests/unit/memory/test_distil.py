"""What a solve leaves for memory: the gate, exemplars, lessons, statistics."""

from __future__ import annotations

import ast
from itertools import product
from typing import Any

import pytest

from mathagent.memory.distil import certified, experiences_of, trust_in, working_program
from mathagent.memory.experience import (
    Exemplar,
    Experience,
    Lesson,
    Provenance,
    StrategyStatistics,
)
from mathagent.types import (
    Answer,
    Candidate,
    Check,
    CheckKind,
    CheckOutcome,
    Execution,
    Failure,
    Problem,
    Solution,
    Step,
    Usage,
)

PROBLEM = Problem(text="Sam has 3 boxes of 6 eggs each and eats 2 eggs. How many eggs are left?")
RIGHT = "def solution():\n    # 3 boxes of 6\n    eggs = 3 * 6\n    return eggs - 2"
WRONG = "def solution():\n    # 3 boxes of 6\n    eggs = 3 + 6\n    return eggs - 2"
FROM = Provenance(run="run-1", model="tiny", strategy="pal", created=5.0)


def check(kind: CheckKind, outcome: CheckOutcome = "holds", claim: str = "") -> Check:
    return Check(kind=kind, program="True", expected="True", outcome=outcome, claim=claim)


def ran(*programs: tuple[str, str | None], answer: str | None, **fields: Any) -> Candidate:
    """A candidate that ran ``programs`` (source, error); that the last gave the answer is checked, unless said."""
    steps: list[Step] = []
    for source, error in programs:
        execution = Execution(status="error" if error else "ok", error=error)
        steps += [
            Step(kind="code", text=source),
            Step(kind="observation", text="", origin="tool", execution=execution),
        ]
    if answer is None:
        return Candidate(steps=tuple(steps), failure=Failure(kind="code-error", message=programs[-1][1] or ""))
    gives = Check(kind="execution", program=f"{programs[-1][0]}\n\nsolution()\n", expected=answer, outcome="holds")
    return Candidate(
        steps=tuple(steps), answer=Answer(raw=answer, normal=answer), **{"checks": (gives,), **fields}
    )


def said(*texts: str, answer: str) -> Candidate:
    return Candidate(
        steps=tuple(Step(kind="thought", text=text) for text in texts), answer=Answer(raw=answer, normal=answer)
    )


def solution(*candidates: Candidate, answer: str | None = "16", **fields: Any) -> Solution:
    given = {
        "problem": PROBLEM,
        "confidence": 0.5,
        "confidence_basis": "",
        "strategy": "pal",
        "model": "tiny",
        **fields,
    }
    return Solution(answer=answer, candidates=candidates, usage=Usage(completion_tokens=70), seconds=2.0, **given)


def learned(
    one: Solution, *, reference_grade: bool | None = None, person: bool | None = None
) -> dict[str, list[Experience]]:
    by_kind: dict[str, list[Experience]] = {"exemplar": [], "lesson": [], "statistics": []}
    for experience in experiences_of(one, reference_grade=reference_grade, person=person, provenance=FROM):
        assert experience.provenance == FROM
        by_kind[experience.kind].append(experience)
    return by_kind


def exemplar(found: dict[str, list[Experience]]) -> Exemplar:
    (only,) = found["exemplar"]
    assert isinstance(only.content, Exemplar)
    return only.content


def lessons(found: dict[str, list[Experience]]) -> list[Lesson]:
    return [one.content for one in found["lesson"] if isinstance(one.content, Lesson)]


STRONG = (check("execution"), check("reverse"))


@pytest.mark.parametrize(
    ("certificate", "fields", "trust"),
    [
        (STRONG, {}, "verified"),
        ((check("execution"),), {}, "unchecked"),
        ((check("domain"), check("dimension")), {}, "unchecked"),
        ((check("reverse", "undecided"),), {}, "unchecked"),
        ((*STRONG, check("domain", "fails")), {}, "unchecked"),
        ((check("agreement"),), {}, "judged"),
        ((check("agreement"), check("recomputation")), {}, "judged"),
        ((check("agreement"), check("substitution")), {}, "verified"),
        (STRONG, {"abstained": True}, "unchecked"),
        (STRONG, {"stopped": "budget"}, "unchecked"),
        (STRONG, {"answer": None}, "unchecked"),
        ((), {}, "unchecked"),
    ],
)
def test_what_a_certificate_is_worth(certificate: tuple[Check, ...], fields: dict[str, Any], trust: str) -> None:
    one = solution(ran((RIGHT, None), answer="16"), certificate=certificate, **fields)
    assert trust_in(one) == trust
    assert certified(one) == (trust == "verified")
    found = learned(one)
    assert [one.trust for one in found["exemplar"]] == ([] if trust == "unchecked" else [trust])
    assert len(found["statistics"]) == (trust == "verified")
    assert found["lesson"] == []


@pytest.mark.parametrize(("grade", "person"), list(product([None, True, False], repeat=2)))
def test_reference_and_person_outweigh_the_certificate(grade: bool | None, person: bool | None) -> None:
    """Above all: what one of them calls wrong never becomes an exemplar, whatever the certificate says."""
    one = solution(ran((RIGHT, None), answer="16"), certificate=STRONG)
    found = learned(one, reference_grade=grade, person=person)
    wrong = grade is False or person is False
    assert bool(found["exemplar"]) != wrong
    assert bool(found["lesson"]) == wrong
    (statistics,) = found["statistics"]
    assert isinstance(statistics.content, StrategyStatistics)
    assert statistics.content.success != wrong
    wanted = "person" if person is not None and wrong == (person is False) else "graded"
    if grade is person is None:
        wanted = "verified"
    assert statistics.trust == wanted
    assert {one.trust for one in (*found["exemplar"], *found["lesson"])} == {wanted}


def test_a_grade_needs_no_certificate() -> None:
    one = solution(ran((RIGHT, None), answer="16"), stopped="budget", abstained=True)
    found = learned(one, reference_grade=True)
    assert exemplar(found) == Exemplar(problem=PROBLEM.text, program=RIGHT, answer="16")
    assert found["exemplar"][0].score == 1.0
    (statistics,) = found["statistics"]
    assert statistics.content == StrategyStatistics(
        problem=PROBLEM.text, strategy="pal", model="tiny", success=True, tokens=70, seconds=2.0
    )


def test_the_shortest_program_and_the_shortest_words_are_kept() -> None:
    long = RIGHT.replace("eggs = 3 * 6", "boxes = 3\n    each = 6\n    eggs = boxes * each")
    one = solution(
        said("First 3 times 6 is 18. Then 18 less 2 is 16, so that 16 are left. \\boxed{16}", answer="16"),
        ran((long, None), answer="16.0"),
        said("3 * 6 - 2 = 16. \\boxed{16}", answer="16"),
        ran((RIGHT, None), answer="16"),
        ran(("return 7", None), answer="7"),
        certificate=STRONG,
    )
    found = learned(one)
    assert exemplar(found) == Exemplar(
        problem=PROBLEM.text, program=RIGHT, reasoning="3 * 6 - 2 = 16. \\boxed{16}", answer="16"
    )
    assert found["exemplar"][0].evidence == STRONG
    assert found["statistics"][0].evidence == ()


def test_a_program_that_failed_or_a_check_speaks_against_is_no_exemplar() -> None:
    crashed = ran((RIGHT, "ZeroDivisionError"), answer="16")
    contradicted = ran((WRONG, None), answer="16", checks=(check("domain", "fails"),))
    assert learned(solution(crashed, contradicted), reference_grade=True)["exemplar"] == []


def test_what_is_too_long_to_be_shown_is_no_exemplar() -> None:
    assert learned(solution(said("so " * 2000, answer="16")), reference_grade=True)["exemplar"] == []


def test_a_session_is_kept_as_what_was_checked() -> None:
    cells = (("eggs = 3 * 6", None), ("eggs - 2", None))
    alone = ran(*cells, answer="16", checks=())
    assert working_program(alone) == ""
    whole = "eggs = 3 * 6\neggs - 2"
    done = Check(kind="execution", program=whole, expected="16", outcome="holds")
    assert working_program(ran(*cells, answer="16", checks=(done,))) == whole
    printed = f'exec(compile({whole!r}, "<program>", "exec"), {{}})'
    held = done.model_copy(update={"program": printed})
    assert working_program(ran(*cells, answer="16", checks=(held,))) == whole


def test_choices_and_subject_are_kept() -> None:
    problem = PROBLEM.model_copy(update={"choices": ("15", "16"), "metadata": {"subject": "Arithmetic"}})
    one = solution(ran((RIGHT, None), answer="B"), answer="B", problem=problem)
    found = learned(one, reference_grade=True)
    assert exemplar(found).choices == ("15", "16")
    assert found["exemplar"][0].subject == "Arithmetic"
    statistics = found["statistics"][0].content
    assert isinstance(statistics, StrategyStatistics)
    assert statistics.problem == f"{PROBLEM.text}\n15\n16"


def test_a_wrong_answer_becomes_a_lesson_without_a_fix() -> None:
    certificate = (check("reverse", "fails", claim="from the answer 7 follows 5 eggs in a box"),)
    one = solution(ran((WRONG, None), answer="7"), answer="7", certificate=certificate)
    found = learned(one, reference_grade=False)
    (lesson,) = lessons(found)
    assert lesson.problem == PROBLEM.text
    assert lesson.mistake.startswith("the answer 7 by `eggs = 3 + 6; return eggs - 2`")
    assert "from the answer 7 follows 5 eggs in a box" in lesson.mistake
    assert "not known" in lesson.fix
    assert found["lesson"][0].evidence == certificate


def test_no_answer_teaches_only_that_the_strategy_failed() -> None:
    found = learned(solution(ran((RIGHT, "boom"), answer=None), answer=None), reference_grade=False)
    assert found["lesson"] == found["exemplar"] == []
    assert len(found["statistics"]) == 1


@pytest.mark.parametrize("stopped", ["interrupted", "error"])
def test_a_solve_that_was_broken_off_says_nothing_of_its_strategy(stopped: str) -> None:
    one = solution(ran((WRONG, None), answer="7"), answer="7", stopped=stopped)
    found = learned(one, reference_grade=False)
    assert found["statistics"] == []
    assert len(found["lesson"]) == 1


def test_a_repair_in_another_candidate_is_a_lesson() -> None:
    failing = check("reverse", "fails", claim="from the answer follow 6 eggs in a box")
    one = solution(
        ran((WRONG, None), answer="7", checks=(failing,)), ran((RIGHT, None), answer="16"), certificate=STRONG
    )
    (lesson,) = lessons(learned(one))
    assert lesson.mistake.startswith("the answer 7 by")
    assert "from the answer follow 6 eggs in a box" in lesson.mistake
    assert lesson.fix == "it was put right by `eggs = 3 * 6` in place of `eggs = 3 + 6`"


def test_a_program_that_was_repaired_is_a_lesson() -> None:
    broken = RIGHT.replace("eggs - 2", "egg - 2")
    within = ran((broken, "NameError: name 'egg' is not defined"), (RIGHT, None), answer="16")
    apart = ran((broken, "NameError: name 'egg' is not defined"), answer=None)
    for one in (solution(within), solution(apart, ran((RIGHT, None), answer="16"))):
        (lesson,) = lessons(learned(one, reference_grade=True))
        assert lesson.mistake == "a program that ended with NameError: name 'egg' is not defined"
        assert lesson.fix == "it was put right by `return eggs - 2` in place of `return egg - 2`"


def test_a_critique_that_helped_is_a_lesson() -> None:
    steps = (
        Step(kind="thought", text="3 + 6 - 2 = 7. The answer is 7."),
        Step(kind="critique", text="Three boxes of six are 3 times 6, not 3 plus 6."),
        Step(kind="thought", text="3 * 6 - 2 = 16. The answer is 16."),
    )
    one = solution(Candidate(steps=steps, answer=Answer(raw="16", normal="16")))
    found = learned(one, person=True)
    (lesson,) = lessons(found)
    assert (lesson.mistake, lesson.fix) == (
        "the answer 7",
        "the critique was: Three boxes of six are 3 times 6, not 3 plus 6.",
    )
    assert exemplar(found).reasoning == "3 * 6 - 2 = 16. The answer is 16."


def test_of_many_wrong_answers_the_commonest_are_told() -> None:
    wrong = [said(f"It is {answer}.", answer=answer) for answer in ("1", "2", "2", "3", "2", "4")]
    found = lessons(learned(solution(*wrong, ran((RIGHT, None), answer="16")), reference_grade=True))
    assert [one.mistake for one in found] == ["the answer 2", "the answer 1"]
    assert "16" not in "".join(one.fix for one in found)  # near duplicates would copy it


def test_answers_that_only_look_different_are_no_mistakes() -> None:
    others = [said("so", answer=answer) for answer in ("16.0", "32/2", "x")]  # "x": nobody can say
    assert learned(solution(*others, ran((RIGHT, None), answer="16")), reference_grade=True)["lesson"] == []


def test_a_models_lessons_are_judged_and_need_a_known_end() -> None:
    note = Lesson(problem=PROBLEM.text, mistake="adding", fix="boxes of equal size multiply")
    one = solution(ran((WRONG, None), answer="7"), answer="7")
    kept = experiences_of(one, reference_grade=False, person=None, provenance=FROM, lessons=[note])
    assert [one.trust for one in kept if one.content == note] == ["judged"]
    assert experiences_of(one, reference_grade=None, person=None, provenance=FROM, lessons=[note]) == []


def test_exemplars_are_python() -> None:
    docstring, comment = f'"""{PROBLEM.text}"""', f"# {PROBLEM.text}"
    noisy = (
        f"def solution():\n    {docstring}\n    {comment}\n    return 18 - 2  # eggs\n\nassert solution() == 16"
    )
    program = exemplar(learned(solution(ran((noisy, None), answer="16")), reference_grade=True)).program
    assert program == "def solution():\n    return 18 - 2  # eggs"
    ast.parse(program)


def test_a_program_that_nobody_saw_give_the_answer_is_no_example() -> None:
    printed_other = ran(("print(3 + 4)", None), answer="3", checks=())
    assert learned(solution(printed_other, answer="3"), reference_grade=True)["exemplar"] == []
