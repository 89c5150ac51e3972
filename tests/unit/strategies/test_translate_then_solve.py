"""translate-then-solve and the other settings of MGSM: calls, prompts, translations that are not used, answers back."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.events import Event, Warned
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Problem, Solution

QUESTION = "Ein Bauer hat 12 Kühe und kauft noch 15 dazu. Wie viele Kühe hat er?"
IN_ENGLISH = "A farmer has 12 cows and buys 15 more. How many cows does he have?"
ANSWER = "12 + 15 = 27, so he has \\boxed{27} cows."
TRANSLATED = Reply(text=IN_ENGLISH, role="translator", contains=(QUESTION, "into English"))


async def solve(
    backend: ScriptedBackend, budget: Budget | None = None, problem: Problem | str = QUESTION, **config: object
) -> tuple[Solution, list[str]]:
    events: list[Event] = []
    async with Solver(backend, cache=False) as solver:
        solution = await solver.solve(
            problem, "translate-then-solve", budget=budget, config=config, on_event=events.append
        )
    backend.assert_finished()
    return solution, [event.message for event in events if isinstance(event, Warned)]


async def test_the_question_is_translated_and_solved_in_english() -> None:
    solving = Reply(text=ANSWER, role="reasoner", contains=(IN_ENGLISH,), lacks=("Kühe",))
    backend = ScriptedBackend([TRANSLATED, solving])
    solution, warnings = await solve(backend)
    assert (solution.answer, len(backend.requests), warnings) == ("27", 2, [])
    assert solution.problem.text == QUESTION


async def test_english_is_not_translated() -> None:
    backend = ScriptedBackend([Reply(text=ANSWER, role="reasoner", contains=(IN_ENGLISH,))])
    assert (await solve(backend, problem=IN_ENGLISH))[0].answer == "27"


async def test_what_the_problem_says_of_its_language_counts() -> None:
    backend = ScriptedBackend([Reply(text="Compute 12 + 15.", role="translator"), ANSWER])
    assert (await solve(backend, problem=Problem(text="Laske 12 + 15.", language="fi")))[0].answer == "27"


@pytest.mark.parametrize(
    ("setting", "says"),
    [("en-cot", "in English"), ("native-cot", "step by step, in German"), ("direct", "nothing else")],
)
async def test_the_other_settings_are_one_call(setting: str, says: str) -> None:
    backend = ScriptedBackend([Reply(text=ANSWER, role="reasoner", contains=(QUESTION, says))])
    assert (await solve(backend, setting=setting))[0].answer == "27"


@pytest.mark.parametrize(
    "useless",
    [
        Reply(text=IN_ENGLISH.replace("15", "51")),
        Reply(text="A farmer has 12", finish_reason="length"),
        Reply(text=""),
        Reply(error="gone", status=404),
    ],
)
async def test_a_translation_that_cannot_be_used_leaves_the_question(useless: Reply) -> None:
    backend = ScriptedBackend([useless, Reply(text=ANSWER, contains=(QUESTION, "in English"))])
    solution, warnings = await solve(backend)
    assert solution.answer == "27"
    [warning] = warnings
    assert warning.startswith("the translation into English is not used")


async def test_the_solution_comes_back_in_the_askers_language() -> None:
    back = "12 + 15 = 27, also hat er \\boxed{27} Kühe."
    told = Reply(text=back, role="translator", contains=(ANSWER, "into German"))
    solution, _ = await solve(ScriptedBackend([TRANSLATED, ANSWER, told]), answer_in="question")
    assert (solution.answer, solution.winner) == ("27", 1)
    assert [step.text for step in solution.candidates[1].steps] == [ANSWER, back]


@pytest.mark.parametrize("language", [None, "el"])
async def test_a_language_without_a_name_is_shown_by_the_question(language: str | None) -> None:
    question = Problem(text="Ο αγρότης έχει 12 αγελάδες και αγοράζει άλλες 15. Πόσες έχει;", language=language)
    back = Reply(text="12 + 15 = 27, άρα \\boxed{27}.", role="translator", contains=(question.text, ANSWER))
    english = Reply(text=IN_ENGLISH, role="translator", lacks=("A text in that language",))
    solution, _ = await solve(ScriptedBackend([english, ANSWER, back]), problem=question, answer_in="question")
    assert solution.candidates[1].steps[-1].text == back.text


async def test_a_translation_with_another_answer_is_dropped() -> None:
    wrong = Reply(text="12 + 15 = 27, also hat er \\boxed{28} Kühe.", role="translator")
    solution, warnings = await solve(ScriptedBackend([TRANSLATED, ANSWER, wrong]), answer_in="question")
    assert (solution.answer, len(solution.candidates)) == ("27", 1)
    assert "another answer" in warnings[-1]


async def test_an_answer_in_words_is_told_in_the_askers_words() -> None:
    question = "Heute ist Montag. Welcher Tag ist in 9 Tagen und wie heißt er?"
    backend = ScriptedBackend(
        ["Today is Monday. Which day is it in 9 days?", "\\boxed{Wednesday}", "Es ist \\boxed{Mittwoch}."]
    )
    solution, _ = await solve(backend, problem=question, answer_in="question")
    assert solution.answer == "Mittwoch"


@pytest.mark.parametrize(
    ("english", "german", "answer"),
    [
        ("a + b", "a - b", "a+b"),
        ("xy", "yz", "xy"),
        ("yes", "no", "yes"),
        ("yes", "ja", "ja"),
        ("three dogs", "drei Hunde", "drei Hunde"),
        ("three dogs", "3", "three dogs"),
    ],
)
async def test_another_answer_that_is_no_number_is_dropped_too(english: str, german: str, answer: str) -> None:
    question = "Der Bauer hat a Kühe und kauft noch b dazu. Was ist das und wie viele sind es?"
    script = ["What is it, and how many?", f"\\boxed{{{english}}}", f"Es ist \\boxed{{{german}}}."]
    solution, _ = await solve(ScriptedBackend(script), problem=question, answer_in="question")
    assert solution.answer is not None
    assert solution.answer.replace(" + ", "+") == answer


async def test_a_translation_with_other_choices_is_dropped() -> None:
    problem = Problem(text=QUESTION, choices=("27", "30", "54/2", "15"))
    translation = f"{IN_ENGLISH}\nChoices:\n(A) 27\n(B) 30\n(C) 54/2\n(D) 15"
    script = [translation, "\\boxed{A, C}", "Es ist \\boxed{A, B}."]
    solution, warnings = await solve(ScriptedBackend(script), problem=problem, answer_in="question")
    assert solution.answer == "A, C"
    assert "another answer" in warnings[-1]


async def test_choices_are_translated_with_the_question() -> None:
    problem = Problem(text=QUESTION, choices=("27 Kühe", "30 Kühe"))
    translation = Reply(text=f"{IN_ENGLISH}\nChoices:\n(A) 27 cows\n(B) 30 cows", contains=("(A) 27 Kühe",))
    backend = ScriptedBackend([translation, Reply(text="\\boxed{A}", contains=("(A) 27 cows",), lacks=("Kühe",))])
    assert (await solve(backend, problem=problem))[0].answer == "A"


@pytest.mark.parametrize(
    ("choices", "used"),
    [("", False), ("\nA) cows\nB) sheep", True), ("\n(A) cows (B) sheep", True), ("\n(A) cows", False)],
)
async def test_a_translation_without_the_choices_is_not_used(choices: str, used: bool) -> None:
    problem = Problem(text="Was hat er und wie viele sind es?", choices=("Kühe", "Schafe"))
    solving = Reply(text="\\boxed{A}", contains=("What has he?" if used else "(B) Schafe",))
    solution, warnings = await solve(ScriptedBackend([f"What has he?{choices}", solving]), problem=problem)
    assert solution.answer == "A"
    assert len(warnings) == (0 if used else 1)


async def test_chains_vote_and_budget_nonsense_and_a_dead_endpoint_are_named() -> None:
    solution, _ = await solve(ScriptedBackend([TRANSLATED, ANSWER, "\\boxed{3}", ANSWER]), n=3)
    assert solution.answer == "27"
    solution, _ = await solve(ScriptedBackend([TRANSLATED]), Budget(max_calls=1))
    assert (solution.answer, solution.stopped) == (None, "budget")
    solution, _ = await solve(ScriptedBackend([TRANSLATED, ANSWER]), Budget(max_calls=2), n=4)
    assert (solution.answer, solution.stopped) == ("27", "budget")
    solution, _ = await solve(ScriptedBackend(["I cannot say", "I cannot say", ""]))
    assert solution.answer is None
    gone = Reply(error="gone", status=404)
    with pytest.raises(BackendError, match="gone"):
        await solve(ScriptedBackend([gone, gone]))
