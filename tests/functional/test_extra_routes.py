"""Extra routes of a router over two pods: each where its next hop is, and the other pod led there (reports, row 27)."""
import json

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
