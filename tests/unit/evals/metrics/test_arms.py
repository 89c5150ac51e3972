"""Which records belong together, and under which name."""

from __future__ import annotations

from made_records import made_arm, made_record

from mathagent.budget import Budget
from mathagent.evals.metrics import arms
from mathagent.evals.metrics.arms import arms_of_runs, copies_words
from mathagent.evals.records import MemoryUse


def labels(*groups: list) -> list[str]:
    return [arm.label for arm in arms([record for group in groups for record in group])]


def test_names_say_what_differs_and_no_more() -> None:
    cot = made_arm("10", strategy="cot")
    assert labels(made_arm("10")) == ["pal"]
    assert labels(cot, made_arm("10")) == ["cot", "pal"]
    one = made_arm("10", config={"n": 1, "temperature": 0.7})
    eight = made_arm("10", key="", config={"n": 8, "temperature": 0.7})
    eight = [record.model_copy(update={"key": f"eight{place}"}) for place, record in enumerate(eight)]
    assert labels(one, eight) == ["pal n=1", "pal n=8"]
    assert labels(cot, one, eight) == ["cot", "pal n=1", "pal n=8"]


def test_models_data_sets_and_budgets() -> None:
    small = made_arm("10", model="openai:small")
    assert labels(small, made_arm("10", model="embedded:big")) == ["pal small", "pal big"]
    both = labels(made_arm("10", dataset="gsm8k"), made_arm("10", dataset="math500"))
    assert both == ["gsm8k: pal", "math500: pal"]
    same = labels(made_arm("10", model="openai:x"), made_arm("10", model="embedded:x"))
    assert same == ["pal openai:x", "pal embedded:x"]
    limited = [
        record.model_copy(update={"key": record.key + "b", "budget": Budget(max_tokens=512)}) for record in small
    ]
    free = [record.model_copy(update={"budget": Budget()}) for record in small]
    assert labels(limited, free) == ["pal 512 tokens", "pal no limit"]


def test_memories_are_told_apart() -> None:
    def with_memory(tag: str, use: MemoryUse | None) -> list:
        return [made_record(item, True, key=f"{tag}{item}", memory=use) for item in range(2)]

    off, learn = with_memory("a", None), with_memory("b", MemoryUse(mode="learn", store="s1", fingerprint="f0"))
    assert labels(off, learn) == ["pal memory off", "pal memory learn"]
    reads = [with_memory(tag, MemoryUse(mode="read", store="s", fingerprint=f"{tag}12345678")) for tag in "xy"]
    assert labels(*reads) == ["pal x12345", "pal y12345"]


def test_labels_are_unique_whatever_happens() -> None:
    same = [made_record(0, True, key="a", backend="b@1"), made_record(0, True, key="b", backend="c@2")]
    found = arms(same)
    assert len({arm.label for arm in found}) == 2


def test_a_record_counts_once() -> None:
    records = made_arm("110")
    [arm] = arms([*records, *records])
    assert len(arm.records) == 3


def test_a_failed_solve_joins_the_arm_that_it_fits() -> None:
    solved = made_arm("10", config={"n": 8, "temperature": 0.7})
    failed = made_record(9, "error", config={"n": 8})
    [arm] = arms([failed, *solved])
    assert arm.config == {"n": 8, "temperature": 0.7}
    assert len(arm.records) == 3
    other = made_record(9, "error", config={"n": 4})
    assert len(arms([other, *solved])) == 2


def test_runs_of_the_same_arm_stay_apart() -> None:
    before, after = (
        made_arm("1100"),
        [record.model_copy(update={"key": record.key + "new"}) for record in made_arm("1110")],
    )
    assert [arm.name for arm in arms_of_runs({"r1": before, "r2": after})] == ["pal (r1)", "pal (r2)"]


def test_runs_with_the_same_records_or_other_items_are_one_arm() -> None:
    records = made_arm("110010")
    [arm] = arms_of_runs({"r1": records[:4], "r2": records[2:]})
    assert arm.name == "pal"
    assert len(arm.records) == 6


def test_an_edited_item_is_no_other_item() -> None:
    records = made_arm("11")
    edited = [
        record.model_copy(update={"key": record.key + "e", "item_hash": record.item_hash + "e"})
        for record in records
    ]
    assert len(arms_of_runs({"r1": records, "r2": edited})) == 2


def test_an_item_that_stands_twice_counts_once_and_that_is_said() -> None:
    one, other, third = made_arm("101")
    twin = third.model_copy(update={"key": "twin", "problem_id": "twin", "item_hash": one.item_hash})
    (arm,) = arms([one, other, third, twin])
    assert arm.records == (one, other, third)
    assert arm.copies == ((one.problem_id, "twin"),)
    (whole,) = arms([one, other, third, twin], all_copies=True)
    assert (whole.records, whole.copies) == ((one, other, third, twin), ())
    # the same run given twice is one arm, copies or not
    assert len(arms_of_runs({"a": [one, other, third, twin], "b": [one, other, third, twin]})) == 1
    told = copies_words(arm.copies)
    assert told == (
        f"1 item stands several times in the data set and counts once (1 left out): {one.problem_id} = twin"
    )
    many = copies_words([("a", "b", "c"), ("d", "e"), ("f", "g")], shown=1)
    assert many.endswith(
        "3 items stand several times in the data set and count once (4 left out): a = b = c and 2 more"
    )
    assert copies_words([("a", "b"), ("c", "d")], shown=0).endswith("(2 left out)")
    assert copies_words([]) == ""


def test_an_item_with_another_name_in_another_run_is_no_copy() -> None:
    first = made_arm("1")[0]
    renamed = first.model_copy(update={"key": "k", "problem_id": "renamed", "attempt": 1})
    (arm,) = arms([first, renamed])
    assert (arm.records, arm.copies) == ((first, renamed), ())
    unhashed = [one.model_copy(update={"item_hash": "", "attempt": 0}) for one in (first, renamed)]
    assert arms(unhashed)[0].copies == ()
