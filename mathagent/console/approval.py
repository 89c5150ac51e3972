"""Putting a solve's questions before the person at the terminal: may this program run, is this plan good?"""

from __future__ import annotations

import asyncio

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from rich.console import Console

from mathagent.console.page import Page
from mathagent.types import ApproveCode, Approved, Edited, Refused, Request, Response

_QUESTIONS = {
    "approve-code": "run this program? [y]es, [n]o, [e]dit: ",
    "review-plan": "follow this plan? [y]es, [n]o, [e]dit: ",
}


class Approver:
    """Asks on the terminal; made for ``Human(on_interrupt=…)``.

    Nothing is assumed: an empty line asks again. Ctrl-C and Ctrl-D set ``interrupt``, which ends the solve.
    """

    def __init__(self, console: Console, interrupt: asyncio.Event) -> None:
        self._page = Page(console)
        self._interrupt = interrupt

    async def __call__(self, request: Request) -> Response:
        """What the person answers to ``request``."""
        text = request.program if isinstance(request, ApproveCode) else request.plan
        if isinstance(request, ApproveCode):
            self._page.code(text)
        else:
            self._page.prose(text)
        while True:
            said = (await self._read(_QUESTIONS[request.kind])).strip().lower()
            if said in ("y", "yes"):
                return Approved()
            if said in ("n", "no"):
                return Refused(reason=(await self._read("why not (the model may see it; may be empty): ")).strip())
            if said in ("e", "edit"):
                self._page.line("edit; Alt-Enter (or Esc, Enter) when done", style="dim")
                return Edited(text=await self._read("", default=text, multiline=True))

    async def _read(self, question: str, *, default: str = "", multiline: bool = False) -> str:
        with create_app_session():
            session: PromptSession[str] = PromptSession(multiline=multiline)
            try:
                return await session.prompt_async(question, default=default, handle_sigint=False)
            except (EOFError, KeyboardInterrupt):
                self._interrupt.set()
        await asyncio.Event().wait()  # until the solve, which ends, stops asking
        raise AssertionError
