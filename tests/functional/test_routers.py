"""Routers over two pods, as far as the API goes; what the worker makes of the jobs is test_worker_*.py's."""
import uuid

import pytest

from tests.functional.gateway import until
from tests.functional.standin.cloud import difference
from tests.functional.user import User, holders

MARK = "tricircle:"


@pytest.fixture
def user(gateway):
    """A new user in a new project, whom both pods know (Neutron makes a default group for whom it sees)."""
    found = User(gateway)
    found.network.ok("GET", "/security-groups")
    return found


def jobs(gateway, id):
    """Jobs that name a resource."""
    return gateway.client("admin", "admin").ok("GET", f"/jobs?resource_id={id}")["jobs"]


def interfaces(cloud, pod, router):
    """A router's interface ports in a pod, the replica's too."""
    ids = {row["id"] for row in cloud[pod].network.shelf("routers").values()
           if row["id"] == router or row["description"] == MARK + router}
    return [port for port in cloud[pod].network.shelf("ports").values()
            if port["device_id"] in ids and port["device_owner"] == "network:router_interface"]


def test_subnets_of_two_pods_on_one_router(cloud, gateway, user):
    router = user.make("routers", name="r")["id"]
    home, = holders(cloud, "network", "routers", router)
    for zone in ("az1", "az2"):
        network, subnet = user.wired(zone)
        answer = user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
        assert (answer["id"], answer["subnet_id"], answer["network_id"]) == (router, subnet, network)
    assert [len(interfaces(cloud, pod.name, router)) for pod in cloud] == [1, 1]
    away = next(pod for pod in cloud if pod.name != home)
    replica, = [row for row in away.network.shelf("routers").values() if row["description"] == MARK + router]
    assert replica["project_id"] == user.project
    job, = jobs(gateway, router)
    assert (job["kind"], job["state"], job["project_id"]) == ("router", "queued", user.project)


def test_interfaces_are_the_routers_to_the_user(user):
    router = user.make("routers", name="r")["id"]
    added = []
    for zone in ("az1", "az2"):
        _, subnet = user.wired(zone)
        answer = user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
        added.append(answer["port_id"])
    ports = user.network.ok("GET", f"/ports?device_id={router}")["ports"]
    assert sorted(p["id"] for p in ports) == sorted(added)
    assert {p["device_id"] for p in ports} == {router}
    for port in added:
        assert user.network.ok("GET", f"/ports/{port}")["port"]["device_id"] == router


def test_an_interface_by_port(cloud, user):
    router = user.make("routers", name="r")["id"]
    home, = holders(cloud, "network", "routers", router)
    network, _ = user.wired({"Pod1": "az2", "Pod2": "az1"}[home])
    port = user.make("ports", network_id=network)["id"]
    added = user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"port_id": port})
    assert (added["id"], added["port_id"]) == (router, port)
    removed = user.network.ok("PUT", f"/routers/{router}/remove_router_interface", {"port_id": port})
    assert (removed["id"], removed["port_id"]) == (router, port)


def test_coming_and_going_leaves_one_job(gateway, user):
    router = user.make("routers", name="r")["id"]
    _, subnet = user.wired("az1")
    for _ in range(3):
        user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
        user.network.ok("PUT", f"/routers/{router}/remove_router_interface", {"subnet_id": subnet})
    assert [job["state"] for job in jobs(gateway, router)] == ["queued"]


def test_refusals_are_neutrons_own_and_make_nothing(cloud, gateway, user):
    router = user.make("routers", name="r")["id"]
    subnets = {zone: user.wired(zone)[1] for zone in ("az1", "az2")}
    for subnet in subnets.values():
        user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    taken = user.make("ports", network_id=user.wired("az2")[0], device_id="somebody")["id"]
    loose = user.wired("az2")[1]
    verb = f"/routers/{router}/"
    refused = [
        ("add_router_interface", {"subnet_id": subnets["az2"]}, 400, "BadRequest"),
        ("add_router_interface", {"subnet_id": str(uuid.uuid4())}, 404, "SubnetNotFound"),
        ("add_router_interface", {"port_id": taken}, 409, "PortInUse"),
        ("add_router_interface", {}, 400, "BadRequest"),
        ("remove_router_interface", {"subnet_id": loose}, 404, "RouterInterfaceNotFoundForSubnet"),
        ("remove_router_interface", {"subnet_id": str(uuid.uuid4())}, 404, "SubnetNotFound"),
        ("add_extraroutes", {"router": {"routes": [{"destination": "1.2.3.0/24", "nexthop": "9.9.9.9"}]}}, 400,
         "InvalidRoutes")]
    with cloud.unchanged():
        for action, body, status, kind in refused:
            answer = user.network.put(verb + action, body)
            assert (answer.status, answer["NeutronError"]["type"]) == (status, kind), (action, body)
        missing = user.network.put(f"/routers/{uuid.uuid4()}/add_router_interface", {"subnet_id": loose})
        assert (missing.status, missing["NeutronError"]["type"]) == (404, "RouterNotFound")


def test_a_refused_first_interface_leaves_no_replica(cloud, gateway, user):
    router = user.make("routers", name="r")["id"]
    home, = holders(cloud, "network", "routers", router)
    network = user.net({"Pod1": "az2", "Pod2": "az1"}[home])
    bare = user.make("subnets", network_id=network, ip_version=4, cidr="10.77.0.0/24", gateway_ip=None)["id"]
    before = cloud.snapshot()
    answer = user.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": bare})
    assert (answer.status, answer["NeutronError"]["type"]) == (400, "BadRequest")
    worker = gateway.worker()
    try:
        until(lambda: all(job["state"] == "done" for job in jobs(gateway, router)), 60)
    finally:
        worker.stop()
    after = cloud.snapshot()
    mine = [line for line in difference(before, after) if user.project in line]
    assert mine == [], "what was prepared for the refused call is taken back"


def test_a_used_router_stays(cloud, user):
    router = user.make("routers", name="r")["id"]
    home, = holders(cloud, "network", "routers", router)
    _, subnet = user.wired({"Pod1": "az2", "Pod2": "az1"}[home])
    port = user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})["port_id"]
    with cloud.unchanged():
        answer = user.network.delete(f"/routers/{router}")
    assert (answer.status, answer["NeutronError"]["type"], answer["NeutronError"]["message"]) == (
        409, "RouterInUse", f"Router {router} has ports still attached: {port}")


def test_an_unused_router_goes(cloud, gateway, user):
    router = user.make("routers", name="r")["id"]
    assert user.network.delete(f"/routers/{router}").status == 204
    assert user.network.get(f"/routers/{router}").status == 404
    assert holders(cloud, "network", "routers", router) == []


def test_the_users_own_routes_stay_his(user):
    router = user.make("routers", name="r")["id"]
    _, subnet = user.wired()
    user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    prefix = user.network.ok("GET", f"/subnets/{subnet}")["subnet"]["cidr"].rsplit(".", 1)[0]
    mine = [{"destination": "192.0.2.0/24", "nexthop": prefix + ".77"}]
    user.network.ok("PUT", f"/routers/{router}/add_extraroutes", {"router": {"routes": mine}})
    assert user.network.ok("GET", f"/routers/{router}")["router"]["routes"] == mine
    assert user.network.ok("GET", "/routers")["routers"][0]["routes"] == mine
    user.network.ok("PUT", f"/routers/{router}/remove_extraroutes", {"router": {"routes": mine}})
    assert user.network.ok("GET", f"/routers/{router}")["router"]["routes"] == []


def test_a_dead_pod_is_said_and_nothing_is_made(cloud, gateway, user):
    router = user.make("routers", name="r")["id"]
    home, = holders(cloud, "network", "routers", router)
    away = next(pod for pod in cloud if pod.name != home)
    _, subnet = user.wired({"Pod1": "az1", "Pod2": "az2"}[away.name])
    away.refuse()
    answer = user.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    assert answer.status == 503
    assert away.name in answer["NeutronError"]["message"]
    away.recover()
    assert interfaces(cloud, away.name, router) == []


def test_jobs_show_and_are_redone_by_the_book(gateway, user):
    router = user.make("routers", name="r")["id"]
    _, subnet = user.wired()
    user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    job, = jobs(gateway, router)
    admin = gateway.client("admin", "admin")
    shown = admin.ok("GET", f"/jobs/{job['id']}")["job"]
    assert shown["log"] == []
    assert {name: shown[name] for name in job} == job
    redo = admin.put(f"/jobs/{job['id']}")
    assert redo.status in (202, 409), "a queued job is not failed: it may be refused, never doubled"
    assert len(jobs(gateway, router)) == 1
    assert [j["id"] for j in admin.ok("GET", "/jobs?state=queued&kind=router")["jobs"] if j["id"] == job["id"]]
    assert admin.ok("GET", f"/jobs?project_id={uuid.uuid4().hex}")["jobs"] == []


def test_a_subnet_that_overlaps_one_in_another_pod_is_refused(cloud, gateway):
    """No single Neutron sees both; without the check the second subnet would be joined and never reached."""
    user = User(gateway)
    router = user.make("routers", name="r")["id"]
    subnets = {}
    for zone in ("az1", "az2"):
        network = user.net(zone)
        subnets[zone] = user.make("subnets", network_id=network, ip_version=4, cidr="10.77.0.0/24")["id"]
    user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnets["az1"]})
    with cloud.unchanged():
        answer = user.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": subnets["az2"]})
    assert answer.status == 400
    assert "overlaps" in answer.body["NeutronError"]["message"]
    assert "Pod1" in answer.body["NeutronError"]["message"]


def test_a_broken_answer_is_not_taken_for_a_router_without_interfaces(cloud, gateway):
    """The pod's Neutron fails when it is asked for ports: nothing may be taken apart on the strength of that."""
    user = User(gateway)
    router = user.make("routers", name="r")["id"]
    home, = holders(cloud, "network", "routers", router)
    _, subnet = user.wired({"Pod1": "az2", "Pod2": "az1"}[home])
    user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    for pod in cloud:
        pod.network.faults.every, pod.network.faults.only = 1, "GET /v2.0/ports"
    with cloud.unchanged():
        assert user.network.delete(f"/routers/{router}").status >= 500
