from __future__ import annotations

from mathagent.models.circuit_breaker import CircuitBreaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_tries_again_with_one_request() -> None:
    clock = Clock()
    breaker = CircuitBreaker(most_failures=2, pause_s=10, clock=clock)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.state == "closed"  # not in a row
    breaker.failed()
    assert (breaker.state, breaker.admit(), breaker.wait_s()) == ("open", False, 10)
    clock.now = 10
    assert breaker.state == "half-open"
    assert breaker.admit()
    assert not breaker.admit()  # one probe at a time
    breaker.succeeded()
    assert breaker.state == "closed"
    assert breaker.admit()


def test_each_failed_probe_doubles_the_pause_up_to_the_longest() -> None:
    clock = Clock()
    breaker = CircuitBreaker(most_failures=1, pause_s=10, longest_s=30, clock=clock)
    breaker.failed()
    for pause in (20, 30, 30):
        clock.now += breaker.wait_s()
        assert breaker.admit()
        breaker.failed()
        assert breaker.wait_s() == pause
    clock.now += 30
    assert breaker.admit()
    breaker.succeeded()
    breaker.failed()
    assert breaker.wait_s() == 10


def test_a_probe_that_told_nothing_lets_the_next_try() -> None:
    clock = Clock()
    breaker = CircuitBreaker(most_failures=1, pause_s=1, clock=clock)
    breaker.failed()
    clock.now = 1
    assert breaker.admit()
    breaker.left()
    assert breaker.admit()


def test_failures_of_requests_sent_before_it_opened_change_nothing() -> None:
    clock = Clock()
    breaker = CircuitBreaker(most_failures=1, pause_s=10, clock=clock)
    breaker.failed(fatal=True)
    clock.now = 5
    breaker.failed()
    assert breaker.wait_s() == 5
