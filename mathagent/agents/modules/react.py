"""ReAct over modules: thought and action by turns, until an action finishes with the answer.

Source: "ReAct: Synergizing Reasoning and Acting in Language Models" (arXiv 2210.03629), with the actions of MathSensei
(arXiv 2402.17231).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from mathagent.agents.modules.knowledge import knowledge
from mathagent.agents.modules.pipeline import LOOK_UPS, OUTSIDE, Found, Pipeline, available, tools_outside
from mathagent.agents.modules.program import python
from mathagent.agents.role import Role
from mathagent.agents.state import Draft, Finding
from mathagent.answers.extract import extract_answer, extract_from_trigger_reply, last_boxed
from mathagent.types import Answer, SamplingParams, Step, Value

THINKER = Role("thinker", "mathsensei/react", SamplingParams(max_tokens=300, stop=("\nObservation",)))
FINISH = "finish"
ACTIONS = {
    "web": "searches the web for a formula, theorem or similar question",
    "wolfram": "has one computation done, for example solve x^2 = 9",
    "python": "has a program written and run that computes what you say",
    "text": "recalls facts and formulas about what you say",
}

_ACTION = re.compile(
    r"^\W{0,20}action[ \t]*\d*[ \t]*[:：][ \t*`]*([a-z][\w./-]*)[ \t*`]*([\[(:])(.*)", re.I | re.M | re.S
)
_CLOSING = {"[": "]", "(": ")"}
_NEXT = re.compile(r"\n\W{0,20}(?:thought|action|observation)[ \t]*\d*[ \t]*[:：]", re.IGNORECASE)
_LABEL = re.compile(r"^\W{0,20}thought[ \t]*\d*[ \t]*[:：][ \t*]*", re.IGNORECASE)


class Action(Value):
    """What a reply says is to be done next, and why; ``name`` is "" where it says nothing of the kind."""

    thought: str
    name: str = ""
    argument: str = ""


def read_action(reply: str) -> Action:
    """The thought and the first action of ``reply``; a box without an action finishes. Pure."""
    found = _ACTION.search(reply)
    thought = _LABEL.sub("", (reply[: found.start()] if found else reply).strip()).strip()
    if found is None:
        return (
            Action(thought=thought, name=FINISH, argument=reply) if last_boxed(reply) else Action(thought=thought)
        )
    argument = _NEXT.split(found[3], maxsplit=1)[0]
    end = argument.rfind(_CLOSING.get(found[2], "\0"))
    name = found[1] if OUTSIDE in found[1] else found[1].lower()  # what others name, they may tell apart by case
    return Action(thought=thought, name=name, argument=argument[: end if end >= 0 else None].strip())


async def think(pipeline: Pipeline, most: int) -> tuple[Draft, str | None]:
    """The model's next thought and action; the step after ``len(pipeline.findings)`` of at most ``most``."""
    prompt = pipeline.prompt(
        THINKER.prompt,
        known=pipeline.known,
        actions=_offered(pipeline),
        step=len(pipeline.findings) + 1,
        most=most,
        has_choices=bool(pipeline.problem.choices),
    )
    return await pipeline.write(THINKER, prompt)


async def act(pipeline: Pipeline, draft: Draft) -> Found:
    """The finding of one step: thought, action and what was observed. A draft without a reply ends the chain."""
    if draft.completion is None:
        return Finding(module=FINISH), None
    action = read_action(draft.completion.text)
    number = len(pipeline.findings) + 1
    said = Step(kind="thought", text=draft.completion.text)
    lines = [f"Thought {number}: {action.thought}", f"Action {number}: {action.name}[{action.argument}]"]
    step = Finding(module=action.name, text="\n".join(lines), steps=(said,))
    if action.name == FINISH:
        return step, None
    observed, limit = await _observe(pipeline, step, action)
    return step.model_copy(
        update={
            "text": f"{step.text}\nObservation {number}: {observed.text}",
            "steps": (said, *observed.steps),
        }
    ), limit


def _offered(pipeline: Pipeline) -> dict[str, str]:
    return available(ACTIONS, pipeline.context) | tools_outside(pipeline.context)


async def _observe(pipeline: Pipeline, step: Finding, action: Action) -> Found:
    """What the action gave, in words; it always says something."""
    offered = _offered(pipeline)
    if action.name not in offered:
        return Finding(module="", text=f"There is no such action; choose of {', '.join(offered)}, {FINISH}."), None
    if action.name in LOOK_UPS or OUTSIDE in action.name:
        ask = pipeline.call_outside if OUTSIDE in action.name else pipeline.look_up
        result = await ask(action.name, action.argument)
        text = result.text if result.ok else f"It failed: {result.text}"
        return Finding(module="", text=text, steps=(Step(kind="observation", text=text, origin="tool"),)), None
    if action.name == "python":
        found, limit = await python(replace(pipeline, findings=(*pipeline.findings, step)))
    else:
        found, limit = await knowledge(pipeline, action.argument)
    return found.model_copy(update={"text": found.text or "It gave nothing of use."}), limit


def is_finished(findings: Sequence[Finding]) -> bool:
    """Whether the chain has ended before its last step."""
    return bool(findings) and findings[-1].module == FINISH


def finished_answer(findings: Sequence[Finding], choices: Sequence[str]) -> Answer | None:
    """The answer with which a chain has finished; None where it has not, or named none. Pure."""
    if not is_finished(findings) or not findings[-1].steps:
        return None
    reply = findings[-1].steps[-1].text
    argument = read_action(reply).argument
    return (
        extract_answer(argument, choices)
        or extract_from_trigger_reply(argument, choices)
        or extract_answer(reply, choices)
    )
