"""A router's external network, in whichever pod it is: what the user sees, and that nothing is half made."""
import json
import uuid

import pytest

from tests.functional.user import User, holders

INFO = "external_gateway_info"


@pytest.fixture
def user(gateway):
    found = User(gateway)
    found.network.ok("GET", "/security-groups")
    return found


def put(user, router, info, **more):
    return user.network.put(f"/routers/{router}", {"router": {INFO: info, **more}})


def homed(user, pod):
    """A router with its home in a pod."""
    return user.make("routers", name="r", availability_zone_hints=[f"az{pod[-1]}"])["id"]


def gateways(cloud, router):
    """{pod: external network} of the router and its replicas, as the pods have it."""
    found = {}
    for pod in cloud:
        for row in pod.network.shelf("routers").values():
            if router in (row["id"], row["description"].removeprefix("tricircle:")) and row[INFO]:
                found[pod.name] = row[INFO]["network_id"]
    return found


@pytest.mark.parametrize("home", ["Pod1", "Pod2"])
def test_a_gateway_is_shown_set_and_cleared_wherever_the_router_is(cloud, user, outside, home):
    router = homed(user, home)
    answer = put(user, router, outside.info)
    assert answer.status == 200
    info = answer["router"][INFO]
    assert (answer["router"]["id"], info["network_id"], info["enable_snat"]) == (router, outside.network, True)
    assert [ip["subnet_id"] for ip in info["external_fixed_ips"]] == [outside.subnet]
    assert gateways(cloud, router) == {"Pod2": outside.network}
    assert user.network.ok("GET", f"/routers/{router}")["router"][INFO] == info
    assert user.network.ok("GET", f"/routers/{router}?fields={INFO}")["router"] == {INFO: info}
    assert user.network.ok("GET", f"/routers?fields={INFO}")["routers"] == [{INFO: info}]
    assert [row[INFO] for row in user.network.ok("GET", "/routers")["routers"]] == [info]
    assert [row[INFO] for row in user.network.ok("GET", "/routers?limit=5")["routers"]] == [info]
    assert put(user, router, {})["router"][INFO] is None
    assert gateways(cloud, router) == {}


def test_a_router_may_be_made_with_its_gateway(cloud, user, outside):
    plain = user.make("routers", name="r", external_gateway_info=outside.info)
    assert plain[INFO]["network_id"] == outside.network
    hinted = user.make("routers", name="r", availability_zone_hints=["az1"], external_gateway_info=outside.info)
    assert (hinted["availability_zone_hints"], hinted[INFO]["network_id"]) == (["az1"], outside.network)
    assert holders(cloud, "network", "routers", hinted["id"]) == ["Pod1"]


def test_a_router_whose_gateway_is_refused_is_not_made(cloud, user, outside):
    with cloud.unchanged():
        body = {"availability_zone_hints": ["az1"], INFO: outside.info | {"enable_snat": False}}
        answer = user.network.post("/routers", {"router": body})
        assert (answer.status, answer["NeutronError"]["type"]) == (403, "PolicyNotAuthorized")
        # The replica that was made for it goes by the job.
        for row in list(cloud["Pod2"].network.shelf("routers").values()):
            if row["project_id"] == user.project:
                del cloud["Pod2"].network.shelf("routers")[row["id"]]


def test_addresses_and_snat_are_an_administrators_to_choose(cloud, gateway, outside):
    admin = User(gateway, "admin")
    router = homed(admin, "Pod1")
    chosen = outside.info | {"enable_snat": False, "external_fixed_ips": [
        {"subnet_id": outside.subnet, "ip_address": outside.cidr.replace("0/24", "77")}]}
    assert put(admin, router, chosen)["router"][INFO] == chosen
    assert admin.network.ok("GET", f"/routers/{router}")["router"][INFO] == chosen
    assert put(admin, router, None)["router"][INFO] is None


def test_what_else_is_changed_is_changed_at_home(cloud, user, outside):
    router = homed(user, "Pod1")
    answer = put(user, router, outside.info, name="new", description="mine")
    assert (answer["router"]["name"], answer["router"]["description"]) == ("new", "mine")
    assert cloud["Pod1"].network.shelf("routers")[router]["name"] == "new"


def test_a_gateway_moves_from_a_pods_network_to_another_pods(cloud, user, outside, external):
    here = external("Pod1")
    router = homed(user, "Pod1")
    for each in (here, outside, here):
        assert put(user, router, each.info)["router"][INFO]["network_id"] == each.network
        assert gateways(cloud, router) == {each.pod: each.network}


def test_refusals_are_neutrons_own_and_leave_the_gateway_as_it_was(cloud, user, outside, external):
    here = external("Pod1")
    router = homed(user, "Pod1")
    put(user, router, here.info)
    before = user.network.ok("GET", f"/routers/{router}")["router"][INFO]
    inner = user.wired("az2")[0]
    for info, status, kind in (({"network_id": inner}, 400, "BadRequest"),
                               (outside.info | {"enable_snat": False}, 403, "PolicyNotAuthorized"),
                               ({"network_id": str(uuid.uuid4())}, 404, "NetworkNotFound"),
                               ({"network_id": 5}, 400, "HTTPBadRequest")):
        answer = put(user, router, info)
        assert (answer.status, answer["NeutronError"]["type"]) == (status, kind), info
        assert user.network.ok("GET", f"/routers/{router}")["router"][INFO] == before
    put(user, router, outside.info)
    for info in ({"network_id": str(uuid.uuid4())}, {"enable_snat": True}, "x"):
        assert 400 <= put(user, router, info).status < 500, info
        assert gateways(cloud, router) == {"Pod2": outside.network}


def test_a_gateway_is_taken_back_when_the_rest_is_refused(cloud, user, outside):
    router = homed(user, "Pod1")
    answer = put(user, router, outside.info, name=5)
    assert (answer.status, gateways(cloud, router)) == (400, {})
    put(user, router, outside.info)
    assert put(user, router, None, name=5).status == 400
    assert gateways(cloud, router) == {"Pod2": outside.network}


def test_a_dead_pod_is_named_and_the_old_gateway_stays(cloud, user, outside, external):
    here = external("Pod1")
    router = homed(user, "Pod1")
    put(user, router, here.info)
    cloud["Pod2"].refuse()
    assert put(user, router, outside.info).status == 503
    assert gateways(cloud, router) == {"Pod1": here.network}


def test_a_gateway_that_cannot_be_seen_now_is_not_denied(cloud, user, outside):
    router = homed(user, "Pod1")
    put(user, router, outside.info)
    cloud["Pod2"].refuse()
    for path in (f"/routers/{router}", "/routers"):
        answer = user.network.get(path)
        assert (answer.status, answer.headers["X-Tricircle-Unreachable-Pods"]) == (200, "Pod2")


def test_an_interface_that_overlaps_the_external_network_of_another_pod_is_refused(user, outside):
    router = homed(user, "Pod1")
    put(user, router, outside.info)
    network = user.net("az1")
    subnet = user.make("subnets", network_id=network, ip_version=4, cidr=outside.cidr)["id"]
    answer = user.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    assert answer.status == 400
    assert "overlaps" in answer["NeutronError"]["message"]
    other = homed(user, "Pod1")
    user.network.ok("PUT", f"/routers/{other}/add_router_interface", {"subnet_id": subnet})
    answer = put(user, other, outside.info)
    assert answer.status == 400
    assert "overlaps" in answer["NeutronError"]["message"]


def test_the_gateway_of_a_stranger_stays_his(cloud, gateway, user, outside):
    router = homed(user, "Pod1")
    put(user, router, outside.info)
    stranger = User(gateway)
    answer = put(stranger, router, None)
    assert answer.status == 404
    assert gateways(cloud, router) == {"Pod2": outside.network}
    assert outside.network not in json.dumps(stranger.network.ok("GET", "/routers"))


@pytest.mark.parametrize("zones", [5, True, -1, 1.5, "az1", {"az1": 1}, [5], ["az1", "az1"]])
def test_zones_that_are_no_list_of_names_are_for_the_pod_to_refuse(cloud, user, outside, zones):
    with cloud.unchanged():
        answer = user.network.post("/routers", {"router": {"availability_zone_hints": zones, INFO: outside.info}})
        assert (answer.status, answer["NeutronError"]["type"]) == (400, "HTTPBadRequest")
        assert answer["NeutronError"]["message"].startswith("Invalid input for availability_zone_hints. Reason: ")
        network = user.network.post("/networks", {"network": {"availability_zone_hints": zones}})
        assert (network.status, network["NeutronError"]) == (400, answer["NeutronError"])
