"""Pods (the regions that Tricircle joins) and bindings (which pod serves a project in an availability zone)."""
import sqlite3

from tricircle.errors import Conflict, NotFound, Unprocessable
from tricircle.store.db import Database, new_id, now

FIELDS = "pod_id, pod_name, az_name, pod_az_name, dc_name"


def create(db: Database, pod_name: str, az_name: str, pod_az_name: str = "", dc_name: str = "") -> dict:
    """Register a pod. An empty `az_name` makes it the top one, of which there is one at most.

    Returns:
        The row: pod_id, pod_name, az_name, pod_az_name, dc_name, top, aggregate_id, created_at, updated_at.

    Raises:
        Conflict: the name is taken, or there is a top pod already.
    """
    top = None if az_name else 1
    try:
        with db.write() as c:
            aggregate = None if top else c.execute("SELECT COALESCE(MAX(aggregate_id), 0) + 1 FROM pods").fetchone()[0]
            pod_id = new_id()
            c.execute("INSERT INTO pods VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      (pod_id, pod_name, az_name, "" if top else pod_az_name, dc_name, top, aggregate, now(), now()))
    except sqlite3.IntegrityError as error:
        if "pods.top" in str(error):
            raise Conflict("there is a top pod already: give az_name to register a bottom pod") from error
        raise Conflict(f"a pod named {pod_name} exists already") from error
    return show(db, pod_id)


def list_all(db: Database) -> list[dict]:
    """Every pod, the top one first, then by name."""
    return db.rows("SELECT * FROM pods ORDER BY top IS NULL, pod_name")


def bottom(db: Database) -> list[dict]:
    """The pods that do the work, by name."""
    return db.rows("SELECT * FROM pods WHERE top IS NULL ORDER BY pod_name")


def by_name(db: Database) -> dict[str, dict]:
    """{pod name: row} of the pods that do the work, in the order of their names."""
    return {pod["pod_name"]: pod for pod in bottom(db)}


def show(db: Database, pod_id: str) -> dict:
    """One pod. Raises NotFound."""
    found = db.row("SELECT * FROM pods WHERE pod_id = ?", (pod_id,))
    if not found:
        raise NotFound(f"there is no pod {pod_id}")
    return found


def update(db: Database, pod_id: str, changes: dict[str, str]) -> dict:
    """Change az_name, pod_az_name or dc_name of a pod.

    Raises:
        NotFound: no such pod.
        Conflict: projects are bound to the pod under its present availability zone.
    """
    pod = show(db, pod_id)
    if changes.get("az_name", pod["az_name"]) != pod["az_name"]:
        if pod["top"] or not changes["az_name"]:
            raise Unprocessable("a top pod has no availability zone and a bottom pod needs one")
        if db.row("SELECT 1 FROM bindings WHERE pod_id = ?", (pod_id,)):
            raise Conflict(f"pod {pod['pod_name']} serves bound projects: delete its bindings before moving its zone")
    merged = {**pod, **changes}
    with db.write() as c:
        c.execute("UPDATE pods SET az_name = ?, pod_az_name = ?, dc_name = ?, updated_at = ? WHERE pod_id = ?",
                  (merged["az_name"], merged["pod_az_name"], merged["dc_name"], now(), pod_id))
    return show(db, pod_id)


def delete(db: Database, pod_id: str) -> None:
    """Forget a pod that nothing refers to.

    Raises:
        NotFound: no such pod.
        Conflict: bindings, resources or bridge addresses still name it.
    """
    pod = show(db, pod_id)
    try:
        with db.write() as c:
            # What is the same in every pod is no reason to keep this one.
            c.execute("DELETE FROM replicas WHERE pod_id = ? AND resource_id IN (SELECT resource_id FROM named)",
                      (pod_id,))
            c.execute("DELETE FROM pods WHERE pod_id = ?", (pod_id,))
    except sqlite3.IntegrityError as error:
        raise Conflict(f"pod {pod['pod_name']} is in use: bindings or resources still refer to it") from error


def bind(db: Database, tenant_id: str, pod_id: str) -> dict:
    """Bind a project to a pod for that pod's availability zone.

    Raises:
        Unprocessable: no such pod, or it is the top one.
        Conflict: the project has a binding in that zone already.
    """
    pod = db.row("SELECT * FROM pods WHERE pod_id = ?", (pod_id,))
    if not pod or pod["top"]:
        raise Unprocessable(f"{pod_id} is not a bottom pod")
    binding_id = new_id()
    try:
        with db.write() as c:
            c.execute("INSERT INTO bindings VALUES (?, ?, ?, ?, ?, ?)",
                      (binding_id, tenant_id, pod["az_name"], pod_id, now(), now()))
    except sqlite3.IntegrityError as error:
        raise Conflict(f"project {tenant_id} has a binding in availability zone {pod['az_name']} already") from error
    return show_binding(db, binding_id)


def bindings(db: Database, tenant_id: str | None = None) -> list[dict]:
    """Bindings, oldest first; of one project when `tenant_id` is given."""
    where, args = ("WHERE tenant_id = ?", (tenant_id,)) if tenant_id else ("", ())
    return db.rows(f"SELECT * FROM bindings {where} ORDER BY created_at, id", args)  # noqa: S608 - two constants


def show_binding(db: Database, binding_id: str) -> dict:
    """One binding. Raises NotFound."""
    found = db.row("SELECT * FROM bindings WHERE id = ?", (binding_id,))
    if not found:
        raise NotFound(f"there is no binding {binding_id}")
    return found


def unbind(db: Database, binding_id: str) -> None:
    """Delete a binding; what the project has in the pod stays reachable. Raises NotFound."""
    show_binding(db, binding_id)
    with db.write() as c:
        c.execute("DELETE FROM bindings WHERE id = ?", (binding_id,))


def pod_for_zone(db: Database, tenant_id: str, az_name: str) -> dict | None:
    """The pod that serves a project in a zone; the first use picks one and keeps it.

    The emptiest pod (fewest bindings) is picked. Two racing callers agree: the unique row of the first one wins.

    Returns:
        The pod's row, or None when no pod has that zone.
    """
    sql = "SELECT p.* FROM bindings b JOIN pods p USING (pod_id) WHERE b.tenant_id = ? AND b.az_name = ?"
    found = db.row(sql, (tenant_id, az_name))
    if found:
        return found
    with db.write() as c:
        picked = c.execute(
            "SELECT p.pod_id FROM pods p LEFT JOIN bindings b USING (pod_id) WHERE p.az_name = ? AND p.top IS NULL "
            "GROUP BY p.pod_id ORDER BY COUNT(b.id), p.pod_name LIMIT 1", (az_name,)).fetchone()
        if not picked:
            return None
        c.execute("INSERT INTO bindings VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, az_name) DO NOTHING",
                  (new_id(), tenant_id, az_name, picked["pod_id"], now(), now()))
    return db.row(sql, (tenant_id, az_name))


def default_pod(db: Database, tenant_id: str) -> dict | None:
    """The pod for what nothing else places: the project's first binding; without one, the emptiest pod is bound.

    Returns:
        The pod's row, or None when no bottom pod is registered.
    """
    sql = ("SELECT p.* FROM bindings b JOIN pods p USING (pod_id) WHERE b.tenant_id = ? "
           "ORDER BY b.created_at, b.id LIMIT 1")
    found = db.row(sql, (tenant_id,))
    if found:
        return found
    with db.write() as c:
        # Look again under the lock: of two first requests the second would count the first one's binding, find another
        # pod emptier, and the project would have two defaults.
        bound = c.execute(sql, (tenant_id,)).fetchone()
        if bound:
            return dict(bound)
        emptiest = c.execute("SELECT p.* FROM pods p LEFT JOIN bindings b USING (pod_id) WHERE p.top IS NULL "
                             "GROUP BY p.pod_id ORDER BY COUNT(b.id), p.pod_name LIMIT 1").fetchone()
        if emptiest:
            c.execute("INSERT INTO bindings VALUES (?, ?, ?, ?, ?, ?)",
                      (new_id(), tenant_id, emptiest["az_name"], emptiest["pod_id"], now(), now()))
    return dict(emptiest) if emptiest else None
