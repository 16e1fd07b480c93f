"""Floating IPs for ports in the external network's pod and in others: the user sees his own, and one NAT's worth."""
import sys
import uuid

import pytest

from tests.functional import quick_worker
from tests.functional.gateway import until
from tests.functional.scene import PATIENCE
from tests.functional.user import User

INTERFACE = "network:router_interface"


class Case:
    """A project with a router that has an external network in Pod2 and a subnet in each pod, a port on each."""

    def __init__(self, gateway, outside, router_in="az1"):
        self.gateway, self.cloud, self.outside, self.user = gateway, gateway.cloud, outside, User(gateway)
        self.router = self.user.make("routers", name="r", availability_zone_hints=[router_in])["id"]
        self.nets, self.subnets, self.ports = {}, {}, {}
        for pod in ("Pod1", "Pod2"):
            self.nets[pod], self.subnets[pod] = self.user.wired(f"az{pod[-1]}")
            self.join("add", pod)
            self.ports[pod] = self.user.make("ports", network_id=self.nets[pod])
        self.user.network.ok("PUT", f"/routers/{self.router}", {"router": {"external_gateway_info": outside.info}})

    def join(self, verb, pod):
        """Put the pod's subnet on the router, or take it off."""
        return self.user.network.put(f"/routers/{self.router}/{verb}_router_interface",
                                     {"subnet_id": self.subnets[pod]})

    def floating(self, **fields):
        """A floating IP as the answer shows it."""
        return self.user.make("floatingips", floating_network_id=self.outside.network, **fields)

    def put(self, floating, **fields):
        """Change it; the answer."""
        return self.user.network.put(f"/floatingips/{floating['id']}", {"floatingip": fields})

    def show(self, floating):
        """It, as it is now."""
        return self.user.network.ok("GET", f"/floatingips/{floating['id']}")["floatingip"]

    def seen(self, pod):
        """What the user sees of a floating IP on his port in a pod."""
        port = self.user.network.ok("GET", f"/ports/{self.ports[pod]['id']}")["port"]
        return {"port_id": port["id"], "fixed_ip_address": port["fixed_ips"][0]["ip_address"],
                "router_id": self.router, "port_details": {name: port[name] for name in (
                    "name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")}}

    def shadows(self, kind, pod="Pod2"):
        """What stands for this project's things in a pod."""
        mine = [self.router, *self.nets.values(), *self.subnets.values(), *(p["id"] for p in self.ports.values())]
        return [row for row in self.cloud[pod].network.shelf(kind).values() if row["description"] in (
            *(f"tricircle:{each}" for each in mine), f"tricircle:shadow:{self.router}")]

    def jobs(self):
        """Resources of the jobs `shadow` that are owed; those that are done are other tests'."""
        return [job["resource_id"] for job in self.gateway.client("admin", "admin").ok("GET", "/jobs")["jobs"]
                if (job["kind"], job["state"]) == ("shadow", "queued")]


    def settle(self):
        """Wait until no job is owed that concerns the router or a network."""
        until(lambda: not self.owed(), PATIENCE)

    def owed(self):
        """Jobs that are not done and concern the router or a network."""
        mine = {self.router, *self.nets.values()}
        return [job for job in self.gateway.client("admin", "admin").ok("GET", "/jobs")["jobs"]
                if job["resource_id"] in mine and job["state"] != "done"]


@pytest.fixture
def case(gateway, outside):
    return Case(gateway, outside)


def part(floating, wanted):
    return {name: floating[name] for name in wanted}


@pytest.mark.parametrize("pod", ["Pod1", "Pod2"])
def test_a_floating_ip_is_made_on_a_port_of_either_pod(case, pod):
    floating = case.floating(port_id=case.ports[pod]["id"])
    assert part(floating, case.seen(pod)) == case.seen(pod)
    assert case.show(floating) == floating
    assert case.user.network.ok("GET", "/floatingips")["floatingips"] == [floating]
    by_port = f"/floatingips?port_id={case.ports[pod]['id']}"
    assert case.user.network.ok("GET", by_port)["floatingips"] == [floating]
    assert case.user.network.ok("GET", f"/floatingips?router_id={case.router}")["floatingips"] == [floating]
    details = case.user.network.ok("GET", f"/floatingips/{floating['id']}?fields=id")["floatingip"]
    assert details == {"id": floating["id"]}


def test_what_stands_for_a_port_is_down_behind_its_router_and_nobody_sees_it(case):
    kinds = ("networks", "subnets", "ports", "routers")
    before = {kind: case.user.network.ok("GET", f"/{kind}")[kind] for kind in kinds}
    everything = case.gateway.client("network", "admin").ok("GET", "/ports")["ports"]
    case.floating(port_id=case.ports["Pod1"]["id"])
    port, = [p for p in case.shadows("ports") if not p["device_owner"]]
    interface, = [p for p in case.shadows("ports") if p["device_owner"] == INTERFACE]
    network, = case.shadows("networks")
    subnet, = case.shadows("subnets")
    real = case.cloud["Pod1"].network.shelf("subnets")[case.subnets["Pod1"]]
    assert (network["provider:network_type"], network["project_id"]) == ("vxlan", case.user.project)
    assert (subnet["cidr"], subnet["gateway_ip"], subnet["enable_dhcp"]) == (real["cidr"], real["gateway_ip"], False)
    assert [ip["ip_address"] for ip in port["fixed_ips"]] == [
        ip["ip_address"] for ip in case.ports["Pod1"]["fixed_ips"]]
    assert (interface["admin_state_up"], interface["fixed_ips"][0]["ip_address"]) == (False, real["gateway_ip"])
    assert interface["project_id"] != case.user.project
    for kind, rows in before.items():
        assert case.user.network.ok("GET", f"/{kind}")[kind] == rows, kind
    seen = {p["id"] for p in case.gateway.client("network", "admin").ok("GET", "/ports")["ports"]}
    assert seen - {p["id"] for p in everything} == {p["id"] for p in case.cloud["Pod2"].network.shelf("ports").values()
                                                    if p["device_owner"] == "network:floatingip"
                                                    } - {p["id"] for p in everything}
    for hidden in (port, interface):
        assert case.user.network.get(f"/ports/{hidden['id']}").status == 404


def test_a_quota_counts_what_the_user_has_made(case):
    path = f"/quotas/{case.user.project}/details"
    before = case.user.network.ok("GET", path)["quota"]
    case.floating(port_id=case.ports["Pod1"]["id"])
    after = case.user.network.ok("GET", path)["quota"]
    assert {name: after[name] for name in after if name != "floatingip"} == {
        name: before[name] for name in before if name != "floatingip"}
    assert after["floatingip"]["used"] == before["floatingip"]["used"] + 1


def test_it_moves_between_ports_and_pods_and_comes_off(case):
    floating = case.floating()
    for pod in ("Pod1", "Pod2", "Pod1", "Pod1"):
        answer = case.put(floating, port_id=case.ports[pod]["id"])
        assert answer.status == 200
        assert part(answer["floatingip"], case.seen(pod)) == case.seen(pod)
    answer = case.put(floating, port_id=None)
    assert (answer["floatingip"]["port_id"], answer["floatingip"]["fixed_ip_address"]) == (None, None)
    assert case.show(floating)["port_details"] is None
    assert case.nets["Pod1"] in case.jobs()
    assert case.user.network.delete(f"/floatingips/{floating['id']}").status == 204


def test_refusals_are_neutrons_own(case, outside):
    port = case.ports["Pod1"]["id"]
    lonely = case.user.make("ports", network_id=case.user.wired("az1")[0])["id"]
    bare = case.user.make("ports", network_id=case.user.net("az1"))["id"]
    stranger = User(case.gateway)
    his = stranger.make("ports", network_id=stranger.wired("az1")[0])["id"]
    floating = case.floating()
    before = case.cloud.snapshot()["Pod2"]["network"]["floatingips"]
    for body, status, kind in (
            ({"port_id": lonely}, 404, "ExternalGatewayForFloatingIPNotFound"),
            ({"port_id": bare}, 400, "BadRequest"),
            ({"port_id": port, "fixed_ip_address": "10.99.99.99"}, 400, "BadRequest"),
            ({"port_id": port, "fixed_ip_address": 5}, 400, "BadRequest"),
            ({"port_id": his}, 404, "PortNotFound"),
            ({"port_id": str(uuid.uuid4())}, 404, "PortNotFound"),
            ({"port_id": 5}, 400, "HTTPBadRequest")):
        answer = case.put(floating, **body)
        assert (answer.status, answer["NeutronError"]["type"]) == (status, kind), body
        made = case.user.network.post("/floatingips", {"floatingip": {"floating_network_id": outside.network, **body}})
        assert (made.status, made["NeutronError"]["type"]) == (status, kind), body
    assert case.cloud.snapshot()["Pod2"]["network"]["floatingips"] == before
    assert case.shadows("networks") == []
    case.put(floating, port_id=port)
    answer = case.put(case.floating(), port_id=port)
    assert (answer.status, answer["NeutronError"]["type"]) == (409, "FloatingIPPortAlreadyAssociated")


def test_a_port_with_two_addresses_is_asked_which(case):
    second = case.user.subnet(case.nets["Pod1"])
    case.user.network.ok("PUT", f"/routers/{case.router}/add_router_interface", {"subnet_id": second})
    subnets = [case.subnets["Pod1"], second]
    port = case.user.make("ports", network_id=case.nets["Pod1"], fixed_ips=[{"subnet_id": each} for each in subnets])
    answer = case.user.network.post("/floatingips", {"floatingip": {
        "floating_network_id": case.outside.network, "port_id": port["id"]}})
    assert (answer.status, "multiple" in answer["NeutronError"]["message"]) == (400, True)
    for address in port["fixed_ips"]:
        floating = case.floating(port_id=port["id"], fixed_ip_address=address["ip_address"])
        assert (floating["port_id"], floating["fixed_ip_address"]) == (port["id"], address["ip_address"])
    assert len(case.shadows("networks")) == 1


def gate_of(case):
    """The router's own port on the subnet in Pod1."""
    port, = case.user.network.ok("GET", f"/ports?network_id={case.nets['Pod1']}&device_owner={INTERFACE}")["ports"]
    return port


def test_the_routers_own_port_gets_a_floating_ip(case):
    """It has the address by which the router is known; its interface on the shadow has another one then."""
    port, case.ports["gate"] = case.ports["Pod1"], gate_of(case)
    gate = case.ports["gate"]["fixed_ips"][0]["ip_address"]
    floating = case.floating(port_id=case.ports["gate"]["id"])
    assert (floating["port_id"], floating["fixed_ip_address"]) == (case.ports["gate"]["id"], gate)
    assert floating["port_details"]["device_owner"] == INTERFACE
    interface, = [p for p in case.shadows("ports") if p["device_owner"] == INTERFACE]
    assert interface["admin_state_up"] is False
    assert interface["fixed_ips"][0]["ip_address"] == gate.rsplit(".", 1)[0] + ".254"
    other = case.floating(port_id=port["id"])
    assert part(other, case.seen("Pod1")) == case.seen("Pod1")
    assert case.show(floating) == floating


def test_it_gets_one_when_that_address_stands_for_the_router_unless_others_need_it(case):
    gate, floating, other = gate_of(case)["id"], case.floating(), case.floating(port_id=case.ports["Pod1"]["id"])
    answer = case.put(floating, port_id=gate)
    assert (answer.status, "Pod2" in answer["NeutronError"]["message"]) == (409, True)
    assert case.show(other)["port_id"] == case.ports["Pod1"]["id"]
    case.put(other, port_id=None)
    answer = case.put(floating, port_id=gate)
    assert (answer.status, answer["floatingip"]["port_id"]) == (200, gate)
    assert case.put(other, port_id=case.ports["Pod1"]["id"]).status == 200


def test_a_port_that_gets_the_address_of_the_interface_on_the_shadow_gets_a_floating_ip(case):
    gate, floating = gate_of(case), case.floating()
    case.put(floating, port_id=gate["id"])
    interface, = [p for p in case.shadows("ports") if p["device_owner"] == INTERFACE]
    case.put(floating, port_id=None)
    port = case.user.make("ports", network_id=case.nets["Pod1"], fixed_ips=[
        {"ip_address": interface["fixed_ips"][0]["ip_address"]}])["id"]
    assert case.floating(port_id=port)["port_id"] == port


def test_a_port_that_has_another_address_now_is_followed(case):
    port = case.ports["Pod1"]["id"]
    floating = case.floating(port_id=port)
    new = floating["fixed_ip_address"].rsplit(".", 1)[0] + ".200"
    case.user.network.ok("PUT", f"/ports/{port}", {"port": {"fixed_ips": [{"ip_address": new}]}})
    answer = case.put(floating, port_id=port, fixed_ip_address=new)
    assert (answer.status, answer["floatingip"]["fixed_ip_address"]) == (200, new)


def test_what_goes_under_a_requests_hands_is_made_again(case):
    """A job that takes shadows away may be slower than its claim lasts."""
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    assert case.user.network.delete(f"/floatingips/{floating['id']}").status == 204
    for kind in ("ports", "subnets", "networks"):
        for row in case.shadows(kind):
            del case.cloud["Pod2"].network.shelf(kind)[row["id"]]
    case.ports["Pod1"] = case.user.make("ports", network_id=case.nets["Pod1"])
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    assert part(floating, case.seen("Pod1")) == case.seen("Pod1")


def test_what_a_floating_ip_needs_stays(case):
    case.floating(port_id=case.ports["Pod1"]["id"])
    answer = case.join("remove", "Pod1")
    assert (answer.status, answer["NeutronError"]["type"]) == (409, "RouterInterfaceInUseByFloatingIP")
    answer = case.user.network.put(f"/routers/{case.router}", {"router": {"external_gateway_info": None}})
    assert (answer.status, answer["NeutronError"]["type"]) == (409, "RouterExternalGatewayInUseByFloatingIp")
    assert case.user.network.delete(f"/routers/{case.router}").status == 409
    assert case.join("remove", "Pod2").status == 200


@pytest.mark.parametrize("gone", ["port", "port behind our back", "floating IP", "server"])
def test_what_we_owe_is_not_held_against_the_user(case, gone):
    """No job has run yet when he takes his router apart, as scripts do."""
    if gone == "server":
        server = case.user.boot(case.nets["Pod1"], "az1")
        case.ports["Pod1"], = case.user.network.ok("GET", f"/ports?device_id={server}")["ports"]
    port = case.ports["Pod1"]["id"]
    floating = case.floating(port_id=port)
    other = case.floating(port_id=case.ports["Pod2"]["id"])
    assert case.join("remove", "Pod1").status == 409
    if gone == "port":
        case.user.network.ok("DELETE", f"/ports/{port}")
    elif gone == "server":
        case.user.compute.ok("DELETE", f"/servers/{server}")
    elif gone == "floating IP":
        case.user.network.ok("DELETE", f"/floatingips/{floating['id']}")
    else:
        del case.cloud["Pod1"].network.shelf("ports")[port]
    assert case.join("remove", "Pod1").status == 200
    assert case.nets["Pod1"] in case.jobs()
    assert case.join("remove", "Pod2").status == 409
    assert case.show(other)["port_id"] == case.ports["Pod2"]["id"]


def test_a_router_whose_only_floating_ip_has_lost_its_port_may_lose_its_gateway(case):
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    clear = {"router": {"external_gateway_info": None}}
    assert case.user.network.put(f"/routers/{case.router}", clear).status == 409
    case.user.network.ok("DELETE", f"/ports/{case.ports['Pod1']['id']}")
    assert case.user.network.put(f"/routers/{case.router}", clear).status == 200
    assert case.cloud["Pod2"].network.shelf("floatingips")[floating["id"]]["port_id"] is None


def test_a_port_or_server_that_is_gone_has_no_floating_ip_in_anybodys_eyes(case):
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    case.user.network.ok("DELETE", f"/ports/{case.ports['Pod1']['id']}")
    assert (case.show(floating)["port_id"], case.show(floating)["port_details"]) == (None, None)
    query, alone = "fields=status&fields=fixed_ip_address", {"status": "DOWN", "fixed_ip_address": None}
    assert case.user.network.ok("GET", f"/floatingips/{floating['id']}?{query}")["floatingip"] == alone
    assert case.user.network.ok("GET", f"/floatingips?id={floating['id']}&{query}")["floatingips"] == [alone]
    server = case.user.boot(case.nets["Pod1"], "az1")
    port, = [p["id"] for p in case.user.network.ok("GET", f"/ports?device_id={server}")["ports"]]
    assert case.put(floating, port_id=port).status == 200
    assert case.show(floating)["port_details"]["device_id"] == server
    case.user.compute.ok("DELETE", f"/servers/{server}")
    assert case.show(floating)["port_id"] is None
    assert set(case.jobs()) == {case.nets["Pod1"]}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("match", ["ports", "routers", "networks"])
def test_nobody_sees_a_shadow_while_it_is_taken_away(case, match, when):
    """Each write of the job is held, and what the user sees meanwhile is what he has; his network is gone, too."""
    def ids():
        return {kind: sorted(row["id"] for row in case.user.network.ok("GET", f"/{kind}")[kind])
                for kind in ("networks", "subnets", "ports")}

    before = ids()
    network, subnet = case.user.wired("az1")
    case.user.network.ok("PUT", f"/routers/{case.router}/add_router_interface", {"subnet_id": subnet})
    server = case.user.boot(network, "az1")
    port, = [p["id"] for p in case.user.network.ok("GET", f"/ports?device_id={server}")["ports"]]
    floating = case.floating(port_id=port)
    case.nets["Pod1"], case.subnets["Pod1"], case.ports["Pod1"] = network, subnet, {"id": port}
    case.user.compute.ok("DELETE", f"/servers/{server}")
    for row in [row for row in case.cloud["Pod1"].network.shelf("ports").values() if row["network_id"] == network]:
        del case.cloud["Pod1"].network.shelf("ports")[row["id"]]   # in the pod's own API
    case.user.network.ok("DELETE", f"/networks/{network}")
    stop = case.cloud.stop_at_write(1, when, f"^(DELETE|PUT) /v2.0/{match}/")
    worker = case.gateway.worker(command=(sys.executable, "-m", quick_worker.__name__))
    try:
        assert stop.wait()
        assert ids() == before
        assert case.show(floating)["port_id"] is None
        stop.release()
        case.settle()
    finally:
        worker.stop()
    assert [case.shadows(kind) for kind in ("networks", "subnets", "ports")] == [[], [], []]
    assert [row for row in case.gateway.store()["replicas"] if row[0] in (network, subnet, port)] == []


def test_two_projects_may_have_the_same_addresses(gateway, outside):
    cases = [Case(gateway, outside), Case(gateway, outside, "az2")]
    for case in cases:
        network = case.user.net("az1")
        subnet = case.user.make("subnets", network_id=network, ip_version=4, cidr="10.88.0.0/24")["id"]
        case.user.network.ok("PUT", f"/routers/{case.router}/add_router_interface", {"subnet_id": subnet})
        port = case.user.make("ports", network_id=network, fixed_ips=[{"ip_address": "10.88.0.10"}])["id"]
        floating = case.floating(port_id=port)
        assert (floating["port_id"], floating["router_id"]) == (port, case.router)


def test_a_dead_pod_is_said_and_what_is_known_is_shown(case):
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    case.cloud["Pod1"].refuse()
    answer = case.user.network.get(f"/floatingips/{floating['id']}")
    assert (answer.status, answer.headers["X-Tricircle-Unreachable-Pods"]) == (200, "Pod1")
    assert answer["floatingip"]["port_id"] == case.ports["Pod1"]["id"]
    assert case.put(floating, port_id=case.ports["Pod1"]["id"]).status == 503


def test_each_pod_may_have_an_external_network(gateway, outside, external):
    case = Case(gateway, external("Pod1"))
    for pod in ("Pod2", "Pod1"):
        floating = case.floating(port_id=case.ports[pod]["id"])
        assert part(floating, case.seen(pod)) == case.seen(pod)
    assert (len(case.shadows("networks", "Pod1")), case.shadows("networks", "Pod2")) == (1, [])
    other = Case(gateway, outside)
    assert other.floating(port_id=other.ports["Pod1"]["id"])["router_id"] == other.router


def test_a_network_that_has_moved_is_called_by_its_name_in_its_pod(gateway, external):
    """It keeps its id for the user; its pod, and that of the external network, call it otherwise."""
    case = Case(gateway, external("Pod1"))
    network, subnet = case.user.wired()
    server = case.user.boot(network, "az2")
    assert case.user.network.ok("GET", f"/networks/{network}")["network"]["availability_zones"] in ([], ["az2"])
    case.user.network.ok("PUT", f"/routers/{case.router}/add_router_interface", {"subnet_id": subnet})
    port, = case.user.network.ok("GET", f"/ports?device_id={server}")["ports"]
    floating = case.floating(port_id=port["id"])
    assert (floating["port_id"], floating["fixed_ip_address"]) == (port["id"], port["fixed_ips"][0]["ip_address"])
    assert floating["port_details"]["network_id"] == network
    assert [row["id"] != network for row in case.cloud["Pod1"].network.shelf("networks").values()
            if row["description"] == f"tricircle:{network}"] == [True]


def test_a_port_on_a_network_that_is_shared_with_its_project(gateway, outside):
    admin, case = User(gateway, "admin"), Case(gateway, outside)
    network, _ = admin.wired("az1")
    admin.network.ok("POST", "/rbac-policies", {"rbac_policy": {
        "object_type": "network", "object_id": network, "action": "access_as_shared",
        "target_tenant": case.user.project}})
    gate = case.user.make("ports", network_id=network)["id"]
    case.user.network.ok("PUT", f"/routers/{case.router}/add_router_interface", {"port_id": gate})
    port = case.user.make("ports", network_id=network)["id"]
    floating = case.floating(port_id=port)
    assert (floating["port_id"], floating["router_id"]) == (port, case.router)


def test_a_floating_ip_on_a_port_that_its_owner_may_not_see_is_not_free(case):
    """An administrator has put it there; Neutron shows the owner the port's details all the same."""
    admin, owner = User(case.gateway, "admin"), User(case.gateway)
    made = admin.make("floatingips", floating_network_id=case.outside.network, port_id=case.ports["Pod1"]["id"],
                      project_id=owner.project)
    jobs = case.jobs()
    shown = owner.network.ok("GET", f"/floatingips/{made['id']}")["floatingip"]
    assert part(shown, case.seen("Pod1")) == case.seen("Pod1")
    assert owner.network.get(f"/ports/{shown['port_id']}").status == 404
    assert case.jobs() == jobs


def test_a_refused_shadow_is_told_of_in_the_users_ids(case):
    """Somebody else's port has the address in the external network's pod."""
    first = case.floating(port_id=case.ports["Pod1"]["id"])
    port = case.user.make("ports", network_id=case.nets["Pod1"])
    address, shelf = port["fixed_ips"][0]["ip_address"], case.cloud["Pod2"].network.shelf("ports")
    shadow, = [row for row in case.shadows("ports") if not row["device_owner"]]
    taken = {**shadow, "id": str(uuid.uuid4()), "description": "", "fixed_ips": [
        {**shadow["fixed_ips"][0], "ip_address": address}]}
    shelf[taken["id"]] = taken
    answer = case.put(first, port_id=port["id"])
    del shelf[taken["id"]]
    assert answer.status == 409
    assert case.subnets["Pod1"] in answer["NeutronError"]["message"]
