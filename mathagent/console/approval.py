"""Putting a solve's questions before the person at the terminal: may this program run, is this plan good, may this tool
be called?"""

from __future__ import annotations

import asyncio

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from rich.console import Console

from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.types import ApproveCode, Approved, ApproveTool, Edited, Refused, Request, Response

MOST_ARGUMENTS = 4_000
"""Characters of a call's arguments that are shown."""
_QUESTIONS = {
    "approve-code": "run this program? [y]es, [n]o, [e]dit: ",
    "review-plan": "follow this plan? [y]es, [n]o, [e]dit: ",
    "approve-tool": "let this solve call it so? [y]es, [a]lways, [n]o: ",
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
        text = self._show(request)
        while True:
            said = (await self._read(_QUESTIONS[request.kind])).strip().lower()
            if said in ("y", "yes"):
                return Approved()
            if said in ("a", "always") and isinstance(request, ApproveTool):
                return Approved(always=True)
            if said in ("n", "no"):
                return Refused(reason=(await self._read("why not (the model may see it; may be empty): ")).strip())
            if said in ("e", "edit") and not isinstance(request, ApproveTool):
                self._page.line("edit; Alt-Enter (or Esc, Enter) when done", style="dim")
                return Edited(text=await self._read("", default=text, multiline=True))

    def _show(self, request: Request) -> str:
        """Shows what is asked about; returns the text that may be edited."""
        if isinstance(request, ApproveTool):
            said = one_line(request.description, 400)
            self._page.line(f"the tool {one_line(request.tool, 120)}{f' says of itself: {said}' if said else ''}")
            self._page.line(f"it would be called with: {one_line(request.arguments, MOST_ARGUMENTS) or 'nothing'}")
            return ""
        if isinstance(request, ApproveCode):
            self._page.code(request.program)
            return request.program
        self._page.prose(request.plan)
        return request.plan

    async def _read(self, question: str, *, default: str = "", multiline: bool = False) -> str:
        with create_app_session():
            session: PromptSession[str] = PromptSession(multiline=multiline)
            try:
                return await session.prompt_async(question, default=default, handle_sigint=False)
            except (EOFError, KeyboardInterrupt):
                self._interrupt.set()
        await asyncio.Event().wait()  # until the solve, which ends, stops asking
        raise AssertionError
