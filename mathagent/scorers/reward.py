"""Reward models behind an HTTP endpoint, as scorers: ``reward:URL``, ``pooling:URL`` and ``classify:URL``.

``reward`` asks an OpenAI-like endpoint that answers a chat with a number; ``pooling`` is vLLM's, ``classify`` is
vLLM's and SGLang's. What is set stands in the URL's query:
``pooling:http://127.0.0.1:8000/pooling?model=NAME&step_tag=<extra_0>``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import Field, ValidationError

from mathagent.answers.choices import with_choices
from mathagent.config import settings
from mathagent.errors import BackendError, UsageError
from mathagent.models.endpoint_url import check_url, without_password
from mathagent.models.openai_errors import connection_error, not_json, status_error
from mathagent.models.openai_reply import error_message
from mathagent.models.openai_session import OpenAISession
from mathagent.scorers.base import Aggregation, Level, Score, aggregate
from mathagent.scorers.reward_reply import Scale, classified, pooled, stated_reward, to_share
from mathagent.types import Problem, Step, Usage, Value

if TYPE_CHECKING:
    from mathagent.agents.context import RunContext

Form = Literal["reward", "pooling", "classify"]
CONNECT_TIMEOUT_S = 10.0


class RewardSettings(Value):
    """How a reward endpoint is asked, and how its reply becomes a score."""

    model: str = Field(default="", description="The model's name as the server knows it; empty: it is not sent.")
    send: Literal["messages", "input", "text"] = Field(
        default="messages",
        description="Under which key the solution is sent: a chat, or (input; text: the older SGLang) plain text.",
    )
    template: str = Field(
        default="{problem}\n\n{solution}", description="The plain text, with {problem} and {solution}."
    )
    step_tag: str = Field(
        default="",
        description="What a process reward model wants behind each step (pooling); empty: it scores the whole.",
    )
    positive: int = Field(default=-1, description="The column of the class that means right.")
    scale: str = Field(
        default="",
        description="probability, logit, or the bounds LOW..HIGH; empty: probability for several columns, else logit.",
    )
    aggregation: Aggregation = Field(default="min", description="How the values of steps become one.")
    timeout_s: float = Field(default=600.0, gt=0, description="Seconds that one reply may take.")
    parallel: int = Field(default=16, ge=1, le=256, description="Requests at the same time.")

    def scale_of(self, form: Form, columns: int) -> Scale | tuple[float, float]:
        """The scale of rewards that stood in ``columns``. Raises UsageError for a scale that is none."""
        if not self.scale:
            return "probability" if columns > 1 or (form == "classify" and self.send != "text") else "logit"
        if self.scale in ("probability", "logit"):
            return cast("Scale", self.scale)
        low, separator, high = self.scale.partition("..")
        try:
            bounds = float(low), float(high)
        except ValueError:
            separator = ""
        if not separator or not bounds[0] < bounds[1]:
            raise UsageError(
                f"scale '{self.scale}' is none of probability, logit and LOW..HIGH, for example -10..10"
            )
        return bounds


class RewardEndpoint:
    """Scores solutions by a reward model at ``url``, one request each. It counts as a call of the budget each.

    It is not asked again where a request fails: that solution has no score.
    """

    level: Level

    def __init__(self, form: Form, url: str, given: RewardSettings | None = None, *, api_key: str = "") -> None:
        check_url(url)
        self.form, self.settings = form, given or RewardSettings()
        self.settings.scale_of(form, 1)
        if self.settings.step_tag and form != "pooling":
            raise UsageError(f"{form} gives one reward for the whole solution; step_tag is a setting of pooling")
        if form == "reward":
            parts = urlsplit(url)
            if not parts.path.endswith("/chat/completions"):
                url = parts._replace(path=f"{parts.path.rstrip('/')}/chat/completions").geturl()
        self._url, self._key = url, api_key
        self._shown = without_password(url)
        self.name = f"{form}:{self._shown}"
        self.level = "step" if self.settings.step_tag else "outcome"

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        """See Scorer.score."""
        at_once = asyncio.Semaphore(self.settings.parallel)
        session = OpenAISession(
            self._url,
            self._key or "none",
            path="",
            headers={},
            read_timeout_s=self.settings.timeout_s,
            connect_timeout_s=CONNECT_TIMEOUT_S,
        )

        async def one(steps: Sequence[Step]) -> Score | BackendError:
            if not steps:
                return Score(note="there is nothing to score")
            async with at_once:
                reached = context.meter.limit_reached()
                if reached is not None and reached.limit != "max_tokens":  # a reward model writes no tokens
                    return Score(note=str(reached), limit=str(reached))
                context.meter.add(Usage(calls=1), model=self.name)
                return await self._until_limit(context, self._score(session, problem, steps))

        try:
            made = await asyncio.gather(*(one(steps) for steps in solutions))
        finally:
            await session.close()
        failed = [one for one in made if isinstance(one, BackendError)]
        if failed and len(failed) == len(made):
            raise failed[0]
        return [Score(note=str(one)) if isinstance(one, BackendError) else one for one in made]

    async def _until_limit(self, context: RunContext, asking: Coroutine[Any, Any, Score]) -> Score | BackendError:
        """What comes of ``asking``; the deadline, or an interrupt, ends it."""
        asked = asyncio.ensure_future(asking)
        interrupted = context.meter.interruption()
        try:
            await asyncio.wait(
                {asked, interrupted},
                timeout=context.meter.seconds_left(),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            interrupted.cancel()
            asked.cancel()
            (made,) = await asyncio.gather(asked, return_exceptions=True)
        if isinstance(made, Score | BackendError):
            return made
        if not isinstance(made, asyncio.CancelledError):
            raise made
        over = str(context.meter.limit_reached() or "the budget's seconds are used up")
        return Score(note=over, limit=over)

    async def _score(self, session: OpenAISession, problem: Problem, steps: Sequence[Step]) -> Score:
        reply = await self._ask(session, self.body(problem, [step.text for step in steps]))
        by_step = len(steps) if self.settings.step_tag else None
        match self.form:
            case "pooling":
                read = pooled(reply, self.settings.positive, by_step)
            case "classify":
                read = classified(reply, self.settings.positive)
            case "reward":
                read = stated_reward(reply)
        if isinstance(read, str):
            return Score(note=f"{self._shown}: {read}")
        rewards, columns = read
        shares = tuple(to_share(reward, self.settings.scale_of(self.form, columns)) for reward in rewards)
        note = (
            "" if None not in shares else f"a reward of {rewards} is no probability; set scale=logit or LOW..HIGH"
        )
        if by_step is None:
            return Score(value=shares[0], note=note)
        return Score(value=aggregate(shares, self.settings.aggregation), steps=shares, note=note)

    def body(self, problem: Problem, steps: Sequence[str]) -> dict[str, Any]:
        """What is sent for a solution of these ``steps``."""
        given, tag = self.settings, self.settings.step_tag
        asked = with_choices(problem.text, problem.choices)
        solution = "".join(f"{step}{tag}" for step in steps) if tag else "\n".join(steps)
        body: dict[str, Any] = {"model": given.model} if given.model else {}
        if self.form == "reward":
            body |= {"temperature": 0.0, "max_tokens": 16}
        if given.send != "messages":
            # Not str.format: a solution is full of braces, and is put in last.
            text = given.template.replace("{problem}", asked).replace("{solution}", solution)
            return body | {given.send: [text] if given.send == "text" else text}
        chat = [{"role": "user", "content": asked}, {"role": "assistant", "content": solution}]
        return body | {"messages": chat}

    async def _ask(self, session: OpenAISession, body: dict[str, Any]) -> object:
        import aiohttp

        try:
            response = await session.post(body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise connection_error(error, backend=self.form, base_url=self._shown, reached=False) from error
        except UnicodeEncodeError as error:
            raise BackendError(f"{self.form}: the solution holds half a character and cannot be sent") from error
        if not response.is_success:
            message = error_message(response.error_body())
            raise status_error(response.status, message, backend=self.form, base_url=self._shown)
        try:
            return response.json()
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise not_json(self.form, self._shown, getattr(error, "doc", "")) from error


def endpoint(form: Form, argument: str) -> RewardEndpoint:
    """The endpoint at the URL ``argument``; what its query sets of RewardSettings is taken out of it.

    The key is MATHAGENT_REWARD_API_KEY's. Raises UsageError for a wrong URL or setting.
    """
    check_url(argument)
    parts = urlsplit(argument)
    query = parse_qsl(parts.query, keep_blank_values=True)
    ours = {key: value for key, value in query if key in RewardSettings.model_fields}
    rest = urlencode([pair for pair in query if pair[0] not in ours])
    try:
        given = RewardSettings.model_validate(ours)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{form}: {first['loc'][0]} = {first['input']!r} is wrong: {first['msg']}") from error
    secret = settings().reward_api_key
    key = "" if secret is None else secret.get_secret_value().strip()
    return RewardEndpoint(form, parts._replace(query=rest).geturl(), given, api_key=key)


def reward(url: str) -> RewardEndpoint:
    """An OpenAI-like endpoint that answers a chat with one number. Raises UsageError."""
    return endpoint("reward", url)


def pooling(url: str) -> RewardEndpoint:
    """A reward model behind vLLM's ``/pooling``. Raises UsageError."""
    return endpoint("pooling", url)


def classify(url: str) -> RewardEndpoint:
    """A reward model behind ``/classify`` of vLLM or SGLang. Raises UsageError."""
    return endpoint("classify", url)
