"""Shares: what one project may have, what all may have, and that all of it comes back."""
import pytest

from tricircle.api.share import Share
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
