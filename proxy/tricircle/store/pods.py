"""Pods (the regions that Tricircle joins) and bindings (which pod serves a project in an availability zone)."""
import sqlite3

from tricircle.errors import Conflict, NotFound, Unprocessable
from tricircle.store.db import Database, new_id, now

# A pod that is not enabled gets nothing new; from a draining one the bindings are taken besides.
ENABLED, DISABLED, DRAINING = STATUSES = ("enabled", "disabled", "draining")
BOUND = "SELECT p.* FROM bindings b JOIN pods p USING (pod_id) WHERE b.tenant_id = ?"


def is_enabled(pod: dict | sqlite3.Row) -> bool:
    """Whether something new may be placed there."""
    return pod["status"] == ENABLED


def create(db: Database, pod_name: str, az_name: str, pod_az_name: str = "", dc_name: str = "",
           status: str = ENABLED, disabled_reason: str = "") -> dict:
    """Register a pod. An empty `az_name` makes it the top one, of which there is one at most.

    Returns:
        The row: pod_id, pod_name, az_name, pod_az_name, dc_name, top, aggregate_id, created_at, updated_at, status,
        disabled_reason.

    Raises:
        Conflict: the name is taken, or there is a top pod already.
        Unprocessable: there is no such status, or it does not go with the rest.
    """
    top = None if az_name else 1
    _check_status(top, status, disabled_reason)
    try:
        with db.write() as c:
            aggregate = None if top else c.execute("SELECT COALESCE(MAX(aggregate_id), 0) + 1 FROM pods").fetchone()[0]
            pod_id = new_id()
            c.execute("INSERT INTO pods (pod_id, pod_name, az_name, pod_az_name, dc_name, top, aggregate_id, "
                      "created_at, updated_at, status, disabled_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      (pod_id, pod_name, az_name, "" if top else pod_az_name, dc_name, top, aggregate, now(), now(),
                       status, disabled_reason))
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
    return db.kept("SELECT * FROM pods WHERE top IS NULL ORDER BY pod_name")


def by_name(db: Database) -> dict[str, dict]:
    """{pod name: row} of the pods that do the work, in the order of their names."""
    return {pod["pod_name"]: pod for pod in bottom(db)}


def zones(db: Database) -> dict[str, bool]:
    """{availability zone: whether one of its pods is enabled}, by name."""
    rows = bottom(db)
    enabled = {pod["az_name"] for pod in rows if is_enabled(pod)}
    return {name: name in enabled for name in sorted({pod["az_name"] for pod in rows})}


def show(db: Database, pod_id: str) -> dict:
    """One pod. Raises NotFound."""
    found = db.row("SELECT * FROM pods WHERE pod_id = ?", (pod_id,))
    if not found:
        raise NotFound(f"there is no pod {pod_id}")
    return found


def update(db: Database, pod_id: str, changes: dict[str, str]) -> dict:
    """Change az_name, pod_az_name, dc_name, status or disabled_reason of a pod.

    Whoever is bound to a pod that drains is bound to another pod of the zone, where there is an enabled one.

    Raises:
        NotFound: no such pod.
        Conflict: projects are bound to the pod under its present availability zone.
        Unprocessable: the values do not go together.
    """
    pod = show(db, pod_id)
    if changes.get("az_name", pod["az_name"]) != pod["az_name"]:
        if pod["top"] or not changes["az_name"]:
            raise Unprocessable("a top pod has no availability zone and a bottom pod needs one")
        if db.row("SELECT 1 FROM bindings WHERE pod_id = ?", (pod_id,)):
            raise Conflict(f"pod {pod['pod_name']} serves bound projects: delete its bindings before moving its zone")
    reason = {} if changes.get("status", pod["status"]) == pod["status"] else {"disabled_reason": ""}   # of before
    merged = {**pod, **reason, **changes}
    _check_status(pod["top"], merged["status"], merged["disabled_reason"])
    with db.write() as c:
        c.execute("UPDATE pods SET az_name = ?, pod_az_name = ?, dc_name = ?, status = ?, disabled_reason = ?, "
                  "updated_at = ? WHERE pod_id = ?",
                  (merged["az_name"], merged["pod_az_name"], merged["dc_name"], merged["status"],
                   merged["disabled_reason"], now(), pod_id))
        for binding in bindings(db, pod_id=pod_id) if merged["status"] == DRAINING else ():
            _pick(c, binding["tenant_id"], binding["az_name"])
    return show(db, pod_id)


def _check_status(top: int | None, status: str, reason: str) -> None:
    if status not in STATUSES:
        raise Unprocessable(f"status is one of {', '.join(STATUSES)}")
    if status == ENABLED and reason:
        raise Unprocessable("a disabled_reason is for a pod that is disabled or draining")
    if top and status != ENABLED:
        raise Unprocessable("nothing is placed in the top pod: it cannot be disabled")


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


def bindings(db: Database, tenant_id: str | None = None, pod_id: str | None = None) -> list[dict]:
    """Bindings, oldest first; of one project, or to one pod, when that is given."""
    given = {name: value for name, value in (("tenant_id", tenant_id), ("pod_id", pod_id)) if value}
    where = "WHERE " + " AND ".join(f"{name} = ?" for name in given) if given else ""
    sql = f"SELECT * FROM bindings {where} ORDER BY created_at, id"  # noqa: S608 - column names are constants
    return db.rows(sql, tuple(given.values()))


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


def unbind_unused(db: Database, binding_id: str) -> None:
    """Take a binding back that was made for a request which the pod has refused, unless another one has used it.

    The group `default` is no use of a pod: Neutron makes it for whoever looks.
    """
    with db.write() as c:
        c.execute("DELETE FROM bindings WHERE id = ? AND NOT EXISTS (SELECT 1 FROM routings r "
                  "WHERE r.project_id = bindings.tenant_id AND r.pod_id = bindings.pod_id "
                  "AND r.resource_id NOT IN (SELECT group_id FROM default_groups))", (binding_id,))


def pod_for_zone(db: Database, tenant_id: str, az_name: str) -> dict | None:
    """The pod that serves a project in a zone; the first use picks one and keeps it.

    The emptiest pod (fewest bindings) is picked; another one when the project's own is not enabled any more. Two
    racing callers agree: the second finds what the first has written.

    Returns:
        The pod's row, which is not enabled when none of that zone is; None when no pod has that zone. A binding that
        was made now is in its `bound`.
    """
    sql = f"{BOUND} AND b.az_name = ?"
    found = db.row(sql, (tenant_id, az_name))
    if found and is_enabled(found):
        return found
    with db.write() as c:
        picked = _pick(c, tenant_id, az_name)
    return picked or found or next((pod for pod in bottom(db) if pod["az_name"] == az_name), None)


def default_pod(db: Database, tenant_id: str) -> dict | None:
    """The pod for what nothing else places: of the project's first binding; without one, the emptiest pod is bound.

    When that pod is not enabled, another one of its zone takes its place; then those of the other bindings come, then
    the emptiest pod of all.

    Returns:
        The pod's row, which is not enabled when none is; None when no bottom pod is registered. A binding that was made
        now is in its `bound`.
    """
    sql = f"{BOUND} ORDER BY b.created_at, b.id"
    found = db.row(f"{sql} LIMIT 1", (tenant_id,))
    if found and is_enabled(found):
        return found
    with db.write() as c:
        # Look again under the lock: of two first requests the second would count the first one's binding, find
        # another pod emptier, and the project would have two defaults.
        for bound in c.execute(sql, (tenant_id,)).fetchall():
            picked = _pick(c, tenant_id, bound["az_name"])
            if picked:
                return picked
        emptiest = _emptiest(c)
        if emptiest:
            emptiest = _pick(c, tenant_id, emptiest["az_name"])
    return emptiest or found or next(iter(bottom(db)), None)


def _pick(c: sqlite3.Connection, tenant_id: str, az_name: str) -> dict | None:
    """The enabled pod that a project is bound to in a zone from now on; None when the zone has none."""
    bound = c.execute(f"{BOUND} AND b.az_name = ?", (tenant_id, az_name)).fetchone()
    if bound and is_enabled(bound):
        return dict(bound)
    picked, binding_id = _emptiest(c, az_name), new_id()
    if picked:
        c.execute("INSERT INTO bindings VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, az_name) "
                  "DO UPDATE SET pod_id = excluded.pod_id, updated_at = excluded.updated_at",
                  (binding_id, tenant_id, az_name, picked["pod_id"], now(), now()))
    return picked and {**picked, **({} if bound else {"bound": binding_id})}


def _emptiest(c: sqlite3.Connection, az_name: str | None = None) -> dict | None:
    """The enabled pod with the fewest bindings, of one zone or of all."""
    found = c.execute("SELECT p.* FROM pods p LEFT JOIN bindings b USING (pod_id) WHERE p.top IS NULL "
                      "AND p.status = 'enabled' AND (? IS NULL OR p.az_name = ?) "
                      "GROUP BY p.pod_id ORDER BY COUNT(b.id), p.pod_name LIMIT 1", (az_name, az_name)).fetchone()
    return dict(found) if found else None
