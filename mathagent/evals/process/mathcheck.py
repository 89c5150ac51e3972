"""MathCheck-GSM (arXiv 2407.08733): four tasks on four variants of a question, and the matrix of their scores.

Each task is a column with its own prompt, its own reader and its own metric. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mathagent.errors import UsageError
from mathagent.evals.process.critics import ANSWERABILITY_JUDGE, OUTCOME_JUDGE, STEP_JUDGE, Critic
from mathagent.evals.process.critique import verdict_of
from mathagent.evals.process.items import TASKS, ProcessItem
from mathagent.evals.process.matrix import Matrix, MatrixReport, Observed, share_passed
from mathagent.evals.process.metrics import Confusion, macro_f1, share_agreeing
from mathagent.evals.records import Record
from mathagent.types import Value

ROWS = ("seed", "paraphrase", "distractor", "scenario")
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Column:
    """One task: who is asked (None: an ordinary strategy solves the question), how a cell is scored, and the
    ``labels`` that it is scored over (none: whatever is right)."""

    task: str
    critic: Critic | None
    metric: Callable[[Confusion], float | None]
    metric_name: str
    labels: tuple[str, ...] = ()

    def predicted(self, record: Record) -> str | None:
        """What ``record`` says in the terms of this column's references."""
        if self.critic is None:
            return "correct" if record.outcome == "correct" else None if record.answer is None else "incorrect"
        return verdict_of(record.answer) if self.labels else record.answer

    def reference(self, item: ProcessItem) -> str:
        """What is right; of a solving task, that the answer is."""
        return "correct" if self.critic is None else item.reference


def _over(*labels: str) -> Callable[[Confusion], float | None]:
    return lambda table: macro_f1(table, labels)


_ANSWERABLE, _OUTCOME = ("answerable", "unanswerable"), ("correct", "incorrect")
COLUMNS = (
    Column("solving", None, share_agreeing, "accuracy"),
    Column("answerable_judging", ANSWERABILITY_JUDGE, _over(*_ANSWERABLE), "macro-F1", _ANSWERABLE),
    Column("outcome_judging", OUTCOME_JUDGE, _over(*_OUTCOME), "macro-F1", _OUTCOME),
    Column("process_judging", STEP_JUDGE, share_agreeing, "accuracy"),
)


def columns_of(names: Sequence[str] | None = None) -> tuple[Column, ...]:
    """The columns of the named tasks (None: all four), in the order of the matrix. "outcome" is short for
    "outcome_judging", as data sets name their parts. Raises UsageError."""
    chosen = (
        None if names is None else {f"{name}_judging" if f"{name}_judging" in TASKS else name for name in names}
    )
    for name in chosen or ():
        if name not in TASKS:
            known = ", ".join(task.removesuffix("_judging") for task in TASKS)
            raise UsageError(f"MathCheck has no task '{name}'; it has {known}")
    return tuple(column for column in COLUMNS if chosen is None or column.task in chosen)


class MathCheckReport(Value):
    """The matrix, and how many groups passed.

    ``solving_passed`` of ``solving_groups`` groups have a right answer to every variant of the question;
    ``checklist_passed`` of ``checklist_groups`` pass every check of every task. Groups with a check that failed to be
    made or graded (``errors``, ``undecided``) are in neither. ``confusions`` tell a preference for one label, which
    judging tasks reward: by task, reference and what was said.
    """

    matrix: Matrix
    metrics: dict[str, str]
    solving_passed: int
    solving_groups: int
    checklist_passed: int
    checklist_groups: int
    confusions: dict[str, dict[str, dict[str, int]]]
    errors: int = 0
    undecided: int = 0


def mathcheck_report(
    items: Sequence[ProcessItem],
    records: Sequence[Record],
    columns: Sequence[Column] = COLUMNS,
    *,
    resamples: int = 1000,
) -> MathCheckReport:
    """The report on ``records``, each of one of ``items`` (by id); ``columns`` are the tasks that were asked."""
    by_task = {column.task: column for column in columns}
    wanted = [item for item in items if item.subject in by_task]
    found = {record.problem_id: record for record in records}
    seen: list[Observed] = []
    broken: set[str] = set()
    outcomes: Counter[str] = Counter()
    for item in wanted:
        record = found.get(item.id)
        if record is None or record.outcome in ("error", "undecided"):
            broken.add(item.family)
            outcomes[record.outcome if record else "missing"] += 1
            continue
        column = by_task[item.subject]
        seen.append(
            Observed(item.level, item.subject, item.family, column.reference(item), column.predicted(record))
        )
    whole = [one for one in seen if one.group not in broken]
    tasks = [column.task for column in columns]
    report = MatrixReport(ROWS, tasks, lambda row, task, table: by_task[task].metric(table))
    solving = share_passed(whole, [(row, "solving") for row in ROWS])
    everything = share_passed(whole, [(row, task) for row in ROWS for task in TASKS])
    return MathCheckReport(
        matrix=report.of(seen, resamples=resamples),
        metrics={column.task: column.metric_name for column in columns},
        solving_passed=solving[0],
        solving_groups=solving[1],
        checklist_passed=everything[0],
        checklist_groups=everything[1],
        confusions={column.task: _confusions(column, seen) for column in columns if column.labels},
        errors=outcomes["error"] + outcomes["missing"],
        undecided=outcomes["undecided"],
    )


def _confusions(column: Column, seen: Sequence[Observed]) -> dict[str, dict[str, int]]:
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for one in seen:
        if one.column == column.task:
            table[one.reference][one.predicted or UNREADABLE] += 1
    return {label: dict(table[label]) for label in column.labels}
