"""The database cannot take a write: nothing may be half done, and reading goes on."""
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from tests.functional.client import Client
from tests.functional.gateway import until
from tests.functional.user import User, holders


@pytest.fixture(scope="module")
def locked(cloud, gateway):
    """What was answered while another process held the write lock, and what the pods were told meanwhile.

    All at once, since each caller that needs the lock waits for it as long as the store does.
    """
    bound, new = User(gateway), User(gateway)
    network = bound.net("az1")
    router = bound.make("routers", name="r")["id"]
    home, = holders(cloud, "network", "routers", router)
    subnet = bound.wired({"Pod1": "az1", "Pod2": "az2"}[home])[1]
    behind = Client(f"{cloud['Pod2'].network.server.url}/v2.0", bound.token.id).ok(
        "POST", "/networks", {"network": {"name": "behind the gateway's back"}})["network"]["id"]
    job = _owed(cloud, gateway)
    calls = {
        "show": lambda: bound.network.get(f"/networks/{network}"), "list": lambda: bound.network.get("/networks"),
        "pods": lambda: gateway.client("admin", "admin").get("/pods"),
        "network": lambda: bound.network.post("/networks", {"network": {"name": "once"}}),
        "volume": lambda: bound.volume.post("/volumes", {"volume": {"size": 1}}),
        "found": lambda: bound.network.get(f"/networks/{behind}"),
        "delete": lambda: bound.network.delete(f"/networks/{network}"),
        "binding": lambda: new.network.post("/networks", {"network": {"availability_zone_hints": ["az1"]}}),
        "router": lambda: bound.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": subnet})}
    reading = ("show", "list", "pods")
    db = sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    worker = gateway.worker()
    try:
        mark, answers = len(cloud.log), {name: calls[name]() for name in reading}
        with ThreadPoolExecutor(len(calls)) as pool:
            futures = {name: pool.submit(call) for name, call in calls.items() if name not in reading}
        answers |= {name: future.result() for name, future in futures.items()}
        until(lambda: "no job could be claimed" in worker.log.read_text())
    finally:
        db.rollback()
        db.close()
    told = cloud.writes(mark)
    try:
        until(lambda: job()["state"] == "done" or not worker.running)
    finally:
        worker.stop()
    return SimpleNamespace(bound=bound, new=new, answers=answers, told=told, network=network, again=calls, job=job())


def _owed(cloud, gateway):
    """A job that is owed to Pod2, which is there again: how to look at it."""
    project = cloud.identity.newcomer().project.id
    cloud["Pod2"].network.server.refuse()
    gateway.client("network", "admin").ok("PUT", f"/quotas/{project}", {"quota": {"network": 7}})
    cloud.recover()
    admin = gateway.client("admin", "admin")
    return lambda: admin.ok("GET", f"/jobs?resource_id=network/quotas/{project}")["jobs"][0]


def test_reading_goes_on(locked):
    assert [locked.answers[name].status for name in ("show", "list", "pods")] == [200] * 3
    assert locked.network in [row["id"] for row in locked.answers["list"]["networks"]]


def test_what_needs_a_new_binding_is_refused_before_a_pod_is_asked(locked):
    answer = locked.answers["binding"]
    assert (answer.status, answer["NeutronError"]["type"]) == (503, "ServiceUnavailable")
    assert [write for write in locked.told if write.who == locked.new.token.user.name] == []
    assert locked.again["binding"]().status == 201


@pytest.mark.parametrize(("name", "path"), [("network", "/networks"), ("volume", "/volumes")])
def test_what_a_pod_has_made_is_not_called_failed(locked, name, path):
    """Where it lives is only a memory of what the pod knows: forgetting it must not make the user repeat himself."""
    made = [write for write in locked.told if write.method == "POST" and write.path.endswith(path)]
    answer = locked.answers[name]
    assert (len(made), answer.status < 300) == (1, True), answer.raw
    (member,) = answer.body.values()
    assert getattr(locked.bound, name).get(f"{path}/{member['id']}").status == 200


def test_what_a_pod_has_deleted_is_gone(locked):
    assert locked.answers["delete"].status == 204
    assert locked.again["show"]().status == 404


def test_a_router_is_not_changed_without_its_job(locked):
    assert locked.answers["router"].status == 503
    assert [write for write in locked.told if "add_router_interface" in write.path] == []
    assert locked.again["router"]().status == 200


def test_what_is_not_known_is_found_though_it_cannot_be_remembered(locked):
    assert locked.answers["found"].status == 200


def test_the_worker_waits_and_does_its_job_afterwards(locked):
    assert (locked.job["state"], locked.job["attempts"]) == ("done", 1)
    assert [write for write in locked.told if "/quotas/" in write.path] == []
