"""AnswerComparer: what goes to the worker, what is remembered, and how answers are grouped."""

from __future__ import annotations

from pydantic import JsonValue

from mathagent.answers.compare import AnswerComparer
from mathagent.answers.equality import compare, compare_fast
from mathagent.errors import WorkerError
from mathagent.types import Answer

MONSTER = "x^{x^{99999}}"


class InProcess:
    """A caller without processes: runs ``compare`` here, and says "too late" for texts with a monster in them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    async def __call__(self, function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
        self.calls.append((function.rpartition(":")[2], *map(str, args)))
        if any(MONSTER in str(arg) for arg in args):
            raise WorkerError("ran past 5 s", timed_out=True)
        if function.endswith(":probe"):
            return True
        a, b, lenient = args
        return [*compare(str(a), str(b), bool(lenient))]


class Broken:
    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
        self.calls += 1
        raise WorkerError("a worker process died during the call")


def answer(normal: str) -> Answer:
    return Answer(raw=normal, normal=normal)


async def test_plain_answers_never_reach_the_worker() -> None:
    caller = InProcess()
    comparer = AnswerComparer(caller)
    assert (await comparer.equal("1/2", "0.5")).verdict == "equal"
    assert (await comparer.equal("Evelyn", "5")).verdict == "different"
    assert (await comparer.equal(None, "5")).verdict == "different"
    assert (await comparer.equal(None, None)).verdict == "different"
    assert caller.calls == []


async def test_a_verdict_is_asked_for_once_in_either_order() -> None:
    caller = InProcess()
    comparer = AnswerComparer(caller)
    first = await comparer.equal("(x+1)^2", "x^2+2x+1")
    second = await comparer.equal("x^2+2x+1", answer("(x+1)^2"))
    assert first.verdict == second.verdict == "equal"
    assert first.seconds > 0
    assert second.seconds == 0
    assert len(caller.calls) == 1
    await comparer.equal("(x+1)^2", "x^2+2x+1", lenient=True)
    assert len(caller.calls) == 2


async def test_a_timeout_is_undecided_and_its_text_is_not_waited_for_again() -> None:
    caller = InProcess()
    comparer = AnswerComparer(caller)
    assert (await comparer.equal(f"{MONSTER}+x", "x^2")).verdict == "undecided"
    assert [call[0] for call in caller.calls] == ["compare", "probe", "probe"]
    assert (await comparer.equal(f"{MONSTER}+x", "x^3")).verdict == "undecided"
    assert len(caller.calls) == 3
    # The innocent partner is still compared with others.
    assert (await comparer.equal("x^2", "x\\cdot x")).verdict == "equal"


async def test_a_broken_worker_is_undecided_and_asked_again_next_time() -> None:
    caller = Broken()
    comparer = AnswerComparer(caller)
    for _ in range(2):
        comparison = await comparer.equal("x^2", "x^3")
        assert comparison.verdict == "undecided"
        assert "died" in comparison.reason
    assert caller.calls == 2


async def test_classes_go_by_value_in_order_of_appearance() -> None:
    comparer = AnswerComparer(InProcess())
    texts = ["1/2", "x^2", None, "0.5", "2", "x\\cdot x", "50%", None, "1/2"]
    answers = [None if text is None else answer(text) for text in texts]
    assert await comparer.equivalence_classes(answers) == [[0, 3, 6, 8], [1, 5], [4]]


async def test_missing_answers_form_no_class() -> None:
    comparer = AnswerComparer(InProcess())
    assert await comparer.equivalence_classes([None, None, None]) == []
    assert await comparer.equivalence_classes([]) == []


async def test_classes_are_disjoint_where_equality_is_not_transitive() -> None:
    comparer = AnswerComparer(InProcess())
    answers = [answer("5 cm"), answer("5"), answer("5 m"), answer("5")]
    assert await comparer.equivalence_classes(answers) == [[0, 1, 3], [2]]
    assert compare_fast("5", "5 m") == compare_fast("5 m", "5")


async def test_undecided_counts_as_different_in_a_vote() -> None:
    comparer = AnswerComparer(InProcess())
    answers = [answer("x^2"), answer(f"{MONSTER}+x"), answer(f"{MONSTER}+x"), answer("x\\cdot x")]
    assert await comparer.equivalence_classes(answers) == [[0, 3], [1, 2]]
