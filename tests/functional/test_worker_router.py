"""The worker, for real, against stand-in pods: routers are built, changed and taken apart."""
import sqlite3

import pytest

from tests.functional.gateway import until
from tests.functional.scene import PODS, Scene


@pytest.fixture(scope="module")
def worker(gateway):
    """One for all of these tests: nothing here needs a fresh one."""
    made = gateway.worker()
    yield made
    made.stop()


@pytest.fixture
def scene(cloud, gateway):
    return Scene(cloud, gateway)


def test_a_router_over_two_pods_is_built_and_leaves_nothing_behind(scene, worker):
    before = scene.traces()
    scene.change("add")
    scene.assert_built_and_goes(before)


def test_what_is_right_stays_untouched_even_when_the_store_has_forgotten_what_it_handed_out(scene, worker):
    scene.change("add")
    scene.settle()
    handed_out, mark = scene.allocations(), len(scene.cloud.log)
    path = scene.gateway.folder / "state" / "tricircle.sqlite"
    with sqlite3.connect(path, timeout=10) as db:
        db.execute("DELETE FROM bridge_ips WHERE router_id = ?", (scene.router,))
        db.execute("DELETE FROM bridges WHERE project_id = ?", (scene.token.project.id,))
        known = "SELECT local_id FROM replicas WHERE resource_id = ?"
        replica = db.execute(known, (scene.router,)).fetchone()
        db.execute("UPDATE replicas SET local_id = NULL WHERE resource_id = ?", (scene.router,))
    scene.user.ok("PUT", f"/routers/{scene.router}", {"router": {"description": "look again"}})
    scene.settle()
    assert scene.plumbing(mark) == []
    assert scene.allocations() == handed_out
    assert sqlite3.connect(path, timeout=10).execute(known, (scene.router,)).fetchone() == replica


def test_two_routers_of_a_project_share_its_bridge_until_the_last_one_leaves(cloud, gateway, worker):
    first = Scene(cloud, gateway)
    second = first.sibling()
    before = first.traces() | second.traces()
    for scene in (first, second):
        scene.change("add")
    first.settle()
    second.settle()
    assert first.bridge("Pod1")[0] == second.bridge("Pod1")[0]
    first.assert_built_once()
    second.assert_built_once()
    for scene in (first, second):
        scene.change("remove")
    first.settle()
    second.settle()
    first.assert_gone()
    second.assert_gone()
    assert first.traces() | second.traces() == before


def test_a_name_that_looks_like_a_template_is_mirrored_as_it_is(scene, worker, tmp_path):
    scene.change("add")
    name = "{{ lookup('pipe', 'touch " + str(tmp_path) + "/evaluated') }}"
    scene.user.ok("PUT", f"/routers/{scene.router}", {"router": {"name": name, "admin_state_up": False}})
    scene.settle()
    replica = scene.rows("Pod2", "routers", f"tricircle:{scene.router}")[0]
    assert (replica["name"], replica["admin_state_up"]) == (name, False)
    assert not (tmp_path / "evaluated").exists()


def test_a_vlan_that_a_pod_uses_is_passed_over(scene, worker):
    taken = lowest_free(scene)
    use_vlan(scene, "Pod2", taken)
    scene.change("add")
    scene.settle()
    scene.assert_built_once()
    assert scene.bridge("Pod1")[0][0]["provider:segmentation_id"] != taken


def test_a_vlan_that_is_taken_under_our_hands_is_left_in_every_pod(scene, worker):
    taken = lowest_free(scene)
    scene.change("add", "Pod1")
    scene.settle()
    stop = scene.cloud.stop_at_write(1, match="^POST /v2.0/networks")
    scene.change("add", "Pod2")
    assert stop.wait(120)
    until(lambda: any(scene.bridge(pod)[0] for pod in PODS))
    use_vlan(scene, next(pod for pod in PODS if not scene.bridge(pod)[0]), taken)
    stop.release()
    scene.settle()
    scene.assert_built_once()
    assert scene.bridge("Pod1")[0][0]["provider:segmentation_id"] != taken


def test_a_pod_that_is_away_is_named_and_caught_up_with(scene, worker):
    scene.change("add")
    scene.settle()
    scene.cloud["Pod2"].refuse()
    scene.user.ok("PUT", f"/routers/{scene.router}", {"router": {"name": "renamed"}})
    job = scene.failed_job()
    assert "Pod2" in job["last_error"]
    assert scene.routes("Pod1")
    scene.cloud["Pod2"].recover()
    scene.settle()
    assert scene.rows("Pod2", "routers", f"tricircle:{scene.router}")[0]["name"] == "renamed"


def use_vlan(scene, pod, vlan):
    """Somebody's network on the trunk, made directly in the pod."""
    client = type(scene.user)(scene.cloud[pod].network.server.url + "/v2.0", scene.cloud.token("admin").id)
    client.ok("POST", "/networks", {"network": {"name": "foreign", "provider:network_type": "vlan",
                                                "provider:physical_network": "bridge",
                                                "provider:segmentation_id": vlan}})


def lowest_free(scene):
    """The VLAN that the next project would get."""
    used = {row.get("provider:segmentation_id") for pod in PODS
            for row in scene.cloud[pod].network.shelf("networks").values()}
    used |= {row[1] for row in scene.gateway.store()["bridges"]}
    return next(vlan for vlan in range(2001, 3001) if vlan not in used)
