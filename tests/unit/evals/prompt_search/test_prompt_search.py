"""Prompt search against the deterministic tests of its card: a keyword is found, halving adds up, nothing leaks."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import BackendError, UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.prompt_search import (
    METHODS,
    PromptSearch,
    SearchInterrupted,
    SearchResult,
    SearchSpec,
    Splits,
    read_settings,
    split,
    write_result,
)
from mathagent.evals.prompt_search.edits import leaks, pick_failures
from mathagent.evals.prompt_search.halving import ranked, rounds, survivors
from mathagent.evals.prompt_search.spec import Method, Wording, distinct, snippets
from mathagent.evals.records import RecordStore
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Problem

PROBLEMS = tuple(
    Problem(text=f"What is {n} + {n}, said the fox to the {n} hens?", id=f"p{n}", reference=str(2 * n))
    for n in range(1, 25)
)
DATA = Dataset(name="doubles", problems=PROBLEMS)
SPLITS = split(DATA, train=16, validation=8, seed=1)


OPENERS = ["", "You are good at mathematics.", "Captain, the crew waits.", "Captain!"]
CLOSERS = ["", "This will be fun!"]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight texts in place of sixty: a search of all takes a minute on a busy machine."""
    lists = {"openers": OPENERS, "tasks": [""], "closers": CLOSERS, "triggers": ["Go on.", "Begin."]}
    monkeypatch.setattr("mathagent.evals.prompt_search.spec.snippets", lambda: lists)


def spec(method: Method = "eccentric", **more: Any) -> SearchSpec:
    strategy, setting = METHODS[method]
    return SearchSpec(method=method, strategy=strategy, setting=setting, **{"first": 4, "parents": 2, **more})


SOLVES = 8 * 4 + 5 * 4 + 4 * 8
"""8 texts on 4 problems, the better 4 and the pinned empty one on 8, 3 and that one on 16; each is solved once."""


class Keyword(ScriptedBackend):
    """Solves a problem only where ``word`` stands in the prompt; as an editor it writes ``edits`` in turn."""

    def __init__(self, word: str, edits: tuple[str, ...] = ()) -> None:
        self.word, self.edits = word, edits
        super().__init__(self.reply)

    def reply(self, request: ChatRequest, sample: int) -> str:
        if request.role == "prompt-engineer":
            return json.dumps({"reasoning": "", "prompt": self.edits[sample % len(self.edits)]})
        told = "\n".join(message.content for message in request.messages)
        number = int(told.split("What is ")[1].split(" ")[0])
        return f"The answer is {2 * number if self.word in told else 'unknown to everybody in this large town'}."


async def searched(
    folder: Path, backend: ScriptedBackend, asked: SearchSpec, splits: Splits = SPLITS, **more: Any
) -> SearchResult:
    store = RecordStore(folder / "runs.db")
    try:
        async with Solver(backend, cache=True) as solver:
            return await PromptSearch(solver, store, asked, splits, **more).run()
    finally:
        store.close()


@pytest.mark.usefixtures("few")
async def test_a_keyword_is_found_within_a_bound(tmp_path: Path) -> None:
    result = await searched(tmp_path, Keyword("Captain"), spec())
    assert result.chosen.text == "Captain!"  # the shortest of four that do equally well
    assert (result.chosen.train.accuracy, result.chosen.validation and result.chosen.validation.accuracy) == (1, 1)
    assert result.texts == 8
    assert result.solves == SOLVES
    assert result.empty.validation is not None
    assert result.empty.validation.unread == 8
    assert result.over_empty is not None
    assert result.over_empty.p < 0.05
    assert result.best[0].text == "Captain!"


def texts() -> list[str]:
    return [one.text for one in spec().wordings()]


def test_the_empty_text_is_always_among_those_tried() -> None:
    for method in METHODS:
        found = spec(method).wordings()
        assert "" in [one.text for one in found]
        assert spec(method).baseline.text in [one.text for one in found]
    assert len(texts()) == len(set(texts())) == 60
    assert [len(snippets()[name]) for name in ("openers", "tasks", "closers")] == [5, 3, 4]


@pytest.mark.usefixtures("few")
async def test_where_no_text_helps_the_empty_one_is_chosen(tmp_path: Path) -> None:
    result = await searched(tmp_path, Keyword("What is"), spec())
    assert result.chosen.text == ""
    assert result.over_empty is None
    assert result.settings == {"system": ""}


@pytest.mark.usefixtures("few")
async def test_edits_find_the_word_that_they_were_told(tmp_path: Path) -> None:
    backend = Keyword("zebra", edits=("Think of a zebra.", "Think of nothing.", ""))
    result = await searched(tmp_path, backend, spec("pe2", steps=2, edits=3))
    assert result.chosen.text == "Think of a zebra."
    assert result.chosen.origin == "edit"
    assert result.optimizer == backend.name
    assert result.refused > 0
    asked = [request for request in backend.requests if request.role == "prompt-engineer"]
    first = asked[0].messages[1].content
    assert "The right answer:" in first
    assert "said the fox" in first
    assert "at most 50 words" in first
    assert len({request.first_sample for request in asked}) == len(asked)


@pytest.mark.usefixtures("few")
async def test_an_edit_that_tells_a_train_problem_is_not_tried(tmp_path: Path) -> None:
    problem = SPLITS.train.problems[0]
    backend = Keyword("zebra", edits=(f"zebra: {problem.text}",))
    result = await searched(tmp_path, backend, spec("pe2", steps=3))
    assert "zebra" not in result.chosen.text
    assert result.refused == 4 * 2
    assert result.stopped == "there was nothing left to edit"
    assert leaks(f"Remember: {problem.text} Yes.", [problem])
    assert not leaks("What is asked? Think.", [problem])


@pytest.mark.usefixtures("few")
async def test_validation_is_touched_once_at_the_end(tmp_path: Path) -> None:
    backend = Keyword("Captain")
    result = await searched(tmp_path, backend, spec())
    held_out = {problem.text for problem in SPLITS.validation.problems}
    touched = [any(text in request.model_dump_json() for text in held_out) for request in backend.requests]
    begin = touched.index(True)
    assert all(touched[begin:])
    asked = {result.chosen.text, "", result.baseline.text}
    solved = [one for one in backend.requests[begin:] if one.role == "reasoner"]
    assert len(solved) == len(asked) * len(held_out)
    assert not held_out & {problem.text for problem in SPLITS.train.problems}


@pytest.mark.usefixtures("few")
async def test_the_same_search_again_asks_nothing_and_comes_to_the_same(tmp_path: Path) -> None:
    edits = ("Think of a zebra.", "Think of nothing.", "Sleep.")
    asked = spec("pe2", steps=2, edits=3, seed=3)
    first = await searched(tmp_path, Keyword("zebra", edits), asked)
    again = Keyword("zebra", edits)
    assert await searched(tmp_path, again, asked) == first
    assert again.requests == []


@pytest.mark.usefixtures("few")
async def test_an_interrupted_search_goes_on_with_the_rest(tmp_path: Path) -> None:
    finish = asyncio.Event()
    backend = Keyword("Captain")

    def once(request: ChatRequest, sample: int) -> str:
        if len(backend.requests) == 20:
            finish.set()
        return backend.reply(request, sample)

    backend._respond = once
    with pytest.raises(SearchInterrupted):
        await searched(tmp_path, backend, spec(), finish=finish, concurrency=1)
    rest = Keyword("Captain")
    result = await searched(tmp_path, rest, spec())
    assert result.chosen.text == "Captain!"
    assert result.solves == SOLVES
    finished = len(backend.requests)
    assert 20 <= finished < 30
    assert len(rest.requests) == 2 * (SOLVES + 2 * 8) - finished  # two calls a solve; two texts are validated


@pytest.mark.usefixtures("few")
async def test_a_limit_of_solves_ends_the_search_with_the_best_so_far(tmp_path: Path) -> None:
    result = await searched(tmp_path, Keyword("Captain"), spec(max_solves=8 * 4))
    assert result.solves == 8 * 4
    assert result.stopped == "the limit of 32 solves is reached"
    assert "Captain" in result.chosen.text
    assert result.chosen.train.problems == 4
    with pytest.raises(UsageError, match="the first round tries 8 texts on 4 problems"):
        await searched(tmp_path, Keyword("Captain"), spec(max_solves=10))


@pytest.mark.usefixtures("few")
async def test_a_dead_endpoint_is_no_result(tmp_path: Path) -> None:
    def gone(request: ChatRequest, sample: int) -> str:
        raise BackendError("gone")

    with pytest.raises(BackendError, match="no attempt could be made: gone"):
        await searched(tmp_path, ScriptedBackend(gone), spec("pe2"))


@pytest.mark.usefixtures("few")
async def test_an_editor_that_writes_nonsense_leaves_the_texts_that_there_are(tmp_path: Path) -> None:
    class Mumbling(Keyword):
        def reply(self, request: ChatRequest, sample: int) -> str:
            return "la la" if request.role == "prompt-engineer" else super().reply(request, sample)

    result = await searched(tmp_path, Mumbling("nothing helps"), spec("pe2"))
    assert result.texts == 4
    assert result.chosen.text == ""


def test_rounds_double_up_to_all() -> None:
    assert rounds(32, 128) == [32, 64, 128]
    assert rounds(32, 100) == [32, 64, 100]
    assert rounds(32, 20) == [20]
    with pytest.raises(ValueError, match="one problem"):
        rounds(0, 4)


def test_halving_keeps_the_better_half_and_what_is_pinned() -> None:
    words = [Wording(text=text, origin="snippets") for text in ("aaaa", "bb", "c", "", "dd")]
    order = ranked(words, {"aaaa": 3, "bb": 1, "c": 3, "": 0, "dd": 1})
    assert [one.text for one in order] == ["c", "aaaa", "bb", "dd", ""]
    assert [one.text for one in survivors(order, ("",))] == ["c", "aaaa", "bb", ""]
    assert [one.text for one in survivors(order, ("",), least=4)] == ["c", "aaaa", "bb", "dd", ""]
    assert [one.text for one in distinct([*words, words[0]])] == ["aaaa", "bb", "c", "", "dd"]


def test_failures_are_picked_by_the_seed() -> None:
    assert pick_failures([], 2, random.Random(1)) == []


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"strategy": "nobody"}, "no strategy is named 'nobody'"),
        ({"setting": "sistem"}, "no setting 'sistem'; texts that it has:"),
        ({"setting": "n"}, "n = 1 of strategy 'zero-shot-cot' is no text"),
        ({"setting": "trigger"}, "give the text to start from: --start"),
        ({"settings": {"system": "x"}}, "leave out --set system"),
        ({"settings": {"nonsense": 1}}, "no setting 'nonsense'"),
        ({"start": "x" * 9000}, "system = "),
    ],
)
def test_what_is_wrong_in_what_is_asked(more: dict[str, Any], match: str) -> None:
    asked = SearchSpec(method="eccentric", **{"strategy": "zero-shot-cot", "setting": "system", **more})
    with pytest.raises(UsageError, match=match):
        asked.wordings()


def test_a_text_to_start_from_is_the_one_to_beat() -> None:
    asked = spec(start="Go on.")
    assert asked.baseline == Wording(text="Go on.", origin="baseline")
    assert asked.wordings()[0].text == "Go on."


def test_splits_have_no_common_problem_and_depend_on_the_seed() -> None:
    twice = Dataset(name="twice", problems=PROBLEMS + PROBLEMS[:5])
    found = split(twice, train=16, validation=8, seed=2)
    ids = [[problem.id for problem in part.problems] for part in (found.train, found.validation)]
    assert len({*ids[0], *ids[1]}) == 24
    assert split(twice, train=16, validation=8, seed=2) == found
    assert split(twice, train=16, validation=8, seed=3) != found
    with pytest.raises(
        UsageError, match="too few problems: 20 to train and 8 to validate are wanted, 24 different"
    ):
        split(twice, train=20, validation=8)


def test_splits_keep_families_together_and_may_stem_from_two_sets() -> None:
    family = tuple(one.model_copy(update={"metadata": {"family": one.id[:2]}}) for one in PROBLEMS)
    found = split(Dataset(name="f", problems=family), train=3, validation=3)
    sides = [{str(one.metadata["family"]) for one in part.problems} for part in (found.train, found.validation)]
    assert not sides[0] & sides[1]
    other = Dataset(name="other", problems=PROBLEMS[:10])
    apart = split(DATA, train=14, validation=2, other=other, seed=0)
    assert apart.validation.name == "other"
    assert not {one.text for one in apart.train.problems} & {one.text for one in apart.validation.problems}
    with pytest.raises(UsageError, match="other has too few"):
        split(DATA, train=14, validation=10, other=other)


def test_splits_refuse_what_cannot_be_measured() -> None:
    blank = Dataset(name="b", problems=(Problem(text="a", id="x"), Problem(text="b", id="y", reference="1")))
    with pytest.raises(UsageError, match="x has no reference"):
        split(blank, train=1, validation=1)
    with pytest.raises(UsageError, match="judgements"):
        split(DATA.model_copy(update={"task": "judge"}), train=1, validation=1)


@pytest.mark.usefixtures("few")
async def test_the_file_makes_a_strategy_use_the_text(tmp_path: Path) -> None:
    result = await searched(tmp_path, Keyword("Captain"), spec())
    path = tmp_path / "best.json"
    write_result(path, result)
    assert read_settings(path) == {"system": result.chosen.text}
    assert SearchResult.model_validate_json(path.read_text()) == result
    assert (result.chosen.hash, result.chosen.validation is None) != ("", True)
    backend = Keyword("Captain")
    async with Solver(backend, cache=False) as solver:
        solution = await solver.solve("What is 4 + 4?", "zero-shot-cot", config=read_settings(path))
    assert solution.answer == "8"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (None, "cannot read"),
        ("{", "is not JSON"),
        ("[]", "has no settings"),
        ('{"settings": {}}', "has no settings"),
    ],
)
def test_a_file_without_settings_is_said_so(tmp_path: Path, text: str | None, match: str) -> None:
    path = tmp_path / "best.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=match):
        read_settings(path)
