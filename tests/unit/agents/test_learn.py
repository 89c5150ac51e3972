"""What a solve leaves for memory, as its strategy would have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mathagent.agents.blocks.learn import learned
from mathagent.agents.strategy import Strategy
from mathagent.memory.experience import Experience, Fact, Provenance
from mathagent.strategies import STRATEGIES
from mathagent.types import Solution
from tests.unit.agents.test_solver_memory import check, solution

PAL: Strategy = STRATEGIES.load("pal")
FROM = Provenance(run="r", model="tiny", strategy="pal", dataset="eggs", item="e1", created=5.0)


def test_all_of_it_says_where_it_is_from() -> None:
    found = learned(solution(check("reverse")), PAL, right=None, person=False, provenance=FROM)
    assert [one.kind for one in found] == ["exemplar", "statistics"]
    assert all(one.provenance == FROM for one in found)


def test_a_strategy_has_the_last_word_and_its_own_origin_stays() -> None:
    own = Experience(
        content=Fact(title="t", statement="s"), provenance=Provenance(strategy="inner", source="book")
    )

    def learn(solved: Solution, found: Sequence[Experience]) -> list[Experience]:
        return [*(one for one in found if one.kind != "exemplar"), own]

    strategy = replace(PAL, learn=learn)
    found = learned(solution(), strategy, right=True, person=False, provenance=FROM)
    assert [one.kind for one in found] == ["statistics", "fact"]
    assert found[-1].provenance == FROM.model_copy(update={"strategy": "inner", "source": "book"})


def test_who_said_so_decides_the_trust() -> None:
    for right, person, trust in ((True, False, "graded"), (True, True, "person"), (None, True, "verified")):
        found = learned(solution(check("reverse")), PAL, right=right, person=person, provenance=FROM)
        assert found[0].trust == trust
