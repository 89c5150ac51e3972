"""dip against the deterministic test of its card: hints in the prompt, one call, the baseline without a dictionary."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.strategies.dip import STRATEGY
from mathagent.types import Problem, Solution

QUESTION = "Juma ana mbwa 3 na paka 2. Ana wanyama wangapi?"
ANSWER = "Juma has 3 dogs and 2 cats. 3 + 2 = 5, so \\boxed{5}."


async def solve(
    backend: ScriptedBackend, budget: Budget | None = None, problem: Problem | str = QUESTION, **config: object
) -> Solution:
    async with Solver(backend, cache=False) as solver:
        solution = await solver.solve(problem, "dip", budget=budget, config=config)
    backend.assert_finished()
    return solution


async def test_the_question_is_asked_once_with_hints() -> None:
    hinted = "Juma ana (has) mbwa (dog) 3 na (and) paka (cat) 2. Ana (has) wanyama wangapi (how many)?"
    backend = ScriptedBackend([Reply(text=ANSWER, role="reasoner", contains=(hinted, "in English"))])
    solution = await solve(backend, dictionary="sample-sw")
    assert solution.answer == "5"
    assert len(backend.requests) == 1
    assert solution.problem.text == QUESTION
    assert len(str(solution.config["dictionary_hash"])) == 16


async def test_without_a_dictionary_the_question_stays() -> None:
    backend = ScriptedBackend([Reply(text=ANSWER, contains=(QUESTION,), lacks=("(dog)",))])
    assert (await solve(backend)).answer == "5"


async def test_several_chains_vote_and_an_unstated_answer_is_asked_for() -> None:
    backend = ScriptedBackend([ANSWER, "It is \\boxed{6}.", "Five.", Reply(text="5.", role="extractor")])
    assert (await solve(backend, n=3)).answer == "5"


async def test_choices_have_hints_and_a_letter_is_the_answer() -> None:
    problem = Problem(text=QUESTION, choices=("mbwa", "5"))
    backend = ScriptedBackend(
        [Reply(text="\\boxed{B}", contains=("(A) mbwa (dog)", "letter of the right choice"))]
    )
    assert (await solve(backend, problem=problem, dictionary="sample-sw")).answer == "B"


def test_a_dictionary_is_known_by_its_text(tmp_path: Path) -> None:
    path = tmp_path / "sw.tsv"
    path.write_text("mbwa\tdog\n", encoding="utf-8")
    config = STRATEGY.configure({"dictionary": str(path)})
    assert STRATEGY.configure(config.model_dump(mode="json")) == config
    path.write_text("mbwa\thound\n", encoding="utf-8")
    assert STRATEGY.configure({"dictionary": str(path)}) != config
    with pytest.raises(UsageError, match="not the one that this was begun with"):
        STRATEGY.configure(config.model_dump(mode="json"))
    with pytest.raises(UsageError, match="cannot read the dictionary"):
        STRATEGY.configure({"dictionary": str(tmp_path / "none")})


async def test_budget_nonsense_and_a_dead_endpoint() -> None:
    solution = await solve(ScriptedBackend([ANSWER]), Budget(max_calls=1), n=4)
    assert (solution.answer, solution.stopped) == ("5", "budget")
    solution = await solve(ScriptedBackend(["I cannot say", ""]))
    assert solution.answer is None
    assert solution.candidates[0].failure is not None
    with pytest.raises(BackendError, match="gone"):
        await solve(ScriptedBackend([Reply(error="gone", status=404)]))


def test_no_setting_is_without_effect() -> None:
    with pytest.raises(UsageError, match="no setting 'trigger'"):  # its prompt has a sentence of its own
        STRATEGY.configure({"trigger": "First,"})


def test_the_table_of_strategies_says_that_it_is_little_without_a_dictionary() -> None:
    assert STRATEGY.needs == ("dictionary",)
