"""A worker that is killed alone, or asked to stop, or not alone on its machine.

Killing the worker does not kill the playbook that it has started: that one goes on until it sees that its lease has
passed on. Nothing may come out twice all the same.
"""
import pytest

from tests.functional.deaths import power_cut
from tests.functional.gateway import until
from tests.functional.scene import PATIENCE, PODS, Scene
from tests.functional.town import Town


@pytest.fixture
def scene(cloud, gateway):
    return Scene(cloud, gateway)


def test_the_playbook_of_a_killed_worker_goes_on_beside_its_successor(scene):
    scene.change("add")
    stop = scene.cloud.stop_at_write(1, "before", "^POST /v2.0/ports")
    worker = scene.gateway.worker()
    assert stop.wait(120)
    worker.kill()
    successor = scene.gateway.worker()
    try:
        # The successor owns the job before the orphan wakes up: the orphan finishes its call and nothing more.
        until(lambda: scene.jobs()[0]["attempts"] > 1, PATIENCE)
        stop.release()
        scene.settle()
    finally:
        successor.stop()
    scene.assert_built_once()


def test_a_worker_that_is_asked_to_stop_finishes_its_job_first(scene):
    scene.change("add")
    stop = scene.cloud.stop_at_write(1)
    worker = scene.gateway.worker()
    assert stop.wait(120)
    worker.terminate()
    stop.release()
    assert worker.process.wait(PATIENCE) == 0
    assert scene.settled()
    scene.assert_built_once()


def test_there_is_one_worker_on_a_machine(scene, worker):
    second = scene.gateway.worker()
    until(lambda: worker.running != second.running, PATIENCE)
    scene.change("add")
    scene.settle()
    assert worker.running != second.running
    second.stop()


def test_a_replica_that_was_about_to_go_is_forgotten_by_the_next_worker(scene):
    """Killed between the deletion of the replica in the pod and in the store."""
    scene.change("add", "Pod2")
    stop = scene.cloud.stop_at_write(1, "after", "^DELETE /v2.0/routers/")
    scene.change("remove", "Pod2")
    worker = scene.gateway.worker()
    assert stop.wait(120)
    worker.kill()
    stop.drop()
    worker = scene.gateway.worker()
    scene.settle()
    worker.stop()
    scene.assert_gone()


def test_a_worker_that_dies_when_the_job_that_it_owed_has_run_too_early(cloud, gateway):
    """Its playbook took longer than what it had announced waits; then the last routes came, and it died."""
    town = Town(cloud, gateway)
    near, far = (town.address(town.boot(pod)) for pod in PODS)
    town.change("add")
    stops = {when: [town.cloud.stop_at_write(number, when, "add_extraroutes$") for number in (1, 2)]
             for when in ("before", "after")}
    worker = town.gateway.worker()
    assert all(stop.wait(120) for stop in stops["before"])
    town.gateway.hasten_jobs()
    until(lambda: [job["state"] for job in town.member_jobs()] == ["done"], PATIENCE)
    for stop in stops["before"]:
        stop.release()
    assert all(stop.wait(120) for stop in stops["after"])
    power_cut(worker)
    for stop in stops["after"]:
        stop.drop()
    worker = town.gateway.worker()
    town.settle()
    town.until_marked(Pod1={(None, far)}, Pod2={(None, near)})
    worker.stop()
