"""What is taken away when floating IPs go: the plan on arbitrary states, and the job beside requests and power cuts."""
import contextlib
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pod_model import INTERFACE, SERVICE, Cloud

from tricircle import config, marks
from tricircle.api import gone_ports
from tricircle.crosspod import shadow
from tricircle.crosspod.observe_shadow import ShadowPods
from tricircle.crosspod.shadow import Home, Interface, Port, Shadow
from tricircle.crosspod.steps import run
from tricircle.jobs import shadow as job
from tricircle.jobs.context import JobFailed
from tricircle.jobs.playbooks import Outcome
from tricircle.store import Database, jobs, pods, replicas, routings
from tricircle.store.db import now

PORT = "11111111-1111-4111-8111-111111111111"
ROUTERS = st.frozensets(st.sampled_from(["R1", "R2"]))
PORTS = st.lists(st.builds(Port, st.uuids().map(str), st.sampled_from(["P1", "P2", "P3"]), ROUTERS),
                 max_size=4).map(tuple)
INTERFACES = st.lists(st.builds(Interface, st.uuids().map(str), st.sampled_from(["R1", "R2"]),
                                st.sampled_from(["", "local"])), max_size=3).map(tuple)
SHADOWS = st.builds(Shadow, st.just("net"), PORTS, INTERFACES)
HOMES = st.builds(Home, st.dictionaries(st.sampled_from(["P1", "P2", "P3"]), st.just("")), ROUTERS)


@given(SHADOWS, HOMES)
def test_what_a_floating_ip_reaches_stays_and_nothing_else_does(seen, home):
    steps = shadow.undo(seen, home)
    touched = str(steps)
    for port in seen.ports:
        assert (port.port_id in touched) == (not (port.home_id in home.ports and port.routers & home.routers))
    kept = [port for port in seen.ports if port.port_id not in touched]
    for interface in seen.interfaces:
        assert (interface.port_id in touched) == (not any(interface.router_id in port.routers for port in kept))
    assert (steps[-1:] and steps[-1]["path"] == "/v2.0/networks/net") == (not kept)


@given(SHADOWS, HOMES)
def test_ports_go_before_interfaces_and_those_before_the_network(seen, home):
    order = {"delete the shadow of port": 0, "detach": 1, "delete the router's": 1, "delete the network's": 2}
    ranks = [next(rank for words, rank in order.items() if step["name"].startswith(words))
             for step in shadow.undo(seen, home)]
    assert ranks == sorted(ranks)


class Context:
    """As jobs.context.Context, without Ansible: network N at home in Pod1, its shadow in Pod2 with port P behind R."""

    def __init__(self, folder):
        self.conf, self.db, self.upstream = config.load(), Database(folder / "tricircle.sqlite"), Cloud("Pod1", "Pod2")
        self.db.upgrade()
        self.ids = {name: pods.create(self.db, name, name.lower())["pod_id"] for name in self.upstream.pods}
        self.job = {"resource_id": "N", "project_id": "P"}
        routings.learn(self.db, [("N", "networks", "P"), ("S", "subnets", "P")], self.ids["Pod1"])
        self.home, self.away = self.upstream.pods["Pod1"], self.upstream.pods["Pod2"]
        self._network(self.home, "N", "S", "", "")
        self.home.add("ports", id=PORT, network_id="N", device_id="server", project_id="P")
        self.home.add("ports", network_id="N", device_id="R", device_owner=INTERFACE)
        self._network(self.away, "n", "s", "tricircle:N", "tricircle:S")
        for home_id, local, kind in (("N", "n", "networks"), ("S", "s", "subnets"), ("R", "r", "routers")):
            replicas.record(self.db, home_id, self.ids["Pod2"], kind, "P", local)
        self.away.add("routers", id="r", name="r", project_id="P", description="tricircle:R")
        self.away.add("ports", network_id="n", device_id="r", device_owner=INTERFACE, project_id=SERVICE,
                      description=marks.shadow("R"))
        self.add_port(PORT)

    @staticmethod
    def _network(neutron, network, subnet, mark, subnet_mark):
        neutron.add("networks", id=network, description=mark, project_id="P")
        neutron.add("subnets", id=subnet, network_id=network, cidr="10.0.1.0/24", description=subnet_mark)

    def add_port(self, home_id, associated=True):
        """A shadow, and its floating IP."""
        local = f"shadow-{home_id}"
        self.away.add("ports", id=local, network_id="n", project_id="P", description=f"tricircle:{home_id}")
        replicas.record(self.db, home_id, self.ids["Pod2"], "ports", "P", local)
        if associated:
            self.away.add("floatingips", port_id=local, router_id="r")

    def apply(self, playbook, steps):
        done = {pod: run(todo, self.upstream.pods[pod].call) for pod, todo in steps.items()}
        return {pod: Outcome([name for name, *_ in names], failure) for pod, (names, failure) in done.items()}

    def disassociate(self):
        """All floating IPs come off."""
        for row in self.away.rows["floatingips"].values():
            row["port_id"] = row["router_id"] = None

    def left(self):
        """What is there of shadows: in the pod, and in the store."""
        there = [row["id"] for kind in ("networks", "subnets", "ports") for row in self.away.rows[kind].values()]
        return there, {key for key in ("N", "S", PORT, "P2") if replicas.of_resource(self.db, key)}

    def assert_gone(self):
        assert self.left() == ([], set())
        assert self.away.rows["routers"]
        assert jobs.is_owed(self.db, "router", "R"), "its replica may have nothing else to do"


@pytest.fixture
def context(tmp_path):
    return Context(tmp_path)


def test_what_is_in_use_is_left_alone(context):
    before = context.left()
    job.converge(context)
    assert (context.left(), context.away.writes) == (before, 0)


def test_a_floating_ip_that_came_off_takes_everything_along(context):
    context.disassociate()
    job.converge(context)
    context.assert_gone()


def test_a_port_that_is_gone_takes_its_floating_ip_off(context):
    del context.home.rows["ports"][PORT]
    job.converge(context)
    assert {row["port_id"] for row in context.away.rows["floatingips"].values()} == {None}
    context.assert_gone()


def test_a_network_that_is_gone_takes_everything_along(context):
    routings.forget(context.db, "N")
    for kind in ("networks", "subnets", "ports"):
        context.home.rows[kind].clear()
    job.converge(context)
    context.assert_gone()


def test_a_network_whose_home_is_forgotten_is_looked_for_and_not_taken_for_gone(context):
    routings.forget(context.db, "N")
    job.converge(context)
    assert context.away.writes == 0


def test_a_network_that_has_moved_is_no_shadow(context):
    """Its row says that it is called otherwise in its pod; with its home forgotten nothing else does."""
    routings.forget(context.db, "N")
    context.home.rows["networks"].clear()
    for row in [*context.away.rows["networks"].values(), *context.away.rows["ports"].values()]:
        row["description"] = ""
    before = context.left()
    job.converge(context)
    assert context.left() == before


def test_one_of_two_ports_goes_alone(context):
    context.home.add("ports", id="P2", network_id="N")
    context.add_port("P2", associated=False)
    job.converge(context)
    there, rows = context.left()
    assert "shadow-P2" not in there
    assert rows == {"N", "S", PORT}
    assert {f"shadow-{PORT}", "n"} <= set(there)


def test_what_a_request_is_about_to_use_stays(context):
    context.disassociate()
    held = jobs.enqueue(context.db, "shadow", "N", "P", not_before=now() + 60)
    before = context.left()
    job.converge(context)
    assert context.left() == before
    jobs.release(context.db, held["id"])
    job.converge(context)
    context.assert_gone()


def test_a_request_that_comes_after_the_look_finds_the_row_taken_and_keeps_nothing_half(context, monkeypatch):
    """Between the look and the claim the user associates again: the second look sees it, and the row is given back."""
    context.disassociate()
    original, calls = ShadowPods.shadow, []

    def look(self, *args):
        found = original(self, *args)
        calls.append(1)
        if len(calls) == 1:
            next(iter(context.away.rows["floatingips"].values())).update(port_id=f"shadow-{PORT}", router_id="r")
        return found

    monkeypatch.setattr(ShadowPods, "shadow", look)
    before = context.left()
    job.converge(context)
    assert context.left() == before


def test_a_router_that_has_left_the_network_reaches_nothing_any_more(context):
    for port in [row["id"] for row in context.home.rows["ports"].values() if row["device_id"] == "R"]:
        del context.home.rows["ports"][port]
    job.converge(context)
    context.assert_gone()


def test_it_waits_for_a_server_that_is_being_deleted(context):
    routings.learn(context.db, [("server", "servers", "P")], context.ids["Pod1"])
    routings.leave(context.db, "server")
    with pytest.raises(JobFailed, match="being deleted") as caught:
        job.converge(context)
    assert caught.value.patient
    del context.home.rows["ports"][PORT]
    job.converge(context)
    context.assert_gone()


def test_a_dead_pod_is_waited_for(context):
    context.disassociate()
    context.upstream.dead.add("Pod2")
    with pytest.raises(JobFailed, match="Pod2") as caught:
        job.converge(context)
    assert caught.value.patient
    context.upstream.dead.clear()
    job.converge(context)
    context.assert_gone()


def test_what_a_pod_still_shows_has_its_name_for_the_users(context, monkeypatch):
    """A floating IP would show its port under the pod's name, and lists the shadow itself."""
    del context.home.rows["ports"][PORT]
    call, named = context.away.call, []

    def seen(method, path, body=None):
        ports = [row["id"] for row in context.away.rows["ports"].values() if row["description"] == f"tricircle:{PORT}"]
        named.append(replicas.to_home(context.db, context.ids["Pod2"], ports) == dict.fromkeys(ports, PORT))
        return call(method, path, body)

    monkeypatch.setattr(context.away, "call", seen)
    job.converge(context)
    assert all(named)
    context.assert_gone()


def test_what_a_dead_worker_has_left_rows_of_is_forgotten_with_the_network(context):
    replicas.record(context.db, "P3", context.ids["Pod2"], "ports", "P", "gone")
    replicas.record(context.db, "P4", context.ids["Pod2"], "ports", "P", "moved")
    routings.learn(context.db, [("P4", "ports", "P")], context.ids["Pod2"])
    context.disassociate()
    job.converge(context)
    context.assert_gone()
    assert [bool(replicas.of_resource(context.db, each)) for each in ("P3", "P4")] == [False, True]


@pytest.mark.parametrize("told", [{"internal_port_id": f"shadow-{PORT}"}, {}])
def test_a_port_forwarding_needs_the_shadow_until_it_is_gone(context, told):
    """Also where Neutron does not tell its port."""
    floating, = context.away.rows["floatingips"].values()
    there = told | {"internal_ip_address": "10.0.1.5"}
    floating.update(port_id=None, port_forwardings=[there])
    before = context.left()
    job.converge(context)
    assert context.left() == before
    gateway = SimpleNamespace(db=context.db, upstream=context.upstream)
    context.upstream.conf = SimpleNamespace(list_deadline=60)
    assert gone_ports.release(gateway, "P", {"Pod2": "r"}) == {"Pod2": ["10.0.1.5"]}
    floating.update(port_forwardings=[], router_id=None)
    job.converge(context)
    context.assert_gone()


@pytest.mark.parametrize("is_known", [True, False])
def test_floating_ips_come_off_ports_that_are_gone_and_off_no_others(context, is_known):
    gateway = SimpleNamespace(db=context.db, upstream=context.upstream)
    context.upstream.conf = SimpleNamespace(list_deadline=60)
    if is_known:
        routings.learn(context.db, [(PORT, "ports", "P")], context.ids["Pod1"])
    floating, = context.away.rows["floatingips"].values()
    floating["fixed_ip_address"] = "10.0.1.5"
    assert gone_ports.release(gateway, "P", {"Pod2": "r"}) == {"Pod2": ["10.0.1.5"]}
    del context.home.rows["ports"][PORT]
    context.upstream.dead.add("Pod1")
    assert gone_ports.release(gateway, "P", {"Pod2": "r"}) == {"Pod2": ["10.0.1.5"]}, "it may be there"
    context.upstream.dead.clear()
    assert gone_ports.release(gateway, "P", {"Pod2": "r"}) == {"Pod2": []}
    assert floating["port_id"] is None
    assert replicas.of_resource(context.db, PORT) == {}
    assert jobs.is_owed(context.db, "shadow", "N")


class PowerCut(Exception):
    """The worker and its playbook are gone."""


@pytest.mark.parametrize("done", range(4))
def test_whatever_was_done_before_the_power_cut_nothing_is_left_in_the_end(context, done):
    context.disassociate()
    apply = context.apply

    def cut(playbook, steps):
        context.apply = apply
        apply(playbook, {pod: todo[:done] for pod, todo in steps.items()})
        raise PowerCut

    context.apply = cut
    with contextlib.suppress(PowerCut):
        job.converge(context)
    job.converge(context)
    there, rows = context.left()
    assert (there, rows) == ([], set())
