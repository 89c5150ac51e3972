"""Two models as one Backend: what each is asked, what is counted, what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from writing_model import writing_model

from mathagent.budget import Budget, Meter
from mathagent.errors import BackendError, LimitReached, UnknownName, UnsupportedOption, UsageError
from mathagent.events import Event
from mathagent.models.base import Backend, Capabilities, ChatRequest, ConnectOptions, PartialReply, models_of
from mathagent.models.cache import CompletionCache
from mathagent.models.connect import backends_of, connect_backend, open_models
from mathagent.models.interleaving import Gate
from mathagent.models.known_capabilities import KnownCapabilities
from mathagent.models.nudging import UncertaintyRouter
from mathagent.models.prices import from_the_cheapest
from mathagent.models.router import Router
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.models.wrappers import wrap
from mathagent.types import Image, Message, SamplingParams, Usage

WHOLE = "To solve it we add 3 and 4 so it is 7"
UNSURE = {"To": 0.1, "solve": 0.1, "7": 0.2}


def base(text: str = WHOLE, **options: Any) -> ScriptedBackend:
    return writing_model("base", text, UNSURE, **options)


def nudger(text: str = WHOLE, **options: Any) -> ScriptedBackend:
    return writing_model("nudger", text, **options)


def ask(**changes: Any) -> ChatRequest:
    params = SamplingParams(
        **{name: changes.pop(name) for name in list(changes) if name in SamplingParams.model_fields}
    )
    messages = changes.pop("messages", (Message(role="user", content="What is 3 and 4?"),))
    return ChatRequest(messages=messages, params=params, role="solver", **changes)


async def test_the_reply_and_what_each_model_used() -> None:
    first, second = base(), nudger()
    both = UncertaintyRouter(first, second, Gate(chunk=4))
    (done,) = await both.complete(ask())
    assert (done.text, done.finish_reason) == (WHOLE, "stop")
    used = {one.backend: one.usage for one in done.by_model}
    # The nudger is asked twice (4 tokens, of which the first is followed, and the last one); the base model takes over
    # with what the nudger would have written, goes on twice, and the last time is unsure of its last token.
    assert [len(one.requests) for one in (first, second)] == [3, 2]
    assert used["script:base"].completion_tokens == 4 + 4 + 3
    assert used["script:nudger"].completion_tokens == 4 + 1
    assert done.usage == used["script:base"] + used["script:nudger"]
    assert done.usage.calls == 1
    assert both.facts == {
        "replies": 1,
        "rounds": 2,
        "primary tokens kept": 10,
        "secondary tokens kept": 2,
    }


async def test_what_the_models_are_asked() -> None:
    first, second = base(), nudger()
    await UncertaintyRouter(first, second, Gate(chunk=4)).complete(ask(stop=("END",), seed=3, temperature=0.5))
    begun = [one.messages[-1] for one in second.requests]
    assert [(one.role, one.content) for one in begun] == [
        ("user", "What is 3 and 4?"),
        ("assistant", "To solve it we add 3 and 4 so it is"),
    ]
    assert [one.continue_assistant for one in second.requests] == [False, True]
    every = [*first.requests, *second.requests]
    assert all(one.continue_assistant for one in first.requests)
    assert [one.logprobs for one in every] == [1, 1, 1, 0, 0]
    assert {one.params.max_tokens for one in every} == {4}
    assert {one.params.stop for one in every} == {()}
    assert {one.params.temperature for one in every} == {0.5}
    assert len({one.params.seed for one in every}) == 5
    assert {one.role for one in every} == {"solver"}
    again = base(), nudger()
    await UncertaintyRouter(*again, Gate(chunk=4)).complete(ask(stop=("END",), seed=3, temperature=0.5))
    assert [*again[0].requests, *again[1].requests] == every


async def test_a_begun_turn_is_gone_on_with() -> None:
    first, second = base(), nudger()
    turn = (Message(role="user", content="?"), Message(role="assistant", content="To solve it"))
    (done,) = await UncertaintyRouter(first, second).complete(ask(messages=turn, continue_assistant=True))
    assert done.text == " we add 3 and 4 so it is 7"
    assert all(len(one.messages) == 2 for one in (*first.requests, *second.requests))


async def test_the_small_model_is_helped_where_it_is_unsure() -> None:
    small, large = base(), nudger("To solve it we add 3 and 4 so it is 7 .")
    both = UncertaintyRouter(small, large, form="defer")
    (done,) = await both.complete(ask())
    assert done.text == "To solve it we add 3 and 4 so it is 7 ."
    assert [one.params.max_tokens for one in small.requests[:1]] == [16]
    assert both.name == "defer(script:base,script:nudger)"


async def test_samples_have_their_own_deltas_seeds_and_ends() -> None:
    first, second = base(), nudger()
    both = UncertaintyRouter(first, second)
    heard = dict.fromkeys(range(3), "")

    def on_delta(index: int, text: str) -> None:
        heard[index] += text

    done = await both.complete(ask(n=3, seed=1), on_delta)
    assert [one.text for one in done] == list(heard.values()) == [WHOLE] * 3
    assert [one.usage.calls for one in done] == [1, 1, 1]
    assert len({one.params.seed for one in second.requests}) == len(second.requests)
    # Sample 2 of three is what it is when it is drawn alone.
    alone = base(), nudger()
    await UncertaintyRouter(*alone).complete(ask(n=3, seed=1).samples(2, 1))
    assert {one.params.seed for one in alone[1].requests} < {one.params.seed for one in second.requests}


async def test_a_stop_string_and_the_longest_reply() -> None:
    both = UncertaintyRouter(base(), nudger())
    (done,) = await both.complete(ask(stop=("add 3", "never")))
    assert (done.text, done.finish_reason) == ("To solve it we ", "stop")
    (done,) = await both.complete(ask(max_tokens=5))
    assert (done.text, done.finish_reason) == ("To solve it we add", "length")


async def test_a_meter_counts_both_and_the_cache_answers_the_whole_reply(tmp_path: Path) -> None:
    cache = CompletionCache(tmp_path / "cache.db")
    events: list[Event] = []

    def wrapped(meter: Meter, one: Backend) -> Backend:
        return wrap(one, meter=meter, cache=cache, semaphore=asyncio.Semaphore(4), emit=events.append)

    meter, again, other = Meter(), Meter(), Meter()
    await wrapped(meter, UncertaintyRouter(base(), nudger())).complete(ask())
    assert list(meter.by_model) == ["script:base", "script:nudger"]
    assert sum(meter.by_model.values(), Usage()) == meter.usage
    assert meter.usage.calls == 1
    asked = base(), nudger()
    (cached,) = await wrapped(again, UncertaintyRouter(*asked)).complete(ask())
    assert cached.cached
    assert not asked[0].requests + asked[1].requests
    assert again.by_model == {name: usage.as_cached() for name, usage in meter.by_model.items()}
    assert again.usage.cached_completion_tokens == meter.usage.completion_tokens
    (fresh,) = await wrapped(other, UncertaintyRouter(base(), nudger(), Gate(gamma=0.4))).complete(ask())
    assert not fresh.cached
    cache.close()


async def test_a_deadline_ends_it_between_two_chunks() -> None:
    slow = ScriptedBackend(lambda request, index: Reply(text="a b", finish_reason="length", delay_s=0.03))
    both = UncertaintyRouter(base(), slow)
    meter = Meter(Budget(max_seconds=0.05))
    backend = wrap(both, meter=meter, cache=None, semaphore=asyncio.Semaphore(1), emit=lambda event: None)
    with pytest.raises(LimitReached, match="seconds"):
        await backend.complete(ask(max_tokens=10_000))
    asked = len(slow.requests)
    await asyncio.sleep(0.1)
    assert len(slow.requests) == asked
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


class Failing:
    """``inner``, but that the requests whose numbers are given fail."""

    def __init__(self, inner: ScriptedBackend, *numbers: int, retryable: bool = True) -> None:
        self.inner, self.numbers, self.retryable, self.asked = inner, numbers, retryable, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def complete(self, request: ChatRequest, on_delta: Any = None) -> Any:
        self.asked += 1
        if self.asked in self.numbers:
            raise BackendError("busy", retryable=self.retryable, retry_after_s=0.0)
        return await self.inner.complete(request, on_delta)


async def test_a_chunk_that_fails_in_passing_is_asked_for_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from mathagent.models.wrappers import Retrying

    monkeypatch.setattr(Retrying.__init__, "__kwdefaults__", {**Retrying.__init__.__kwdefaults__, "base_s": 0.001})
    inner = base()
    (done,) = await UncertaintyRouter(Failing(inner, 2), nudger(), Gate(chunk=4)).complete(ask())
    assert done.text == WHOLE
    assert len(inner.requests) == 3


async def test_a_failure_for_good_is_not_asked_for_again_as_a_whole_and_leaves_other_samples() -> None:
    failing = Failing(nudger(), 3, retryable=False)
    with pytest.raises(PartialReply, match="busy") as caught:
        await UncertaintyRouter(base(), failing).complete(ask(n=3))
    assert not caught.value.retryable
    assert [one.text for one in caught.value.arrived.values()] == [WHOLE] * 2


async def test_a_model_that_thinks_or_gives_no_log_probs_is_refused() -> None:
    class Thinking(ScriptedBackend):
        async def complete(self, request: ChatRequest, on_delta: Any = None) -> Any:
            return [one.model_copy(update={"reasoning": "Hm."}) for one in await super().complete(request)]

    with pytest.raises(UnsupportedOption, match=r"thinking within nudge\(…\); .*\?thinking=off"):
        await UncertaintyRouter(base(), Thinking(["a b"])).complete(ask())
    silent = ScriptedBackend(lambda request, index: "and so on", name="script:silent")
    with pytest.raises(BackendError, match="script:silent was asked for log-probs and gave none; nudge"):
        await UncertaintyRouter(silent, nudger(), Gate(chunk=4)).complete(ask())


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"logprobs": False}, {}, r"script:base does not support logprobs; nudge\(…\) must know how sure"),
        ({"continue_assistant": False}, {}, "script:base does not support continue_assistant; .*server="),
        ({}, {"continue_assistant": False}, "script:nudger does not support continue_assistant"),
    ],
)
async def test_a_model_that_lacks_what_it_takes_is_named(
    first: dict[str, bool], second: dict[str, bool], said: str
) -> None:
    able = Capabilities(**dict.fromkeys(Capabilities.model_fields, True))
    models = (
        base(capabilities=able.model_copy(update=first)),
        nudger(capabilities=able.model_copy(update=second)),
    )
    with pytest.raises(UnsupportedOption, match=said):
        await UncertaintyRouter(*models).complete(ask())


async def test_the_nudger_needs_no_log_probs() -> None:
    able = Capabilities(continue_assistant=True)
    second = nudger(capabilities=able)
    (done,) = await UncertaintyRouter(base(), second).complete(ask())
    assert done.text == WHOLE
    assert {one.logprobs for one in second.requests} == {None}


@pytest.mark.parametrize(
    "changes",
    [
        {"json_schema": {"type": "object"}},
        {"grammar": 'root ::= "a"'},
        {"regex": "a"},
        {"logprobs": 0},
        {"lora": {"a": 1.0}},
    ],
)
async def test_forms_adapters_and_log_probs_are_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedOption, match=f"nudge.* does not support {next(iter(changes))}"):
        await UncertaintyRouter(base(), nudger()).complete(ask(**changes))


async def test_pictures_go_to_both_where_both_see() -> None:
    seen = (Message(role="user", content="?", images=(Image(media_type="image/png", data=b"1"),)),)
    first, second = base(), nudger()
    await UncertaintyRouter(first, second).complete(ask(messages=seen))
    assert all(one.images for one in (*first.requests, *second.requests))
    blind = nudger(capabilities=Capabilities(continue_assistant=True))
    with pytest.raises(UnsupportedOption, match="images"):
        await UncertaintyRouter(base(), blind).complete(ask(messages=seen))


async def test_no_more_at_once_than_each_model_answers_well() -> None:
    at_once = most = 0

    class Slow(ScriptedBackend):
        async def complete(self, request: ChatRequest, on_delta: Any = None) -> Any:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.001)
            at_once -= 1
            return await super().complete(request)

    slow = Slow(lambda request, index: "done", name="script:slow", max_parallel=3)
    both = UncertaintyRouter(base(), slow)
    assert both.max_parallel == 3
    await asyncio.gather(*(both.complete(ask(n=4)) for _ in range(4)))
    assert most == 3


def test_one_object_serves_one_loop_after_the_other() -> None:
    slow = ScriptedBackend(
        lambda request, index: Reply(text="done", delay_s=0.001), name="script:slow", max_parallel=1
    )
    both = UncertaintyRouter(base(), slow)
    for _ in range(2):
        (done, *_) = asyncio.run(both.complete(ask(n=3)))
        assert done.text == "done"


URL = "http://127.0.0.1:9/v1"


def test_names_are_written_like_those_of_a_cascade_and_can_be_written_again() -> None:
    name = f"nudge(openai:a@{URL},http://h/v1?weight=2, embedded:smollm2-135m?slots=2, gamma=0.4,chunk=8)"
    backend = connect_backend(name, ConnectOptions())
    assert isinstance(backend, UncertaintyRouter)
    assert backend.gate == Gate(gamma=0.4, chunk=8)
    first, second = backend.models
    assert backend.name == f"nudge({first.name},{second.name},gamma=0.4,chunk=8)"
    again = connect_backend(backend.name, ConnectOptions())
    assert (again.name, again.identity) == (backend.name, backend.identity)
    assert "slots" not in backend.identity
    identities = {
        connect_backend(f"{form}(smollm2-135m,qwen2.5-coder-0.5b{rest})", ConnectOptions()).identity
        for form in ("nudge", "defer")
        for rest in ("", ",gamma=0.4", ",chunk=8", ",rounds=9")
    }
    assert len(identities) == 8


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nudge(smollm2-135m)", r"takes two models, and is given 1; write nudge\(BASE,NUDGER,gamma=0\.3\)"),
        ("defer(a,b,c)", "takes two models, and is given 3"),
        ("nudge()", "is given 0"),
        ("nudge(smollm2-135m,smollm2-135m)", "is given embedded:smollm2-135m twice"),
        (
            "nudge(smollm2-135m,qwen2.5-coder-0.5b,gama=1)",
            "no setting of nudge is named 'gama'; did you mean gamma",
        ),
        ("nudge(smollm2-135m,qwen2.5-coder-0.5b,gamma=2)", "gamma = '2' is wrong"),
        ("nudge(smollm2-135m,qwen2.5-coder-0.5b,gamma=.1,gamma=.2)", "gamma is given twice"),
        ("nudge(smollm2-135m,nowhere)", "no model is named 'nowhere'"),
        ("nugde(smollm2-135m,qwen2.5-coder-0.5b)", "no model is named 'nugde"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        connect_backend(name, ConnectOptions())
    assert isinstance(caught.value, UnknownName) == ("named" in said)


def test_an_address_is_for_the_endpoints_among_the_models() -> None:
    options = ConnectOptions.model_validate({"base_url": URL, "api_key": "k"})
    for name in ("nudge(m,embedded:smollm2-135m)", "script:a.json,nudge(m,embedded:smollm2-135m)"):
        backend = open_models(name.replace("script:a.json", "qwen2.5-coder-0.5b"), options)[0]
        assert f"openai:m@{URL}" in backend.name
    with pytest.raises(UsageError, match=r"none of nudge.* is a model of an endpoint; leave out --base-url"):
        connect_backend("nudge(embedded:smollm2-135m,embedded:qwen2.5-coder-0.5b)", options)


def test_it_may_be_a_stage_or_have_a_role() -> None:
    name = "cascade(smollm2-135m,nudge(qwen2.5-coder-1.5b,qwen2.5-coder-0.5b),below=0.9)"
    router = connect_backend(name, ConnectOptions())
    assert isinstance(router, Router)
    assert [one.name for one in models_of(router)] == [
        f"embedded:{name}" for name in ("smollm2-135m", "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b")
    ]
    judge = connect_backend("smollm2-135m,judge=defer(qwen2.5-coder-0.5b,qwen2.5-coder-1.5b)", ConnectOptions())
    assert isinstance(judge, Router)
    assert isinstance(judge.roles["judge"], UncertaintyRouter)
    found = backends_of(f"smollm2-135m,judge=nudge(openai:m@{URL},script:a.json)", has_endpoint=False)
    assert found == {"embedded", "nudge", "openai", "script"}


def test_it_costs_what_both_models_cost() -> None:
    free, paid = connect_backend("smollm2-135m", ConnectOptions()), ScriptedBackend([], name="openai:gpt-4o")
    with_paid, without = UncertaintyRouter(free, paid), UncertaintyRouter(free, base())
    assert from_the_cheapest([paid, with_paid, without]) == [without, paid, with_paid]
    unknown = UncertaintyRouter(free, ScriptedBackend([], name="openai:nobody-knows"))
    assert from_the_cheapest([paid, unknown]) == [paid, unknown]


def test_what_the_user_says_of_a_model_holds_within_it(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[capabilities."script:nudger"]\ncontinue_assistant = false\n')
    first, second = base(), nudger()
    KnownCapabilities(tmp_path, config).settle(Router([UncertaintyRouter(first, second)]))
    assert not second.capabilities.continue_assistant
    assert first.capabilities.continue_assistant
