"""``nudge(BASE,NUDGER)`` and ``defer(SMALL,LARGE)``: two models that write one reply together, as one Backend.

How they do it, and the papers, are in interleaving. Both names take ``gamma``, ``chunk`` and ``rounds`` (see Gate), and
models of any backend that gives log-probs (the first of the two) and goes on with a begun turn of the assistant (both).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Literal

from pydantic import ValidationError

from mathagent.errors import BackendError, UnknownName, UnsupportedOption, UsageError
from mathagent.models.base import (
    Backend,
    Capabilities,
    ChatRequest,
    ConnectOptions,
    OnDelta,
    PartialReply,
    Started,
    on_sample,
    prepare,
    require_capabilities,
)
from mathagent.models.chunks import Chunk
from mathagent.models.connect import connect_beside
from mathagent.models.interleaving import PRIMARY, SECONDARY, Gate, Interleaving
from mathagent.models.model_names import read_list
from mathagent.models.wrappers import Limited, Retrying
from mathagent.types import Completion, Message, ModelUsage, Usage

Form = Literal["nudge", "defer"]
_WRITTEN = {"nudge": "nudge(BASE,NUDGER,gamma=0.3)", "defer": "defer(SMALL,LARGE,gamma=0.3)"}
_ADVICE = {
    "logprobs": "{form}(…) must know how sure its first model is of each token; name one that tells (embedded: and hf:"
    " models do, but beside speculation)",
    "continue_assistant": "{form}(…) lets its models go on with each other's text; name one that can (embedded: and hf:"
    " models, and vLLM, SGLang or llama.cpp behind openai:NAME@URL, with ?server= where it is not recognised)",
}
"""What to do where a model lacks what it takes."""
_SEEDS = 1_000_003
"""Chunks of one sample draw with seeds of their own: with one and the same all would begin with the same numbers."""


def connect_nudge(name: str, options: ConnectOptions) -> UncertaintyRouter:
    """Opens ``nudge(BASE,NUDGER)``; ``name`` is what stands in the brackets. Raises UnknownName, UsageError."""
    return _connect("nudge", name, options)


def connect_defer(name: str, options: ConnectOptions) -> UncertaintyRouter:
    """Opens ``defer(SMALL,LARGE)``; ``name`` is what stands in the brackets. Raises UnknownName, UsageError."""
    return _connect("defer", name, options)


def _connect(form: Form, name: str, options: ConnectOptions) -> UncertaintyRouter:
    models, assigned = read_list(name)
    if len(models) != 2:
        raise UsageError(f"{form} takes two models, and is given {len(models)}; write {_WRITTEN[form]}")
    settings: dict[str, str] = {}
    for setting, value in assigned:
        if setting not in Gate.model_fields:
            raise UnknownName(f"setting of {form}", setting, Gate.model_fields)
        if setting in settings:
            raise UsageError(f"{form}: {setting} is given twice; leave it out once")
        settings[setting] = value
    try:
        gate = Gate.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(f"{form}: {first['loc'][0]} = {first['input']!r} is wrong: {first['msg']}") from error
    primary, secondary = (connect_beside(model, options) for model in models)
    return UncertaintyRouter(primary, secondary, gate, form=form)


class UncertaintyRouter:
    """A Backend whose replies ``primary`` writes where it is sure, and ``secondary`` where it is not.

    ``form`` "nudge": the primary model is a base model, of which only the secondary one knows where a reply begins and
    ends. "defer": both are models for chat. A sample counts as one call, with the tokens of all chunks that both wrote,
    of which a part is thrown away; ``max_tokens`` bounds the reply itself. A chunk that fails in passing is asked for
    again by itself. Both models are closed with it.
    """

    def __init__(
        self, primary: Backend, secondary: Backend, gate: Gate | None = None, *, form: Form = "nudge"
    ) -> None:
        if primary.name == secondary.name:
            raise UsageError(f"{form} is given {primary.name} twice; name two models: {_WRITTEN[form]}")
        self.models = (primary, secondary)
        self.gate, self.form = gate or Gate(), form
        self.max_parallel = min(one.max_parallel for one in self.models)
        seeds = [one.default_seed for one in self.models]
        self.default_seed = None if None in seeds else seeds[PRIMARY]
        self.facts = {"replies": 0, "rounds": 0, "primary tokens kept": 0, "secondary tokens kept": 0}
        self._limited: tuple[asyncio.AbstractEventLoop, tuple[Backend, ...]] | None = None

    @property
    def name(self) -> str:
        """As a person may write it: ``nudge(base,nudger,gamma=0.4)``."""
        return self._written(lambda one: one.name)

    @property
    def identity(self) -> str:
        return self._written(lambda one: one.identity)

    def _written(self, told: Callable[[Backend], str]) -> str:
        changed = self.gate.model_dump(exclude_defaults=True)
        parts = [*map(told, self.models), *(f"{name}={value:g}" for name, value in changed.items())]
        return f"{self.form}({','.join(parts)})"

    @property
    def capabilities(self) -> Capabilities:
        """What two models can do by turns: no form is held, and no tool called, over the ends of chunks."""
        first, second = (one.capabilities for one in self.models)
        return Capabilities(
            n=True,
            seed=first.seed and second.seed,
            continue_assistant=True,
            streaming=True,
            images=first.images and second.images,
        )

    async def prepare(self) -> None:
        """Lets both models find out what they can do."""
        await asyncio.gather(*map(prepare, self.models))

    async def start(self) -> None:
        """Fetches and loads what is missing of both."""
        for one in self.models:
            if isinstance(one, Started):
                await one.start()

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. Raises UnsupportedOption where a model lacks what it takes, BackendError (PartialReply
        where some samples arrived)."""
        require_capabilities(self, request)
        await self._require_models()
        models, told = self._in_this_loop(), on_sample.get()
        arrived: dict[int, Completion] = {}

        async def one(index: int) -> None:
            on_sample.set(None)  # a chunk is no sample
            tell = (lambda text: on_delta(index, text)) if on_delta is not None else (lambda text: None)
            arrived[index] = await self._sample(models, request.samples(index, 1), tell)
            if told is not None:
                told(index, arrived[index])

        results = await asyncio.gather(*map(one, range(request.params.n)), return_exceptions=True)
        failure = next((result for result in results if result is not None), None)
        if failure is None:
            return [arrived[index] for index in range(request.params.n)]
        if arrived and isinstance(failure, BackendError):
            raise PartialReply(failure, arrived) from failure
        raise failure

    async def _require_models(self) -> None:
        """Raises UnsupportedOption, by name, where a model can not be used so, as far as it can find out."""
        wanted = {PRIMARY: ("continue_assistant", "logprobs"), SECONDARY: ("continue_assistant",)}
        for place, options in wanted.items():
            model = self.models[place]
            if not all(getattr(model.capabilities, option) for option in options):
                await prepare(model)
            for option in options:
                if not getattr(model.capabilities, option):
                    raise UnsupportedOption(model.name, option, _ADVICE[option].format(form=self.form))

    def _in_this_loop(self) -> tuple[Backend, ...]:
        """The models, each asked no more at once than it answers well, and again where it fails in passing."""
        loop = asyncio.get_running_loop()
        if self._limited is None or self._limited[0] is not loop:
            limited = (Limited(one, asyncio.Semaphore(one.max_parallel)) for one in self.models)
            # Whoever asks for the reply would try again too, but the whole of it.
            self._limited = (loop, tuple(Retrying(one, lambda event: None) for one in limited))
        return self._limited[1]

    async def _sample(
        self, models: tuple[Backend, ...], request: ChatRequest, on_text: Callable[[str], None]
    ) -> Completion:
        used: dict[str, Usage] = {}
        asked = 0

        async def ask(which: int, begun: str, most: int) -> Chunk:
            nonlocal asked
            asked += 1
            completion = await self._chunk(models[which], which, self._request(request, which, begun, most, asked))
            for name, usage in completion.counted(models[which].identity).items():
                used[name] = used.get(name, Usage()) + usage
            return Chunk.of(completion)

        writing = Interleaving(
            ask,
            self.gate,
            primary_ends=self.form == "defer",
            most=request.params.max_tokens,
            stop=request.params.stop,
            on_text=on_text,
        )
        finish = await writing.write()
        self._note(writing)
        by_model = _one_call(self.models[PRIMARY].identity, used)
        usage = sum((one.usage for one in by_model), Usage())
        return Completion(text=writing.text, finish_reason=finish, usage=usage, by_model=by_model)

    def _request(self, request: ChatRequest, which: int, begun: str, most: int, number: int) -> ChatRequest:
        """The ``number``-th request of a sample: to go on with ``begun`` in at most ``most`` tokens."""
        *earlier, last = request.messages
        if request.continue_assistant:
            messages = (*earlier, last.model_copy(update={"content": last.content + begun}))
        elif begun:
            messages = (*request.messages, Message(role="assistant", content=begun))
        else:
            messages = request.messages
        seed = request.sample_seed()
        params = request.params.model_copy(
            update={
                "n": 1,
                "max_tokens": most,
                "stop": (),  # a stop string may begin in one chunk and end in the next
                "seed": None if seed is None else (seed * _SEEDS + number) % 2**31,
            }
        )
        # Of the secondary model no sureness is asked, only how many tokens its words are.
        counts = 0 if self.models[which].capabilities.logprobs else None
        return request.model_copy(
            update={
                "messages": tuple(messages),
                "params": params,
                "first_sample": 0,
                "continue_assistant": request.continue_assistant or bool(begun),
                "logprobs": 1 if which == PRIMARY else counts,
            }
        )

    async def _chunk(self, model: Backend, which: int, request: ChatRequest) -> Completion:
        try:
            (completion,) = await model.complete(request)
        except BackendError as error:
            error.retryable = False  # it was tried again already: not the whole reply anew
            raise
        if completion.reasoning:
            advice = "its thinking cannot be gone on with; switch it off with ?thinking=off or ?thinking_tokens=0"
            raise UnsupportedOption(model.name, f"thinking within {self.form}(…)", advice)
        if which == PRIMARY and completion.text and not completion.logprobs:
            advice = _ADVICE["logprobs"].format(form=self.form)
            raise BackendError(f"{model.name} was asked for log-probs and gave none; {advice}")
        return completion

    def _note(self, writing: Interleaving) -> None:
        self.facts["replies"] += 1
        self.facts["rounds"] += writing.rounds
        self.facts["primary tokens kept"] += writing.kept[PRIMARY]
        self.facts["secondary tokens kept"] += writing.kept[SECONDARY]

    async def aclose(self) -> None:
        """Closes both models; safe to call twice."""
        async with AsyncExitStack() as closing:  # both, whatever one of them raises
            for one in self.models:
                closing.push_async_callback(one.aclose)


def _one_call(first: str, used: dict[str, Usage]) -> tuple[ModelUsage, ...]:
    """What each model ``used`` for a sample, which is one call, of the model ``first``, whatever it took."""
    return tuple(
        ModelUsage(backend=name, usage=usage.model_copy(update={"calls": int(name == first)}))
        for name, usage in {first: Usage(), **used}.items()
    )
