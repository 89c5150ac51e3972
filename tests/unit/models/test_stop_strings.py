"""Stop strings in a text that comes piece by piece."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathagent.models.stop_strings import StopStrings

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_nothing_is_told_from_a_stop_string_on() -> None:
    stops = StopStrings(("END", "```"))
    assert [stops.feed(piece) for piece in ("a `", "` b", " EN", "D c")] == ["a ", "`` b", " ", ""]
    assert stops.stopped
    assert (stops.feed("more"), stops.flush()) == ("", "")


def test_what_only_begins_like_one_is_told_at_the_end() -> None:
    stops = StopStrings(("END", ""))
    assert (stops.feed("the EN"), stops.flush(), stops.stopped) == ("the ", "EN", False)


@UNHURRIED
@given(st.text("abE", max_size=30), st.lists(st.text("abE", min_size=1, max_size=4), max_size=3), st.data())
def test_the_pieces_do_not_matter(text: str, stop: list[str], data: st.DataObject) -> None:
    whole, cut = StopStrings(stop), StopStrings(stop)
    expected = whole.feed(text) + whole.flush()
    told, begin = "", 0
    while begin < len(text):
        size = data.draw(st.integers(1, 5))
        told += cut.feed(text[begin : begin + size])
        begin += size
    assert told + cut.flush() == expected
    assert cut.stopped == whole.stopped
    assert not any(one in expected for one in stop)
