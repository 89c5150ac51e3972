from rich.console import Console

from mathagent.budget import Budget
from mathagent.console.conversation import Conversation, Turn
from mathagent.console.event_log import EventLog
from mathagent.console.page import Page
from mathagent.console.repl_commands import parse_command
from mathagent.console.repl_session import ReplOptions, Session
from mathagent.console.repl_solve import REWRITING, Ask, ask_again, for_rewriting, less
from mathagent.types import Problem, Solution, Usage


def test_rewriting_gets_little_of_a_budget_and_never_its_last_call() -> None:
    assert for_rewriting(Budget()) == REWRITING
    assert for_rewriting(Budget(max_calls=2, max_tokens=100, max_seconds=5)) == Budget(
        max_calls=1, max_tokens=100, max_seconds=5
    )


def test_what_rewriting_used_is_taken_from_the_solve() -> None:
    used = Usage(calls=2, completion_tokens=90)
    assert less(Budget(), used, 3.0) == Budget()
    assert less(Budget(max_calls=8, max_tokens=100, max_seconds=10), used, 3.0) == Budget(
        max_calls=6, max_tokens=10, max_seconds=7
    )
    assert less(Budget(max_calls=2, max_tokens=50, max_seconds=2), used, 3.0) == Budget(
        max_calls=1, max_tokens=1, max_seconds=1
    )


def test_a_retry_is_of_what_was_understood_with_the_next_seed_hints_and_settings() -> None:
    solution = Solution(
        problem=Problem(text="What is 7?"),
        answer="7",
        confidence=None,
        confidence_basis="",
        strategy="pal",
        model="m",
    )
    conversation = Conversation()
    session = Session(ReplOptions(model="script:x", strategy="pal", config={"n": 2}), Page(Console(quiet=True)))
    command = parse_command("/retry temperature=0.7")
    assert command is not None
    conversation.turns.append(Turn("and 7?", solution, EventLog(), "pal", hints=("think",)))
    first = ask_again(conversation, session, command)
    config = {"n": 2, "temperature": 0.7}
    assert first == Ask("and 7?", problem="What is 7?", config=config, seed=1, hints=("think",))
    conversation.turns.append(Turn("and 7?", solution, EventLog(), "pal", seed=first.seed))
    assert ask_again(conversation, session, command).seed == 2
