"""Who writes what of a reply: two models whose every chunk, and the sureness of each token, is written down."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from mathagent.models.base import PromptTooLong
from mathagent.models.chunks import Chunk
from mathagent.models.interleaving import PRIMARY, SECONDARY, Gate, Interleaving
from mathagent.types import Completion, TokenLogprob, Usage

P, S = PRIMARY, SECONDARY


def said(*tokens: str | tuple[str, float], finish: str = "length") -> Chunk:
    """A chunk of tokens, each with its sureness where that is not 0.9."""
    pairs = [(token, 0.9) if isinstance(token, str) else token for token in tokens]
    completion = {
        "text": "".join(token for token, _ in pairs),
        "finish_reason": finish,
        "usage": Usage(completion_tokens=len(pairs)),
        "logprobs": tuple(TokenLogprob(token=token, logprob=math.log(sure)) for token, sure in pairs),
    }
    return Chunk.of(Completion.model_validate(completion))


@dataclass
class Played:
    """What came of a script of (model, text that it reads, its chunk)."""

    script: list[tuple[int, str, Chunk]]
    heard: list[str] = field(default_factory=list)
    most: list[int] = field(default_factory=list)

    async def ask(self, model: int, begun: str, most: int) -> Chunk:
        assert self.script, f"asked once more: {(model, begun)}"
        expected_model, expected_text, chunk = self.script.pop(0)
        assert (model, begun) == (expected_model, expected_text)
        self.most.append(most)
        return chunk


async def play(
    *script: tuple[int, str, Chunk], gate: Gate | None = None, most: int = 256, **settings: Any
) -> tuple[Interleaving, str, Played]:
    played = Played(list(script))
    settings = {"primary_ends": False, "on_text": played.heard.append, **settings}
    writing = Interleaving(played.ask, gate or Gate(), most=most, **settings)
    finish = await writing.write()
    assert not played.script, f"never asked: {played.script}"
    assert "".join(played.heard) == writing.text
    return writing, finish, played


async def test_the_nudger_begins_and_ends_and_the_base_model_writes_what_it_is_sure_of() -> None:
    writing, finish, played = await play(
        (S, "", said("To", " solve", " this", ",", " we")),
        (P, "To", said((" find", 0.1), " it")),  # unsure, and begins otherwise: the next word is the nudger's, too
        (P, "To solve", said((" it", 0.31), " we", " add", (" 2", 0.29), " 3")),  # sure of its first token
        (S, "To solve it we add", said(" 3", " and", " 4")),
        (
            P,
            "To solve it we add 3",
            said((" and", 0.2), " 4", " so", " 7"),
        ),  # unsure, but begins as the nudger would
        (P, "To solve it we add 3 and 4 so 7", said((".", 0.5), ("\n", 0.1))),
        (S, "To solve it we add 3 and 4 so 7.", said(" The", " answer", " is", " 7", finish="stop")),
    )
    assert writing.text == "To solve it we add 3 and 4 so 7. The answer is 7"
    assert finish == "stop"
    assert writing.kept == [8, 7]
    assert played.heard == ["To solve", " it we add", " 3", " and 4 so 7", ".", " The answer is 7"]
    assert (writing.rounds, set(played.most)) == (3, {16})


async def test_without_the_base_model_all_but_the_last_word_is_the_nudgers() -> None:
    unsure = said((" Well", 0.1))
    writing, finish, _ = await play(
        (S, "", said("One", " two", " thr")),
        (P, "One", unsure),
        (P, "One two", unsure),
        (S, "One two", said(" three", finish="stop")),
    )
    assert (writing.text, finish, writing.kept) == ("One two three", "stop", [0, 3])


async def test_a_single_word_is_followed_without_asking() -> None:
    writing, _, _ = await play(
        (S, "", said("Super", "cali", "fragi")),
        (S, "Supercalifragi", said("listic", finish="stop")),
    )
    assert writing.text == "Supercalifragilistic"


async def test_a_base_model_that_ends_its_turn_does_not_end_the_reply() -> None:
    writing, finish, _ = await play(
        (S, "", said("It", " is")),
        (P, "It", said(" is", " 5", finish="stop")),
        (S, "It is 5", said(".", " Good", " luck")),
        (P, "It is 5.", said(finish="stop")),  # nothing more to say: the nudger's next word
        (P, "It is 5. Good", said(finish="stop")),
        (S, "It is 5. Good", said(" luck", finish="stop")),
    )
    assert (writing.text, finish) == ("It is 5. Good luck", "stop")


async def test_blanks_are_joined_as_they_were_written() -> None:
    writing, _, _ = await play(
        (S, "", said("First", ":\n\n", "  -", " a")),
        (P, "First:", said("\n\n", "  -", " b", ("\n", 0.1))),  # begins as the next word: with both line ends
        (S, "First:\n\n  - b", said("\n", "  -", " c", finish="stop")),
    )
    assert writing.text == "First:\n\n  - b\n  - c"


async def test_words_of_chinese_and_of_formulas_are_followed_one_by_one() -> None:
    unsure = said(("嗯", 0.1))
    writing, _, _ = await play(
        (S, "", said("答", "案", "是", "$\\", "frac", "{1}{2}", "$")),
        (P, "答", unsure),
        (P, "答案", unsure),
        (P, "答案是", unsure),
        (P, "答案是$", said("\\", "frac", "{1}", ("{2}", 0.2))),
        (S, "答案是$\\frac{1}", said("{2}", "$", finish="stop")),
    )
    assert writing.text == "答案是$\\frac{1}{2}$"
    assert writing.kept == [3, 6]


@pytest.mark.parametrize("gamma", [0.0, 1.0])
async def test_gamma_is_the_least_probability(gamma: float) -> None:
    sure = said(" b", (" c", 1.0))
    script = [(S, "", said("a", " x", " y")), (P, "a", sure)]
    if gamma == 0:
        script += [(P, "a b c", said(finish="stop")), (S, "a b c", said(finish="stop"))]
    else:
        script += [(P, "a x", sure), (S, "a x", said(finish="stop"))]
    writing, _, _ = await play(*script, gate=Gate(gamma=gamma))
    assert writing.text == ("a b c" if gamma == 0 else "a x")


async def test_three_rounds_that_write_the_same_end_it() -> None:
    unsure = said((" hm", 0.1))
    nudge = said(" go", " on")
    script = [(model, " go" * times, chunk) for times in range(3) for model, chunk in ((S, nudge), (P, unsure))]
    script = [(model, text + " go" * (model == P), chunk) for model, text, chunk in script]
    writing, finish, _ = await play(*script)
    assert (writing.text, finish, writing.rounds) == (" go go go", "length", 3)


async def test_the_same_nudge_before_something_else_each_time_is_no_repetition() -> None:
    script: list[tuple[int, str, Chunk]] = []
    text = ""
    for number in range(5):
        script.append((S, text, said(" =", " 1")))
        script.append((P, f"{text} =", said(f" {number}", (" +", 0.1))))
        text += f" = {number}"
    writing, finish, _ = await play(*script, (S, text, said(finish="stop")))
    assert (writing.text, finish) == (text, "stop")


async def test_a_chunk_that_the_reply_holds_already_is_the_nudgers_to_replace() -> None:
    six = (" a", " b", " c", " d", " e", " f")
    writing, _, _ = await play(
        (S, "", said("So", " a")),
        (P, "So", said(*six)),
        (P, "So a b c d e f", said(*six)),
        (S, "So a b c d e f", said(" a", finish="stop")),
    )
    assert writing.text == "So a b c d e f a"
    five = said(*six[:5])
    writing, _, _ = await play(
        (S, "", said("So", " a")),
        (P, "So", five),
        (P, "So a b c d e", five),
        (P, "So a b c d e a b c d e", said(finish="stop")),
        (S, "So a b c d e a b c d e", said(finish="stop")),
    )
    assert writing.kept == [10, 1]


async def test_the_reply_has_no_more_tokens_than_it_may() -> None:
    writing, finish, played = await play(
        (S, "", said("a", " b", " c", " d")),
        (P, "a", said(" b", " c", " d", " e")),
        (P, "a b c d e", said(" f", " g")),
        gate=Gate(chunk=4),
        most=7,
    )
    assert (writing.text, finish, played.most) == ("a b c d e f g", "length", [4, 4, 2])
    writing, finish, played = await play((S, "", said("a")), most=1)
    assert (writing.text, finish, played.most) == ("a", "length", [1])
    # The nudger's words alone fill it: the base model is not asked for what there is no room for.
    writing, finish, played = await play((S, "", said("a", " b c")), (P, "a", said(("x", 0.1))), most=2)
    assert (writing.text, finish, played.most) == ("a b", "length", [2, 1])


async def test_the_end_of_a_nudger_counts_though_the_reply_is_full() -> None:
    _, finish, _ = await play((S, "", said("a", " b", finish="stop")), most=2)
    assert finish == "stop"


async def test_the_rounds_are_counted() -> None:
    unsure = said(("x", 0.1))
    writing, finish, _ = await play(
        (S, "", said("a", " b")),
        (P, "a", unsure),
        (S, "a", said(" b", " c")),
        (P, "a b", unsure),
        gate=Gate(rounds=2),
    )
    assert (writing.text, finish, writing.rounds) == ("a b", "length", 2)


async def test_a_stop_string_ends_it_whoever_wrote_which_part_of_it() -> None:
    writing, finish, played = await play(
        (S, "", said("x", " =", " 3", "\nob", "ject")),
        (P, "x", said(" =", " 3", "\nO", "BS", "ERVATION", " more")),
        stop=("\nOBS",),
    )
    assert (writing.text, finish, played.heard) == ("x = 3", "stop", ["x", " = 3"])
    writing, finish, played = await play(
        (S, "", said("E", "N", " x")),
        (P, "EN", said("D", " and", " more")),
        stop=("END",),
    )
    assert (writing.text, finish, played.heard) == ("", "stop", [])


async def test_what_only_begins_like_a_stop_string_is_told_in_the_end() -> None:
    writing, finish, played = await play((S, "", said("see", " END", finish="stop")), stop=("ENDING",))
    assert (writing.text, finish, played.heard) == ("see END", "stop", ["see ", "END"])


async def test_a_full_context_ends_a_begun_reply_only() -> None:
    async def full(model: int, begun: str, most: int) -> Chunk:
        if len(begun) > room:
            raise PromptTooLong("too long", status=400)
        return said("one", " two", " three", " four", " five", " six", " seven")

    room = len("oneone two three four five six seven")
    writing = Interleaving(full, Gate(), primary_ends=False, most=99)
    assert await writing.write() == "length"
    assert writing.text == "oneone two three four five six seven"
    room = -1
    with pytest.raises(PromptTooLong):
        await Interleaving(full, Gate(), primary_ends=False, most=99).write()


async def test_a_filter_ends_it() -> None:
    for script in (
        [(S, "", said("a", finish="content_filter"))],
        [(S, "", said("a", " b")), (P, "a", said(" b", finish="content_filter"))],
    ):
        _, finish, _ = await play(*script)
        assert finish == "content_filter"


async def test_nothing_at_all_ends_it() -> None:
    _, finish, _ = await play((S, "", said()))
    assert finish == "length"


async def test_the_other_way_round_the_small_model_begins_and_either_ends() -> None:
    writing, finish, _ = await play(
        (P, "", said("It", " is", (" 7", 0.2), ".")),
        (S, "It is", said(" 5", " because", " 2")),
        (P, "It is 5", said(" because", ("\n", 0.2))),
        (S, "It is 5 because", said(" 2", "+3", "=5", " ok")),
        (P, "It is 5 because 2+3=5", said(".", finish="stop")),
        primary_ends=True,
    )
    assert (writing.text, finish, writing.kept) == ("It is 5 because 2+3=5.", "stop", [4, 4])
    _, finish, _ = await play(
        (P, "", said(("I", 0.1))), (S, "", said("Five", ".", finish="stop")), primary_ends=True
    )
    assert finish == "stop"


async def test_a_small_model_that_is_unsure_whether_to_end_lets_the_large_one_decide() -> None:
    end, sure_end = (Chunk("", "stop", 1, starts=(0,), sureness=(sure,)) for sure in (0.2, 0.9))
    writing, finish, _ = await play(
        (P, "", end),
        (S, "", said("No", " six", " or")),
        (P, "No", end),
        (P, "No six", sure_end),
        primary_ends=True,
    )
    assert (writing.text, finish) == ("No six", "stop")
