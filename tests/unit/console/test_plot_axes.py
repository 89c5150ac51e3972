from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.console.plot_axes import SHARES, Axes, Scale, cost_scale, share_scale


@given(st.lists(st.floats(1e-7, 1e9), min_size=1, max_size=8))
def test_a_cost_scale_holds_its_values_and_has_some_ticks(values: list[float]) -> None:
    scale = cost_scale(values, str)
    assert all(0 <= scale.share(value) <= 1 for value in values)
    assert 1 <= len(scale.ticks) <= 16
    assert all(scale.low <= tick <= scale.high for tick, _ in scale.ticks)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_a_share_scale_holds_its_values_within_0_and_1(values: list[float]) -> None:
    scale = share_scale(values)
    assert 0 <= scale.low < scale.high <= 1
    assert all(-1e-9 <= scale.share(value) <= 1 + 1e-9 for value in values)
    assert len(scale.ticks) >= 2


def test_a_logarithmic_scale_gives_equal_room_to_equal_ratios() -> None:
    scale = Scale(low=1, high=100, kind="log")
    assert [scale.share(value) for value in (1, 10, 100)] == pytest.approx([0, 0.5, 1])


def test_what_is_drawn_is_well_formed_and_says_what_it_is() -> None:
    axes = Axes(SHARES, SHARES, x_label="a < b", y_label="y & z")
    axes.line([(0, 0), (1, 1)], "c0", steps=True)
    axes.band([(0, 0), (1, 0)], [(0, 1), (1, 1)], "c1")
    axes.bar(0, 0.5, 0.7, "bin", "<tip>")
    axes.whisker(0.5, 0.2, 0.8, "c2")
    axes.mark(0.5, 0.5, 9, '"quoted"')
    axes.label(0.5, 0.5, "<name>")
    tree = ElementTree.fromstring(axes.svg("<T>", "a & b"))
    assert tree.attrib["role"] == "img"
    assert tree.attrib["aria-label"] == "<T>. a & b"
    assert {element.text for element in tree.iter("title")} == {"<tip>", '"quoted"'}
    assert "<name>" in [element.text for element in tree.iter("text")]


def test_labels_lie_on_no_other_words_and_no_mark() -> None:
    axes = Axes(SHARES, SHARES, x_label="x", y_label="y")
    points = [(0.5, 0.5), (0.5, 0.52), (0.51, 0.5), (0.98, 0.98), (0.02, 0.02)]
    for series, (x, y) in enumerate(points):
        axes.mark(x, y, series, "tip")
    for x, y in points:
        axes.label(x, y, "a longer name")
    tree = ElementTree.fromstring(str(axes.svg("T", "d")))
    names = [one for one in tree.iter() if one.attrib.get("class") == "name"]
    assert len(names) == len(points)
    boxes = []
    for one in names:
        x, y = float(one.attrib["x"]), float(one.attrib["y"])
        start = x if one.attrib["text-anchor"] == "start" else x - 80
        assert 0 <= start <= axes.width - 80
        boxes.append((start, y - 10, start + 80, y))
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for _ in range(20):  # once all places are taken, the rest has no name
        axes.label(0.5, 0.5, "a longer name")
    assert str(axes.svg("T", "d")).count('class="name"') < 5 + 14
