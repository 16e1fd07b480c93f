"""Which router a floating IP of another pod leads through, where several join its port's subnet."""
import pytest

from tests.functional.test_floatingips import Case
from tests.functional.user import User


def join(who, router, network, **fields):
    """Put a port of a user's on a router of theirs."""
    port = who.make("ports", network_id=network, **fields)["id"]
    who.network.ok("PUT", f"/routers/{router}/add_router_interface", {"port_id": port})


def last_in_lists(shelf, router):
    """Let a pod list what stands for a router behind all others."""
    found, = (row["id"] for row in shelf.values() if row["description"] == f"tricircle:{router}")
    shelf[found] = shelf.pop(found)


@pytest.mark.parametrize("has_gateway", [True, False])
def test_a_strangers_router_on_a_shared_network_is_not_taken(gateway, outside, has_gateway):
    """Neutron takes the router at the subnet's gateway; where the subnet has none, the project's own is taken."""
    case, stranger = Case(gateway, outside), User(gateway)
    network = case.user.net("az1")
    fields = {} if has_gateway else {"gateway_ip": None}
    subnet = case.user.make("subnets", network_id=network, ip_version=4, cidr="10.91.0.0/24", **fields)
    case.user.network.ok("POST", "/rbac-policies", {"rbac_policy": {
        "object_type": "network", "object_id": network, "action": "access_as_shared",
        "target_tenant": stranger.project}})
    at = {"fixed_ips": [{"ip_address": subnet["gateway_ip"]}]} if has_gateway else {}
    join(case.user, case.router, network, **at)
    theirs = stranger.make("routers", name="r", availability_zone_hints=["az1"])["id"]
    join(stranger, theirs, network)
    stranger.network.ok("PUT", f"/routers/{theirs}", {"router": {"external_gateway_info": outside.info}})
    last_in_lists(case.cloud["Pod2"].network.shelf("routers"), case.router)
    mine = case.user.make("ports", network_id=network)["id"]
    assert case.floating(port_id=mine)["router_id"] == case.router


def test_another_projects_port_gets_no_floating_ip(gateway, outside):
    """Whoever owns the network sees the port, and is told whose it is not; in Neutron's words."""
    case, stranger = Case(gateway, outside), User(gateway)
    port = User(gateway, "admin").make("ports", network_id=case.nets["Pod1"], project_id=stranger.project)["id"]
    floating = case.floating()
    answer = case.put(floating, port_id=port)
    assert (answer.status, "owned by a different tenant" in str(answer.body)) == (400, True), answer.raw
    assert case.show(floating)["port_id"] is None
