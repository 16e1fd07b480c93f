"""Whose a thing in a pod is: owner, kind, original and row decide, and a mark alone nothing."""
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pod_model import SERVICE, Cloud

from tricircle import marks
from tricircle.crosspod import followers, pairing
from tricircle.errors import PodUnreachable
from tricircle.store import Database, pods, replicas, routings, spans
from tricircle.upstream import ownership

HOME, OTHER, LOCAL, SECOND = (f"{number}1111111-1111-4111-8111-111111111111" for number in range(4))
PROJECTS = st.sampled_from(["a", "b", ""])
RECORDS = st.lists(st.builds(dict, id=st.sampled_from([HOME, OTHER, LOCAL, SECOND]), project_id=PROJECTS,
                             description=st.sampled_from(["", "mine", "tricircle:x", "tricircle:bridge:" + HOME,
                                                          marks.replica(HOME), marks.replica(OTHER)])))


class Asked(Cloud):
    """Counts the questions to the pods."""

    def __init__(self, *names):
        super().__init__(*names)
        self.paths = []

    def ask(self, pod, service, method, path, body=None, deadline=None):
        self.paths.append((pod, path))
        return super().ask(pod, service, method, path, body, deadline)


class World:
    """Two pods; a router of project `a` at home in Pod1."""

    def __init__(self, folder):
        self.db, self.upstream = Database(folder / "tricircle.sqlite"), Asked("Pod1", "Pod2")
        self.db.upgrade()
        self.rows = {name: pods.create(self.db, name, name.lower()) for name in self.upstream.pods}
        self.ids = {name: row["pod_id"] for name, row in self.rows.items()}
        self.add("Pod1", HOME, "a", "")

    def add(self, pod, router_id, project_id, mark):
        self.upstream.pods[pod].add("routers", id=router_id, project_id=project_id, description=mark)

    def ours(self, collection="routers"):
        """By mark, of what Pod2 has."""
        return ownership.by_mark(self.db, self.upstream, self.rows["Pod2"], collection,
                                 list(self.upstream.pods["Pod2"].rows["routers"].values()))

    def record(self, home_id, local_id, pod="Pod2"):
        return replicas.record(self.db, home_id, self.ids[pod], "routers", "a", local_id)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@given(RECORDS, st.dictionaries(st.sampled_from([HOME, OTHER]), PROJECTS))
def test_a_replica_is_of_its_originals_project_and_there_is_one(records, owners):
    by_id = {record["id"]: record for record in records}
    found = ownership.proven("routers", by_id.values(), owners)
    for local_id, home_id in found.items():
        record = by_id[local_id]
        assert (record["description"], record["project_id"]) == (marks.replica(home_id), owners[home_id])
        assert record["project_id"]
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize(("project", "mark", "collection", "expected"), [
    ("a", marks.replica(HOME), "routers", {LOCAL: HOME}),
    ("b", marks.replica(HOME), "routers", {}),
    ("a", marks.replica(OTHER), "routers", {}),                # there is no such original
    ("a", marks.replica(HOME), "floatingips", {}),             # of which there are no replicas
    ("a", marks.bridge("a"), "routers", {}),
    (SERVICE, marks.bridge("a"), "routers", {LOCAL: ""}),
    ("a", "tricircle:' OR 1=1 --&x=", "routers", {}),
    ("a", "mine", "routers", {})])
def test_owner_kind_and_original(world, project, mark, collection, expected):
    world.add("Pod2", LOCAL, project, mark)
    assert world.ours(collection) == expected


def test_an_original_is_no_replica_and_has_one_at_most(world):
    world.add("Pod1", OTHER, "a", marks.replica(LOCAL))
    world.add("Pod2", LOCAL, "a", marks.replica(OTHER))
    assert world.ours() == {}, "two that name each other"
    world.add("Pod2", SECOND, "a", marks.replica(HOME))
    assert world.ours() == {SECOND: HOME}
    world.record(HOME, "another")
    assert world.ours() == {}, "the store has another one"


def test_a_replica_that_is_taken_away_is_known_by_its_row_when_its_original_is_gone(world):
    world.add("Pod2", LOCAL, "a", marks.replica(OTHER))
    world.add("Pod2", SECOND, "b", marks.replica(OTHER))
    world.record(OTHER, LOCAL)
    assert spans.retire(world.db, OTHER, world.ids["Pod2"], 20) is not None
    assert world.ours() == {LOCAL: OTHER}
    assert world.ours("networks") == {}


def test_what_has_moved_is_asked_for_by_its_own_name(world):
    world.add("Pod2", LOCAL, "a", marks.replica(OTHER))
    world.add("Pod1", SECOND, "a", "")
    world.record(OTHER, SECOND, "Pod1")
    assert world.ours() == {}, "a replica there"
    routings.learn(world.db, [(OTHER, "routers", "a")], world.ids["Pod1"])
    assert world.ours() == {LOCAL: OTHER}


def test_many_marks_are_one_question_and_none_is_no_question(world):
    world.add("Pod2", LOCAL, "a", "mine")
    assert world.ours() == {}
    assert world.upstream.paths == []
    for number in range(80):
        world.add("Pod2", f"{number:08d}-2222-4222-8222-222222222222", "a",
                  marks.replica(f"{number:08d}-3333-4333-8333-333333333333"))
    assert world.ours() == {}
    assert [pod for pod, _ in world.upstream.paths] == ["Pod1"]


def test_nothing_is_said_while_the_originals_pod_is_away(world):
    world.add("Pod2", LOCAL, "a", marks.replica(HOME))
    world.upstream.dead.add("Pod1")
    with pytest.raises(PodUnreachable):
        world.ours()


def test_a_search_passes_over_what_is_something_elses(world):
    world.add("Pod2", LOCAL, "a", marks.replica(HOME))
    world.add("Pod2", SECOND, "b", marks.replica(HOME))

    def search():
        return ownership.search(world.db, world.upstream, world.rows["Pod2"], "routers", HOME, "a")

    assert search() == LOCAL
    world.record(OTHER, LOCAL)
    assert search() is None


def test_a_row_is_not_overwritten(world):
    assert world.record(HOME, LOCAL)
    assert world.record(HOME, LOCAL)
    assert not world.record(HOME, SECOND)
    assert not world.record(OTHER, LOCAL)
    assert replicas.of_resource(world.db, HOME) == {world.ids["Pod2"]: LOCAL}
    row = replicas.claim(world.db, OTHER, world.ids["Pod2"], "routers", "a", 60)
    assert not replicas.settle(world.db, OTHER, world.ids["Pod2"], LOCAL, row["fence"])
    assert world.record(OTHER, SECOND), "what is being made may be found"
    assert replicas.correct(world.db, HOME, world.ids["Pod2"], "routers", "a", "third", LOCAL)
    assert replicas.of_resource(world.db, HOME) == {world.ids["Pod2"]: "third"}


@pytest.mark.parametrize(("project", "is_sound"), [("a", True), ("b", False), (None, False)])
def test_nothing_is_carried_between_projects(world, project, is_sound, monkeypatch):
    monkeypatch.setitem(followers.PARTS, "routers", (type("Part", (), {"plan": staticmethod(lambda *_: [{}])}),))
    world.record(HOME, LOCAL)
    if project:
        world.add("Pod2", LOCAL, project, marks.replica(HOME))
    pair = pairing.read(world.db, world.upstream, HOME, world.rows["Pod1"], world.rows["Pod2"])
    assert (pair.is_sound, pair.is_stale) == (is_sound, not is_sound)
    assert followers.plan(world.db, world.upstream, pair) == ([{}] if is_sound else [])
    if not is_sound:
        followers.sync(world.db, world.upstream, HOME, world.rows["Pod1"], world.rows["Pod2"])
        assert replicas.of_resource(world.db, HOME) == {}
