"""Pods that may not have the newest state of a thing which is the same everywhere. What they say of it is not believed.

A writer marks all pods but the one that it is about to ask, and takes a mark off when that pod has followed. What is
marked when it is over, or when it was killed, is brought up to date by a job: like the pods that are not marked.
"""
from tricircle.store.db import Database


def mark(db: Database, kind: str, key: str, late: list[str], current: str, writer: str) -> None:
    """`current` is about to be changed; the pods `late` are behind it from now on.

    Where another writer is at work already the order in which a pod sees the two is not known: only a job can tell
    then whether it has caught up.

    Args:
        kind: service and collection, `compute/flavors`.
        key: by which the thing is known in every pod.
        late, current: pod ids.
        writer: id of the request.
    """
    with db.write() as c:
        c.execute("DELETE FROM behind WHERE kind = ? AND resource_key = ? AND pod_id = ? AND writer = ? "
                  "AND contested = 0", (kind, key, current, writer))
        c.executemany("INSERT INTO behind VALUES (?, ?, ?, ?, 0) ON CONFLICT (kind, resource_key, pod_id) DO UPDATE "
                      "SET contested = CASE WHEN behind.writer = excluded.writer THEN behind.contested ELSE 1 END, "
                      "writer = excluded.writer", [(kind, key, pod_id, writer) for pod_id in late])


def followed(db: Database, kind: str, key: str, pod_ids: list[str], writer: str) -> None:
    """These pods have done what the writer wanted (or nothing had to be done)."""
    with db.write() as c:
        c.executemany("DELETE FROM behind WHERE kind = ? AND resource_key = ? AND pod_id = ? AND writer = ? "
                      "AND contested = 0", [(kind, key, pod_id, writer) for pod_id in pod_ids])


def caught_up(db: Database, kind: str, key: str, seen: dict[str, str]) -> None:
    """These pods were found to be like the others, or made so, after `of` had said {pod id: writer}.

    A mark that a later writer has set stays.
    """
    with db.write() as c:
        c.executemany("DELETE FROM behind WHERE kind = ? AND resource_key = ? AND pod_id = ? AND writer = ?",
                      [(kind, key, pod_id, writer) for pod_id, writer in seen.items()])


def of(db: Database, kind: str, key: str) -> dict[str, str]:
    """{pod id: writer} of the pods that are behind with a thing."""
    rows = db.rows("SELECT pod_id, writer FROM behind WHERE kind = ? AND resource_key = ?", (kind, key))
    return {row["pod_id"]: row["writer"] for row in rows}


def of_kind(db: Database, kind: str) -> dict[str, set[str]]:
    """{pod id: keys of the things with which it is behind}."""
    found: dict[str, set[str]] = {}
    for row in db.rows("SELECT pod_id, resource_key FROM behind WHERE kind = ?", (kind,)):
        found.setdefault(row["pod_id"], set()).add(row["resource_key"])
    return found
