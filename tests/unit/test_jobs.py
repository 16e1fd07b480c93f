"""The queue: coalescing, holds, leases, retries."""
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tricircle.errors import BadRequest, Conflict, LeaseLost, NotFound, TooMany
from tricircle.jobs import queue
from tricircle.store import Database, jobs, pods, replicas, spans
from tricircle.store.db import new_id, now
from tricircle.upstream.deadline import Deadline


@pytest.fixture
def db(tmp_path):
    found = Database(tmp_path / "tricircle.sqlite")
    found.upgrade()
    return found


def add(db, resource="r1", **options):
    return jobs.enqueue(db, "router", resource, "p", **options)


def take(db, seconds=60.0):
    return jobs.claim(db, "worker", seconds)


def lose(db, job):
    """The worker of a job vanishes and another one takes it over."""
    jobs.expire(db, "worker")
    found = jobs.claim(db, "other", 60)
    assert found["id"] == job["id"]
    return found


def test_requests_for_one_resource_become_one_job(db):
    first, second = add(db), add(db)
    assert first["id"] == second["id"]
    assert add(db, "r2")["id"] != first["id"]
    assert jobs.enqueue(db, "security_group", "r1", "p")["id"] != first["id"]


def test_fifty_threads_that_enqueue_get_one_job_and_fifty_that_claim_run_it_once(db):
    found, start = [], threading.Barrier(50)

    def work():
        start.wait()
        job = add(db)
        start.wait()
        found.append((job["id"], take(db)))

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job_id for job_id, _ in found}) == 1
    assert sum(claimed is not None for _, claimed in found) == 1


def test_a_request_during_the_run_gets_a_job_after_it_and_never_beside_it(db):
    running = take_added(db)
    later = add(db)
    assert later["id"] != running["id"]
    assert take(db) is None
    jobs.finish(db, running)
    assert take(db)["id"] == later["id"]


def take_added(db, **options):
    add(db, **options)
    return take(db)


def test_the_earlier_time_wins(db):
    add(db, not_before=now() + 50)
    assert take(db) is None
    add(db)
    assert take(db) is not None


def test_a_held_job_runs_after_its_release(db):
    held = add(db, not_before=now() + 60)
    assert take(db) is None
    assert jobs.release(db, held["id"])["id"] == held["id"]
    assert take(db)["id"] == held["id"]
    assert take(db) is None


def test_a_hold_that_is_never_released_runs_out(db):
    held = add(db, not_before=now() + 0.05)
    assert not queue.wait(db, held["id"], Deadline(0.1))
    assert take(db)["id"] == held["id"]
    assert [job["state"] for job in jobs.list_all(db)] == ["running"]


def test_a_job_that_starts_while_somebody_holds_it_leaves_a_job_for_him(db):
    """He has announced a change and not made it yet: a crash of the gateway right after it must not lose it."""
    held = add(db, not_before=now() + 60)
    other = add(db)
    assert held["id"] == other["id"]
    jobs.finish(db, take(db))
    waiting = jobs.list_all(db, state="queued")
    assert [job["holds"] for job in waiting] == [1]
    assert waiting[0]["not_before"] > now() + 50
    assert jobs.release(db, held["id"])["id"] == waiting[0]["id"]
    jobs.finish(db, take(db))
    assert take(db) is None


def test_of_two_holds_the_first_release_does_not_lose_the_second(db):
    add(db, not_before=now() + 60)
    second = add(db, not_before=now() + 60)
    jobs.release(db, second["id"])
    jobs.finish(db, take(db))
    assert [job["holds"] for job in jobs.list_all(db, state="queued")] == [1]


def test_a_release_after_the_job_has_ended_makes_a_new_one(db):
    held = add(db, not_before=now() + 60)
    add(db)
    first = take(db)
    jobs.release(db, held["id"])
    jobs.finish(db, first)
    second = take(db)
    assert second["id"] != first["id"]
    jobs.finish(db, second)
    assert jobs.release(db, held["id"])["id"] not in (first["id"], second["id"])


def test_an_ended_lease_passes_on_and_the_former_owner_writes_nothing(db):
    stale = take_added(db, resource="r1")
    fresh = lose(db, stale)
    assert fresh["fence"] > stale["fence"]
    for write in (jobs.finish, lambda *args: jobs.fail(*args, "x"), lambda *args: jobs.renew(*args, 5)):
        with pytest.raises(LeaseLost):
            write(db, stale)
    jobs.log(db, stale, [("Pod1", "from the dead")])
    jobs.log(db, fresh, [("Pod1", "alive")])
    assert [line["text"] for line in jobs.log_of(db, stale["id"])] == ["alive"]
    jobs.finish(db, fresh)
    assert jobs.show(db, fresh["id"])["state"] == "done"


def test_a_renewed_lease_does_not_pass_on(db):
    job = take_added(db)
    assert jobs.renew(db, job, 60) > now() + 50
    assert take(db) is None


def test_a_failed_attempt_comes_back_later_and_later_until_it_is_dead(db):
    add(db)
    waits = []
    for attempt in range(1, jobs.MAX_ATTEMPTS + 1):
        with db.write() as c:
            c.execute("UPDATE jobs SET not_before = 0")
        job = take(db)
        assert job["attempts"] == attempt
        state = jobs.fail(db, job, "pod is on fire")
        waits.append(jobs.show(db, job["id"])["not_before"] - now())
    assert state == "dead"
    assert jobs.show(db, job["id"])["last_error"] == "pod is on fire"
    assert waits[0] <= 1.0 < waits[3] < waits[7] <= jobs.BACKOFF_LIMIT
    assert take(db) is None


def test_a_job_that_waits_for_a_pod_waits_as_long_as_it_takes(db, monkeypatch):
    monkeypatch.setattr(jobs, "backoff", lambda attempts: 0)
    add(db)
    for _ in range(3 * jobs.MAX_ATTEMPTS):
        job = take(db)
        assert job["attempts"] <= jobs.MAX_ATTEMPTS, "more would count as a worker that dies each time"
        assert jobs.fail(db, job, "no answer", patient=True) == "queued"
    assert jobs.fail(db, take(db), "refused") == "dead"


def test_a_hold_with_nothing_to_do_is_withdrawn(db):
    held = add(db, not_before=now() + 60)
    jobs.withdraw(db, held["id"])
    assert jobs.list_all(db) == []


@pytest.mark.parametrize("failed", [False, True])
def test_withdrawing_a_hold_leaves_a_job_that_somebody_else_waits_for(db, failed):
    """A job that is due, or has failed and waits for its next attempt: neither gone, nor sooner, nor later."""
    job = add(db)
    if failed:
        jobs.fail(db, take(db), "refused")
    before = jobs.show(db, job["id"])
    held = add(db, not_before=now() + 60)
    jobs.withdraw(db, held["id"])
    after = jobs.show(db, job["id"])
    assert {name for name in before if before[name] != after[name]} <= {"attempts"}


def test_a_hold_is_not_withdrawn_from_under_another_one(db):
    first, second = add(db, not_before=now() + 60), add(db, not_before=now() + 60)
    jobs.withdraw(db, first["id"])
    assert jobs.show(db, second["id"])["holds"] == 1
    assert jobs.release(db, second["id"])["state"] == "queued"


def test_backoff_has_jitter_and_a_limit():
    assert len({jobs.backoff(3) for _ in range(20)}) > 1
    assert max(jobs.backoff(50) for _ in range(20)) <= jobs.BACKOFF_LIMIT


def test_a_failed_attempt_gives_way_to_a_newer_request(db):
    job = take_added(db)
    newer = add(db)
    assert jobs.fail(db, job, "x") == "failed"
    assert take(db)["id"] == newer["id"]


def test_redo_is_for_jobs_that_have_ended_badly(db):
    job = take_added(db)
    with pytest.raises(Conflict, match="running"):
        jobs.redo(db, job["id"])
    newer = add(db)
    jobs.fail(db, job, "x")
    with pytest.raises(Conflict, match="newer"):
        jobs.redo(db, job["id"])
    jobs.finish(db, take(db))
    assert jobs.redo(db, job["id"])["state"] == "queued"
    assert take(db)["id"] == job["id"]
    with pytest.raises(Conflict, match="done"):
        jobs.redo(db, newer["id"])
    with pytest.raises(NotFound):
        jobs.redo(db, "nobody")


def test_lists_are_filtered_and_newest_first(db):
    first, second = add(db, "r1"), add(db, "r2")
    assert [job["id"] for job in jobs.list_all(db)] == [second["id"], first["id"]]
    assert [job["id"] for job in jobs.list_all(db, resource_id="r1", state="queued")] == [first["id"]]
    assert jobs.list_all(db, project_id="q") == []


def test_waiting_ends_with_the_job(db):
    job = add(db)
    worker = threading.Timer(0.1, lambda: jobs.finish(db, take(db)))
    worker.start()
    assert queue.wait(db, job["id"], Deadline(10))
    worker.join()


def test_a_replica_is_not_retired_under_a_request_that_wants_it(db):
    pod = pods.create(db, "Pod2", "az2")["pod_id"]
    replicas.record(db, "r1", pod, "routers", "p", "local")
    held = add(db, not_before=now() + 60)
    assert spans.retire(db, "r1", pod, 30) is None
    assert replicas.of_resource(db, "r1") == {pod: "local"}
    jobs.release(db, held["id"])
    fence = spans.retire(db, "r1", pod, 30)
    assert replicas.of_resource(db, "r1") == {}
    assert not replicas.claim(db, "r1", pod, "routers", "p", 30)["mine"]
    replicas.abandon(db, "r1", pod, fence)
    assert replicas.claim(db, "r1", pod, "routers", "p", 30)["mine"]


def test_a_cancelled_job_is_nobodys_and_writes_nothing(db):
    job = take_added(db)
    cancelled, was_running = jobs.cancel(db, job["id"])
    assert (cancelled["state"], was_running) == ("cancelled", True)
    for write in (jobs.finish, lambda *args: jobs.fail(*args, "x"), lambda *args: jobs.renew(*args, 5)):
        with pytest.raises(LeaseLost):
            write(db, job)
    jobs.log(db, job, [("Pod1", "from the dead")])
    assert [line["text"] for line in jobs.log_of(db, job["id"])] == ["cancelled while running"]
    assert jobs.show(db, job["id"])["state"] == "cancelled"
    jobs.expire(db, "worker")
    assert take(db) is None


def test_a_request_after_the_cancelling_gets_a_new_job_and_a_cancelled_one_can_be_redone(db):
    queued = add(db)
    assert jobs.cancel(db, queued["id"])[1] is False
    newer = add(db)
    assert newer["id"] != queued["id"]
    with pytest.raises(Conflict, match="newer"):
        jobs.redo(db, queued["id"])
    jobs.finish(db, take(db))
    assert jobs.redo(db, queued["id"])["state"] == "queued"
    assert take(db)["id"] == queued["id"]


def test_what_is_over_is_not_cancelled_and_what_is_dead_is_dealt_with(db, monkeypatch):
    done = take_added(db)
    jobs.finish(db, done)
    with pytest.raises(Conflict, match="done"):
        jobs.cancel(db, done["id"])
    with pytest.raises(NotFound):
        jobs.cancel(db, "nobody")
    monkeypatch.setattr(jobs, "MAX_ATTEMPTS", 1)
    dead = take_added(db, resource="r2")
    assert jobs.fail(db, dead, "x") == "dead"
    assert jobs.cancel(db, dead["id"])[0]["state"] == "cancelled"
    with pytest.raises(Conflict, match="cancelled"):
        jobs.cancel(db, dead["id"])


def test_two_who_announced_lose_nothing_by_a_cancelled_job(db):
    """The first is done before the cancelling, the second after it: he is about to change what the job looks at."""
    first, second = add(db, not_before=now() + 60), add(db, not_before=now() + 60)
    jobs.release(db, first["id"])
    jobs.cancel(db, first["id"])
    waiting, = jobs.list_all(db, state="queued")
    assert (waiting["holds"], waiting["held_until"] > now() + 50) == (1, True)
    assert take(db) is None
    assert jobs.release(db, second["id"])["id"] == waiting["id"]
    assert take(db)["id"] == waiting["id"]


def test_a_hold_that_was_withdrawn_after_the_cancelling_holds_nothing(db):
    held = add(db, not_before=now() + 60)
    jobs.cancel(db, held["id"])
    jobs.withdraw(db, held["id"])
    assert jobs.list_all(db, state="queued") == []


def test_old_jobs_are_forgotten_with_their_logs_but_none_that_is_owed_or_dead(db, monkeypatch):
    monkeypatch.setattr(jobs, "BATCH", 2)
    fresh = take_added(db, resource="fresh")
    jobs.finish(db, fresh)
    kept = set()
    for number, state in enumerate(["done", "failed", "cancelled", "done", "done", "dead", "queued", "running"]):
        job = add(db, f"r{number}")
        jobs.log(db, job, [("", "a line")])
        with db.write() as c:
            c.execute("UPDATE jobs SET state = ?, finished_at = ?, not_before = 0 WHERE id = ?",
                      (state, None if state in ("queued", "running") else 100.0, job["id"]))
        kept |= {job["id"]} if state in ("dead", "queued", "running") else set()
    assert jobs.prune(db, 101.0) == 5
    assert {job["id"] for job in jobs.list_all(db)} == kept | {fresh["id"]}
    assert {row["job_id"] for row in db.rows("SELECT job_id FROM job_log")} == kept


def test_of_a_project_that_makes_many_jobs_the_newest_are_remembered(db, monkeypatch):
    monkeypatch.setattr(jobs, "REMEMBERED", 3)
    for project, number in (("busy", 7), ("calm", 3)):
        for at in range(number):
            job = jobs.enqueue(db, "router", f"{project}{at}", project)
            with db.write() as c:
                c.execute("UPDATE jobs SET state = 'done', finished_at = ? WHERE id = ?", (100.0 + at, job["id"]))
    jobs.enqueue(db, "router", "owed", "busy")
    assert jobs.prune(db, 50.0) == 4
    left = {job["resource_id"] for job in jobs.list_all(db)}
    assert left == {"busy4", "busy5", "busy6", "calm0", "calm1", "calm2", "owed"}


def test_a_project_does_not_fill_the_queue(db, monkeypatch):
    monkeypatch.setattr(jobs, "OWED", 4)
    for number in range(4):
        with queue.announced(db, "router", {f"r{number}": "p"}):
            pass
    with pytest.raises(TooMany), queue.announced(db, "router", {"one more": "p"}):
        pass
    with queue.announced(db, "router", {"another one's": "other"}):
        assert len(jobs.list_all(db, project_id="other")) == 1


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 5), st.data())
def test_pages_have_each_job_once_while_jobs_come_and_change(db, times, size, data):
    def insert(*times):
        with db.write(durable=False) as c:
            c.executemany("INSERT INTO jobs (id, kind, resource_id, project_id, state, not_before, created_at) "
                          "VALUES (?, 'router', 'r', 'p', 'queued', 0, ?)", [(new_id(), at) for at in times])

    with db.write(durable=False) as c:
        c.execute("DELETE FROM jobs")
    insert(*times)
    before, seen, marker = [job["id"] for job in jobs.list_all(db)], [], None
    while page := jobs.list_all(db, limit=size, marker=marker):
        seen += [job["id"] for job in page]
        marker = seen[-1]
        insert(4 + len(seen))
        with db.write(durable=False) as c:
            c.execute("UPDATE jobs SET state = 'done' WHERE id = ?", (data.draw(st.sampled_from(before)),))
    assert seen == before


def test_a_marker_that_is_gone_is_refused(db):
    add(db)
    with pytest.raises(BadRequest, match="begin without"):
        jobs.list_all(db, marker="nobody")
