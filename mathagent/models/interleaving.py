"""How two models write one reply by turns: the primary one where it is sure of its tokens, the other where it is not.

"Nudging: Inference-time Alignment via Model Collaboration" (arXiv 2410.09300): a base model writes, and a small aligned
model, the nudger, writes a few words where the base model's likeliest token is less probable than gamma: mostly where a
reply begins, and where it might turn, stop or change its style. The same gate the other way round is the fallback of
BiLD, "Speculative Decoding with Big Little Decoder" (arXiv 2302.07863), without its rollback: a small chat model
writes, and a large one where the small one is not sure. The models read each other's text, not tokens: their tokenizers
may differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import Field

from mathagent.models.base import PromptTooLong
from mathagent.models.chunks import Chunk, Finish, words
from mathagent.models.stop_strings import StopStrings
from mathagent.types import Value

PRIMARY, SECONDARY = 0, 1
SAME_ROUNDS = 3
"""So many rounds in a row that write the same end the reply. The authors' code compares the nudges alone; but in a
derivation "=" may be nudged again and again, with something else behind it each time."""
REPEATED_WORDS = 5
"""A chunk of more words than these that the reply holds already is not written again."""

Ask = Callable[[int, str, int], Awaitable[Chunk]]
"""What a model (PRIMARY or SECONDARY) goes on with behind a text, in at most so many tokens."""


class Gate(Value):
    """When the secondary model writes in the place of the primary one. Defaults are the paper's."""

    gamma: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="The primary model is sure of a token where its likeliest one is at least this probable.",
    )
    chunk: int = Field(
        default=16,
        ge=4,  # a character may be so many tokens
        le=4096,
        description="Tokens that a model is asked for at once.",
    )
    rounds: int = Field(default=150, ge=1, description="How often the secondary model is asked for one reply.")


@dataclass(frozen=True)
class Nudge:
    """What the secondary model writes in one round. ``ended``: why its turn ended, where it did. ``taken_over`` is what
    the primary model goes on with, where it does."""

    text: str
    tokens: int
    ended: Finish | None = None
    taken_over: Chunk | None = None


class Interleaving:
    """One reply in the making, of at most ``most`` tokens. ``on_text`` hears each piece that is text for good.

    ``primary_ends``: the primary model is one for chat: it begins, and where it ends its turn the reply ends. Without,
    it is a base model, which does not know when an answer is over: the secondary model begins, and ends.
    """

    def __init__(
        self,
        ask: Ask,
        gate: Gate,
        *,
        primary_ends: bool,
        most: int,
        stop: Sequence[str] = (),
        on_text: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._ask_model, self._gate, self._primary_ends, self._most = ask, gate, primary_ends, most
        self._stops, self._on_text = StopStrings(stop), on_text
        self._written = ""  # what the models read, with what is held back as the beginning of a stop string
        self._told: list[str] = []
        self.kept = [0, 0]
        """Tokens of the reply by who wrote them."""
        self.rounds = 0

    @property
    def text(self) -> str:
        """The reply, without what may yet be a stop string."""
        return "".join(self._told)

    async def write(self) -> Finish:
        """Writes the reply; returns why it ended. Raises what ``ask`` does, but for a context that is full."""
        try:
            ended = await self._write()
        except PromptTooLong:
            if not self._written:
                raise
            ended = "length"
        self._tell(self._stops.flush())
        return ended

    async def _write(self) -> Finish:
        ended = await self._primary_writes(None) if self._primary_ends else None
        last, same = "", 0
        while ended is None:
            if self.rounds >= self._gate.rounds or same >= SAME_ROUNDS:
                return "length"
            self.rounds += 1
            begin = len(self._written)
            nudge = await self._nudge()
            ended = self._add(SECONDARY, nudge.text, nudge.tokens, nudge.ended)
            if ended is None and nudge.taken_over is not None:
                ended = await self._primary_writes(nudge.taken_over)
            same = same + 1 if self._written[begin:] == last else 1
            last = self._written[begin:]
        return ended

    async def _nudge(self) -> Nudge:
        """The secondary model's next words, until the primary one takes over. The first is always followed; the last
        one, which may be cut short, only where it is the only one."""
        chunk = await self._ask(SECONDARY)
        pieces = words(chunk.text)
        if chunk.finish != "length" or not pieces:
            return Nudge(chunk.text, chunk.tokens, chunk.finish)
        if len(pieces) == 1:
            return Nudge(chunk.text, chunk.tokens)
        end, taken_over = 0, None
        for piece, following in pairwise(pieces):
            end += len(piece)
            if self._left(chunk.tokens_until(end)) < 1:
                break
            heard = await self._ask(PRIMARY, chunk.text[:end], chunk.tokens_until(end))
            if self._takes_over(heard, following):
                taken_over = heard
                break
        return Nudge(chunk.text[:end], chunk.tokens_until(end), taken_over=taken_over)

    def _takes_over(self, chunk: Chunk, following: str) -> bool:
        """Whether the primary model, going on with ``chunk``, begins as the nudger would (with ``following``), or is
        sure of its own beginning."""
        if not chunk.first:
            return self._primary_ends and chunk.finish == "stop" and chunk.sure_until(self._gate.gamma) is None
        return following.startswith(chunk.first) or chunk.sure_of_first(self._gate.gamma)

    async def _primary_writes(self, chunk: Chunk | None) -> Finish | None:
        """Writes what the primary model is sure of, beginning with ``chunk`` where it has taken over with that; returns
        why the reply ended, None where the secondary model is to write."""
        granted = 0 if chunk is None else len(chunk.first)
        while True:
            if chunk is None:
                chunk = await self._ask(PRIMARY)
            unsure = chunk.sure_until(self._gate.gamma, granted)
            text = chunk.text if unsure is None else chunk.text[:unsure]
            if len(words(text)) > REPEATED_WORDS and text in self._written:
                return None
            finish = chunk.finish if unsure is None and chunk.finish != "length" else None
            has_ended = finish is not None and (self._primary_ends or finish == "content_filter")
            ended = self._add(PRIMARY, text, chunk.tokens_until(len(text)), finish if has_ended else None)
            if ended is not None or finish is not None or unsure is not None or not text:
                return ended
            chunk, granted = None, 0

    def _left(self, pending: int = 0) -> int:
        """Tokens that the reply may still have, beside ``pending`` ones."""
        return self._most - sum(self.kept) - pending

    async def _ask(self, model: int, begun: str = "", tokens: int = 0) -> Chunk:
        """What ``model`` goes on with behind the reply and ``begun``, which is of so many ``tokens``."""
        return await self._ask_model(model, self._written + begun, min(self._gate.chunk, self._left(tokens)))

    def _add(self, model: int, text: str, tokens: int, finish: Finish | None) -> Finish | None:
        """Adds what ``model`` wrote, which had its end there (``finish``) or not; returns why the reply ended."""
        self.kept[model] += tokens
        self._written += text
        self._tell(self._stops.feed(text))
        if self._stops.stopped:
            return "stop"
        return finish or ("length" if self._left() < 1 else None)

    def _tell(self, text: str) -> None:
        if text:
            self._told.append(text)
            self._on_text(text)
