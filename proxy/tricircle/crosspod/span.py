"""A router in all the pods that it spans, with what the store knows of it. Nothing here writes."""
from dataclasses import replace

from tricircle.crosspod.model import Lost, Observed, Pod
from tricircle.crosspod.observe import Pods
from tricircle.store import Database, bridges, interfaces, pods, replicas, routings, spans
from tricircle.upstream.scatter import scatter


def observe(db: Database, asked: Pods, router_id: str, project_id: str) -> Observed:
    """How a router is.

    Args:
        asked: questions to the pods.
        router_id: home id.
        project_id: its owner, where the store does not know better.

    Raises:
        PodUnreachable: no pod is known to be the home, and one that may be it does not answer.
    """
    ids = {row["pod_name"]: row["pod_id"] for row in pods.bottom(db)}
    by_id = {pod_id: name for name, pod_id in ids.items()}
    known = routings.home(db, router_id)
    # An unknown home is no proof that the router is gone: routings are a cache.
    home = by_id[known["pod_id"]] if known else asked.home_of(router_id, list(ids))
    spanned = {by_id[pod_id] for pod_id in spans.pods_of(db, router_id)}
    project_id = bridges.owner(db, router_id) or (known["project_id"] if known else project_id)
    names = sorted((spanned | {home}) - {None})
    local = {by_id[pod_id]: local_id for pod_id, local_id in replicas.of_resource(db, router_id).items()}
    observed = asked.router(router_id, project_id, home, names, local)
    seen = observed.pods[home].router if home in observed.pods else None
    if seen and seen.project_id != project_id:   # an administrator's request on somebody else's router
        observed = asked.router(router_id, seen.project_id, home, names, local)
    return _with_lost(db, asked, observed, ids) if observed.home else observed


def addresses(pod: Pod) -> dict[str, str]:
    """{subnet id: address} of a router's interfaces in a pod."""
    return dict(pair for each in pod.router.interfaces for pair in each.addresses) if pod.router else {}


def _with_lost(db: Database, asked: Pods, observed: Observed, ids: dict[str, str]) -> Observed:
    """The store is asked after the pods: a request forgets what it takes off before it does so."""
    known, settled = interfaces.of_router(db, observed.router_id), replicas.of_resource(db, observed.router_id)
    missing = {}
    for name, pod in observed.pods.items():
        had = known.get(ids[name], {})
        gone = {subnet: had[subnet] for subnet in had.keys() - addresses(pod).keys()}
        # A replica without a known id is a request's to make, or is on its way out.
        if gone and (pod.router or ids[name] in settled):
            missing[name] = gone
    lost, failed = scatter(missing, lambda name: asked.lost(name, missing[name]))
    seen = {name: _pod(pod, lost.get(name, ())) for name, pod in observed.pods.items() if name not in failed}
    return replace(observed, pods=seen,
                   unreachable=observed.unreachable | {name: str(error) for name, error in failed.items()})


def _pod(pod: Pod, lost: tuple[Lost, ...]) -> Pod:
    return replace(pod, lost=tuple(sorted(lost, key=lambda each: each.subnet_id))) if lost else pod
