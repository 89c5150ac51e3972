"""Replies in the OpenAI wire format as our completions: whole ones, and ones that arrive piece by piece. Pure.

Works on the plain JSON: servers send more, less and other things than the format says, and a wrong type must
become a one-line BackendError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import ValidationError

from mathagent.errors import BackendError
from mathagent.models.openai_reply_form import ChoiceForm, ReplyForm, TokenForm, TurnForm
from mathagent.models.thinking_text import ThinkingSplitter
from mathagent.models.token_counts import (
    MOST_PROMPT_TOKENS,
    StatedTokens,
    completion_tokens,
    estimated,
    plausible_total,
)
from mathagent.models.tool_call_pieces import ToolCallPieces
from mathagent.types import Completion, TokenLogprob, ToolCall, Usage


class _Sample:
    """One sample while its pieces arrive."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self._splitter = ThinkingSplitter()
        self.finish_reason: str | None = None
        self.tool_calls = ToolCallPieces()
        self.logprobs: list[TokenForm] = []

    def add(self, choice: ChoiceForm) -> str:
        """Takes in one piece; returns its new text, thinking left out."""
        turn = choice.message or choice.delta or TurnForm()
        self.finish_reason = choice.finish_reason or self.finish_reason
        thought, text = self._splitter.feed(turn.text)
        if choice.finish_reason or choice.message is not None:
            last_thought, last_text = self._splitter.flush()
            thought, text = thought + last_thought, text + last_text
        self.thoughts += [one for one in (turn.thinking, thought) if one]
        if choice.logprobs is not None:
            self.logprobs += choice.logprobs.content or ()
        self.tool_calls.add(turn.tool_calls or (), whole=choice.message is not None)
        if text:
            self.texts.append(text)
        return text

    @property
    def length(self) -> int:
        """Characters, thinking included: all of them are paid for."""
        return sum(map(len, self.texts)) + sum(map(len, self.thoughts))

    def completion(self, text: str, usage: Usage) -> Completion:
        calls = self.tool_calls.calls()
        return Completion(
            text=text,
            reasoning=sound_text("".join(self.thoughts)).strip(),
            finish_reason=_finish_reason(self.finish_reason, bool(calls)),
            tool_calls=tuple(
                ToolCall(**{name: sound_text(value) for name, value in call.items()}) for call in calls
            ),
            usage=usage,
            logprobs=tuple(
                TokenLogprob(
                    token=sound_text(entry.token),
                    logprob=entry.logprob,
                    top=tuple((sound_text(other.token), other.logprob) for other in entry.top_logprobs or ()),
                )
                for entry in self.logprobs
            ),
        )


class StreamedReply:
    """Puts the chunks of a streamed reply together. Errors are those of ``completions_from_reply``."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._samples: dict[int, _Sample] = {}
        self._totals: list[StatedTokens] = []  # that come by themselves: one, or (llama.cpp) one for each sample
        self._running: StatedTokens | None = None  # the last of the counts that come with text

    def add(self, chunk: object) -> list[tuple[int, str]]:
        """Takes in one chunk; returns the new text as (sample index, text)."""
        return self.add_form(_parse(chunk, self._backend))

    def add_form(self, reply: ReplyForm) -> list[tuple[int, str]]:
        """As ``add``, of what is parsed already."""
        if reply.tokens is not None and reply.choices:
            self._running = reply.tokens
        elif reply.tokens is not None:
            self._totals.append(reply.tokens)
        new = []
        for index, choice in reply.numbered():
            text = self._samples.setdefault(index, _Sample()).add(choice)
            if text:
                new.append((index, sound_text(text)))
        return new

    @property
    def finished(self) -> bool:
        """Whether each sample that began has told why it ended."""
        return bool(self._samples) and all(sample.finish_reason for sample in self._samples.values())

    def completion(self, index: int) -> Completion:
        """Sample ``index`` as far as it has come, without a count of its tokens."""
        sample = self._samples[index]
        return sample.completion(sound_text("".join(sample.texts)), Usage(calls=1))

    def completions(self, wanted: int, *, most: int | None = None, prompt_length: int = 0) -> list[Completion]:
        """The samples in order, at most ``wanted``.

        Where the server's count of tokens is missing or cannot be right it is estimated: ``most`` is how many tokens
        all samples together may have (None: not known), ``prompt_length`` how many characters the prompt has.
        """
        samples = [self._samples[index] for index in sorted(self._samples)][:wanted]
        counts = self._totals or [self._running or StatedTokens()]
        generated = [count.completion_tokens for count in counts if count.completion_tokens is not None]
        texts = [sound_text("".join(sample.texts)) for sample in samples]
        lengths = [sample.length for sample in samples]
        total = sum(generated) if generated else None
        shares = completion_tokens(plausible_total(total, [*lengths], most), lengths)
        prompts = (plausible_total(count.prompt_tokens, [prompt_length], MOST_PROMPT_TOKENS) for count in counts)
        prompt = max(0, *(one or 0 for one in prompts)) or estimated(prompt_length)
        usages = [
            Usage(calls=1, prompt_tokens=prompt if index == 0 else 0, completion_tokens=share)
            for index, share in enumerate(shares)
        ]
        return [sample.completion(text, used) for sample, text, used in zip(samples, texts, usages, strict=True)]


def completions_from_reply(
    reply: object, backend: str, wanted: int = 1024, *, most: int | None = None, prompt_length: int = 0
) -> list[Completion]:
    """The samples of one whole reply, in the order of their index, at most ``wanted``; see StreamedReply.completions.

    Raises BackendError where ``reply`` (parsed JSON) is not a chat completion, or says that it failed.
    """
    parsed = _parse(reply, backend)
    if not parsed.choices or any(choice.message is None for choice in parsed.choices):
        raise not_a_completion(backend)
    whole = StreamedReply(backend)
    whole.add_form(parsed)
    return whole.completions(wanted, most=most, prompt_length=prompt_length)


def with_alternatives(completion: Completion, wanted: int | None) -> Completion:
    """``completion`` with at most ``wanted`` alternatives a token: llama.cpp gives more than it is asked for."""
    if not completion.logprobs:
        return completion
    logprobs = tuple(one.model_copy(update={"top": one.top[: wanted or 0]}) for one in completion.logprobs)
    return completion.model_copy(update={"logprobs": logprobs})


def not_a_completion(backend: str) -> BackendError:
    """The error for valid JSON that is something else; asking again cannot help."""
    return BackendError(f"{backend}: the server's reply is no chat completion; does the URL end in /v1?")


def _parse(reply: object, backend: str) -> ReplyForm:
    try:
        parsed = ReplyForm.model_validate(reply)
    except ValidationError as error:
        raise not_a_completion(backend) from error
    if any(choice.finish_reason in ("error", "abort") for choice in parsed.choices):
        raise BackendError(f"{backend}: the server broke the reply off; trying again may help", retryable=True)
    return parsed


def _finish_reason(
    reason: str | None, has_calls: bool
) -> Literal["stop", "length", "tool_calls", "content_filter"]:
    said = (reason or "").lower()
    match said:
        case "length" | "content_filter" | "tool_calls":
            return said
        case "max_tokens" | "max_length" | "model_length":
            return "length"
        case _:  # older names and none at all; what the reply holds decides
            return "tool_calls" if has_calls else "stop"


def sound_text(text: str) -> str:
    """``text`` without lone surrogates (JSON can spell them, UTF-8 cannot hold them); pairs are joined."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def error_message(body: object) -> str:
    """What an error body says, as one short line: ``{"error": …}``, ``{"message": …}``, a text or an HTML page."""
    found = body
    for key in ("error", "message", "detail"):
        if isinstance(found, Mapping) and found.get(key):
            found = found[key]
    text = found if isinstance(found, str) else "" if found is None else str(found)
    if text.lstrip()[:1] == "<":
        text = _page_title(text)
    line = " ".join(sound_text(text).split())
    return line if len(line) <= 300 else line[:299] + "…"


def _page_title(page: str) -> str:
    import re

    title = re.search(r"<title[^>]*>([^<]*)</title>", page[:10_000], re.IGNORECASE)
    return f"a web page, '{title.group(1).strip()}'" if title else "a web page"
