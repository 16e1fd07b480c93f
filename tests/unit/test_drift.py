"""What differs in the pods is named, and named only; pods in memory, the store for real."""
import logging
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_router_job import Context

from tricircle.crosspod.leftovers import orphans
from tricircle.errors import NotFound
from tricircle.jobs import drift, router
from tricircle.jobs.context import Surroundings
from tricircle.jobs.drift import Subject
from tricircle.jobs.sweep import Sweep
from tricircle.store import jobs

ROUTER = Subject("router", "R", "P")


class Town(Context):
    """A router that is built over two pods, and no job of it is owed."""

    def __init__(self, folder):
        super().__init__(folder)
        self.add_interface("Pod1", "R")
        self.add_replica()
        self.add_interface("Pod2", "local")
        router.converge(self)
        jobs.finish(self.db, self.job)
        self.rows = self.upstream.pods["Pod2"].rows
        self.around = Surroundings(self.conf, self.db, self.upstream)

    def heal(self):
        """Run the job that is queued."""
        self.job = jobs.claim(self.db, "worker", 3600)
        router.converge(self)
        jobs.finish(self.db, self.job)

    def words(self):
        """{(pod, difference)} of a look at the router."""
        return {(each.pod, each.text) for each in drift.look(self.around, "R").differences}

    def bridge(self, kind):
        """The router's plumbing in Pod2."""
        return next(row for row in self.rows[kind].values() if row["description"].startswith("tricircle:bridge:"))


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path)


def delete_route(town):
    town.rows["routers"]["local"]["routes"].clear()
    return "route 10.0.1.0/24 via 100.64.0.1 is missing"


def delete_bridge_port(town):
    del town.rows["ports"][town.bridge("ports")["id"]]
    return "the bridge port 100.64.0.2 is missing"


def change_segment(town):
    town.bridge("networks")["provider:segmentation_id"] = 3999
    return "the bridge network has VLAN 3999 instead of 2001"


def detach_interface(town):
    ports = [row for row in town.rows["ports"].values() if row["device_id"] == "local" and not row["description"]]
    del town.rows["ports"][ports[0]["id"]]
    return "the interface 10.0.2.1 on 10.0.2.0/24 is missing"


def add_bridge_port(town):
    subnet = town.bridge("subnets")["id"]
    town.upstream.pods["Pod2"].add("ports", network_id=town.bridge("networks")["id"], project_id="service",
                                   description="tricircle:bridge:R",
                                   fixed_ips=[{"subnet_id": subnet, "ip_address": "100.64.0.77"}])
    return "the bridge port 100.64.0.77 is not wanted"


def rename(town):
    town.rows["routers"]["local"]["name"] = "other"
    return "name of the replica: not as at home"


DAMAGE = (delete_route, add_bridge_port, delete_bridge_port, change_segment, detach_interface, rename)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(DAMAGE), unique=True, min_size=1))
def test_whatever_is_damaged_together_is_named_and_nothing_else_and_is_healed(damage):
    with tempfile.TemporaryDirectory() as folder:
        town = Town(Path(folder))
        assert town.words() == set()
        # The port that is too many goes by the mark, so it is added when the right one is taken.
        said = {("Pod2", each(town)) for each in sorted(damage, key=DAMAGE.index, reverse=True)}
        assert town.words() == said
        drift.repair(town.db, drift.look(town.around, "R"))
        town.heal()
        assert town.words() == set()
        town.db.close()


def test_a_look_changes_neither_pods_nor_store(town):
    delete_bridge_port(town)
    town.detach("Pod1")
    before = dump(town), [pod.writes for pod in town.upstream.pods.values()]
    assert town.words()
    assert (dump(town), [pod.writes for pod in town.upstream.pods.values()]) == before


def test_what_a_job_is_about_to_do_is_no_difference(town):
    delete_route(town)
    jobs.enqueue(town.db, "router", "R", "P")
    report = drift.look(town.around, "R")
    assert (report.differences, report.owed) == ([], [ROUTER])


def test_what_changes_under_the_look_is_no_difference(town, monkeypatch):
    delete_route(town)
    was = drift.LOOKS["router"]

    def slow(around, subject):
        """A job comes and goes meanwhile."""
        seen = was(around, subject)
        jobs.enqueue(town.db, "router", "R", "P")
        town.heal()
        return seen

    monkeypatch.setitem(drift.LOOKS, "router", slow)
    report = drift.look(town.around, "R")
    assert (report.differences, report.owed) == ([], [ROUTER])


def test_a_pod_that_does_not_answer_is_named_only(town):
    town.upstream.dead.add("Pod2")
    report = drift.look(town.around, "R")
    assert (report.differences, list(report.unreachable)) == ([], ["Pod2"])


@pytest.mark.parametrize(("repairs", "state"), [(False, ["done"]), (True, ["queued", "done"])])
def test_the_sweep_warns_and_repairs_where_it_may(town, repairs, state, monkeypatch, caplog):
    monkeypatch.setattr(drift, "subjects", lambda db: [ROUTER])
    town.conf.set_override("repair", repairs, "drift")
    text = delete_route(town)
    Sweep(town.around, threading.Event()).once()
    assert [(line.levelno, line.getMessage()) for line in caplog.records] == [
        (logging.WARNING, f"pod Pod2, router R: {text}")]
    assert [job["state"] for job in jobs.list_all(town.db, kind="router")] == state


def test_orphans_are_what_is_ours_and_unknown():
    networks = [{"id": "n", "description": "tricircle:bridge:P"}, {"id": "idle", "description": "tricircle:bridge:Q"},
                {"id": "used", "description": "tricircle:bridge:U"}, {"id": "mine", "description": "no mark"}]
    replica, known, faked, unheard = (f"{number}1111111-1111-4111-8111-111111111111" for number in range(4))
    ports = [{"id": "p", "network_id": "n", "description": "tricircle:bridge:lost"},
             {"id": "q", "network_id": "n", "description": f"tricircle:bridge:{known}"},
             {"id": "s", "network_id": "mine", "description": "tricircle:bridge:elsewhere"}]
    routers = [{"id": "1", "description": f"tricircle:{replica}", "project_id": "P"},
               {"id": "2", "description": f"tricircle:{known}", "project_id": "P"},
               {"id": "3", "description": f"tricircle:{faked}", "project_id": "thief"},
               {"id": "4", "description": f"tricircle:{unheard}", "project_id": "P"},
               {"id": "5", "description": "a router", "project_id": "P"}]
    found = orphans(networks, ports, routers, {known}, {"P", "U"}, {replica: "P", known: "P", faked: "P"})
    assert found.networks == {"idle": "Q"}
    assert found.routers == {"lost": "P", replica: "P"}


def dump(town):
    connection = town.db.connection()
    return [tuple(row) for name, in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for row in connection.execute(f"SELECT * FROM {name}")]


@pytest.mark.parametrize("names", [{"pod": "Pod9"}, {"router": "nowhere"}])
def test_of_what_does_not_exist_nobody_is_told_that_all_is_well(town, names):
    with pytest.raises(NotFound):
        drift.look(town.around, **names)
