"""How steps are carried out, and when they are not."""
import os
import time

import pytest

from tricircle import config
from tricircle.crosspod import lease
from tricircle.crosspod.steps import run
from tricircle.errors import LeaseLost
from tricircle.jobs import heartbeat, queue
from tricircle.store import Database, jobs


class Pod:
    """Answers from a list, and what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, method, path, body):
        self.asked.append((method, path, body))
        return self.answers.pop(0)


def step(name, **more):
    return {"name": name, "method": "PUT", "path": f"/{name}", **more}


def test_an_id_that_a_step_made_reaches_the_later_ones_wherever_it_stands():
    pod = Pod((201, {"port": {"id": "p1"}}), (200, {}))
    body = {"port_id": {"made": "port"}, "list": [{"of": {"made": "port"}}], "name": "{made}"}
    done, failure = run([step("a", register="port"), step("b", body=body)], pod)
    assert ([name for name, *_ in done], failure) == (["a", "b"], None)
    assert pod.asked[1][2] == {"port_id": "p1", "list": [{"of": "p1"}], "name": "{made}"}


def test_the_first_failure_ends_it_and_says_what_and_why():
    error = {"NeutronError": {"type": "RoutesExhausted", "message": "The number of routes exceeds the maximum 30."}}
    pod = Pod((200, {}), (400, error))
    done, failure = run([step("a"), step("b"), step("c")], pod)
    assert [name for name, *_ in done] == ["a"]
    assert len(pod.asked) == 2
    assert str(failure).startswith("b: 400: The number of routes exceeds the maximum 30. (raise max_routes")


def test_what_is_already_so_is_done():
    assert run([step("a", done_on=[404])], Pod((404, None)))[1] is None
    assert run([step("a", done_on=[404])], Pod((409, None)))[1].status == 409


@pytest.mark.parametrize("answer", [None, "<html>", {"NeutronError": "text"}, {}, []])
def test_answers_that_are_no_neutron_error_are_shown_too(answer):
    assert run([step("a")], Pod((502, answer)))[1].message


def test_no_step_is_begun_when_the_job_belongs_to_somebody_else(tmp_path):
    path, pod = tmp_path / "lease", Pod((200, {}), (200, {}))
    lease.write(path, 1, time.time() + 60)
    taken_over = iter([None, lambda: lease.write(path, 2, time.time() + 60)])

    def allowed():
        change = next(taken_over, None)
        if change:
            change()
        return lease.stands(path, 1)

    done, failure = run([step("a"), step("b")], pod, allowed)
    assert [name for name, *_ in done] == ["a"]
    assert failure.kind == "LeaseLost"
    assert len(pod.asked) == 1


def test_a_lease_file_that_ended_or_is_gone_or_broken_does_not_stand(tmp_path):
    path = tmp_path / "lease"
    assert not lease.stands(path, 1)
    lease.write(path, 1, time.time() - 1)
    assert not lease.stands(path, 1)
    path.write_text("nonsense")
    assert not lease.stands(path, 1)
    lease.write(path, 1, time.time() + 9)
    assert lease.stands(path, 1)


@pytest.fixture
def claimed(tmp_path):
    db = Database(tmp_path / "tricircle.sqlite")
    db.upgrade()
    jobs.enqueue(db, "router", "r", "p")
    return db, jobs.claim(db, "worker", 0.3)


def test_a_heartbeat_keeps_the_lease_and_its_file(claimed, tmp_path):
    db, job = claimed
    with heartbeat.Heartbeat(db, job, 0.3, tmp_path) as beat:
        end = time.time() + 20
        while jobs.show(db, job["id"])["lease_until"] < job["lease_until"] + 0.3:   # it would have ended by then
            assert time.time() < end
            time.sleep(0.02)
        assert not beat.lost()
        assert float(beat.path.read_text().split()[1]) > job["lease_until"]
    assert not beat.path.exists()
    jobs.finish(db, job)


def test_a_heartbeat_notices_that_the_job_has_gone_and_leaves_the_others_file_alone(claimed, tmp_path):
    db, job = claimed
    with heartbeat.Heartbeat(db, job, 0.3, tmp_path) as beat:
        jobs.expire(db, "worker")
        fresh = jobs.claim(db, "other", 60)
        lease.write(beat.path, fresh["fence"], fresh["lease_until"])
        assert beat._lost.wait(5)
    assert lease.stands(beat.path, fresh["fence"])


def test_a_cancelled_job_begins_no_step_whenever_its_heartbeat_beats(claimed, tmp_path):
    """Also when it renews the lease just before the cancelling, and writes the file just after it."""
    db, job = claimed
    path = tmp_path / lease.name(job["id"])
    with heartbeat.Heartbeat(db, job, 60, tmp_path) as beat:
        renewed = jobs.renew(db, job, 60)
        queue.cancel(config_of(tmp_path), db, job["id"])
        assert not lease.stands(path, job["fence"])
        with pytest.raises(LeaseLost):
            lease.write(path, job["fence"], renewed)
        assert beat.lost()
        done, failure = run([step("a")], Pod(), lambda: lease.stands(path, job["fence"]))
    assert (done, failure.kind) == ([], "LeaseLost")
    with pytest.raises(LeaseLost), heartbeat.Heartbeat(db, job, 60, tmp_path):
        pass   # cancelled between the claim and the file
    jobs.redo(db, job["id"])
    again = jobs.claim(db, "worker", 60)
    with heartbeat.Heartbeat(db, again, 60, tmp_path) as beat:
        assert not beat.lost()
    assert not path.exists()


def config_of(folder):
    """Lease files are in `folder` itself."""
    (folder / "jobs").symlink_to(folder)
    conf = config.load()
    conf.set_override("state_path", str(folder))
    return conf


def test_a_heartbeat_that_ends_late_leaves_the_file_of_the_next_claim(claimed, tmp_path):
    db, job = claimed
    with heartbeat.Heartbeat(db, job, 60, tmp_path) as beat:
        lease.write(beat.path, job["fence"] + 1, time.time() + 60)
    assert lease.stands(beat.path, job["fence"] + 1)


def test_only_files_that_nobody_renews_are_tidied_away(tmp_path):
    for name, age in (("old.lease", 100), ("old.lease.3", 100), ("young.lease", 0), ("worker.lock", 100)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    lease.tidy(tmp_path, time.time() - 50)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["worker.lock", "young.lease"]
