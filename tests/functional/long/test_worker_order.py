"""What an operator does to jobs that run, and what keeps them from being too many."""
import sqlite3

import pytest

from tests.functional.gateway import Process, until
from tests.functional.scene import PATIENCE, Scene
from tests.functional.standin.identity import PASSWORD


@pytest.fixture
def scene(cloud, gateway):
    return Scene(cloud, gateway)


def running(scene):
    """The router's job that runs."""
    return next(job for job in scene.jobs() if job["state"] == "running")


def test_a_job_that_is_cancelled_at_a_write_writes_nothing_more(scene, worker):
    """The module is in the middle of a call; whether the playbook is killed or goes on, no other call follows."""
    stops = [scene.cloud.stop_at_write(number, "before", "^POST /v2.0/networks") for number in (1, 2)]   # in each pod
    scene.change("add")
    assert stops[1].wait(PATIENCE)
    job, mark = running(scene), len(scene.cloud.log)
    answer = scene.admin.delete(f"/jobs/{job['id']}")
    assert (answer.status, answer["job"]["state"]) == (202, "cancelled")
    for stop in stops:
        stop.release()
    # Another job of the worker, from its beginning to its end: time enough for whatever was still to come.
    other = Scene(scene.cloud, scene.gateway)
    other.change("add")
    other.settle()
    other.assert_built_once()
    assert len(scene.plumbing(mark)) <= 2, "the two calls that were under way"
    shown = scene.admin.ok("GET", f"/jobs/{job['id']}")["job"]
    assert (shown["state"], shown["last_error"]) == ("cancelled", None)
    assert shown["log"][-1]["text"] == "cancelled while running"
    assert scene.admin.put(f"/jobs/{job['id']}").status == 202
    scene.settle()
    scene.assert_built_once()


def test_a_request_after_the_cancelling_finishes_what_was_left_half_made(scene, worker):
    stop = scene.cloud.stop_at_write(1, "after", "^POST /v2.0/subnets")
    scene.change("add")
    assert stop.wait(PATIENCE)
    cancelled = running(scene)["id"]
    scene.admin.ok("DELETE", f"/jobs/{cancelled}")
    stop.release()
    scene.user.ok("PUT", f"/routers/{scene.router}", {"router": {"name": "renamed"}})
    until(lambda: all(job["state"] == "done" for job in scene.jobs() if job["id"] != cancelled), PATIENCE)
    scene.assert_built_once()
    assert next(job for job in scene.jobs() if job["id"] == cancelled)["state"] == "cancelled"


def test_no_more_jobs_than_may_be_are_at_work_in_a_pod(cloud, gateway):
    """Three routers over both pods, room for one job in a pod: of the six first calls two come, and no third one."""
    scenes = [Scene(cloud, gateway) for _ in range(3)]
    stops = [cloud.stop_at_write(number, "before", "^POST /v2.0/networks") for number in range(1, 7)]
    for scene in scenes:
        scene.change("add")
    conf = gateway.folder / "narrow.conf"
    conf.write_text(gateway.conf.read_text() + "\n[jobs]\nworkers = 3\nper_pod = 1\n")
    worker = Process("worker", "--config-file", str(conf), log=gateway.folder / "worker.log")
    try:
        until(lambda: sum(stop.reached for stop in stops) == 2 and waiting(scenes) == 2, PATIENCE)
        assert [stop.reached for stop in stops] == [True, True, False, False, False, False]
        for stop in stops:
            stop.release()
        for scene in scenes:
            scene.settle()
            scene.assert_built_once()
            assert all(job["attempts"] == 1 for job in scene.jobs()), "a turn that one waits for is no attempt"
    finally:
        worker.stop()


def waiting(scenes):
    """How many of the routers have a job that has waited for its turn."""
    return sum(any("this one waits" in (job["last_error"] or "") for job in scene.jobs()) for scene in scenes)


def test_a_worker_forgets_what_is_old(scene):
    scene.change("add", "Pod1")
    old = scene.jobs()[0]["id"]
    with sqlite3.connect(scene.gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.execute("UPDATE jobs SET state = 'done', queued_key = NULL, finished_at = 1 WHERE id = ?", (old,))
    worker = scene.gateway.worker()
    try:
        until(lambda: scene.admin.get(f"/jobs/{old}").status == 404, PATIENCE)
    finally:
        worker.stop()


def test_what_failed_playbooks_leave_has_no_secret_in_it(scene, monkeypatch):
    """Neither the password, be it in the shell that starts the worker, nor any token that Keystone has given."""
    for name in ("OS_PASSWORD", "OS_TOKEN"):
        monkeypatch.setenv(name, PASSWORD)
    scene.change("add")
    scene.cloud["Pod2"].network.faults.every = 1
    scene.cloud["Pod2"].network.faults.only = "^POST /v2.0/(networks|subnets)"
    worker = scene.gateway.worker()
    try:
        scene.failed_job()
    finally:
        worker.stop()
    kept = [path for path in (scene.gateway.folder / "state" / "jobs").rglob("*") if path.is_file()]
    assert any(path.name == "stdout" for path in kept), "a failed run is kept"
    tokens = [token.encode() for token in scene.cloud.identity.tokens]
    for path in kept:
        content = path.read_bytes()
        assert PASSWORD.encode() not in content, path
        assert not any(token in content for token in tokens), path
    assert (scene.gateway.folder / "state" / "jobs").stat().st_mode & 0o077 == 0
