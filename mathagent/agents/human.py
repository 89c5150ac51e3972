"""A person beside a solve: hints for the model, approval of programs, review of plans.

What the solve asks is a LangGraph interrupt: where nobody is there to answer, the graph stops at that node, and a
later run, with the answer, begins the node anew. Answers are kept by what was asked, not by the order of asking, so
that parallel samples may ask, and so that a node run again (its model calls come from the journal) asks nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mathagent.budget import Meter
from mathagent.events import Event, PersonAnswered, PersonAsked
from mathagent.models.base import Backend, ChatRequest, OnDelta
from mathagent.models.wrapper import Wrapper
from mathagent.prompts import render
from mathagent.sandbox.base import Layer, Limits, Sandbox, Session
from mathagent.types import (
    ApproveCode,
    Approved,
    ApproveTool,
    Completion,
    Edited,
    Execution,
    Message,
    Refused,
    Request,
    Response,
    ReviewPlan,
)

if TYPE_CHECKING:
    from mathagent.agents.context import RunContext

HINTS_PROMPT = "human/hints"
REFUSED = "a person did not allow this program to run"

OnInterrupt = Callable[[Request], Awaitable[Response]]
"""Puts a request before a person and returns what they say. One request at a time."""


class Human:
    """The person beside one solve, as its caller sees them.

    ``on_interrupt`` asks them; without it a solve that needs them stops, and is resumed with their answer.
    ``approve_code``: no program of a model runs before they allowed it. ``review_plans``: plans go past them.
    """

    def __init__(
        self,
        on_interrupt: OnInterrupt | None = None,
        *,
        approve_code: bool = False,
        review_plans: bool = False,
        hints: Sequence[str] = (),
    ) -> None:
        self.on_interrupt = on_interrupt
        self.approve_code, self.review_plans = approve_code, review_plans
        self.hints: list[str] = list(hints)
        self.on_hint: Callable[[str], None] = lambda _: None

    def hint(self, text: str) -> None:
        """Gives the model a hint: the next call of the running solve sees it, and all later ones. Blank: ignored."""
        if text.strip():
            self.hints.append(text.strip())
            self.on_hint(text.strip())


class Interrupts:
    """The questions of one running solve. ``answers`` holds what was said before, by ``request_key``;
    ``keep`` is told each new answer."""

    def __init__(
        self,
        human: Human,
        meter: Meter,
        emit: Callable[[Event], None],
        *,
        answers: Mapping[str, Response] | None = None,
        keep: Callable[[str, Response], None] = lambda key, response: None,
    ) -> None:
        self.human = human
        self._meter, self._emit, self._keep = meter, emit, keep
        self._answers = dict(answers or {})
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, request: Request, or_by: Request | None = None) -> Response | None:
        """What the person says to ``request``; None where the solve is being ended meanwhile.

        The same request is asked once. ``or_by`` stands for all requests of its kind: what they have approved always
        answers it. Where nobody can be asked it ends the node by LangGraph's GraphInterrupt. The solve's clock stands
        still while they think.
        """
        key = request_key(request)
        async with self._one_at_a_time:
            known = self._known(key, or_by)
            if known is not None:
                return known
            if self._meter.interrupted:
                return None
            if self.human.on_interrupt is None:
                from langgraph.types import interrupt

                interrupt(request)
            response = await self._asked(request)
            if response is not None:
                self._answers[key] = response
                self._keep(key, response)
                self._known(key, or_by)
                self._emit(PersonAnswered(request=request, response=response))
            return response

    def _known(self, key: str, or_by: Request | None) -> Response | None:
        """What was said before, to this request or for all of its kind; that they approved always is kept for these."""
        if or_by is None:
            return self._answers.get(key)
        every, response = request_key(or_by), self._answers.get(key)
        if isinstance(response, Approved) and response.always and every not in self._answers:
            self._answers[every] = response
            self._keep(every, response)
        return response or self._answers.get(every)

    async def _asked(self, request: Request) -> Response | None:
        assert self.human.on_interrupt is not None
        self._emit(PersonAsked(request=request))
        asking = asyncio.ensure_future(self.human.on_interrupt(request))
        ended = self._meter.interruption()
        try:
            with self._meter.paused():
                await asyncio.wait({asking, ended}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else None
        finally:
            ended.cancel()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


def request_key(request: Request) -> str:
    """The identity of what is asked (hex, 32 characters)."""
    return hashlib.sha256(request.model_dump_json().encode()).hexdigest()[:32]


async def review_plan(context: RunContext, plan: str) -> str:
    """``plan``, or what a person made of it, where plans are to be reviewed.

    Call it first in a node, or after calls to the model only: a solve that stops here runs its node again.
    A plan that is refused is no plan: the empty text.
    """
    interrupts = context.interrupts
    if interrupts is None or not interrupts.human.review_plans:
        return plan
    response = await interrupts.ask(ReviewPlan(plan=plan))
    if isinstance(response, Edited):
        return response.text
    return "" if isinstance(response, Refused) else plan


async def refused_tool(interrupts: Interrupts | None, tool: str, description: str, arguments: str) -> str:
    """Why ``tool``, from outside, may not be called with ``arguments`` (JSON); "" where a person allows it.

    They are asked for each call, once for the same one; no more where they have allowed the tool for good. Where nobody
    can be asked, it may not; but where programs wait for a person, too, the solve stops and waits, to be resumed with
    their answer.
    """
    human = None if interrupts is None else interrupts.human
    if interrupts is None or human is None or (human.on_interrupt is None and not human.approve_code):
        server = tool.partition(".")[0]
        return f"a person must allow it first, and nobody can be asked; or set trusted = true in [mcp.servers.{server}]"
    call = ApproveTool(tool=tool, description=description, arguments=arguments)
    response = await interrupts.ask(call, or_by=ApproveTool(tool=tool))
    if isinstance(response, Approved):
        return ""
    reason = response.reason.strip() if isinstance(response, Refused) else ""
    return f"a person did not allow it{f': {reason}' if reason else ''}"


def with_hints(messages: Sequence[Message], hints: Sequence[str]) -> tuple[Message, ...]:
    """``messages`` with the hints at the end of the last turn of the user (of the first turn, where there is none)."""
    if not hints or not messages:
        return tuple(messages)
    users = [index for index, message in enumerate(messages) if message.role == "user"]
    last = users[-1] if users else 0
    text = render(HINTS_PROMPT, text=messages[last].content, hints=list(hints))[0].content.rstrip()
    hinted = messages[last].model_copy(update={"content": text})
    return (*messages[:last], hinted, *messages[last + 1 :])


class Hinted(Wrapper):
    """Puts the person's hints into every request, whichever part of a strategy makes it."""

    def __init__(self, inner: Backend, human: Human) -> None:
        super().__init__(inner)
        self._human = human

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        messages = with_hints(request.messages, self._human.hints)
        return await self.inner.complete(request.model_copy(update={"messages": messages}), on_delta)


class ApprovedSandbox:
    """A Sandbox that lets a program run once a person has allowed it, or has put another in its place.

    A wrapper, not a block: no strategy, tool or check, present or future, can run anything past it. A refused
    program is an Execution that says so. What ran in a program's place stands in ``Execution.edited``.
    """

    def __init__(self, inner: Sandbox, interrupts: Interrupts) -> None:
        self.inner, self.name = inner, inner.name
        self._interrupts = interrupts

    @property
    def label(self) -> str:
        return self.inner.label

    async def run(
        self,
        code: str,
        limits: Limits | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        fetch: Sequence[str] = (),
    ) -> Execution:
        """See Sandbox.run."""
        return await _approved(
            self._interrupts, code, lambda program: self.inner.run(program, limits, files, fetch=fetch)
        )

    async def session(self, limits: Limits | None = None, files: Mapping[str, bytes] | None = None) -> Session:
        """See Sandbox.session: each cell needs approval."""
        return ApprovedSession(await self.inner.session(limits, files), self._interrupts)

    def layers(self) -> list[Layer]:
        """See Sandbox.layers."""
        return self.inner.layers()

    async def aclose(self) -> None:
        """Closes nothing: who opened the sandbox within does."""


class ApprovedSession:
    """A Session whose cells need approval, one by one."""

    def __init__(self, inner: Session, interrupts: Interrupts) -> None:
        self.inner, self._interrupts = inner, interrupts

    async def run(
        self, code: str, files: Mapping[str, bytes] | None = None, *, fetch: Sequence[str] = ()
    ) -> Execution:
        """See Session.run."""
        return await _approved(self._interrupts, code, lambda program: self.inner.run(program, files, fetch=fetch))

    async def snapshot(self) -> Session:
        """See Session.snapshot."""
        return ApprovedSession(await self.inner.snapshot(), self._interrupts)

    async def aclose(self) -> None:
        """See Session.aclose."""
        await self.inner.aclose()


async def _approved(interrupts: Interrupts, code: str, run: Callable[[str], Awaitable[Execution]]) -> Execution:
    response = await interrupts.ask(ApproveCode(program=code))
    if isinstance(response, Edited):
        return (await run(response.text)).model_copy(update={"edited": response.text})
    if response is None or isinstance(response, Refused):
        reason = response.reason.strip() if response is not None else "the solve was ended before"
        return Execution(status="refused", error=f"{REFUSED}: {reason}" if reason else REFUSED)
    return await run(code)
