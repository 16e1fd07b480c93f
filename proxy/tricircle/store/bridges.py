"""What Tricircle hands out itself: one VLAN and one subnet a project, one address of it for a router in a pod.

Uniqueness is the constraints' business. A caller offers candidates in the order of his liking; the first free one is
taken, and a caller who lost a race tries again.
"""
import sqlite3
from collections.abc import Collection, Iterable

from tricircle.errors import TricircleError
from tricircle.store.db import Database, now


class Exhausted(TricircleError):
    """No VLAN, subnet or address is left."""


class NoBridge(TricircleError):
    """The project's bridge was released by another job a moment ago."""


def of_project(db: Database, project_id: str) -> dict | None:
    """The project's row: project_id, vlan, cidr, created_at; None when it has none."""
    return db.row("SELECT * FROM bridges WHERE project_id = ?", (project_id,))


def allocate_bridge(db: Database, project_id: str, vlans: Collection[int], cidrs: Collection[str]) -> dict:
    """The project's VLAN and CIDR, allocated on first use.

    Args:
        vlans: candidates, best first; those that some pod uses are left out by the caller.
        cidrs: candidates, best first; gone through anew when another caller was faster.

    Returns:
        The project's row, whoever of several racing callers has made it.

    Raises:
        Exhausted: every candidate belongs to another project.
    """
    while not (found := of_project(db, project_id)):
        vlan = _first_free(vlans, {row["vlan"] for row in db.rows("SELECT vlan FROM bridges")}, "VLAN")
        cidr = _first_free(cidrs, {row["cidr"] for row in db.rows("SELECT cidr FROM bridges")}, "bridge subnet")
        _insert(db, "INSERT INTO bridges VALUES (?, ?, ?, ?)", (project_id, vlan, cidr, now()))
    return found


def move_vlan(db: Database, project_id: str, taken: int, vlans: Iterable[int]) -> dict:
    """Leave a VLAN that turned out to be in use in some pod.

    Args:
        taken: the VLAN to leave; another one in the row means that somebody has moved it already.
        vlans: candidates without `taken`.

    Returns:
        The project's row.

    Raises:
        Exhausted: every candidate belongs to another project.
        NoBridge: the project has no row any more.
    """
    vlans = list(vlans)
    while (row := of_project(db, project_id)) and row["vlan"] == taken:
        vlan = _first_free(vlans, {row["vlan"] for row in db.rows("SELECT vlan FROM bridges")}, "VLAN")
        _insert(db, "UPDATE bridges SET vlan = ? WHERE project_id = ? AND vlan = ?", (vlan, project_id, taken))
    if not row:
        raise NoBridge(f"project {project_id} has no bridge")
    return row


def allocate_ip(db: Database, project_id: str, router_id: str, pod_id: str, candidates: Collection[str]) -> str:
    """A router's bridge address in a pod, allocated on first use.

    Args:
        candidates: addresses of the project's bridge subnet, best first.

    Returns:
        The address.

    Raises:
        Exhausted: all are in use.
        NoBridge: the project has no bridge (any more): allocate one first.
    """
    known = "SELECT ip FROM bridge_ips WHERE router_id = ? AND pod_id = ?"
    while not (found := db.row(known, (router_id, pod_id))):
        if not of_project(db, project_id):
            raise NoBridge(f"project {project_id} has no bridge")
        rows = db.rows("SELECT ip FROM bridge_ips WHERE project_id = ?", (project_id,))
        ip = _first_free(candidates, {row["ip"] for row in rows}, "bridge address")
        _insert(db, "INSERT INTO bridge_ips VALUES (?, ?, ?, ?, ?)", (router_id, pod_id, project_id, ip, now()))
    return found["ip"]


def addresses(db: Database, router_id: str) -> dict[str, str]:
    """{pod id: bridge address} of a router."""
    return {row["pod_id"]: row["ip"]
            for row in db.rows("SELECT pod_id, ip FROM bridge_ips WHERE router_id = ?", (router_id,))}


def shared_pods(db: Database, project_id: str, router_id: str) -> set[str]:
    """Ids of the pods in which other routers of the project use the project's bridge."""
    rows = db.rows("SELECT DISTINCT pod_id FROM bridge_ips WHERE project_id = ? AND router_id <> ?",
                   (project_id, router_id))
    return {row["pod_id"] for row in rows}


def projects(db: Database) -> list[str]:
    """All that have a bridge."""
    return [row["project_id"] for row in db.rows("SELECT project_id FROM bridges ORDER BY project_id")]


def projects_in(db: Database, pod_id: str) -> set[str]:
    """Projects whose bridge a router uses in a pod."""
    return {row["project_id"] for row in
            db.rows("SELECT DISTINCT project_id FROM bridge_ips WHERE pod_id = ?", (pod_id,))}


def owner(db: Database, router_id: str) -> str | None:
    """Project for which the router has bridge addresses; None when it has none."""
    found = db.row("SELECT project_id FROM bridge_ips WHERE router_id = ? LIMIT 1", (router_id,))
    return found["project_id"] if found else None


def release_ip(db: Database, router_id: str, pod_id: str, keep_last: bool = False) -> bool:
    """Give an address back, once its port is gone. False when there was none, or it stays.

    Args:
        keep_last: stay when no other router of the project has an address in the pod. The last row says that the
            bridge network is still there to be deleted: without it a worker that is killed in between leaves the
            network for ever, since nobody looks into a pod of which nothing is known. That nobody else is there is
            decided in one statement, so of two routers that leave at once one stays the last.
    """
    with db.write() as c:
        return bool(c.execute(
            "DELETE FROM bridge_ips WHERE router_id = ? AND pod_id = ? AND (NOT ? OR EXISTS "
            "(SELECT 1 FROM bridge_ips o WHERE o.project_id = bridge_ips.project_id AND o.pod_id = bridge_ips.pod_id "
            "AND o.router_id <> bridge_ips.router_id))", (router_id, pod_id, keep_last)).rowcount)


def release_bridge(db: Database, project_id: str) -> bool:
    """Give VLAN and CIDR back unless a router still has an address; False when so, or when there was no bridge."""
    with db.write() as c:
        return bool(c.execute(
            "DELETE FROM bridges WHERE project_id = ? AND NOT EXISTS "
            "(SELECT 1 FROM bridge_ips i WHERE i.project_id = bridges.project_id)", (project_id,)).rowcount)


def _first_free(candidates: Collection, taken: set, what: str):
    for candidate in candidates:
        if candidate not in taken:
            return candidate
    raise Exhausted(f"no {what} is free: {len(candidates)} candidates, all are in use")


def _insert(db: Database, sql: str, args: tuple) -> None:
    """A conflict is no error: the caller looks again at what there is."""
    try:
        with db.write() as c:
            c.execute(sql, args)
    except sqlite3.IntegrityError:
        return
