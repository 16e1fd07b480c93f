"""Which pod a request goes to, and that ids, links and zones are the user's on the way back."""
import json
import uuid

import pytest

from tests.functional.client import Client
from tests.functional.user import IMAGE, User, flavor, holders


@pytest.fixture
def user(gateway):
    """A new user in a new project."""
    return User(gateway)


@pytest.mark.parametrize(("zone", "pod"), [("az1", "Pod1"), ("az2", "Pod2")])
def test_a_zone_chooses_the_pod(cloud, user, zone, pod):
    network, subnet = user.wired(zone)
    server, volume = user.boot(network, zone), user.disk(zone)
    assert holders(cloud, "network", "networks", network) == [pod]
    assert holders(cloud, "network", "subnets", subnet) == [pod]
    assert holders(cloud, "compute", "servers", server) == [pod]
    assert holders(cloud, "volume", "volumes", volume) == [pod]


@pytest.mark.parametrize(("zone", "pod"), [("az1", "Pod1"), ("az2", "Pod2")])
def test_zones_are_the_users_on_the_way_back_and_the_pods_on_the_way_down(cloud, gateway, user, zone, pod):
    flavor(gateway)
    network, _ = user.wired(zone)
    server, volume = user.boot(network, zone), user.disk(zone)
    assert user.compute.ok("GET", f"/servers/{server}")["server"]["OS-EXT-AZ:availability_zone"] == zone
    listed = {s["id"]: s for s in user.compute.ok("GET", "/servers/detail")["servers"]}
    assert listed[server]["OS-EXT-AZ:availability_zone"] == zone
    assert user.volume.ok("GET", f"/volumes/{volume}")["volume"]["availability_zone"] == zone
    shown = user.network.ok("GET", f"/networks/{network}")["network"]
    assert (shown["availability_zone_hints"], shown["availability_zones"]) == ([zone], [zone])
    assert cloud[pod].compute.shelf("servers")[server]["OS-EXT-AZ:availability_zone"] == "nova"
    assert cloud[pod].volume.shelf("volumes")[volume]["availability_zone"] == "nova"


def test_the_zones_are_listed_once(gateway, user):
    found = user.compute.ok("GET", "/os-availability-zone")["availabilityZoneInfo"]
    assert [(z["zoneName"], z["zoneState"]) for z in found] == [(z, {"available": True}) for z in ("az1", "az2")]
    assert [z["zoneName"] for z in user.volume.ok("GET", "/os-availability-zone")["availabilityZoneInfo"]] == [
        "az1", "az2"]
    found = user.network.ok("GET", "/availability_zones")["availability_zones"]
    assert {(z["name"], z["resource"]) for z in found} == {(name, resource) for name in ("az1", "az2")
                                                           for resource in ("network", "router")}


def test_an_unknown_zone_is_refused_in_the_services_words(cloud, gateway, user):
    user.boot(None, "az1")
    with cloud.unchanged():
        body = {"name": "x", "flavorRef": flavor(gateway), "imageRef": IMAGE, "availability_zone": "mars"}
        answer = user.compute.post("/servers", {"server": body})
        assert (answer.status, list(answer.body)) == (400, ["badRequest"])
        answer = user.volume.post("/volumes", {"volume": {"size": 1, "availability_zone": "mars"}})
        assert (answer.status, list(answer.body)) == (400, ["badRequest"])
        answer = user.network.post("/networks", {"network": {"availability_zone_hints": ["mars"]}})
        assert (answer.status, answer["NeutronError"]["type"]) == (404, "AvailabilityZoneNotFound")


def test_the_pods_own_zone_is_no_zone_of_the_user(cloud, gateway, user):
    user.boot(None, "az1")
    with cloud.unchanged():
        answer = user.volume.post("/volumes", {"volume": {"size": 1, "availability_zone": "nova"}})
    assert answer.status == 400


def test_what_a_body_refers_to_decides_without_a_zone(cloud, user):
    far, subnet = user.wired("az2")
    port = user.make("ports", network_id=far)["id"]
    server = user.boot(far)
    for service, shelf, id in (("network", "subnets", subnet), ("network", "ports", port),
                               ("compute", "servers", server)):
        assert holders(cloud, service, shelf, id) == ["Pod2"]
    volume = user.disk("az2")
    snapshot = user.volume.ok("POST", "/snapshots", {"snapshot": {"volume_id": volume}})["snapshot"]["id"]
    assert holders(cloud, "volume", "snapshots", snapshot) == ["Pod2"]
    assert holders(cloud, "volume", "volumes", user.disk(snapshot_id=snapshot)) == ["Pod2"]


def test_a_project_keeps_its_default_pod(cloud, gateway, user):
    first = holders(cloud, "network", "networks", user.net())
    assert len(first) == 1
    assert all(holders(cloud, "network", "networks", user.net()) == first for _ in range(4))
    assert holders(cloud, "volume", "volumes", user.disk()) == first


def test_every_method_follows_the_id(cloud, user):
    for zone, pod in (("az1", "Pod1"), ("az2", "Pod2")):
        network, subnet = user.wired(zone)
        server, volume = user.boot(network, zone), user.disk(zone)
        user.network.ok("PUT", f"/networks/{network}", {"network": {"name": "renamed"}})
        user.network.ok("PUT", f"/networks/{network}/tags", {"tags": ["blue"]})
        user.compute.ok("PUT", f"/servers/{server}", {"server": {"name": "renamed"}})
        user.compute.ok("POST", f"/servers/{server}/metadata", {"metadata": {"a": "b"}})
        user.compute.ok("POST", f"/servers/{server}/action", {"os-stop": None})
        user.volume.ok("POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 3}})
        rows = cloud[pod].network.shelf("networks")[network], cloud[pod].compute.shelf("servers")[server]
        assert (rows[0]["name"], rows[0]["tags"]) == ("renamed", ["blue"])
        assert (rows[1]["name"], rows[1]["metadata"], rows[1]["status"]) == ("renamed", {"a": "b"}, "SHUTOFF")
        assert cloud[pod].volume.shelf("volumes")[volume]["size"] == 3
        assert user.compute.delete(f"/servers/{server}").status == 204
        assert user.volume.delete(f"/volumes/{volume}").status == 202
        assert user.network.delete(f"/subnets/{subnet}").status == 204
        assert user.network.delete(f"/networks/{network}").status == 204
        for client, path in ((user.compute, f"/servers/{server}"), (user.volume, f"/volumes/{volume}"),
                             (user.network, f"/networks/{network}"), (user.network, f"/subnets/{subnet}")):
            assert client.get(path).status == 404


def test_links_lead_to_the_gateway(cloud, gateway, user):
    network, _ = user.wired("az2")
    server, volume = user.boot(network, "az2"), user.disk("az2")
    pods = [service.server.url for pod in cloud for service in pod.services]
    answers = [user.compute.get(f"/servers/{server}"), user.compute.get("/servers/detail"),
               user.compute.get("/servers"), user.compute.get("/flavors/detail"), user.volume.get(f"/volumes/{volume}"),
               user.volume.get("/volumes"),
               user.compute.get(f"http://127.0.0.1:{gateway.ports['compute']}/"), user.compute.get(""),
               user.volume.get(""), user.network.get("/")]
    for answer in answers:
        text = answer.raw.decode() + json.dumps(dict(answer.headers))
        assert not [url for url in pods if url in text], text[:500]
    link = next(link["href"] for link in user.compute.get(f"/servers/{server}")["server"]["links"]
                if link["rel"] == "self")
    assert user.compute.ok("GET", link)["server"]["id"] == server


def test_a_created_server_is_found_at_its_location(cloud, gateway, user):
    body = {"name": "x", "flavorRef": flavor(gateway), "imageRef": IMAGE, "networks": "none",
            "availability_zone": "az1"}
    answer = user.compute.post("/servers", {"server": body}, headers={"OpenStack-API-Version": "compute 2.37"})
    assert answer.status == 202
    assert answer.headers["Location"].startswith(user.compute.url)
    assert user.compute.ok("GET", answer.headers["Location"])["server"]["name"] == "x"


@pytest.mark.parametrize(("service", "url", "shelf", "member"), [
    ("network", "/v2.0/networks", "networks", "network"), ("volume", "/v3/volumes", "volumes", "volume")])
def test_what_was_made_in_a_pod_directly_is_found_by_asking(cloud, user, service, url, shelf, member):
    pod = getattr(cloud["Pod2"], service)
    direct = type(user.network)(pod.server.url, user.token.id)
    body = {"size": 1} if member == "volume" else {"name": "direct"}
    id = direct.ok("POST", url, {member: body})[member]["id"]
    client = getattr(user, service)
    assert client.ok("GET", f"/{shelf}/{id}")[member]["id"] == id
    calls = {p.name: len(getattr(p, service).faults.calls) for p in cloud}
    client.ok("GET", f"/{shelf}/{id}")
    assert len(getattr(cloud["Pod1"], service).faults.calls) == calls["Pod1"], "a known id is not asked for again"


def test_an_id_that_nobody_has_is_not_found(user):
    for client, path, kind in ((user.compute, "/servers", "itemNotFound"), (user.volume, "/volumes", "itemNotFound"),
                               (user.network, "/networks", "NeutronError")):
        answer = client.get(f"{path}/{uuid.uuid4()}")
        assert (answer.status, list(answer.body)) == (404, [kind])


def test_a_put_that_names_what_nobody_has_is_not_the_end_of_the_resource(gateway, user):
    network, _ = user.wired("az2")
    port = user.network.ok("POST", "/ports", {"port": {"network_id": network}})["port"]["id"]
    assert user.network.put(f"/ports/{port}", {"port": {"security_groups": [str(uuid.uuid4())]}}).status == 404
    assert port in {row[0] for row in gateway.store()["routings"]}


def test_the_pod_is_told_in_a_header_never_in_the_body(user):
    network = user.net("az2")
    answer = user.network.get(f"/networks/{network}")
    assert answer.headers["X-Tricircle-Pod"] == "Pod2"
    assert "Pod2" not in answer.raw.decode()
    assert answer.headers["X-Tricircle-Request-Id"].startswith("req-")


def test_only_an_administrator_pins_a_pod(cloud, gateway, user):
    with cloud.unchanged():
        answer = user.network.post("/networks", {"network": {"name": "x"}}, headers={"X-Tricircle-Pod": "Pod2"})
        assert answer.status == 403
        unknown = gateway.client("network", "admin").get("/networks", headers={"X-Tricircle-Pod": "Pod9"})
        assert unknown.status == 400
    boss = User(gateway, "admin")
    made = boss.network.ok("POST", "/networks", {"network": {"name": "x"}}, headers={"X-Tricircle-Pod": "Pod2"})
    assert holders(cloud, "network", "networks", made["network"]["id"]) == ["Pod2"]


def test_things_of_two_pods_do_not_go_together(cloud, user):
    server, volume = user.boot(None, "az1"), user.disk("az2")
    user.compute.ok("GET", f"/servers/{server}")
    user.volume.ok("GET", f"/volumes/{volume}")
    with cloud.unchanged():
        answer = user.compute.post(f"/servers/{server}/os-volume_attachments",
                                   {"volumeAttachment": {"volumeId": volume}})
    assert answer.status == 400
    message = answer["badRequest"]["message"]
    assert "Pod1" in message
    assert "Pod2" in message
    here = user.disk("az1")
    user.compute.ok("POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": here}})
    assert user.volume.ok("GET", f"/volumes/{here}")["volume"]["status"] == "in-use"
    for volume_id, status in ((str(uuid.uuid4()), 404), (volume, 400)):
        answer = user.compute.post(f"/servers/{server}/os-volume_attachments",
                                   {"volumeAttachment": {"volumeId": volume_id}})
        assert answer.status == status
    bad = {"volumeAttachment": {"volumeId": user.disk("az1"), "device": "not a device"}}
    assert user.compute.post(f"/servers/{server}/os-volume_attachments", bad).status == 400


def test_a_server_beside_the_wrong_network_is_refused(cloud, gateway, user):
    network, _ = user.wired("az1")
    user.boot(None, "az2")
    with cloud.unchanged():
        body = {"name": "x", "flavorRef": flavor(gateway), "imageRef": IMAGE, "availability_zone": "az2",
                "networks": [{"uuid": network}]}
        answer = user.compute.post("/servers", {"server": body})
    assert answer.status == 400


@pytest.mark.parametrize(("hints", "pod"), [(["az2", "az1"], "Pod2"), (["az1", "az2"], "Pod1")])
@pytest.mark.parametrize("kind", ["network", "router"])
def test_of_several_hints_the_first_one_is_taken(cloud, user, kind, hints, pod):
    made = user.network.ok("POST", f"/{kind}s", {kind: {"availability_zone_hints": hints}})[kind]
    assert holders(cloud, "network", f"{kind}s", made["id"]) == [pod]
    assert made["availability_zone_hints"] == hints[:1]
    answer = user.network.post("/networks", {"network": {"availability_zone_hints": [*hints, "mars"]}})
    assert (answer.status, answer["NeutronError"]["type"]) == (404, "AvailabilityZoneNotFound")


def test_external_networks_are_hinted_with_a_pods_name(cloud, gateway, user):
    boss = User(gateway, "admin")
    body = {"name": "ext", "router:external": True, "provider:network_type": "vlan",
            "provider:physical_network": "extern", "provider:segmentation_id": 3001}
    made = boss.network.ok("POST", "/networks", {"network": {**body, "availability_zone_hints": ["Pod2"]}})["network"]
    assert holders(cloud, "network", "networks", made["id"]) == ["Pod2"]
    assert made["availability_zone_hints"] == ["Pod2"]
    assert user.network.ok("GET", f"/networks/{made['id']}")["network"]["availability_zone_hints"] == ["Pod2"]
    with cloud.unchanged():
        wrong = boss.network.post("/networks", {"network": {**body, "availability_zone_hints": ["az1"]}})
    assert wrong.status in (400, 404)
    boss.network.ok("DELETE", f"/networks/{made['id']}")


def test_microversions_pass_through_and_are_judged(gateway, user):
    server = user.boot(None, "az1")
    old = user.compute.ok("GET", f"/servers/{server}")["server"]["flavor"]
    answer = user.compute.get(f"/servers/{server}", headers={"OpenStack-API-Version": "compute 2.47"})
    assert "id" in old
    assert "original_name" in answer["server"]["flavor"]
    assert answer.headers["OpenStack-API-Version"] == "compute 2.47"
    legacy = user.compute.get(f"/servers/{server}", headers={"X-OpenStack-Nova-API-Version": "2.47"})
    assert "original_name" in legacy["server"]["flavor"]
    for wrong, status in (("compute 2.999", 406), ("compute nonsense", 400), ("compute 1.1", 406)):
        assert user.compute.get("/servers", headers={"OpenStack-API-Version": wrong}).status == status


def test_global_request_ids_go_down(cloud, user):
    mine = f"req-{uuid.uuid4()}"
    mark = len(cloud.log)
    answer = user.network.post("/networks", {"network": {"name": "x"}}, headers={"X-Openstack-Request-Id": mine})
    assert answer.headers["x-openstack-request-id"] != mine
    assert cloud.writes(mark)[-1].headers["x-openstack-request-id"] == mine
    answer = user.network.post("/networks", {"network": {"name": "x"}}, headers={"X-Openstack-Request-Id": "junk"})
    assert cloud.writes(mark)[-1].headers["x-openstack-request-id"] == answer.headers["X-Tricircle-Request-Id"]
    assert answer.headers["x-openstack-request-id"] != answer.headers["X-Tricircle-Request-Id"]


def test_nothing_of_the_callers_identity_headers_reaches_a_pod(cloud, user):
    mark = len(cloud.log)
    forged = {"X-Roles": "admin", "X-Project-Id": "0" * 32, "X-User-Id": "0" * 32, "X-Is-Admin-Project": "True"}
    user.network.ok("POST", "/networks", {"network": {"name": "x"}}, headers=forged)
    write = cloud.writes(mark)[-1]
    assert not {name for name in write.headers if name in ("x-roles", "x-project-id", "x-user-id")}
    assert write.body == {"network": {"name": "x"}}
    assert write.who == user.token.user.name, "the user's own call is made with the user's own token"
    assert user.admin.get("/pods", headers=forged).status == 403


def test_consoles_lead_to_the_pods_proxy(cloud, user):
    server = user.boot(None, "az2")
    body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    found = user.compute.ok("POST", f"/servers/{server}/remote-consoles", body,
                            headers={"OpenStack-API-Version": "compute 2.6"})["remote_console"]
    assert ":6080/" in found["url"]
    assert server in found["url"]


def test_console_output_and_images_of_a_server(user):
    server = user.boot(None, "az2")
    assert user.compute.ok("POST", f"/servers/{server}/action", {"os-getConsoleOutput": {}})["output"]
    answer = user.compute.post(f"/servers/{server}/action", {"createImage": {"name": "i"}})
    assert answer.status == 202


@pytest.mark.parametrize(("action", "status"), [({"bogus": None}, 400), ({"os-start": None}, 409), ({}, 400)])
def test_refused_actions_keep_the_pods_code(user, action, status):
    server = user.boot(None, "az1")
    assert user.compute.post(f"/servers/{server}/action", action).status == status
    assert user.compute.post(f"/servers/{uuid.uuid4()}/action", {"os-stop": None}).status == 404


def test_a_dead_pod_does_not_keep_servers_out_of_the_others(cloud, user):
    """The project's `default` group lives in the dead one; the other has it already."""
    networks = {zone: user.wired(zone)[0] for zone in ("az1", "az2")}
    for zone, network in networks.items():
        user.boot(network, zone)
    cloud["Pod1"].refuse()
    server = user.boot(networks["az2"], "az2")
    assert holders(cloud, "compute", "servers", server) == ["Pod2"]


def test_what_an_administrator_makes_for_a_project_is_where_the_projects_own_things_are(cloud, gateway):
    """Whichever pod is the default one of either project."""
    boss = User(gateway, "admin")
    for _ in range(2):
        user = User(gateway)
        disk = user.disk()
        for owner in ("project_id", "tenant_id"):
            network = boss.net(**{owner: user.project})
            assert holders(cloud, "network", "networks", network) == holders(cloud, "volume", "volumes", disk)
    with cloud.unchanged():
        assert user.network.post("/networks", {"network": {"project_id": "0" * 32}}).status in (400, 403)
    assert "0" * 32 not in str(gateway.store()["bindings"])


def test_what_is_put_on_an_agent_is_in_its_pod_and_gets_no_replica_for_that(cloud, gateway):
    boss = User(gateway, gateway.cloud.identity.newcomer(("admin", "member")))
    router = boss.make("routers", name="r")["id"]
    home, = holders(cloud, "network", "routers", router)
    here = cloud[home].network.l3_agent()["id"]
    there = next(pod for pod in cloud if pod.name != home).network.l3_agent()["id"]
    assert boss.network.post(f"/agents/{here}/l3-routers", {"router_id": router}).status == 201
    assert [each["id"] for each in boss.network.ok("GET", f"/agents/{here}/l3-routers")["routers"]] == [router]
    with cloud.unchanged():
        answer = boss.network.post(f"/agents/{there}/l3-routers", {"router_id": router})
        assert answer.status == 409
        # Plain text, which a client that never looks at the status stumbles over.
        assert [pod.encode() in answer.raw for pod in ("Pod1", "Pod2")] == [True, True]
        user = User(gateway)
        assert user.network.post(f"/agents/{there}/l3-routers", {"router_id": router}).status == 404


@pytest.mark.parametrize("pod", ["Pod1", "Pod2"])
def test_a_topology_is_allocated_where_it_can_be(cloud, user, monkeypatch, pod):
    path = f"/auto-allocated-topology/{user.project}"
    answer = user.network.get(path)
    assert (answer.status, answer["NeutronError"]["type"]) == (409, "AutoAllocationFailure")
    monkeypatch.setattr(cloud[pod].network, "allocates", True)
    assert user.network.ok("GET", f"{path}?fields=dry-run")["auto_allocated_topology"]["id"] == "dry-run=pass"
    made = user.network.ok("GET", path)["auto_allocated_topology"]["id"]
    assert holders(cloud, "network", "networks", made) == [pod]
    assert user.network.ok("GET", path)["auto_allocated_topology"]["id"] == made
    assert [each["id"] for each in user.network.ok("GET", "/networks")["networks"]] == [made]
    port = user.make("ports", network_id=made)["id"]
    refusal = user.network.delete(path)
    assert (refusal.status, refusal["NeutronError"]["type"]) == (409, "NetworkInUse")
    assert user.network.delete(f"/ports/{port}").status == 204
    assert user.network.delete(path).status == 204
    assert holders(cloud, "network", "networks", made) == []


@pytest.mark.parametrize("zone", ["az1", "az2"])
@pytest.mark.parametrize(("collection", "member"), [("networks", "network"), ("routers", "router")])
def test_hints_that_are_no_list_are_refused_by_neutron(gateway, collection, member, zone):
    answer = User(gateway).network.post(f"/{collection}", {member: {"availability_zone_hints": zone}})
    assert (answer.status, f"'{zone}' is not a list" in str(answer.body)) == (400, True)


def test_a_microversion_of_novas_does_not_hide_volumes(cloud, gateway):
    """Cinder refuses a request with another service's microversion, and the client's requests have one of Nova's."""
    user = User(gateway)
    there = Client(cloud["Pod2"].volume.server.url + f"/v3/{user.project}", user.token.id)
    volume = there.ok("POST", "/volumes", {"volume": {"size": 1}})["volume"]["id"]   # which the gateway does not know
    body = {"name": "vm", "flavorRef": flavor(gateway), "networks": "none", "block_device_mapping_v2": [
        {"boot_index": 0, "uuid": volume, "source_type": "volume", "destination_type": "volume"}]}
    asked = {"OpenStack-API-Version": "compute 2.60"}
    made = user.compute.ok("POST", "/servers", {"server": body}, headers=asked)["server"]["id"]
    assert holders(cloud, "compute", "servers", made) == ["Pod2"]
    elsewhere, disk = user.boot(None, "az1"), user.disk("az2")
    answer = user.compute.post(f"/servers/{elsewhere}/os-volume_attachments", {"volumeAttachment": {"volumeId": disk}},
                               headers=asked)
    assert (answer.status, "cannot be used together" in str(answer.body)) == (400, True)
