"""The job `router` beside requests that come at the wrong moment; pods in memory, the store for real."""
import contextlib
import itertools

import pytest
from pod_model import INTERFACE, Cloud

from tricircle import config
from tricircle.crosspod import plan
from tricircle.crosspod.observe import Pods
from tricircle.crosspod.steps import run
from tricircle.jobs import router
from tricircle.jobs.context import JobFailed
from tricircle.jobs.playbooks import Outcome
from tricircle.store import Database, bridges, interfaces, jobs, pods, replicas, routings
from tricircle.store.db import now


class Context:
    """As jobs.context.Context, without Ansible."""

    def __init__(self, folder):
        self.conf, self.db, self.upstream = config.load(), Database(folder / "tricircle.sqlite"), Cloud("Pod1", "Pod2")
        self.db.upgrade()
        self.ids = {name: pods.create(self.db, name, name.lower())["pod_id"] for name in self.upstream.pods}
        jobs.enqueue(self.db, "router", "R", "P")
        self.job = jobs.claim(self.db, "worker", 3600)
        self.add_router("Pod1", "R", "")
        routings.learn(self.db, [("R", "routers", "P")], self.ids["Pod1"])

    def add_router(self, pod, router_id, description):
        self.upstream.pods[pod].add("routers", id=router_id, name="r", project_id="P", description=description)

    def add_interface(self, pod, router_id):
        neutron = self.upstream.pods[pod]
        network = neutron.add("networks", name="user")
        subnet = neutron.add("subnets", network_id=network["id"], cidr=f"10.0.{pod[-1]}.0/24",
                             gateway_ip=f"10.0.{pod[-1]}.1")
        neutron.add("ports", network_id=network["id"], device_id=router_id, device_owner=INTERFACE,
                    fixed_ips=[{"subnet_id": subnet["id"], "ip_address": f"10.0.{pod[-1]}.1"}])

    def add_replica(self):
        """What a request does between its announcement and its release."""
        row = replicas.claim(self.db, "R", self.ids["Pod2"], "routers", "P", 30)
        self.add_router("Pod2", "local", "tricircle:R")
        replicas.settle(self.db, "R", self.ids["Pod2"], "local", row["fence"])

    def detach(self, pod):
        """Somebody takes the user's interface off the router in the pod itself."""
        ports = self.upstream.pods[pod].rows["ports"]
        for port in [row["id"] for row in ports.values() if row["device_id"] and not row["description"]]:
            del ports[port]

    def apply(self, playbook, steps):
        done = {pod: run(todo, self.upstream.pods[pod].call) for pod, todo in steps.items()}
        return {pod: Outcome([name for name, *_ in names], failure) for pod, (names, failure) in done.items()}

    def routes(self, pod, router_id):
        return self.upstream.pods[pod].rows["routers"][router_id]["routes"]


@pytest.fixture
def context(tmp_path):
    return Context(tmp_path)


def test_it_builds_and_takes_back(context):
    context.add_interface("Pod1", "R")
    context.add_replica()
    context.add_interface("Pod2", "local")
    router.converge(context)
    assert context.routes("Pod1", "R") == [{"destination": "10.0.2.0/24", "nexthop": "100.64.0.2"}]
    interfaces.forget(context.db, "R")
    context.detach("Pod2")
    router.converge(context)
    assert context.routes("Pod1", "R") == []
    assert context.upstream.pods["Pod2"].rows["routers"] == {}
    assert replicas.of_resource(context.db, "R") == {}
    assert bridges.of_project(context.db, "P") is None


def during(monkeypatch, function, name, act):
    """Let `act` happen right after the first call of a function."""
    original, calls = getattr(function, name), []

    def wrapped(*args, **kwargs):
        result = original(*args, **kwargs)
        calls.append(1)
        if len(calls) == 1:
            act()
        return result

    monkeypatch.setattr(function, name, wrapped)


def test_a_request_that_comes_and_goes_after_the_look_keeps_its_replica(context, monkeypatch):
    """Its claim is seen, its router and interface are not: they came a moment later, and so did its release."""
    context.add_interface("Pod1", "R")
    row = replicas.claim(context.db, "R", context.ids["Pod2"], "routers", "P", 30)

    def finish_the_request():
        context.add_router("Pod2", "local", "tricircle:R")
        replicas.settle(context.db, "R", context.ids["Pod2"], "local", row["fence"])
        context.add_interface("Pod2", "local")

    during(monkeypatch, Pods, "router", finish_the_request)
    router.converge(context)
    assert replicas.of_resource(context.db, "R") == {context.ids["Pod2"]: "local"}
    assert context.routes("Pod2", "local") == [{"destination": "10.0.1.0/24", "nexthop": "100.64.0.1"}]


def test_a_replica_that_a_request_is_about_to_use_stays(context):
    context.add_interface("Pod1", "R")
    context.add_replica()
    held = jobs.enqueue(context.db, "router", "R", "P", not_before=now() + 60)
    router.converge(context)
    assert replicas.of_resource(context.db, "R") == {context.ids["Pod2"]: "local"}
    assert "local" in context.upstream.pods["Pod2"].rows["routers"]
    jobs.release(context.db, held["id"])
    router.converge(context)
    assert replicas.of_resource(context.db, "R") == {}


def test_a_dead_pod_fails_the_job_after_the_others_were_seen_to(context):
    context.add_interface("Pod1", "R")
    context.add_replica()
    context.add_interface("Pod2", "local")
    router.converge(context)
    context.upstream.dead.add("Pod2")
    context.routes("Pod1", "R").append({"destination": "10.9.9.0/24", "nexthop": "100.64.0.9"})
    with pytest.raises(JobFailed, match="Pod2"):
        router.converge(context)
    assert context.routes("Pod1", "R") == [{"destination": "10.0.2.0/24", "nexthop": "100.64.0.2"}]


def test_a_router_whose_home_is_forgotten_is_looked_for_and_not_taken_for_gone(context):
    context.add_interface("Pod1", "R")
    context.add_replica()
    context.add_interface("Pod2", "local")
    router.converge(context)
    routings.forget(context.db, "R")
    router.converge(context)
    assert plan.members(Pods(context.upstream).router("R", "P", "Pod1", ["Pod1", "Pod2"], {}), {}) == ["Pod1", "Pod2"]
    assert context.routes("Pod1", "R")


def test_when_the_home_is_gone_replicas_and_bridge_go(context):
    context.add_interface("Pod1", "R")
    context.add_replica()
    context.add_interface("Pod2", "local")
    router.converge(context)
    take_apart(context)
    home = context.upstream.pods["Pod1"]
    for port in [row["id"] for row in home.rows["ports"].values() if row["device_id"] == "R"]:
        del home.rows["ports"][port]
    del home.rows["routers"]["R"]
    router.converge(context)
    assert context.upstream.pods["Pod2"].rows["routers"] == {}
    for pod in context.upstream.pods.values():
        assert [row for row in pod.rows["networks"].values() if row["description"]] == []
    assert bridges.of_project(context.db, "P") is None


class PowerCut(Exception):
    """The worker and its playbook are gone."""


def die_after(context, done):
    """The next application gets through so many steps of each pod, and dies."""
    apply = context.apply

    def cut(playbook, steps):
        context.apply = apply
        apply(playbook, {pod: todo[:done[pod]] for pod, todo in steps.items()})
        raise PowerCut
    context.apply = cut


def take_apart(context):
    """The user takes his subnets off the router, the other pod's first."""
    interfaces.forget(context.db, "R")
    for pod in context.upstream.pods:
        context.detach(pod)


def assert_nothing_left(context):
    for pod in context.upstream.pods.values():
        assert [row for kind in pod.rows.values() for row in kind.values() if row["description"]] == []
    assert replicas.of_resource(context.db, "R") == {}
    assert bridges.of_project(context.db, "P") is None


# Undoing takes up to four steps in a pod: routes, bridge port, replica, bridge network.
@pytest.mark.parametrize(("here", "there"), list(itertools.product(range(5), range(5))))
def test_whatever_was_done_in_either_pod_before_the_power_cut_nothing_is_left_in_the_end(context, here, there):
    context.add_interface("Pod1", "R")
    context.add_replica()
    context.add_interface("Pod2", "local")
    router.converge(context)
    take_apart(context)
    die_after(context, {"Pod1": here, "Pod2": there})
    with pytest.raises(PowerCut):
        router.converge(context)
    # The next worker may die as well, one step further on.
    die_after(context, {"Pod1": 1, "Pod2": 0})
    with contextlib.suppress(PowerCut):
        router.converge(context)
    router.converge(context)
    assert_nothing_left(context)


def test_a_detached_interface_comes_back_unless_it_was_taken_off_through_the_gateway(context):
    built(context)
    before = context.routes("Pod1", "R"), context.routes("Pod2", "local")
    context.detach("Pod2")
    router.converge(context)
    assert (context.routes("Pod1", "R"), context.routes("Pod2", "local")) == before
    assert user_interfaces(context, "Pod2") == [("local", "10.0.2.1")]


def test_a_deleted_replica_comes_back_with_its_interfaces(context):
    built(context)
    pod = context.upstream.pods["Pod2"]
    for port in [row["id"] for row in pod.rows["ports"].values() if row["device_id"] == "local"]:
        del pod.rows["ports"][port]
    del pod.rows["routers"]["local"]
    router.converge(context)
    (replica,) = pod.rows["routers"].values()
    assert (replica["description"], replica["project_id"], replica["name"]) == ("tricircle:R", "P", "r")
    assert replicas.of_resource(context.db, "R") == {context.ids["Pod2"]: replica["id"]}
    assert user_interfaces(context, "Pod2") == [(replica["id"], "10.0.2.1")]
    assert context.routes("Pod2", replica["id"]) == [{"destination": "10.0.1.0/24", "nexthop": "100.64.0.1"}]


def test_an_interface_whose_address_is_taken_is_told_and_the_rest_is_done(context):
    built(context)
    rows = context.upstream.pods["Pod2"].rows
    address = next(row["fixed_ips"] for row in rows["ports"].values() if not row["description"])
    context.detach("Pod2")
    context.routes("Pod2", "local").clear()
    context.upstream.pods["Pod2"].add("ports", network_id="x", fixed_ips=address)
    with pytest.raises(JobFailed, match=r"attach the subnet 10\.0\.2\.0/24: 409"):
        router.converge(context)
    assert context.routes("Pod2", "local") == [{"destination": "10.0.1.0/24", "nexthop": "100.64.0.1"}]
    interfaces.forget(context.db, "R")
    router.converge(context)
    assert_plumbing_gone(context)


def test_a_subnet_that_is_gone_does_not_come_back_and_is_forgotten(context):
    built(context)
    context.detach("Pod2")
    subnets = context.upstream.pods["Pod2"].rows["subnets"]
    del subnets[next(row["id"] for row in subnets.values() if row["cidr"] == "10.0.2.0/24")]
    router.converge(context)
    assert interfaces.of_router(context.db, "R") == {}
    assert_plumbing_gone(context)


def test_what_a_request_has_announced_to_take_off_is_not_written_down_again(context, monkeypatch):
    """The request comes after the job's last look, and is through before the job writes down what it saw."""
    built(context)
    context.db.connection().execute("DELETE FROM interfaces")

    def take_off():
        held = jobs.enqueue(context.db, "router", "R", "P", not_before=now() + 60)
        interfaces.forget(context.db, "R")
        context.detach("Pod2")
        jobs.release(context.db, held["id"])

    during(monkeypatch, plan, "steps", take_off)
    router.converge(context)
    assert interfaces.of_router(context.db, "R") == {}


def built(context):
    context.add_interface("Pod1", "R")
    context.add_replica()
    context.add_interface("Pod2", "local")
    router.converge(context)


def user_interfaces(context, pod):
    return [(row["device_id"], row["fixed_ips"][0]["ip_address"])
            for row in context.upstream.pods[pod].rows["ports"].values() if not row["description"]]


def assert_plumbing_gone(context):
    for pod in context.upstream.pods.values():
        assert [row for row in pod.rows["networks"].values() if row["description"]] == []
