"""Checks: running them, against the answer and against answers near it, and what follows from them.

A check holds iff its program runs in the sandbox and the value of its last expression equals what is expected, as
mathematics. A check that always passes is worthless: what cannot fail is refused (``vacuity``), and what is given the
answer is run again with other answers, most of which must fail. Whatever a program does is an outcome, with a reason.
"""

from __future__ import annotations

import ast
import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from mathagent.answers.compare import AnswerComparer
from mathagent.answers.extract import answer_from_value
from mathagent.answers.rational import exact_value
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.scorers.binding import bind, bound_source, chosen, distant, number_of, perturbed, rebound
from mathagent.scorers.check_programs import TRUE
from mathagent.scorers.expressions import Unreadable
from mathagent.scorers.printed_programs import shape
from mathagent.scorers.vacuity import VALUE_KINDS, objection
from mathagent.types import Check, CheckOutcome, Execution, Mutation, Problem, Solution, Verdict

T = TypeVar("T")

NEARLY = 0.01
"""Relative difference below which a quantity that came out of a fractional answer may differ by rounding only."""
MAX_REASON = 300
OUT_OF_TIME = "it was not run to its end: the time for all checks was over"
"""The reason of a check that a deadline has ended."""
DERIVATIONS = frozenset({"recomputation", "agreement"})
"""Kinds that are evidence only as a second way to the answer."""


async def run_check(
    sandbox: Sandbox, comparer: AnswerComparer, check: Check, limits: Limits | None = None, *, problem: Problem
) -> Check:
    """``check`` with the outcome, reason, mutations and seconds of running it now; what it says of them is ignored.

    Where it holds, it is run again with other answers; where most of these pass as well, it is undecided. Raises
    SandboxError only.
    """
    refused = objection(check, problem) if check.program else check.reason or "it has no program"
    if refused is not None:
        return _decided(check, "undecided", refused)
    started = time.perf_counter()
    outcome, reason = await _outcome(sandbox, comparer, check, limits, problem)
    mutations: tuple[Mutation, ...] = ()
    if outcome == "holds" and check.kind not in VALUE_KINDS:
        mutations = await _mutate(sandbox, comparer, check, limits, problem)
        outcome, reason = _after_mutations(check, mutations)
    done = _decided(check, outcome, reason)
    return done.model_copy(update={"mutations": mutations, "seconds": round(time.perf_counter() - started, 4)})


async def run_checks(
    sandbox: Sandbox,
    comparer: AnswerComparer,
    checks: Sequence[Check],
    limits: Limits | None = None,
    *,
    problem: Problem,
    known: Sequence[Check] = (),
    on_check: Callable[[Check], None] = lambda check: None,
    deadline: float | None = None,
) -> list[Check]:
    """Runs ``checks`` at the same time and returns them in order; ``on_check`` hears of each as it is done.

    What has not ended by ``deadline`` (of the event loop's clock) is ended, and undecided: ``OUT_OF_TIME``.

    The same program is no second derivation: a recomputation or agreement is refused where the candidates' own
    programs (among ``checks`` and ``known`` ones, which have been run) are no other than it, or an earlier one is it.
    """
    own = {shape(check.program) for check in (*known, *checks) if check.kind == "execution"}
    seen = {shape(check.program) for check in known if check.kind in DERIVATIONS}

    async def run(check: Check, repeated: bool) -> Check:
        if repeated:
            done = _decided(check, "undecided", "it is the program of another check once more")
        else:
            running = run_check(sandbox, comparer, check, limits, problem=problem)
            in_time = await _until(deadline, running)
            done = _decided(check, "undecided", OUT_OF_TIME) if in_time is None else in_time
        on_check(done)
        return done

    jobs = []
    for check in checks:
        form = shape(check.program)
        derived = check.kind in DERIVATIONS and check.program != ""
        jobs.append(run(check, derived and (form in seen or own == {form})))
        if derived:
            seen.add(form)
    return list(await asyncio.gather(*jobs))


async def run_certificate(
    sandbox: Sandbox,
    comparer: AnswerComparer,
    solution: Solution,
    limits: Limits | None = None,
    *,
    within_s: float | None = None,
) -> list[Check]:
    """The checks of ``solution``'s certificate, run again; one that is about another answer is undecided.

    ``limits`` are those of one program. All have ``within_s`` seconds together (None: as long as it takes): what has
    not ended then is ended, and undecided, its reason ``OUT_OF_TIME``.
    """
    answer = solution.answer
    deadline = None if within_s is None else asyncio.get_running_loop().time() + within_s

    async def why_not(check: Check) -> str:
        return await _about(comparer, check, solution.problem, answer) or ""

    found = [await _until(deadline, why_not(check)) for check in solution.certificate]
    about = [OUT_OF_TIME if reason is None else reason for reason in found]
    relevant = [check for check, reason in zip(solution.certificate, about, strict=True) if not reason]
    done = iter(await run_checks(sandbox, comparer, relevant, limits, problem=solution.problem, deadline=deadline))
    return [
        _decided(check, "undecided", reason) if reason else next(done)
        for check, reason in zip(solution.certificate, about, strict=True)
    ]


async def _until(deadline: float | None, work: Coroutine[Any, Any, T]) -> T | None:
    """What ``work`` gives, None where it has not ended by ``deadline``."""
    try:
        async with asyncio.timeout_at(deadline) as scope:
            return await work
    except TimeoutError:
        if not scope.expired():
            raise
        return None


def certificate_outcome(checks: Sequence[Check]) -> CheckOutcome:
    """What a certificate comes to: "fails" if a check fails, "holds" if none does and a strong one holds."""
    if any(check.outcome == "fails" for check in checks):
        return "fails"
    strong = any(check.outcome == "holds" and check.strength == "strong" for check in checks)
    return "holds" if strong else "undecided"


def judge(checks: Sequence[Check]) -> Verdict:
    """What ``checks`` say together: "correct" if a strong one holds and none fails, "incorrect" if one fails and no
    strong one holds, else "unsure"."""
    holding = [check for check in checks if check.outcome == "holds" and check.strength == "strong"]
    failing = [check for check in checks if check.outcome == "fails"]
    names = ", ".join(dict.fromkeys(check.kind for check in failing))
    held = ", ".join(dict.fromkeys(check.kind for check in holding))
    if holding and failing:
        judgement, reason = "unsure", f"{held} holds, but {names} fails"
    elif holding:
        judgement, reason = "correct", f"{held} holds and nothing fails"
    elif failing:
        judgement, reason = "incorrect", f"{names} fails"
    else:
        judgement, reason = "unsure", "no check that a wrong answer would fail could be made"
    return Verdict.model_validate({"judgement": judgement, "reason": reason, "checks": tuple(checks)})


async def _outcome(
    sandbox: Sandbox, comparer: AnswerComparer, check: Check, limits: Limits | None, problem: Problem
) -> tuple[CheckOutcome, str]:
    execution = await sandbox.run(check.program, limits)
    if not execution.ok:
        return "undecided", execution.error or f"the program ended with status {execution.status}"
    value = _value(check, execution)
    if value is None:
        return "undecided", "the program has no value"
    if check.kind not in VALUE_KINDS and check.kind != "reverse":
        if value not in (TRUE, "False"):
            return "undecided", f"the program gives {value}, neither True nor False"
        return ("holds", "") if value == TRUE else ("fails", "the program gives False")
    answer = answer_from_value(value)
    if answer is None:
        return "undecided", f"the program's value {value} is no answer"
    pairs = {(answer.normal, check.expected): None}
    if problem.choices:  # either may be a label
        pairs[chosen(problem, answer.normal), chosen(problem, check.expected)] = None
    verdicts = [(await comparer.equal(*pair)).verdict for pair in pairs]
    if "equal" in verdicts:
        return "holds", ""
    if "undecided" in verdicts:
        return "undecided", f"whether {answer.raw} equals {check.expected} could not be decided"
    if check.kind == "reverse" and _nearly(check, answer.normal):
        return "undecided", f"the program gives {answer.raw}, nearly {check.expected}: the answer may be rounded"
    return "fails", f"the program gives {answer.raw}, not {check.expected}"


def _value(check: Check, execution: Execution) -> str | None:
    """The value of the program; where it printed its answer instead, as candidates' programs may, the last line."""
    if execution.value is None and check.kind in VALUE_KINDS:
        lines = execution.stdout.strip().splitlines()
        return lines[-1] if lines else None
    return execution.value


def _nearly(check: Check, given: str) -> bool:
    answer = number_of(bound_source(check.program) or "")
    value, expected = exact_value(given), exact_value(check.expected)
    if answer is None or answer.denominator == 1 or value is None or expected is None:
        return False
    return abs(value - expected) <= NEARLY * abs(expected)


async def _mutate(
    sandbox: Sandbox, comparer: AnswerComparer, check: Check, limits: Limits | None, problem: Problem
) -> tuple[Mutation, ...]:
    source = bound_source(check.program)
    assert source is not None  # objection() has seen to it
    others = distant(source) if check.kind == "domain" else perturbed(source)

    async def run(other: str) -> Mutation:
        changed = check.model_copy(update={"program": rebound(check.program, other)})
        outcome, _ = await _outcome(sandbox, comparer, changed, limits, problem)
        return Mutation(answer=other, outcome=outcome)

    return tuple(await asyncio.gather(*(run(other) for other in others)))


def _after_mutations(check: Check, mutations: Sequence[Mutation]) -> tuple[CheckOutcome, str]:
    """The outcome of a check that holds, once it is known how it does with other answers."""
    failed = sum(one.outcome == "fails" for one in mutations)
    if check.kind == "domain":  # weak by nature: it need not tell neighbours apart, but must exclude something
        return ("holds", "") if failed else ("undecided", "it holds for answers of every kind")
    if 2 * failed > len(mutations):
        return "holds", ""
    passing = [one.answer for one in mutations if one.outcome == "holds"]
    if passing:
        return "undecided", f"it holds for other answers as well: {', '.join(passing)}"
    return "undecided", "it could not be run with other answers, so nothing is known of what it can tell apart"


async def _about(comparer: AnswerComparer, check: Check, problem: Problem, answer: str | None) -> str | None:
    """Why ``check`` is not about ``answer``; None where it is (or where that shows only when it is run)."""
    if answer is None:
        return "the solution has no answer that it could be about"
    if not check.program:
        return None
    if check.kind in VALUE_KINDS:
        texts = dict.fromkeys((answer, chosen(problem, answer)))
        verdicts = [(await comparer.equal(check.expected, text)).verdict for text in texts]
        return None if "equal" in verdicts else f"it is about the answer {check.expected}"
    source = bound_source(check.program)
    if source is None:
        return None
    try:
        if source == ast.unparse(ast.parse(bind(problem, answer).source, mode="eval")):
            return None
    except Unreadable:
        pass
    bound = answer_from_value(source.replace("sympy.", ""))
    same = bound is not None and (await comparer.equal(bound, chosen(problem, answer))).verdict == "equal"
    return None if same else f"it is about the answer {source}"


def _decided(check: Check, outcome: CheckOutcome, reason: str) -> Check:
    flat = " ".join(reason.split())
    shown = flat if len(flat) <= MAX_REASON else f"{flat[: MAX_REASON - 1]}…"
    return check.model_copy(update={"outcome": outcome, "reason": shown, "mutations": (), "seconds": 0.0})
