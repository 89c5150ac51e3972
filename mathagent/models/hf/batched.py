"""Continuous batching: samples join and leave the batch between two tokens, each in a row of its own.

Not transformers' own manager: that has one seed and one set of sampling processors for all requests, no streaming of
several samples, neither constraints nor alternatives of log-probabilities, and without FlashAttention it lets every
token of a batch look at the keys of all rows and masks most of them, which on a CPU costs as many times more as there
are rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from mathagent.errors import BackendError
from mathagent.models.hf.contrast import SelfContrast
from mathagent.models.hf.engine import Engine
from mathagent.models.hf.forward import Forward
from mathagent.models.hf.jobs import Job, Sample
from mathagent.models.hf.kv import ALIGNMENT, RowCache, rounded
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.machine import is_out_of_memory, release_memory
from mathagent.models.hf.prefixes import SHORTEST, Kept, PrefixStore, common_prefix
from mathagent.models.hf.sampling import choose
from mathagent.models.hf.settings import Adapters
from mathagent.models.hf.steering import Steering

PROMPT_TOKENS = 4096
"""Tokens of prompts that go through the model at once, padding included; fewer after memory ran out."""
PROMPT_ROWS = 8
"""Prompts that are read at once; what they have in common with earlier ones, these included, is read once only."""
GROWTH = 128
"""Columns that are added when rows outgrow the cache: growing copies what is there."""
PREFIX_SHARE = 8
"""One part in so many of the memory for keys and values keeps those of samples that have ended."""

Row = tuple[Job, Sample]


class BatchedEngine(Engine):
    """Draws up to ``rows`` samples at once within ``kv_bytes`` of keys and values.

    Where rows grow beyond that, the youngest go back to the queue with the tokens they have. Where memory runs out all
    the same, half of the rows do, and no more are let in than were left.
    """

    kind = "batched"

    def __init__(
        self,
        loaded: Loaded,
        *,
        rows: int,
        kv_bytes: int,
        steering: Steering | None = None,
        contrast: SelfContrast | None = None,
    ) -> None:
        super().__init__(loaded, steering, contrast)
        self._cache = RowCache()
        self._forward = Forward(loaded, self._cache, steering)
        self._weak = None if contrast is None else Forward(loaded, self._cache, steering, contrast)
        self.limit = rows
        self._rows: list[Row] = []
        self._adapters: Adapters = ()
        self._prompt_tokens = PROMPT_TOKENS
        self._counts = {
            "prompt tokens": 0,
            "reused": 0,
            "drawn": 0,
            "passes": 0,
            "out of memory": 0,
            "sent back": 0,
        }
        with torch.inference_mode():
            loaded.use_adapters(())
            tokens = kv_bytes // max(1, self._forward.probe() * (1 if contrast is None else 2))
        # What was steered as the end of a prompt, or as a reply, is not what it is within a longer prompt.
        self._prefixes = PrefixStore(0 if steering is not None else tokens // PREFIX_SHARE)
        self.kv_tokens = tokens - self._prefixes.most_tokens
        if self.longest < 2:
            raise BackendError(f"{loaded.name}: {kv_bytes / 1e9:.2g} GB hold no keys and values; raise kv_gb")

    @property
    def longest(self) -> int:
        return min(self.loaded.context, self.kv_tokens - rounded(1))

    @property
    def facts(self) -> dict[str, Any]:
        return {**super().facts, "rows": self.limit, "kv tokens": self.kv_tokens, **self._counts}

    @property
    def _running(self) -> list[Row]:
        return self._rows

    def _drop(self) -> None:
        self._rows = []

    def _step(self) -> None:
        for row in [row for row, (job, _) in enumerate(self._rows) if job.cancelled][::-1]:
            self._leave(row, keep=False)
        try:
            self._admit()
            if self._rows:
                self._draw_one_each()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._halve(error)

    # Coming in

    def _admit(self) -> None:
        """Lets in what waits, while there is room: the oldest first, prompts that are the same as one."""
        while self._waiting and len(self._rows) < self.limit:
            leaders, followers = self._next_group()
            if not leaders:
                return
            self._read(leaders, followers)

    def _next_group(self) -> tuple[list[Row], list[tuple[int, Row]]]:
        """Takes from the queue samples to be read in one go, and those that have the very prompt of one of them."""
        leaders: list[Row] = []
        followers: list[tuple[int, Row]] = []
        longest = max((len(sample.tokens) for _, sample in self._rows), default=0)
        while self._waiting and len(self._rows) + len(leaders) + len(followers) < self.limit:
            job, sample = self._waiting[0]
            if job.cancelled:
                self._waiting.popleft()
                continue
            if job.adapters != self._adapters:
                if self._rows or leaders:
                    break  # adapters change when the batch is empty: one forward pass has one set of weights
                self.loaded.use_adapters(job.adapters)
                self._adapters = job.adapters
            longest = max(longest, len(sample.tokens))
            count = len(self._rows) + len(leaders) + len(followers) + 1
            if count > 1 and count * rounded(longest + GROWTH) > self.kv_tokens:
                break
            same = next((i for i, (_, one) in enumerate(leaders) if one.tokens == sample.tokens), None)
            if same is None and len(leaders) == PROMPT_ROWS:
                break
            self._waiting.popleft()
            if same is None:
                leaders.append((job, sample))
            else:
                followers.append((same, (job, sample)))
        return leaders, followers

    def _read(self, leaders: Sequence[Row], followers: Sequence[tuple[int, Row]]) -> None:
        """Reads the prompts, and draws the first token of each sample."""
        first = len(self._rows)
        newcomers = [*leaders, *(row for _, row in followers)]
        self._rows.extend(newcomers)  # from here on they are the engine's: a failure or an eviction finds them
        self._make_room(max(len(sample.tokens) for _, sample in newcomers))
        starts = [self._reuse(row, first) for row in range(first, first + len(leaders))]
        tails = [sample.tokens[start:] for (_, sample), start in zip(leaders, starts, strict=True)]
        lengths = [sample.prompt_length for _, sample in leaders]
        logits, weak = self._both(lambda run: run.prompts(first, tails, starts, lengths, self._prompt_tokens))
        self._counts["prompt tokens"] += sum(sample.prompt_length for _, sample in newcomers)
        self._counts["passes"] += 1
        for place, (leader, (_, sample)) in enumerate(followers, start=first + len(leaders)):
            self._cache.copy_row(first + leader, place, len(sample.tokens))
            self._counts["reused"] += len(sample.tokens)
        order = [*range(len(leaders)), *(leader for leader, _ in followers)]
        for _, sample in newcomers:
            sample.stored = len(sample.tokens)
        self._take(first, logits[order], None if weak is None else weak[order])

    def _reuse(self, row: int, first: int) -> int:
        """Copies the keys and values that are known for the beginning of a row's prompt; returns of how many tokens.

        The last token is always read: what follows it is what is wanted.
        """
        tokens = self._rows[row][1].tokens
        if self._forward.steering is not None:
            return 0
        most = len(tokens) - 1
        common, kept = self._prefixes.find(tokens, self._adapters)
        best, source = common, None
        for other, (_, sample) in enumerate(self._rows[:first]):
            shared = common_prefix(tokens, sample.tokens[: sample.stored])
            if shared > max(best, SHORTEST - 1):
                best, source = shared, other
        best = min(best, most)
        if source is not None:
            self._cache.copy_row(source, row, best)
        elif kept is not None:
            self._cache.put(row, kept.layers, best)
        self._counts["reused"] += best
        return best

    # Going on

    def _draw_one_each(self) -> None:
        self._make_room(max(sample.stored for _, sample in self._rows) + 1)
        samples = [sample for _, sample in self._rows]
        tokens, places = [one.tokens[-1] for one in samples], [one.stored for one in samples]
        lengths = [one.prompt_length for one in samples]
        logits, weak = self._both(lambda run: run.next_tokens(tokens, places, lengths))
        self._counts["passes"] += 1
        for sample in samples:
            sample.stored += 1
        self._take(0, logits, weak)

    def _both(self, read: Callable[[Forward], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The logits of a strong and, where replies are contrasted, of a weak pass."""
        return read(self._forward), None if self._weak is None else read(self._weak)

    def _take(self, first: int, logits: torch.Tensor, weak: torch.Tensor | None) -> None:
        """Draws the next token of the rows from ``first`` on, one row of ``logits`` for each."""
        rows = self._rows[first:]
        masks = [self._allowed(job, sample) for job, sample in rows]
        contrast = None if weak is None or self.contrast is None else self.contrast.against(weak)
        samples = [sample for _, sample in rows]
        chosen = choose(logits, [one.draw for one in samples], masks, contrast, [one.forced() for one in samples])
        for (job, sample), one in zip(rows, chosen, strict=True):
            if job.cancelled:
                continue
            try:
                sample.take(one, self.loaded.stop_ids)
            except BackendError as error:
                self._outbox.failed(job, error)
                continue
            self._counts["drawn"] += 1
            self._outbox.progressed(job, sample)
        for row in range(len(self._rows) - 1, first - 1, -1):
            job, sample = self._rows[row]
            if sample.ended is not None or job.cancelled:
                self._leave(row, keep=sample.ended is not None)

    def _allowed(self, job: Job, sample: Sample) -> torch.Tensor | None:
        """Which tokens may come next; a constraint that cannot be followed ends its own job only."""
        if sample.constraint is None:
            return None
        try:
            return sample.constraint.allowed()
        except BackendError as error:
            self._outbox.failed(job, error)
            return None

    def _leave(self, row: int, *, keep: bool) -> None:
        """Frees a row: the last one takes its place. Its keys and values may be of use to the next prompts."""
        job, sample = self._rows[row]
        wanted = keep and 0 < sample.stored <= self._prefixes.most_tokens
        if wanted and not self._prefixes.has(sample.tokens[: sample.prompt_length], job.adapters):
            layers = self._cache.take(row, sample.stored)
            self._prefixes.add(Kept(sample.tokens[: sample.stored], layers, job.adapters))
        last = self._rows.pop()
        if row < len(self._rows):
            self._cache.copy_row(len(self._rows), row, last[1].stored)
            self._rows[row] = last
        sample.stored = 0

    # Memory

    def _make_room(self, columns: int) -> None:
        """Lets every row have ``columns``, and sends the youngest back to the queue where that is too much."""
        columns = max(columns, *(sample.stored for _, sample in self._rows))
        while len(self._rows) > 1 and len(self._rows) * rounded(columns) > self.kv_tokens:
            self._send_back()
            columns = max(len(sample.tokens) for _, sample in self._rows)
        count, cache = len(self._rows), self._cache
        if count <= cache.rows and columns <= cache.columns:
            return
        rows = min(self.limit, cache.rows if count <= cache.rows else max(count, 2 * cache.rows))
        wanted = rounded(max(columns + GROWTH, columns * 5 // 4))
        rows = max(count, min(rows, self.kv_tokens // wanted))
        wanted = max(rounded(columns), min(wanted, self.kv_tokens // rows // ALIGNMENT * ALIGNMENT))
        cache.resize(rows, wanted, [sample.stored for _, sample in self._rows if sample.stored])

    def _send_back(self) -> None:
        """Puts the youngest row back into the queue, before all others: it goes on later with the tokens it has."""
        row = max(range(len(self._rows)), key=lambda place: self._rows[place][1].number)
        gone = self._rows[row]
        self._leave(row, keep=False)
        self._waiting.appendleft(gone)
        self._counts["sent back"] += 1

    def _halve(self, error: Exception) -> None:
        """Goes on with half of the rows, and less else in memory; with one row, gives its job up."""
        self._counts["out of memory"] += 1
        self._prefixes.clear()
        going = [row for row in self._rows if row[1].ended is None]  # what has ended was told so, and is not again
        has_ended, rows = len(going) < len(self._rows), len(going)
        self._rows = going
        if rows <= 1 and not has_ended and self._prompt_tokens <= PROMPT_ROWS:
            advice = "ask for fewer tokens (max_tokens, context), lower kv_gb, or add quantize=4bit"
            self._fail(BackendError(f"{self.loaded.name}: memory ran out with a single sample; {advice}"))
            self._cache.clear()
            release_memory()
            return
        self._prompt_tokens = max(PROMPT_ROWS, self._prompt_tokens // 2)
        if rows > 1:
            self.limit = max(1, rows // 2)
        # All of them begin anew, the oldest first: what a pass has half written cannot be trusted.
        self._waiting.extendleft(sorted(self._rows, key=lambda row: row[1].number, reverse=True))
        for _, sample in self._rows:
            sample.stored = 0
        self._rows = []
        self._cache.clear()
        release_memory()
