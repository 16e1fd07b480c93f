"""Pods that are disabled or drained: nothing new comes there, what lives there stays as it is."""
import json
import subprocess

import pytest

from tests.functional.gateway import TRICIRCLE, Gateway
from tests.functional.standin import Cloud
from tests.functional.user import IMAGE, User, flavor, holders

PODS = {"Pod1": "az1", "Pod2": "az1", "Pod3": "az2"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A gateway of its own: Pod1 and Pod2 in az1, Pod3 in az2."""
    cloud = Cloud(3)
    gateway = Gateway(cloud, tmp_path_factory.mktemp("maintenance"), processes=1).start()
    admin = gateway.client("admin", "admin")
    for name, zone in PODS.items():
        gateway.pods[name] = admin.ok("POST", "/pods", {"pod": {"pod_name": name, "az_name": zone}})["pod"]
    flavor(gateway)
    yield gateway
    gateway.stop()
    cloud.close()


@pytest.fixture(autouse=True)
def enabled(gateway):
    """All pods are enabled afterwards."""
    yield
    for name in PODS:
        put(gateway, name, status="enabled")


def put(gateway, name, **fields):
    """Change a pod; the answer."""
    return gateway.client("admin", "admin").put(f"/pods/{gateway.pods[name]['pod_id']}", {"pod": fields})


def bound(gateway, name):
    """A user whose project is bound to a pod."""
    user = User(gateway)
    body = {"pod_binding": {"tenant_id": user.project, "pod_id": gateway.pods[name]["pod_id"]}}
    gateway.client("admin", "admin").ok("POST", "/bindings", body)
    return user


def bindings(gateway, user):
    """{zone's pod name} of a project."""
    names = {pod["pod_id"]: name for name, pod in gateway.pods.items()}
    rows = gateway.client("admin", "admin").ok("GET", f"/bindings?tenant_id={user.project}")["pod_bindings"]
    return [names[row["pod_id"]] for row in rows]


def cli(gateway, *words):
    """Run `tricircle pod` on the gateway's own configuration."""
    return subprocess.run([str(TRICIRCLE), "pod", *words, "--config-file", str(gateway.conf)], capture_output=True,
                          text=True, timeout=120)


def places(gateway, user, zone):
    """Where a server, a volume, a network and a router come to be that are made now."""
    hint = {"availability_zone_hints": [zone]} if zone else {}
    made = (("compute", "servers", user.boot(None, zone)), ("volume", "volumes", user.disk(zone)),
            ("network", "networks", user.net(zone)),
            ("network", "routers", user.make("routers", name="r", **hint)["id"]))
    return {pod for service, shelf, id in made for pod in holders(gateway.cloud, service, shelf, id)}


@pytest.mark.parametrize("status", ["disabled", "draining"])
@pytest.mark.parametrize("zone", ["az1", None])
def test_new_things_go_to_another_pod_of_the_zone_and_stay_together(gateway, status, zone):
    user = bound(gateway, "Pod1")
    assert places(gateway, user, zone) == {"Pod1"}
    assert put(gateway, "Pod1", status=status).status == 200
    assert bindings(gateway, user) == (["Pod2"] if status == "draining" else ["Pod1"])
    assert places(gateway, user, zone) == {"Pod2"}
    assert bindings(gateway, user) == ["Pod2"]
    put(gateway, "Pod1", status="enabled")
    assert places(gateway, user, zone) == {"Pod2"}


def test_a_server_goes_where_its_network_is_unless_that_pod_is_disabled(gateway):
    user = bound(gateway, "Pod1")
    network, _ = user.wired("az1")
    put(gateway, "Pod1", status="disabled", disabled_reason="new switches")
    assert places(gateway, user, "az1") == {"Pod2"}
    body = {"name": "x", "flavorRef": "tiny", "imageRef": IMAGE, "networks": [{"uuid": network}],
            "availability_zone": "az1"}
    with gateway.cloud.unchanged():
        answer = user.compute.post("/servers", {"server": body}, headers={"OpenStack-API-Version": "compute 2.37"})
    assert answer.status == 400
    assert "Pod1" in answer["badRequest"]["message"]
    assert "new switches" in answer["badRequest"]["message"]
    put(gateway, "Pod1", status="enabled")
    assert holders(gateway.cloud, "compute", "servers", user.boot(network, "az1")) == ["Pod1"]
    assert bindings(gateway, user) == ["Pod2"]


def test_a_zone_without_an_enabled_pod_refuses_in_the_services_words(gateway):
    user = bound(gateway, "Pod3")
    network, _ = user.wired("az2")
    volume = user.disk("az2")
    snapshot = user.volume.ok("POST", "/snapshots", {"snapshot": {"volume_id": volume}})["snapshot"]["id"]
    put(gateway, "Pod3", status="disabled", disabled_reason="new switches")
    server = {"name": "x", "flavorRef": "tiny", "imageRef": IMAGE, "networks": "none"}
    zone = {"availability_zone": "az2"}
    hints = {"availability_zone_hints": ["az2"]}
    with gateway.cloud.unchanged():
        for client, collection, body, status, kind in (
                (user.compute, "servers", {"server": {**server, **zone}}, 400, "badRequest"),
                (user.compute, "servers", {"server": {**server, "networks": [{"uuid": network}]}}, 400, "badRequest"),
                (user.volume, "volumes", {"volume": {"size": 1, **zone}}, 400, "badRequest"),
                (user.volume, "volumes", {"volume": {"size": 1, "snapshot_id": snapshot}}, 400, "badRequest"),
                (user.network, "networks", {"network": {"name": "x", **hints}}, 409, "NeutronError"),
                (user.network, "networks", {"networks": [{"name": "x", **hints}]}, 409, "NeutronError"),
                (user.network, "routers", {"router": {"name": "x", **hints}}, 409, "NeutronError")):
            answer = client.post(f"/{collection}", body, headers={"OpenStack-API-Version": "compute 2.37"})
            assert (answer.status, list(answer.body)) == (status, [kind]), body
            assert "Pod3" in str(answer.body)
            assert "new switches" in str(answer.body)


def test_what_lives_there_is_managed_and_gets_what_belongs_to_it(gateway):
    cloud, user = gateway.cloud, bound(gateway, "Pod3")
    network, subnet = user.wired("az2")
    router = user.make("routers", name="r", availability_zone_hints=["az2"])["id"]
    server, volume = user.boot(network, "az2"), user.disk("az2")
    put(gateway, "Pod3", status="draining", disabled_reason="for good")
    assert bindings(gateway, user) == ["Pod3"], "there is no other pod in az2"
    assert [row["id"] for row in user.compute.ok("GET", "/servers")["servers"]] == [server]
    user.compute.ok("POST", f"/servers/{server}/action", {"os-stop": None})
    user.compute.ok("POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    body = {"volume_id": volume, "force": True}
    snapshot = user.volume.ok("POST", "/snapshots", {"snapshot": body})["snapshot"]["id"]
    assert holders(cloud, "volume", "snapshots", snapshot) == ["Pod3"]
    for collection, id in (("ports", user.make("ports", network_id=network)["id"]), ("subnets", user.subnet(network))):
        assert holders(cloud, "network", collection, id) == ["Pod3"]
    far = user.wired("az1")[1]
    user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": far})
    assert user.compute.delete(f"/servers/{server}").status == 204
    made = gateway.client("network", "admin").post("/networks", {"network": {"name": "pinned"}},
                                                   headers={"X-Tricircle-Pod": "Pod3"})
    assert made.status == 201, "an administrator who names the pod knows what he does"


def test_without_a_zone_any_enabled_pod_will_do(gateway):
    user = bound(gateway, "Pod3")
    user.net()
    put(gateway, "Pod3", status="disabled")
    elsewhere = places(gateway, user, None)
    assert len(elsewhere) == 1
    assert elsewhere < {"Pod1", "Pod2"}
    put(gateway, "Pod3", status="enabled")
    assert places(gateway, user, None) == {"Pod3"}, "its first binding is its default again"


def test_what_can_have_replicas_draws_nothing_into_a_disabled_pod(gateway):
    user = bound(gateway, "Pod3")
    body = {"server_group": {"name": "apart", "policies": ["anti-affinity"]}}
    group = user.compute.ok("POST", "/os-server-groups", body)["server_group"]["id"]
    assert holders(gateway.cloud, "compute", "server_groups", group) == ["Pod3"]
    put(gateway, "Pod3", status="disabled")
    server = {"name": "x", "flavorRef": "tiny", "imageRef": IMAGE, "networks": "none"}
    body = {"server": server, "os:scheduler_hints": {"group": group}}
    made = user.compute.ok("POST", "/servers", body, headers={"OpenStack-API-Version": "compute 2.37"})["server"]["id"]
    assert holders(gateway.cloud, "compute", "servers", made) in (["Pod1"], ["Pod2"])
    assert user.compute.ok("GET", f"/os-server-groups/{group}")["server_group"]["members"] == [made]


def test_when_all_pods_are_disabled_things_are_read_and_nothing_is_made(gateway):
    user = bound(gateway, "Pod1")
    network = user.net()
    for name in PODS:
        put(gateway, name, status="disabled", disabled_reason="power cut")
    assert user.network.ok("GET", f"/networks/{network}")["network"]["id"] == network
    answer = user.network.post("/networks", {"network": {"name": "x"}})
    assert answer.status == 409
    assert "Pod1" in answer["NeutronError"]["message"]
    stranger = User(gateway)
    assert stranger.volume.post("/volumes", {"volume": {"size": 1}}).status == 400
    assert stranger.volume.get(f"/volumes/{network}").status == 404
    assert bindings(gateway, stranger) == []


def test_zones_say_whether_they_are_available(gateway):
    user = User(gateway)
    for name in ("Pod1", "Pod3"):
        put(gateway, name, status="disabled")
    for client in (user.compute, user.volume):
        found = client.ok("GET", "/os-availability-zone")["availabilityZoneInfo"]
        assert {zone["zoneName"]: zone["zoneState"]["available"] for zone in found} == {"az1": True, "az2": False}
    found = user.network.ok("GET", "/availability_zones")["availability_zones"]
    assert {(zone["name"], zone["state"]) for zone in found} == {("az1", "available"), ("az2", "unavailable")}


@pytest.mark.parametrize(("fields", "status"), [
    ({"status": "asleep"}, 422), ({"status": ""}, 422), ({"status": None}, 400), ({"disabled_reason": "why"}, 422),
    ({"status": "enabled", "disabled_reason": "why"}, 422),
    ({"status": "disabled", "disabled_reason": "x" * 256}, 400)])
def test_wrong_states_are_refused(gateway, fields, status):
    assert put(gateway, "Pod1", **fields).status == status
    assert put(gateway, "Pod1")["pod"]["status"] == "enabled"


def test_the_reason_goes_with_the_state(gateway):
    assert put(gateway, "Pod1", status="disabled", disabled_reason="disks")["pod"]["disabled_reason"] == "disks"
    assert put(gateway, "Pod1", dc_name="here")["pod"]["disabled_reason"] == "disks"
    assert put(gateway, "Pod1", disabled_reason="switches")["pod"]["status"] == "disabled"
    assert put(gateway, "Pod1", status="enabled")["pod"]["disabled_reason"] == ""


def test_the_command_drains_and_says_what_is_left(gateway):
    user = bound(gateway, "Pod2")
    network, subnet = user.wired("az1")
    server = user.boot(network, "az1")
    router = user.make("routers", name="r", availability_zone_hints=["az1"])["id"]
    for each in (subnet, user.wired("az2")[1]):   # the router gets a replica in Pod3, which does not live there
        user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": each})
    done = cli(gateway, "set", "Pod2", "--drain", "--reason", "worn out")
    assert done.returncode == 0, done.stderr
    assert "Pod2 is draining" in done.stdout
    assert bindings(gateway, user)[0] == "Pod1"
    shown = {row["project_id"]: row for row in json.loads(cli(gateway, "show", "Pod2", "-f", "json").stdout)}
    assert shown[user.project] == {"project_id": user.project, "servers": 1, "volumes": 0, "networks": 1,
                                   "routers": 1, "bound": False}
    away = {row["project_id"]: row for row in json.loads(cli(gateway, "show", "Pod3", "-f", "json").stdout)}
    assert (away[user.project]["networks"], away[user.project]["routers"], away[user.project]["bound"]) == (1, 0, True)
    listed = {pod["pod_name"]: pod for pod in json.loads(cli(gateway, "list", "-f", "json").stdout)}
    assert (listed["Pod2"]["status"], listed["Pod2"]["disabled_reason"]) == ("draining", "worn out")
    user.compute.delete(f"/servers/{server}")
    assert cli(gateway, "set", "Pod2", "--enable").stdout == "pod Pod2 is enabled\n"
    assert cli(gateway, "set", "Pod2").returncode == 2
    assert cli(gateway, "set", "Pod9", "--drain").returncode == 2
