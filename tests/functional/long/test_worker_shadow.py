"""What stands for a port in the external network's pod: it goes, whoever dies when, and a race leaves it whole."""
import contextlib
import threading

import pytest

from tests.functional.deaths import power_cut
from tests.functional.gateway import until
from tests.functional.test_floatingips import Case

PATIENCE = 180


@pytest.fixture
def case(gateway, outside):
    return Case(gateway, outside)


def assert_no_shadow(case):
    assert [case.shadows(kind) for kind in ("networks", "subnets", "ports")] == [[], [], []]
    mine = {case.nets["Pod1"], case.subnets["Pod1"], case.ports["Pod1"]["id"]}
    assert [row for row in case.gateway.store()["replicas"] if row[0] in mine] == []


def routes(case, pod):
    """{destination} of the router's routes in a pod."""
    return {route["destination"] for row in case.cloud[pod].network.shelf("routers").values()
            if case.router in (row["id"], row["description"].removeprefix("tricircle:")) for route in row["routes"]}


def test_a_floating_ip_comes_and_goes_and_the_real_subnet_stays_routed_to(case, worker):
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    case.settle()
    inner = case.user.network.ok("GET", f"/subnets/{case.subnets['Pod1']}")["subnet"]["cidr"]
    assert inner in routes(case, "Pod2"), "the shadow of a subnet must not take its traffic"
    assert len(case.shadows("networks")) == 1
    case.put(floating, port_id=None)
    case.settle()
    assert_no_shadow(case)
    assert case.put(floating, port_id=case.ports["Pod1"]["id"]).status == 200
    case.user.network.ok("DELETE", f"/floatingips/{floating['id']}")
    case.settle()
    assert_no_shadow(case)


def test_a_server_that_goes_takes_its_floating_ip_off(case, worker):
    server = case.user.boot(case.nets["Pod1"], "az1")
    port, = [p["id"] for p in case.user.network.ok("GET", f"/ports?device_id={server}")["ports"]]
    floating = case.floating(port_id=port)
    case.user.compute.ok("DELETE", f"/servers/{server}")
    case.settle()
    assert case.cloud["Pod2"].network.shelf("floatingips")[floating["id"]]["port_id"] is None
    assert_no_shadow(case)


def test_a_project_that_leaves_leaves_nothing(case, worker):
    """All at once, in the order that a script has: no waiting for jobs in between."""
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    case.user.network.ok("DELETE", f"/floatingips/{floating['id']}")
    case.user.network.ok("PUT", f"/routers/{case.router}", {"router": {"external_gateway_info": None}})
    for pod in ("Pod1", "Pod2"):
        assert case.join("remove", pod).status == 200
    case.user.network.ok("DELETE", f"/routers/{case.router}")
    for pod in ("Pod1", "Pod2"):
        case.user.network.ok("DELETE", f"/ports/{case.ports[pod]['id']}")
        case.user.network.ok("DELETE", f"/networks/{case.nets[pod]}")
    case.settle()
    assert_no_shadow(case)
    left = [(pod.name, kind, row["id"]) for pod in case.cloud for kind, rows in pod.network.snapshot().items()
            for row in rows.values() if case.user.project in str(row) or case.router in str(row)]
    assert [each for each in left if not each[1].startswith("security-group")] == []
    case.outside.delete()


def test_killed_after_each_write_that_takes_shadows_away(case):
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    worker = case.gateway.worker()
    case.settle()
    worker.stop()
    case.put(floating, port_id=None)
    deaths = 0
    while case.owed():
        stop = case.cloud.stop_at_write(1, "after")
        worker = case.gateway.worker()
        until(lambda: stop.reached or not case.owed(), PATIENCE)   # noqa: B023 - called within this turn
        if stop.reached:
            power_cut(worker)
            deaths += 1
        stop.drop()
        worker.stop()
        case.cloud.stops.clear()
        assert deaths < 10
    assert deaths >= 3, "port, interface and network went one by one"
    assert_no_shadow(case)


@pytest.mark.parametrize(("match", "when"), [
    *((f"^POST /v2.0/{kind}", when) for kind in ("networks", "subnets", "ports") for when in ("before", "after")),
    ("add_router_interface", "before"), ("add_router_interface", "after"), ("^PUT /v2.0/floatingips", "before"),
    ("^PUT /v2.0/floatingips", "after")])
def test_a_gateway_that_dies_in_the_middle_leaves_a_floating_ip_or_no_shadow(case, match, when):
    floating = case.floating()
    stop = case.cloud.stop_at_write(1, when, match)

    def associate():
        with contextlib.suppress(Exception):   # the gateway is killed under it
            case.put(floating, port_id=case.ports["Pod1"]["id"])

    asking = threading.Thread(target=associate)
    asking.start()
    assert stop.wait()
    case.gateway.api.kill()
    stop.drop()
    asking.join()
    case.gateway.start()
    case.gateway.hasten_jobs()
    worker = case.gateway.worker()
    case.settle()
    worker.stop()
    if (match, when) == ("^PUT /v2.0/floatingips", "after"):
        assert case.show(floating)["port_id"] == case.ports["Pod1"]["id"]
        return
    assert case.show(floating)["port_id"] is None
    assert_no_shadow(case)
    assert case.put(floating, port_id=case.ports["Pod1"]["id"]).status == 200


def test_many_that_race_for_one_subnet_make_one_shadow(case):
    ports = [case.user.make("ports", network_id=case.nets["Pod1"])["id"] for _ in range(6)]
    answers, start = [], threading.Barrier(len(ports))

    def associate(port):
        start.wait()
        answers.append(case.user.network.post("/floatingips", {"floatingip": {
            "floating_network_id": case.outside.network, "port_id": port}}))

    threads = [threading.Thread(target=associate, args=(port,)) for port in ports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [201] * len(ports)
    assert {answer["floatingip"]["port_id"] for answer in answers} == set(ports)
    shadow, = case.shadows("networks")
    on_it = [p for p in case.cloud["Pod2"].network.shelf("ports").values() if p["network_id"] == shadow["id"]]
    assert len(on_it) == len(ports) + 1
