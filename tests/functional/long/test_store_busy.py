"""The database takes no write while a job is under way: its outcome cannot be written, so it is done once more."""
import sqlite3

from tests.functional.gateway import until


def test_a_job_whose_outcome_cannot_be_written_runs_again(cloud, gateway):
    admin, project = gateway.client("admin", "admin"), cloud.identity.newcomer().project.id
    cloud["Pod2"].network.server.refuse()
    gateway.client("network", "admin").ok("PUT", f"/quotas/{project}", {"quota": {"network": 7}})
    cloud.recover()
    job = lambda: admin.ok("GET", f"/jobs?resource_id=network/quotas/{project}")["jobs"][0]  # noqa: E731
    stop = cloud.stop_at_write(1, "after", f"PUT /v2.0/quotas/{project}")
    db = sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10, isolation_level=None)
    worker = gateway.worker()
    try:
        assert stop.wait()
        db.execute("BEGIN IMMEDIATE")
        stop.release()
        until(lambda: "outcome not written, its lease will end" in worker.log.read_text())
        assert job()["state"] == "running"
        db.rollback()
        until(lambda: job()["state"] == "done", 60)
    finally:
        db.close()
        worker.stop()
    assert job()["attempts"] == 2
