"""The model ``mathagent`` for lm-evaluation-harness, and its command line with that model in it.

The harness finds models in a registry of its own and loads no plugins, so something has to import this module first:
``mathagent-lm-eval`` (or ``python -m mathagent.interop.lm_harness``) does, and is ``lm_eval`` for the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import model_registry

from mathagent import _sync
from mathagent.errors import BackendError, ResourceError, StorageError, UsageError
from mathagent.interop.answer_formats import cut_at, statement
from mathagent.types import Solution, Usage

if TYPE_CHECKING:
    from mathagent.solver import Solver

_log = logging.getLogger(__name__)
_NO_LIKELIHOOD = (
    "mathagent solves problems and gives answers as text; it has no log-likelihoods. Choose tasks whose output type is"
    " generate_until (gsm8k_cot, minerva_math, …)"
)


class MathagentLM(LM):
    """Answers each request with a strategy of mathagent.

    ``model_args``: ``strategy``, ``model`` (as ``mathagent -m`` takes it), ``base_url``, ``budget_tokens``,
    ``budget_calls``, ``budget_seconds``, ``seed``, ``sandbox``, ``cache``, ``concurrency``, ``answer`` (see
    ``answer_formats.statement``), ``solutions`` (a file that each solution is appended to, one JSON a line); all others
    are settings of the strategy. The sampling is the strategy's: the temperature and length that a task asks for are
    not used; its stop texts cut the output. A request whose solve fails is answered with "" and counted as failed.
    """

    def __init__(
        self,
        strategy: str = "auto",
        model: str | None = None,
        *,
        answer: str = "auto",
        concurrency: int | None = None,
        solutions: str | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        device: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        with_solver: dict[str, Any] = {
            name: options.pop(name) for name in ("base_url", "sandbox", "cache") if name in options
        }
        budget = {name: options.pop(f"budget_{name}", None) for name in ("tokens", "calls", "seconds")}
        self.strategy, self.answer, self.seed = strategy, answer, options.pop("seed", None)
        statement("", answer, "")  # a wrong form is found before the first request
        self.config = _checked_config(strategy, options)
        self.budget = _budget(budget)
        self.solutions = None if solutions is None else Path(solutions)
        self.usage, self.solved, self.failed = Usage(), 0, 0
        self._solver = _sync.run(_open(model, with_solver))
        self.concurrency = concurrency or self._solver.backend.max_parallel

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """The answers, in the order of ``requests``. Raises ResourceError where none could be had at all."""
        return _sync.run(self._answer_all(requests, disable_tqdm))

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        raise UsageError(_NO_LIKELIHOOD)

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        raise UsageError(_NO_LIKELIHOOD)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The turns as plain text: the strategy writes its own prompts around it."""
        return "\n\n".join(turn["content"] for turn in chat_history)

    @property
    def tokenizer_name(self) -> str:
        return "mathagent"

    def get_model_info(self) -> dict[str, Any]:
        """What the harness writes into its results: what answered, and what that cost."""
        return {
            "mathagent": {
                "strategy": self.strategy,
                "settings": self.config,
                "model": self._solver.backend.name,
                "solved": self.solved,
                "failed": self.failed,
                "usage": self.usage.model_dump(),
            }
        }

    async def _answer_all(self, requests: Sequence[Instance], quiet: bool) -> list[str]:
        from tqdm import tqdm

        slots, errors = asyncio.Semaphore(self.concurrency), list[ResourceError]()
        with tqdm(total=len(requests), disable=quiet, desc="mathagent") as bar:

            async def answer(request: Instance) -> str:
                async with slots:
                    try:
                        text = await self._answer(*request.args)
                    except ResourceError as error:
                        if isinstance(error, StorageError) or _refused(error):
                            raise
                        errors.append(error)
                        _log.warning("a request was not answered: %s", error)
                        text = ""
                    else:
                        self.cache_hook.add_partial("generate_until", request.args, text)
                bar.update()
                return text

            tasks = [asyncio.ensure_future(answer(request)) for request in requests]
            try:
                texts = await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
        self.failed += len(errors)
        if requests and len(errors) == len(requests):
            raise errors[-1]
        return texts

    async def _answer(self, context: str, generation: dict[str, Any]) -> str:
        solution = await self._solver.solve(
            context, self.strategy, budget=self.budget, config=self.config, seed=self.seed, measured=True
        )
        if solution.stopped == "error" and solution.answer is None:
            raise ResourceError(solution.detail)
        self.solved += 1
        self.usage += solution.usage
        self._keep(solution)
        until = generation.get("until") or []
        return cut_at(
            statement(solution.answer, self.answer, context), [until] if isinstance(until, str) else until
        )

    def _keep(self, solution: Solution) -> None:
        if self.solutions is None:
            return
        try:
            with self.solutions.open("a", encoding="utf-8") as file:
                file.write(solution.model_dump_json() + "\n")
        except OSError as error:
            raise StorageError(f"cannot write {self.solutions}: {error.strerror}") from error


async def _open(model: str | None, options: dict[str, Any]) -> Solver:
    from mathagent.solver import Solver

    return Solver(
        model, checkpoints=False, **options
    )  # kept open until the process ends, as the harness's models are


def _checked_config(strategy: str, settings: dict[str, Any]) -> dict[str, Any]:
    from mathagent.strategies import STRATEGIES

    STRATEGIES.load(strategy).configure(settings)
    return settings


def _budget(given: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from mathagent.budget import Budget

    try:
        return Budget(max_tokens=given["tokens"], max_calls=given["calls"], max_seconds=given["seconds"])
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0]).removeprefix("max_")
        raise UsageError(f"budget_{name} must be greater than 0") from error


def _refused(error: ResourceError) -> bool:
    return isinstance(error, BackendError) and error.status in (401, 403)


def main() -> None:
    """``lm_eval``'s command line, with ``--model mathagent``."""
    import sys

    from lm_eval.__main__ import cli_evaluate

    from mathagent.errors import MathagentError

    try:
        cli_evaluate()
    except MathagentError as error:
        sys.stderr.write(f"mathagent: {error}\n")
        sys.exit(2 if isinstance(error, UsageError) else 1)


if "mathagent" not in model_registry:
    # By path, so that "python -m" (where this module is "__main__") and an import agree on the class.
    model_registry.register("mathagent", target="mathagent.interop.lm_harness:MathagentLM")

if __name__ == "__main__":
    main()
