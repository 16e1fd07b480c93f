"""The breaker: closed, open, half open."""
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from tricircle.upstream.breaker import Breaker


@pytest.fixture
def case():
    """A breaker that opens at the third failure, for ten seconds of a clock that stands still, and another thread."""
    at = [0.0]
    with ThreadPoolExecutor(1) as pool:
        yield SimpleNamespace(at=at, breaker=Breaker(3, 10.0, 2, 3.0, lambda: at[0]),
                              elsewhere=lambda call: pool.submit(call).result())


def fail(breaker):
    """A call without an answer."""
    assert breaker.allow()
    breaker.failed()
    breaker.ended()


def test_opens_after_failures_in_a_row_and_lets_one_probe_through(case):
    breaker = case.breaker
    for _ in range(2):
        fail(breaker)
    assert breaker.allow()
    breaker.succeeded()
    breaker.ended()
    for _ in range(3):
        assert not breaker.open
        fail(breaker)
    assert not breaker.allow()
    case.at[0] = 10.0
    assert breaker.allow()
    assert not breaker.allow(), "one probe only"
    breaker.failed()
    breaker.ended()
    case.at[0] = 19.9
    assert not breaker.allow()
    case.at[0] = 20.0
    assert breaker.allow()
    breaker.succeeded()
    breaker.ended()
    assert breaker.allow()
    assert not breaker.open


def test_a_probe_that_takes_its_time_is_the_only_one(case):
    """A silent pod answers a probe at the deadline, long after the breaker would let the next one go."""
    for _ in range(3):
        fail(case.breaker)
    case.at[0] = 10.0
    assert case.breaker.allow()
    case.at[0] = 60.0
    assert not case.elsewhere(case.breaker.allow)
    case.breaker.failed()
    case.breaker.ended()
    case.at[0] = 69.9
    assert not case.elsewhere(case.breaker.allow)
    case.at[0] = 70.0
    assert case.elsewhere(case.breaker.allow)


def test_calls_that_were_under_way_do_not_put_off_the_probe(case):
    for _ in range(2):
        assert case.elsewhere(case.breaker.allow)
    for _ in range(3):
        fail(case.breaker)
    case.at[0] = 9.0
    case.elsewhere(case.breaker.failed)
    case.elsewhere(case.breaker.ended)
    case.at[0] = 10.0
    assert case.breaker.allow()
    case.elsewhere(case.breaker.failed)
    case.elsewhere(case.breaker.ended)
    assert not case.elsewhere(case.breaker.allow), "the probe is still out"


def test_a_probe_without_an_outcome_leaves_its_place(case):
    """Keystone was needed for it and did not answer: that says nothing of the pod."""
    for _ in range(3):
        fail(case.breaker)
    case.at[0] = 10.0
    assert case.breaker.allow()
    case.breaker.ended()
    assert case.elsewhere(case.breaker.allow)


def test_an_answer_that_comes_late_closes_it(case):
    assert case.elsewhere(case.breaker.allow)
    for _ in range(3):
        fail(case.breaker)
    case.elsewhere(case.breaker.succeeded)
    assert case.breaker.allow()


def test_not_everybody_waits_for_a_silent_pod(case):
    for _ in range(2):
        assert case.breaker.allow()
    case.at[0] = 2.9
    assert case.breaker.allow(), "it may just be slow"
    case.at[0] = 3.0
    assert not case.breaker.allow()
    assert not case.breaker.open
    case.breaker.succeeded()
    assert case.breaker.allow(), "it has answered one of them"
    case.at[0] = 6.0
    assert not case.breaker.allow()
    for _ in range(3):
        case.breaker.failed() or case.breaker.ended()
    assert not case.breaker.allow(), "it is open now"


def test_a_pod_that_has_not_been_asked_for_long_is_not_silent(case):
    case.at[0] = 1000.0
    for _ in range(3):
        assert case.breaker.allow()
