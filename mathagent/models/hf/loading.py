"""Loading a causal chat model and its tokenizer with transformers: weights, number format, devices, adapters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from mathagent.config import settings as our_settings
from mathagent.errors import BackendError, ModelFileError, UsageError
from mathagent.models.base import PullProgress
from mathagent.models.hf.contrast import routers_of
from mathagent.models.hf.machine import choose_device, choose_dtype, devices_of, is_out_of_memory
from mathagent.models.hf.settings import Adapters, HfSettings
from mathagent.models.hf.source import Source
from mathagent.models.plain_chat import plain_template
from mathagent.models.pull import OnProgress
from mathagent.models.server_process import usable_threads

_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<turn|>", "<|end|>", "<|return|>")
"""Tokens that end a turn; a GGUF file, or a careless generation config, names only one of a model's several."""


@dataclass(frozen=True)
class Loaded:
    """A model ready to run. ``context`` is in tokens, ``stop_ids`` end a reply; ``cache_argument`` is what its forward
    calls its keys and values (transformers 5.24 renamed it). ``adapters`` is PEFT's model around it, where some are."""

    name: str
    model: Any
    tokenizer: Any
    device: torch.device
    context: int
    stop_ids: frozenset[int]
    cache_argument: str
    revision: str | None = None
    adapters: Any = None

    @property
    def config(self) -> Any:
        """The config of the text model."""
        return self.model.config.get_text_config(decoder=True)

    @property
    def summary(self) -> str:
        """One line for a person: how it was loaded."""
        where = " and ".join(str(device) for device in devices_of(self.model))
        numbers = str(self.model.dtype).removeprefix("torch.")
        return f"{where}, {numbers}, attention by {self.model.config._attn_implementation}"

    def use_adapters(self, wanted: Adapters) -> None:
        """Lets the model speak with these adapters, at these scales, from now on; with none: with its own weights."""
        if self.adapters is None:
            return
        tuned = self.adapters.base_model  # its layers are those of ``model``, which PEFT has put them into
        if not wanted:
            tuned.disable_adapter_layers()
            return
        tuned.enable_adapter_layers()
        tuned.set_adapter([_peft_name(name) for name, _ in wanted])
        from peft.tuners.lora import LoraLayer

        for module in self.model.modules():
            if isinstance(module, LoraLayer):
                for name, scale in wanted:
                    if _peft_name(name) in module.scaling:
                        module.set_scale(_peft_name(name), scale)


def load(
    source: Source, settings: HfSettings, on_progress: OnProgress | None, cancelled: Callable[[], bool]
) -> Loaded:
    """Fetches what is missing and loads it. Blocks, for minutes at times.

    Raises ModelFileError where the weights cannot be had, UsageError for what cannot be run here or is no chat model,
    BackendError where it does not fit into memory.
    """
    name = source.identity.partition("@")[0]
    place = source.fetch(on_progress, cancelled)
    _be_quiet()
    device = choose_device(settings.device)
    if on_progress is not None:
        on_progress(PullProgress(model=name, done_bytes=0, total_bytes=0, message=f"loading {name}"))
    if device.type == "cpu" and (threads := our_settings().threads or usable_threads()):
        torch.set_num_threads(threads)
    config = pretrained(transformers.AutoConfig, name, place)
    tokenizer = pretrained(transformers.AutoTokenizer, name, place)
    if not tokenizer.is_fast:
        raise UsageError(
            f"{name}: its tokenizer is not one of the tokenizers library, which replies are read with"
        )
    if settings.template == "plain":
        tokenizer.chat_template = plain_template()
    if not tokenizer.chat_template:
        raise UsageError(
            f"{name} has no chat template: it is a base model; choose one made for chat (…-Instruct), or add"
            " ?template=plain, which shows it chats as questions and answers"
        )
    if settings.self_contrast is not None:
        routers_of(name, _without_weights(config), settings.self_contrast)  # refused before gigabytes are read
    model = load_model(name, place, config, settings, device)
    adapters = _load_adapters(name, model, settings)
    return Loaded(
        name=name,
        model=model,
        tokenizer=tokenizer,
        device=model.get_input_embeddings().weight.device,
        context=_context(model, settings),
        stop_ids=stop_ids(model, tokenizer),
        cache_argument=_cache_argument(model),
        revision=getattr(config, "_commit_hash", None),
        adapters=adapters,
    )


def load_model(name: str, place: dict[str, str], config: Any, settings: HfSettings, device: torch.device) -> Any:
    """The weights alone, on their device."""
    auto = transformers.AutoModelForCausalLM
    parameters = int(_without_weights(config).num_parameters())
    options: dict[str, Any] = {"dtype": choose_dtype(settings, device, parameters)}
    if settings.quantize != "none":
        options["quantization_config"] = _quantization(settings, options["dtype"])
    attention = settings.attention
    if attention == "auto" and getattr(config.get_text_config(), "attn_logit_softcapping", None) is not None:
        attention = "eager"  # sdpa cannot cap the scores, and would leave it out or fail
    if attention != "auto":
        options["attn_implementation"] = attention
    several = settings.device == "auto" and device.type == "cuda" and torch.cuda.device_count() > 1
    if several or settings.quantize != "none":
        _require("accelerate", f"{name} on several GPUs, or quantised,")
        options["device_map"] = "auto" if several else {"": device}
    try:
        model = pretrained(auto, name, place, config=config, **options)
        return (model if "device_map" in options else model.to(device)).eval()
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            advice = "add ?quantize=4bit, or choose a smaller model"
            raise BackendError(f"{name} does not fit into the memory of {device}; {advice}") from error
        raise BackendError(f"{name} cannot be loaded: {_line(error)}") from error


def pretrained(kind: Any, name: str, place: dict[str, str], **options: Any) -> Any:
    """``kind.from_pretrained``, with what it raises turned into errors of one line."""
    try:
        return kind.from_pretrained(**place, **options)
    except ImportError as error:
        missing = "gguf" if "gguf_file" in place and find_spec("gguf") is None else ""
        advice = f"pip install {missing}" if missing else "pip install 'mathagent[gpu]'"
        raise UsageError(f"{name} needs a package that is not installed: {_line(error)}; {advice}") from error
    except (OSError, SafetensorError) as error:
        raise ModelFileError(
            f"{name} cannot be loaded: {_line(error)}. Check the name (a hub name is OWNER/NAME); without a network"
            " only what is on this machine works: a folder, a GGUF file, or what the hub's cache holds"
        ) from error
    except (ValueError, KeyError) as error:
        raise UsageError(
            f"{name} cannot be run by transformers {transformers.__version__}: {_line(error)}"
        ) from error


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:299] + "…"


def _without_weights(config: Any) -> Any:
    """The model's modules, of which the shapes alone are known."""
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config)


def _quantization(settings: HfSettings, dtype: torch.dtype) -> Any:
    _require("bitsandbytes", f"quantize={settings.quantize}")
    if settings.quantize == "8bit":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def _require(package: str, what: str) -> None:
    if find_spec(package) is None:
        raise UsageError(f"{what} needs the package {package}: pip install {package}")


def _load_adapters(name: str, model: Any, settings: HfSettings) -> Any:
    """PEFT's model with all adapters, each loaded once; None without any.

    PEFT itself, not transformers' ``load_adapter``: that insists on a version of PEFT that is not out yet.
    """
    if not settings.lora:
        return None
    _require("peft", "a LoRA adapter")
    import peft

    tuned = None
    for adapter, written in settings.adapter_paths.items():
        folder = Path(written).expanduser()
        if not (folder / "adapter_config.json").is_file():
            raise UsageError(f"{folder} holds no LoRA adapter as PEFT writes them (no adapter_config.json)")
        options = {"adapter_name": _peft_name(adapter)}
        try:
            if tuned is None:
                tuned = peft.PeftModel.from_pretrained(model, str(folder), **options)
            else:
                tuned.load_adapter(str(folder), **options)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise UsageError(f"{name}: the LoRA adapter {folder} cannot be used: {_line(error)}") from error
    return tuned.eval() if tuned is not None else None


def _peft_name(name: str) -> str:
    """An adapter's name as PEFT can take it: it is a name of a module there."""
    return name.replace(".", "_")


def _context(model: Any, settings: HfSettings) -> int:
    """Tokens of prompt and reply together: what the model was made for, or less."""
    own = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None) or 4096
    return min(own, settings.context or own)


def stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a reply."""
    named = [
        model.generation_config.eos_token_id,
        model.config.get_text_config().eos_token_id,
        tokenizer.eos_token_id,
    ]
    found = {one for ids in named for one in (ids if isinstance(ids, list) else [ids]) if one is not None}
    known = tokenizer.get_vocab()
    return frozenset(
        found | {known[end] for end in _TURN_ENDS if end in known and end in str(tokenizer.chat_template)}
    )


def _cache_argument(model: Any) -> str:
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _be_quiet() -> None:
    """Bars and warnings of the library would stand in the middle of what we show."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
