"""Replicas that follow their home after they are made: what of it they follow, and the job that carries it."""
from tricircle.crosspod import policies, pools, rbac
from tricircle.store import Database
from tricircle.upstream.client import Upstream

# {collection: its job}
JOBS = {"qos/policies": "qos_policy", "subnetpools": "subnetpool", "address-scopes": "address_scope"}
# {job: what plans each part of it}. A pool that is shared cannot be made so when it has a scope that is not: the scope
# comes last. The name of a scope's replica is its mark.
PARTS = {"qos_policy": (policies, rbac), "subnetpool": (rbac, pools), "address_scope": (rbac,)}


def plan(db: Database, upstream: Upstream, kind: str, resource_id: str, home: dict, pod: dict) -> list[dict]:
    """What a replica lacks. Raises PodUnreachable.

    Args:
        db, upstream: as everywhere.
        kind: of the job.
        resource_id: home id.
        home, pod: rows of the home and of the replica's pod.

    Returns:
        Steps as `crosspod.steps.run` takes them.
    """
    return [step for part in PARTS[kind] for step in part.plan(db, upstream, resource_id, home, pod)]


def sync(db: Database, upstream: Upstream, kind: str, resource_id: str, home: dict, pod: dict) -> None:
    """Bring a replica up to date, here and now. Raises as `plan` and `groups.apply_here`."""
    for part in PARTS[kind]:
        part.sync(db, upstream, resource_id, home, pod)
