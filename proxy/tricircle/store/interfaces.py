"""The interfaces that a router over pods had when its job last found all well.

A pod from which one has gone cannot tell that it was there. What a user takes off through the gateway is forgotten
first; what is missing then has gone behind the gateway's back, and comes again.
"""
from tricircle.parts import parts
from tricircle.store.db import Database


def of_router(db: Database, router_id: str) -> dict[str, dict[str, str]]:
    """{pod id: {subnet id there: address}}."""
    found: dict[str, dict[str, str]] = {}
    for row in db.rows("SELECT pod_id, subnet_id, ip FROM interfaces WHERE router_id = ?", (router_id,)):
        found.setdefault(row["pod_id"], {})[row["subnet_id"]] = row["ip"]
    return found


def keep(db: Database, job: dict, seen: dict[str, dict[str, str]], whole: bool) -> None:
    """Write down what the running job of a router has seen, unless a request has announced a change since.

    Args:
        job: as claimed; one that has gone to another worker writes nothing.
        seen: {pod id: {subnet id: address}} of the pods that have answered.
        whole: they are all of the router's.
    """
    router_id, known = job["resource_id"], of_router(db, job["resource_id"])
    joined = whole and router_id in joining(db, [router_id])
    if {pod_id: known.get(pod_id, {}) for pod_id in seen} == seen and not joined:
        return
    with db.write() as c:
        # A request has such a row from before it changes anything: what the job has seen may be gone by now.
        if c.execute("SELECT 1 FROM jobs WHERE resource_id = ? AND kind = 'router' AND state = 'queued' UNION "
                     "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = ? AND fence = ? AND state = 'running')",
                     (router_id, job["id"], job["fence"])).fetchone():
            return
        if joined:
            c.execute("DELETE FROM joining WHERE router_id = ?", (router_id,))
        c.executemany("DELETE FROM interfaces WHERE router_id = ? AND pod_id = ?",
                      [(router_id, pod_id) for pod_id in seen])
        c.executemany("INSERT INTO interfaces VALUES (?, ?, ?, ?)",
                      [(router_id, pod_id, subnet_id, ip) for pod_id, there in seen.items()
                       for subnet_id, ip in there.items()])


def join(db: Database, router_id: str) -> None:
    """A request is about to give a router something that its job has to join."""
    if router_id not in joining(db, [router_id]):
        with db.write(durable=False) as c:
            c.execute("INSERT INTO joining VALUES (?) ON CONFLICT DO NOTHING", (router_id,))


def joining(db: Database, router_ids: list[str]) -> set[str]:
    """Return those of some routers that were given something since their job last found all well."""
    found: set[str] = set()
    for part in parts(router_ids):
        marks = ", ".join("?" * len(part))
        rows = db.rows(f"SELECT router_id FROM joining WHERE router_id IN ({marks})", part)  # noqa: S608 - marks only
        found |= {row["router_id"] for row in rows}
    return found


def forget(db: Database, router_id: str) -> None:
    """What is on the router may go: a request that takes something off says so before it asks a pod."""
    with db.write() as c:
        c.execute("DELETE FROM interfaces WHERE router_id = ?", (router_id,))
