"""What the owner of a router sees of its being joined over pods (reports, row 13)."""
import sqlite3

from tests.functional.scene import Scene


def status(scene):
    """(of the router, of its interfaces, as its owner sees them)."""
    router = scene.user.ok("GET", f"/routers/{scene.router}")["router"]["status"]
    assert scene.user.ok("GET", f"/routers?id={scene.router}")["routers"][0]["status"] == router
    alone = {"status": router}
    assert scene.user.ok("GET", f"/routers/{scene.router}?fields=status")["router"] == alone
    assert scene.user.ok("GET", f"/routers?id={scene.router}&fields=status")["routers"] == [alone]
    ports = scene.user.ok("GET", f"/ports?device_id={scene.router}")["ports"]
    for port in ports:
        assert scene.user.ok("GET", f"/ports/{port['id']}")["port"]["status"] == port["status"]
        alone = {"status": port["status"]}
        assert scene.user.ok("GET", f"/ports/{port['id']}?fields=status")["port"] == alone
        assert scene.user.ok("GET", f"/ports?id={port['id']}&fields=status")["ports"] == [alone]
    return router, sorted(port["status"] for port in ports)


def test_a_router_in_one_pod_is_active_at_once(cloud, gateway):
    scene = Scene(cloud, gateway)
    scene.change("add", "Pod1")
    assert status(scene) == ("ACTIVE", ["ACTIVE"])


def test_it_is_being_built_until_its_job_has_joined_it(cloud, gateway):
    scene = Scene(cloud, gateway)
    scene.change("add")
    assert status(scene) == ("BUILD", ["BUILD", "BUILD"])
    worker = gateway.worker()
    try:
        scene.settle()
        assert status(scene) == ("ACTIVE", ["ACTIVE", "ACTIVE"])
    finally:
        worker.stop()
    subnet = scene.subnets["Pod1"]
    network = scene.user.ok("GET", f"/subnets/{subnet}")["subnet"]["network_id"]
    body = {"network_id": network, "ip_version": 4, "cidr": "10.0.77.0/24"}
    more = scene.user.ok("POST", "/subnets", {"subnet": body})["subnet"]["id"]
    scene.user.ok("PUT", f"/routers/{scene.router}/add_router_interface", {"subnet_id": more})
    assert status(scene) == ("BUILD", ["ACTIVE", "ACTIVE", "BUILD"])


def test_a_job_that_has_given_up_is_an_error_to_its_owner(cloud, gateway):
    scene = Scene(cloud, gateway)
    scene.change("add")
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.execute("UPDATE jobs SET state = 'dead', queued_key = NULL WHERE resource_id = ?", (scene.router,))
    assert status(scene) == ("ERROR", ["ERROR", "ERROR"])
    scene.user.ok("PUT", f"/routers/{scene.router}", {"router": {"name": "once more"}})
    assert status(scene) == ("BUILD", ["BUILD", "BUILD"])


def test_what_joins_nothing_does_not_show(cloud, gateway):
    """A name that is carried to the other pods; one of them may be away for long."""
    scene = Scene(cloud, gateway)
    scene.change("add")
    worker = gateway.worker()
    try:
        scene.settle()
    finally:
        worker.stop()
    scene.user.ok("PUT", f"/routers/{scene.router}", {"router": {"name": "another"}})
    assert scene.jobs()[0]["state"] == "queued"
    assert status(scene) == ("ACTIVE", ["ACTIVE", "ACTIVE"])
