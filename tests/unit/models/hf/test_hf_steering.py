from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from tiny_transformer import ask, load_tiny, running, write_model

from mathagent.errors import UnsupportedOption, UsageError
from mathagent.models.hf import steering
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.settings import read_settings
from mathagent.models.hf.steering import (
    Steering,
    SteeringFacts,
    SteeringVector,
    Trigger,
    calibration,
    contrast,
    decoder_layers,
    load_vector,
    thought_kind,
)

SIZE = 32


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_tiny(write_model(tmp_path_factory.mktemp("tiny")))


def vector(trigger: Trigger = "all", layer: int = 0, size: int = SIZE) -> SteeringVector:
    direction = torch.randn(size, generator=torch.Generator().manual_seed(0))
    return SteeringVector(SteeringFacts(model="m", layer=layer, hidden_size=size, trigger=trigger), direction)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {trigger: tmp_path / f"{trigger}.safetensors" for trigger in ("all", "delimiter")}
    vector("all").save(found["all"])
    vector("delimiter").save(found["delimiter"])
    return found


def hooks(loaded: Loaded) -> int:
    return sum(len(layer._forward_hooks) for layer in decoder_layers(loaded.model))


async def texts(loaded: Loaded, query: str, count: int = 3, tokens: int = 30) -> list[str]:
    with running(loaded, query) as asked:
        done = await asked.all([ask(f"{number} " * number, max_tokens=tokens) for number in range(1, count + 1)])
        if "kv_gb" in query:
            assert asked.engine.facts["sent back"] > 0
    return [one.text for one in done]


async def test_a_strength_of_zero_changes_nothing_and_a_large_one_does(
    loaded: Loaded, files: dict[str, Path]
) -> None:
    plain = await texts(loaded, "")
    assert await texts(loaded, f"steering={files['all']}&strength=0") == plain
    steered = await texts(loaded, f"steering={files['all']}&strength=3")
    assert all(one != other for one, other in zip(steered, plain, strict=True))
    assert hooks(loaded) == 0


async def test_a_row_is_steered_alike_alone_in_a_batch_and_after_it_was_sent_back(
    loaded: Loaded, files: dict[str, Path]
) -> None:
    query = f"steering={files['all']}&strength=1"
    expected = await texts(loaded, query, 6, 150)
    for other in ("parallel=1", "kv_gb=0.000128", "kv_cache=static"):
        assert await texts(loaded, f"{query}&{other}", 6, 150) == expected


async def test_with_delimiters_only_what_follows_one_is_steered(
    loaded: Loaded, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = (await texts(loaded, "", 1))[0]
    query = f"steering={files['delimiter']}&strength=30"
    assert (await texts(loaded, query, 1))[0] == plain  # this tokenizer has no token for a blank line
    with running(loaded) as asked:
        job = asked.job(ask("1 ", max_tokens=30), lambda index, sample: None)
        asked.engine.submit(job)
        await job.finished
        tokens = job.samples[0].tokens[job.samples[0].prompt_length :]
    place = next(place for place in range(8, 30) if tokens[place] not in tokens[:place])
    monkeypatch.setattr(steering, "delimiter_ids", lambda tokenizer: torch.tensor([tokens[place]]))
    with running(loaded, query) as asked:
        job = asked.job(ask("1 ", max_tokens=30), lambda index, sample: None)
        asked.engine.submit(job)
        await job.finished
        steered = job.samples[0].tokens[job.samples[0].prompt_length :]
    assert steered[: place + 1] == tokens[: place + 1]
    assert steered[place + 1] != tokens[place + 1]


def test_a_vector_is_read_as_it_was_written(files: dict[str, Path]) -> None:
    found = load_vector(files["delimiter"])
    assert found.facts == vector("delimiter").facts
    assert torch.equal(found.vector, vector().vector)


def test_what_is_no_vector_of_this_model_is_refused(
    loaded: Loaded, tmp_path: Path, files: dict[str, Path]
) -> None:
    for wrong in (vector(size=8), vector(layer=2)):
        with pytest.raises(UsageError, match="2 layers of size 32"):
            Steering(loaded.model, loaded.tokenizer, wrong, None)
    (tmp_path / "text").write_text("no vector", encoding="utf-8")
    for path in (tmp_path / "text", tmp_path / "missing"):
        with pytest.raises(UsageError, match="no steering vector"):
            load_vector(path)
    for query in ("prompt_lookup=3", "kv_cache=static&compile=on"):
        with pytest.raises(UnsupportedOption, match="steering with"):
            read_settings(f"m?steering={files['all']}&{query}")


@pytest.mark.parametrize("layer", [0, 1])
def test_the_direction_between_texts_is_found_where_it_lies(loaded: Loaded, layer: int) -> None:
    concise, verbose = [1, 2, 3], [1, 2, 4]
    found = contrast(loaded.model, "m", [(concise, verbose)], layer=layer)
    assert hooks(loaded) == 0
    seen: list[Any] = []
    hook = decoder_layers(loaded.model)[layer].register_forward_hook(
        lambda module, inputs, output: seen.append(output)
    )
    for ids in (concise, verbose):
        loaded.model(input_ids=torch.tensor([ids]))
    hook.remove()
    expected = (seen[0] if isinstance(seen[0], torch.Tensor) else seen[0][0])[0, -1] - (
        seen[1] if isinstance(seen[1], torch.Tensor) else seen[1][0]
    )[0, -1]
    assert torch.allclose(
        found.vector, expected, atol=1e-4
    )  # also of the last, which the model's norm comes behind
    with pytest.raises(UsageError, match="at least one pair"):
        contrast(loaded.model, "m", [], layer=1)


def test_calibration_contrasts_what_goes_on_with_what_checks(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    bar = loaded.tokenizer("|", add_special_tokens=False)["input_ids"][0]
    monkeypatch.setattr(steering, "delimiter_ids", lambda tokenizer: torch.tensor([bar]))
    found = calibration(loaded.model, loaded.tokenizer, "m", ["start|add 2|Wait, hold on|so 3"], layer=0)
    assert (found.facts.trigger, found.vector.shape) == ("delimiter", (SIZE,))
    with pytest.raises(UsageError, match="both kinds"):
        calibration(loaded.model, loaded.tokenizer, "m", ["start|add 2|so 3"], layer=0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("\nWait, is it 3?", "reflection"),
        ("Let me check the sum.", "reflection"),
        ("Alternatively, use areas.", "transition"),
        ("There is another approach.", "transition"),
        ("So x is 3.", "execution"),
        ("We wait for 3 hours.", "execution"),
    ],
)
def test_thoughts_are_told_apart_by_their_words(text: str, kind: str) -> None:
    assert thought_kind(text) == kind
