"""The job `network`: end what an interrupted move of a network between pods has left."""
from tricircle.crosspod import moves
from tricircle.jobs.context import Context
from tricircle.store import moves as moving
from tricircle.store import pods, routings, spans


def converge(context: Context) -> None:
    """Take the copy back, or make it the network, by whether the old one is still there.

    Raises:
        PodUnreachable: a pod that must be looked into does not answer.
    """
    network_id = context.job["resource_id"]
    home = routings.home(context.db, network_id)
    if not home:
        return   # it has been deleted, or nobody has seen it since the store was lost
    # The job waits for the requests that have announced it: whoever claimed the network before now is dead.
    fence = moving.claimant(context.db, network_id)
    rows = {row["pod_id"]: row for row in pods.bottom(context.db)}
    for pod_id in spans.replica_pods(context.db, network_id) - {home["pod_id"]}:
        moves.settle(context.db, context.upstream, network_id, rows[home["pod_id"]], rows[pod_id])
    if fence:
        moving.release(context.db, network_id, fence)
