"""Rows from what pods have: whatever they have and whatever the store says."""
import contextlib
import functools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tricircle.crosspod import rebuild
from tricircle.crosspod.rebuild import Seen
from tricircle.crosspod.survey import KINDS
from tricircle.store import Database, bridges, jobs, pods, replicas, routings
from tricircle.store.rebuild import TABLES, apply, snapshot

PODS, OWN, PROJECTS = ("Pod1", "Pod2", "Pod3"), "own", ("a", "b", "c")
UUIDS = [f"{number:08d}-1111-4111-8111-111111111111" for number in range(12)]
SOME, PROJECT, POD = st.sampled_from(UUIDS), st.sampled_from(PROJECTS), st.sampled_from(PODS)
MARK = st.one_of(st.just(""), SOME.map("tricircle:{}".format))
VLAN = st.integers(1, 3)


@st.composite
def worlds(draw):
    """{pod: {kind: records}}: originals, marked things true and false, bridges that agree or do not."""
    free = draw(st.permutations([f"{number:08d}-2222-4222-8222-222222222222" for number in range(60)]))
    world = {pod: {kind: [] for kind in KINDS} for pod in PODS}
    for home in draw(st.lists(SOME, unique=True, max_size=6)):
        kind = draw(st.sampled_from(("routers", "security-groups", "servers", "subnetpools")))
        world[draw(POD)][kind].append({"id": home, "project_id": draw(PROJECT), "description": "",
                                       "name": draw(st.sampled_from(("default", "web")))})
    for pod, kind, project, mark in draw(st.lists(st.tuples(
            POD, st.sampled_from(("routers", "security-groups", "subnetpools")), PROJECT, MARK), max_size=6)):
        world[pod][kind].append({"id": free.pop(), "project_id": project, "description": mark, "name": "web"})
    for pod, project, owner, vlan, router, ip in draw(st.lists(st.tuples(
            POD, PROJECT, st.sampled_from((OWN, OWN, OWN, "a")), VLAN, SOME, VLAN), max_size=5)):
        network = free.pop()
        plumbing = {"project_id": owner, "network_id": network, "description": f"tricircle:bridge:{project}"}
        world[pod]["networks"].append({**plumbing, "id": network, "provider:segmentation_id": vlan})
        world[pod]["subnets"].append({**plumbing, "id": free.pop(), "cidr": f"100.64.{vlan}.0/24"})
        world[pod]["ports"].append({**plumbing, "id": free.pop(), "description": f"tricircle:bridge:{router}",
                                    "fixed_ips": [{"ip_address": f"100.64.{vlan}.{ip}"}]})
    return world


@functools.cache
def template():
    """A new database's bytes: hypothesis wants many."""
    with tempfile.TemporaryDirectory() as folder:
        db = Database(Path(folder) / "x.sqlite")
        db.upgrade()
        for pod in PODS:
            pods.create(db, pod, f"az-{pod}")
        db.close()
        return db.path.read_bytes()


@contextlib.contextmanager
def store():
    with tempfile.TemporaryDirectory() as folder:
        db = Database(Path(folder) / "x.sqlite")
        db.path.write_bytes(template())
        yield db
        db.close()


def seen(db, world, away=()):
    rows = pods.by_name(db)
    return Seen({rows[pod]["pod_id"]: kinds for pod, kinds in world.items() if pod not in away},
                {row["pod_id"]: row for row in rows.values()}, OWN, not away)


def rebuilt(db, world, away=()):
    """The plan, written; and what was refused."""
    plan = rebuild.plan(seen(db, world, away), snapshot(db))
    return plan, apply(db, plan.changes, began=0)


@settings(max_examples=50, deadline=None)
@given(worlds(), worlds(), st.sets(POD, max_size=2))
def test_it_is_right_after_one_run_and_nothing_goes_while_a_pod_is_away(then, now, away):
    """The store is of another time: an old backup."""
    with store() as db:
        rebuilt(db, then)
        old = snapshot(db)
        plan, _ = rebuilt(db, now, away)
        if away:
            assert {change.verb for change in plan.changes} <= {"make"}
            assert not any(change.table == "bindings" for change in plan.changes)
            after = snapshot(db)
            assert {name: [key for key in rows if old[name][key] != after[name].get(key)]
                    for name, rows in old.items()} == {name: [] for name in TABLES}
        plan, refused = rebuilt(db, now)
        again, _ = rebuilt(db, now)
        assert again.changes == ([] if not refused else again.changes)
        if not plan.problems:
            assert_true(db, now)


def assert_true(db, world):
    """What the store says is in the pods, and the other way round."""
    names = {row["pod_id"]: row["pod_name"] for row in pods.bottom(db)}
    rows = snapshot(db)
    for (resource_id, pod), row in rows["replicas"].items():
        record, = [each for each in world[names[pod]][row["kind"]] if each["id"] == row["local_id"]]
        assert record["description"] in ("", f"tricircle:{resource_id}")
    segments = {(row["project_id"], row["vlan"]) for row in rows["bridges"].values()}
    assert segments == {(network["description"].removeprefix("tricircle:bridge:"), network["provider:segmentation_id"])
                        for kinds in world.values() for network in kinds["networks"] if network["project_id"] == OWN}
    for (_, pod), row in rows["bridge_ips"].items():
        assert row["ip"] in str(world[names[pod]]["ports"])


HOME, LOCAL = UUIDS[:2]


def empty():
    return {pod: {kind: [] for kind in KINDS} for pod in PODS}


def test_a_mark_on_a_strangers_thing_makes_no_replica():
    world = empty()
    world["Pod1"]["routers"] = [{"id": HOME, "project_id": "a", "description": ""}]
    world["Pod2"]["routers"] = [{"id": LOCAL, "project_id": "b", "description": f"tricircle:{HOME}"}]
    with store() as db:
        plan, _ = rebuilt(db, world)
        assert snapshot(db)["replicas"] == {}
        assert LOCAL in plan.problems[0]
        world["Pod2"]["routers"][0]["project_id"] = "a"
        rebuilt(db, world)
        assert [row["local_id"] for row in snapshot(db)["replicas"].values()] == [LOCAL]


def test_what_has_moved_keeps_its_row_though_it_has_no_mark():
    world = empty()
    world["Pod2"]["networks"] = [{"id": LOCAL, "project_id": "a", "description": "mine"}]
    with store() as db:
        pod = pods.by_name(db)["Pod2"]["pod_id"]
        replicas.record(db, HOME, pod, "networks", "a", LOCAL)
        routings.learn(db, [(HOME, "networks", "a")], pod)
        plan, _ = rebuilt(db, world)
        assert [change.table for change in plan.changes] == ["bindings"]
        assert rebuild.owed(plan.rows) == []


def test_what_others_write_meanwhile_is_theirs():
    """Between the snapshot and the writing a replica is on its way out, a network has moved, a job runs."""
    with store() as db:
        one, two = (pods.by_name(db)[name]["pod_id"] for name in ("Pod1", "Pod2"))
        replicas.record(db, HOME, two, "routers", "a", LOCAL)
        routings.learn(db, [(HOME, "routers", "a")], one)
        bridges.allocate_bridge(db, "a", [2001], ["100.64.0.0/24"])
        plan = rebuild.plan(seen(db, empty()), snapshot(db))
        assert sorted(change.table for change in plan.changes) == ["bridges", "replicas", "routings"]
        replicas.correct(db, HOME, two, "routers", "a", "another one", LOCAL)
        routings.learn(db, [(HOME, "routers", "a")], two)
        jobs.enqueue(db, "router", HOME, "a")
        jobs.claim(db, "worker", 60)
        before = snapshot(db)
        assert len(apply(db, plan.changes, began=0)) == 3
        assert snapshot(db) == before


@pytest.mark.parametrize("state", ["queued", "queued again", "running", "done"])
def test_a_bridge_is_taken_back_only_if_no_job_has_been_at_it(state):
    with store() as db:
        bridges.allocate_bridge(db, "a", [2001], ["100.64.0.0/24"])
        plan = rebuild.plan(seen(db, empty()), snapshot(db))
        jobs.enqueue(db, "router", HOME, "a")
        if state != "queued":
            job = jobs.claim(db, "worker", 60)
            {"queued again": lambda: jobs.fail(db, job, "x"), "done": lambda: jobs.finish(db, job),
             "running": lambda: None}[state]()
        assert len(apply(db, plan.changes, began=0)) == (state != "queued")
        assert bool(bridges.of_project(db, "a")) == (state != "queued")


def test_two_projects_on_one_vlan_are_told_and_not_written():
    world = empty()
    for pod, project in (("Pod1", "a"), ("Pod2", "b")):
        mark = {"project_id": OWN, "description": f"tricircle:bridge:{project}", "network_id": HOME}
        world[pod]["networks"] = [{**mark, "id": HOME, "provider:segmentation_id": 2001}]
        world[pod]["subnets"] = [{**mark, "id": LOCAL, "cidr": f"100.64.{ord(project)}.0/24"}]
    with store() as db:
        plan, _ = rebuilt(db, world)
        assert plan.problems == ["VLAN 2001 is that of several projects: a, b"]
        assert snapshot(db)["bridges"] == {}
