"""The job `server_group`: the replicas of a server group that is gone go, too."""
from tricircle.crosspod.alike import ask
from tricircle.errors import PodUnreachable
from tricircle.jobs.context import Context, JobFailed
from tricircle.store import pods, replicas
from tricircle.upstream.scatter import scatter

GROUPS = "/v2.1/os-server-groups"


def converge(context: Context) -> None:
    """Delete what no home has any more.

    Raises:
        JobFailed: a pod refused, or did not answer.
        PlaybookFailed, Unavailable: as usual.
    """
    group_id, db = context.job["resource_id"], context.db
    bottom = pods.by_name(db)
    local = replicas.of_resource(db, group_id)
    found, unreachable = scatter(bottom if local else (), lambda name: _has(context, name, group_id))
    if any(found.values()):
        return
    if unreachable:
        raise JobFailed("; ".join(map(str, unreachable.values())), patient=True)
    todo = {name: [_step(local[pod["pod_id"]])] for name, pod in bottom.items() if pod["pod_id"] in local}
    outcomes = context.apply("converge_server_group", todo) if todo else {}
    for name in (name for name, outcome in outcomes.items() if not outcome.failure):
        replicas.drop(db, group_id, bottom[name]["pod_id"])
    failures = [f"pod {name}: {outcome.failure}" for name, outcome in outcomes.items() if outcome.failure]
    if failures:
        raise JobFailed("; ".join(failures))


def _has(context: Context, pod: str, group_id: str) -> bool:
    answer = ask(context.upstream, pod, "GET", f"{GROUPS}/{group_id}")
    if not answer.ok and answer.status != 404:
        raise PodUnreachable(pod, "compute", f"answered {answer.status} for server group {group_id}")
    return answer.ok


def _step(local_id: str) -> dict:
    return {"name": f"delete server group {local_id}", "method": "DELETE", "path": f"{GROUPS}/{local_id}",
            "done_on": [404]}
