"""The plan: every attempt once, under a key and a seed of its own; keys that stay what they were."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.budget import Budget
from mathagent.errors import UnsupportedOption, UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.plan import Arm, attempt_seed, plan
from mathagent.evals.records import record_key
from mathagent.models.base import Capabilities
from mathagent.models.scripted import ScriptedBackend
from mathagent.prompts import prompt_hash
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem

SUMS = Dataset(
    name="sums", problems=tuple(Problem(text=f"{n}+1?", id=f"s{n}", reference=str(n + 1)) for n in range(3))
)
TWICE = Dataset(name="twice", problems=(*SUMS.problems, SUMS.problems[0].model_copy(update={"id": "again"})))
SEEDLESS = Capabilities(n=True)


def solver(*, cache: bool = False, capabilities: Capabilities | None = None) -> Solver:
    return Solver(ScriptedBackend([], capabilities=capabilities), cache=cache, checkpoints=False)


async def test_by_data_set_then_arm_then_attempt_then_problem() -> None:
    arms = [Arm(strategy="cot", config={}, attempts=2), Arm(strategy="pal", config={}, attempts=2)]
    async with solver() as one:
        planned = await plan(one, [SUMS, TWICE], arms)
    assert [item.place for item in planned] == list(range(len(planned)))
    assert [(item.dataset, item.arm.strategy, item.attempt, item.problem.id) for item in planned] == [
        (dataset.name, arm.strategy, attempt, problem.id)
        for dataset in (SUMS, TWICE)
        for arm in arms
        for attempt in range(2)
        for problem in dataset.problems
    ]


async def test_every_attempt_has_a_key_of_its_own_but_the_data_set_is_no_part_of_it() -> None:
    async with solver() as one:
        first = await plan(one, [TWICE], [Arm(strategy="cot", config={}, attempts=3)])
        again = await plan(one, [SUMS], [Arm(strategy="cot", config={}, attempts=3)])
    keys = [item.key for item in first]
    assert len(set(keys)) == len(keys) == 12
    assert {item.key for item in again} < set(keys)


async def test_the_first_attempt_keeps_the_key_that_it_always_had() -> None:
    async with solver() as one:
        (item, *_) = await plan(one, [SUMS], [Arm(strategy="cot", config={"max_tokens": 64}, seed=3, attempts=2)])
    cot = STRATEGIES.load("cot")
    assert item.key == record_key(
        SUMS.problems[0],
        strategy="cot",
        config=cot.configure({"max_tokens": 64}).model_dump(mode="json"),
        model="script:test",
        seed=3,
        budget=Budget(),
        prompts=prompt_hash(*cot.prompts),
    )
    assert item.seed == 3


@given(seed=st.one_of(st.none(), st.integers(0, 2**31 - 1)))
def test_seeds_of_attempts_are_far_apart(seed: int | None) -> None:
    seeds = [attempt_seed(seed, attempt) for attempt in range(1, 50)]
    assert attempt_seed(seed, 0) == seed
    known = sorted(one for one in [seed, *seeds] if one is not None)
    assert all(0 <= one < 2**31 for one in known)
    assert len(set(known)) == len(known)
    assert seeds == [attempt_seed(seed, attempt) for attempt in range(1, 50)]


async def test_a_backend_without_seeds_makes_attempts_only_without_the_cache() -> None:
    several = Arm(strategy="cot", config={}, attempts=2)
    async with solver(cache=True, capabilities=SEEDLESS) as one:
        with pytest.raises(UsageError, match="add --no-cache"):
            await plan(one, [SUMS], [several])
        with pytest.raises(UnsupportedOption, match="does not support seed"):
            await plan(one, [SUMS], [Arm(strategy="cot", config={}, seed=1)])
    async with solver(capabilities=SEEDLESS) as one:
        planned = await plan(one, [SUMS], [several])
    assert {item.seed for item in planned} == {None}
    assert len({item.key for item in planned}) == 6


async def test_settings_are_whole_and_wrong_ones_refused() -> None:
    async with solver() as one:
        (item, *_) = await plan(one, [SUMS], [Arm(strategy="cot", config={"n": 2})])
        assert item.config.sampling_temperature == 0.7
        assert replace(item, attempt=1) != item
        with pytest.raises(UsageError, match="has no setting 'nn'"):
            await plan(one, [SUMS], [Arm(strategy="cot", config={}), Arm(strategy="cot", config={"nn": 2})])
