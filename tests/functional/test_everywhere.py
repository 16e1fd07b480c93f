"""Made once, there everywhere: flavors, volume types and QoS specs are one to the user, whatever pods call them."""
import uuid

import pytest

from tests.functional.client import Client
from tests.functional.test_races import MANY, race, statuses
from tests.functional.user import User, holders


@pytest.fixture
def boss(gateway):
    """An administrator in a new project."""
    return User(gateway, gateway.cloud.identity.newcomer(("admin", "member")))


@pytest.fixture
def user(gateway):
    """A new user in a new project."""
    return User(gateway)


def direct(pod, service, who):
    """Past the gateway."""
    root = {"compute": "/v2.1", "volume": "/v3", "network": "/v2.0"}[service]
    return Client(getattr(pod, service).server.url + root, who.token.id)


def new_type(boss, **fields):
    """A volume type made through the gateway."""
    body = {"volume_type": {"name": f"t-{uuid.uuid4().hex[:8]}", **fields}}
    return boss.volume.ok("POST", "/types", body)["volume_type"]


def types(cloud, name):
    """The rows of a type, a pod each; None where it is missing."""
    return [next((row for row in pod.volume.shelf("types").values() if row["name"] == name), None) for pod in cloud]


def qos(cloud, name):
    """Likewise of QoS specs."""
    return [next((row for row in pod.volume.shelf("qos_specs").values() if row["name"] == name), None) for pod in cloud]


def listed(client, path, key, name):
    """What a list has under a name."""
    return [each for each in client.ok("GET", path)[key] if each["name"] == name]


# Volume types

def test_a_type_is_in_every_pod_and_once_in_the_list(cloud, boss, user):
    made = new_type(boss, extra_specs={"a": "1"}, description="gold")
    rows = types(cloud, made["name"])
    assert [row["description"] for row in rows] == ["gold", "gold"]
    assert [row["extra_specs"] for row in rows] == [{"a": "1"}, {"a": "1"}]
    assert rows[0]["id"] != rows[1]["id"]
    for who in (boss, user):
        assert [each["id"] for each in listed(who.volume, "/types", "volume_types", made["name"])] == [made["id"]]
        assert who.volume.ok("GET", f"/types/{made['id']}")["volume_type"]["name"] == made["name"]


def test_any_pods_id_of_a_type_will_do(cloud, boss, user):
    made = new_type(boss)
    for row in types(cloud, made["name"]):
        assert user.volume.ok("GET", f"/types/{row['id']}")["volume_type"]["id"] == made["id"]
        for zone in ("az1", "az2"):
            volume = user.disk(zone, volume_type=row["id"])
            assert user.volume.ok("GET", f"/volumes/{volume}")["volume"]["volume_type"] == made["name"]


def test_a_type_is_used_by_name_and_by_id_in_both_pods(cloud, boss, user):
    made = new_type(boss)
    for zone, pod in (("az1", "Pod1"), ("az2", "Pod2")):
        for called in (made["name"], made["id"]):
            assert holders(cloud, "volume", "volumes", user.disk(zone, volume_type=called)) == [pod]


def test_the_default_type_is_one(cloud, user):
    ids = [row["id"] for row in types(cloud, "__DEFAULT__")]
    shown = listed(user.volume, "/types", "volume_types", "__DEFAULT__")
    assert len(shown) == 1
    assert user.volume.ok("GET", "/types/default")["volume_type"]["id"] == shown[0]["id"]
    for id in ids:
        assert user.volume.ok("GET", f"/types/{id}")["volume_type"]["id"] == shown[0]["id"]
        assert [holders(cloud, "volume", "volumes", user.disk(zone, volume_type=id)) for zone in ("az1", "az2")] == [
            ["Pod1"], ["Pod2"]]


def test_an_id_that_was_shown_once_stays(cloud, gateway, boss):
    """Each pod had the type before Tricircle came; the first list is made while one of them is down."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    ids = [direct(pod, "volume", boss).ok("POST", "/types", {"volume_type": {"name": name}})["volume_type"]["id"]
           for pod in cloud]
    cloud["Pod1"].refuse()
    assert [each["id"] for each in listed(boss.volume, "/types", "volume_types", name)] == [ids[1]]
    cloud["Pod1"].recover()
    gateway.settle()
    assert [each["id"] for each in listed(boss.volume, "/types", "volume_types", name)] == [ids[1]]
    for id in ids:
        assert boss.volume.ok("GET", f"/types/{id}")["volume_type"]["id"] == ids[1]


def test_a_changed_type_changes_everywhere(cloud, boss):
    made = new_type(boss)
    path, name = f"/types/{made['id']}", f"n-{uuid.uuid4().hex[:8]}"
    shown = boss.volume.ok("PUT", path, {"volume_type": {"name": name, "description": "x"}})["volume_type"]
    assert shown["id"] == made["id"]
    assert [row["description"] for row in types(cloud, name)] == ["x", "x"]
    assert [each["id"] for each in listed(boss.volume, "/types", "volume_types", name)] == [made["id"]]
    boss.volume.ok("POST", f"{path}/extra_specs", {"extra_specs": {"a": "1", "b": "2"}})
    boss.volume.ok("PUT", f"{path}/extra_specs/a", {"a": "3"})
    assert boss.volume.delete(f"{path}/extra_specs/b").status == 202
    assert [row["extra_specs"] for row in types(cloud, name)] == [{"a": "3"}, {"a": "3"}]
    encryption = {"provider": "luks", "control_location": "front-end", "key_size": 256, "cipher": "aes"}
    boss.volume.ok("POST", f"{path}/encryption", {"encryption": encryption})
    id = boss.volume.ok("GET", f"{path}/encryption")["encryption_id"]
    boss.volume.ok("PUT", f"{path}/encryption/{id}", {"encryption": {"cipher": "x"}})
    assert [row["_encryption"]["cipher"] for row in types(cloud, name)] == ["x", "x"]
    assert boss.volume.delete(f"{path}/encryption/{id}").status == 202
    assert [row["_encryption"] for row in types(cloud, name)] == [{}, {}]
    assert boss.volume.delete(path).status == 202
    assert types(cloud, name) == [None, None]
    assert boss.volume.get(path).status == 404
    assert listed(boss.volume, "/types", "volume_types", name) == []


def test_access_to_a_private_type(cloud, boss, user):
    made = new_type(boss, **{"os-volume-type-access:is_public": False})
    path = f"/types/{made['id']}"
    assert user.volume.get(path).status == 404
    assert listed(user.volume, "/types", "volume_types", made["name"]) == []
    assert boss.volume.post(f"{path}/action", {"addProjectAccess": {"project": user.project}}).status == 202
    assert [row["_access"] for row in types(cloud, made["name"])] == [[user.project]] * 2
    assert boss.volume.ok("GET", f"{path}/os-volume-type-access")["volume_type_access"] == [
        {"volume_type_id": made["id"], "project_id": user.project}]
    for zone in ("az1", "az2"):
        user.disk(zone, volume_type=made["name"])
    assert boss.volume.post(f"{path}/action", {"removeProjectAccess": {"project": user.project}}).status == 202
    assert [row["_access"] for row in types(cloud, made["name"])] == [[], []]


def test_a_name_that_any_pod_has_is_taken(cloud, boss):
    name = f"t-{uuid.uuid4().hex[:8]}"
    direct(cloud["Pod2"], "volume", boss).ok("POST", "/types", {"volume_type": {"name": name}})
    with cloud.unchanged():
        answer = boss.volume.post("/types", {"volume_type": {"name": name}})
    assert answer.status == 409
    assert list(answer.body) == ["conflictingRequest"]


def test_a_type_that_one_pod_has_by_itself_comes_to_the_other_with_all_it_has(cloud, boss, user):
    """Made past the gateway, private, with QoS; used in the other pod by its name."""
    name, there = f"t-{uuid.uuid4().hex[:8]}", direct(cloud["Pod2"], "volume", boss)
    made = there.ok("POST", "/types", {"volume_type": {"name": name, "extra_specs": {"a": "1"},
                                                       "os-volume-type-access:is_public": False}})["volume_type"]
    there.post(f"/types/{made['id']}/action", {"addProjectAccess": {"project": user.project}})
    spec = there.ok("POST", "/qos-specs", {"qos_specs": {"name": name, "consumer": "both", "iops": "7"}})["qos_specs"]
    there.ok("GET", f"/qos-specs/{spec['id']}/associate?vol_type_id={made['id']}")
    volume = user.disk("az1", volume_type=name)
    assert holders(cloud, "volume", "volumes", volume) == ["Pod1"]
    row = types(cloud, name)[0]
    assert (row["extra_specs"], row["_access"], row["is_public"]) == ({"a": "1"}, [user.project], False)
    assert qos(cloud, name)[0]["id"] == row["_qos"]
    assert qos(cloud, name)[0]["specs"] == {"iops": "7"}


def test_a_private_type_of_others_does_not_come(cloud, boss, user):
    name = f"t-{uuid.uuid4().hex[:8]}"
    body = {"volume_type": {"name": name, "os-volume-type-access:is_public": False}}
    direct(cloud["Pod2"], "volume", boss).ok("POST", "/types", body)
    with cloud.unchanged():
        assert user.volume.post("/volumes", {"volume": {"size": 1, "volume_type": name,
                                                        "availability_zone": "az1"}}).status == 404


def test_a_type_in_use_anywhere_is_in_use(cloud, boss, user):
    """What the deciding pod would do, the other refuses: it is undone, and the type is as before to the user."""
    made = new_type(boss, extra_specs={"a": "1"})
    user.disk("az2", volume_type=made["name"])
    assert boss.volume.delete(f"/types/{made['id']}").status == 400
    rows = types(cloud, made["name"])
    assert [row["extra_specs"] for row in rows] == [{"a": "1"}, {"a": "1"}]
    assert boss.volume.ok("GET", f"/types/{made['id']}")["volume_type"]["id"] == made["id"]
    assert boss.volume.post(f"/types/{made['id']}/extra_specs", {"extra_specs": {"a": "2"}}).status == 400
    assert [row["extra_specs"] for row in types(cloud, made["name"])] == [{"a": "1"}, {"a": "1"}]
    user.disk("az1", volume_type=made["id"])
    assert [each["id"] for each in listed(boss.volume, "/types", "volume_types", made["name"])] == [made["id"]]


def test_fifty_make_one_type(cloud, boss):
    name = f"t-{uuid.uuid4().hex[:8]}"
    answers = race([lambda: boss.volume.post("/types", {"volume_type": {"name": name}}) for _ in range(MANY)])
    assert statuses(answers) == {200: 1, 409: MANY - 1}
    assert [sum(row["name"] == name for row in pod.volume.shelf("types").values()) for pod in cloud] == [1, 1]
    made = next(answer for answer in answers if answer.status == 200)["volume_type"]["id"]
    assert [each["id"] for each in listed(boss.volume, "/types", "volume_types", name)] == [made]


def test_a_mere_user_makes_no_type(cloud, user):
    with cloud.unchanged():
        assert user.volume.post("/types", {"volume_type": {"name": "mine"}}).status == 403


# QoS specs

def test_qos_specs_and_their_types(cloud, boss):
    name, kind = f"q-{uuid.uuid4().hex[:8]}", new_type(boss)
    body = {"qos_specs": {"name": name, "consumer": "front-end", "iops": "5"}}
    made = boss.volume.ok("POST", "/qos-specs", body)["qos_specs"]
    path = f"/qos-specs/{made['id']}"
    assert [row["specs"] for row in qos(cloud, name)] == [{"iops": "5"}] * 2
    assert boss.volume.get(f"{path}/associate?vol_type_id={kind['id']}").status == 202
    assert [row["_qos"] for row in types(cloud, kind["name"])] == [row["id"] for row in qos(cloud, name)]
    assert boss.volume.ok("GET", f"{path}/associations")["qos_associations"] == [
        {"association_type": "volume_type", "name": kind["name"], "id": kind["id"]}]
    assert boss.volume.ok("GET", f"/types/{kind['id']}")["volume_type"]["qos_specs_id"] == made["id"]
    boss.volume.ok("PUT", path, {"qos_specs": {"iops": "6", "burst": "1"}})
    assert boss.volume.put(f"{path}/delete_keys", {"keys": ["burst"]}).status == 202
    assert [row["specs"] for row in qos(cloud, name)] == [{"iops": "6"}] * 2
    assert boss.volume.delete(path).status == 400
    assert boss.volume.get(f"{path}/disassociate_all").status == 202
    assert [row["_qos"] for row in types(cloud, kind["name"])] == [None, None]
    assert [each["id"] for each in listed(boss.volume, "/qos-specs", "qos_specs", name)] == [made["id"]]
    assert boss.volume.delete(path).status == 202
    assert qos(cloud, name) == [None, None]
    assert boss.volume.get(path).status == 404


# Flavors

def test_a_flavor_that_a_pod_cannot_take_is_made_in_none(cloud, boss):
    """Nova wants names to be unique, too: another flavor of Pod2 has the name."""
    id, name = uuid.uuid4().hex[:8], uuid.uuid4().hex[:8]
    body = {"name": name, "ram": 64, "vcpus": 1, "disk": 1}
    direct(cloud["Pod2"], "compute", boss).ok("POST", "/flavors", {"flavor": {**body, "id": "x" + id}})
    with cloud.unchanged():
        assert boss.compute.post("/flavors", {"flavor": {**body, "id": id}}).status == 409
    assert boss.compute.get(f"/flavors/{id}").status == 404


def test_a_keypair_twice_is_told_in_novas_words(user):
    name = user.key()
    answer = user.compute.post("/os-keypairs", {"keypair": {"name": name}})
    assert (answer.status, answer["conflictingRequest"]["message"]) == (409, f"Key pair '{name}' already exists.")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_keypairs_are_read_page_by_page(user, size):
    """By their names, since they have no ids."""
    asked = {"OpenStack-API-Version": "compute 2.35"}
    names = [f"key{number}" for number in range(3)]
    for name in names:
        user.compute.ok("POST", "/os-keypairs", {"keypair": {"name": name}})
    found, path = [], f"/os-keypairs?limit={size}"
    while path:
        page = user.compute.ok("GET", path, headers=asked)
        found += [row["keypair"]["name"] for row in page["keypairs"]]
        assert len(found) <= len(names), found
        path = next((link["href"] for link in page.get("keypairs_links", []) if link["rel"] == "next"), None)
    assert found == names
    assert user.compute.get("/os-keypairs?limit=1&marker=nobody", headers=asked).status == 400
