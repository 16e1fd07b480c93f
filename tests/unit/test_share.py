"""Shares: what one project may have, what all may have, and that all of it comes back."""
import pytest

from tricircle.api.channel import Later
from tricircle.api.share import WAITING, Share
from tricircle.errors import TooMany, Unavailable


@pytest.fixture
def share():
    """Eight things, of 100 bytes together; half for a project."""
    return Share("uploads", 8, 100, 0.5)


def test_a_project_has_its_part(share):
    parts = [share.take("b") for _ in range(4)]
    with pytest.raises(TooMany) as told:
        share.take("b")
    assert dict(told.value.headers)["Retry-After"]
    share.take("a").end()
    parts[0].end()
    share.take("b")


def test_all_have_no_more_than_there_is(share):
    for project in "ab":
        for _ in range(4):
            share.take(project)
    with pytest.raises(Unavailable):
        share.take("c")


def test_bytes_are_counted_too_and_as_they_come(share):
    part = share.take("b", 40)
    with pytest.raises(TooMany):
        share.take("b", 11)
    part.grow(50)
    with pytest.raises(TooMany):
        part.grow(51)
    other = share.take("a", 50)
    with pytest.raises(Unavailable):
        share.take("c", 1)
    for each in (part, part, other):   # an end that is told twice is one
        each.end()
    part.grow(60)
    assert share._used == {}
    assert share._total == (0, 0)


@pytest.mark.parametrize(("number", "part", "most"), [(1, 0.5, 1), (3, 0.01, 1), (16, 1.0, 16), (5, 0.5, 2)])
def test_a_part_is_at_least_one(number, part, most):
    share = Share("threads", number, 0, part)
    for _ in range(most):
        share.take("b")
    with pytest.raises((TooMany, Unavailable)):
        share.take("b")


def waiting(share, woken, project="b"):
    """A place in a project's line, which notes that it was woken."""
    with pytest.raises(Later) as later:
        share.take(project, waits=True)
    place = later.value.place
    place.stand(lambda: woken.append(place))
    return place


def test_what_is_given_back_is_the_firsts_and_no_newcomers(share):
    parts, woken = [share.take("b") for _ in range(4)], []
    first, second = waiting(share, woken), waiting(share, woken)
    parts[0].end()
    third = waiting(share, woken)
    with pytest.raises(TooMany):
        share.take("b")
    assert woken == [first]
    part = share.take("b", waits=True, place=first)
    parts[1].end()
    part.end()
    assert woken == [first, second, third]
    share.take("b", place=third)
    share.take("b", place=second)
    with pytest.raises(TooMany):   # each was given one, once
        share.take("b", place=second)


def test_who_goes_without_taking_hands_it_on(share):
    parts, woken = [share.take("b") for _ in range(4)], []
    first, second, third = (waiting(share, woken) for _ in range(3))
    parts[0].end()
    first.drop()
    assert woken == [first, second]
    taken = share.take("b", place=second)
    for each in (first, second):   # too late, and no harm
        each.drop()
    assert woken == [first, second]
    assert third.leave()
    third.drop()
    for each in (*parts, taken):
        each.end()
    assert (share._used, share._total, share._lines) == ({}, (0, 0), {})


def test_what_was_given_to_one_project_is_not_anothers(share):
    parts, woken = [share.take("b") for _ in range(4)], []
    place = waiting(share, woken)
    parts[0].end()
    other = share.take("a", place=place)
    assert share._used == {"b": (4, 0), "a": (1, 0)}
    place.drop()
    other.end()
    assert share._used == {"b": (3, 0)}


def test_a_full_line_is_refused_and_a_woken_one_is_not_in_it(share):
    parts, woken = [share.take("b") for _ in range(4)], []
    for _ in range(4 * WAITING):
        waiting(share, woken)
    with pytest.raises(TooMany):
        share.take("b", waits=True)
    parts[0].end()
    waiting(share, woken)
    assert len(woken) == 1


def test_what_two_projects_wait_for_is_not_in_use_before_a_thread_has_it():
    """Two projects with a line each would keep everybody else out: what they are given has no thread yet."""
    share = Share("threads", 4, 0, 0.5)
    parts, places = [share.take(project) for project in "aabb"], []
    for project in "aabb":
        with pytest.raises(Later) as later:
            share.take(project, waits=True)
        later.value.place.stand(lambda: None)
        places.append(later.value.place)
    parts.pop(0).end()
    other = share.take("c")   # by the thread that is free now
    other.end()
    claimed = share.take("a", place=places[0])
    with pytest.raises(Unavailable):
        share.take("c")
    claimed.end()
