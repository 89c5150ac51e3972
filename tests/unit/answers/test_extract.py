"""Extraction of answers from replies, references and program values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.answers.extract import (
    answer_from_value,
    extract_answer,
    extract_from_trigger_reply,
    extract_reference,
    last_boxed,
    last_number,
)

AQUA = ("A)5(√3 + 1)", "B)6(√3 + √2)", "C)7(√3 – 1)", "D)8(√3 – 2)", "E)None of these")
MATHQA = ("a ) 1 : 1", "b ) 1 : 87", "c ) 1 : 6", "d ) 3 : 2", "e ) 1 : 2")
GAOKAO = (r"(A)$\{x \mid x>-1\}$", r"(B)$\{x \mid x \geq 1\}$", r"(C)$\{x \mid-1<x<1\}$", "(D)$\\frac{1}{3}$")
COLOURS = ("red", "orange", "blue")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"So \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{\sqrt{x^{2}+\frac{1}{2}}} units", r"\sqrt{x^{2}+\frac{1}{2}}"),
        (r"\boxed{3} then \boxed{4}", "4"),
        (r"first \boxed{3}, then \boxed{\frac{a}{b", "3"),
        (r"\boxed{\frac{a}{b", None),
        (r"\boxed 5", "5"),
        (r"\fbox{7}", "7"),
        (r"\boxed{}", None),
        (r"\boxed{2} \boxed{}", "2"),
        (r"the roots are \boxed{3} and $\boxed{5}$.", "3, 5"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{[0,1)}", "[0,1)"),
        ("no box", None),
        (r"\boxed{1 \boxed{2} and \boxed{3}", "2, 3"),
        # Quadratic code would need hours for it.
        ("It is 3. " + "\\boxed{" * 200_000 + "4}", "4"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_last_boxed(text: str, content: str | None) -> None:
    assert last_boxed(text) == content


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("…\n#### 70,000", "70000"),
        ("The answer is 42.", "42"),
        ("The answer is 3.5", "3.5"),
        ("**Answer:** $5$", "5"),
        ("**Final Answer**: 5", "5"),
        ("### Answer\n5", "5"),
        ("Final answer: The final answer is $\\frac{3}{4}$. I hope it is correct.", "3/4"),
        ("ANSWER: 12", "12"),
        ("Final Answer: **18 dollars**", "18"),
        ("The answer to the problem is 17.", "17"),
        ("The answer is that John has 5 apples left.", "5"),
        ("The answer is the interval $(2, 5]$.", "(2,5]"),
        ("The answer is $5$, which means that 7 is wrong", "5"),
        ("The answer is x = 5 or x = -3.", "x=5, x=-3"),
        ("The answer is:\n\\[ x^2+1 \\]", "x^{2}+1"),
        ("The answer is 5 + 3 = 8.", "8"),
        ("The answer is $1,234.50.", "1234.5"),
        ("the answer is 50%.", "50%"),
        ("Answer: 7:30", "7:30"),
        ("The answer is Evelyn.", "Evelyn"),
        ("The answer is 05/01/2021.", "05/01/2021"),
        ("The answer is 4. Wait, the answer is 5.", "5"),
        ("<answer>7</answer>", "7"),
        (r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        (r"The answer is $\begin{pmatrix} 1 \\ 2 \end{pmatrix}$.", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        (r"\boxed{8\sqrt{3} \text { square inches}}", r"8\sqrt{3} in^2"),
        (r"\boxed{AB=9, CD=4}", "AB=9, CD=4"),
        ("The answer is 4, so \\boxed{9}.", "9"),
        ("答案是 11。", "11"),
        ("答案：11个", "11"),
        ("La réponse est 11.", "11"),
        ("La respuesta es 11.", "11"),
        ("Die Antwort ist 11.", "11"),
        ("Ответ — 11.", "11"),
        ("答えは11です。", "11"),
        ("Jibu ni 11.", "11"),
        ("సమాధానం 11.", "11"),
        ("คำตอบคือ 11", "11"),
        ("উত্তর হল ১১।", "11"),
    ],
)
def test_stated_answers(text: str, normal: str) -> None:
    answer = extract_answer(text)
    assert answer is not None
    assert answer.normal == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I think it is 5 or 6.",
        "x = 3, so we have 7 apples.",
        "The answer is",
        "The answer is:\n",
        r"\boxed{1+",
    ],
)
def test_nothing_stated_is_no_answer(text: str) -> None:
    assert extract_answer(text) is None


@pytest.mark.parametrize(
    ("text", "choices", "label"),
    [
        ("The answer is (B) because A is wrong", AQUA, "B"),
        (r"\boxed{C}", AQUA, "C"),
        (r"\boxed{\text{(C)}}", AQUA, "C"),
        (r"\boxed{D) 8}", AQUA, "D"),
        ("**B**", AQUA, "B"),
        ("We rule out (A). So (D)", AQUA, "D"),
        ("option D is right", AQUA, "D"),
        ("The correct option is **E**.", AQUA, "E"),
        ("So:\nB", AQUA, "B"),
        ("The answer is B) 6(√3 + √2)", AQUA, "B"),
        (r"\boxed{7(\sqrt{3}-1)}", AQUA, "C"),
        ("The answer is none of these.", AQUA, "E"),
        ("Answer: (D)", MATHQA, "d"),
        ("the answer is d", MATHQA, "d"),
        (r"\boxed{3:2}", MATHQA, "d"),
        ("Answer: 1 : 87", MATHQA, "b"),
        (r"\boxed{\frac13}", GAOKAO, "D"),
        ("故选：C", GAOKAO, "C"),
        (r"\boxed{ABD}", AQUA, "A, B, D"),
        ("The answer is $(a + 2b)$", ("A) $(a + 2b)$", "B) $2a$"), "A"),
        ("The answer is blue.", COLOURS, "C"),
        ("The answer is 26", ("26", "29"), "A"),
        # no choice is named
        ("A triangle has three sides. The answer is A triangle", AQUA, None),
        ("a cat sat on the mat", MATHQA, None),
        ("the answer is f(a)", MATHQA, None),
        (r"\boxed{9}", AQUA, None),
        ("So (F)", AQUA, None),
    ],
)
def test_choices(text: str, choices: tuple[str, ...], label: str | None) -> None:
    answer = extract_answer(text, choices)
    assert (answer.normal if answer else None) == label


@pytest.mark.parametrize(
    ("text", "choices", "normal"),
    [
        ("$1,234.", (), "1234"),
        ("-5", (), "-5"),
        ("3.50.", (), "3.5"),
        ("(B) because A", AQUA, "B"),
        (" B", AQUA, "B"),
        ("C. 7", AQUA, "C"),
        ("a", MATHQA, "a"),
        (" 18 dollars. She had 20.", (), "18"),
        ("The answer is 18.", (), "18"),
        ("is 42", (), "42"),
        ("\n\n42", (), "42"),
        (r"\boxed{4}", (), "4"),
        ("There are 12 apples in 3 boxes", (), "12"),
        ("**18**", (), "18"),
        ("... 42", (), "42"),  # the question ends in dots: a model goes on with them
        ("…42.", (), "42"),
        (".5", (), "0.5"),
        ("The answer is ... 42.", (), "42"),
        ("", (), None),
        ("", AQUA, None),
        ("  \n", (), None),
    ],
)
def test_replies_to_a_trigger(text: str, choices: tuple[str, ...], normal: str | None) -> None:
    answer = extract_from_trigger_reply(text, choices)
    assert (answer.normal if answer else None) == normal


def test_raw_text_is_kept() -> None:
    answer = extract_from_trigger_reply("3.50.")
    assert answer is not None
    assert answer.raw == "3.50"


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("5", "5"),
        ("5.0", "5"),
        ("Fraction(1, 2)", "1/2"),
        ("Fraction(-1, 2)", "-1/2"),
        ("1/2", "1/2"),
        ("[1, 2]", "[1,2]"),
        ("[Fraction(1, 2), 3]", "[1/2,3]"),
        ("{1, 2}", "{1,2}"),
        ("sqrt(2)/2", r"\sqrt{2}/2"),
        ("True", "True"),
        ("0.30000000000000004", "0.3"),
        ("3.0000000000000004", "3"),
        ("1e-07", "0.0000001"),
        ("x**2 + 1", "x^{2}+1"),
        ("1 + 2*I", r"1+2\cdot i"),
        ("(3+4j)", "(3+4i)"),
        ("FiniteSet(1, 2)", "{1,2}"),
        ("Interval.open(-oo, 2)", r"(-\infty,2)"),
        ("Union(Interval.open(-oo, 2), Interval(3, oo))", r"(-\infty,2)\cup[3,\infty)"),
        ("Matrix([[1, 2], [3, 4]])", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
        ("{x: 2}", "x=2"),
        ("[{x: 1}, {x: 3}]", "x=1, x=3"),
        ("Eq(x, 2)", "x=2"),
        ("np.float64(3.0)", "3"),
        ("Decimal('1.5')", "1.5"),
        ("'abc'", "abc"),
        ("log(3)", r"\ln(3)"),
        ("oo", r"\infty"),
        ("12345678901234567890", "12345678901234567890"),
    ],
)
def test_program_values(value: str, normal: str) -> None:
    answer = answer_from_value(value)
    assert answer is not None
    assert answer.normal == normal


@pytest.mark.parametrize(
    "value", ["None", "nan", "NaN", "inf", "-inf", "", "  ", "[]", "''", "zoo", "<function f at 0x7f>", "EmptySet"]
)
def test_values_without_an_answer(value: str) -> None:
    assert answer_from_value(value) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("there are 5 of 7.", "7"),
        ("5-3", "3"),
        ("x=-3", "-3"),
        ("(−7)", "-7"),
        ("1,234,567 people", "1234567"),
        ("3/4 cup", "3/4"),
        ("50%", "50%"),
        ("2.5.", "2.5"),
        ("none", None),
        ("a1", None),
    ],
)
def test_last_number(text: str, number: str | None) -> None:
    answer = last_number(text)
    assert (answer.normal if answer else None) == number


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("He has 7 and 8.\n#### 70,000", "70000"),
        (r"so \boxed{3} and then \boxed{\frac12}.", "1/2"),
        ("1,000", "1000"),
        ("025", "25"),
        ("27.0", "27"),
        ("9 (apples)", "9"),
        ("(E)", "E"),
    ],
)
def test_references(text: str, normal: str) -> None:
    answer = extract_reference(text)
    assert answer is not None
    assert answer.normal == normal


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    for answer in (
        extract_answer(text),
        extract_answer(text, AQUA),
        extract_from_trigger_reply(text),
        extract_from_trigger_reply(text, MATHQA),
        extract_reference(text),
        last_number(text),
        answer_from_value(text),
    ):
        assert answer is None or answer.normal


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12))
def test_an_integer_is_found_wherever_it_is_stated(number: int) -> None:
    for text in (
        f"\\boxed{{{number}}}",
        f"#### {number:,}",
        f"The answer is ${number}$.",
        f"Answer: **{number}**",
    ):
        answer = extract_answer(f"First 17, then 3.\n{text}")
        assert answer is not None
        assert answer.normal == str(number)
