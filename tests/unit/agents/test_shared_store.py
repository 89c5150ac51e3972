"""The shared store: the best m of all rounds, however they came; and how a response looks to others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.blocks.shared_store import best_responses, response_text
from mathagent.types import Candidate, Execution, Failure, Step

NONE = Failure(kind="no-answer", message="none")
WRITTEN = Candidate(steps=(Step(kind="thought", text="hm"),), failure=NONE)
UNWRITTEN = Candidate(failure=NONE)


@given(st.lists(st.tuples(st.sampled_from([WRITTEN, UNWRITTEN]), st.sampled_from([0.0, 0.5, 1.0]))), st.data())
def test_the_store_of_all_rounds_is_the_store_of_the_former_store_and_the_new(
    responses: list[tuple[Candidate, float]], data: st.DataObject
) -> None:
    m = data.draw(st.integers(1, 4))
    size = data.draw(st.integers(1, 4))
    candidates, scores = [one for one, _ in responses], [score for _, score in responses]
    store: list[int] = []
    for start in range(0, len(responses), size):
        pool = [*store, *range(start, min(start + size, len(responses)))]
        kept = best_responses([candidates[one] for one in pool], [scores[one] for one in pool], m)
        store = [pool[place] for place in kept]
    assert best_responses(candidates, scores, m) == store
    assert all(candidates[one].steps for one in store)


def test_a_response_is_its_words_programs_and_outputs() -> None:
    execution = Execution(status="ok", stdout="7\n")
    steps = (
        Step(kind="thought", text="I add."),
        Step(kind="code", text="print(7)"),
        Step(kind="observation", text="7", origin="tool", execution=execution),
        Step(kind="thought", text="It is 7."),
    )
    candidate = Candidate(steps=steps, failure=NONE)
    text = "I add.\n```python\nprint(7)\n```\n```output\n7\n```\nIt is 7."
    assert response_text(candidate) == response_text(candidate, 500) == text
    shown = response_text(candidate, 50)
    assert len(shown) == 50
    assert shown.startswith("I add.")
    assert shown.endswith("is 7.")
