"""Port forwardings of a floating IP to ports in its own pod and in others: the user sees his own ports."""
import itertools
import sys

import pytest

from tests.functional import quick_worker
from tests.functional.test_floatingips import INTERFACE, Case
from tests.functional.user import User, reader_of

PORTS = itertools.count(1000)


class Forwarded(Case):
    """With a floating IP that is on no port."""

    def __init__(self, gateway, outside):
        super().__init__(gateway, outside)
        self.address = self.floating()
        self.path = f"/floatingips/{self.address['id']}/port_forwardings"

    def body(self, port, **fields):
        """Of a new one."""
        return {"internal_port_id": port["id"], "internal_ip_address": port["fixed_ips"][0]["ip_address"],
                "internal_port": next(PORTS), "external_port": next(PORTS), "protocol": "tcp", **fields}

    def post(self, port, **fields):
        """Ask for one; the answer."""
        return self.user.network.post(self.path, {"port_forwarding": self.body(port, **fields)})

    def forward(self, port, **fields):
        """Make one."""
        answer = self.post(port, **fields)
        assert answer.status == 201, answer.body
        return answer["port_forwarding"]

    def listed(self):
        """All of them."""
        return self.user.network.ok("GET", self.path)["port_forwardings"]

    def assert_no_shadow(self):
        """A worker has nothing left to take away."""
        worker = self.gateway.worker(command=(sys.executable, "-m", quick_worker.__name__))
        try:
            self.settle()
        finally:
            worker.stop()
        assert [self.shadows(kind) for kind in ("networks", "subnets", "ports")] == [[], [], []]


@pytest.fixture
def case(gateway, outside):
    return Forwarded(gateway, outside)


@pytest.mark.parametrize("pod", ["Pod1", "Pod2"])
def test_it_is_made_shown_changed_and_deleted_with_ports_of_either_pod(case, pod):
    port, body = case.ports[pod], case.body(case.ports[pod])
    made = case.user.network.ok("POST", case.path, {"port_forwarding": body})["port_forwarding"]
    assert {name: made[name] for name in body} == body
    assert case.listed() == [made]
    assert case.user.network.ok("GET", f"{case.path}?internal_port_id={port['id']}")["port_forwardings"] == [made]
    assert case.user.network.ok("GET", f"{case.path}/{made['id']}")["port_forwarding"] == made
    shown = case.show(case.address)
    assert (shown["router_id"], shown["port_id"]) == (case.router, None)
    assert [each["internal_port_id"] for each in shown["port_forwardings"]] == [port["id"]]
    changed = case.user.network.ok("PUT", f"{case.path}/{made['id']}", {"port_forwarding": {"external_port": 99}})
    assert changed["port_forwarding"] == made | {"external_port": 99, "external_port_range": "99:99"}
    assert case.user.network.delete(f"{case.path}/{made['id']}").status == 204
    assert (case.listed(), case.show(case.address)["router_id"]) == ([], None)
    case.assert_no_shadow()


def test_one_floating_ip_leads_to_ports_of_both_pods_and_moves_between_them(case):
    first, second = case.forward(case.ports["Pod1"]), case.forward(case.ports["Pod2"])
    assert [each["internal_port_id"] for each in case.listed()] == [case.ports[pod]["id"] for pod in ("Pod1", "Pod2")]
    for pod, other in (("Pod2", "Pod1"), ("Pod1", "Pod2")):
        new = {name: case.body(case.ports[pod])[name] for name in ("internal_port_id", "internal_ip_address")}
        moved = case.user.network.ok("PUT", f"{case.path}/{first['id']}", {"port_forwarding": new})["port_forwarding"]
        assert moved == first | new, other
    assert case.nets["Pod1"] in case.jobs()
    both = [case.body(case.ports[pod]) for pod in ("Pod1", "Pod2")]
    made = case.user.network.ok("POST", case.path, {"port_forwardings": both})["port_forwardings"]
    assert [each["internal_port_id"] for each in made] == [each["internal_port_id"] for each in both]
    for each in (first, second, *made):
        assert case.user.network.delete(f"{case.path}/{each['id']}").status == 204
    case.assert_no_shadow()


def test_the_shadow_stays_until_the_last_one_is_gone(case):
    made = [case.forward(case.ports["Pod1"]) for _ in range(2)]
    case.user.network.ok("DELETE", f"{case.path}/{made[0]['id']}")
    worker = case.gateway.worker(command=(sys.executable, "-m", quick_worker.__name__))
    try:
        case.settle()
    finally:
        worker.stop()
    assert len(case.shadows("networks")) == 1
    assert case.listed() == [made[1]]
    case.user.network.ok("DELETE", f"{case.path}/{made[1]['id']}")
    case.assert_no_shadow()


def test_refusals_are_neutrons_own_and_leave_nothing(case):
    lonely = case.user.make("ports", network_id=case.user.wired("az1")[0])
    bare = case.user.make("ports", network_id=case.user.net("az1"))
    stranger = User(case.gateway)
    his = stranger.make("ports", network_id=stranger.wired("az1")[0])
    port, missing = case.ports["Pod1"], "11111111-1111-4111-8111-111111111111"
    for fields, status, kind in (
            ({"internal_port_id": lonely["id"], "internal_ip_address": lonely["fixed_ips"][0]["ip_address"]}, 400,
             "BadRequest"),
            ({"internal_port_id": bare["id"]}, 400, "BadRequest"), ({"internal_port_id": missing}, 404, "PortNotFound"),
            ({"internal_port_id": his["id"]}, 404, "PortNotFound"), ({"internal_port_id": 5}, 400, "HTTPBadRequest"),
            ({"internal_ip_address": "10.99.99.99"}, 400, "BadRequest"),
            ({"internal_ip_address": ["x"]}, 400, "BadRequest"), ({"external_port": 0}, 400, "HTTPBadRequest")):
        answer = case.post(port, **fields)
        assert (answer.status, answer["NeutronError"]["type"]) == (status, kind), fields
    assert case.user.network.post(case.path, {"port_forwarding": [5]}).status == 400
    assert case.user.network.get(f"{case.path}/{missing}").status == 404
    assert case.user.network.delete(f"{case.path}/{missing}").status == 404
    reader = reader_of(case.user).network
    assert reader.post(case.path, {"port_forwarding": case.body(port)}).status == 403
    assert stranger.network.post(case.path, {"port_forwarding": case.body(his)}).status == 404
    assert case.listed() == []
    case.assert_no_shadow()


def test_what_excludes_each_other_does_so_over_pods(case):
    made = case.forward(case.ports["Pod1"])
    answer = case.put(case.address, port_id=case.ports["Pod1"]["id"])
    assert (answer.status, answer["NeutronError"]["type"]) == (409, "FipInUseByPortForwarding")
    assert case.user.network.delete(f"/floatingips/{case.address['id']}").status == 409
    answer = case.join("remove", "Pod1")
    assert (answer.status, answer["NeutronError"]["type"]) == (409, "RouterInterfaceInUseByFloatingIP")
    assert case.listed() == [made]
    other = case.user.make("ports", network_id=case.nets["Pod1"])
    case.floating(port_id=other["id"])
    assert case.post(other)["NeutronError"]["type"] == "PortHasBindingFloatingIP"


@pytest.mark.parametrize("known", [True, False])
def test_those_of_a_port_that_is_gone_are_in_nobodys_eyes_or_way(case, known):
    stays, goes = case.forward(case.ports["Pod2"]), case.forward(case.ports["Pod1"])
    if known:
        case.user.network.ok("DELETE", f"/ports/{case.ports['Pod1']['id']}")
    else:
        del case.cloud["Pod1"].network.shelf("ports")[case.ports["Pod1"]["id"]]
    assert case.listed() == [stays]
    assert case.user.network.ok("GET", f"{case.path}?fields=id")["port_forwardings"] == [{"id": stays["id"]}]
    assert case.user.network.get(f"{case.path}/{goes['id']}?fields=id").status == 404
    answer = case.user.network.get(f"{case.path}/{goes['id']}")
    assert (answer.status, answer["NeutronError"]["type"]) == (404, "PortForwardingNotFound")
    shown = case.show(case.address)
    query = f"/floatingips?id={case.address['id']}&fields=port_forwardings"
    assert case.user.network.ok("GET", query)["floatingips"] == [{"port_forwardings": shown["port_forwardings"]}]
    assert [each["id"] for each in shown["port_forwardings"]] == [stays["id"]]
    assert shown["router_id"] == case.router
    assert case.nets["Pod1"] in case.jobs()
    case.user.network.ok("DELETE", f"{case.path}/{stays['id']}")
    assert case.show(case.address)["router_id"] is None
    assert case.join("remove", "Pod1").status == 200


def test_a_pod_that_is_away_is_said_and_what_is_known_is_shown(case):
    made = case.forward(case.ports["Pod1"])
    case.cloud["Pod1"].refuse()
    answer = case.user.network.get(case.path)
    assert (answer["port_forwardings"], answer.headers["X-Tricircle-Unreachable-Pods"]) == ([made], "Pod1")
    assert case.post(case.ports["Pod1"]).status == 503


def test_nobody_sees_what_stands_for_the_port(case):
    before = case.user.network.ok("GET", "/ports")["ports"]
    case.forward(case.ports["Pod1"])
    assert case.user.network.ok("GET", "/ports")["ports"] == before
    assert {p["device_owner"] for p in case.shadows("ports")} == {"", INTERFACE}
