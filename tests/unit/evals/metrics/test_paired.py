"""Two arms on the same items: pairing, tests, groups, and what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import made_arm, made_record

from mathagent.evals.metrics.items import Ungraded, items
from mathagent.evals.metrics.paired import compare_groups, compare_pairs, pair_items
from mathagent.evals.metrics.significance import mcnemar


def pairing(first: list, second: list, ungraded: Ungraded = "leave-out"):
    return pair_items(items(first, ungraded=ungraded), items(second, ungraded=ungraded))


def test_plain_items_have_mcnemar_and_newcombe() -> None:
    """1101011011 against 1001001010: the difference is -.3, and its error sqrt(2.1 / 9 / 10) = .152753."""
    found = compare_pairs(pairing(made_arm("1101011011"), made_arm("1001001010")).pairs)
    assert (found.first, found.second) == (0.7, 0.4)
    assert found.difference == pytest.approx(-0.3)
    assert found.standard_error == pytest.approx(0.152753, abs=5e-7)
    assert (found.better, found.worse) == (0, 3)
    assert found.test == "exact McNemar"
    assert found.p == mcnemar(3, 0).exact == 0.25
    assert found.low < -0.3 < found.high


def test_items_in_another_order_and_missing_ones() -> None:
    first, second = made_arm("1100"), made_arm("10101")[::-1]
    found = pairing(first, second[:-1])
    assert [pair.first.problem_id for pair in found.pairs] == ["p1", "p2", "p3"]
    assert found.only_first == ("p0",)
    assert found.only_second == ("p4",)
    assert found.edited == ()


def test_an_edited_item_is_not_compared() -> None:
    second = made_arm("11")
    second[1] = second[1].model_copy(update={"item_hash": "another"})
    found = pairing(made_arm("10"), second)
    assert len(found.pairs) == 1
    assert found.edited == ("p1",)
    assert found.only_first == found.only_second == ()


def test_ungraded_attempts_are_left_out_or_wrong_as_asked() -> None:
    first, second = made_arm("11?!"), made_arm("1?11")
    left_out = pairing(first, second)
    assert len(left_out.pairs) == 1
    assert left_out.ungraded == ("p1", "p2", "p3")
    wrong = compare_pairs(pairing(first, second, "wrong").pairs)
    assert (wrong.items, wrong.first, wrong.second) == (4, 0.5, 0.75)


def test_a_timeout_is_a_wrong_answer() -> None:
    late = made_record(0, "error", failure="timeout")
    [item] = items([late])
    assert (item.score, item.ungraded) == (0.0, 0)


def test_several_attempts_have_no_mcnemar() -> None:
    first = [made_record(item, item + attempt > 2, attempt=attempt) for item in range(6) for attempt in range(2)]
    second = [made_record(item, True, attempt=attempt) for item in range(6) for attempt in range(2)]
    found = compare_pairs(pairing(first, second).pairs)
    assert found.test == "sign flips of items"
    assert found.mcnemar is None
    # Items differ by 1, 1, .5, 0, 0, 0, all one way: p is 2 of 2^3.
    assert found.difference == pytest.approx(2.5 / 6)
    assert found.p == pytest.approx(0.25)


def test_items_that_all_differ_alike_leave_doubt() -> None:
    """Three items, two attempts each, all wrong against all right: 3 items prove little."""
    first = [made_record(item, False, attempt=attempt) for item in range(3) for attempt in range(2)]
    second = [made_record(item, True, attempt=attempt) for item in range(3) for attempt in range(2)]
    found = compare_pairs(pairing(first, second).pairs)
    assert (found.p, found.high) == (pytest.approx(0.25), 1)
    assert 0 < found.low < 0.5
    assert found.needed == 6  # fewer cannot reach 5% by flipping signs
    level = compare_pairs(pairing(first, first).pairs)
    assert -1 < level.low < 0 < level.high < 1


def test_families_are_flipped_and_drawn_as_one() -> None:
    """Twenty items of two families: ten gains in one family are one observation."""
    first = [made_record(item, item >= 10, family=f"t{item // 10}") for item in range(20)]
    second = [made_record(item, True, family=f"t{item // 10}") for item in range(20)]
    found = compare_pairs(pairing(first, second).pairs)
    assert found.test == "sign flips of families"
    assert found.clusters == 2
    assert found.p == 1.0
    alone = compare_pairs(pairing(made_arm("0" * 10 + "1" * 10), made_arm("1" * 20)).pairs)
    assert alone.p < 0.01
    assert found.standard_error is not None
    assert alone.standard_error is not None
    assert found.standard_error > 3 * alone.standard_error
    assert found.needed is not None
    assert alone.needed is not None
    assert found.needed > 5 * alone.needed


def test_one_family_says_nothing_of_its_spread() -> None:
    first = [made_record(item, False, family="t") for item in range(5)]
    second = [made_record(item, True, family="t") for item in range(5)]
    found = compare_pairs(pairing(first, second).pairs)
    assert (found.standard_error, found.needed, found.detectable) == (None, None, None)
    assert (found.low, found.high) == (-1, 1)


def test_equal_arms() -> None:
    found = compare_pairs(pairing(made_arm("1010"), made_arm("1010")).pairs)
    assert (found.difference, found.p, found.needed) == (0, 1, None)
    assert found.low < 0 < found.high
    with pytest.raises(ValueError, match="common items"):
        compare_pairs([])


def test_groups_are_corrected_and_in_their_natural_order() -> None:
    pairs = pairing(made_arm("0" * 12 + "1" * 12), made_arm("1" * 24)).pairs
    found = compare_groups({"Level 10": pairs[12:], "Level 9": pairs[:12]})
    assert [one.name for one in found] == ["Level 9", "Level 10"]
    assert found[0].p == pytest.approx(2 / 2**12)
    assert found[0].p_holm == pytest.approx(2 * found[0].p)
    assert (found[1].difference, found[1].p_holm) == (0, 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=30))
def test_the_other_way_round_is_the_mirror(outcomes: list[tuple[bool, bool]]) -> None:
    first = [made_record(place, one) for place, (one, _) in enumerate(outcomes)]
    second = [made_record(place, other) for place, (_, other) in enumerate(outcomes)]
    forth, back = compare_pairs(pairing(first, second).pairs), compare_pairs(pairing(second, first).pairs)
    assert forth.difference == pytest.approx(-back.difference)
    assert (forth.p, forth.needed) == (back.p, back.needed)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))
    assert (forth.better, forth.worse) == (back.worse, back.better)
