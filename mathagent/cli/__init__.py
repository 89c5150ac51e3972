"""The command line: parse, call, render. Heavy parts load in the command that needs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mathagent import __version__
from mathagent.cli.bench_options import bench
from mathagent.cli.compare_options import compare
from mathagent.cli.escapes import escape_what_stdout_lacks
from mathagent.cli.groups import GROUPS, help_without_command
from mathagent.cli.judge_bench_options import judge_bench
from mathagent.cli.optimize_prompt_options import optimize_prompt
from mathagent.cli.options import (
    AsJson,
    BaseUrl,
    BudgetCalls,
    BudgetSeconds,
    BudgetTokens,
    MemoryFile,
    MemoryModeOption,
    Model,
    NoCache,
    Roles,
    Samples,
    Sandbox,
    Seed,
    Settings,
    Temperature,
    UnsafeLocal,
    budget_of,
    config_of,
    memory_mode_of,
    model_of,
    sandbox_name,
    strategy_list,
)
from mathagent.cli.perturb_options import perturb, robustness
from mathagent.cli.probe_options import probe
from mathagent.cli.report_options import report
from mathagent.cli.runs_group import replay
from mathagent.cli.serve_model import serve_model
from mathagent.cli.serve_options import serve
from mathagent.errors import MathagentError

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_PARTIAL, EXIT_INTERRUPTED = 0, 1, 2, 3, 130

# typer may bring a click of its own: the classes of its errors are found through a public one.
_CommandUsageError: Any = typer.BadParameter.__base__
_CommandError: Any = _CommandUsageError.__base__

app = typer.Typer(
    help="A math solver for people who care about right answers.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code. Errors are one line on stderr."""
    escape_what_stdout_lacks()
    try:
        code = typer.main.get_command(app).main(args=arguments, prog_name="mathagent", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else EXIT_DONE
    except _CommandError as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "mathagent"
        return _fail(f"{error.format_message()} (see {where} --help)", EXIT_USAGE)
    except MathagentError as error:
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Who reads us has gone (as head does): that is their right. Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _fail(message: str, code: int) -> int:
    typer.echo(f"mathagent: {' '.join(message.split())}", err=True)
    return code


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mathagent {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A math solver for people who care about right answers."""
    help_without_command(context)


@app.command()
def solve(
    problem: Annotated[
        str | None, typer.Argument(help="The problem; - reads stdin. None on a terminal: the REPL.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the problem from a file.")] = None,
    image: Annotated[
        Path | None,
        typer.Option("--image", help="Have the model read the problem in a photo, if it sees pictures."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", "-s", help="cot, pal, …; or a composition such as 'pal | vote(cot, tir)'."),
    ] = None,
    model: Model = None,
    roles: Roles = None,
    base_url: BaseUrl = None,
    budget_tokens: BudgetTokens = None,
    budget_seconds: BudgetSeconds = None,
    budget_calls: BudgetCalls = None,
    n: Samples = None,
    temperature: Temperature = None,
    seed: Seed = None,
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the answer only.")] = False,
    sandbox: Sandbox = None,
    unsafe_local: UnsafeLocal = False,
    no_cache: NoCache = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with an unfinished solve: its id stands for the problem; none: list."
        ),
    ] = False,
    approve: Annotated[
        bool, typer.Option("--approve", help="Show each program and ask before it runs; plans, too.")
    ] = False,
    min_confidence: Annotated[
        float | None,
        typer.Option(help="From 0 to 1: an answer that is less sure is shown as unsure, with exit code 4."),
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Print every event on stdout as one line of JSON, as it happens.")
    ] = False,
    events_all: Annotated[
        bool, typer.Option("--events-all", help="As --events, with every piece of a reply as it is written.")
    ] = False,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Write the whole run to an HTML page for people.")
    ] = None,
    memory: MemoryFile = None,
    memory_mode: MemoryModeOption = None,
) -> int:
    """Solve one problem, or open the REPL."""
    from mathagent.cli.solve import SolveArguments, solve_command

    return solve_command(
        SolveArguments(
            problem=problem,
            file=file,
            image=image,
            strategy=strategy,
            model=model_of(model, roles),
            base_url=base_url,
            budget=budget_of(budget_tokens, budget_seconds, budget_calls),
            config=config_of(n, temperature, settings),
            seed=seed,
            sandbox=sandbox_name(sandbox, unsafe_local, interactive=True),
            cache=not no_cache,
            as_json=as_json,
            quiet=quiet,
            resume=resume,
            approve=approve,
            min_confidence=min_confidence,
            events=events,
            events_all=events_all,
            trace=trace,
            memory=memory,
            memory_mode=memory_mode_of(memory, memory_mode),
        )
    )


app.command("bench")(bench)
app.command("compare")(compare)
app.command("judge-bench")(judge_bench)
app.command("report")(report)
app.command("replay")(replay)
app.command("perturb")(perturb)
app.command("robustness")(robustness)
app.command("optimize-prompt")(optimize_prompt)
app.command("probe")(probe)
app.command("serve-model")(serve_model)
app.command("serve")(serve)


@app.command()
def calibrate(
    runs: Annotated[list[str], typer.Argument(help="Graded runs: an id, `last`, or a file of records.")],
    strategy: Annotated[
        str | None, typer.Option("--strategy", "-s", help="Only these strategies, separated by commas.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to store into, in place of your own.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Fit and show, store nothing.")] = False,
    as_json: AsJson = False,
) -> int:
    """Fit confidence to graded runs, for each model, strategy and settings; later solves use it."""
    from mathagent.cli.calibrate import calibrate_command

    names = strategy_list(strategy, "--strategy") or []
    return calibrate_command(runs, strategies=names, out=out, dry_run=dry_run, as_json=as_json)


@app.command()
def verify(
    solution: Annotated[
        str, typer.Argument(help="What `solve --json` printed, or a record of `bench`: a file; - reads stdin.")
    ],
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that one program may run.")] = 10.0,
    as_json: AsJson = False,
    sandbox: Sandbox = None,
    unsafe_local: UnsafeLocal = False,
) -> int:
    """Run a solution's certificate again, without a model: exit code 0 if it holds, 1 if not, 3 if undecided."""
    from mathagent.cli.verify import verify_command

    name = sandbox_name(sandbox, unsafe_local, interactive=False)
    return verify_command(solution, sandbox=name, timeout_s=timeout, as_json=as_json)


@app.command()
def doctor(as_json: AsJson = False) -> int:
    """Say what is available here and what to do about what is not."""
    from mathagent.cli.doctor import doctor_command

    return doctor_command(as_json=as_json)
