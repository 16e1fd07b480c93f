"""Which pods may not have the newest state: marks of writers that come and go, and of those that were killed."""
import pytest

from tricircle.store import Database, behind, pods

KIND, KEY = "compute/flavors", "f"


@pytest.fixture
def db(tmp_path):
    """A database with three pods: their ids are db.a, db.b and db.c."""
    found = Database(tmp_path / "x.sqlite")
    found.upgrade()
    for name in "abc":
        setattr(found, name, pods.create(found, name, "az")["pod_id"])
    return found


def late(db):
    return set(behind.of(db, KIND, KEY))


def test_a_writer_leaves_what_has_not_followed(db):
    behind.mark(db, KIND, KEY, [db.b, db.c], db.a, "w1")
    assert late(db) == {db.b, db.c}
    behind.followed(db, KIND, KEY, [db.a, db.b], "w1")
    assert late(db) == {db.c}
    assert behind.of_kind(db, KIND) == {db.c: {KEY}}


def test_a_writer_that_turns_to_another_pod_follows_that_one(db):
    behind.mark(db, KIND, KEY, [db.b, db.c], db.a, "w1")
    behind.mark(db, KIND, KEY, [db.a, db.c], db.b, "w1")
    assert late(db) == {db.a, db.c}
    behind.followed(db, KIND, KEY, [db.a, db.b, db.c], "w1")
    assert late(db) == set()


def test_of_two_writers_at_once_none_can_tell(db):
    behind.mark(db, KIND, KEY, [db.b], db.a, "w1")
    behind.mark(db, KIND, KEY, [db.b], db.a, "w2")
    for writer in ("w1", "w2"):
        behind.followed(db, KIND, KEY, [db.b], writer)
    assert late(db) == {db.b}


def test_an_older_miss_is_not_taken_back_by_a_writer_that_got_through(db):
    behind.mark(db, KIND, KEY, [db.b], db.a, "killed")
    behind.mark(db, KIND, KEY, [db.b], db.a, "w2")
    behind.followed(db, KIND, KEY, [db.b], "w2")
    assert late(db) == {db.b}


def test_a_job_takes_back_what_it_has_seen_and_no_more(db):
    behind.mark(db, KIND, KEY, [db.b, db.c], db.a, "w1")
    seen = behind.of(db, KIND, KEY)
    behind.mark(db, KIND, KEY, [db.b], db.a, "w2")
    behind.caught_up(db, KIND, KEY, seen)
    assert late(db) == {db.b}
    behind.caught_up(db, KIND, KEY, behind.of(db, KIND, KEY))
    assert late(db) == set()


def test_an_intent_is_nobodys_business_until_its_writer_is_dead(db):
    behind.intend(db, KIND, KEY, [db.b, db.c], "w1", 60)
    assert (late(db), behind.of_kind(db, KIND)) == (set(), {})
    behind.give_up(db, KIND, KEY, "w1")
    behind.intend(db, KIND, KEY, [db.b], "killed", -1)
    assert (late(db), behind.of_kind(db, KIND)) == ({db.b}, {db.b: {KEY}})
    behind.caught_up(db, KIND, KEY, behind.of(db, KIND, KEY))
    assert late(db) == set()


def test_a_writer_that_was_overtaken_cannot_tell(db):
    """It began first and got through last: a pod may have seen the two in another order than the one that decided."""
    behind.intend(db, KIND, KEY, [db.b], "first", 60)
    behind.intend(db, KIND, KEY, [db.b], "second", 60)
    behind.mark(db, KIND, KEY, [db.b], db.a, "second")
    behind.followed(db, KIND, KEY, [db.b], "second")
    behind.mark(db, KIND, KEY, [db.b], db.a, "first")
    behind.followed(db, KIND, KEY, [db.b], "first")
    assert late(db) == {db.b}


def test_who_is_refused_leaves_the_marks_of_others_alone(db):
    behind.intend(db, KIND, KEY, [db.b], "writer", 60)
    behind.intend(db, KIND, KEY, [db.b], "stranger", 60)
    behind.give_up(db, KIND, KEY, "stranger")
    behind.mark(db, KIND, KEY, [db.b], db.a, "writer")
    behind.followed(db, KIND, KEY, [db.b], "writer")
    assert late(db) == set()


def test_marks_go_with_their_pod(db):
    behind.mark(db, KIND, KEY, [db.b], db.a, "w1")
    pods.delete(db, db.b)
    assert late(db) == set()
