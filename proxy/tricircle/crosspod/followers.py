"""Replicas that follow their home after they are made: what of it they follow, and the job that carries it."""
from types import ModuleType

from tricircle.crosspod import groups, pairing, policies, pools, rbac
from tricircle.crosspod.pairing import Pair
from tricircle.store import Database
from tricircle.upstream.client import Upstream

# {collection: its job}
JOBS = {"qos/policies": "qos_policy", "subnetpools": "subnetpool", "address-scopes": "address_scope"}
CARRIED = {"security-groups": "security_group", **JOBS}   # groups have a job of their own kind
# {collection: what plans each part of it}. A pool that is shared cannot be made so when it has a scope that is not: the
# scope comes last. The name of a scope's replica is its mark.
PARTS = {"security-groups": (groups, rbac), "qos/policies": (policies, rbac), "subnetpools": (rbac, pools),
         "address-scopes": (rbac,), "networks": (rbac,)}


def plan(db: Database, upstream: Upstream, pair: Pair) -> list[dict]:
    """What the replica of a pair lacks; nothing when the pair is not sound. Raises PodUnreachable, Unavailable.

    Returns:
        Steps as `crosspod.steps.run` takes them.
    """
    parts = PARTS[pair.kind] if pair.is_sound else ()
    return [step for part in parts for step in part.plan(db, upstream, pair)]


def sync(db: Database, upstream: Upstream, resource_id: str, home: dict, pod: dict,
         parts: tuple[ModuleType, ...] | None = None) -> Pair | None:
    """Bring a replica up to date, here and now. A row that names none is dropped.

    Args:
        db, upstream: as everywhere.
        resource_id: home id.
        home, pod: rows of the home and of the replica's pod.
        parts: what of it is brought up to date; all of `PARTS` by default.

    Returns:
        Both sides as they were before; None where the store knows of no replica.

    Raises:
        PodUnreachable, Unavailable: as `plan`.
        ApiError: as `groups.apply_here`.
    """
    pair = pairing.read(db, upstream, resource_id, home, pod)
    if pair and pair.is_stale:
        pairing.forget(db, pair)
    for part in (parts or PARTS[pair.kind]) if pair and pair.is_sound else ():
        groups.apply_here(upstream, pod["pod_name"], part.plan(db, upstream, pair))
    return pair
