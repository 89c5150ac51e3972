from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from tiny_transformer import ask, load_tiny, running, settings_of, tiny_config, write_model

pytest.importorskip("transformers")

import transformers

from mathagent.errors import UnsupportedOption
from mathagent.models.hf import batched
from mathagent.models.hf.contrast import Contrast, SelfContrast, routers_of
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.sampling import Draw, choose
from mathagent.models.hf.settings import HfSettings

QWEN: dict[str, Any] = {
    "head_dim": 8,
    "num_experts": 6,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "norm_topk_prob": True,
}
MIXTRAL = {"num_local_experts": 6, "num_experts_per_tok": 2}
DEEPSEEK: dict[str, Any] = {
    "moe_intermediate_size": 24,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "n_shared_experts": 1,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "q_lora_rank": None,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "num_key_value_heads": 4,
}
LFM = {"num_experts": 4, "moe_intermediate_size": 8, "num_dense_layers": 0, "layer_types": ["full_attention"] * 2}
KINDS = [
    pytest.param("Qwen3Moe", QWEN, id="Qwen3 MoE"),
    pytest.param("Qwen3Moe", QWEN | {"norm_topk_prob": False}, id="Qwen3 MoE, weights not normalised"),
    pytest.param("Mixtral", MIXTRAL, id="Mixtral"),
    pytest.param("DeepseekV3", DEEPSEEK, id="DeepSeek-V3: shared experts, groups, unsorted"),
]


def written(folder: Path, kind: str, changes: dict[str, Any]) -> Path:
    """A model whose routers' choices are far apart."""
    write_model(folder, kind, **changes)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    for name, module in model.named_modules():
        if name.endswith((".gate", ".router")):
            torch.nn.init.normal_(module.weight, std=1.0, generator=torch.Generator().manual_seed(len(name)))
            if hasattr(module, "e_score_correction_bias"):
                module.e_score_correction_bias.uniform_(-0.2, 0.2, generator=torch.Generator().manual_seed(7))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_tiny(written(tmp_path_factory.mktemp("moe"), "Qwen3Moe", QWEN))


# The formula, computed directly


def one_expert(router: Any, rank: int) -> Any:
    """A router's forward that chooses the expert of ``rank`` alone, from its weights and the papers' formulas."""

    def forward(hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        hidden = hidden.reshape(-1, hidden.shape[-1])
        logits = hidden.float() @ router.weight.float().T
        if type(router).__name__.startswith("Deepseek"):
            likely = logits.sigmoid()
            wanted = likely + router.e_score_correction_bias
            groups = wanted.view(len(wanted), router.num_group, -1)
            best = groups.topk(2).values.sum(-1).topk(router.topk_group).indices
            for row, kept in enumerate(best.tolist()):
                for group in set(range(router.num_group)) - set(kept):
                    groups[row, group] = float("-inf")
        else:
            likely = wanted = logits.softmax(-1)
        chosen = wanted.sort(descending=True).indices[:, rank - 1 : rank]
        weight = likely.gather(1, chosen)
        if getattr(router, "norm_topk_prob", True):
            weight = torch.ones_like(weight)
        return logits, (weight * getattr(router, "routed_scaling_factor", 1.0)).to(hidden.dtype), chosen

    return forward


@contextmanager
def weak_model(model: Any, rank: int) -> Iterator[Any]:
    routers = [module for module in model.modules() if type(module).__name__.lower().endswith("router")]
    assert routers
    kept = [router.forward for router in routers]
    for router in routers:
        router.forward = one_expert(router, rank)
    try:
        yield model
    finally:
        for router, forward in zip(routers, kept, strict=True):
            router.forward = forward


@torch.inference_mode()
def contrasted(model: Any, tokens: list[int], rank: int, beta: float, alpha: float) -> torch.Tensor:
    """logits_strong + beta (logits_strong - logits_weak) where p_strong >= alpha max p_strong."""
    ids = torch.tensor([tokens])
    strong = model(input_ids=ids).logits[0, -1].float()
    with weak_model(model, rank):
        weak = model(input_ids=ids).logits[0, -1].float()
    scores = strong + beta * (strong - weak)
    likely = strong.softmax(-1)
    return torch.where(likely >= alpha * likely.max(), scores, float("-inf"))


def reply(loaded: Loaded, prompt: list[int], count: int, rank: int, beta: float, alpha: float) -> list[int]:
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(contrasted(loaded.model, tokens, rank, beta, alpha).argmax()))
        if tokens[-1] in loaded.stop_ids:
            break
    return tokens[len(prompt) :]


# What the engines draw


async def drawn(
    loaded: Loaded, query: str, prompts: list[str], tokens: int = 20
) -> list[tuple[list[int], list[int]]]:
    """(prompt, reply) of each, as tokens; all asked at once."""
    with running(loaded, query) as asked:
        jobs = [asked.job(ask(prompt, max_tokens=tokens), lambda index, sample: None) for prompt in prompts]
        for job in jobs:
            asked.engine.submit(job)
        for job in jobs:
            await job.finished
        if "kv_gb" in query:
            assert asked.engine.facts["sent back"] > 0
        assert asked.engine.facts.get("contrasted with rank") == asked.settings.self_contrast
        samples = [job.samples[0] for job in jobs]
    return [(one.tokens[: one.prompt_length], one.tokens[one.prompt_length :]) for one in samples]


@pytest.mark.parametrize(("kind", "changes"), KINDS)
@pytest.mark.parametrize("rank", [1, 3])
async def test_the_reply_is_that_of_the_formula(
    tmp_path: Path, kind: str, changes: dict[str, Any], rank: int
) -> None:
    loaded = load_tiny(written(tmp_path / "m", kind, changes))
    query = f"self_contrast={rank}&self_contrast_beta=0.8&self_contrast_alpha=0.05"
    found = await drawn(loaded, query, ["1 2 3", "Another one, which is longer."])
    plain = await drawn(loaded, "", ["1 2 3", "Another one, which is longer."])
    for prompt, tokens in found:
        assert tokens == reply(loaded, prompt, 20, rank, 0.8, 0.05)
    assert found != plain
    assert not any(router._forward_hooks for router in routers_of("m", loaded.model, rank))


async def test_the_papers_strength_is_the_default(loaded: Loaded) -> None:
    ((prompt, tokens),) = await drawn(loaded, "self_contrast=3", ["1 2 3"])
    assert tokens == reply(loaded, prompt, 20, 3, 0.5, 0.1)


async def test_a_row_is_contrasted_alike_alone_in_a_batch_and_after_it_was_sent_back(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batched, "GROWTH", 16)  # more rows are let in than there is room for in the end
    prompts = [f"{number} " * (1 + number) for number in range(4)]
    expected = await drawn(loaded, "self_contrast=3", prompts, 60)
    for other in ("parallel=1", "kv_gb=0.00012", "kv_cache=static"):
        assert await drawn(loaded, f"self_contrast=3&{other}", prompts, 60) == expected


async def test_a_prompt_that_is_known_already_is_read_by_neither_pass(loaded: Loaded) -> None:
    with running(loaded, "self_contrast=3") as asked:
        first = (await asked(ask("Together. " * 8, n=3)))[0]
        before = asked.engine.facts["reused"]
        again = (await asked(ask("Together. " * 8)))[0]
        assert asked.engine.facts["reused"] - before == first.usage.prompt_tokens - 1
        assert again.text == first.text


async def test_the_weak_pass_takes_memory_too(loaded: Loaded) -> None:
    with running(loaded, "kv_gb=0.001") as plain, running(loaded, "kv_gb=0.001&self_contrast=2") as twice:
        assert twice.engine.facts["kv tokens"] == plain.engine.facts["kv tokens"] // 2
    with running(loaded, "kv_gb=0.0001&kv_cache=static") as plain:
        pass
    with running(loaded, "kv_gb=0.0001&kv_cache=static&self_contrast=2") as twice:
        assert twice.engine.longest == plain.engine.longest // 2


async def test_a_constraint_a_seed_and_log_probs_hold_with_it(loaded: Loaded) -> None:
    pytest.importorskip("llguidance")
    with running(loaded, "self_contrast=3") as asked:
        warm = ask(regex="[ab]{6}", n=4, temperature=1.0, seed=3)
        texts = [one.text for one in await asked(warm)]
        assert [one.text for one in await asked(warm)] == texts
        assert all(len(text) == 6 and set(text) <= set("ab") for text in texts)
        (done,) = await asked(ask("1 2 3", logprobs=0, max_tokens=1))
        job = asked.job(ask("1 2 3"), lambda index, sample: None)
    logits = loaded.model(input_ids=torch.tensor([job.samples[0].tokens])).logits[0, -1].detach()
    own = logits.log_softmax(-1)
    assert min(abs(float(one) - done.logprobs[0].logprob) for one in own) < 1e-3


def test_only_plausible_tokens_remain_and_they_are_plausible_among_the_allowed() -> None:
    strong = torch.tensor([[4.0, 3.9, 3.0, -9.0, -10.0]])
    weak = torch.tensor([[4.0, 1.0, 9.0, -9.0, -99.0]])
    contrast = Contrast(weak, beta=0.5, alpha=0.5)
    assert contrast.scores(strong)[0].tolist() == pytest.approx([4.0, 5.35, *[float("-inf")] * 3])
    assert choose(strong, [Draw()], None, contrast)[0].token == 1
    allowed = torch.tensor([False, False, False, True, True])
    assert choose(strong, [Draw()], [allowed], contrast)[0].token == 3
    assert choose(strong, [Draw()], [allowed], Contrast(weak, 0.5, 0.3))[0].token == 4


# What is refused


def model_of(kind: str, **changes: Any) -> Any:
    return transformers.AutoModelForCausalLM.from_config(tiny_config(kind, **changes))


@pytest.mark.parametrize(
    ("kind", "changes", "rank", "named"),
    [
        ("Qwen3", {"head_dim": 8}, 2, "self_contrast; it is no mixture of experts"),
        ("Qwen3Moe", QWEN, 7, "self_contrast=7; its layers have 6 experts"),
        ("Mixtral", MIXTRAL | {"num_experts_per_tok": 1}, 1, "self_contrast=1; it asks that expert alone"),
        ("Phimoe", MIXTRAL, 2, r"its router \(PhimoeTopKRouter\)"),
        ("Lfm2Moe", LFM, 2, "Lfm2MoeTopKRouter"),
    ],
    ids=["dense", "too few experts", "the strong one itself", "always two experts", "a router of more arguments"],
)
def test_a_model_that_cannot_be_routed_so_is_refused_by_name(
    kind: str, changes: dict[str, Any], rank: int, named: str
) -> None:
    with pytest.raises(UnsupportedOption, match=named):
        SelfContrast("hf:m", model_of(kind, **changes), settings_of(f"self_contrast={rank}"))


def test_a_dense_model_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UnsupportedOption, match="self_contrast; it is no mixture of experts"):
        load_tiny(folder, HfSettings(dtype="fp32", self_contrast=2))
