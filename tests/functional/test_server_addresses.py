"""A server's addresses show its floating IPs, also those of another pod's external network, as Nova does."""
import pytest

from tests.functional.test_floatingips import Case
from tests.functional.user import User, reader_of


class Served(Case):
    """With a server in Pod1, whose port is that of the case; it has a second one on another network."""

    def __init__(self, gateway, outside):
        super().__init__(gateway, outside)
        self.server = self.user.boot(self.nets["Pod1"], "az1")
        self.ports["Pod1"] = self.port_of(self.server)
        self.bare = self.addresses()

    def port_of(self, server):
        """Its one port."""
        port, = self.user.network.ok("GET", f"/ports?device_id={server}")["ports"]
        return port

    def addresses(self, client=None):
        """As the server shows them."""
        return (client or self.user.compute).ok("GET", f"/servers/{self.server}")["server"]["addresses"]

    def wanted(self, *floating):
        """What it should show."""
        (name, fixed), = self.bare.items()
        return {name: fixed + [{"version": 4, "addr": each["floating_ip_address"], "OS-EXT-IPS:type": "floating",
                                "OS-EXT-IPS-MAC:mac_addr": self.ports["Pod1"]["mac_address"]} for each in floating]}


@pytest.fixture
def case(gateway, outside):
    return Served(gateway, outside)


def test_wherever_nova_shows_addresses(case):
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    wanted, path = case.wanted(floating), f"/servers/{case.server}"
    assert case.addresses() == wanted
    other = case.user.boot(case.nets["Pod2"], "az2")
    listed = {each["id"]: each for each in case.user.compute.ok("GET", "/servers/detail")["servers"]}
    assert listed[case.server]["addresses"] == wanted
    assert [len(each) for each in listed[other]["addresses"].values()] == [1]
    page = case.user.compute.ok("GET", "/servers/detail?limit=1&sort_key=created_at&sort_dir=asc")["servers"]
    assert [each["addresses"] for each in page] == [wanted]
    plain = {name: [{key: each[key] for key in ("version", "addr")} for each in shown]
             for name, shown in wanted.items()}
    assert case.user.compute.ok("GET", f"{path}/ips") == {"addresses": plain}
    assert case.user.compute.ok("GET", f"{path}/ips/{next(iter(plain))}") == plain
    renamed = case.user.compute.ok("PUT", path, {"server": {"name": "new"}})["server"]
    assert (renamed["name"], renamed["addresses"]) == ("new", wanted)
    assert "addresses" not in case.user.compute.ok("GET", "/servers")["servers"][0]


def test_what_is_taken_off_or_deleted_is_not_shown(case):
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    case.put(floating, port_id=None)
    assert case.addresses() == case.bare
    case.put(floating, port_id=case.ports["Pod1"]["id"])
    assert case.addresses() == case.wanted(floating)
    case.user.network.ok("DELETE", f"/floatingips/{floating['id']}")
    assert case.addresses() == case.bare


def test_an_address_of_the_servers_own_pod_is_shown_once(gateway, external):
    case = Served(gateway, external("Pod1"))
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    case.floating(port_id=case.ports["Pod2"]["id"])
    assert case.addresses() == case.wanted(floating)


def test_of_two_equal_addresses_it_belongs_to_the_one_of_its_port(case):
    address = case.ports["Pod1"]["fixed_ips"][0]["ip_address"]
    network = case.user.net("az1")
    case.user.subnet(network, address.rsplit(".", 1)[0] + ".0/24")
    port = case.user.make("ports", network_id=network, fixed_ips=[{"ip_address": address}])["id"]
    shelf = case.cloud["Pod1"].network.shelf("ports")
    shelf[port] |= {"device_id": case.server}
    shelf[case.ports["Pod1"]["id"]] = shelf.pop(case.ports["Pod1"]["id"])   # Nova shows it last
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    other, mine = case.addresses().values()
    assert (len(other), [mine]) == (1, list(case.wanted(floating).values()))


def test_those_who_may_see_the_server_see_it_and_strangers_are_not_asked_for(case):
    floating = case.floating(port_id=case.ports["Pod1"]["id"])
    assert case.addresses(reader_of(case.user).compute) == case.wanted(floating)
    admin = case.gateway.client("compute", "admin")
    assert case.addresses(admin) == case.wanted(floating)
    everybodys = {each["id"]: each for each in admin.ok("GET", "/servers/detail?all_tenants=1")["servers"]}
    assert everybodys[case.server]["addresses"] == case.wanted(floating)
    stranger = User(case.gateway)
    server = stranger.boot(stranger.wired("az1")[0], "az1")
    calls = [pod.network.faults.calls for pod in case.cloud]
    before = [len(each) for each in calls]
    stranger.compute.ok("GET", f"/servers/{server}")
    stranger.compute.ok("GET", "/servers/detail")
    assert [len(each) for each in calls] == before, "no Neutron is asked for those who have no such address"


def test_a_list_asks_once_for_all_servers(case):
    for port in (case.ports["Pod1"], case.port_of(case.user.boot(case.nets["Pod1"], "az1"))):
        case.floating(port_id=port["id"])
    calls = {pod.name: pod.network.faults.calls for pod in case.cloud}
    before = {name: len(each) for name, each in calls.items()}
    listed = case.user.compute.ok("GET", "/servers/detail")["servers"]
    assert [len(shown) for each in listed for shown in each["addresses"].values()] == [2, 2]
    assert {name: each[before[name]:] for name, each in calls.items()} == {
        "Pod1": [("GET", "/v2.0/ports")], "Pod2": [("GET", "/v2.0/floatingips")]}


@pytest.mark.parametrize("away", ["Pod1", "Pod2"])
def test_without_a_pods_neutron_the_server_is_shown_without_the_address(case, away):
    case.floating(port_id=case.ports["Pod1"]["id"])
    case.cloud[away].network.faults.html = 503
    answer = case.user.compute.get(f"/servers/{case.server}")
    assert (answer.status, answer["server"]["addresses"]) == (200, case.bare)
    assert answer.headers["X-Tricircle-Unreachable-Pods"] == away
