"""Pods that may not have the newest state of a thing which is the same everywhere. What they say of it is not believed.

Before a writer asks a pod it writes down its intent: all other pods will be behind that one. Nobody minds an intent:
the pod may refuse, and a stranger must not be able to have pods disbelieved. Once the pod has accepted, the intent
becomes marks, and a mark is taken off when its pod has followed. What is marked when it is over is brought up to date
by a job: like the pods that are not marked. The intent of a writer that was killed counts as marks when its time is up.
"""
from tricircle.store.db import Database, now

LATE = ("SELECT kind, resource_key, pod_id, writer FROM behind UNION ALL "
        "SELECT kind, resource_key, pod_id, writer FROM intents WHERE until < ?")


def intend(db: Database, kind: str, key: str, late: list[str], writer: str, seconds: float) -> None:
    """A pod is about to be asked, and the pods `late` will be behind it.

    Args:
        kind: service and collection, `compute/flavors`.
        key: by which the thing is known in every pod.
        late: pod ids.
        writer: id of the request.
        seconds: after which the writer is dead unless it has come back.
    """
    with db.write() as c:
        c.execute("DELETE FROM intents WHERE kind = ? AND resource_key = ? AND writer = ?", (kind, key, writer))
        c.executemany("INSERT INTO intents VALUES (?, ?, ?, ?, 0, ?)",
                      [(kind, key, pod_id, writer, now() + seconds) for pod_id in late])


def give_up(db: Database, kind: str, key: str, writer: str) -> None:
    """The pod has refused: nothing of the intent is left."""
    with db.write() as c:
        c.execute("DELETE FROM intents WHERE kind = ? AND resource_key = ? AND writer = ?", (kind, key, writer))


def mark(db: Database, kind: str, key: str, late: list[str], current: str, writer: str) -> None:
    """`current` has been changed, or may have been; the pods `late` are behind it from now on.

    Where another writer is at work already, or was since this one's intent, the order in which a pod sees the two is
    not known: only a job can tell then whether it has caught up.

    Args:
        kind, key, writer: as for `intend`.
        late, current: pod ids.
    """
    with db.write() as c:
        overtaken = c.execute("SELECT COALESCE(MAX(overtaken), 0) FROM intents WHERE kind = ? AND resource_key = ? "
                              "AND writer = ?", (kind, key, writer)).fetchone()[0]
        c.execute("DELETE FROM intents WHERE kind = ? AND resource_key = ? AND writer = ?", (kind, key, writer))
        c.execute("UPDATE intents SET overtaken = 1 WHERE kind = ? AND resource_key = ?", (kind, key))
        c.execute("DELETE FROM behind WHERE kind = ? AND resource_key = ? AND pod_id = ? AND writer = ? "
                  "AND contested = 0", (kind, key, current, writer))
        c.executemany("INSERT INTO behind VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, resource_key, pod_id) DO UPDATE "
                      "SET contested = CASE WHEN behind.writer = excluded.writer THEN behind.contested ELSE 1 END, "
                      "writer = excluded.writer", [(kind, key, pod_id, writer, overtaken) for pod_id in late])


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
        for table in ("behind", "intents"):
            c.executemany(f"DELETE FROM {table} WHERE kind = ? AND resource_key = ? "  # noqa: S608 - constants
                          "AND pod_id = ? AND writer = ?",
                          [(kind, key, pod_id, writer) for pod_id, writer in seen.items()])


def of(db: Database, kind: str, key: str) -> dict[str, str]:
    """{pod id: writer} of the pods that are behind with a thing."""
    rows = db.rows(f"SELECT pod_id, writer FROM ({LATE}) AS late "  # noqa: S608 - a constant
                   "WHERE kind = ? AND resource_key = ?", (now(), kind, key))
    return {row["pod_id"]: row["writer"] for row in rows}


def of_kind(db: Database, kind: str) -> dict[str, set[str]]:
    """{pod id: keys of the things with which it is behind}."""
    found: dict[str, set[str]] = {}
    for row in db.rows(f"SELECT pod_id, resource_key FROM ({LATE}) AS late WHERE kind = ?",  # noqa: S608 - a constant
                       (now(), kind)):
        found.setdefault(row["pod_id"], set()).add(row["resource_key"])
    return found
