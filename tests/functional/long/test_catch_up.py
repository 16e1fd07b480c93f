"""A pod that was down while something was made, changed or deleted everywhere catches up by a job of the worker."""
import uuid

import pytest

from tests.functional.gateway import UNREACHABLE, until
from tests.functional.scene import PATIENCE
from tests.functional.test_everywhere import direct, listed, new_type, qos, types
from tests.functional.test_races import race
from tests.functional.user import User, holders


@pytest.fixture
def boss(gateway):
    """An administrator in a new project."""
    return User(gateway, gateway.cloud.identity.newcomer(("admin", "member")))


@pytest.fixture(params=["Pod1", "Pod2"])
def down(request, cloud, gateway):
    """A pod that is down; call it to bring it back."""
    pod = cloud[request.param]

    def back():
        pod.recover()
        gateway.settle()
    back.pod, back.place = pod, list(cloud.pods).index(pod.name)
    return back


def jobs(gateway, *ids):
    """States of the jobs of things with these ids."""
    return [job["state"] for job in gateway.client("admin", "admin").ok("GET", "/jobs?kind=everywhere")["jobs"]
            if job["resource_id"].rsplit("/", 1)[-1] in ids]


def caught_up(gateway, *ids):
    """Wait until nothing is owed."""
    until(lambda: set(jobs(gateway, *ids)) == {"done"}, PATIENCE)
    assert gateway.store()["behind"] == []


def flavor(boss, **fields):
    """A flavor's id."""
    id = uuid.uuid4().hex[:8]
    body = {"name": f"f-{id}", "id": id, "ram": 64, "vcpus": 1, "disk": 1, **fields}
    return boss.compute.ok("POST", "/flavors", {"flavor": body})["flavor"]["id"]


def test_nothing_is_owed_when_all_pods_follow(gateway, boss):
    id = flavor(boss)
    assert jobs(gateway, id) == []
    assert gateway.store()["behind"] == []


def test_made_while_a_pod_was_down(cloud, gateway, boss, down, worker):
    down.pod.refuse()
    body = {"name": uuid.uuid4().hex, "id": uuid.uuid4().hex, "ram": 64, "vcpus": 1, "disk": 1,
            "os-flavor-access:is_public": False}
    answer = boss.compute.post("/flavors", {"flavor": body})
    assert (answer.status, answer.headers[UNREACHABLE]) == (200, down.pod.name)
    id = body["id"]
    boss.compute.ok("POST", f"/flavors/{id}/os-extra_specs", {"extra_specs": {"hw:x": "1"}})
    boss.compute.ok("POST", f"/flavors/{id}/action", {"addTenantAccess": {"tenant": boss.project}})
    key = boss.key()
    made = new_type(boss, extra_specs={"a": "1"}, description="x")
    spec = boss.volume.ok("POST", "/qos-specs", {"qos_specs": {"name": made["name"], "iops": "5"}})["qos_specs"]
    boss.volume.get(f"/qos-specs/{spec['id']}/associate?vol_type_id={made['id']}")
    encryption = {"provider": "luks", "control_location": "front-end"}
    boss.volume.ok("POST", f"/types/{made['id']}/encryption", {"encryption": encryption})
    down()
    caught_up(gateway, id, key, made["id"], spec["id"])
    row = down.pod.compute.shelf("flavors")[id]
    assert (row["_specs"], row["_access"], row["os-flavor-access:is_public"]) == ({"hw:x": "1"}, [boss.project], False)
    keys = [pod.compute.keys_of(boss.token.user.id)[key]["public_key"] for pod in cloud]
    assert keys[0] == keys[1]
    rows = types(cloud, made["name"])
    assert [(row["extra_specs"], row["description"]) for row in rows] == [({"a": "1"}, "x")] * 2
    assert [row["_encryption"]["provider"] for row in rows] == ["luks", "luks"]
    assert [row["_qos"] for row in rows] == [row["id"] for row in qos(cloud, made["name"])]
    assert [each["id"] for each in listed(boss.volume, "/types", "volume_types", made["name"])] == [made["id"]]
    assert boss.volume.ok("GET", f"/types/{rows[down.place]['id']}")["volume_type"]["id"] == made["id"]


def test_changed_while_a_pod_was_down(cloud, gateway, boss, down, worker):
    id, made, latest = flavor(boss), new_type(boss, extra_specs={"a": "1", "b": "1"}), {
        "OpenStack-API-Version": "compute 2.55"}
    boss.compute.ok("POST", f"/flavors/{id}/os-extra_specs", {"extra_specs": {"a": "1", "b": "1"}})
    down.pod.refuse()
    boss.compute.ok("PUT", f"/flavors/{id}", {"flavor": {"description": "new"}}, headers=latest)
    boss.compute.ok("PUT", f"/flavors/{id}/os-extra_specs/a", {"a": "2"})
    boss.compute.ok("DELETE", f"/flavors/{id}/os-extra_specs/b")
    name = uuid.uuid4().hex
    boss.volume.ok("PUT", f"/types/{made['id']}", {"volume_type": {"name": name}})
    boss.volume.ok("PUT", f"/types/{made['id']}/extra_specs/a", {"a": "2"})
    assert boss.volume.delete(f"/types/{made['id']}/extra_specs/b").status == 202
    down()
    caught_up(gateway, id, made["id"])
    assert [(row["_specs"], row["_description"]) for row in (pod.compute.shelf("flavors")[id] for pod in cloud)] == [
        ({"a": "2"}, "new")] * 2
    assert [row["extra_specs"] for row in types(cloud, name)] == [{"a": "2"}] * 2
    assert types(cloud, made["name"]) == [None, None]


def test_a_type_made_public_or_private_while_a_pod_was_down(cloud, gateway, boss, down, worker):
    hidden = {"os-volume-type-access:is_public": False}
    opened, closed = new_type(boss, description="x", **hidden), new_type(boss)
    boss.volume.post(f"/types/{opened['id']}/action", {"addProjectAccess": {"project": boss.project}})
    down.pod.refuse()
    boss.volume.ok("PUT", f"/types/{opened['id']}", {"volume_type": {"is_public": True, "description": ""}})
    boss.volume.ok("PUT", f"/types/{closed['id']}", {"volume_type": {"is_public": False}})
    boss.volume.post(f"/types/{closed['id']}/action", {"addProjectAccess": {"project": boss.project}})
    down()
    caught_up(gateway, opened["id"], closed["id"])
    assert [(row["is_public"], row["description"]) for row in types(cloud, opened["name"])] == [(True, "")] * 2
    assert [(row["is_public"], row["_access"]) for row in types(cloud, closed["name"])] == [
        (False, [boss.project])] * 2


def test_deleted_while_a_pod_was_down_stays_deleted(cloud, gateway, boss, down):
    """Also before the worker has seen to it: nobody sees it, in no list, under no id."""
    id, made, key = flavor(boss), new_type(boss), boss.key()
    local = types(cloud, made["name"])[down.place]["id"]
    down.pod.refuse()
    assert boss.compute.delete(f"/flavors/{id}").status == 202
    assert boss.volume.delete(f"/types/{made['id']}").status == 202
    assert boss.compute.delete(f"/os-keypairs/{key}").status == 202
    down()
    assert holders(cloud, "compute", "flavors", id) == [down.pod.name]
    assert boss.compute.get(f"/flavors/{id}").status == 404
    assert boss.volume.get(f"/types/{made['id']}").status == 404
    assert boss.volume.get(f"/types/{local}").status == 404
    assert boss.compute.get(f"/os-keypairs/{key}").status == 404
    assert id not in [each["id"] for each in boss.compute.ok("GET", "/flavors")["flavors"]]
    assert listed(boss.volume, "/types", "volume_types", made["name"]) == []
    assert boss.compute.ok("GET", "/os-keypairs")["keypairs"] == []
    worker = gateway.worker()
    try:
        caught_up(gateway, id, key, made["id"])
    finally:
        worker.stop()
    assert holders(cloud, "compute", "flavors", id) == []
    assert types(cloud, made["name"]) == [None, None]
    assert [pod.compute.keys_of(boss.token.user.id) for pod in cloud] == [{}, {}]
    assert listed(boss.volume, "/types", "volume_types", made["name"]) == []


def test_a_flavor_deleted_while_the_pod_was_down_boots_nothing(cloud, gateway, boss, down):
    id = flavor(boss)
    down.pod.refuse()
    assert boss.compute.delete(f"/flavors/{id}").status == 202
    down()
    for zone in ("az1", "az2"):
        body = {"name": "x", "flavorRef": id, "imageRef": str(uuid.uuid4()), "networks": "none",
                "availability_zone": zone}
        answer = boss.compute.post("/servers", {"server": body}, headers={"OpenStack-API-Version": "compute 2.37"})
        assert answer.status == 400, answer.raw
    assert holders(cloud, "compute", "flavors", id) == []


def test_made_again_with_other_properties(cloud, gateway, boss, down, worker):
    """The old one is still in the pod that comes back."""
    id, made = flavor(boss), new_type(boss, extra_specs={"old": "1"})
    down.pod.refuse()
    assert boss.compute.delete(f"/flavors/{id}").status == 202
    assert boss.volume.delete(f"/types/{made['id']}").status == 202
    body = {"name": f"g-{id}", "id": id, "ram": 128, "vcpus": 2, "disk": 1}
    boss.compute.ok("POST", "/flavors", {"flavor": body})
    again = new_type(boss, name=made["name"], extra_specs={"new": "1"})
    down()
    caught_up(gateway, id, made["id"], again["id"])
    assert [pod.compute.shelf("flavors")[id]["ram"] for pod in cloud] == [128, 128]
    assert [row["extra_specs"] for row in types(cloud, made["name"])] == [{"new": "1"}] * 2
    assert [each["id"] for each in listed(boss.volume, "/types", "volume_types", made["name"])] == [again["id"]]


def test_what_is_newest_is_not_known_while_only_the_late_pod_is_there(cloud, gateway, boss):
    """Better no answer than an old one, and no write that the next job would undo."""
    id = flavor(boss)
    cloud["Pod1"].refuse()
    boss.compute.ok("POST", f"/flavors/{id}/os-extra_specs", {"extra_specs": {"a": "1"}})
    cloud["Pod1"].recover()
    cloud["Pod2"].refuse()
    until(lambda: boss.compute.get(f"/flavors/{id}").status == 503)
    assert boss.compute.post(f"/flavors/{id}/os-extra_specs", {"extra_specs": {"b": "1"}}).status == 503
    assert cloud["Pod1"].compute.shelf("flavors")[id]["_specs"] == {}


def test_a_lost_answer_of_the_deciding_pod(cloud, gateway, boss, worker):
    """Whether it did it is not known; the others become like it."""
    id = flavor(boss)
    cloud["Pod1"].compute.faults.lose = "POST .*os-extra_specs"
    assert boss.compute.post(f"/flavors/{id}/os-extra_specs", {"extra_specs": {"a": "1"}}).status in (502, 504)
    cloud["Pod1"].compute.faults.lose = ""
    caught_up(gateway, id)
    assert [pod.compute.shelf("flavors")[id]["_specs"] for pod in cloud] == [{"a": "1"}] * 2


def test_writers_in_each_others_way_leave_the_pods_alike(cloud, gateway, boss, worker):
    id = flavor(boss)
    race([lambda n=n: boss.compute.put(f"/flavors/{id}/os-extra_specs/a", {"a": str(n)}) for n in range(30)])
    until(lambda: gateway.store()["behind"] == [], PATIENCE)
    first, second = (pod.compute.shelf("flavors")[id]["_specs"] for pod in cloud)
    assert first == second
    assert boss.compute.ok("GET", f"/flavors/{id}/os-extra_specs")["extra_specs"] == first


def test_a_refused_write_owes_nothing(cloud, gateway, boss):
    id = flavor(boss)
    with cloud.unchanged():
        assert boss.compute.post(f"/flavors/{id}/os-extra_specs", {"extra_specs": 1}).status == 400
    assert gateway.store()["behind"] == []
    assert jobs(gateway, id) == []


def test_what_only_a_pod_that_is_down_may_know_is_not_said_to_be_unknown(cloud, gateway, boss):
    id = uuid.uuid4().hex
    body = {"flavor": {"name": id, "id": id, "ram": 64, "vcpus": 1, "disk": 1}}
    direct(cloud["Pod2"], "compute", boss).ok("POST", "/flavors", body)
    cloud["Pod2"].refuse()
    assert boss.compute.get(f"/flavors/{id}").status == 503
    assert boss.compute.post(f"/flavors/{id}/os-extra_specs", {"extra_specs": {"a": "1"}}).status == 503
    assert boss.compute.delete(f"/flavors/{id}").status == 503
    cloud["Pod2"].recover()
    gateway.settle()
    assert boss.compute.delete(f"/flavors/{id}").status == 202
    assert holders(cloud, "compute", "flavors", id) == []


def test_a_pod_that_cannot_catch_up_serves_with_what_it_has_and_does_not_decide(cloud, gateway, boss):
    """Cinder changes no type that is in use; a pod that was down for the change has a volume of it."""
    made = new_type(boss, extra_specs={"a": "1"})
    boss.disk("az2", volume_type=made["id"])
    cloud["Pod2"].refuse()
    path = f"/types/{made['id']}/extra_specs"
    boss.volume.ok("POST", path, {"extra_specs": {"a": "2"}})
    cloud["Pod2"].recover()
    gateway.settle()
    assert boss.volume.post(path, {"extra_specs": {"b": "1"}}).status == 200
    assert [row["extra_specs"] for row in types(cloud, made["name"])] == [{"a": "2", "b": "1"}, {"a": "1"}]
    assert boss.volume.ok("GET", path)["extra_specs"] == {"a": "2", "b": "1"}
    assert holders(cloud, "volume", "volumes", boss.disk("az2", volume_type=made["name"])) == ["Pod2"]
