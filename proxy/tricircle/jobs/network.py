"""The job `network`: end what an interrupted move of a network between pods has left."""
from tricircle.crosspod import moves
from tricircle.jobs.context import Context, JobFailed
from tricircle.store import moves as moving
from tricircle.store import pods, routings, spans

CLAIM_SECONDS = 300.0   # for both pods' answers


def converge(context: Context) -> None:
    """Take the copy back, or make it the network, by whether the old one is still there.

    Raises:
        JobFailed: a request moves the network just now.
        PodUnreachable: a pod that must be looked into does not answer.
    """
    network_id = context.job["resource_id"]
    home = routings.home(context.db, network_id)
    if not home or not spans.replica_pods(context.db, network_id) - {home["pod_id"]}:
        return   # it has been deleted, nobody has seen it since the store was lost, or nothing is left of a move
    fence = moving.claim(context.db, network_id, CLAIM_SECONDS)
    if not fence:
        raise JobFailed(f"a request moves network {network_id} just now, or has died while it did", patient=True)
    try:
        _settle(context, network_id)
    finally:
        moving.release(context.db, network_id, fence)


def _settle(context: Context, network_id: str) -> None:
    """Look again under the claim: whoever had it before may have moved the network."""
    home = routings.home(context.db, network_id)
    rows = {row["pod_id"]: row for row in pods.bottom(context.db)}
    for pod_id in spans.replica_pods(context.db, network_id) - {home["pod_id"]} if home else ():
        moves.settle(context.db, context.upstream, network_id, rows[home["pod_id"]], rows[pod_id])
