"""The breaker: closed, open, half open."""
from types import SimpleNamespace

import pytest

from tricircle.upstream.breaker import Breaker


@pytest.fixture
def case():
    """A breaker that opens at the third failure, for ten seconds of a clock that stands still."""
    at = [0.0]
    return SimpleNamespace(at=at, breaker=Breaker(3, 10.0, 2, 3.0, lambda: at[0]))


def fail(breaker, owner=None, refused=True):
    """A call without an answer."""
    call = breaker.begin(owner)
    assert call
    call.refused() if refused else call.silent()
    call.ended()


def succeed(breaker, owner=None):
    """A call with an answer."""
    call = breaker.begin(owner)
    assert call
    call.answered()
    call.ended()


def test_opens_after_failures_in_a_row_and_lets_one_probe_through(case):
    breaker = case.breaker
    for _ in range(2):
        fail(breaker)
    succeed(breaker)
    for _ in range(3):
        assert not breaker.open
        fail(breaker)
    assert not breaker.begin()
    case.at[0] = 10.0
    probe = breaker.begin()
    assert not breaker.begin(), "one probe only"
    probe.refused()
    probe.ended()
    case.at[0] = 19.9
    assert not breaker.begin()
    case.at[0] = 20.0
    succeed(breaker)
    assert breaker.begin()
    assert not breaker.open


@pytest.mark.parametrize("owner", [None, "b"])
def test_a_probe_that_takes_its_time_is_the_only_one(case, owner):
    """A silent pod answers a probe at the deadline, long after the breaker would let the next one go."""
    for _ in range(3):
        fail(case.breaker, owner)
    case.at[0] = 10.0
    probe = case.breaker.begin(owner)
    case.at[0] = 60.0
    assert not case.breaker.begin(owner)
    probe.silent()
    probe.ended()
    case.at[0] = 69.9
    assert not case.breaker.begin(owner)
    case.at[0] = 70.0
    assert case.breaker.begin(owner)


def test_calls_that_were_under_way_do_not_put_off_the_probe(case):
    early = [case.breaker.begin() for _ in range(2)]
    for _ in range(3):
        fail(case.breaker)
    case.at[0] = 9.0
    early[0].refused()
    early[0].ended()
    case.at[0] = 10.0
    assert case.breaker.begin()
    early[1].silent()
    early[1].ended()
    assert not case.breaker.begin(), "the probe is still out"


def test_a_probe_without_an_outcome_leaves_its_place(case):
    """Keystone was needed for it and did not answer: that says nothing of the pod."""
    for _ in range(3):
        fail(case.breaker)
    case.at[0] = 10.0
    case.breaker.begin().ended()
    assert case.breaker.begin()


def test_an_answer_that_comes_late_closes_it(case):
    late = case.breaker.begin()
    for _ in range(3):
        fail(case.breaker)
    late.answered()
    assert case.breaker.begin()


def test_not_everybody_waits_for_a_silent_pod(case):
    calls = [case.breaker.begin() for _ in range(2)]
    case.at[0] = 2.9
    calls.append(case.breaker.begin())
    assert calls[2], "it may just be slow"
    case.at[0] = 3.0
    assert not case.breaker.begin()
    assert not case.breaker.open
    calls[0].answered()
    assert case.breaker.begin(), "it has answered one of them"
    case.at[0] = 6.0
    assert not case.breaker.begin()
    for call in calls:
        call.refused()
        call.ended()
    assert case.breaker.open
    assert not case.breaker.begin(), "it is open now"


def test_a_pod_that_has_not_been_asked_for_long_is_not_silent(case):
    case.at[0] = 1000.0
    for _ in range(3):
        assert case.breaker.begin()


def test_who_waits_for_a_silent_pod_leaves_room_for_others_but_not_for_all(case):
    """`most` is 2: of one project; of all it is three."""
    assert case.breaker.begin("b")
    assert case.breaker.begin("b")
    case.at[0] = 3.0
    assert not case.breaker.begin("b")
    assert case.breaker.begin("a")
    assert not case.breaker.begin("c")


def test_silence_that_one_project_meets_is_about_that_project(case):
    for _ in range(7):
        if call := case.breaker.begin("b"):
            call.silent()
            call.ended()
    assert not case.breaker.begin("b")
    assert not case.breaker.open
    assert case.breaker.begin("a")


@pytest.mark.parametrize("owner", ["a", None])
def test_silence_that_a_second_one_meets_is_about_all(case, owner):
    """Be it another project, or our own account."""
    for _ in range(3):
        fail(case.breaker, "b", refused=False)
    fail(case.breaker, owner, refused=False)
    assert case.breaker.open
    assert not case.breaker.begin("c")


def test_two_projects_are_believed_until_we_have_looked_ourselves(case):
    """They may belong to one person, whose calls take too long, whoever makes them."""
    for _ in range(2):
        fail(case.breaker, "b", refused=False)
    last = case.breaker.begin("c")
    assert last.silent(), "a look is due"
    assert not case.breaker.begin("a")
    look = case.breaker.begin()
    assert look
    assert not case.breaker.begin(), "one look"
    look.answered()
    assert case.breaker.begin("a")


def test_a_look_in_vain_leaves_it_open(case):
    for owner in "bbc":
        call = case.breaker.begin(owner)
        due = call.silent()
        call.ended()
    assert due
    look = case.breaker.begin()
    assert not look.silent()
    look.ended()
    case.at[0] = 9.9
    assert not case.breaker.begin("a")
    case.at[0] = 10.0
    assert case.breaker.begin("a")


@pytest.mark.parametrize("owners", [["b"] * 3, [None] * 3, ["b", "c", None]])
def test_no_look_is_due_where_it_is_open_for_one_alone_or_we_know_ourselves(case, owners):
    due = [case.breaker.begin(owner).silent() for owner in owners]   # all of them
    assert not any(due)


def test_our_own_account_is_believed_alone(case):
    for _ in range(3):
        fail(case.breaker, None, refused=False)
    assert case.breaker.open


def test_a_refused_connection_is_about_all(case):
    for _ in range(3):
        fail(case.breaker, "b")
    assert case.breaker.open
    assert not case.breaker.begin("a")


def test_silence_while_others_are_answered_says_nothing(case):
    for _ in range(9):
        slow = case.breaker.begin("b")
        case.at[0] += 5.0
        succeed(case.breaker, "a")
        slow.silent()
        slow.ended()
    assert case.breaker.begin("b")


def test_a_project_that_probes_in_vain_does_not_keep_others_from_it(case):
    for _ in range(3):
        fail(case.breaker)
    case.at[0] = 10.0
    slow = case.breaker.begin("b")
    assert not case.breaker.begin("a"), "one at a time"
    case.at[0] = 13.0
    assert not case.breaker.begin("b")
    other = case.breaker.begin("a")
    assert other, "it has had its time"
    other.ended()
    slow.silent()
    slow.ended()
    assert not case.breaker.begin("b")
    succeed(case.breaker, "a")
    assert case.breaker.begin("b")


def test_an_upload_is_no_probe(case):
    for _ in range(3):
        fail(case.breaker)
    case.at[0] = 10.0
    assert not case.breaker.begin("b", probes=False)
    assert case.breaker.begin("b")


def test_it_does_not_remember_more_than_it_needs(case):
    for number in range(1000):
        case.at[0] += 1.0
        if call := case.breaker.begin(f"p{number}"):
            call.silent()
            call.ended()
    assert len(case.breaker._silences) <= 3
    assert not case.breaker._calls
