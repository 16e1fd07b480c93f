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


class Announced:
    """Jobs that a request has written down before it changes anything.

    Args:
        db: as everywhere.
        rows: the jobs.
    """

    def __init__(self, db: Database, rows: list[dict]):
        self._db, self._rows, self.is_refused = db, rows, False

    def refused(self) -> None:
        """A pod has refused the change, and nothing was prepared for it: the jobs have nothing to do."""
        self.is_refused = True

    def let_go(self) -> None:
        """The change has been made, or not."""
        for job in self._rows:
            (jobs.withdraw if self.is_refused else jobs.release)(self._db, job["id"])


@contextlib.contextmanager
def announced(db: Database, kind: str, owners: dict[str, str]) -> Iterator[Announced]:
    """Write down jobs before the block that makes them necessary, and let them go after it, however it ends.

    Args:
        kind: of the jobs.
        owners: {home id: the project that owns it}; one job each.

    Raises:
        TooMany: such a project is owed enough already.
    """
    for project_id in set(owners.values()):
        jobs.refuse_more(db, project_id)
    owed = Announced(db, [jobs.enqueue(db, kind, resource_id, project_id, not_before=now() + INTENT_SECONDS)
                          for resource_id, project_id in owners.items()])
    try:
        yield owed
    finally:
        owed.let_go()


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
