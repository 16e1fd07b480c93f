"""Announce a job, wait for a job, cancel a job."""
import contextlib
import time
from collections.abc import Iterator

from oslo_config import cfg

from tricircle import config
from tricircle.crosspod import lease
from tricircle.store import Database, jobs
from tricircle.store.db import now
from tricircle.upstream.deadline import Deadline

POLL_SECONDS = 0.05
# Seconds after which a job runs even though the request that owes it never came back (its process was killed).
INTENT_SECONDS = 90.0


@contextlib.contextmanager
def announced(db: Database, kind: str, resource_ids: list[str], project_id: str) -> Iterator[None]:
    """Write down jobs before the block that makes them necessary, and let them go after it, however it ends.

    Args:
        kind: of the jobs.
        resource_ids: home ids; one job each.
        project_id: owner.
    """
    owed = [jobs.enqueue(db, kind, resource_id, project_id, not_before=now() + INTENT_SECONDS)
            for resource_id in dict.fromkeys(resource_ids)]
    try:
        yield
    finally:
        for job in owed:
            jobs.release(db, job["id"])


def wait(db: Database, job_id: str, deadline: Deadline) -> bool:
    """Wait until a job has ended.

    Args:
        deadline: when to give up waiting; the job goes on.

    Returns:
        Whether it is done. If not, it has failed, or it is still under way; the job says which and why.

    Raises:
        NotFound: no such job.
    """
    while (job := jobs.show(db, job_id))["state"] in ("queued", "running") and not deadline.passed():
        time.sleep(POLL_SECONDS)
    return job["state"] == "done"


def cancel(conf: cfg.ConfigOpts, db: Database, job_id: str) -> dict:
    """Take a job off the queue, or from the worker that runs it.

    When this returns, its playbook begins no further call to a pod; one that is under way ends as it ends. The worker
    stops the playbook, and writes no outcome.

    Returns:
        The job, cancelled.

    Raises:
        NotFound, Conflict: as `store.jobs.cancel`.
    """
    job, was_running = jobs.cancel(db, job_id)
    if was_running:
        lease.revoke(config.jobs_folder(conf) / lease.name(job_id), job["fence"])
    return job
