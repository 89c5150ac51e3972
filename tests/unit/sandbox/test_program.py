"""Running, rendering and reporting, called directly (with harmless programs: this is our own process)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.sandbox.inside.program import AfterImport, execute, failure, split, text_of, to_json


@pytest.fixture(autouse=True)
def interpreter_state() -> Iterator[None]:
    main, digits = sys.modules["__main__"], sys.get_int_max_str_digits()
    yield
    sys.modules["__main__"] = main
    sys.set_int_max_str_digits(digits)


SMALL = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text() | st.binary()


def nested(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.integers(-9, 9) | st.text(), inner)
        ),
        max_leaves=20,
    )


@given(nested(SMALL | st.integers() | st.complex_numbers()))
def test_plain_values_read_as_python_writes_them(value: object) -> None:
    expected = value if isinstance(value, str) else repr(value)
    assert text_of(value, 10**6) == expected


@given(nested(SMALL), st.integers(1, 50))
def test_text_is_never_longer_than_the_limit_and_a_note(value: object, limit: int) -> None:
    full, cut = text_of(value, 10**6), text_of(value, limit)
    assert cut == full or (cut.endswith("… (cut)") and full.startswith(cut.removesuffix("… (cut)")))
    assert len(cut) <= limit + len("… (cut)")


def test_exact_numbers_inside_containers() -> None:
    assert text_of({Fraction(1, 2): [Decimal("1.5"), {Fraction(3)}]}, 100) == "{1/2: [1.5, {3}]}"


def test_huge_containers_are_not_written_out() -> None:
    assert text_of(range(10), 100) == "range(0, 10)"
    assert text_of([[0] * 10**6] * 10**6, 100).endswith("… (cut)")


def test_self_containing_list_ends() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert text_of(loop, 1000) == "[" * 50 + "[…]" + "]" * 50


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (b"1\n2", "2"),
        (b"1; 2", "2"),
        (b"if True:\n    5", None),
        (b"x = 5 # no expression", None),
        (b"'''doc'''", "doc"),
        (b"from __future__ import annotations\nx: int = 3\nx", "3"),
        (b"\xef\xbb\xbf7", "7"),
        (b"(n := 5)", "5"),
        (b"[y for y in range(2)]", "[0, 1]"),
        (b"# nothing", None),
    ],
)
def test_last_expression(source: bytes, value: str | None) -> None:
    assert execute(source, 100, {}) == {"status": "ok", "value": value}


def test_split_keeps_line_numbers() -> None:
    body, last = split(b"x = 1\n\n\nx / 0\n")
    assert body.co_filename == last.co_filename == "<program>"
    assert "line 4" in (execute(b"x = 1\n\n\nx / 0\n", 100, {})["traceback"] or "")


@pytest.mark.parametrize("source", [b"\xff", b"x = '\xed\xa0\x80'", b"a b", b"(" * 500, b"\x00"])
def test_what_does_not_compile_is_an_error(source: bytes) -> None:
    report = execute(source, 100, {})
    assert report["status"] == "error"
    assert report["error"]


def test_long_tracebacks_keep_both_ends() -> None:
    report = execute(b"def down(n):\n    return down(n - 1) if n else 1 / 0\ndown(300)", 100, {})
    text = report["traceback"] or ""
    assert len(text) < 9_000
    assert text.startswith("Traceback")
    assert text.endswith("ZeroDivisionError: division by zero\n")
    wide = execute(b"raise ValueError('x' * 10**6)", 100, {})
    assert "characters cut)" in (wide["traceback"] or "")
    assert len(wide["error"] or "") == 1000


def test_causes_are_shown_and_bounded() -> None:
    report = execute(
        b"try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('second') from e",
        100,
        {},
    )
    assert report["error"] == "ValueError: second"
    assert "direct cause" in (report["traceback"] or "")
    error = ValueError(0)
    for n in range(1, 50):
        after = ValueError(n)
        after.__cause__, error = error, after
    assert (failure(error)["traceback"] or "").count("ValueError: ") <= 6


def test_failure_without_means_to_explain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "traceback", None)
    assert failure(KeyError("k")) == {"status": "error", "error": "KeyError: 'k'"}


@given(st.dictionaries(st.text(), st.none() | st.text(st.characters(codec=None))))
def test_json_is_readable_whatever_the_text(report: dict[str, str | None]) -> None:
    def clean(text: str) -> str:
        return text.encode("utf-8", "backslashreplace").decode()

    expected = {name: None if text is None else clean(text) for name, text in report.items()}
    assert json.loads(to_json(report)) == expected


def test_after_import_acts_once_and_only_on_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    finder = AfterImport({"colorsys": lambda module: seen.append(module.__name__), "no_such_module": seen.append})
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    for _ in range(2):
        monkeypatch.delitem(sys.modules, "colorsys", raising=False)
        import colorsys

        assert colorsys.rgb_to_hsv
    with pytest.raises(ModuleNotFoundError):
        __import__("no_such_module")
    assert seen == ["colorsys"]
