from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from tiny_transformer import CONTEXT, VOCABULARY, Asked, ask, load_tiny, running, until, write_model

from mathagent.errors import BackendError, UsageError
from mathagent.models.hf.batched import BatchedEngine
from mathagent.models.hf.constraints import Constraint
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.sampling import Chosen
from mathagent.types import Completion


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_tiny(write_model(tmp_path_factory.mktemp("tiny")))


def texts(completions: list[Completion]) -> list[str]:
    return [one.text for one in completions]


def engine_of(asked: Asked) -> BatchedEngine:
    assert isinstance(asked.engine, BatchedEngine)
    return asked.engine


PROMPTS = [f"{number} " * (1 + number % 9) for number in range(64)]


async def test_greedy_text_is_the_same_alone_among_64_and_by_generate(loaded: Loaded) -> None:
    with running(loaded) as asked:
        together = await asked.all([ask(prompt) for prompt in PROMPTS])
    with running(loaded, "parallel=1") as asked:
        alone = [(await asked(ask(prompt)))[0] for prompt in PROMPTS[:12]]
    assert texts(alone) == texts(together[:12])
    prompt = f"<|im_start|>user\n{PROMPTS[5]}<|im_end|>\n<|im_start|>assistant\n"
    ids = loaded.tokenizer(prompt, return_tensors="pt", add_special_tokens=False).input_ids
    out = loaded.model.generate(ids, max_new_tokens=24, do_sample=False)
    assert together[5].text == loaded.tokenizer.decode(out[0][ids.shape[1] :], skip_special_tokens=True)


async def test_a_seed_gives_the_same_samples_in_any_company(loaded: Loaded) -> None:
    wanted = ask("Mine.", temperature=1.0, seed=7, n=3)
    with running(loaded) as asked:
        alone = texts(await asked(wanted))
        others = [ask(prompt, temperature=1.5, seed=index, n=2) for index, prompt in enumerate(PROMPTS[:20])]
        company = await asyncio.gather(*(asked(one) for one in [*others[:10], wanted, *others[10:]]))
        assert texts(company[10]) == alone
        assert len(set(alone)) == 3
        later = ask("Mine.", temperature=1.0, seed=7, n=1, first_sample=2)
        assert texts(await asked(later)) == alone[2:]
        unseeded = [texts(await asked(ask("Mine.", temperature=1.0)))[0] for _ in range(3)]
        assert len(set(unseeded)) == 3


async def test_log_probs_are_those_of_a_plain_forward_pass(loaded: Loaded) -> None:
    with running(loaded) as asked:
        request = ask("Probabilities.", temperature=0.8, seed=3, logprobs=3, max_tokens=8)
        (done, *_), _ = await asyncio.gather(asked(request), asked.all([ask(prompt) for prompt in PROMPTS[:9]]))
        job = asked.job(request, lambda index, sample: None)
        prompt = job.samples[0].tokens
    words = [loaded.tokenizer.decode([token]) for token in range(len(loaded.tokenizer))]
    tokens = list(prompt)
    for entry in done.logprobs:
        expected = loaded.model(input_ids=torch.tensor([tokens])).logits[0, -1].detach().log_softmax(-1)
        best = expected.topk(3)
        assert [logprob for _, logprob in entry.top] == pytest.approx(best.values.tolist(), abs=1e-3)
        assert [word for word, _ in entry.top] == [words[token] for token in best.indices.tolist()]
        near = [token for token in range(len(words)) if words[token] == entry.token]
        token = min(near, key=lambda one: abs(float(expected[one]) - entry.logprob))
        assert entry.logprob == pytest.approx(float(expected[token]), abs=1e-3)
        tokens.append(token)
    assert len(done.logprobs) == 8


async def test_a_stop_string_ends_the_text_before_it(loaded: Loaded) -> None:
    with running(loaded) as asked:
        whole = (await asked(ask("Stop.", max_tokens=40)))[0]
        stop = whole.text[5:8]
        (done,) = await asked(ask("Stop.", max_tokens=40, stop=(stop,)))
    assert done.text == whole.text[: whole.text.index(stop)]
    assert (whole.finish_reason, done.finish_reason) == ("length", "stop")
    assert done.usage.completion_tokens < whole.usage.completion_tokens == 40


async def test_text_is_heard_as_it_comes(loaded: Loaded) -> None:
    heard: dict[int, list[str]] = {0: [], 1: []}
    with running(loaded) as asked:
        done = await asked(ask(n=2, temperature=1.0, seed=1), lambda index, text: heard[index].append(text))
    assert ["".join(pieces) for pieces in heard.values()] == texts(done)
    assert all(len(pieces) > 5 for pieces in heard.values())


async def test_samples_of_one_prompt_read_it_once_and_later_prompts_what_is_new(loaded: Loaded) -> None:
    with running(loaded) as asked:
        done = await asked(ask("Together. " * 8, n=6))
        length = done[0].usage.prompt_tokens
        assert [one.usage.prompt_tokens for one in done] == [length, 0, 0, 0, 0, 0]
        assert [one.usage.completion_tokens for one in done] == [24] * 6
        assert asked.engine.facts["reused"] == 5 * length
        again = (await asked(ask("Together. " * 8)))[0]
        assert asked.engine.facts["reused"] == 6 * length - 1
        before = asked.engine.facts["reused"]
        longer = (await asked(ask("Together. " * 8 + "And more.")))[0]
        assert asked.engine.facts["reused"] - before >= len("Together. " * 8)
    with running(loaded) as asked:
        assert (await asked(ask("Together. " * 8 + "And more.")))[0].text == longer.text
        assert (await asked(ask("Together. " * 8)))[0].text == again.text


async def test_a_schema_a_grammar_and_a_regex_are_followed_row_by_row(loaded: Loaded) -> None:
    pytest.importorskip("llguidance")
    schema = {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "b": {"enum": ["x", "y"]}},
        "required": ["a", "b"],
        "additionalProperties": False,
    }
    warm = {"temperature": 1.0, "max_tokens": 120}
    with running(loaded) as asked:
        free, in_schema, in_grammar, in_regex = await asyncio.gather(
            asked(ask("Free.")),
            asked(ask(json_schema=schema, n=4, seed=1, **warm)),
            asked(ask(grammar='root ::= "yes" | "no"', n=4, seed=1, **warm)),
            asked(ask(regex=r"[0-9]{3}-[a-c]+z", n=4, seed=1, **warm)),
        )
        (odd,) = await asked(ask(regex=r"[\Dā😀]{3}\S中\W", seed=1, **warm))
        assert re.fullmatch(r"[\Dā😀]{3}\S中\W", odd.text, re.ASCII)
        assert texts(free) == texts(await asked(ask("Free.")))
        for done in in_schema:
            value = json.loads(done.text)
            assert isinstance(value["a"], bool)
            assert value["b"] in ("x", "y")
            assert done.finish_reason == "stop"
        assert {done.text for done in in_grammar} <= {"yes", "no"}
        assert all(re.fullmatch(r"[0-9]{3}-[a-c]+z", done.text) for done in in_regex)
        assert len({done.text for done in in_regex}) > 1
        for wrong in ({"grammar": "root ::= ("}, {"json_schema": {"type": "nonsense"}}, {"regex": "("}):
            with pytest.raises(UsageError):
                await asked(ask(**wrong))


async def test_a_cancelled_request_frees_its_rows(loaded: Loaded) -> None:
    with running(loaded, "parallel=2") as asked:
        job = asked.job(ask(max_tokens=400, n=2, temperature=1.0), lambda index, sample: None)
        asked.engine.submit(job)
        waiting = asyncio.ensure_future(asked(ask("Next.")))
        await until(lambda: bool(engine_of(asked)._rows))
        asked.engine.cancel(job)
        await waiting
        assert not job.finished.done()
        assert all(sample.drawn < 400 for sample in job.samples)
        assert asked.engine._running == []


async def test_more_samples_than_rows_wait_for_their_turn(loaded: Loaded) -> None:
    with running(loaded, "parallel=3") as asked:
        done = await asked(ask(n=10, temperature=1.0, seed=2))
        few = texts(done)
    with running(loaded) as asked:
        assert texts(await asked(ask(n=10, temperature=1.0, seed=2))) == few


BYTES_PER_TOKEN = 2 * 2 * 8 * 2 * 4


def memory_for(tokens: int) -> str:
    return f"kv_gb={tokens * BYTES_PER_TOKEN * 8 / 7 / 1e9 + 1e-9:.12f}"


async def test_a_reply_that_the_memory_cannot_hold_is_refused_at_once(loaded: Loaded) -> None:
    with running(loaded, memory_for(200)) as asked:
        with pytest.raises(BackendError, match=r"memory for keys and values.*max_tokens.*kv_gb") as caught:
            await asked(ask(max_tokens=400))
        assert not caught.value.retryable
        assert len((await asked(ask(max_tokens=20)))[0].text)
    with running(loaded) as asked:
        with pytest.raises(BackendError, match=f"the limit is {CONTEXT}"):
            await asked(ask("x" * CONTEXT))
        (cut,) = await asked(ask("x" * (CONTEXT - 60), max_tokens=400))
        assert cut.usage.prompt_tokens + cut.usage.completion_tokens == CONTEXT


async def test_rows_that_outgrow_the_memory_go_on_later_with_what_they_have(loaded: Loaded) -> None:
    requests = [ask(prompt, max_tokens=150) for prompt in PROMPTS[:8]]
    with running(loaded) as asked:
        whole = await asked.all(requests)
        assert all(one.usage.completion_tokens == 150 for one in whole)
        expected = texts(whole)
    with running(loaded, memory_for(900)) as asked:
        assert texts(await asked.all(requests)) == expected
        assert asked.engine.facts["sent back"] > 0
        cache = engine_of(asked)._cache
        assert cache.rows * cache.columns <= engine_of(asked).kv_tokens


async def test_memory_that_runs_out_halves_the_batch_and_nothing_is_lost(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [ask(prompt, temperature=1.0, seed=4) for prompt in PROMPTS[:12]]
    with running(loaded) as asked:
        expected = texts(await asked.all(requests))
    with running(loaded, "parallel=12") as asked:
        engine = engine_of(asked)
        whole = engine._forward.next_tokens

        def short_of_memory(tokens: Any, *rest: Any) -> torch.Tensor:
            if len(tokens) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return whole(tokens, *rest)

        monkeypatch.setattr(engine._forward, "next_tokens", short_of_memory)
        assert texts(await asked.all(requests)) == expected
        assert engine.facts["out of memory"] >= 1
        assert 1 <= engine.limit <= 4


async def test_memory_that_runs_out_as_a_sample_leaves_tells_nothing_twice_and_loses_nothing(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    with running(loaded) as asked:
        engine = engine_of(asked)
        take, failed = engine._cache.take, threading.Event()

        def short_of_memory_once(row: int, tokens: int) -> Any:
            if not failed.is_set():
                failed.set()
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return take(row, tokens)

        monkeypatch.setattr(engine._cache, "take", short_of_memory_once)
        job = asked.job(ask("Together. " * 8, n=2), lambda index, sample: told.append(index))
        job.samples[0].most = 3
        engine.submit(job)
        await job.finished
        assert failed.is_set()
        assert told == [0, 1]
        assert [sample.drawn for sample in job.samples] == [3, 24]


async def test_a_listener_that_raises_ends_its_own_request_only(loaded: Loaded) -> None:
    def raising(index: int, text: str) -> None:
        raise KeyError("of the listener's own")

    with running(loaded) as asked:
        wrong, right = await asyncio.gather(asked(ask(), raising), asked(ask()), return_exceptions=True)
        assert isinstance(wrong, KeyError)
        assert isinstance(right, list)
        await until(lambda: engine_of(asked)._running == [])


async def test_a_constraint_that_breaks_at_a_token_ends_its_own_request_only(loaded: Loaded) -> None:
    class Broken(Constraint):
        def __init__(self) -> None:
            super().__init__(None)

        def allowed(self) -> torch.Tensor:
            return torch.ones(VOCABULARY, dtype=torch.bool)

        def take(self, token: int) -> None:
            raise BackendError("the constraint cannot be followed: it is broken")

    with running(loaded) as asked:
        job = asked.job(ask(), lambda index, sample: None)
        job.samples[0].constraint = Broken()
        other = asyncio.ensure_future(asked(ask(PROMPTS[0], max_tokens=100)))
        await until(lambda: bool(engine_of(asked)._rows))
        asked.engine.submit(job)
        with pytest.raises(BackendError, match="it is broken"):
            await job.finished
        assert (await other)[0].usage.completion_tokens == 100


async def test_memory_that_is_short_for_one_sample_is_an_error_that_says_so(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(loaded) as asked:
        engine = engine_of(asked)

        def never(*_: Any) -> torch.Tensor:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

        with monkeypatch.context() as patched:
            patched.setattr(engine._forward, "prompts", never)
            with pytest.raises(BackendError, match="memory ran out with a single sample"):
                await asked(ask())
        assert len(await asked(ask())) == 1


async def test_what_the_model_raises_ends_its_requests_and_not_the_engine(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(loaded) as asked:
        engine = engine_of(asked)

        def broken(*_: Any) -> torch.Tensor:
            raise ValueError("a shape does not fit")

        with monkeypatch.context() as patched:
            patched.setattr(engine._forward, "next_tokens", broken)
            with pytest.raises(BackendError, match="ValueError: a shape does not fit"):
                await asked(ask())
        assert len(await asked(ask())) == 1


async def test_closing_fails_what_is_left_and_what_comes_after(loaded: Loaded) -> None:
    with running(loaded, "parallel=1") as asked:
        left = [asyncio.ensure_future(asked(ask(prompt, max_tokens=300))) for prompt in PROMPTS[:3]]
        await until(lambda: bool(engine_of(asked)._rows))
        await asyncio.to_thread(asked.engine.close)
        results = await asyncio.gather(*left, return_exceptions=True)
        assert all(isinstance(one, BackendError) for one in results)
        with pytest.raises(BackendError, match="closed"):
            await asked(ask())
    asked.engine.close()


async def test_thinking_ends_after_as_many_tokens_as_are_allowed(loaded: Loaded) -> None:
    with running(loaded, "thinking=on&thinking_tokens=10") as asked:
        (done,) = await asked(ask(max_tokens=60, temperature=1.0, seed=5))
    assert 0 < len(done.reasoning.encode()) <= 40
    assert done.usage.completion_tokens == 60
    assert "</think>" not in done.text
    assert done.text


async def test_thinking_that_is_not_wanted_ends_as_soon_as_it_begins(loaded: Loaded) -> None:
    with running(loaded, "thinking_tokens=0") as asked:
        job = asked.job(ask(max_tokens=60, temperature=1.0, seed=5), lambda index, sample: None)
        sample = job.samples[0]
        for token in loaded.tokenizer("<think>x", add_special_tokens=False)["input_ids"]:
            assert sample.forced() is None
            sample.take(Chosen(token), loaded.stop_ids)
            if sample.forced() is not None:
                break
        closing = []
        while (forced := sample.forced()) is not None:
            closing.append(forced)
            sample.take(Chosen(forced), loaded.stop_ids)
    assert loaded.tokenizer.decode(closing) == "\n</think>\n\n"
    assert not sample.text.thinking


async def test_a_model_whose_code_cannot_be_run_in_rows_draws_one_sample_at_a_time(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: Any) -> int:
        raise ValueError("too many values to unpack (expected 2)")

    with running(loaded) as asked:
        expected = texts(await asked(ask()))
    monkeypatch.setattr("mathagent.models.hf.forward.Forward.probe", refuses)
    with running(loaded) as asked:
        assert asked.engine.kind == "one at a time"
        assert texts(await asked(ask())) == expected
