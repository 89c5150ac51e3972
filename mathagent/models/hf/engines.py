"""The models that this process holds: each loaded once, shared by all that use it alike, freed with its last user."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import transformers

from mathagent.errors import BackendError, MathagentError
from mathagent.models.base import PullProgress
from mathagent.models.hf.alone import AloneEngine
from mathagent.models.hf.batched import BatchedEngine
from mathagent.models.hf.contrast import SelfContrast
from mathagent.models.hf.engine import Engine
from mathagent.models.hf.kv import is_batchable
from mathagent.models.hf.loading import Loaded, load, load_model, pretrained
from mathagent.models.hf.machine import devices_of, is_out_of_memory, kv_bytes
from mathagent.models.hf.settings import HfSettings
from mathagent.models.hf.source import Source, source_of
from mathagent.models.hf.speculative import SpeculativeEngine
from mathagent.models.hf.steering import Steering, load_vector
from mathagent.models.pull import OnProgress

Key = tuple[str, str]


@dataclass
class _Shared:
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    engine: Engine | None = None


_shared: dict[Key, _Shared] = {}
_table = threading.Lock()


def acquire(
    source: Source, settings: HfSettings, on_progress: OnProgress | None, cancelled: Callable[[], bool]
) -> Engine:
    """The engine of ``source`` run as ``settings`` say, opened where it is not yet. Blocks.

    What opening raises is raised here; nothing needs to be released then.
    """
    key = _key(source, settings)
    with _table:
        shared = _shared.setdefault(key, _Shared())
        shared.users += 1
    try:
        with shared.lock:
            if shared.engine is None:
                shared.engine = open_engine(source, settings, on_progress, cancelled)
            return shared.engine
    except BaseException:
        release(source, settings)
        raise


def release(source: Source, settings: HfSettings) -> None:
    """Gives the engine back; its last user closes it. Blocks."""
    key = _key(source, settings)
    with _table:
        shared = _shared[key]
        shared.users -= 1
        if shared.users:
            return
        del _shared[key]
    if shared.engine is not None:
        shared.engine.close()


def open_engine(
    source: Source, settings: HfSettings, on_progress: OnProgress | None, cancelled: Callable[[], bool]
) -> Engine:
    """Loads the model and starts what runs it. See loading.load for what is raised."""
    loaded = load(source, settings, on_progress, cancelled)
    engine = engine_for(loaded, settings, on_progress, cancelled)
    engine.start()
    if on_progress is not None:
        message = f"{loaded.name}: {loaded.summary}; {engine.kind}, {engine.longest} tokens a sample at most"
        on_progress(PullProgress(model=loaded.name, done_bytes=0, total_bytes=0, message=message))
    return engine


def engine_for(
    loaded: Loaded,
    settings: HfSettings,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Engine:
    """What runs ``loaded`` as ``settings`` ask; a model without plain keys and values, or whose code cannot be run in
    rows, draws one sample at a time."""
    memory = kv_bytes(settings, devices_of(loaded.model))
    if settings.engine == "speculative":
        assistant = None
        if settings.assistant:
            place = source_of(settings.assistant).fetch(on_progress, cancelled)
            name = f"hf:{settings.assistant}"
            config = pretrained(transformers.AutoConfig, name, place)
            model = load_model(name, place, config, settings, loaded.device)
            assistant = (model, pretrained(transformers.AutoTokenizer, name, place))
        return SpeculativeEngine(loaded, settings, kv_bytes=memory, assistant=assistant)
    steering = None
    if settings.steering:
        vector = load_vector(Path(settings.steering).expanduser())
        steering = Steering(loaded.model, loaded.tokenizer, vector, settings.strength)
    contrast = None
    if settings.self_contrast is not None:
        contrast = SelfContrast(loaded.name, loaded.model, settings)
    if settings.engine == "batched" and is_batchable(loaded.config):
        try:
            return BatchedEngine(loaded, rows=settings.rows, kv_bytes=memory, steering=steering, contrast=contrast)
        except MathagentError:
            raise
        except Exception as error:  # of the model's code: some have a use of their own for masks (ALiBi)
            if is_out_of_memory(error):
                advice = "add ?quantize=4bit, or choose a smaller model"
                raise BackendError(f"{loaded.name}: memory ran out with a single token; {advice}") from error
    return AloneEngine(loaded, settings, kv_bytes=memory, steering=steering, contrast=contrast)


def _key(source: Source, settings: HfSettings) -> Key:
    return source.identity, settings.model_dump_json()
