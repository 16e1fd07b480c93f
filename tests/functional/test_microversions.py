"""Pods of different releases: one microversion for all, and Nova's partial answers where a pod is away."""
import sqlite3

import pytest

from tests.functional.gateway import UNREACHABLE, Gateway
from tests.functional.standin import Cloud
from tests.functional.user import User

PARTIAL = {"OpenStack-API-Version": "compute 2.69"}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """(cloud, gateway): Pod1 is of an older release than Pod2."""
    cloud = Cloud(2)
    cloud["Pod1"].compute.high, cloud["Pod2"].compute.high = (2, 90), (2, 96)
    cloud["Pod1"].volume.high = (3, 60)
    gateway = Gateway(cloud, tmp_path_factory.mktemp("mixed")).start().register()
    yield cloud, gateway
    gateway.stop()
    cloud.close()


@pytest.fixture(scope="module")
def owner(mixed):
    """(user, {pod: server id})."""
    user = User(mixed[1])
    return user, {"Pod1": user.boot(None, "az1"), "Pod2": user.boot(None, "az2")}


@pytest.fixture(autouse=True)
def recovered(mixed):
    """Whole again after each test."""
    yield
    if mixed[0].recover():
        mixed[1].settle()


@pytest.mark.parametrize("name", ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"])
@pytest.mark.parametrize(("asked", "given"), [("2.90", "2.90"), ("latest", "2.90"), ("2.1", "2.1")])
def test_what_all_pods_speak_is_spoken(mixed, owner, name, asked, given):
    user, ids = owner
    value = f"compute {asked}" if name.startswith("Open") else asked
    for path in ("/servers/detail", "/servers?limit=1", f"/servers/{ids['Pod2']}", f"/servers/{ids['Pod1']}"):
        answer = user.compute.get(path, headers={name: value})
        assert answer.status == 200
        assert answer.headers["OpenStack-API-Version"] == f"compute {given}"
        assert answer.headers["X-OpenStack-Nova-API-Version"] == given
        assert "OpenStack-API-Version" in answer.headers["Vary"]


@pytest.mark.parametrize("path", ["/servers", "/flavors", "/servers/{Pod2}"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_one_pod_does_not_speak_is_not_acceptable(mixed, owner, path, method):
    """Also where the request would go to the one that does: which pod serves is not the user's business."""
    user, ids = owner
    answer = user.compute.call(method, path.format(**ids), headers={"OpenStack-API-Version": "compute 2.95"})
    assert answer.status == 406
    assert answer.body == {"computeFault": {"code": 406, "message": "Version 2.95 is not supported by the API. "
                                            "Minimum is 2.1 and maximum is 2.90."}}
    assert answer.headers["OpenStack-API-Version"] == "compute 2.95"


def test_cinder_as_well(mixed, owner):
    user, _ = owner
    assert user.volume.get("/volumes", headers={"OpenStack-API-Version": "volume 3.61"}).status == 406
    answer = user.volume.get("/volumes", headers={"OpenStack-API-Version": "compute 2.95, volume latest"})
    assert answer.headers["OpenStack-API-Version"] == "volume 3.60"


@pytest.mark.parametrize("asked", ["2", "2.x", "2.01", "0.1", "2.1.1", "-1.0", "9" * 400 + ".1"])
def test_what_is_malformed_is_a_bad_request(owner, asked):
    answer = owner[0].compute.get("/servers", headers={"OpenStack-API-Version": f"compute {asked}"})
    assert answer.status == 400
    assert answer["badRequest"]["message"].endswith("is of invalid format. Must be of format MajorNum.MinorNum.")


def test_another_services_version_is_no_concern(owner):
    assert owner[0].compute.get("/servers", headers={"OpenStack-API-Version": "volume 3.99"}).status == 200
    assert owner[0].network.get("/networks", headers={"OpenStack-API-Version": "network 9.9"}).status == 200


def test_the_intersection_does_not_grow_while_a_pod_is_away(mixed, owner):
    cloud, _ = mixed
    owner[0].compute.ok("GET", "/servers", headers={"OpenStack-API-Version": "compute latest"})
    cloud["Pod1"].refuse()
    answer = owner[0].compute.get("/servers", headers={"OpenStack-API-Version": "compute latest"})
    assert answer.headers["OpenStack-API-Version"] == "compute 2.90"


def test_a_list_shows_the_servers_of_a_pod_that_is_away(mixed, owner):
    cloud, _ = mixed
    user, ids = owner
    cloud["Pod2"].refuse()
    for path, keys in (("/servers", {"id", "status", "links"}),
                       ("/servers/detail", {"id", "status", "tenant_id", "created", "links"})):
        answer = user.compute.get(path, headers=PARTIAL)
        assert answer.headers[UNREACHABLE] == "Pod2"
        rows = {row["id"]: row for row in answer["servers"]}
        assert set(rows) == set(ids.values())
        shown = rows[ids["Pod2"]]
        assert set(shown) == keys
        assert shown["status"] == "UNKNOWN"
        assert shown["links"][0]["href"] == f"{user.compute.url}/servers/{ids['Pod2']}"
        assert "name" in rows[ids["Pod1"]]
        assert shown.get("tenant_id", user.project) == user.project


@pytest.mark.parametrize("query", ["limit=5", "sort_key=created_at", "name=vm", "status=ACTIVE"])
def test_what_is_filtered_sorted_or_paged_skips_it(mixed, owner, query):
    mixed[0]["Pod2"].refuse()
    answer = owner[0].compute.get(f"/servers?{query}", headers=PARTIAL)
    assert answer.headers[UNREACHABLE] == "Pod2"
    assert [row["id"] for row in answer["servers"]] == [owner[1]["Pod1"]]


def test_before_the_microversion_it_is_skipped(mixed, owner):
    mixed[0]["Pod2"].refuse()
    for headers in ({}, {"OpenStack-API-Version": "compute 2.68"}):
        answer = owner[0].compute.get("/servers", headers=headers)
        assert answer.headers[UNREACHABLE] == "Pod2"
        assert [row["id"] for row in answer["servers"]] == [owner[1]["Pod1"]]
    assert owner[0].compute.get(f"/servers/{owner[1]['Pod2']}").status == 503


def test_one_server_of_a_pod_that_is_away(mixed, owner):
    user, ids = owner
    mixed[0]["Pod2"].refuse()
    answer = user.compute.get(f"/servers/{ids['Pod2']}", headers=PARTIAL)
    assert answer.status == 200
    assert answer.headers[UNREACHABLE] == "Pod2"
    assert answer.headers["OpenStack-API-Version"] == "compute 2.69"
    server = answer["server"]
    assert set(server) == {"id", "status", "tenant_id", "created", "links", "OS-EXT-AZ:availability_zone",
                           "OS-EXT-STS:power_state", "user_id"}
    assert (server["status"], server["OS-EXT-AZ:availability_zone"]) == ("UNKNOWN", "az2")


def test_nobody_else_is_shown_them(mixed, owner):
    cloud, gateway = mixed
    stranger, boss = User(gateway), User(gateway, "admin")
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.execute("DELETE FROM routings WHERE resource_id = ?", (owner[1]["Pod2"],))
    boss.compute.ok("GET", f"/servers/{owner[1]['Pod2']}")      # found anew, it is not of the administrator's project
    cloud["Pod2"].refuse()
    assert stranger.compute.ok("GET", "/servers", headers=PARTIAL)["servers"] == []
    assert stranger.compute.get(f"/servers/{owner[1]['Pod2']}", headers=PARTIAL).status == 503
    assert boss.compute.ok("GET", "/servers", headers=PARTIAL)["servers"] == []
    everything = boss.compute.ok("GET", "/servers?all_tenants=1", headers=PARTIAL)["servers"]
    assert owner[1]["Pod2"] in [row["id"] for row in everything]


def test_a_deleted_server_is_not_shown_any_more(mixed, owner):
    user, _ = owner
    gone = user.boot(None, "az2")
    assert user.compute.delete(f"/servers/{gone}").status == 204
    mixed[0]["Pod2"].refuse()
    assert gone not in [row["id"] for row in user.compute.ok("GET", "/servers", headers=PARTIAL)["servers"]]


def test_all_pods_away(mixed, owner):
    user, ids = owner
    for pod in mixed[0]:
        pod.refuse()
    answer = user.compute.get("/servers/detail", headers=PARTIAL)
    assert answer.status == 200
    assert {row["id"] for row in answer["servers"]} == set(ids.values())
    assert user.compute.get("/servers/detail").status == 503
