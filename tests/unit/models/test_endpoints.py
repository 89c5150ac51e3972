"""Endpoints, as they are written, and what each server adds to the wire format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import UnsupportedOption, UsageError
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.endpoints import endpoints_of, joined_identity, split_endpoints
from mathagent.models.openai_servers import Server, server_fields, server_of, with_server
from mathagent.models.thinking_text import ThinkingSplitter
from mathagent.models.token_counts import StatedTokens, plausible_total


def test_settings_stand_in_the_query_and_the_rest_is_sent() -> None:
    one, other = endpoints_of("https://u:p@a/v1?api-version=7&weight=2&total_s=30,http://b:8000/v1/")
    assert one.url == "https://u:p@a/v1?api-version=7"
    assert (one.settings.weight, one.settings.total_s) == (2, 30)
    assert one.shown == "https://a/v1?api-version=7"
    assert one.written == "https://a/v1?api-version=7&weight=2&total_s=30"
    assert one.identity == "https://a/v1?api-version=7"
    assert endpoints_of(one.written)[0].settings == one.settings
    assert other.settings.weight == 1
    assert joined_identity([one, other]) == joined_identity([other, one])


def test_what_decides_the_reply_is_part_of_the_identity() -> None:
    (one,) = endpoints_of("http://a/v1?server=vllm&thinking_tokens=0&parallel=3")
    assert one.identity == "http://a/v1?server=vllm&thinking_tokens=0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://a/v1?weight=0", "weight = '0' is wrong"),
        ("http://a/v1?weight=inf", "weight = 'inf' is wrong"),
        ("http://a/v1?server=ollama", "server = 'ollama' is wrong"),
        ("http://a/v1,b", "not an http|is not a URL|http"),
        ("http://a/v1,http://a/v1?weight=2", "given twice"),
        ("", "URL"),
    ],
)
def test_wrong_endpoints(text: str, message: str) -> None:
    if text == "http://a/v1,b":  # a comma that parts no URLs belongs to the first
        assert len(endpoints_of(text)) == 1
        return
    with pytest.raises(UsageError, match=message):
        endpoints_of(text)


def test_a_name_and_its_endpoints() -> None:
    assert split_endpoints("m@http://a/v1,http://b") == ("m", "http://a/v1,http://b")
    assert split_endpoints("org/m@v2") == ("org/m@v2", None)


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ({"data": [{"id": "m", "owned_by": "vllm"}]}, "vllm"),
        ({"data": [{"id": "m", "owned_by": "sglang"}]}, "sglang"),
        ({"models": [], "data": [{"owned_by": "llamacpp"}]}, "llamacpp"),
        ({"data": [{"owned_by": "openai"}]}, None),
        ({"data": [{"owned_by": ["vllm"]}, 3]}, None),
        ({"data": "vllm"}, None),
        ([], None),
        (None, None),
    ],
)
def test_who_answers(models: object, expected: str | None) -> None:
    assert server_of(models) == expected


REQUEST = ChatRequest(messages=(), grammar="root ::= [0-9]", continue_assistant=True)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (
            "vllm",
            {
                "structured_outputs": {"grammar": "root ::= [0-9]"},
                "continue_final_message": True,
                "add_generation_prompt": False,
            },
        ),
        ("sglang", {"ebnf": "root ::= [0-9]", "continue_final_message": True}),
        ("llamacpp", {"grammar": "root ::= [0-9]"}),
    ],
)
def test_how_each_server_is_told(server: Server, expected: dict[str, object]) -> None:
    assert server_fields(server, REQUEST, backend="b", thinking_tokens=None) == expected
    added = Capabilities(n=True, grammar=True, regex=True, continue_assistant=True)
    assert with_server(Capabilities(n=True), server) == added
    off = server_fields(server, ChatRequest(messages=()), backend="b", thinking_tokens=0)
    assert off == {"chat_template_kwargs": {"enable_thinking": False}}


LARK = "start: /[0-9]+/"


def held_to(server: Server | None, **form: str) -> dict[str, object]:
    return server_fields(server, ChatRequest(messages=(), **form), backend="b", thinking_tokens=None)


def test_a_regular_expression_is_sent_as_the_grammar_of_the_same_texts() -> None:
    grammar = r'root ::= [0-9]+ "\x2E" [^\x0A]'
    asked = {"regex": r"^\d+\..$"}
    assert held_to("vllm", **asked) == {"structured_outputs": {"grammar": grammar}}
    assert held_to("sglang", **asked) == {"ebnf": grammar}
    for server in ("llamacpp", None):  # without a name only where the user, or a probe, says that it can
        assert held_to(server, **asked) == {"grammar": grammar}  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="which no grammar can say"):
        held_to("vllm", regex=r"(a)\1")


def test_a_grammar_is_written_so_that_each_server_reads_the_same_language() -> None:
    grammar = r'root ::= [\x5Dab\n] "\x41b" "\\x41" "\u0041"'
    apart = r'root ::= [\x5D\x61\x62\n] "\x41\x62" "\\x41" "\u0041"'  # xgrammar reads \x5Dab as one character
    assert held_to("vllm", grammar=grammar) == {"structured_outputs": {"grammar": apart}}
    assert held_to("sglang", grammar=grammar) == {"ebnf": apart}
    assert held_to("llamacpp", grammar=grammar) == {"grammar": grammar}
    assert held_to("vllm", grammar=LARK) == {"structured_outputs": {"grammar": LARK}}
    for server in ("sglang", "llamacpp", None):
        with pytest.raises(UnsupportedOption, match=r"grammar in Lark's form; write it in GBNF"):
            held_to(server, grammar=LARK)  # type: ignore[arg-type]


def test_a_thinking_budget_is_refused_by_name_where_it_cannot_be_told() -> None:
    asked = ChatRequest(messages=())
    assert server_fields("vllm", asked, backend="b", thinking_tokens=9) == {"thinking_token_budget": 9}
    for server, advice in (
        ("sglang", "SGLang takes 0"),
        ("llamacpp", "--reasoning-budget"),
        (None, "server=vllm"),
    ):
        with pytest.raises(UnsupportedOption, match=advice):
            server_fields(server, asked, backend="b", thinking_tokens=9)  # type: ignore[arg-type]


def split(*pieces: str) -> tuple[str, str]:
    splitter = ThinkingSplitter()
    parts = [*map(splitter.feed, pieces), splitter.flush()]
    return "".join(one for one, _ in parts), "".join(text for _, text in parts)


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ("<think>hm</think>\n\n42", ("hm", "42")),
        ("\n<think>a<b</thin k></think>x</think>", ("a<b</thin k>", "x</think>")),
        ("<think>never ends", ("never ends", "")),
        ("<think>cut</thi", ("cut</thi", "")),
        ("<thin ice", ("", "<thin ice")),
        ("<thi", ("", "<thi")),
        ("begun before</think>42", ("", "begun before</think>42")),
        ("42 <think>late</think>", ("", "42 <think>late</think>")),
        ("", ("", "")),
    ],
)
def test_thinking_is_told_apart_however_it_is_cut(whole: str, expected: tuple[str, str]) -> None:
    assert split(whole) == expected
    assert split(*whole) == expected


@given(st.text(alphabet="<>/think \nx", max_size=40), st.integers(1, 7))
def test_no_character_of_a_reply_without_thinking_is_lost(text: str, size: int) -> None:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert split(*pieces) == split(text)
    if not text.lstrip().startswith("<think>"):
        assert split(text) == ("", text)


@pytest.mark.parametrize("wrong", [None, "many", -1, True, 1.5, float("nan"), [3], "1e99"])
def test_counts_that_count_nothing(wrong: object) -> None:
    assert StatedTokens.model_validate({"prompt_tokens": wrong}).prompt_tokens is None
    assert StatedTokens.model_validate({"prompt_tokens": "7", "completion_tokens": 3.0}).prompt_tokens == 7


def test_totals_that_cannot_be() -> None:
    assert plausible_total(10, [40], 100) == 10
    assert plausible_total(0, [], 100) == 0
    assert plausible_total(0, [1], 100) is None
    assert plausible_total(101, [40], 100) is None
    assert plausible_total(1, [4000], None) is None
    assert plausible_total(90, [0], 100) == 90  # thinking that is not shown
