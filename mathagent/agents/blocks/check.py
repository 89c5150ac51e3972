"""Block check: what can be tested about a candidate is tested, by programs in the sandbox; the verdict follows.

What costs no call comes first: the domain that the question's wording states, and the candidate's own program once
more. Then a verifier proposes checks as data (``scorers/check_proposals.py``). It does not see the answer, so that it
cannot cut a check to it, and one reply serves every candidate of a problem.
"""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.execute import program_limits
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.errors import BackendError
from mathagent.events import CheckFinished, Judged, Warned
from mathagent.scorers.check_programs import build_check
from mathagent.scorers.check_proposals import CheckProposals, Proposal
from mathagent.scorers.checks import judge, run_checks
from mathagent.scorers.question_domain import question_domain, rules_out
from mathagent.types import Candidate, Check, Failure, Problem, SamplingParams, Verdict

PROPOSER = Role("verifier", "verify/propose", SamplingParams(max_tokens=768), CheckProposals)
CHECK_PROMPTS = (PROPOSER.prompt, *ASK_PROMPTS)
"""The prompts of this block, for ``Strategy.prompts``."""

TIMEOUT_S = 5.0
"""Seconds that one program of a check may run."""
RETRIES = 1


async def check_candidate(
    context: RunContext,
    problem: Problem,
    candidate: Candidate,
    *,
    sample: int = 0,
    proposals: Sequence[Proposal] | None = None,
) -> tuple[Verdict, str | None]:
    """What checks say of ``candidate``, and the limit of the budget that ended the asking for more.

    ``proposals`` are to be made (a verifier's, made earlier, or Agreement with another candidate's program); None asks
    the verifier, but not where the checks that cost no call fail already. A candidate without an answer is "unsure".
    Each check is published as CheckFinished of ``sample``, the verdict as Judged. Raises SandboxError.
    """
    answer = candidate.answer
    if answer is None:
        return Verdict(judgement="unsure", reason="there is no answer to check"), None
    done = await _run(context, problem, _free_checks(problem, candidate), sample)
    limit: str | None = None
    if proposals is None:
        if any(check.outcome == "fails" for check in done):
            return _judged(context, done, sample), None
        proposals, limit = await propose_checks(context, problem, sample=sample)
    proposed = [build_check(proposal, problem, answer.normal) for proposal in proposals]
    done += await _run(context, problem, proposed, sample, known=done)
    return _judged(context, done, sample), limit


def _judged(context: RunContext, checks: Sequence[Check], sample: int) -> Verdict:
    verdict = judge(checks)
    context.emit(Judged(sample=sample, judgement=verdict.judgement, reason=verdict.reason))
    return verdict


async def propose_checks(
    context: RunContext, problem: Problem, *, sample: int = 0
) -> tuple[tuple[Proposal, ...], str | None]:
    """The verifier's proposals for any answer to ``problem``, and the limit that ended the asking.

    Where the model cannot be reached there are none, and a Warned event says so: the candidate is paid for and stays.
    """
    fallback = CheckProposals(checks=())
    try:
        asked = await ask(
            context, PROPOSER, fallback=fallback, sample=sample, retries=RETRIES, problem=problem_text(problem)
        )
    except BackendError as error:
        context.emit(Warned(message=f"no checks could be proposed: {error}"))
        return (), None
    return asked.reply.checks, asked.limit


def _free_checks(problem: Problem, candidate: Candidate) -> list[Check]:
    """The checks that cost no call: the domain, where the wording states one, and the candidate's own program."""
    assert candidate.answer is not None
    domain = question_domain(problem.text)
    own = [check for check in candidate.checks if check.kind == "execution"]
    return own if domain is None else [*own, build_check(domain, problem, candidate.answer.normal)]


async def _run(
    context: RunContext, problem: Problem, checks: Sequence[Check], sample: int, known: Sequence[Check] = ()
) -> list[Check]:
    """Runs ``checks``; programs of ``known`` ones, which have been run, count as seen."""
    return await run_checks(
        context.sandbox,
        context.comparer,
        checks,
        program_limits(context, TIMEOUT_S),
        problem=problem,
        known=known,
        on_check=lambda check: context.emit(CheckFinished(sample=sample, check=check)),
    )


def voters(problem: Problem, candidates: Sequence[Candidate]) -> list[Candidate]:
    """``candidates`` as they vote: one whose answer the question's wording rules out (a fraction of "how many") counts
    as without an answer. All vote as they are where nobody would be left. Pure.
    """
    if question_domain(problem.text) is None:
        return list(candidates)
    failure = Failure(kind="no-answer", message="the question asks for another kind of answer")
    left = [one if is_fitting(problem, one) else Candidate(failure=failure) for one in candidates]
    return left if any(one.answer is not None for one in left) else list(candidates)


def is_fitting(problem: Problem, candidate: Candidate) -> bool:
    """Whether the question's wording does not rule the candidate's answer out. Pure."""
    domain = question_domain(problem.text)
    return domain is None or candidate.answer is None or not rules_out(domain, candidate.answer.normal)
