"""The job `qos_policy`: rules and sharing of all replicas of a Neutron QoS policy follow those of its home."""
from tricircle.crosspod import policies, rbac
from tricircle.jobs.context import Context, JobFailed
from tricircle.store import pods, replicas, routings
from tricircle.upstream.scatter import scatter


def converge(context: Context) -> None:
    """Bring every replica up to date.

    Raises:
        JobFailed: a pod refused a rule or did not answer.
        PlaybookFailed, Unavailable: as usual.
    """
    policy_id, db = context.job["resource_id"], context.db
    known, spanned = routings.home(db, policy_id), replicas.of_resource(db, policy_id)
    if not known:
        return   # deleted, and its replicas before it; or not known yet, and then nothing was replicated
    home = pods.show(db, known["pod_id"])
    rows = {pod["pod_name"]: pod for pod in pods.bottom(db) if pod["pod_id"] in spanned}
    plans, unreachable = scatter(rows, lambda name: [
        step for each in (policies, rbac) for step in each.plan(db, context.upstream, policy_id, home, rows[name])])
    todo = {pod: steps for pod, steps in plans.items() if steps}
    outcomes = context.apply("converge_qos_policy", todo) if todo else {}
    problems = [f"pod {pod}: {outcome.failure}" for pod, outcome in outcomes.items() if outcome.failure]
    if problems or unreachable:
        raise JobFailed("; ".join([*problems, *map(str, unreachable.values())]), patient=not problems)
