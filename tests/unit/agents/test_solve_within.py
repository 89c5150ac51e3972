"""A solve inside a node: what was paid for before the node was ended is not paid for again; a person can be asked."""

from __future__ import annotations

import json

from mathagent.agents.blocks.solve_within import numbered_from
from mathagent.agents.human import Human
from mathagent.events import CandidateProposed, Event, Warned
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Approved, Candidate, Failure

QUESTION = "A number x and 4 add up to 10. What is x?"
PLAIN = Capabilities(json_schema=True)
NO_CHECK = Reply(text=json.dumps({"reasoning": "none fits", "checks": []}), role="verifier")


def test_samples_are_numbered_from_the_first() -> None:
    heard: list[Event] = []
    emit = numbered_from(3, heard.append)
    proposed = CandidateProposed(sample=1, candidate=Candidate(failure=Failure(kind="no-answer", message="")))
    warned = Warned(message="no sample")
    emit(proposed)
    emit(warned)
    assert heard == [proposed.model_copy(update={"sample": 4}), warned]


async def test_a_node_that_is_ended_half_way_goes_on_from_the_journal() -> None:
    """The judge inside glore inside smart-meta is down; the draft before it is not asked for again."""
    config = {"strategies": ["glore"]}
    draft = Reply(text="So \\boxed{6}", role="reasoner")
    backend = ScriptedBackend([draft, Reply(error="down", role="judge")], capabilities=PLAIN)
    async with Solver(backend, cache=False) as solver:
        ended = await solver.solve(QUESTION, "smart-meta", config=config)
    assert (ended.answer, ended.stopped, ended.resumable) == ("6", "error", True)
    judged = Reply(
        text=json.dumps({"reasoning": "fine", "score": 0.95}), role="judge", contains=("So \\boxed{6}",)
    )
    backend = ScriptedBackend([judged, NO_CHECK], capabilities=PLAIN)
    async with Solver(backend, cache=False) as solver:
        solution = await solver.solve(resume=ended.solve_id)
    backend.assert_finished()
    assert (solution.answer, solution.stopped, solution.usage.calls) == ("6", "finished", 3)
    assert len(solution.candidates) == 1


async def test_a_person_is_asked_from_within() -> None:
    program = Reply(text="```python\ndef solution():\n    return 10 - 4\n```", role="coder")
    backend = ScriptedBackend([program, NO_CHECK], capabilities=PLAIN)
    human = Human(approve_code=True)
    async with Solver(backend, cache=False) as solver:
        solution = await solver.solve(QUESTION, "smart-meta", config={"strategies": ["pal"]}, human=human)
        assert solution.waiting_for is not None
        assert "return 10 - 4" in solution.waiting_for.program
        for _ in range(8):
            if solution.waiting_for is None:
                break
            solution = await solver.solve(resume=solution.solve_id, answer=Approved())
    backend.assert_finished()
    assert (solution.answer, solution.stopped) == ("6", "finished")
    assert solution.usage.calls == 2
