"""The job `security_group`: rules and sharing of all replicas of a group follow those of its home."""
from tricircle.crosspod import groups, rbac
from tricircle.errors import NotFound
from tricircle.jobs.context import Context, JobFailed, Plan, Surroundings
from tricircle.jobs.members import owed, owed_again
from tricircle.jobs.playbooks import Outcome
from tricircle.store import pods, replicas, routings
from tricircle.upstream.scatter import scatter


def converge(context: Context) -> None:
    """Bring every replica up to date.

    Raises:
        JobFailed: a pod refused a rule or did not answer.
        PlaybookFailed, Unavailable: as usual.
    """
    group_id = context.job["resource_id"]
    todo, unreachable = plan(context, group_id)
    outcomes = _apply(context, group_id, todo)
    problems = [f"pod {pod}: {outcome.failure}" for pod, outcome in outcomes.items() if outcome.failure]
    if problems or unreachable:
        raise JobFailed("; ".join([*problems, *map(str, unreachable.values())]), patient=not problems)


def _apply(context: Context, group_id: str, todo: dict[str, list[dict]]) -> dict[str, Outcome]:
    """What the group itself says goes before what is said for members elsewhere: Neutron takes no second rule."""
    project_id = (routings.home(context.db, group_id) or context.job)["project_id"]
    if not todo:
        owed_again(context, project_id)
        return {}
    with owed(context.db, project_id):
        return context.apply("converge_security_group", todo)


def plan(around: Surroundings, group_id: str) -> Plan:
    """What each pod with a replica has yet to do."""
    spanned = replicas.of_resource(around.db, group_id)
    rows = {row["pod_name"]: row for row in pods.bottom(around.db) if row["pod_id"] in spanned}
    plans, unreachable = scatter(rows, lambda name: _plan(around, group_id, rows[name]))
    return {pod: steps for pod, steps in plans.items() if steps}, unreachable


def _plan(around: Surroundings, group_id: str, pod: dict) -> list[dict]:
    try:
        rules = groups.steps(groups.observe(around.db, around.upstream, group_id, pod["pod_name"]))
        home = pods.show(around.db, routings.home(around.db, group_id)["pod_id"])
        return rules + rbac.plan(around.db, around.upstream, group_id, home, pod)
    except NotFound:
        return []   # the group or its replica is gone: nothing has to follow any more
