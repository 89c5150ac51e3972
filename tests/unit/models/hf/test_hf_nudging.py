"""Base models, and two models that write together, with models of random numbers: their replies are random bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny_transformer import ask, write_model

from mathagent.models.base import ConnectOptions
from mathagent.models.connect import connect_backend
from mathagent.models.nudging import UncertaintyRouter
from mathagent.models.transformers_local import TransformersBackend


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without a chat template."""
    folder = write_model(tmp_path_factory.mktemp("base"))
    (folder / "chat_template.jinja").unlink()
    return folder


@pytest.fixture(scope="module")
def nudger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("nudger"), seed=1)


async def test_a_base_model_replies_and_its_turn_ends_before_the_next_question(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"hf:{base}?template=plain&dtype=fp32&device=cpu"
    plain = connect_backend(name, ConnectOptions())
    assert isinstance(plain, TransformersBackend)
    assert "template=plain" in plain.identity
    (whole,) = await plain.complete(ask(max_tokens=12))
    assert whole.finish_reason == "length"
    monkeypatch.setattr("mathagent.models.plain_chat.TURN_END", whole.text[5:7])
    (cut,) = await plain.complete(ask(max_tokens=12, stop=("never",)))
    assert (cut.text, cut.finish_reason) == (whole.text[:5], "stop")
    await plain.aclose()


@pytest.mark.parametrize("form", ["nudge", "defer"])
async def test_two_models_write_one_reply(base: Path, nudger: Path, form: str) -> None:
    query = "dtype=fp32&device=cpu"
    name = f"{form}(hf:{base}?template=plain&{query},hf:{nudger}?{query},gamma=0.1)"
    both = connect_backend(name, ConnectOptions())
    assert isinstance(both, UncertaintyRouter)
    heard = ["", ""]

    def on_delta(index: int, text: str) -> None:
        heard[index] += text

    request = ask(n=2, max_tokens=40, seed=3, temperature=0.8)
    done = await both.complete(request, on_delta)
    assert [one.text for one in done] == heard
    assert all(heard)
    assert heard[0] != heard[1]
    for one in done:
        assert [part.backend for part in one.by_model] == [model.identity for model in both.models]
        assert one.usage.completion_tokens == sum(part.usage.completion_tokens for part in one.by_model)
    assert 0 < both.facts["primary tokens kept"] + both.facts["secondary tokens kept"] <= 80
    again = [one.text for one in await both.complete(request)]
    assert again == heard
    await both.aclose()
