"""The job `security_group`: the rules of all replicas of a group follow those of its home."""
from tricircle.crosspod import groups
from tricircle.errors import NotFound
from tricircle.jobs.context import Context, JobFailed
from tricircle.store import pods, replicas
from tricircle.upstream.scatter import scatter


def converge(context: Context) -> None:
    """Bring every replica up to date.

    Raises:
        JobFailed: a pod refused a rule or did not answer.
        PlaybookFailed, Unavailable: as usual.
    """
    group_id = context.job["resource_id"]
    spanned = replicas.of_resource(context.db, group_id)
    names = [row["pod_name"] for row in pods.bottom(context.db) if row["pod_id"] in spanned]
    plans, unreachable = scatter(names, lambda pod: _plan(context, group_id, pod))
    todo = {pod: steps for pod, steps in plans.items() if steps}
    outcomes = context.apply("converge_security_group", todo) if todo else {}
    problems = [f"pod {pod}: {outcome.failure}" for pod, outcome in outcomes.items() if outcome.failure]
    problems += [str(error) for error in unreachable.values()]
    if problems:
        raise JobFailed("; ".join(problems))


def _plan(context: Context, group_id: str, pod: str) -> list[dict]:
    try:
        return groups.steps(groups.observe(context.db, context.upstream, group_id, pod))
    except NotFound:
        return []   # the group or its replica is gone: nothing has to follow any more
