"""Critics end to end with a scripted model: what is asked and in which order, how it is read, kept and scored."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mathagent.agents.role import CODER, VERIFIER, Role
from mathagent.budget import Budget
from mathagent.errors import BackendError, UnknownName, UsageError
from mathagent.evals.plan import Arm
from mathagent.evals.process.bench import CriticBenchmark
from mathagent.evals.process.critics import CRITICS, Critic, critic_of, load_critic
from mathagent.evals.process.critique import Shown
from mathagent.evals.process.evaluate import Asking, Evaluation
from mathagent.evals.process.items import ItemSet, ProcessItem, read_items
from mathagent.evals.process.reasons import ReasonGrading
from mathagent.evals.records import Record, RecordStore
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import SamplingParams

SECRET = "a-secret-that-no-critic-may-see"
STEPS = ("Two and two are 4.", "So 4 and 3 are 8.", "The answer is 8.")


def item(number: int, reference: str, **more: Any) -> ProcessItem:
    shown = Shown(question=f"Question {number}: what is 2 + 2 + 3?", steps=STEPS, solution="\n\n".join(STEPS))
    return ProcessItem(id=f"i{number}", shown=shown, reference=reference, family=str(number), **more)


ITEMS = ItemSet(name="toy", kind="processbench", items=(item(0, "step 2"), item(1, "correct"), item(2, "step 1")))


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path / "runs.db")


async def judge(
    backend: ScriptedBackend,
    store: RecordStore,
    name: str = "critic",
    *,
    items: ItemSet = ITEMS,
    config: dict[str, Any] | None = None,
    cache: bool = False,
    rerun: bool = False,
    finish: asyncio.Event | None = None,
    budget: Budget | None = None,
) -> tuple[list[Record], list[bool]]:
    known: list[bool] = []
    critic = load_critic(name)
    async with Solver(backend, cache=cache, checkpoints=False) as solver:
        bench = CriticBenchmark(solver, store, items, critics={name: lambda one: critic}, concurrency=1)
        arm = Arm(strategy=name, config=config or {}, budget=budget or Budget())
        records = await bench.run(arm, lambda record, before: known.append(before), rerun=rerun, finish=finish)
    return records, known


async def test_critic_sees_paragraphs_from_0_and_answers_in_a_box(store: RecordStore) -> None:
    backend = ScriptedBackend(
        [
            Reply(
                text=r"Paragraph 0 is right. 4 + 3 is 7. \boxed{1}",
                role="critic",
                contains=("Question 0", "<paragraph_0>\nTwo and two are 4.\n</paragraph_0>", "<paragraph_2>"),
                lacks=("step 2",),
            ),
            Reply(text=r"All is well: \boxed{-1}", role="critic", contains=("Question 1",)),
            Reply(text=r"It is wrong somewhere.", role="critic", contains=("Question 2",)),
        ]
    )
    records, _ = await judge(backend, store)
    backend.assert_finished()
    assert [record.answer for record in records] == ["step 2", "correct", None]
    assert [record.outcome for record in records] == ["correct", "correct", "incorrect"]
    assert [record.failure for record in records] == [None, None, "format"]
    assert {request.params.temperature for request in backend.requests} == {0.0}
    first = records[0]
    assert (first.strategy, first.dataset, first.reference, first.family) == ("critic", "toy", "step 2", "0")
    assert first.config == {"n": 1, "temperature": 0.0, "top_p": 1.0, "max_tokens": 2048, "threshold": 0.5}
    assert first.solution is not None
    assert first.solution.candidates[0].steps[0].kind == "critique"


async def test_a_second_run_asks_nothing_and_gives_the_same(store: RecordStore) -> None:
    first, _ = await judge(ScriptedBackend(lambda request, index: r"\boxed{0}"), store)
    silent = ScriptedBackend([])
    again, known = await judge(silent, store)
    assert again == first
    assert known == [True] * 3
    assert silent.requests == []


async def test_what_is_missing_is_asked_and_what_differs_is_another_record(store: RecordStore) -> None:
    some = ITEMS.model_copy(update={"items": ITEMS.items[:2]})
    await judge(ScriptedBackend(lambda request, index: r"\boxed{0}"), store, items=some)
    backend = ScriptedBackend(lambda request, index: r"\boxed{0}")
    _, known = await judge(backend, store)
    assert (len(backend.requests), sorted(known)) == (1, [False, True, True])
    for name, config in (("critic", {"max_tokens": 99}), ("localiser", {}), ("critic", {"n": 2})):
        backend = ScriptedBackend(lambda request, index: r"\boxed{0}")
        await judge(backend, store, name, config=config)
        assert backend.requests
    edited = ITEMS.model_copy(update={"items": (item(0, "step 3"), *ITEMS.items[1:])})
    backend = ScriptedBackend(lambda request, index: r"\boxed{0}")
    await judge(backend, store, items=edited)
    assert len(backend.requests) == 1


async def test_a_failed_critique_is_an_error_and_is_tried_again(store: RecordStore) -> None:
    def flaky(request: ChatRequest, index: int) -> str:
        if "Question 1" in request.messages[-1].content:
            raise BackendError("the endpoint is down")
        return r"\boxed{1}"

    records, _ = await judge(ScriptedBackend(flaky), store)
    assert [record.outcome for record in records] == ["correct", "error", "incorrect"]
    again, known = await judge(ScriptedBackend(lambda request, index: r"\boxed{-1}"), store)
    assert [record.outcome for record in again] == ["correct", "correct", "incorrect"]
    assert known.count(False) == 1


async def test_finish_leaves_the_rest_for_later(store: RecordStore) -> None:
    finish = asyncio.Event()

    def once(request: ChatRequest, index: int) -> str:
        finish.set()
        return r"\boxed{1}"

    records, _ = await judge(ScriptedBackend(once), store, finish=finish)
    assert [record.problem_id for record in records] == ["i0"]


async def test_votes_are_drawn_as_in_the_paper_and_the_majority_counts(store: RecordStore) -> None:
    some = ITEMS.model_copy(update={"items": ITEMS.items[:1]})
    replies = [r"\boxed{0}", "no box", r"\boxed{ 01 }", r"\boxed{1}"]
    backend = ScriptedBackend(replies)
    records, _ = await judge(backend, store, items=some, config={"n": 4})
    (request,) = backend.requests
    assert (request.params.n, request.params.temperature, request.params.top_p) == (4, 1.0, 0.9)
    (record,) = records
    assert (record.answer, record.confidence) == ("step 2", 0.5)
    assert record.solution is not None
    assert record.solution.winner == 2
    assert [one.answer.normal if one.answer else None for one in record.solution.candidates] == [
        "step 1",
        None,
        "step 2",
        "step 2",
    ]


async def test_greedy_votes_and_wrong_settings_are_refused(store: RecordStore) -> None:
    for config, message in (
        ({"n": 2, "temperature": 0.0}, "at temperature 0 are one"),
        ({"votes": 2}, "no setting 'votes'"),
        ({"threshold": 7}, "threshold = 7 is wrong"),
    ):
        with pytest.raises(UsageError, match=message):
            await judge(ScriptedBackend([]), store, config=config)


async def test_a_budget_bounds_each_item(store: RecordStore) -> None:
    backend = ScriptedBackend(lambda request, index: r"\boxed{1}", capabilities=Capabilities())
    some = ITEMS.model_copy(update={"items": ITEMS.items[:1]})
    records, _ = await judge(backend, store, items=some, config={"n": 4}, budget=Budget(max_calls=2))
    assert len(backend.requests) == 2
    assert records[0].solution is not None
    assert (records[0].answer, records[0].solution.stopped) == ("step 2", "budget")


REVIEWS = [
    {"judgement": "incorrect", "first_wrong_step": 2, "problem": "4 + 3 is 7"},
    {"judgement": "correct", "first_wrong_step": None, "problem": ""},
    {"judgement": "unsure", "first_wrong_step": 1, "problem": ""},
]


def typed(*replies: dict[str, Any]) -> ScriptedBackend:
    texts = [json.dumps({"reasoning": "I recompute.", **reply}) for reply in replies]
    return ScriptedBackend(texts, capabilities=Capabilities(json_schema=True))


async def test_the_verifier_counts_from_1(store: RecordStore) -> None:
    backend = typed(*REVIEWS)
    records, _ = await judge(backend, store, "verifier")
    assert backend.roles == ["verifier"] * 3
    assert "[1] Two and two are 4.\n[2] So 4 and 3 are 8." in backend.requests[0].messages[-1].content
    assert [record.answer for record in records] == ["step 2", "correct", "unsure"]
    assert [record.outcome for record in records] == ["correct", "correct", "incorrect"]


async def test_judges_of_the_whole_name_no_step(store: RecordStore) -> None:
    records, _ = await judge(typed({"score": 0.2}, {"score": 0.8}, {"score": 0.5}), store, "judge")
    assert [record.answer for record in records] == ["incorrect", "correct", "correct"]
    assert [record.outcome for record in records] == ["incorrect", "correct", "incorrect"]
    assert records[0].confidence == pytest.approx(0.8)
    records, _ = await judge(typed({"score": 0}, {"score": 1}, {"score": 0}), store, "binary-judge")
    assert [record.answer for record in records] == ["incorrect", "correct", "incorrect"]


async def test_the_localiser_and_the_teacher(store: RecordStore) -> None:
    records, _ = await judge(typed({"step": 2}, {"step": None}, {"step": 9}), store, "localiser")
    assert [record.answer for record in records] == ["step 2", "correct", "incorrect"]
    marks = "Final Judgement: {}\nFirst Error Step: {}\nError Analysis: {}"
    backend = ScriptedBackend(
        [
            marks.format("incorrect.", "Step 2", "it is 7"),
            marks.format("correct", "N/A", "N/A"),
            marks.format("wrong", "unclear", "odd"),
        ]
    )
    records, _ = await judge(backend, store, "teacher")
    assert [record.answer for record in records] == ["step 2", "correct", "incorrect"]


async def test_an_unreadable_typed_reply_is_a_wrong_one(store: RecordStore) -> None:
    backend = ScriptedBackend(lambda request, index: "Well, well.", capabilities=Capabilities())
    some = ITEMS.model_copy(update={"items": ITEMS.items[1:2]})
    records, _ = await judge(backend, store, "verifier", items=some)
    assert (records[0].answer, records[0].outcome, records[0].failure) == (None, "incorrect", "no-answer")
    assert len(backend.requests) == 3  # it was asked again


@pytest.mark.parametrize("name", CRITICS.table)
async def test_no_prompt_depends_on_what_is_right(name: str, tmp_path: Path) -> None:
    """The requests are byte for byte the same, whatever the label, and hold nothing that came with it."""
    asked = []
    for place, reference in enumerate(("correct", "step 1", "step 3")):
        backend = ScriptedBackend(lambda request, index: "I cannot say")
        one = item(0, reference, expert_reason=SECRET, final_answer_correct=reference == "correct")
        own_store = RecordStore(tmp_path / f"{place}.db")
        await judge(backend, own_store, name, items=ITEMS.model_copy(update={"items": (one,)}))
        own_store.close()
        asked.append([request.model_dump_json() for request in backend.requests])
    assert asked[0]
    assert asked[0] == asked[1] == asked[2]
    assert SECRET not in "".join(asked[0])


def test_any_role_with_a_known_reply_is_a_critic() -> None:
    own = Role("my-verifier", "roles/verifier", SamplingParams(), VERIFIER.reply)
    assert isinstance(critic_of(own), Critic)
    assert load_critic("mathagent.agents.role:VERIFIER").role is VERIFIER
    with pytest.raises(UsageError, match="free text"):
        critic_of(CODER)
    with pytest.raises(UsageError, match="give a Critic or a Role"):
        load_critic("mathagent.agents.role:ROLES")
    with pytest.raises(UsageError, match=r"also wants .*plan"):
        critic_of(Role("planned", "roles/coder", SamplingParams(), VERIFIER.reply))
    with pytest.raises(UnknownName, match="did you mean verifier"):
        load_critic("verifyer")


MR_ROWS = [
    {
        "question": f"Question {number}: what is 2 + 2 + 3?",
        "uuid": f"u{number}",
        "question_type": "original",
        "steps": ["Step 1: 2 + 2 = 4", "Step 2: 4 + 3 = 8"],
        "solution_correctness": known,
        "first_error_step": step,
        "first_error_reason": f"4 + 3 is 7, {SECRET}",
        "ground_truth_answer": SECRET,
        "solution": SECRET,
    }
    for number, (known, step) in enumerate([("wrong", 2), ("correct", "N/A"), ("wrong", 1)])
]


async def test_mr_score_with_graded_reasons(store: RecordStore) -> None:
    items = read_items("mr", [(str(n), row) for n, row in enumerate(MR_ROWS)])
    marks = "Final Judgement: {}\nFirst Error Step: {}\nError Analysis: {}"
    said = [("incorrect", "2", "4 + 3 is not 8"), ("correct", "N/A", "N/A"), ("incorrect", "2", "odd")]
    critic = ScriptedBackend([marks.format(*one) for one in said])
    async with Solver(critic, cache=False, checkpoints=False) as solver:
        evaluation = Evaluation(solver, store, [items], concurrency=1)
        records = await evaluation.run("teacher", lambda record, known: None)
        ungraded = evaluation.result("teacher", records).mr
        grader = typed({"mistake": "same"})
        async with Solver(grader, cache=False, checkpoints=False) as other:
            known: list[bool] = []
            for _ in range(2):  # graded once, then known
                grading = ReasonGrading(other, store)
                reasons = await grading.grade(items.items, records, lambda record, before: known.append(before))
                assert reasons == {"u0": True}
            assert known == [False, True]
        result = evaluation.result("teacher", records, reasons)
    assert SECRET not in "".join(request.model_dump_json() for request in critic.requests)
    assert grader.roles == ["reason-grader"]
    assert "4 + 3 is not 8" in grader.requests[0].messages[-1].content
    assert ungraded is not None
    assert (ungraded.score.reason_accuracy, ungraded.score.score) == (None, None)
    assert result.mr is not None
    assert (result.mr.score.mcc, result.mr.score.step_accuracy, result.mr.score.reason_accuracy) == (1.0, 0.5, 0.5)
    assert result.mr.score.score == pytest.approx(0.2 + 0.3 * 0.5 + 0.5 * 0.5)


def mathcheck_rows(group: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    variants = (
        "seed_question",
        "problem_understanding_question",
        "distractor_insertion_question",
        "scenario_understanding",
    )
    for variant in variants:
        shared = {
            "group_id": group,
            "question_type": variant,
            "question": f"[{group} {variant}] What is 2 + 2 + 3?",
        }
        solution = "Step 1: 2 + 2 = 4\n\nStep 2: 4 + 3 = 8"
        rows += [
            {**shared, "task_type": "solving", "answer": "7.0"},
            {**shared, "task_type": "answerable_judging", "answer": "Answerable"},
            {**shared, "task_type": "answerable_judging", "answer": "Unanswerable", "question": "What is x + 2?"},
            {**shared, "task_type": "outcome_judging", "answer": "Incorrect", "solution": solution},
            {**shared, "task_type": "outcome_judging", "answer": "Correct", "solution": "Step 1: 2 + 2 + 3 = 7"},
            {**shared, "task_type": "process_judging", "answer": "Step 2", "solution": solution},
        ]
    return [{**row, "id": f"{group}/{place}"} for place, row in enumerate(rows)]


def checker(request: ChatRequest, index: int) -> str:
    """Right everywhere, but for the distractor variant of group 2: it is not solved, and no step is named there."""
    text = request.messages[-1].content
    trips = "[2 distractor_insertion_question]" in text
    match request.role:
        case "answerability-judge":
            return "Judgement: Unanswerable" if "x + 2" in text else "Judgement: Answerable"
        case "outcome-judge":
            return "Judgement: Incorrect" if "= 8" in text else "Judgement: Correct"
        case "step-judge":
            return "I cannot tell." if trips else "First wrong step: 2"
        case _:
            return r"\boxed{8}" if trips else r"\boxed{7}"


async def test_mathcheck_asks_each_task_in_its_own_way(store: RecordStore) -> None:
    rows = [("row", row) for group in (1, 2) for row in mathcheck_rows(group)]
    items = read_items("mathcheck", rows)
    backend = ScriptedBackend(checker)
    async with Solver(backend, cache=False, checkpoints=False) as solver:
        evaluation = Evaluation(solver, store, [items], Asking(strategy="cot"))
        planned = await evaluation.plan("mathcheck")
        records = await evaluation.run("mathcheck", lambda record, known: None)
        result = evaluation.result("mathcheck", records)
    assert len(planned) == len(records) == 48
    assert (
        len({one.key for one in planned}) == 48
    )  # "What is x + 2?" stands eight times, and has a record each time
    roles = backend.roles
    assert {role: roles.count(role) for role in dict.fromkeys(roles) if role.endswith("judge")} == {
        "answerability-judge": 16,
        "outcome-judge": 16,
        "step-judge": 8,
    }
    report = result.mathcheck
    assert report is not None
    matrix = report.matrix
    assert matrix.columns == ("solving", "answerable_judging", "outcome_judging", "process_judging")
    assert matrix.cell("distractor", "solving").value == 0.5
    assert matrix.cell("distractor", "process_judging").value == 0.5
    assert matrix.cell("seed", "outcome_judging").value == 1.0
    assert matrix.overall.value == pytest.approx((14 + 0.5 + 0.5) / 16)
    assert (report.solving_passed, report.solving_groups) == (1, 2)
    assert (report.checklist_passed, report.checklist_groups) == (1, 2)
    assert report.confusions["outcome_judging"] == {"correct": {"correct": 8}, "incorrect": {"incorrect": 8}}
    assert (result.items, result.missing, result.errors, result.strategy) == (48, 0, 0, "cot")


async def test_a_role_may_judge_mathcheck_and_tasks_may_be_chosen(store: RecordStore) -> None:
    items = read_items("mathcheck", [("row", row) for row in mathcheck_rows(1)])

    def verifier(request: ChatRequest, index: int) -> str:
        wrong = "= 8" in request.messages[-1].content
        review = {"judgement": "incorrect" if wrong else "correct", "first_wrong_step": 2 if wrong else None}
        return json.dumps({"reasoning": "", **review, "problem": ""})

    backend = ScriptedBackend(verifier, capabilities=Capabilities(json_schema=True))
    async with Solver(backend, cache=False, checkpoints=False) as solver:
        asking = Asking(tasks=("outcome", "process_judging"))
        evaluation = Evaluation(solver, store, [items], asking)
        records = await evaluation.run("verifier", lambda record, known: None)
        result = evaluation.result("verifier", records)
        with pytest.raises(UsageError, match="no task 'drawing'"):
            Evaluation(solver, store, [items], Asking(tasks=("drawing",)))
        with pytest.raises(UsageError, match="--tasks is for MathCheck"):
            Evaluation(solver, store, [ITEMS], asking)
    assert set(backend.roles) == {"verifier"}
    assert result.mathcheck is not None
    assert result.mathcheck.matrix.columns == ("outcome_judging", "process_judging")
    assert result.mathcheck.matrix.overall.value == 1.0
    assert result.mathcheck.checklist_groups == 0  # not all tasks were asked


async def test_processbench_report(store: RecordStore) -> None:
    backend = ScriptedBackend([r"\boxed{1}", r"\boxed{-1}", r"\boxed{1}"])
    async with Solver(backend, cache=False, checkpoints=False) as solver:
        evaluation = Evaluation(solver, store, [ITEMS], concurrency=1)
        records = await evaluation.run("critic", lambda record, known: None)
        result = evaluation.result("critic", records)
    report = result.processbench
    assert report is not None
    assert (report.subsets["toy"].error_accuracy, report.subsets["toy"].correct_accuracy) == (0.5, 1.0)
    assert report.average_f1 == pytest.approx(2 / 3)
    assert report.subsets["toy"].verdict_f1 == 1.0
    assert report.offsets == {0: 1, 1: 1}
    assert {place: (share.right, share.of) for place, share in report.by_position.items()} == {
        1: (0, 1),
        2: (1, 1),
    }
    assert report.verdicts == {"correct": {"correct": 1}, "incorrect": {"incorrect": 2}}
    assert result.names_steps
    json.dumps(result.model_dump(mode="json"))
