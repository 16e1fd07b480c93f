"""The admin API: the original's URLs and JSON with the right status codes."""
import json
import sqlite3
import subprocess
import uuid

import pytest

from tests.functional.gateway import TRICIRCLE, Gateway
from tests.functional.standin import Cloud
from tests.functional.user import User


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A gateway of its own without any pod, and a region that lacks Cinder."""
    cloud = Cloud(2)
    cloud.identity.serve("Half", "nova", "compute", cloud["Pod1"].compute.server.url + "/v2.1")
    cloud.identity.serve("Half", "neutron", "network", cloud["Pod1"].network.server.url)
    gateway = Gateway(cloud, tmp_path_factory.mktemp("bare"), processes=1).start()
    yield gateway
    gateway.stop()
    cloud.close()


@pytest.fixture
def fresh(bare):
    """The same, emptied: each test begins with no pod registered."""
    with sqlite3.connect(bare.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        for table in ("jobs", "bindings", "routings", "replicas", "pods"):
            db.execute(f"DELETE FROM {table}")
    return bare


@pytest.fixture
def admin(fresh):
    """The administrator at the empty gateway."""
    return fresh.client("admin", "admin")


def pod(admin, name="Pod1", **fields):
    """Register a pod; the answer."""
    zone = {"az_name": "az1"} if name != "RegionOne" else {}
    return admin.post("/pods", {"pod": {"pod_name": name, **zone, **fields}})


# Pods

def test_a_top_pod_has_no_zones(admin):
    answer = admin.post("/pods", {"pod": {"pod_name": "RegionOne", "pod_az_name": "x", "dc_name": "here"}})
    assert answer.status == 201
    made = answer["pod"]
    assert uuid.UUID(made.pop("pod_id"))
    assert made == {"pod_name": "RegionOne", "az_name": "", "pod_az_name": "", "dc_name": "here", "status": "enabled",
                    "disabled_reason": ""}


def test_a_bottom_pod_comes_back_as_it_was_made(admin):
    made = pod(admin, pod_az_name=" inner ", dc_name="dc")["pod"]
    assert made == {"pod_id": made["pod_id"], "pod_name": "Pod1", "az_name": "az1", "pod_az_name": "inner",
                    "dc_name": "dc", "status": "enabled", "disabled_reason": ""}
    assert admin.ok("GET", f"/pods/{made['pod_id']}")["pod"] == made
    assert admin.ok("GET", "/pods")["pods"] == [made]


@pytest.mark.parametrize("fields", [{}, {"pod_name": ""}, {"pod_name": "   "}, {"az_name": "az1"},
                                    {"pod_name": "", "az_name": "az1"}, {"pod_name": "  ", "az_name": "az1"}])
def test_a_pod_needs_a_name(admin, fields):
    assert admin.post("/pods", {"pod": fields}).status == 422
    assert admin.ok("GET", "/pods")["pods"] == []


@pytest.mark.parametrize(("fields", "status"), [
    ({"pod_name": "RegionOne", "az_name": ""}, 422), ({"pod_name": "Pod1", "az_name": ""}, 422),
    ({"pod_name": "Pod1", "az_name": None}, 400), ({"pod_name": "Pod1", "az_name": 5}, 400),
    ({"pod_name": 5, "az_name": "az1"}, 400), ({"pod_name": "Pod1", "az_name": "x" * 256}, 400),
    ({"pod_name": "Pod1", "az_name": "az1", "bogus": "x"}, 400), ({"pod_name": "Pod1", "az_name": "a\u0000z"}, 400),
    ({"pod_name": "Pod1"}, 422), ({"pod_name": "RegionOne", "az_name": "az1"}, 422)])
def test_wrong_pods_are_refused(admin, fields, status):
    assert admin.post("/pods", {"pod": fields}).status == status
    assert admin.ok("GET", "/pods")["pods"] == []


def test_there_is_one_top_pod_and_names_are_unique(admin):
    assert pod(admin, "RegionOne").status == 201
    assert pod(admin, "RegionOne").status == 409
    assert pod(admin, "Pod1").status == 201
    assert pod(admin, "Pod1").status == 409
    assert pod(admin, "Pod1", az_name="az2").status == 409
    assert len(admin.ok("GET", "/pods")["pods"]) == 2


def test_a_pod_must_be_a_region_with_endpoints(admin):
    unknown = pod(admin, "Atlantis")
    assert unknown.status == 422
    assert "Atlantis" in unknown["error"]["message"]
    half = pod(admin, "Half")
    assert half.status == 422
    assert "volume" in half["error"]["message"]
    assert "compute" not in half["error"]["message"].replace("volume", "")
    assert admin.ok("GET", "/pods")["pods"] == []


def test_many_pods_share_a_zone(admin):
    assert [pod(admin, name).status for name in ("Pod1", "Pod2")] == [201, 201]


def test_a_pod_makes_an_aggregate_and_takes_it_along(fresh, admin):
    nova = fresh.client("compute", "admin")
    made = pod(admin)["pod"]
    aggregate, = nova.ok("GET", "/os-aggregates")["aggregates"]
    assert (aggregate["name"], aggregate["availability_zone"]) == ("ag_Pod1", "az1")
    assert aggregate["metadata"] == {"availability_zone": "az1"}
    assert nova.ok("GET", f"/os-aggregates/{aggregate['id']}")["aggregate"] == aggregate
    pod(admin, "RegionOne")
    assert len(nova.ok("GET", "/os-aggregates")["aggregates"]) == 1
    assert admin.delete(f"/pods/{made['pod_id']}").status == 204
    assert nova.ok("GET", "/os-aggregates")["aggregates"] == []


def test_a_deleted_pod_is_gone(admin):
    id = pod(admin)["pod"]["pod_id"]
    answer = admin.delete(f"/pods/{id}")
    assert (answer.status, answer.raw) == (204, b"")
    assert admin.get(f"/pods/{id}").status == 404
    assert admin.delete(f"/pods/{id}").status == 404
    assert pod(admin).status == 201


def test_a_pod_in_use_stays(fresh, admin):
    made = pod(admin)["pod"]
    admin.ok("POST", "/bindings", {"pod_binding": {"tenant_id": "someone", "pod_id": made["pod_id"]}})
    assert admin.delete(f"/pods/{made['pod_id']}").status == 409
    moved = admin.put(f"/pods/{made['pod_id']}", {"pod": {"az_name": "az9"}})
    assert moved.status == 409
    assert admin.ok("GET", f"/pods/{made['pod_id']}")["pod"] == made


def test_a_pod_can_be_changed(admin):
    made = pod(admin)["pod"]
    answer = admin.put(f"/pods/{made['pod_id']}", {"pod": {"az_name": "az3", "dc_name": "new"}})
    assert (answer.status, answer["pod"]) == (200, {**made, "az_name": "az3", "dc_name": "new"})
    assert admin.put(f"/pods/{made['pod_id']}", {"pod": {"pod_name": "Pod2"}}).status == 400
    assert admin.put(f"/pods/{made['pod_id']}", {"pod": {"az_name": ""}}).status == 422
    assert admin.put(f"/pods/{uuid.uuid4()}", {"pod": {"az_name": "x"}}).status == 404


# Bindings

def test_bindings_come_and_go(fresh, admin):
    id = pod(admin)["pod"]["pod_id"]
    answer = admin.post("/bindings", {"pod_binding": {"tenant_id": "t1", "pod_id": id}})
    assert answer.status == 201
    made = answer["pod_binding"]
    assert (made["tenant_id"], made["pod_id"]) == ("t1", id)
    assert set(made) == {"id", "tenant_id", "pod_id", "created_at", "updated_at"}
    assert admin.ok("GET", f"/bindings/{made['id']}")["pod_binding"] == made
    assert admin.ok("GET", "/bindings")["pod_bindings"] == [made]
    again = admin.post("/bindings", {"pod_binding": {"tenant_id": "t1", "pod_id": id}})
    assert again.status == 409
    assert admin.delete(f"/bindings/{made['id']}").status == 204
    assert admin.get(f"/bindings/{made['id']}").status == 404
    assert admin.delete(f"/bindings/{made['id']}").status == 404


@pytest.mark.parametrize(("change", "status"), [
    ({"tenant_id": ""}, 422), ({"tenant_id": "  "}, 422), ({"pod_id": ""}, 422), ({"pod_id": "nowhere"}, 422),
    ({"tenant_id": None}, 400), ({"tenant_id": ["t"]}, 400), ({"pod_id": 7}, 400), ({"pod_id": "top"}, 422)])
def test_wrong_bindings_are_refused(admin, change, status):
    bottom, top = pod(admin)["pod"]["pod_id"], pod(admin, "RegionOne")["pod"]["pod_id"]
    body = {"tenant_id": "t1", "pod_id": bottom, **change}
    if body["pod_id"] == "top":
        body["pod_id"] = top
    assert admin.post("/bindings", {"pod_binding": body}).status == status
    assert admin.ok("GET", "/bindings")["pod_bindings"] == []


def test_a_missing_body_is_a_bad_request(admin):
    for path in ("/pods", "/bindings"):
        assert admin.post(path).status == 400
        assert admin.post(path, {}).status == 400


def test_a_binding_decides_where_a_project_goes(fresh, admin):
    first, second = (pod(admin, name)["pod"] for name in ("Pod1", "Pod2"))
    user = User(fresh)
    admin.ok("POST", "/bindings", {"pod_binding": {"tenant_id": user.project, "pod_id": second["pod_id"]}})
    network = user.net("az1")
    assert network in fresh.cloud["Pod2"].network.shelf("networks")
    assert first["az_name"] == second["az_name"]


# Everything

def test_the_versions_are_open_to_all(fresh):
    root = fresh.client("admin", None).get(f"http://127.0.0.1:{fresh.ports['admin']}/")
    assert root.status == 200
    version, = root["versions"]
    assert (version["id"], version["status"]) == ("v1.0", "CURRENT")
    assert version["links"][0]["href"].startswith(f"http://127.0.0.1:{fresh.ports['admin']}/v1.0")
    named = fresh.client("admin", "admin").get("")
    assert named["version"] == "1.0"
    assert {"self", "pods", "bindings", "jobs"} <= {link["rel"] for link in named["links"]}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/v1.0"])
def test_roots_only_answer_get(fresh, method, path):
    client = fresh.client("admin", "admin")
    answer = client.call(method, f"http://127.0.0.1:{fresh.ports['admin']}{path}")
    assert answer.status == 405
    assert answer.headers["x-openstack-request-id"]


@pytest.mark.parametrize(("method", "path"), [
    ("PATCH", "/pods"), ("DELETE", "/pods"), ("PUT", "/pods"), ("POST", "/pods/x"), ("PUT", "/bindings/x"),
    ("POST", "/jobs")])
def test_wrong_methods(admin, method, path):
    assert admin.call(method, path).status == 405


@pytest.mark.parametrize("path", ["/nowhere", "/pods/x/y", "/bindings/x/y", "/pods/x", "/bindings/x", "/jobs/x",
                                  "/testrpc"])
def test_unknown_paths(admin, path):
    answer = admin.get(path)
    assert answer.status == 404
    assert answer["error"]["code"] == 404


@pytest.mark.parametrize("path", ["/pods", "/pods/x", "/bindings", "/jobs", ""])
def test_no_token_is_no_entry(fresh, path):
    for token in (None, "wrong"):
        client = fresh.client("admin", None)
        client.token = token
        answer = client.get(path)
        assert answer.status == 401
        assert "Keystone uri=" in answer.headers["WWW-Authenticate"]
        assert answer.headers["x-openstack-request-id"].startswith("req-")


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/pods"), ("POST", "/pods"), ("GET", "/pods/x"), ("PUT", "/pods/x"), ("DELETE", "/pods/x"),
    ("GET", "/bindings"), ("POST", "/bindings"), ("DELETE", "/bindings/x"), ("GET", "/jobs"), ("PUT", "/jobs/x"),
    ("DELETE", "/jobs/x")])
@pytest.mark.parametrize("who", ["alice", "rita"])
def test_the_api_is_for_administrators(fresh, method, path, who):
    body = {"pod": {"pod_name": "RegionOne"}} if method == "POST" else None
    answer = fresh.client("admin", who).call(method, path, body)
    assert answer.status == 403
    assert answer["error"]["code"] == 403
    assert fresh.client("admin", "admin").ok("GET", "/pods")["pods"] == []


def test_every_answer_has_a_request_id_of_its_own(admin):
    ids = [admin.get(path).headers["x-openstack-request-id"] for path in ("/pods", "/pods/x", "/nowhere", "/jobs")]
    assert len(set(ids)) == len(ids)
    assert all(id.startswith("req-") and uuid.UUID(id[4:]) for id in ids)


# Jobs

def test_there_are_no_jobs_yet(admin):
    assert admin.ok("GET", "/jobs")["jobs"] == []
    assert admin.get("/jobs?bogus=1").status == 400
    for method in ("PUT", "DELETE"):
        assert admin.call(method, f"/jobs/{uuid.uuid4()}").status == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=many", "limit=", "limit=1.5", "limit=%C2%B2",
                                   "state=lost", "state=", "marker=nobody", "marker=", "kind=a&kind=b", "offset=1"])
def test_wrong_questions_for_jobs_are_refused(admin, query):
    answer = admin.get(f"/jobs?{query}")
    assert (answer.status, answer["error"]["code"]) == (400, 400)


def insert_jobs(gateway, *jobs):
    """Jobs that are (id, state, created_at)."""
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.executemany("INSERT INTO jobs (id, kind, resource_id, project_id, state, not_before, created_at) "
                       "VALUES (?, 'router', 'r 1&2', 'p', ?, 0, ?)", jobs)


def test_jobs_come_by_pages_that_the_links_lead_through(fresh, admin):
    insert_jobs(fresh, *((str(number), "done" if number % 2 else "dead", float(number // 3)) for number in range(10)))
    whole = [job["id"] for job in admin.ok("GET", "/jobs")["jobs"]]
    assert whole == ["9", "6", "7", "8", "3", "4", "5", "0", "1", "2"]
    for size in (1, 3, 9, 10):
        seen, url = [], f"/jobs?limit={size}&resource_id=r%201%262"
        while url:
            page = admin.ok("GET", url)
            assert len(page["jobs"]) <= size
            seen += [job["id"] for job in page["jobs"]]
            url = page["jobs_links"][0]["href"] if "jobs_links" in page else None
        assert seen == whole
    page = admin.ok("GET", "/jobs?state=done&limit=2&marker=7")
    assert [job["id"] for job in page["jobs"]] == ["3", "5"]
    assert "jobs_links" not in admin.ok("GET", "/jobs?limit=10")
    shown = cli(fresh, "job", "list", "--state", "dead", "--limit", "2", "--marker", "6", "-f", "json")
    assert [job["id"] for job in json.loads(shown.stdout)] == ["8", "4"]


def test_a_job_is_cancelled_and_redone_by_either_door(fresh, admin):
    insert_jobs(fresh, ("over", "done", 1.0), ("owed", "queued", 2.0))
    answer = admin.delete("/jobs/over")
    assert answer.status == 409
    assert "done" in answer["error"]["message"]
    answer = admin.delete("/jobs/owed")
    assert (answer.status, answer["job"]["state"]) == (202, "cancelled")
    assert admin.ok("GET", "/jobs/owed")["job"]["log"][0]["text"] == "cancelled while queued"
    assert admin.delete("/jobs/owed").status == 409
    assert admin.put("/jobs/owed").status == 202
    assert cli(fresh, "job", "cancel", "owed").returncode == 0
    assert admin.ok("GET", "/jobs?state=cancelled")["jobs"][0]["id"] == "owed"
    refused = cli(fresh, "job", "cancel", "over")
    assert refused.returncode == 2
    assert "Error: job over is done" in refused.stderr


def cli(gateway, *words):
    """Run `tricircle` on the gateway's own configuration."""
    return subprocess.run([str(TRICIRCLE), *words, "--config-file", str(gateway.conf)], capture_output=True, text=True,
                          timeout=120)


def test_the_cli_sees_the_same_pods(fresh, admin):
    made = pod(admin)["pod"]
    assert json.loads(cli(fresh, "pod", "list", "-f", "json").stdout) == [made]
