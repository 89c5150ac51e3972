"""What reward endpoints answer: the forms that are read, and those that are refused with a sentence."""

from __future__ import annotations

import pytest

from mathagent.errors import BackendError, UsageError
from mathagent.models.openai_session import OpenAISession
from mathagent.models.scripted import ScriptedBackend
from mathagent.scorers.base import load_scorer
from mathagent.scorers.reward import RewardEndpoint, RewardSettings, pooling
from mathagent.scorers.reward_reply import classified, pooled, stated_reward, to_share
from mathagent.types import Problem, Step
from tests.unit.agents.scripted_context import scripted_context


def of(data: object) -> dict[str, object]:
    return {"object": "list", "data": [{"index": 0, "data": data}]}


def test_pooling() -> None:
    assert pooled(of([2.5]), -1, None) == ((2.5,), 1)
    assert pooled(of([[0.1], [0.7], [2.0]]), -1, None) == ((2.0,), 1)  # one for each token: the last counts
    assert pooled(of([[0.9, 0.1], [0.2, 0.8]]), -1, 2) == ((0.1, 0.8), 2)
    assert pooled(of([[0.9, 0.1], [0.2, 0.8]]), 0, 2) == ((0.9, 0.2), 2)
    assert pooled(of(1.5), -1, None) == ((1.5,), 1)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (of([[0.9, 0.1]]), "1 rows for 2 steps"),
        (of("YmFzZTY0"), "no rows of numbers"),
        (of([]), "no rows of numbers"),
        (of([[True, 1.0], [0, 1]]), "no rows of numbers"),
        (of([[float("nan")], [0.0]]), "no rows of numbers"),
        ({"error": "x"}, "no rows of numbers"),
        ([], "no rows of numbers"),
        (None, "no rows of numbers"),
    ],
)
def test_pooling_of_another_form(reply: object, words: str) -> None:
    said = pooled(reply, -1, 2)
    assert isinstance(said, str)
    assert words in said


def test_classify() -> None:
    vllm = {"data": [{"index": 0, "label": "LABEL_1", "probs": [0.25, 0.75], "num_classes": 2}]}
    assert classified(vllm, -1) == ((0.75,), 2)
    assert classified(vllm, 0) == ((0.25,), 2)
    assert classified([{"embedding": [-3.25], "meta_info": {}}], -1) == ((-3.25,), 1)
    assert classified({"embedding": [1.5]}, -1) == ((1.5,), 1)
    assert "no column 2" in str(classified(vllm, 2))
    assert "neither" in str(classified({"data": []}, -1))
    assert "neither" in str(classified("hello", -1))


def test_stated_reward() -> None:
    def reply(text: object) -> dict[str, object]:
        return {"choices": [{"message": {"role": "assistant", "content": text}}]}

    assert stated_reward(reply("reward:-3.25")) == ((-3.25,), 1)
    assert stated_reward(reply(" 0.5\n")) == ((0.5,), 1)
    assert stated_reward(reply("1e-3")) == ((0.001,), 1)
    assert "0 numbers" in str(stated_reward(reply("good")))
    assert "2 numbers" in str(stated_reward(reply("4 of 5")))
    assert "0 numbers" in str(stated_reward(reply(None)))
    assert "no chat completion" in str(stated_reward({"choices": []}))


def test_scales() -> None:
    assert to_share(0.25, "probability") == 0.25
    assert to_share(1.25, "probability") is None
    assert to_share(0.0, "logit") == 0.5
    assert to_share(800.0, "logit") == 1.0
    assert to_share(-800.0, "logit") == 0.0
    assert [to_share(reward, (-10, 10)) for reward in (-20.0, 0.0, 5.0, 11.0)] == [0.0, 0.5, 0.75, 1.0]


def test_settings_stand_in_the_url() -> None:
    endpoint = pooling(
        "http://127.0.0.1:8000/pooling?model=Qwen/PRM&step_tag=%3Cextra_0%3E&aggregation=product&version=2"
    )
    assert endpoint.level == "step"
    assert endpoint.name == "pooling:http://127.0.0.1:8000/pooling?version=2"
    body = endpoint.body(Problem(text="What is 1 + 1?"), ["1 + 1 = 2", "So 2."])
    assert body == {
        "model": "Qwen/PRM",
        "messages": [
            {"role": "user", "content": "What is 1 + 1?"},
            {"role": "assistant", "content": "1 + 1 = 2<extra_0>So 2.<extra_0>"},
        ],
    }
    plain = RewardEndpoint(
        "classify",
        "http://127.0.0.1:1/classify",
        RewardSettings(send="text", template="Q: {problem} A: {solution}"),
    )
    assert plain.body(Problem(text="{solution}?"), ["{}"]) == {"text": ["Q: {}? A: {}"]}


def test_the_choices_belong_to_the_question() -> None:
    problem = Problem(text="What is 1 + 1?", choices=("2", "3"))
    shown = "What is 1 + 1?\nChoices:\n(A) 2\n(B) 3"
    body = pooling("http://127.0.0.1:1/pooling").body(problem, ["It is (A)."])
    assert body["messages"][0] == {"role": "user", "content": shown}
    plain = RewardEndpoint("classify", "http://127.0.0.1:1/classify", RewardSettings(send="input"))
    assert plain.body(problem, ["It is (A)."]) == {"input": f"{shown}\n\nIt is (A)."}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pooling", "is not a URL|not an http"),
        ("pooling:localhost:8000", "http"),
        ("classify:http://127.0.0.1/classify?positive=last", "positive = 'last' is wrong"),
        ("reward:http://127.0.0.1/v1?scale=big", "scale 'big' is none of probability, logit and LOW..HIGH"),
        ("reward:http://127.0.0.1/v1?scale=3..1", "LOW..HIGH"),
        ("pooling:http://127.0.0.1/pooling?send=mail", "send = 'mail' is wrong"),
        ("classify:http://127.0.0.1/classify?step_tag=x", "step_tag is a setting of pooling"),
        ("reward:http://127.0.0.1/v1?step_tag=x", "step_tag is a setting of pooling"),
    ],
)
def test_wrong_urls_and_settings_are_refused_at_once(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_scorer(name)


async def test_a_server_that_stays_silent_is_a_failed_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(session: OpenAISession, body: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(OpenAISession, "post", silent)
    context, _ = scripted_context(ScriptedBackend([]))
    with pytest.raises(BackendError, match=r"127\.0\.0\.1"):
        await pooling("http://127.0.0.1:1/pooling").score(
            context, Problem(text="?"), [[Step(kind="thought", text="7")]]
        )
