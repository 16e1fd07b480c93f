"""The jobs `qos_policy`, `subnetpool` and `address_scope`: all replicas of such a thing follow its home."""
from tricircle.crosspod import followers
from tricircle.jobs.context import Context, JobFailed, Plan, Surroundings
from tricircle.store import pods, replicas, routings
from tricircle.upstream.scatter import scatter


def converge(context: Context) -> None:
    """Bring every replica up to date.

    Raises:
        JobFailed: a pod refused a step or did not answer.
        PlaybookFailed, Unavailable: as usual.
    """
    todo, unreachable = plan(context, context.job["kind"], context.job["resource_id"])
    outcomes = context.apply("converge_replicas", todo) if todo else {}
    problems = [f"pod {pod}: {outcome.failure}" for pod, outcome in outcomes.items() if outcome.failure]
    if problems or unreachable:
        raise JobFailed("; ".join([*problems, *map(str, unreachable.values())]), patient=not problems)


def plan(around: Surroundings, kind: str, resource_id: str) -> Plan:
    """What each pod with a replica has yet to do."""
    db = around.db
    known, spanned = routings.home(db, resource_id), replicas.of_resource(db, resource_id)
    if not known:
        return {}, {}   # deleted, and its replicas before it; or not known yet, and then nothing was replicated
    home = pods.show(db, known["pod_id"])
    rows = {pod["pod_name"]: pod for pod in pods.bottom(db) if pod["pod_id"] in spanned}
    plans, unreachable = scatter(rows, lambda name: followers.plan(db, around.upstream, kind, resource_id, home,
                                                                   rows[name]))
    return {pod: steps for pod, steps in plans.items() if steps}, unreachable
