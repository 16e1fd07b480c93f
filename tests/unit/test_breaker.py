"""The breaker: closed, open, half open."""
from tricircle.upstream.breaker import Breaker


def test_opens_after_failures_in_a_row_and_lets_one_probe_through():
    at = [0.0]
    breaker = Breaker(3, 10.0, lambda: at[0])
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(3):
        assert breaker.allow()
        breaker.failed()
    assert not breaker.allow()
    at[0] = 10.0
    assert breaker.allow()
    assert not breaker.allow(), "one probe only"
    breaker.failed()
    at[0] = 19.9
    assert not breaker.allow()
    at[0] = 20.0
    assert breaker.allow()
    breaker.succeeded()
    assert breaker.allow()
    assert not breaker.open
