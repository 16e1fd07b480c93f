"""Stand-ins of a resource in pods that are not its home, and the claims that keep them single."""
import sqlite3
from collections.abc import Iterable

from tricircle.parts import parts
from tricircle.store import routings
from tricircle.store.db import Database, now

CHUNK = 400   # SQLite takes 999 variables in a statement on older builds


def claim(db: Database, resource_id: str, pod_id: str, kind: str, project_id: str, seconds: float) -> dict:
    """Ask for the right to make a replica.

    The unique row is the lock: of fifty callers one gets `mine`, the others see its row and wait. A claim that ran
    out (its holder was killed) passes on, with a higher fence.

    Args:
        resource_id: home id.
        pod_id: where the replica shall be.
        kind: collection, as in `routings`.
        project_id: owner.
        seconds: how long the claim is good for.

    Returns:
        The row, plus `mine`: True when the caller is the one to make it.
    """
    with db.write() as c:
        made = c.execute("INSERT INTO replicas VALUES (?, ?, ?, ?, NULL, ?, 0, ?) ON CONFLICT DO NOTHING",
                         (resource_id, pod_id, kind, project_id, now() + seconds, now())).rowcount
        taken = made or c.execute(
            "UPDATE replicas SET claim_until = ?, fence = fence + 1 "
            "WHERE resource_id = ? AND pod_id = ? AND local_id IS NULL AND claim_until < ?",
            (now() + seconds, resource_id, pod_id, now())).rowcount
        row = c.execute("SELECT * FROM replicas WHERE resource_id = ? AND pod_id = ?", (resource_id, pod_id)).fetchone()
    return {**dict(row), "mine": bool(taken)}


def settle(db: Database, resource_id: str, pod_id: str, local_id: str, fence: int, owner: str | None = None) -> bool:
    """The claimed replica exists.

    Args:
        fence: of the claim.
        owner: the original's project, where somebody else's request may have made the claim.

    Returns:
        False when the claim was lost meanwhile: the new holder adopts it by its mark. Or when the pod's thing is known
        as something else's replica, which it stays.
    """
    with db.write() as c:
        return not _is_others(c, resource_id, pod_id, local_id) and bool(c.execute(
            "UPDATE replicas SET local_id = ?, project_id = COALESCE(?, project_id) "
            "WHERE resource_id = ? AND pod_id = ? AND fence = ?",
            (local_id, owner, resource_id, pod_id, fence)).rowcount)


def abandon(db: Database, resource_id: str, pod_id: str, fence: int) -> None:
    """Making it failed for sure: the next caller may try at once."""
    with db.write() as c:
        c.execute("DELETE FROM replicas WHERE resource_id = ? AND pod_id = ? AND fence = ? AND local_id IS NULL",
                  (resource_id, pod_id, fence))


def step_back(db: Database, resource_id: str, pod_id: str, fence: int) -> None:
    """The claimer has made nothing. Somebody before him may have: then the row stays, for the next one to look."""
    with db.write() as c:
        mine = (resource_id, pod_id, fence)
        c.execute("DELETE FROM replicas WHERE resource_id = ? AND pod_id = ? AND fence = ? AND fence = 0 "
                  "AND local_id IS NULL", mine)
        c.execute("UPDATE replicas SET claim_until = 0 WHERE resource_id = ? AND pod_id = ? AND fence = ? "
                  "AND local_id IS NULL", mine)


def record(db: Database, resource_id: str, pod_id: str, kind: str, project_id: str, local_id: str) -> bool:
    """Write down a replica that exists, unless the store knows another one, or knows the thing as something else's.

    Returns:
        Whether it is written down now.
    """
    with db.write() as c:
        if _is_others(c, resource_id, pod_id, local_id):
            return False
        c.execute("INSERT INTO replicas VALUES (?, ?, ?, ?, ?, 0, 0, ?) ON CONFLICT DO NOTHING",
                  (resource_id, pod_id, kind, project_id, local_id, now()))
        c.execute("UPDATE replicas SET local_id = ? WHERE resource_id = ? AND pod_id = ? AND local_id IS NULL",
                  (local_id, resource_id, pod_id))
        return bool(c.execute("SELECT 1 FROM replicas WHERE resource_id = ? AND pod_id = ? AND local_id = ?",
                              (resource_id, pod_id, local_id)).fetchone())


def correct(db: Database, resource_id: str, pod_id: str, kind: str, project_id: str, local_id: str,
            gone: str | None) -> bool:
    """As `record`, after the pod has said that what the row had, `gone`, is not there or not the resource's."""
    if gone:
        forget(db, {"resource_id": resource_id, "pod_id": pod_id, "local_id": gone})
    return record(db, resource_id, pod_id, kind, project_id, local_id)


def _is_others(c: sqlite3.Connection, resource_id: str, pod_id: str, local_id: str) -> bool:
    return bool(c.execute("SELECT 1 FROM replicas WHERE pod_id = ? AND local_id = ? AND resource_id <> ?",
                          (pod_id, local_id, resource_id)).fetchone())


def adopt(db: Database, resource_id: str, pod_id: str, kind: str, local_id: str) -> None:
    """A pod's own thing is this one from now on, whatever it was taken for before.

    For what only administrators make, as volume types: the pods' word for its name is the proof.
    """
    with db.write() as c:
        c.execute("DELETE FROM replicas WHERE pod_id = ? AND (local_id = ? OR resource_id = ?)",
                  (pod_id, local_id, resource_id))
        c.execute("INSERT INTO replicas VALUES (?, ?, ?, '', ?, 0, 0, ?)",
                  (resource_id, pod_id, kind, local_id, now()))


def home_of(db: Database, local_id: str) -> str | None:
    """The home id of what is called so in any pod."""
    return homes_of(db, [local_id]).get(local_id)


def homes_of(db: Database, local_ids: list[str]) -> dict[str, str]:
    """{local id: home id} of those that are called so in any pod."""
    found = {}
    for part in parts(local_ids, CHUNK):
        marks = ", ".join("?" * len(part))
        rows = db.rows("SELECT r.local_id, r.resource_id FROM pods p JOIN replicas r "  # noqa: S608 - marks only
                       f"ON r.pod_id = p.pod_id AND r.local_id IN ({marks})", part)
        found.update((row["local_id"], row["resource_id"]) for row in rows)
    return found


def drop(db: Database, resource_id: str, pod_id: str | None = None) -> None:
    """Forget a replica, or all replicas of a resource."""
    with db.write() as c:
        c.execute("DELETE FROM replicas WHERE resource_id = ? AND (? IS NULL OR pod_id = ?)",
                  (resource_id, pod_id, pod_id))


def forget_unmade(db: Database, project_id: str) -> bool:
    """Subnets and ports whose request has died: what it made of them their network's shadow tells, by its marks.

    Returns:
        Whether there are others, whose request may still be at it.
    """
    unmade = "FROM replicas WHERE project_id = ? AND kind IN ('subnets', 'ports') AND local_id IS NULL"
    if not db.row(f"SELECT 1 {unmade}", (project_id,)):
        return False
    with db.write() as c:
        c.execute(f"DELETE {unmade} AND claim_until < ?", (project_id, now()))
    return bool(db.row(f"SELECT 1 {unmade}", (project_id,)))


def forget(db: Database, row: dict) -> bool:
    """What the row speaks of is gone. Whether it was still the same row."""
    with db.write() as c:
        return bool(c.execute("DELETE FROM replicas WHERE resource_id = ? AND pod_id = ? AND local_id = ?",
                              (row["resource_id"], row["pod_id"], row["local_id"])).rowcount)


def in_pod(db: Database, pod_id: str, kinds: tuple[str, ...], projects: Iterable[str] | None = None) -> list[dict]:
    """The rows of a pod's finished replicas of some kinds; of some projects, or (None) of all."""
    marks = ", ".join("?" * len(kinds))
    rows = db.rows(f"SELECT * FROM replicas WHERE pod_id = ? AND kind IN ({marks}) "  # noqa: S608 - marks only
                   "AND local_id IS NOT NULL ORDER BY kind, resource_id", [pod_id, *kinds])
    wanted = None if projects is None else set(projects)
    return [row for row in rows if wanted is None or row["project_id"] in wanted]


def being_made(db: Database, pod_id: str, kind: str, resource_ids: list[str]) -> dict[str, str]:
    """{home id: project} of those replicas that are being made in a pod, or taken away there."""
    found = {}
    for start in range(0, len(resource_ids), CHUNK):
        part = resource_ids[start:start + CHUNK]
        marks = ", ".join("?" * len(part))
        rows = db.rows("SELECT resource_id, project_id FROM replicas WHERE pod_id = ? AND kind = ? "  # noqa: S608
                       f"AND local_id IS NULL AND resource_id IN ({marks})", (pod_id, kind, *part))
        found.update((row["resource_id"], row["project_id"]) for row in rows)
    return found


def resources(db: Database, kind: str) -> list[dict]:
    """resource_id and project_id of all that has replicas of one kind."""
    return db.rows("SELECT DISTINCT resource_id, project_id FROM replicas WHERE kind = ? ORDER BY resource_id", (kind,))


def of_resource(db: Database, resource_id: str) -> dict[str, str]:
    """{pod id: local id} of a resource's finished replicas."""
    rows = db.rows("SELECT pod_id, local_id FROM replicas WHERE resource_id = ? AND local_id IS NOT NULL",
                   (resource_id,))
    return {row["pod_id"]: row["local_id"] for row in rows}


def in_one_pod(db: Database, resource_id: str, pod_id: str) -> dict | None:
    """The row of a resource's finished replica in a pod; None while there is none."""
    return db.row("SELECT * FROM replicas WHERE resource_id = ? AND pod_id = ? AND local_id IS NOT NULL",
                  (resource_id, pod_id))


def unfinished(db: Database, resource_id: str) -> set[str]:
    """Ids of the pods where a replica of a resource is being made, or was being made when its request died."""
    return {row["pod_id"] for row in
            db.rows("SELECT pod_id FROM replicas WHERE resource_id = ? AND local_id IS NULL", (resource_id,))}


def of_resources(db: Database, resource_ids: list[str]) -> dict[str, dict[str, str]]:
    """{pod id: {local id: home id}} of many resources' finished replicas."""
    found: dict[str, dict[str, str]] = {}
    for part in parts(resource_ids, CHUNK):
        marks = ", ".join("?" * len(part))
        for row in db.rows(f"SELECT pod_id, local_id, resource_id FROM replicas "  # noqa: S608 - marks only
                           f"WHERE resource_id IN ({marks}) AND local_id IS NOT NULL", part):
            found.setdefault(row["pod_id"], {})[row["local_id"]] = row["resource_id"]
    return found


def of_project(db: Database, project_id: str, pod_id: str, kind: str) -> list[str]:
    """Home ids of a project's replicas of one kind in a pod."""
    rows = db.rows("SELECT resource_id FROM replicas WHERE project_id = ? AND pod_id = ? AND kind = ? "
                   "AND local_id IS NOT NULL", (project_id, pod_id, kind))
    return [row["resource_id"] for row in rows]


def any_of(db: Database, project_id: str, kind: str) -> bool:
    """Whether a project has a replica of one kind anywhere."""
    return bool(db.kept("SELECT 1 FROM replicas WHERE project_id = ? AND kind = ? LIMIT 1", (project_id, kind)))


def of_projects(db: Database, projects: set[str], kind: str, most: int) -> dict[str, dict[str, str]]:
    """{pod id: {local id: home id}} of some projects' finished replicas of one kind, the newest `most`."""
    rows, named = [], sorted(projects)
    for start in range(0, len(named), CHUNK):
        part = named[start:start + CHUNK]
        marks = ", ".join("?" * len(part))
        rows += db.rows(f"SELECT pod_id, local_id, resource_id, created_at FROM replicas "  # noqa: S608 - marks only
                        f"WHERE project_id IN ({marks}) AND kind = ? AND local_id IS NOT NULL "
                        "ORDER BY created_at DESC LIMIT ?", (*part, kind, most))
    found: dict[str, dict[str, str]] = {}
    for row in sorted(rows, key=lambda row: -row["created_at"])[:most]:
        found.setdefault(row["pod_id"], {})[row["local_id"]] = row["resource_id"]
    return found


def lent(db: Database, project_id: str, pod_id: str, kind: str) -> int:
    """How many of a project's things of one kind are in a pod only as replicas. What has moved there is its own."""
    return db.row("SELECT COUNT(*) AS number FROM replicas r LEFT JOIN routings h ON h.resource_id = r.resource_id "
                  "WHERE r.project_id = ? AND r.pod_id = ? AND r.kind = ? AND r.local_id IS NOT NULL "
                  "AND (h.pod_id IS NULL OR h.pod_id <> r.pod_id)", (project_id, pod_id, kind))["number"]


def both(db: Database, pod_id: str, ids: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """(`to_local`, `to_home`) in one question: every request asks it."""
    local, home, asked = {}, {}, set(ids)
    for part in parts(ids, CHUNK):
        marks = ", ".join("?" * len(part))
        # Not OR: SQLite would go through all replicas of the pod.
        half = "SELECT resource_id, local_id FROM replicas WHERE pod_id = ? AND local_id IS NOT NULL AND "
        rows = db.kept(f"{half} resource_id IN ({marks}) UNION ALL {half} local_id IN ({marks})",
                       (pod_id, *part, pod_id, *part))
        local.update((row["resource_id"], row["local_id"]) for row in rows if row["resource_id"] in asked)
        home.update((row["local_id"], row["resource_id"]) for row in rows if row["local_id"] in asked)
    return local, home


def to_local(db: Database, pod_id: str, ids: list[str]) -> dict[str, str]:
    """{home id: local id} for those of `ids` that have a replica in the pod."""
    return _mapping(db, "resource_id", "local_id", pod_id, ids)


def to_home(db: Database, pod_id: str, ids: list[str]) -> dict[str, str]:
    """{local id: home id} for those of `ids` that are replicas in the pod."""
    return _mapping(db, "local_id", "resource_id", pod_id, ids)


def strangers(db: Database, pod_id: str, home_ids: list[str]) -> set[str]:
    """Those of `home_ids`, all mapped in a pod, whose home is another pod: what has moved here is at home."""
    homes = routings.homes(db, home_ids) if home_ids else {}
    return {each for each in home_ids if each not in homes or homes[each]["pod_id"] != pod_id}


def _mapping(db: Database, key: str, value: str, pod_id: str, ids: list[str]) -> dict[str, str]:
    found = {}
    for part in parts(ids, CHUNK):
        marks = ", ".join("?" * len(part))
        rows = db.kept(f"SELECT {key} AS k, {value} AS v FROM replicas "  # noqa: S608 - column names are constants
                       f"WHERE pod_id = ? AND local_id IS NOT NULL AND {key} IN ({marks})", (pod_id, *part))
        found.update((row["k"], row["v"]) for row in rows)
    return found
