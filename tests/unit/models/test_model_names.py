"""How several models, their endpoints and their roles are written."""

from __future__ import annotations

import pytest

from mathagent.errors import UsageError
from mathagent.models.base import ConnectOptions
from mathagent.models.connect import open_models, split_model
from mathagent.models.model_names import ModelNames, read_models, read_roles, split_models, with_roles
from mathagent.models.router import Router
from mathagent.models.scripted import ScriptedBackend

TWO = "openai:m@http://a/v1,http://b/v1?weight=2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ["a"]),
        ("a, b ,,c", ["a", "b", "c"]),
        (f"{TWO},b", [TWO, "b"]),
        ("cascade(a,b),c", ["cascade(a,b)", "c"]),
        ("a,verifier=" + TWO, ["a", "verifier=" + TWO]),
        ("", []),
    ],
)
def test_a_comma_parts_models_but_not_urls_and_brackets(text: str, expected: list[str]) -> None:
    assert split_models(text) == expected


def test_stages_threshold_and_roles() -> None:
    names = read_models(f"small,large,below=0.9,verifier={TWO}")
    assert names == ModelNames(stages=("small", "large"), below=0.9, roles={"verifier": TWO})
    assert read_models(f"cascade(small, large, below=0.9, verifier={TWO})") == names
    assert read_models("script:a=b.json").is_plain
    assert not read_models("a,judge=b").is_plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no model"),
        ("verifier=x", "names no model"),
        ("a,below=0.5", "name two models"),
        ("a,b,below=2", "no confidence"),
        ("a,b,below=high", "no confidence"),
        ("a,judge=b,judge=c", "role judge is given two models"),
    ],
)
def test_what_cannot_be(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_models(text)


def test_roles_of_the_command_line() -> None:
    assert read_roles(["verifier=openai:x", "judge = b"]) == {"verifier": "openai:x", "judge": "b"}
    assert with_roles("a", {"judge": "b"}) == "a,judge=b"
    assert with_roles("cascade(a,b)", {"judge": "c"}) == "a,b,judge=c"
    assert with_roles("a", {}) == "a"
    for wrong in (["verifier"], ["=x"], ["x="], ["a=b", "a=c"]):
        with pytest.raises(UsageError):
            read_roles(wrong)
    with pytest.raises(UsageError, match="two models"):
        with_roles("a,judge=b", {"judge": "c"})


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("verifier=small,large", r"given several models \(small,large\)"),  # large would be a stage for all roles
        ("verifier=small,judge=x", "given several models"),
        ("Verifier=x", "no name of a role"),  # would be a stage with that name
        ("below=0.9", "no name of a role"),
    ],
)
def test_a_role_on_the_command_line_is_one_name_with_one_model(pair: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_roles([pair])


def test_one_model_may_be_at_several_endpoints_or_made_of_several() -> None:
    for model in (TWO, "nudge(a,b)"):
        assert read_models(with_roles("m", read_roles([f"verifier={model}"]))).roles == {"verifier": model}


def test_a_name_with_an_endpoint_is_one_of_an_endpoint() -> None:
    assert split_model("qwen2.5@http://h:8000/v1", has_endpoint=False) == ("openai", "qwen2.5@http://h:8000/v1")


def test_a_router_is_opened_by_names_and_its_name_opens_it_again() -> None:
    options = ConnectOptions(base_url="http://h:1/v1")
    router, opened = open_models("small,openai:large@http://x:2/v1?weight=3,below=0.5,judge=other", options)
    assert isinstance(router, Router)
    assert [one.name for one in router.stages] == [
        "openai:small@http://h:1/v1",
        "openai:large@http://x:2/v1?weight=3",
    ]
    assert router.below == 0.5
    assert len(opened) == 3
    again, _ = open_models(router.name, ConnectOptions())
    assert (again.name, again.identity) == (router.name, router.identity)
    assert "weight" not in router.identity


def test_open_backends_and_names_together() -> None:
    mine = ScriptedBackend([], name="script:mine")
    router, opened = open_models([mine, "openai:m@http://h/v1"], ConnectOptions(), {"judge": mine})
    assert isinstance(router, Router)
    assert router.stages[0] is router.roles["judge"] is mine
    assert [one.name for one in opened] == ["openai:m@http://h/v1"]
    assert open_models(mine, ConnectOptions()) == (mine, [])
    with pytest.raises(UsageError, match="stands twice"):
        open_models([mine, mine], ConnectOptions())
    with pytest.raises(UsageError, match="no model is named"):
        open_models([], ConnectOptions())


def test_an_address_that_none_of_several_has_a_use_for_is_refused() -> None:
    pytest.importorskip("xllamacpp")
    with pytest.raises(UsageError, match="leave out --base-url"):
        open_models("embedded:smollm2-135m,embedded:qwen2.5-coder-1.5b", ConnectOptions(base_url="http://h/v1"))


def test_a_cascade_goes_from_the_cheapest_and_begins_here_whatever_the_others_cost() -> None:
    pytest.importorskip("xllamacpp")
    from pydantic import SecretStr

    options = ConnectOptions(api_key=SecretStr("sk-x"))
    dear, cheap, free = "openai:gpt-4o", "openai:gpt-4o-mini", "embedded:smollm2-135m"
    router, _ = open_models(f"{dear},{free},{cheap}", options)
    assert isinstance(router, Router)
    assert [one.name for one in router.stages] == [free, cheap, dear]
    router, _ = open_models(f"{dear},openai:nobody-lists-this,{free}", options)
    assert isinstance(router, Router)
    assert [one.name for one in router.stages] == [free, dear, "openai:nobody-lists-this"]
