"""Extra routes of a router over two pods: each where its next hop is, and the other pod led there (reports, row 27)."""
import json
from ipaddress import ip_address

import pytest

from tests.functional.scene import PODS, Scene
from tricircle import marks


@pytest.fixture
def scene(cloud, gateway, worker):
    """A router that joins a subnet in each pod."""
    made = Scene(cloud, gateway)
    made.change("add")
    made.settle()
    return made


def route(destination, nexthop):
    return {"destination": destination, "nexthop": nexthop}


def change(scene, verb, *routes):
    """add_extraroutes, remove_extraroutes, or (None) a PUT of all of them; the answer."""
    path = f"/routers/{scene.router}" + (f"/{verb}_extraroutes" if verb else "")
    return scene.user.call("PUT", path, {"router": {"routes": list(routes)}})


def shown(scene):
    """The router's routes, as its user sees them."""
    routes = scene.user.ok("GET", f"/routers/{scene.router}")["router"]["routes"]
    listed = scene.user.ok("GET", f"/routers?id={scene.router}&fields=id&fields=routes")["routers"][0]["routes"]
    assert by_destination(routes) == by_destination(listed)
    alone = scene.user.ok("GET", f"/routers?id={scene.router}&fields=routes")["routers"]
    assert [by_destination(each.pop("routes")) for each in alone] == [by_destination(routes)]
    assert alone == [{}]
    return by_destination(routes)


def by_destination(routes):
    return sorted(routes, key=lambda each: (each["destination"], each["nexthop"]))


def there(scene, pod):
    """What the pod's router has: {destination: next hop}."""
    router = next(row for row in scene.cloud[pod].network.shelf("routers").values()
                  if row["id"] == scene.router or row["description"] == marks.replica(scene.router))
    return {each["destination"]: each["nexthop"] for each in router["routes"]}


NODES = {"Pod1": route("10.244.1.0/24", "10.0.1.21"), "Pod2": route("10.244.2.0/24", "10.0.2.22")}


@pytest.mark.parametrize("verb", ["add", None])
def test_a_hop_in_either_pod_is_routed_to_from_both(scene, verb):
    answer = change(scene, verb, *NODES.values())
    assert answer.status == 200, answer.raw
    assert by_destination(answer["router"]["routes"]) == shown(scene) == list(NODES.values())
    scene.settle()
    for pod, other in (PODS, PODS[::-1]):
        assert there(scene, pod)[NODES[pod]["destination"]] == NODES[pod]["nexthop"]
        assert there(scene, pod)[NODES[other]["destination"]] == scene.ip(other)
    assert shown(scene) == list(NODES.values())
    assert change(scene, "remove", NODES["Pod2"]).status == 200
    assert shown(scene) == [NODES["Pod1"]]
    scene.settle()
    assert NODES["Pod2"]["destination"] not in there(scene, "Pod1") | there(scene, "Pod2")


def test_a_list_replaces_what_was_there_in_every_pod(scene):
    assert change(scene, "add", *NODES.values()).status == 200
    scene.settle()
    fresh = route("10.245.0.0/16", "10.0.2.30")
    assert change(scene, None, fresh).status == 200
    assert shown(scene) == [fresh]
    scene.settle()
    assert there(scene, "Pod1") == {"10.245.0.0/16": scene.ip("Pod2"), scene.cidr("Pod2"): scene.ip("Pod2")}
    assert there(scene, "Pod2") == {"10.245.0.0/16": "10.0.2.30", scene.cidr("Pod1"): scene.ip("Pod1")}
    assert change(scene, None).status == 200
    assert shown(scene) == []


@pytest.mark.parametrize("verb", ["add", None])
def test_a_refusal_changes_nothing_and_shows_no_plumbing(scene, verb):
    assert change(scene, "add", NODES["Pod2"]).status == 200
    scene.settle()
    before = [there(scene, pod) for pod in PODS]
    wrong = route("10.250.0.0/16", "192.0.2.1")
    answer = change(scene, verb, NODES["Pod1"], route("10.251.0.0/16", "10.0.2.40"), wrong)
    assert answer.status == 400
    words = json.dumps(answer.body)
    assert "192.0.2.1" in words
    assert "100.64." not in words
    scene.settle()
    assert [there(scene, pod) for pod in PODS] == before
    assert shown(scene) == [NODES["Pod2"]]


def test_a_subnet_stays_while_a_route_needs_it(scene):
    assert change(scene, "add", NODES["Pod2"]).status == 200
    body = {"subnet_id": scene.subnets["Pod2"]}
    assert scene.user.call("PUT", f"/routers/{scene.router}/remove_router_interface", body).status == 409
    assert change(scene, "remove", NODES["Pod2"]).status == 200
    scene.change("remove", "Pod2")
    scene.settle()
    assert shown(scene) == []


def both(scene, routes, info):
    """A PUT of routes and of the gateway; the answer."""
    body = {"routes": routes, "external_gateway_info": info}
    return scene.user.call("PUT", f"/routers/{scene.router}", {"router": body})


def gateways(scene):
    """Pods in which the router has a gateway."""
    return [pod for pod in PODS for row in scene.cloud[pod].network.shelf("routers").values()
            if row["external_gateway_info"] and scene.router in (row["id"], row["description"].rpartition(":")[2])]


def test_a_gateway_in_the_same_body_is_where_its_network_is(scene, external):
    there = external("Pod2")
    answer = both(scene, [NODES["Pod2"]], there.info)
    assert answer.status == 200, answer.raw
    assert (gateways(scene), shown(scene)) == (["Pod2"], [NODES["Pod2"]])
    answer = both(scene, [NODES["Pod1"], NODES["Pod2"]], None)
    assert answer.status == 200, answer.raw
    assert answer["router"]["external_gateway_info"] is None
    assert (gateways(scene), shown(scene)) == ([], list(NODES.values()))


def test_a_gateway_that_is_refused_leaves_the_routes_as_they_were(scene):
    assert change(scene, "add", NODES["Pod1"]).status == 200
    inside = scene.user.ok("GET", f"/subnets/{scene.subnets['Pod2']}")["subnet"]["network_id"]
    assert both(scene, [NODES["Pod2"]], {"network_id": inside}).status == 400
    assert (gateways(scene), shown(scene)) == ([], [NODES["Pod1"]])


def test_a_home_that_does_not_answer_leaves_no_route_elsewhere(scene):
    faults = scene.cloud["Pod1"].network.faults
    faults.html, faults.only = 503, f"PUT /v2.0/routers/{scene.router}/add_extraroutes"
    try:
        assert change(scene, "add", *NODES.values()).status in (502, 503)
    finally:
        scene.cloud.recover()
        scene.gateway.settle()
    assert shown(scene) == []


def test_null_is_an_empty_list(scene):
    assert change(scene, None, *NODES.values()).status == 200
    scene.settle()
    answer = scene.user.call("PUT", f"/routers/{scene.router}", {"router": {"routes": None}})
    assert (answer.status, answer["router"]["routes"], shown(scene)) == (200, [], [])
    # The plumbing has stayed, before any job has looked.
    for pod, other in (PODS, PODS[::-1]):
        assert there(scene, pod)[scene.cidr(other)] == scene.ip(other)


def test_null_beside_a_gateway_is_an_empty_list(scene, external):
    assert change(scene, None, *NODES.values()).status == 200
    scene.settle()
    assert both(scene, None, external("Pod2").info).status == 200
    assert (gateways(scene), shown(scene)) == (["Pod2"], [])
    assert there(scene, "Pod1")[scene.cidr("Pod2")] == scene.ip("Pod2")


@pytest.mark.parametrize("destination", [1, True, 5, 10**30, None, 1.5, ["10.0.0.0/8"]])
def test_a_destination_that_is_no_string_is_for_the_pod_to_refuse(scene, destination):
    answer = change(scene, None, route(destination, "10.0.1.21"))
    assert answer.status == 400
    assert "is not a valid CIDR" in answer["NeutronError"]["message"]
    answer = change(scene, None, route("10.244.1.0/24", destination))
    assert answer.status == 400
    assert "is not a valid IP address" in answer["NeutronError"]["message"]
    assert "100.64." not in json.dumps(answer.body)


@pytest.mark.parametrize("verb", ["add", None])
def test_no_route_leads_into_a_bridge(scene, verb):
    before = [there(scene, pod) for pod in PODS]
    for destination, hop in (("1.1.1.0/24", "100.64.0.77"), (scene.cidr("Pod2"), scene.ip("Pod2")),
                             ("10/8", scene.ip("Pod2")), ("1.1.1.0/24", scene.ip("Pod1"))):
        answer = change(scene, verb, NODES["Pod1"], route(destination, hop))
        assert (answer.status, answer["NeutronError"]["type"]) == (400, "InvalidRoutes")
        said = [NODES["Pod1"], route(destination, hop)]
        assert answer["NeutronError"]["message"] == \
            f"Invalid format for routes: {said}, the nexthop is not connected with router"
    assert ([there(scene, pod) for pod in PODS], shown(scene)) == (before, [])


def test_no_number_leads_into_a_bridge(scene):
    before = [there(scene, pod) for pod in PODS]
    answer = change(scene, "add", route("1.1.1.0/24", int(ip_address(scene.ip("Pod2")))))
    assert (answer.status, answer["NeutronError"]["type"]) == (400, "InvalidRoutes")
    assert [there(scene, pod) for pod in PODS] == before


@pytest.mark.parametrize("more", [{}, {"more": 1}])
def test_to_remove_a_route_of_the_plumbing_removes_nothing(scene, more):
    assert change(scene, "add", NODES["Pod1"]).status == 200
    scene.settle()
    before = [there(scene, pod) for pod in PODS]
    plumbing = [route(scene.cidr(other), scene.ip(other)) | more for other in PODS]
    assert change(scene, "remove", *plumbing, {"destination": 5, "nexthop": 5}).status == 200
    assert [there(scene, pod) for pod in PODS] == before
    assert change(scene, "remove", *plumbing, NODES["Pod1"]).status == 200
    assert shown(scene) == []
