"""A program that prints its answer is wrapped to have it as its value, and seen through again."""

from __future__ import annotations

import pytest

from mathagent.scorers.printed_programs import inner_program, shape, valued_by_print

SOURCE = "eggs = 16 - 7\nprint('a \\'quote\\'', eggs * 2)  # ducks"


def test_the_last_line_that_is_printed_is_the_value() -> None:
    *statements, value = valued_by_print("print('first')\nprint(2 * 9)").splitlines()
    names: dict[str, object] = {}
    exec("\n".join(statements), names)
    assert eval(value, names) == "18"


@pytest.mark.parametrize("source", [SOURCE, "", "print(1)", "not python (", valued_by_print("print(1)")])
def test_the_wrapper_is_seen_through(source: str) -> None:
    assert inner_program(valued_by_print(source)) == source
    assert inner_program(valued_by_print(source).strip("\n")) == source


@pytest.mark.parametrize(
    "program", ["6 * 7", "((", valued_by_print("print(1)") + "\n18", "redirect_stdout(printed)"]
)
def test_anything_else_stays_what_it_is(program: str) -> None:
    assert inner_program(program) == program


def test_layout_comments_and_printing_make_no_other_program() -> None:
    same = [
        "9*2",
        "# so\n9 * 2",
        "print(9 * 2)",
        "x = 9 * 2\nx",
        "x = 9 * 2",
        valued_by_print("print( 9*2 )  # b"),
    ]
    assert len({shape(program) for program in same if "x" not in program}) == 1
    assert len({shape(program) for program in same}) > 1
    assert shape("x = 9 * 2\nx") == shape("x = 9 * 2")
    assert shape("((") == "(("
