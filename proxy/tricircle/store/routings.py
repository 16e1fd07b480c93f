"""Which pod is a resource's home. A cache of facts that the pods know: losing a row costs one question to the pods.

So no disk is waited for.
"""
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from tricircle.parts import parts
from tricircle.store.db import Database, now

CHUNK = 400   # SQLite takes 999 variables in a statement on older builds
# A parent comes as its pod calls it.
INSERT = ("INSERT INTO routings (resource_id, pod_id, kind, project_id, created_at, parent_id) "
          "VALUES (:id, :pod, :kind, :project, :at, "
          "COALESCE((SELECT resource_id FROM replicas WHERE pod_id = :pod AND local_id = :parent), :parent)) ")
OVER = ("ON CONFLICT (resource_id) DO UPDATE SET pod_id = excluded.pod_id, kind = excluded.kind, "
        "project_id = excluded.project_id, parent_id = excluded.parent_id")
OWN = ("ON CONFLICT (resource_id) DO UPDATE SET pod_id = excluded.pod_id, kind = excluded.kind, "
       "parent_id = excluded.parent_id WHERE routings.project_id = excluded.project_id")


class Found(NamedTuple):
    """A resource whose home is known.

    Args:
        resource_id: home id.
        kind: its collection.
        project_id: owner.
        parent_id: home id of what it goes with when that is deleted; empty for none.
    """

    resource_id: str
    kind: str
    project_id: str
    parent_id: str = ""


def learn(db: Database, found: Iterable[tuple], pod_id: str) -> None:
    """Remember where resources live that were made now. Another project's row is left alone.

    Args:
        found: fields of `Found`.
        pod_id: their home.
    """
    if found:
        with db.write(durable=False) as c:
            put(c, found, pod_id, OWN)


def correct(db: Database, found: Iterable[tuple], pod_id: str) -> None:
    """Remember where resources live, whatever was believed before: for what a pod has shown.

    Args:
        found, pod_id: as in `learn`.
    """
    if found:
        with db.write(durable=False) as c:
            put(c, found, pod_id, OVER)


def put(c: sqlite3.Connection, found: Iterable[tuple], pod_id: str, otherwise: str) -> None:
    """Write rows within a transaction.

    Args:
        c: the transaction's connection.
        found, pod_id: as in `learn`.
        otherwise: what becomes of a row that is there.
    """
    rows = [Found(*each) for each in found]
    c.executemany(INSERT + otherwise, [{"id": each.resource_id, "pod": pod_id, "kind": each.kind, "at": now(),
                                        "project": each.project_id, "parent": each.parent_id} for each in rows])


def home(db: Database, resource_id: str) -> dict | None:
    """Home of a resource: resource_id, pod_id, kind, project_id, created_at, leaving, parent_id; None when unknown."""
    return db.row("SELECT * FROM routings WHERE resource_id = ?", (resource_id,))


def home_pod(db: Database, resource_id: str, kind: str) -> dict | None:
    """The row of the home pod of a resource of one kind; None when unknown."""
    return next(iter(db.kept("SELECT pods.* FROM routings JOIN pods USING (pod_id) WHERE resource_id = ? AND kind = ?",
                             (resource_id, kind))), None)


def home_pods(db: Database, named: list[tuple[str, str]]) -> dict[tuple[str, str], dict]:
    """{(resource id, kind): row of its home pod} of those (resource id, kind) that are known."""
    rows = homes(db, [resource_id for resource_id, _ in named])
    bottom = {row["pod_id"]: row for row in db.rows("SELECT * FROM pods")} if rows else {}
    return {each: bottom[rows[each[0]]["pod_id"]] for each in named
            if each[0] in rows and rows[each[0]]["kind"] == each[1]}


def homes(db: Database, resource_ids: list[str]) -> dict[str, dict]:
    """Homes of many resources, by id; unknown ones are left out."""
    found = {}
    for part in parts(resource_ids, CHUNK):
        marks = ", ".join("?" * len(part))
        rows = db.rows(f"SELECT * FROM routings WHERE resource_id IN ({marks})", part)  # noqa: S608 - marks only
        found.update((row["resource_id"], row) for row in rows)
    return found


def forget(db: Database, resource_id: str) -> None:
    """The resource is gone."""
    with db.write(durable=False) as c:
        c.execute("DELETE FROM routings WHERE resource_id = ?", (resource_id,))


def forget_children(db: Database, parent_id: str) -> None:
    """What goes with a resource when that is deleted is gone, and called nothing else in its pod any more."""
    with db.write(durable=False) as c:   # SQLite takes a partial index only where its condition is said again
        c.execute("DELETE FROM replicas WHERE (resource_id, pod_id) IN "
                  "(SELECT resource_id, pod_id FROM routings WHERE parent_id = ? AND parent_id <> '')", (parent_id,))
        c.execute("DELETE FROM routings WHERE parent_id = ? AND parent_id <> ''", (parent_id,))


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
