"""Wait for a job."""
import time

from tricircle.store import Database, jobs
from tricircle.upstream.deadline import Deadline

POLL_SECONDS = 0.05


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
