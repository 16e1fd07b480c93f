"""kill -9 of the worker between every two steps of a job.

Killing the worker does not kill the playbook that it has started: that one goes on until it sees that its lease has
passed on. Nothing may come out twice all the same.
"""
import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.functional.gateway import until
from tests.functional.scene import PATIENCE, Scene


@pytest.fixture
def scene(cloud, gateway):
    return Scene(cloud, gateway)


def work_and_die(scene):
    """Run workers one after the other; each dies, its playbook too, when a pod has done a write and not answered yet.

    Returns:
        How many died before one found nothing left to write. No pod gets more than one write from any of them.
    """
    deaths = 0
    while not scene.settled():
        stops = [scene.cloud.stop_at_write(number, "after") for number in range(1, 5)]
        worker = scene.gateway.worker()
        until(lambda: stops[0].reached or scene.settled() or not worker.running, PATIENCE)   # noqa: B023 - this turn's
        assert worker.running, "the worker ended by itself"
        if stops[0].reached:
            power_cut(worker)
            deaths += 1
        for stop in stops:
            stop.drop()
        worker.stop()
        scene.cloud.stops.clear()
        assert deaths < 20
    return deaths


def power_cut(worker):
    """kill -9 of the worker and of all that it has started."""
    victims, found = [], [worker.process.pid]
    while found:
        victims += found
        found = [int(pid) for pid, parent in processes() if int(parent) in found]
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    worker.process.wait(PATIENCE)


def processes():
    """(pid, parent's pid) of every process."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):   # it has ended meanwhile
            pid, rest = path.read_text().split(" (", 1)
            yield pid, rest.rpartition(") ")[2].split()[1]


def test_killed_after_each_write_whose_answer_is_lost(scene):
    """Building: network, subnet, port, interface, route in each pod; undoing: route, interface, replica, network."""
    before = scene.traces()
    scene.change("add")
    assert work_and_die(scene) >= 5
    scene.assert_built_once()
    scene.change("remove")
    assert work_and_die(scene) >= 4
    scene.assert_gone()
    assert scene.traces() == before


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
