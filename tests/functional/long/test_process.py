"""The processes: draining, sudden death, restarts, and answers that get lost."""
import os
import signal
import sqlite3
import time
import uuid

import pytest
import urllib3

from tests.functional.background import answer_of, background
from tests.functional.client import Client
from tests.functional.gateway import Gateway, Process, children, until
from tests.functional.user import IMAGE, User, flavor, holders


@pytest.fixture
def own(cloud, tmp_path):
    """A gateway that a test may kill, with the shared cloud's pods registered."""
    made = Gateway(cloud, tmp_path).start().register()
    yield made
    made.stop()


def test_sigterm_lets_requests_finish_and_takes_no_new_ones(cloud, own):
    user = User(own)
    user.net("az1")
    stop = cloud.stop_at_write(1, "before", "POST /v2.0/networks")
    pending = background(lambda: user.network.post("/networks", {"network": {"name": "late"}}))
    assert stop.wait(10)
    own.api.terminate()
    fresh = urllib3.PoolManager(retries=False)

    def refused():
        try:
            return fresh.request("GET", f"http://127.0.0.1:{own.ports['admin']}/", timeout=2).status >= 500
        except urllib3.exceptions.HTTPError:
            return True
        finally:
            fresh.clear()
    until(refused, 10)
    assert own.api.running, "it must wait for what it has begun"
    stop.release()
    answer = answer_of(pending)
    assert answer.status == 201
    assert own.api.process.wait(15) == 0
    assert holders(cloud, "network", "networks", answer["network"]["id"]) == ["Pod1"]


def test_an_idle_gateway_stops_at_once(own):
    start = time.monotonic()
    own.api.terminate()
    assert own.api.process.wait(10) == 0
    assert time.monotonic() - start < 5


def test_killed_between_the_pods_work_and_the_answer(cloud, own):
    user = User(own)
    stop = cloud.stop_at_write(1, "after", "POST /v2.1/servers$")
    body = {"name": "orphan", "flavorRef": flavor(own), "imageRef": IMAGE, "networks": "none",
            "availability_zone": "az2"}
    pending = background(lambda: user.compute.post("/servers", {"server": body},
                                                   headers={"OpenStack-API-Version": "compute 2.37"}))
    assert stop.wait(10)
    own.api.kill()
    stop.drop()
    assert isinstance(answer_of(pending), urllib3.exceptions.HTTPError)
    own.start()
    user = User(own, user.token)
    server, = user.compute.ok("GET", "/servers")["servers"]
    assert server["name"] == "orphan"
    assert user.compute.ok("GET", f"/servers/{server['id']}")["server"]["OS-EXT-AZ:availability_zone"] == "az2"
    assert user.compute.delete(f"/servers/{server['id']}").status == 204
    assert user.compute.ok("GET", "/servers")["servers"] == []


def test_killed_while_a_replica_is_made(cloud, own):
    """The replica is there, nobody wrote that down: the next request adopts it by its mark."""
    user = User(own)
    group = user.make("security-groups", name="web")["id"]
    home, = holders(cloud, "network", "security-groups", group)
    away = next(pod for pod in cloud if pod.name != home)
    network, _ = user.wired({"Pod1": "az1", "Pod2": "az2"}[away.name])
    stop = cloud.stop_at_write(1, "after", "POST /v2.0/security-groups$")
    body = {"port": {"network_id": network, "security_groups": [group]}}
    pending = background(lambda: user.network.post("/ports", body))
    assert stop.wait(10)
    own.api.kill()
    stop.drop()
    answer_of(pending)
    _expire_claims(own)
    own.start()
    user = User(own, user.token)
    assert user.network.ok("POST", "/ports", body)["port"]["security_groups"] == [group]
    copies = [row for row in away.network.shelf("security-groups").values()
              if row["description"] == f"tricircle:{group}"]
    assert len(copies) == 1


def _expire_claims(gateway):
    """Claims of the dead run out after half a minute; the test does not wait for that."""
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.execute("UPDATE replicas SET claim_until = 0 WHERE local_id IS NULL")


def test_killed_before_a_routers_job_is_let_go(cloud, own):
    """The intent was written first: the job is there after the restart."""
    user = User(own)
    router = user.make("routers", name="r")["id"]
    _, subnet = user.wired("az1")
    stop = cloud.stop_at_write(1, "after", "add_router_interface")
    pending = background(lambda: user.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": subnet}))
    assert stop.wait(10)
    own.api.kill()
    stop.drop()
    answer_of(pending)
    own.start()
    jobs = own.client("admin", "admin").ok("GET", f"/jobs?resource_id={router}")["jobs"]
    assert [job["state"] for job in jobs] == ["queued"]
    again = user.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    assert again.status == 400, "the pod had done it"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("pod", ["Pod1", "Pod2"])
def test_killed_between_the_pods_of_a_flavor(cloud, own, pod, when):
    """Whatever the first pod did by then, the other one follows it; until then only the first one is asked."""
    boss = User(own, cloud.identity.newcomer(("admin", "member")))
    body = {"name": uuid.uuid4().hex, "id": uuid.uuid4().hex, "ram": 64, "vcpus": 1, "disk": 1}
    boss.compute.ok("POST", "/flavors", {"flavor": body})
    path = f"/flavors/{body['id']}/os-extra_specs"
    stop = cloud.stop_at_write({"Pod1": 1, "Pod2": 2}[pod], when, f"POST .*{path}")
    pending = background(lambda: boss.compute.post(path, {"extra_specs": {"a": "1"}}))
    assert stop.wait(10)
    own.api.kill()
    stop.drop()
    answer_of(pending)
    own.start()
    specs = [each.compute.shelf("flavors")[body["id"]]["_specs"] for each in cloud]
    assert boss.compute.ok("GET", path)["extra_specs"] == specs[0]
    with sqlite3.connect(own.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        # Hold and intent run out by themselves, later than a test waits.
        db.execute("UPDATE jobs SET not_before = 0")
        db.execute("UPDATE intents SET until = 0")
    worker = own.worker()
    try:
        until(lambda: own.store()["behind"] == own.store()["intents"] == [], 120)
    finally:
        worker.stop()
    assert [each.compute.shelf("flavors")[body["id"]]["_specs"] for each in cloud] == [specs[0]] * 2


@pytest.mark.parametrize(("service", "path", "body"), [
    ("network", "/networks", {"network": {"name": "lost"}}), ("volume", "/volumes", {"volume": {"size": 1}})])
def test_a_lost_answer_is_not_repeated(cloud, gateway, service, path, body):
    user = User(gateway)
    user.net("az1")
    user.disk("az1")
    mark = len(cloud.log)
    getattr(cloud["Pod1"], service).faults.lose = f"POST .*{path}$"
    answer = getattr(user, service).post(path, body)
    assert answer.status in (502, 504)
    assert "look before you repeat" in answer.raw.decode()
    assert len([w for w in cloud.writes(mark) if w.path.endswith(path)]) == 1


def test_a_pod_that_never_answers_is_given_up(cloud, tmp_path):
    own = Gateway(cloud, tmp_path, deadline=1.5).start().register()
    try:
        user = User(own)
        network = user.net("az1")
        for fault in ({"silent": True}, {"drip": 0.2}):
            for name, value in fault.items():
                setattr(cloud["Pod1"].network.faults, name, value)
            start = time.monotonic()
            answer = user.network.get(f"/networks/{network}")
            assert answer.status == 504
            assert time.monotonic() - start < 4
            cloud["Pod1"].recover()
    finally:
        own.stop()


def test_a_killed_child_is_replaced(own):
    born = until(lambda: children(own.api.process.pid), 5)
    os.kill(born[0], signal.SIGKILL)
    until(lambda: born[0] not in children(own.api.process.pid) and
          len(children(own.api.process.pid)) == len(born), 10)
    own.client("admin", "admin").ok("GET", "/pods")


@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_killed_parent_leaves_no_children(own, when):
    if when == "later":
        own.client("admin", "admin").ok("GET", "/pods")
    else:
        own.api.kill()
        own.api = Process("serve", "--config-file", str(own.conf), log=own.folder / "api.log")
    born = until(lambda: len(children(own.api.process.pid)) == 2 and children(own.api.process.pid), 20, 0.001)
    os.kill(own.api.process.pid, signal.SIGKILL)
    own.api.process.wait(5)
    try:
        until(lambda: not [pid for pid in born if os.path.exists(f"/proc/{pid}/exe")], 10)
    finally:
        own.api.end_group()


def test_keystone_down_is_not_a_bad_token(cloud, gateway):
    user = User(gateway)
    cloud.keystone.refuse()
    answer = user.network.get("/networks")
    assert answer.status == 503
    assert answer.headers["x-openstack-request-id"]
    cloud.keystone.accept()
    assert user.network.get("/networks").status == 200


def test_pods_of_different_releases_advertise_what_both_speak(cloud, tmp_path):
    nova = cloud["Pod2"].compute
    nova.low, nova.high = (2, 10), (2, 79)
    try:
        own = Gateway(cloud, tmp_path, processes=1).start().register()
        try:
            client = own.client("compute", "admin")
            version = client.ok("GET", "")["version"]
            assert (version["min_version"], version["version"]) == ("2.10", "2.79")
            assert client.get("/servers", headers={"OpenStack-API-Version": "compute 2.90"}).status == 406
        finally:
            own.stop()
    finally:
        nova.low, nova.high = (2, 1), (2, 93)


def test_a_lost_database_costs_nothing_but_time(cloud, own):
    """Ids are found again by asking, replicas by their mark."""
    user = User(own)
    user.make("security-groups", name="web")
    ids = {}
    for zone in ("az1", "az2"):
        network, _ = user.wired(zone)
        ids[zone] = (network, user.boot(network, zone, security_groups=[{"name": "web"}]))
    with sqlite3.connect(own.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        for table in ("routings", "replicas"):
            db.execute(f"DELETE FROM {table}")
    for network, server in ids.values():
        assert user.network.get(f"/networks/{network}").status == 200
        assert user.compute.get(f"/servers/{server}").status == 200
    listed = user.network.ok("GET", "/security-groups")["security_groups"]
    assert sorted(g["name"] for g in listed) == ["default", "web"]
    for zone, (network, _) in ids.items():
        user.boot(network, zone, security_groups=[{"name": "web"}])
    copies = [row for pod in cloud for row in pod.network.shelf("security-groups").values()
              if row["project_id"] == user.project and row["name"] == "web"]
    assert len(copies) == 2


def test_the_pods_see_no_token_but_the_callers_and_tricircles(cloud, gateway):
    user, mark = User(gateway), len(cloud.log)
    network, _ = user.wired("az2")
    user.boot(network, "az2")
    assert {w.who for w in cloud.writes(mark)} <= {user.token.user.name, "tricircle", "admin"}
    log = (gateway.folder / "api.log").read_text()
    assert user.token.id not in log
    assert "standin-secret" not in log
    assert Client(user.network.url, user.token.id).get("/networks").status == 200
