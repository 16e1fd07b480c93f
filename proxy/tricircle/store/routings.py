"""Which pod is a resource's home. A cache of facts that the pods know: losing a row costs one question to the pods.

So no disk is waited for.
"""
from tricircle.store.db import Database, now


def learn(db: Database, found: list[tuple[str, str, str]], pod_id: str, durable: bool = False) -> None:
    """Remember where resources live.

    Args:
        found: (resource id, kind, project id) of each.
        pod_id: their home.
        durable: the pod calls them otherwise, and would not know them.
    """
    if not found:
        return
    with db.write(durable) as c:
        c.executemany(
            "INSERT INTO routings (resource_id, pod_id, kind, project_id, created_at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (resource_id) DO UPDATE SET pod_id = excluded.pod_id, kind = excluded.kind",
            [(resource_id, pod_id, kind, project_id, now()) for resource_id, kind, project_id in found])


def home(db: Database, resource_id: str) -> dict | None:
    """Home of a resource: resource_id, pod_id, kind, project_id, created_at, leaving; None when unknown."""
    return db.row("SELECT * FROM routings WHERE resource_id = ?", (resource_id,))


def home_pod(db: Database, resource_id: str) -> dict | None:
    """The row of a resource's home pod; None when unknown."""
    return db.row("SELECT pods.* FROM routings JOIN pods USING (pod_id) WHERE resource_id = ?", (resource_id,))


def homes(db: Database, resource_ids: list[str]) -> dict[str, dict]:
    """Homes of many resources, by id; unknown ones are left out."""
    marks = ", ".join("?" * len(resource_ids))
    rows = db.rows(f"SELECT * FROM routings WHERE resource_id IN ({marks})", resource_ids)  # noqa: S608 - marks only
    return {row["resource_id"]: row for row in rows}


def forget(db: Database, resource_id: str) -> None:
    """The resource is gone."""
    with db.write(durable=False) as c:
        c.execute("DELETE FROM routings WHERE resource_id = ?", (resource_id,))


def leave(db: Database, resource_id: str) -> None:
    """Its deletion was accepted; where it is stays known until it is gone."""
    with db.write(durable=False) as c:
        c.execute("UPDATE routings SET leaving = 1 WHERE resource_id = ?", (resource_id,))


def is_leaving(db: Database, resource_id: str) -> bool:
    """Whether its deletion was accepted, and is not known to have ended."""
    return bool(db.row("SELECT 1 FROM routings WHERE resource_id = ? AND leaving = 1", (resource_id,)))


def in_pod(db: Database, pod_id: str, kind: str, project_id: str | None, limit: int) -> list[dict]:
    """What a pod is known to have of a collection, the newest first; of one project, or (None) of all."""
    owned, args = ("AND project_id = ?", [project_id]) if project_id else ("", [])
    return db.rows(f"SELECT * FROM routings WHERE pod_id = ? AND kind = ? AND leaving = 0 {owned} "  # noqa: S608
                   "ORDER BY created_at DESC LIMIT ?", [pod_id, kind, *args, limit])


def pods_of_project(db: Database, project_id: str) -> set[str]:
    """Ids of the pods in which a project is known to have something."""
    rows = db.rows("SELECT DISTINCT pod_id FROM routings WHERE project_id = ?", (project_id,))
    return {row["pod_id"] for row in rows}
