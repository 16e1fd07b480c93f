"""The job `leftovers` of a pod: what nobody knows of there goes, or is handed to the job that knows what to do."""
from tricircle.crosspod import plan
from tricircle.crosspod.leftovers import LeftPods
from tricircle.jobs.context import Context, JobFailed
from tricircle.store import jobs, pods, replicas, routings


def converge(context: Context) -> None:
    """Bring the store and a pod together.

    A router gets a row as of a replica whose answer was lost: from then on its own job looks into that pod, as it does
    into the router's home anyway.

    Raises:
        JobFailed: the pod refused a step.
        PodUnreachable, PlaybookFailed, Unavailable: as usual.
    """
    db, pod_id = context.db, context.job["resource_id"]
    pod = pods.show(db, pod_id)
    asked = LeftPods(context.upstream)
    found = asked.look(db, pod)
    for router_id, project_id in found.routers.items():
        if not asked.home_of(router_id, [pod["pod_name"]]):
            replicas.claim(db, router_id, pod_id, "routers", project_id, 0)
        jobs.enqueue(db, "router", router_id, project_id)
    for row in found.rows:
        _forget(context, row)
    todo = [plan.delete_network(each) for each in found.networks]
    outcomes = context.apply("converge_router", {pod["pod_name"]: todo}) if todo else {}
    for name, outcome in outcomes.items():
        if outcome.failure:
            raise JobFailed(f"pod {name}: {outcome.failure}")


def _forget(context: Context, row: dict) -> None:
    """Of what has moved into the pod this was the thing itself."""
    home = routings.home(context.db, row["resource_id"])
    if replicas.forget(context.db, row) and home and home["pod_id"] == row["pod_id"]:
        routings.forget(context.db, row["resource_id"])
