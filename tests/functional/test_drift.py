"""The pods are compared with what they should be, by hand and by the worker's sweep."""
import sqlite3

import pytest
import urllib3

from tests.functional.drift import Damage, drift, words
from tests.functional.gateway import Process, until
from tests.functional.scene import Scene
from tests.functional.test_floatingips import Case


@pytest.fixture(scope="module")
def sweeping(gateway):
    """A worker that sweeps all the time, and puts right what it finds."""
    conf = gateway.folder / "sweeping.conf"
    conf.write_text(gateway.conf.read_text() + "\n[drift]\ninterval = 2\nrepair = true\n")
    made = Process("worker", "--config-file", str(conf), log=gateway.folder / "sweeping.log")
    yield made
    made.stop()


@pytest.fixture
def scene(cloud, gateway):
    return Scene(cloud, gateway)


def test_the_sweep_says_what_differs_and_puts_it_right_and_leaves_alone_what_is_not_ours(scene, sweeping):
    scene.change("add")
    scene.settle()
    foreign = make_foreign(scene)
    text = Damage(scene).delete_a_route()
    until(lambda: any(text in line and "WARNING" in line for line in sweeping.log.read_text().splitlines()), 60)
    until(lambda: scene.routes("Pod2")[-1:] == [(scene.cidr("Pod1"), scene.ip("Pod1"))], 60)
    scene.settle()
    # A route of the user, somebody's bridge network and port: neither reported nor touched.
    network, port, router, route = foreign
    assert drift(scene.gateway, "--router", scene.router)[1]["differences"] == []
    assert not any(each in sweeping.log.read_text() for each in (network["id"], port["id"], router["id"]))
    shelf = scene.cloud["Pod2"].network.shelf
    assert (shelf("networks")[network["id"]], shelf("ports")[port["id"]]) == (network, port)
    assert shelf("routers")[router["id"]] == router
    assert route in Damage(scene).replica["routes"]


def test_what_the_store_has_forgotten_is_found_in_the_pods_and_cleared_away(scene, sweeping):
    before = scene.traces()
    scene.change("add")
    scene.settle()
    with sqlite3.connect(scene.gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        for table in ("replicas", "bridge_ips", "interfaces"):
            column = "resource_id" if table == "replicas" else "router_id"
            db.execute(f"DELETE FROM {table} WHERE {column} = ?", (scene.router,))
    until(lambda: scene.router in str(scene.gateway.store()["replicas"]), 60)
    scene.assert_built_and_goes(before)


def test_a_pod_that_is_away_is_named_and_no_difference(scene, sweeping):
    scene.change("add")
    scene.settle()
    scene.cloud["Pod2"].refuse()
    code, report = drift(scene.gateway, "--router", scene.router)
    assert (code, report["differences"], list(report["unreachable"])) == (0, [], ["Pod2"])


def test_a_shadow_whose_floating_ip_was_taken_off_in_its_pod_goes(gateway, outside, sweeping):
    case = Case(gateway, outside)
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    case.settle()
    row = case.cloud["Pod2"].network.shelf("floatingips")[floating["id"]]
    row |= {"port_id": None, "fixed_ip_address": None, "router_id": None}
    text = f"the shadow of port {case.ports['Pod1']['id']} has no floating IP to stand for"
    until(lambda: text in sweeping.log.read_text(), 60)
    until(lambda: [case.shadows(kind) for kind in ("networks", "subnets", "ports")] == [[], [], []], 60)


def test_the_last_sweep_is_in_the_metrics(scene, sweeping):
    scene.change("add")
    scene.settle()
    scene.cloud["Pod2"].network.shelf("routers")[Damage(scene).replica["id"]]["name"] = "another"
    key = 'tricircle_drift{kind="router",pod="Pod2"} '
    until(lambda: key + "1.0" in metrics(scene.gateway), 60)
    until(lambda: key + "0.0" in metrics(scene.gateway), 60)
    assert f"{key.replace('Pod2', 'Pod1')}0.0" in metrics(scene.gateway)


def metrics(gateway):
    """What Prometheus would get."""
    return urllib3.request("GET", f"http://127.0.0.1:{gateway.metrics_port}/metrics").data.decode()


def test_a_row_without_a_thing_is_forgotten(scene, sweeping):
    """As a network's move leaves its subnet's."""
    subnet, pod = scene.subnets["Pod2"], scene.gateway.pods["Pod2"]["pod_id"]
    with sqlite3.connect(scene.gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.execute("INSERT INTO replicas VALUES (?, ?, 'subnets', ?, 'gone', 0, 0, 0)",
                   ("moved", pod, scene.token.project.id))
        db.execute("INSERT INTO replicas VALUES (?, ?, 'subnets', ?, ?, 0, 0, 0)",
                   ("there", pod, scene.token.project.id, subnet))
    until(lambda: "moved" not in str(scene.gateway.store()["replicas"]), 60)
    assert "there" in str(scene.gateway.store()["replicas"])
    assert words(drift(scene.gateway, "--pod", "Pod2")[1]) == set()


def make_foreign(scene):
    """A marked network with a port, a marked router, and a route, of the user himself, made in the pod."""
    client = type(scene.user)(scene.cloud["Pod2"].network.server.url + "/v2.0", scene.token.id)
    mark = f"tricircle:bridge:{scene.token.project.id}"
    network = client.ok("POST", "/networks", {"network": {"name": "mine", "description": mark}})["network"]
    client.ok("POST", "/subnets", {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": "10.9.9.0/24"}})
    port = client.ok("POST", "/ports", {"port": {"network_id": network["id"], "description":
                                                 f"tricircle:bridge:{scene.router}"}})["port"]
    fake = "tricircle:00000000-0000-4000-8000-000000000000"
    router = client.ok("POST", "/routers", {"router": {"name": "mine", "description": fake}})["router"]
    replica = Damage(scene).replica
    route = {"destination": "172.16.0.0/12", "nexthop": scene.cidr("Pod2").replace("0/24", "200")}
    client.ok("PUT", f"/routers/{replica['id']}/add_extraroutes", {"router": {"routes": [route]}})
    shelf = scene.cloud["Pod2"].network.shelf
    return (dict(shelf("networks")[network["id"]]), dict(shelf("ports")[port["id"]]),
            dict(shelf("routers")[router["id"]]), route)
