"""The worker, for real: routers whose external network is in another pod than their subnets."""
import pytest

from tests.functional.deaths import work_and_die
from tests.functional.scene import Scene

ANYWHERE = "0.0.0.0/0"


@pytest.fixture
def scene(cloud, gateway):
    return Scene(cloud, gateway)


def assert_way_out(scene):
    """Pod1's subnet leaves through Pod2 and is found from there; nothing else is routed."""
    assert scene.routes("Pod1") == [(ANYWHERE, scene.ip("Pod2"))]
    assert scene.routes("Pod2") == [(scene.cidr("Pod1"), scene.ip("Pod1"))]


@pytest.mark.parametrize("gateway_first", [True, False])
def test_a_subnet_leaves_through_another_pod_whichever_came_first(scene, outside, worker, gateway_first):
    before = scene.traces()
    changes = [lambda: scene.outside(outside.info), lambda: scene.change("add", "Pod1")]
    for change in changes if gateway_first else changes[::-1]:
        change()
        scene.settle()
    assert_way_out(scene)
    assert scene.user.ok("GET", f"/routers/{scene.router}")["router"]["routes"] == []
    scene.change("add", "Pod2")
    scene.settle()
    assert sorted(scene.routes("Pod1")) == [(ANYWHERE, scene.ip("Pod2")), (scene.cidr("Pod2"), scene.ip("Pod2"))]
    for change in (lambda: scene.change("remove"), lambda: scene.outside(None)):
        change()
        scene.settle()
    scene.assert_gone()
    assert scene.traces() == before


def test_the_way_out_moves_with_the_external_network(scene, outside, worker, external):
    here = external("Pod1")
    scene.outside(outside.info)
    scene.change("add")
    scene.settle()
    scene.outside(here.info)
    scene.settle()
    assert scene.routes("Pod1") == [(scene.cidr("Pod2"), scene.ip("Pod2"))]
    assert sorted(scene.routes("Pod2")) == [(ANYWHERE, scene.ip("Pod1")), (scene.cidr("Pod1"), scene.ip("Pod1"))]


def test_a_deleted_router_takes_its_gateway_in_another_pod_along(scene, outside, worker):
    scene.outside(outside.info)
    scene.user.ok("DELETE", f"/routers/{scene.router}")
    scene.settle()
    scene.assert_gone()
    outside.delete()


def test_killed_after_each_write_on_the_way_out(scene, outside):
    before = scene.traces()
    scene.change("add", "Pod1")
    scene.outside(outside.info)
    assert work_and_die(scene) >= 5
    assert_way_out(scene)
    scene.outside(None)
    assert work_and_die(scene) >= 4
    scene.change("remove", "Pod1")
    worker = scene.gateway.worker()
    scene.settle()
    worker.stop()
    scene.assert_gone()
    assert scene.traces() == before
