"""In which pods a router or a project has something, and how a pod's part of it is taken away without a race."""
from tricircle.parts import parts
from tricircle.store.db import Database, now


def pods_of(db: Database, router_id: str) -> set[str]:
    """Ids of the pods other than the home that have, or may have, a replica or a bridge address of the router.

    A replica that is still being made counts: its answer may have been lost.
    """
    rows = db.rows("SELECT pod_id FROM replicas WHERE resource_id = ? UNION "
                   "SELECT pod_id FROM bridge_ips WHERE router_id = ?", (router_id, router_id))
    return {row["pod_id"] for row in rows}


def replica_pods(db: Database, router_id: str) -> set[str]:
    """Ids of the pods that have, or may have, a replica of the router."""
    return {row["pod_id"] for row in db.rows("SELECT pod_id FROM replicas WHERE resource_id = ?", (router_id,))}


def stretched(db: Database, router_ids: list[str]) -> set[str]:
    """Return those of some routers that have, or may have, something in a pod other than their home."""
    found: set[str] = set()
    for part in parts(router_ids):
        marks = ", ".join("?" * len(part))
        rows = db.rows(f"SELECT resource_id AS id FROM replicas WHERE resource_id IN ({marks}) UNION "  # noqa: S608
                       f"SELECT router_id FROM bridge_ips WHERE router_id IN ({marks})", part * 2)   # marks only
        found |= {row["id"] for row in rows}
    return found


def any_router(db: Database) -> bool:
    """Return whether any router reaches over pods."""
    return bool(db.kept("SELECT 1 AS one FROM replicas WHERE kind = 'routers' UNION ALL "
                        "SELECT 1 FROM bridge_ips LIMIT 1", ()))


def routers(db: Database) -> list[dict]:
    """resource_id and project_id of the routers that have, or may have, something in a pod other than their home."""
    return db.rows("SELECT resource_id, MAX(project_id) AS project_id FROM "
                   "(SELECT resource_id, project_id FROM replicas WHERE kind = 'routers' UNION "
                   "SELECT router_id, project_id FROM bridge_ips) GROUP BY resource_id ORDER BY resource_id")


def routers_in(db: Database, pod_id: str) -> set[str]:
    """Home ids of the routers of which a pod has, or may have, something of Tricircle's."""
    rows = db.rows("SELECT resource_id FROM replicas WHERE pod_id = ? AND kind = 'routers' UNION "
                   "SELECT router_id FROM bridge_ips WHERE pod_id = ?", (pod_id, pod_id))
    return {row["resource_id"] for row in rows}


def of_project(db: Database, project_id: str) -> set[str]:
    """Ids of the pods in which a project is known to have something, of its own or of Tricircle's for it."""
    rows = db.rows("SELECT pod_id FROM routings WHERE project_id = ? UNION SELECT pod_id FROM replicas "
                   "WHERE project_id = ? UNION SELECT pod_id FROM bridge_ips WHERE project_id = ?", (project_id,) * 3)
    return {row["pod_id"] for row in rows}


def own(db: Database, project_id: str) -> set[str]:
    """Return the ids of the pods to which a project is bound, or in which Tricircle knows something of its own."""
    rows = db.rows("SELECT pod_id FROM bindings WHERE tenant_id = ? UNION SELECT pod_id FROM routings "
                   "WHERE project_id = ?", (project_id,) * 2)
    return {row["pod_id"] for row in rows}


def retire(db: Database, resource_id: str, pod_id: str, seconds: float) -> int | None:
    """Claim a replica in order to delete it.

    The row goes back to "being made", so that a request which wants the replica waits until it is gone and makes a new
    one, instead of using one that is about to vanish. A request announces its job before it looks at replicas; when
    one has, the replica stays.

    Args:
        seconds: after them somebody else may claim it (this worker was killed).

    Returns:
        The claim's fence, for `replicas.abandon` when the replica is deleted; None when it has to stay.
    """
    with db.write() as c:
        taken = c.execute(
            "UPDATE replicas SET local_id = NULL, claim_until = ?, fence = fence + 1 "
            "WHERE resource_id = ? AND pod_id = ? AND NOT EXISTS "
            "(SELECT 1 FROM jobs j WHERE j.resource_id = replicas.resource_id AND j.state = 'queued' AND j.holds > 0 "
            "AND j.held_until > ?)", (now() + seconds, resource_id, pod_id, now())).rowcount
        if not taken:
            return None
        return c.execute("SELECT fence FROM replicas WHERE resource_id = ? AND pod_id = ?",
                         (resource_id, pod_id)).fetchone()["fence"]
