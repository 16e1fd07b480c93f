"""The job `quota`: every pod is told the numbers that were set for the big region, also one that was down or is new."""
from tricircle.crosspod import quota_numbers
from tricircle.jobs.context import Context, JobFailed
from tricircle.store import pods, quotas
from tricircle.upstream.scatter import scatter


def converge(context: Context) -> None:
    """Bring the numbers to all pods.

    Raises:
        JobFailed: a pod refused them or did not answer.
    """
    resource_id = context.job["resource_id"]
    told = quotas.told(context.db, *quota_numbers.parts(resource_id))
    if not told:
        return   # nobody has set any: what pods have is their own
    names = [row["pod_name"] for row in pods.bottom(context.db)]
    done, failed = scatter(names, lambda pod: quota_numbers.bring(context.upstream, pod, resource_id, told))
    context.log([(pod, line) for pod, lines in done.items() for line in lines])
    if failed:
        refused = any(400 <= error.status < 500 for error in failed.values())
        raise JobFailed("; ".join(str(error) for error in failed.values()), patient=not refused)
    if quotas.RESET in told:
        quotas.reset_done(context.db, *quota_numbers.parts(resource_id), told[quotas.RESET])
