import io
import re

import pytest
from rich.console import Console

from mathagent.console.render import SolveView
from mathagent.events import (
    Asked,
    BudgetReached,
    CandidateProposed,
    CheckFinished,
    CodeFinished,
    CodeStarted,
    Decided,
    Event,
    Judged,
    ModelReplied,
    PlanMade,
    Recalled,
    Recollection,
    Remembered,
    Retried,
    SolveFinished,
    SolveStarted,
    TokenDelta,
    Voted,
    Warned,
)
from mathagent.models.base import PullProgress
from mathagent.types import Answer, Candidate, Check, Execution, Failure, Problem, Solution, Step, Usage

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
CODE = "def solution():\n    return 6 * 7"


def program_sample(sample: int, value: str, code: str = CODE, *, cached: bool = False) -> list[Event]:
    execution = Execution(status="ok", value=value, stdout="", wall_s=0.02)
    steps = (
        Step(kind="code", text=code),
        Step(kind="observation", text=value, origin="tool", execution=execution),
    )
    return [
        TokenDelta(role="coder", sample=sample, text=code),
        ModelReplied(role="coder", sample=sample, text=code, usage=Usage(calls=1), cached=cached),
        CodeStarted(sample=sample, code=code),
        CodeFinished(sample=sample, execution=execution),
        CandidateProposed(sample=sample, candidate=Candidate(steps=steps, answer=Answer(raw=value, normal=value))),
    ]


def started(samples: int = 1) -> SolveStarted:
    return SolveStarted(problem_id="p", strategy="pal", model="script:x", samples=samples)


def finished(answer: str | None) -> SolveFinished:
    solution = Solution(
        problem=Problem(text="?"), answer=answer, confidence=None, confidence_basis="", strategy="pal", model="m"
    )
    return SolveFinished(solution=solution)


class Utf8(io.StringIO):
    """A text stream that says what it can encode, as a terminal does."""

    encoding = "utf-8"


def shown(events: list[Event], *, quiet: bool = False, **options: object) -> str:
    """What a console with ``options`` shows of ``events``."""
    out = Utf8()
    console = Console(file=out, **{"width": 80, **options})  # type: ignore[arg-type]
    with SolveView(console, quiet=quiet) as view:
        for event in events:
            view.on_event(event)
    return out.getvalue()


def test_a_pipe_gets_plain_lines_with_program_and_value() -> None:
    text = shown([started(), *program_sample(0, "42"), finished("42")])
    assert text.splitlines() == [
        "pal on script:x",
        "program",
        "  def solution():",
        "      return 6 * 7",
        "  value 42  0.02 s",
    ]


def test_a_long_line_is_not_wrapped_in_a_pipe() -> None:
    line = "word " * 60 + "end"
    reply = ModelReplied(role="reasoner", sample=0, text=line, usage=Usage(), cached=False)
    assert line in shown([started(), reply, finished(None)])


@pytest.mark.parametrize(
    "options",
    [{"no_color": True, "force_terminal": True}, {"force_terminal": True, "_environ": {"TERM": "dumb"}}, {}],
    ids=["NO_COLOR", "dumb", "pipe"],
)
def test_without_a_capable_terminal_no_control_character_is_written(options: dict[str, object]) -> None:
    events = [started(4), *program_sample(0, "\x1b[2J42"), *program_sample(1, "42\x9b1m"), finished("42")]
    assert not CONTROLS.search(shown(events, **options))


def test_a_terminal_gets_the_program_highlighted_and_the_live_region_cleared() -> None:
    text = shown(
        [started(), *program_sample(0, "42"), finished("42")], force_terminal=True, color_system="standard"
    )
    assert re.search(r"\x1b\[35mdef\x1b\[0m", text)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor comes back


def test_model_output_cannot_reach_the_terminal_or_be_markup() -> None:
    evil = "\x1b]0;owned\x07[bold red]x[/bold red] :smile: \u202ereversed"
    events = [
        started(),
        ModelReplied(role="reasoner", sample=0, text=evil, usage=Usage(), cached=False),
        CandidateProposed(sample=0, candidate=Candidate(failure=Failure(kind="no-answer", message=evil))),
        BudgetReached(limit="max_calls", message=evil),
        Retried(attempt=1, wait_s=2, error=evil),
        finished(None),
    ]
    text = shown(events, force_terminal=True, color_system=None, width=400)
    assert "owned" not in text
    assert "\u202e" not in text
    assert text.count("[bold red]x[/bold red] :smile: \\u202ereversed") == 4


def test_the_stream_of_a_reply_is_cleaned_even_where_a_sequence_is_split() -> None:
    pieces = ["thinking \x1b", "]0;ow", "ned\x07 on"]
    out = Utf8()
    with SolveView(Console(file=out, force_terminal=True, width=60, height=20)) as view:
        view.on_event(started())
        for piece in pieces:
            view.on_event(TokenDelta(role="reasoner", sample=0, text=piece))
        view.region.refresh()
    assert "thinking  on" in out.getvalue()
    assert "owned" not in out.getvalue()


def test_a_failing_program_shows_status_and_reason() -> None:
    events: list[Event] = [
        started(),
        CodeStarted(sample=0, code="1/0"),
        CodeFinished(sample=0, execution=Execution(status="error", error="ZeroDivisionError: division by zero")),
        finished(None),
    ]
    assert "  error: ZeroDivisionError: division by zero" in shown(events).splitlines()


def test_long_output_is_clipped() -> None:
    execution = Execution(status="ok", stdout="\n".join(map(str, range(5000))), value="1")
    text = shown([started(), CodeStarted(sample=0, code="x"), CodeFinished(sample=0, execution=execution)])
    assert "(4,981 more lines)" in text
    assert len(text.splitlines()) < 40


def test_words_before_a_program_are_kept_and_cached_replies_marked() -> None:
    reply = f"We multiply.\n```python\n{CODE}\n```"
    events = [
        started(),
        ModelReplied(role="coder", sample=0, text=reply, usage=Usage(), cached=True),
        CodeStarted(sample=0, code=CODE),
    ]
    lines = shown(events).splitlines()
    assert lines[1] == "program · cached"
    assert lines[2] == "  We multiply."


def test_both_stages_of_a_chain_of_thought_are_shown_with_readable_formulas() -> None:
    def reply(role: str, text: str) -> ModelReplied:
        return ModelReplied(role=role, sample=0, text=text, usage=Usage(), cached=False)

    events = [
        started(),
        reply("reasoner", r"Half is \(\frac{1}{2}\)."),
        reply("extractor", "1/2"),
        finished("1/2"),
    ]
    lines = shown(events).splitlines()
    assert lines[1:] == ["reasoner", "  Half is 1/2.", "extractor", "  1/2"]


def test_of_several_samples_one_program_and_the_tally_are_shown() -> None:
    events = [started(16), *(event for sample in range(4) for event in program_sample(sample, "42"))]
    events += [Voted(classes=(("42", 3), ("41", 1)), samples=4, stop=True, reason="clear lead"), finished("42")]
    text = shown(events)
    assert text.count("def solution") == 1
    assert re.search(r"4 of 16 samples.{1,3}votes 42:3 41:1.{1,3}clear lead", text)


def test_a_program_that_supports_the_answer_is_shown_where_the_first_does_not() -> None:
    events = [started(4), *program_sample(0, "41", "first"), *program_sample(1, "42", "second")]
    text = shown([*events, finished("42")])
    assert text.index("first") < text.index("second")
    assert "first" in shown([*events, finished("41")])
    assert "second" not in shown([*events, finished("41")])


def test_failures_among_several_samples_are_counted() -> None:
    failed = Candidate(failure=Failure(kind="code-error", message="NameError"))
    events = [started(4), CandidateProposed(sample=0, candidate=failed), *program_sample(1, "42"), finished("42")]
    assert "1 of 2 samples failed: code-error 1" in shown(events)


def test_parallel_retries_repeated_budgets_and_warnings_are_said_once() -> None:
    events: list[Event] = [started(4)]
    events += [Retried(attempt=1, wait_s=2.04, error="429 busy") for _ in range(4)]
    events += [Retried(attempt=2, wait_s=4.1, error="429 busy")]
    events += [BudgetReached(limit="max_calls", message="the budget of 4 calls is used up")] * 3
    events += [Warned(message="the cache cannot be written")] * 2
    lines = shown(events).splitlines()[1:]
    assert lines == [
        "429 busy; trying again in 2 s (try 2)",
        "429 busy; trying again in 4.1 s (try 3)",
        "the budget of 4 calls is used up",
        "warning: the cache cannot be written",
    ]


def test_quiet_shows_nothing_but_a_download() -> None:
    assert shown([started(), *program_sample(0, "42"), finished("42")], quiet=True) == ""
    out = Utf8()
    with SolveView(Console(file=out), quiet=True) as view:
        view.on_progress(PullProgress(model="m", done_bytes=0, total_bytes=10, message="fetching m, the default"))
    assert out.getvalue() == "fetching m, the default\n"


def test_a_download_is_drawn_inside_the_live_region() -> None:
    out = Utf8()
    with SolveView(Console(file=out, force_terminal=True, width=100, height=20)) as view:
        view.on_event(started())
        view.on_progress(
            PullProgress(model="tiny", done_bytes=5_000_000, total_bytes=10_000_000, message="fetching")
        )
        view.region.refresh()
    assert "5.0/10.0 MB" in re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_other_encodings_than_utf8_get_what_they_can_show(encoding: str) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    with SolveView(Console(file=out, force_terminal=True, width=60)) as view:
        for event in [started(4), *program_sample(0, "√2 五"), finished("√2 五")]:
            view.on_event(event)
    out.flush()
    assert "\\u4e94" in raw.getvalue().decode(encoding)


@pytest.mark.parametrize("width", [20, 40])
def test_narrow_terminals_are_not_overrun(width: int) -> None:
    events = [started(), *program_sample(0, "9" * 100, "x = " + "1 + " * 60 + "1"), finished("9" * 100)]
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown(events, force_terminal=True, width=width))
    assert max(map(len, text.replace("\r", "\n").splitlines())) <= width


def test_a_new_solve_starts_afresh() -> None:
    once = [started(4), *program_sample(0, "42"), finished("42")]
    text = shown([*once, *once])
    assert text.count("def solution") == 2


def checked(sample: int, outcome: str, claim: str = "7 + 4 = 11") -> CheckFinished:
    check = Check.model_validate(
        {"kind": "substitution", "program": "1", "expected": "1", "outcome": outcome, "claim": claim}
    )
    return CheckFinished(sample=sample, check=check)


def test_plan_checks_verdict_and_repair_are_shown_and_typed_replies_are_not() -> None:
    json_reply = '{"reasoning": "x", "steps": ["Add."]}'
    repair = ModelReplied(role="refiner", sample=1, text=f"```python\n{CODE}\n```", usage=Usage(), cached=False)
    events: list[Event] = [
        started(),
        TokenDelta(role="planner", sample=0, text=json_reply, typed=True),
        ModelReplied(role="planner", sample=0, text=json_reply, usage=Usage(calls=1), cached=False, typed=True),
        Asked(role="planner", sample=0, rung="schema", attempts=1, fell_back=False),
        PlanMade(text="1. Write $\\frac{1}{2}$.\n2. Add."),
        checked(0, "holds"),
        checked(0, "fails", "the answer is whole"),
        checked(0, "undecided", "units"),
        Judged(sample=0, judgement="unsure", reason="substitution holds, but domain fails"),
        repair,
        CodeStarted(sample=1, code=CODE),
        finished(None),
    ]
    assert shown(events).splitlines()[1:10] == [
        "plan",
        "  1. Write 1/2.",
        "  2. Add.",
        "✓ substitution: 7 + 4 = 11",
        "✗ substitution: the answer is whole",
        "? substitution: units",
        "judged unsure: substitution holds, but domain fails",
        "repaired program",
        "  def solution():",
    ]
    assert "reasoning" not in shown(events)


def test_a_decision_is_one_line() -> None:
    told = Decided(
        role="manager",
        sample=0,
        decision="hire",
        subject="solver",
        reason="it is cheap",
        outcome="solver is hired on own",
        left={"resources": 90.0, "dollars": 9.5},
    )
    assert shown([started(), told]).splitlines()[1] == (
        "manager: hire solver · it is cheap · solver is hired on own · left: 90 resources, 9.5 dollars"
    )
    gate = Decided(role="tool-gate", sample=0, decision="no-tool", subject="Code")
    assert shown([started(), gate]).splitlines()[1] == "tool-gate: no-tool Code"


def test_the_debug_view_also_shows_typed_questions() -> None:
    out = Utf8()
    with SolveView(Console(file=out), debug=True) as view:
        view.on_event(ModelReplied(role="planner", sample=0, text="{}", usage=Usage(), cached=False, typed=True))
        view.on_event(Asked(role="planner", sample=0, rung=None, attempts=3, fell_back=True, dropped=1))
    assert out.getvalue().splitlines() == [
        "planner replied: {}",
        "planner was asked · fell back · 3 attempts · 1 elements dropped",
    ]


def test_samples_with_one_answer_tell_the_same_check_once() -> None:
    events = [started(3), *program_sample(0, "42"), *program_sample(1, "42"), *program_sample(2, "41")]
    events += [checked(0, "holds"), checked(1, "holds"), checked(2, "holds"), finished("42")]
    text = shown(events)
    assert text.count("7 + 4 = 11") == 2
    assert "✓ sample 3 · substitution" in text


def test_the_first_answers_and_later_only_new_ones_are_told() -> None:
    events = [started(8), *(event for sample in range(6) for event in program_sample(sample, "42"))]
    events += [*program_sample(6, "41"), finished("42")]
    told = [line for line in shown(events).splitlines() if re.fullmatch(r"sample \d+ · \d+", line)]
    assert told == ["sample 1 · 42", "sample 2 · 42", "sample 3 · 42", "sample 4 · 42", "sample 7 · 41"]


def test_no_other_sample_comes_between_a_program_and_its_value() -> None:
    first, second = program_sample(0, "42"), program_sample(1, "41")
    events = [started(2), *first[:3], *second, *first[3:], finished("42")]
    lines = shown(events).splitlines()
    at = lines.index("program · sample 1")
    assert lines[at + 3].startswith("  value 42")


def region(events: list[Event], typed: str = "", width: int = 100) -> list[str]:
    """The lines of the live region after ``events``."""
    out = Utf8()
    console = Console(file=out, force_terminal=True, width=width, height=24, color_system=None)
    with SolveView(console) as view:
        for event in events:
            view.on_event(event)
        view.region.typed = lambda: typed
    with console.capture() as capture:
        console.print(view.region)
    return [re.sub(r"^[⠁-⣿] ", "", line.rstrip()) for line in capture.get().splitlines()]


def test_the_status_tells_calls_tokens_the_cached_share_and_seconds() -> None:
    usage = Usage(calls=1, prompt_tokens=9, completion_tokens=20)
    replies = [ModelReplied(role="r", sample=s, text="x", usage=usage, cached=s == 0, typed=True) for s in (0, 1)]
    (status,) = region([started(), *replies])
    assert status == "waiting for the model · 2 calls · 40 tokens · 50% cached · 0 s"
    assert len(region([started(), *replies], width=40)) == 2


def test_several_growing_replies_have_a_line_each_and_one_its_end() -> None:
    def delta(sample: int, text: str) -> TokenDelta:
        return TokenDelta(role="reasoner", sample=sample, text=text)

    lines = region([started(40), *(delta(s, f"reply number {s}\nand more") for s in range(30))])
    assert lines[0] == "  1 reply number 0 and more"
    assert "and 18 more" in lines[12]
    lines = region([started(), delta(0, "\n".join(f"line {n}" for n in range(50)))])
    assert lines[-2] == "  line 49"
    assert len(lines) == 13


def test_what_is_being_typed_stands_last_and_is_cleaned() -> None:
    assert region([started()], typed="use\x1b[2J squares")[-1] == "hint> use squares"


def recalled(*titles: str) -> Recalled:
    found = (
        Recollection(id=f"id {title}", experience="exemplar", title=title, source="gsm8k.train/12", trust="graded")
        for title in titles
    )
    return Recalled(found=tuple(found), tokens=120)


def test_what_was_recalled_and_remembered_is_a_line_each() -> None:
    events: list[Event] = [
        started(),
        recalled("A farm has \\(12\\) hens.", "A train.", "A boat."),
        Remembered(new=2, merged=1),
    ]
    assert shown([*events, finished("42")]).splitlines()[1:] == [
        "recalled 3: A farm has 12 hens. (exemplar, gsm8k.train/12, graded);"
        " A train. (exemplar, gsm8k.train/12, graded); 1 more",
        "remembered: 2 new experiences, 1 known already",
    ]


def test_nothing_recalled_is_nothing_said_and_the_same_is_said_once() -> None:
    events: list[Event] = [started(4), recalled(), recalled("A train."), recalled("A train."), recalled("A boat.")]
    text = shown([*events, Remembered(merged=1), finished(None)])
    assert text.count("recalled") == 2
    assert text.count("A train.") == 1
    assert "remembered: 1 known already" in text


def test_what_notes_say_is_not_trusted_with_the_terminal() -> None:
    evil = "\x1b]0;owned\x07[bold]x[/bold] \u202ereversed " + "long " * 50
    event = Recalled(found=(Recollection(id="i", experience="fact", title=evil, source=evil),))
    text = shown([started(), event, finished(None)], force_terminal=True, color_system=None, width=40)
    assert "owned" not in text
    assert "\u202e" not in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")
    assert "[bold]x[/bold]" in " ".join(plain.split())
    assert max(map(len, plain.splitlines())) <= 40
