"""The stand-in itself: it must refuse what real services refuse, or the other tests prove nothing."""
import json
import re
import threading
import time

import pytest
import urllib3

from tests.functional.client import POOL, Client
from tests.functional.gateway import until
from tests.functional.refusals import kind_of
from tests.functional.standin import Cloud
from tests.functional.standin.service import new_id, recorded


@pytest.fixture
def pod(cloud):
    """The pod with both physical networks."""
    return cloud["Pod2"]


@pytest.fixture
def neutron(cloud, pod):
    """The pod's Neutron for a new user's project."""
    return Client(f"{pod.network.server.url}/v2.0", cloud.identity.newcomer().id)


@pytest.fixture
def admin(cloud, pod):
    """The pod's Neutron for the administrator."""
    return Client(f"{pod.network.server.url}/v2.0", cloud.token("admin").id)


def subnet(neutron, cidr="10.0.0.0/24"):
    """A network with a subnet; its id."""
    network = neutron.ok("POST", "/networks", {"network": {"name": "n"}})["network"]
    body = {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": cidr}}
    return neutron.ok("POST", "/subnets", body)["subnet"]["id"]


def test_a_vlan_is_given_out_once(admin):
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "extern", "provider:segmentation_id": 3333}
    admin.ok("POST", "/networks", {"network": vlan})
    again = admin.post("/networks", {"network": vlan})
    assert (again.status, again["NeutronError"]["type"]) == (409, "VlanIdInUse")
    unknown = admin.post("/networks", {"network": {**vlan, "provider:physical_network": "nowhere"}})
    assert unknown.status == 400


def test_routes_need_their_interface_and_interfaces_their_absence(neutron):
    router = neutron.ok("POST", "/routers", {"router": {"name": "r"}})["router"]["id"]
    near, routes = subnet(neutron), [{"destination": "10.9.0.0/24", "nexthop": "10.0.0.9"}]
    early = neutron.put(f"/routers/{router}/add_extraroutes", {"router": {"routes": routes}})
    assert (early.status, early["NeutronError"]["type"]) == (400, "InvalidRoutes")
    neutron.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": near})
    neutron.ok("PUT", f"/routers/{router}/add_extraroutes", {"router": {"routes": routes}})
    needed = neutron.put(f"/routers/{router}/remove_router_interface", {"subnet_id": near})
    assert (needed.status, needed["NeutronError"]["type"]) == (409, "RouterInterfaceInUseByRoute")
    assert neutron.delete(f"/routers/{router}")["NeutronError"]["type"] == "RouterInUse"
    neutron.ok("PUT", f"/routers/{router}/remove_extraroutes", {"router": {"routes": routes}})
    neutron.ok("PUT", f"/routers/{router}/remove_router_interface", {"subnet_id": near})
    assert neutron.delete(f"/routers/{router}").status == 204


@pytest.fixture
def lonely():
    """A cloud of its own with one pod: what is made in it, an external network too, shows to no other test."""
    made = Cloud(1)
    yield made
    made.close()


def test_refusals_are_the_recorded_ones(lonely):
    """What a real OpenStack said to the same calls; see refusals.py and record.py."""
    cloud, pod = lonely, lonely["Pod1"]
    project = cloud.identity.newcomer()
    cloud.identity.user("boss-of-" + project.user.name, {project.project.name: ["admin"]})
    boss = cloud.identity.login("boss-of-" + project.user.name)
    clients = {who: {service.name: Client(service.server.url + root, token.id) for service, root in (
        (pod.network, "/v2.0"), (pod.compute, "/v2.1"), (pod.volume, "/v3"))}
        for who, token in (("member", project), ("boss", boss))}
    things = furnish(clients["member"], clients["boss"]) | {"project": project.project.id}
    wrong = []
    for each in recorded("refusals"):
        path, body = json.loads(re.sub(r"\{(\w+)\}", lambda m: things.get(m[1], m[0]),
                                       json.dumps([each["path"], each["body"]])))
        answer = clients[each["who"]][each["service"]].call(each["method"], path, body)
        if (answer.status, kind_of(answer)) != (each["status"], each["kind"]):
            wrong.append(f"{each['method']} {path} {body}: {answer.status} {kind_of(answer)}, "
                         f"recorded {each['status']} {each['kind']}")
    assert not wrong, "\n".join(wrong)


def furnish(member, boss):
    """The things that record.py makes; their ids."""
    def make(who, service, path, name, body):
        return who[service].ok("POST", path, {name: body})[name].get("id")
    network = make(member, "network", "/networks", "network", {})
    group = make(member, "network", "/security-groups", "security_group", {"name": "g"})
    flavor = make(boss, "compute", "/flavors", "flavor", {"name": new_id(), "ram": 96, "vcpus": 1, "disk": 1})
    outside = make(boss, "network", "/networks", "network", {
        "router:external": True, "provider:network_type": "vlan", "provider:physical_network": "extern",
        "provider:segmentation_id": 3999})
    make(boss, "network", "/subnets", "subnet", {"network_id": outside, "ip_version": 4, "cidr": "198.51.100.0/24"})
    make(member, "network", "/security-group-rules", "security_group_rule", {"security_group_id": group,
                                                                             "direction": "ingress"})
    make(member, "compute", "/os-keypairs", "keypair", {"name": "k", "public_key": "ssh-ed25519 AAAA x"})
    found = {
        "network": network, "security_group": group, "flavor": flavor, "image": new_id(), "external": outside,
        "subnet": make(member, "network", "/subnets", "subnet", {"network_id": network, "ip_version": 4,
                                                                 "cidr": "10.0.0.0/24"}),
        "router": make(member, "network", "/routers", "router", {}),
        "port": make(member, "network", "/ports", "port", {"network_id": network}),
        "floatingip": make(member, "network", "/floatingips", "floatingip", {"floating_network_id": outside}),
        "volume": make(member, "volume", "/volumes", "volume", {"size": 1})}
    found["server"] = make(member, "compute", "/servers", "server", {
        "name": "s", "flavorRef": flavor, "imageRef": found["image"], "networks": [{"uuid": network}]})
    path = f"/servers/{found['server']}"
    member["compute"].ok("GET", path)
    member["volume"].ok("GET", f"/volumes/{found['volume']}")
    member["volume"].ok("POST", "/snapshots", {"snapshot": {"volume_id": found["volume"]}})
    member["compute"].ok("POST", f"{path}/os-volume_attachments", {"volumeAttachment": {"volumeId": found["volume"]}})
    return found


def test_projects_are_apart(cloud, pod, neutron):
    network = neutron.ok("POST", "/networks", {"network": {"name": "mine"}})["network"]["id"]
    other = Client(f"{pod.network.server.url}/v2.0", cloud.identity.newcomer().id)
    assert other.get(f"/networks/{network}").status == 404
    assert other.ok("GET", "/networks")["networks"] == []
    assert other.post("/networks", {"network": {"provider:network_type": "vlan"}}).status == 403


def test_a_refused_bulk_create_leaves_nothing(cloud, neutron):
    neutron.ok("GET", "/security-groups")
    with cloud.unchanged():
        answer = neutron.post("/networks", {"networks": [{"name": "a"}, {"name": 5}]})
    assert answer.status == 400


@pytest.mark.parametrize("fault", ["silent", "half"])
def test_broken_answers_break_the_call(pod, neutron, fault):
    setattr(pod.network.faults, fault, True)
    neutron.seconds = 1
    with pytest.raises(urllib3.exceptions.HTTPError):
        neutron.get("/extensions")
    pod.recover()
    assert neutron.get("/networks").status == 200


def test_a_dripping_answer_outlives_a_socket_time_out(pod, neutron):
    pod.network.faults.drip = 0.1
    answer = POOL.request("GET", f"{neutron.url}/extensions", headers={"X-Auth-Token": neutron.token}, timeout=0.5,
                          preload_content=False)
    start, seen = time.monotonic(), b""
    while time.monotonic() - start < 1:
        seen += answer.read1(100)
    answer.close()
    assert 2 < len(seen) < 50


def test_refused_connections_and_back(cloud, pod, neutron):
    neutron.ok("GET", "/networks")
    pod.refuse()
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        neutron.get("/networks")
    pod.recover()
    neutron.ok("GET", "/networks")


def test_a_write_is_held_until_it_is_let_go(cloud, neutron):
    stop = cloud.stop_at_write(2, "before", "POST /v2.0/networks")
    neutron.ok("POST", "/networks", {"network": {"name": "first"}})
    answers = []
    thread = threading.Thread(target=lambda: answers.append(neutron.post("/networks", {"network": {"name": "second"}})))
    thread.start()
    assert stop.wait(5)
    assert [n["name"] for n in neutron.ok("GET", "/networks")["networks"]] == ["first"]
    stop.release()
    thread.join(5)
    assert answers[0].status == 201


def test_a_lost_answer_means_that_it_was_done(cloud, pod, neutron):
    pod.network.faults.lose = "POST /v2.0/networks"
    with pytest.raises(urllib3.exceptions.ProtocolError):
        neutron.post("/networks", {"network": {"name": "lost"}})
    pod.recover()
    assert until(lambda: [n["name"] for n in neutron.ok("GET", "/networks")["networks"]]) == ["lost"]


def test_a_pool_hands_out_by_neutrons_rules(neutron):
    scope = neutron.ok("POST", "/address-scopes", {"address_scope": {"name": "s", "ip_version": 4}})["address_scope"]
    body = {"name": "p", "prefixes": ["10.0.0.0/24", "10.0.1.0/24"], "address_scope_id": scope["id"],
            "default_prefixlen": 26}
    pool = neutron.ok("POST", "/subnetpools", {"subnetpool": body})["subnetpool"]
    assert (pool["prefixes"], pool["min_prefixlen"], pool["default_prefixlen"]) == (["10.0.0.0/23"], "8", "26")
    clash = neutron.post("/subnetpools", {"subnetpool": {**body, "prefixes": ["10.0.0.0/8"]}})
    assert (clash.status, clash["NeutronError"]["type"]) == (409, "AddressScopePrefixConflict")
    network = neutron.ok("POST", "/networks", {"network": {"name": "n"}})["network"]["id"]
    wish = {"network_id": network, "ip_version": 4, "subnetpool_id": pool["id"]}
    cidrs = [neutron.ok("POST", "/subnets", {"subnet": {**wish, **more}})["subnet"]["cidr"]
             for more in ({}, {"prefixlen": 25}, {"gateway_ip": "10.0.1.65"}, {})]
    assert cidrs == ["10.0.0.0/26", "10.0.0.128/25", "10.0.1.64/26", "10.0.0.64/26"]
    path = f"/subnetpools/{pool['id']}"
    for method, where, sent, kind in (
            ("DELETE", path, None, "SubnetPoolDeleteError"),
            ("PUT", path, {"subnetpool": {"prefixes": ["10.0.0.0/24"]}}, "IllegalSubnetPoolPrefixUpdate"),
            ("PUT", f"{path}/remove_prefixes", {"prefixes": ["10.0.1.0/24"]}, "IllegalSubnetPoolPrefixUpdate"),
            ("POST", "/subnets", {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"}},
             "NetworkSubnetPoolAffinityError"),
            ("DELETE", f"/address-scopes/{scope['id']}", None, "AddressScopeInUse")):
        assert neutron.call(method, where, sent)["NeutronError"]["type"] == kind
