"""What a pod refuses the user leaves nothing, and nothing was asked, claimed, marked or queued in our name before."""
import pytest

from tests.functional.attacks.estate import Estate
from tests.functional.gateway import until
from tests.functional.standin.cloud import difference
from tests.functional.user import IMAGE, User, flavor, reader_of


@pytest.fixture(scope="module")
def estate(gateway):
    """A's things."""
    made = Estate(gateway)
    yield made
    made.outside.vanish(gateway.cloud)


@pytest.fixture(scope="module")
def stranger(gateway, estate):
    """B, with a router, and a network and a subnet in each zone."""
    found = User(gateway)
    found.network.ok("GET", "/security-groups")
    found.router = found.make("routers", name="own", availability_zone_hints=["az1"])["id"]
    found.net1, found.subnet1 = found.wired("az1")
    found.net2, found.subnet2 = found.wired("az2")
    gateway.forget_jobs()
    return found


@pytest.fixture(scope="module")
def reader(estate):
    """Somebody who may look at A's project, and no more."""
    return reader_of(estate.user)


ROUTER = {   # (estate, a subnet of the caller's) -> method, what follows the router's path, body
    "join": lambda e, own: ("PUT", "/add_router_interface", {"subnet_id": own}),
    "leave": lambda e, own: ("PUT", "/remove_router_interface", {"subnet_id": e.subnets["Pod2"]}),
    "leave by port": lambda e, own: ("PUT", "/remove_router_interface", {"port_id": e.ports["Pod2"]}),
    "rename": lambda e, own: ("PUT", "", {"router": {"name": "x"}}),
    "routes": lambda e, own: ("PUT", "", {"router": {"routes": []}}),
    "extra routes": lambda e, own: ("PUT", "/add_extraroutes", {"router": {"routes": []}}),
    "clear the gateway": lambda e, own: ("PUT", "", {"router": {"external_gateway_info": {}}}),
    "set the gateway": lambda e, own: ("PUT", "", {"router": {"external_gateway_info": e.outside.info}}),
    "delete": lambda e, own: ("DELETE", "", None),
}
OTHERS = {
    "delete a group": lambda e: ("DELETE", f"/security-groups/{e.group}", None),
    "rename a group": lambda e: ("PUT", f"/security-groups/{e.group}", {"security_group": {"name": "x"}}),
    "add a rule": lambda e: ("POST", "/security-group-rules", {"security_group_rule": {
        "security_group_id": e.group, "direction": "ingress"}}),
    "delete a rule": lambda e: ("DELETE", f"/security-group-rules/{e.rule}", None),
    "stop sharing": lambda e: ("DELETE", f"/rbac-policies/{e.share}", None),
    "share with others": lambda e: ("PUT", f"/rbac-policies/{e.share}", {"rbac_policy": {"target_tenant": "f" * 32}}),
    "share": lambda e: ("POST", "/rbac-policies", {"rbac_policy": {
        "object_type": "security_group", "object_id": e.group, "action": "access_as_shared",
        "target_tenant": "f" * 32}}),
    "delete a port": lambda e: ("DELETE", f"/ports/{e.ports['Pod1']}", None),
    "change a port": lambda e: ("PUT", f"/ports/{e.ports['Pod2']}", {"port": {"admin_state_up": False}}),
    "delete a pool": lambda e: ("DELETE", f"/subnetpools/{e.pool}", None),
    "rename a pool": lambda e: ("PUT", f"/subnetpools/{e.pool}", {"subnetpool": {"name": "x"}}),
    "take from a pool": lambda e: ("PUT", f"/subnetpools/{e.pool}/remove_prefixes", {"prefixes": ["10.96.0.0/16"]}),
    "free a floating IP": lambda e: ("PUT", f"/floatingips/{e.floating}", {"floatingip": {"port_id": None}}),
    "move a floating IP": lambda e: ("PUT", f"/floatingips/{e.free}", {"floatingip": {"port_id": e.ports["Pod1"]}}),
    "delete a floating IP": lambda e: ("DELETE", f"/floatingips/{e.floating}", None),
    "make a floating IP": lambda e: ("POST", "/floatingips", {"floatingip": {
        "floating_network_id": e.outside.network, "port_id": e.ports["Pod1"]}}),
}
EVERYWHERE = {   # what is an administrator's, or another user's: service, method, path, body
    "make a flavor": lambda e: ("compute", "POST", "/flavors", {"flavor": {
        "name": "tiny2", "id": "tiny2", "ram": 64, "vcpus": 1, "disk": 1}}),
    "delete a flavor": lambda e: ("compute", "DELETE", "/flavors/tiny", None),
    "extra specs": lambda e: ("compute", "POST", "/flavors/tiny/os-extra_specs", {"extra_specs": {"a": "b"}}),
    "another's key": lambda e: ("compute", "DELETE", f"/os-keypairs/k?user_id={e.user.token.user.id}", None),
    "make a type": lambda e: ("volume", "POST", "/types", {"volume_type": {"name": "fast"}}),
    "an unknown type": lambda e: ("volume", "DELETE", f"/types/{e.router}", None),
    "Nova's quota": lambda e: ("compute", "PUT", f"/os-quota-sets/{e.user.project}", {"quota_set": {"instances": 1}}),
    "Nova's own again": lambda e: ("compute", "DELETE", f"/os-quota-sets/{e.user.project}", None),
    "Cinder's quota": lambda e: ("volume", "PUT", f"/os-quota-sets/{e.user.project}", {"quota_set": {"volumes": 1}}),
    "Neutron's quota": lambda e: ("network", "PUT", f"/quotas/{e.user.project}", {"quota": {"network": 1}}),
    "a server group": lambda e: ("compute", "DELETE", f"/os-server-groups/{e.server_group}", None),
    "a server": lambda e: ("compute", "DELETE", f"/servers/{e.server}", None),
    "a server's group": lambda e: ("compute", "POST", f"/servers/{e.server}/action", {
        "removeSecurityGroup": {"name": "web"}}),
}


@pytest.mark.parametrize("name", ROUTER)
def test_nobody_but_its_owner_moves_a_router(estate, stranger, reader, name):
    router = estate.lonely_router if name == "set the gateway" else estate.router
    for who, own, status in ((stranger, stranger.subnet2, 404), (reader, estate.lonely_subnet, 403)):
        method, rest, body = ROUTER[name](estate, own)
        with estate.untouched(who):
            answer = who.network.call(method, f"/routers/{router}{rest}", body)
        assert answer.status == status, answer.raw
        assert b"cidr" not in answer.raw.lower()


def test_what_is_anothers_cannot_be_put_on_a_router_of_ones_own(estate, stranger):
    """Nor does the refusal tell where it is, or what it overlaps with."""
    for name, body in (("/add_router_interface", {"subnet_id": estate.subnets["Pod2"]}),
                       ("/add_router_interface", {"port_id": estate.ports["Pod2"]}),
                       ("", {"router": {"external_gateway_info": {"network_id": estate.nets["Pod2"]}}})):
        with estate.untouched(stranger):
            answer = stranger.network.put(f"/routers/{stranger.router}{name}", body)
        assert answer.status == 404, answer.raw
        assert b"Pod2" not in answer.raw


@pytest.mark.parametrize("name", OTHERS)
def test_nobody_but_its_owner_changes_what_is_in_several_pods(estate, stranger, reader, name):
    for who in (stranger, reader):
        with estate.untouched(who):
            answer = who.network.call(*OTHERS[name](estate))
        assert answer.status in (403, 404), answer.raw


@pytest.mark.parametrize("name", EVERYWHERE)
def test_no_pod_is_disbelieved_for_what_it_refused(estate, stranger, reader, name):
    service, *call = EVERYWHERE[name](estate)
    for who in (stranger, reader):
        with estate.untouched(who):
            answer = getattr(who, service).call(*call)
        assert answer.status in (403, 404), answer.raw


@pytest.mark.parametrize("name", ["delete a flavor", "extra specs", "another's key"])
def test_no_pod_is_disbelieved_for_what_a_silent_one_may_have_done(cloud, estate, stranger, name):
    """One pod's outage would become that of all."""
    _, method, path, body = EVERYWHERE[name](estate)
    cloud["Pod1"].compute.faults.lose = f"{method} .*"
    rows = estate.gateway.store()["behind"]
    assert stranger.compute.call(method, path, body).status in (502, 504)
    assert estate.gateway.store()["behind"] == rows
    assert "tiny" in {row["id"] for row in estate.user.compute.ok("GET", "/flavors")["flavors"]}


@pytest.mark.parametrize("zone", ["az1", "az2"])
def test_a_server_on_anothers_things_leaves_nothing(estate, stranger, zone):
    for more in ({"networks": [{"uuid": estate.movable}]}, {"networks": [{"port": estate.ports["Pod1"]}]},
                 {"networks": "none", "security_groups": [{"name": estate.group}]}):
        body = {"name": "vm", "imageRef": IMAGE, "flavorRef": flavor(estate.gateway), "availability_zone": zone, **more}
        with estate.untouched(stranger):
            answer = stranger.compute.post("/servers", {"server": body},
                                           headers={"OpenStack-API-Version": "compute 2.37"})
        assert 400 <= answer.status < 500, answer.raw


@pytest.mark.parametrize("zone", ["az1", "az2"])
def test_a_reader_boots_nothing_and_takes_no_network_along(estate, reader, zone):
    flavor_id = flavor(estate.gateway)
    for network in (estate.movable, estate.nets["Pod1" if zone == "az1" else "Pod2"]):
        body = {"name": "vm", "imageRef": IMAGE, "flavorRef": flavor_id, "availability_zone": zone,
                "networks": [{"uuid": network}], "security_groups": [{"name": "web"}]}
        pods = estate.cloud.snapshot()
        answer = reader.compute.post("/servers", {"server": body})
        assert answer.status == 403, answer.raw
        moved = difference(pods, estate.cloud.snapshot())
        assert not moved, moved


def test_a_port_with_anothers_group_leaves_nothing(estate, stranger):
    for network in (stranger.net1, stranger.net2):
        with estate.untouched(stranger):
            answer = stranger.network.post("/ports", {"port": {
                "network_id": network, "security_groups": [estate.group]}})
        assert answer.status == 404, answer.raw


def test_a_subnet_on_anothers_network_draws_nothing(estate, stranger):
    own = stranger.make("subnetpools", name="own", prefixes=["10.97.0.0/16"], default_prefixlen=24)["id"]
    for network, pool in ((estate.nets["Pod1"], own), (estate.nets["Pod1"], estate.pool), (stranger.net1, estate.pool)):
        with estate.untouched(stranger):
            answer = stranger.network.post("/subnets", {"subnet": {
                "network_id": network, "ip_version": 4, "subnetpool_id": pool}})
        assert answer.status in (403, 404), answer.raw


def test_a_project_is_bound_by_what_a_pod_has_accepted(gateway, estate):
    """Neither by a reader's try nor by a look for what is not there."""
    newcomer = User(gateway, gateway.cloud.identity.newcomer(("reader",)))
    newcomer.network.ok("GET", "/security-groups")
    with estate.untouched(newcomer):
        assert newcomer.network.post("/networks", {"network": {}}).status == 403
        assert newcomer.volume.post("/volumes", {"volume": {"size": 1, "availability_zone": "az2"}}).status == 403
        assert newcomer.compute.get("/servers/0d3f6b1e-6f0a-4a8e-9d5e-0123456789ab").status == 404


def test_where_anothers_things_are_is_not_told(estate, stranger):
    """Two things of two pods cannot be used together: to say so is to say that they are there, and where."""
    own = stranger.disk("az2")
    until(lambda: stranger.volume.ok("GET", f"/volumes/{own}")["volume"]["status"] == "available")
    attach = {"volumeAttachment": {"volumeId": own}}
    calls = [(stranger.compute, f"/servers/{estate.server}/os-volume_attachments", attach),
             (stranger.volume, "/snapshots", {"snapshot": {"volume_id": estate.volume}}),
             (stranger.volume, "/volumes", {"volume": {
                 "size": 1, "source_volid": estate.volume, "availability_zone": "az2"}}),
             (stranger.network, "/ports", {"port": {"network_id": estate.nets["Pod2"], "fixed_ips": [
                 {"subnet_id": stranger.subnet1}]}})]
    for client, path, body in calls:
        with estate.untouched(stranger):
            answer = client.post(path, body)
        assert answer.status in (400, 404), answer.raw
        assert b"is in pod" not in answer.raw
        assert b"served by" not in answer.raw
