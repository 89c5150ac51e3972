from __future__ import annotations

from mathagent.models.circuit_breaker import Admission, CircuitBreaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def admitted(breaker: CircuitBreaker) -> Admission:
    admission = breaker.admit()
    assert admission is not None
    return admission


def test_it_opens_after_failures_in_a_row_and_tries_again_with_one_request() -> None:
    clock = Clock()
    breaker = CircuitBreaker(most_failures=2, pause_s=10, clock=clock)
    breaker.failed(admitted(breaker))
    breaker.succeeded()
    breaker.failed(admitted(breaker))
    assert breaker.state == "closed"  # not in a row
    breaker.failed(admitted(breaker))
    assert (breaker.state, breaker.admit(), breaker.wait_s()) == ("open", None, 10)
    clock.now = 10
    assert breaker.state == "half-open"
    admitted(breaker)
    assert breaker.admit() is None  # one probe at a time
    breaker.succeeded()
    assert breaker.state == "closed"
    admitted(breaker)


def test_each_failed_probe_doubles_the_pause_up_to_the_longest() -> None:
    clock = Clock()
    breaker = CircuitBreaker(most_failures=1, pause_s=10, longest_s=30, clock=clock)
    breaker.failed(admitted(breaker))
    for pause in (20, 30, 30):
        clock.now += breaker.wait_s()
        breaker.failed(admitted(breaker))
        assert breaker.wait_s() == pause
    clock.now += 30
    admitted(breaker)
    breaker.succeeded()
    breaker.failed(admitted(breaker))
    assert breaker.wait_s() == 10


def test_a_probe_that_told_nothing_lets_the_next_try() -> None:
    clock = Clock()
    breaker = CircuitBreaker(most_failures=1, pause_s=1, clock=clock)
    breaker.failed(admitted(breaker))
    clock.now = 1
    breaker.left(admitted(breaker))
    admitted(breaker)


def test_failures_of_requests_sent_before_it_opened_change_nothing() -> None:
    clock = Clock()
    breaker = CircuitBreaker(most_failures=1, pause_s=10, clock=clock)
    first, second, third = admitted(breaker), admitted(breaker), admitted(breaker)
    breaker.failed(first, fatal=True)
    clock.now = 5
    breaker.failed(second)
    assert breaker.wait_s() == 5
    clock.now = 10
    breaker.failed(third)
    assert breaker.state == "half-open"


def test_only_the_probe_ends_the_probe() -> None:
    """A request that was sent before it opened may be cancelled, or fail, while the probe is on its way."""
    clock = Clock()
    breaker = CircuitBreaker(most_failures=1, pause_s=10, clock=clock)
    early, late, third = admitted(breaker), admitted(breaker), admitted(breaker)
    breaker.failed(early)
    clock.now = 10
    probe = admitted(breaker)
    breaker.left(late)
    assert breaker.admit() is None
    breaker.failed(third)
    assert breaker.admit() is None
    assert breaker.state == "half-open"
    breaker.failed(probe)
    assert breaker.wait_s() == 20
