from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import UnknownName, UnsupportedOption, UsageError
from mathagent.models.base import Capabilities, ChatRequest, ConnectOptions
from mathagent.models.connect import split_model
from mathagent.models.embedded import EmbeddedBackend, connect
from mathagent.models.embedded_options import EmbeddedOptions, split_options
from mathagent.models.embedded_server import server_params
from mathagent.models.plain_chat import plain_template
from mathagent.models.server_process import ServerOptions, Speculation
from mathagent.types import Image, Message, SamplingParams


def opened(query: str) -> EmbeddedBackend:
    return connect(f"smollm2-135m{query}", ConnectOptions())


def gguf(folder: Path, name: str) -> str:
    path = folder / name
    path.write_bytes(b"GGUF" + bytes(20))
    return str(path)


def test_without_options_name_and_identity_are_what_they_were() -> None:
    assert split_options("smollm2-135m") == ("smollm2-135m", EmbeddedOptions())
    backend = opened("")
    assert "?" not in backend.name + backend.identity
    assert backend.context == 4096


def test_a_model_of_the_catalog_keeps_its_options_without_the_prefix() -> None:
    assert split_model("smollm2-135m?slots=2", has_endpoint=False) == ("embedded", "smollm2-135m?slots=2")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?kv=q8_0", "no option of embedded models is named 'kv'; did you mean kv_"),
        ("?kv_k=q6_k", "kv_k = 'q6_k' is wrong"),
        ("?slots=0", "slots = '0' is wrong"),
        ("?slots=2&slots=3", "slots is given twice"),
        ("?slots", "slots = '' is wrong"),
        ("?&", "is no option"),
        ("?lookup=ngram-simple&draft=qwen2.5-coder-0.5b", "lookup and draft are two ways"),
        ("?lookup_ngram=3", "lookup_ngram has no use without lookup"),
        ("?lookup=ngram-cache&lookup_tokens=4", "ngram-cache has no lookup_tokens"),
        ("?draft_tokens=4", "draft_tokens has no use without draft"),
        ("?draft=qwen2.5-coder-0.5b&draft_p_min=1", "draft_p_min = '1' is wrong"),
        ("?embeddings=cls", "embeddings = 'cls' is wrong"),
        ("?context=9000", "context=9000 is more than its 8192 tokens"),
        ("?lora=/no/such.gguf", "cannot read the model file /no/such.gguf"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_wrong(query: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        opened(query)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?lookup=draft-eagle3", "draft-eagle3"),
        ("?control_vector=x", "control_vector"),
        ("?gpu_layers=1", "gpu_layers"),
    ],
)
def test_what_the_runtime_cannot_do_is_refused_by_name(query: str, named: str) -> None:
    with pytest.raises(UnsupportedOption, match=named):
        opened(query)


def test_a_draft_that_there_is_not_is_an_unknown_name() -> None:
    with pytest.raises(UnknownName, match=r"qwen2\.5-coder-0\.5b"):
        opened("?draft=qwen2.5-coder-0.5")


def test_two_adapters_of_one_name_cannot_be_told_apart(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, other = gguf(tmp_path, "a.gguf"), gguf(tmp_path / "other", "a.gguf")
    with pytest.raises(UsageError, match="two adapters are named a"):
        opened(f"?lora={one}&lora={other}")


def test_what_shapes_replies_is_part_of_the_identity_and_what_does_not_is_not(tmp_path: Path) -> None:
    plain = opened("").identity
    assert opened("?slots=2&threads=1&embeddings=last").identity == plain
    file = gguf(tmp_path, "a.gguf")
    shaping = ["?kv_k=q8_0", "?kv_v=q8_0", "?lookup=ngram-simple", "?draft=qwen2.5-coder-0.5b", "?context=512"]
    shaping += [f"?lora={file}", f"?lora={file}:0.5"]
    identities = {opened(query).identity for query in shaping}
    assert len(identities) == len(shaping)
    assert all(identity.startswith(plain) and identity != plain for identity in identities)
    Path(file).write_bytes(b"GGUF" + bytes(21))
    assert opened(f"?lora={file}").identity not in identities


def test_the_name_can_be_written_again(tmp_path: Path) -> None:
    backend = opened(f"?slots=3&kv_k=q4_0&lookup=ngram-mod&lookup_tokens=9&lora={gguf(tmp_path, 'a b.gguf')}:0.25")
    again = connect(backend.name.removeprefix("embedded:"), ConnectOptions())
    assert (again.name, again.identity) == (backend.name, backend.identity)
    assert backend.max_parallel == 3


def test_the_scales_of_all_adapters_go_with_every_request(tmp_path: Path) -> None:
    a, b = gguf(tmp_path, "a.gguf"), gguf(tmp_path, "b.gguf")
    _, options = split_options(f"m?lora={a}&lora={b}:0.5")
    asked = ChatRequest(messages=(Message(role="user", content="1"),))

    def scales(lora: dict[str, float] | None) -> Any:
        return options.fields(asked.model_copy(update={"lora": lora}), "embedded:m")

    assert scales(None) == {"lora": [{"id": 0, "scale": 1.0}, {"id": 1, "scale": 0.5}]}
    assert scales({}) == {"lora": [{"id": 0, "scale": 0.0}, {"id": 1, "scale": 0.0}]}
    assert scales({"b": 2.0}) == {"lora": [{"id": 0, "scale": 0.0}, {"id": 1, "scale": 2.0}]}
    with pytest.raises(UnknownName, match=r"known: a, b"):
        scales({"c": 1.0})
    assert split_options("m")[1].fields(asked, "embedded:m") == {}


def test_a_base_models_turn_ends_before_the_next_question() -> None:
    _, options = split_options("m?template=plain")
    asked = ChatRequest(messages=(Message(role="user", content="1"),), params=SamplingParams(stop=("END",)))
    assert options.fields(asked, "embedded:m") == {"stop": ["END", "\nQuestion:"]}
    assert opened("?template=plain").identity != opened("").identity


async def test_log_probs_beside_speculation_are_refused_with_the_reason() -> None:
    backend = opened("?lookup=ngram-simple")
    assert not backend.capabilities.logprobs
    asked = ChatRequest(
        messages=(Message(role="user", content="1"),), params=SamplingParams(max_tokens=1), logprobs=0
    )
    with pytest.raises(UnsupportedOption, match=r"logprobs; llama\.cpp gives none for the tokens that it accepts"):
        await backend.complete(asked)


async def test_what_was_not_opened_is_refused() -> None:
    backend = opened("")
    asked = ChatRequest(messages=(Message(role="user", content="1"),), lora={"a": 1.0})
    with pytest.raises(UnsupportedOption, match="lora"):
        await backend.complete(asked)
    with pytest.raises(UnsupportedOption, match=r"embeddings; open it with \?embeddings=last"):
        await backend.embed(["x"])
    seen = Message(role="user", content="1", images=(Image(media_type="image/png", data=b"1"),))
    backend.capabilities = Capabilities(images=True)  # as a probe opens everything
    with pytest.raises(UnsupportedOption, match="images; the runtime is given no vision model"):
        await backend.complete(ChatRequest(messages=(seen,)))
    with pytest.raises(UsageError, match="empty text"):
        await opened("?embeddings=last").embed(["x", ""])


def params(**changes: Any) -> Any:
    pytest.importorskip("xllamacpp")
    given = ServerOptions(model="m.gguf", alias="m", context=256, slots=2, **changes)
    return server_params(given.model_dump() | {"api_key": "k"})


def test_every_cache_type_is_one_of_the_runtime() -> None:
    types = {name: params(kv_k=name, kv_v=name) for name in ("f32", "f16", "bf16", "q8_0", "q5_1", "iq4_nl")}
    assert {found.cache_type_k for found in types.values()} == {found.cache_type_v for found in types.values()}
    assert len({found.cache_type_k for found in types.values()}) == len(types)


@pytest.mark.parametrize("kind", ["ngram_simple", "ngram_map_k", "ngram_map_k4v"])
def test_the_sizes_of_a_lookup_are_told_to_the_kind_that_was_chosen(kind: str) -> None:
    usual = params()
    found = params(speculation=Speculation(kind=kind.replace("_", "-"), ngram=3, tokens=10))
    asked, unasked = getattr(found.speculative, kind), getattr(usual.speculative, kind)
    assert (asked.size_n, asked.size_m) == (3, 10)
    assert (unasked.size_n, unasked.size_m) != (3, 10)
    assert [int(one) for one in found.speculative.types] != [int(one) for one in usual.speculative.types]


def test_a_shorter_proposal_than_the_shortest_is_the_shortest() -> None:
    found = params(speculation=Speculation(kind="ngram-mod", ngram=16, tokens=8)).speculative.ngram_mod
    assert (found.n_match, found.n_max, found.n_min) == (16, 8, 8)


def test_a_draft_model_runs_on_as_many_threads() -> None:
    speculation = Speculation(kind="draft-simple", draft="d.gguf", tokens=5, p_min=0.5)
    found = params(speculation=speculation, threads=2).speculative.draft
    assert (found.mparams.path, found.n_max, found.p_min, found.cpuparams.n_threads) == ("d.gguf", 5, 0.5, 2)


def test_vectors_and_adapters_are_told_to_the_server() -> None:
    found = params(pooling="mean", adapters=(("a.gguf", 0.5),))
    assert found.embedding
    assert [(one.path, one.scale) for one in found.lora_adapters] == [("a.gguf", 0.5)]
    assert not params().embedding


def test_a_template_is_told_to_the_server_where_the_models_own_is_not_wanted() -> None:
    assert params(chat_template=plain_template()).chat_template.startswith("{%- for message in messages")
    assert params().chat_template == ""


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "slots": st.integers(1, 64),
            "kv_k": st.sampled_from(["q8_0", "bf16"]),
            "lookup": st.sampled_from(["ngram-simple", "ngram-mod"]),
            "embeddings": st.sampled_from(["last", "mean"]),
        },
    )
)
def test_the_query_of_options_reads_as_the_same_options(values: dict[str, Any]) -> None:
    options = EmbeddedOptions.model_validate(values)
    assert split_options(f"m{options.query}") == ("m", options)
