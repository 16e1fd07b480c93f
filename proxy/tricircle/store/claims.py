"""What requests in flight take of a project's quota, and what pods said last about its use.

A claim is taken before the pod is asked to make something, and ends when the pod has answered: from then on the pod
counts it. It stays for a while as an ended one, since a question about usage that was on its way at that moment may
have missed it. A claim whose process was killed runs out. A power cut ends all requests, so claims need not outlive it.
"""
from collections.abc import Callable

from tricircle.store.db import Database, new_id, now

KEPT_SECONDS = 120.0   # longer than any question about usage takes
Key = tuple[str, str]   # (service, quota name)
UNKNOWN = ""   # the name in a claim on a service of which nobody has looked how much it takes


def of_project(db: Database, project_id: str) -> list[dict]:
    """Rows of a project: claim_id, pod_id, service, name, amount, ended_at (None: in flight)."""
    return db.rows("SELECT claim_id, pod_id, service, name, amount, ended_at FROM quota_claims "
                   "WHERE project_id = ? AND (ended_at IS NOT NULL OR until > ?)", (project_id, now()))


def take(db: Database, project_id: str, pod_id: str, seconds: float,
         decide: Callable[[list[dict]], dict[Key, int | None] | None]) -> str | None:
    """Decide and take in one transaction: of fifty who race for the last one, one gets it.

    Args:
        project_id: whose quota.
        pod_id: which pod will be asked.
        seconds: after which a claim that has not ended belongs to nobody any more.
        decide: gives {(service, name): amount} for the rows of `of_project`, or None to take nothing. It may read the
            store, and nothing else.

    Returns:
        Id of the claim; None when nothing was taken.
    """
    with db.write(durable=False) as c:
        c.execute("DELETE FROM quota_claims WHERE (ended_at IS NULL AND until < ?) OR ended_at < ?",
                  (now(), now() - KEPT_SECONDS))
        amounts = decide(of_project(db, project_id))
        if amounts is None:
            return None
        claim_id = new_id()
        c.executemany("INSERT INTO quota_claims VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                      [(claim_id, project_id, pod_id, service, name, amount, now() + seconds)
                       for (service, name), amount in amounts.items()])
    return claim_id


def end(db: Database, claim_id: str) -> None:
    """The pod has made it, or may have: it counts it by now, and so does our note of what it uses."""
    with db.write(durable=False) as c:
        c.execute("UPDATE quota_claims SET ended_at = ? WHERE claim_id = ?", (now(), claim_id))
        for row in c.execute("SELECT * FROM quota_claims WHERE claim_id = ? AND amount IS NOT NULL",
                             (claim_id,)).fetchall():
            c.execute("UPDATE quota_usage SET used = used + ? WHERE project_id = ? AND pod_id = ? AND service = ? "
                      "AND name = ?", (row["amount"], row["project_id"], row["pod_id"], row["service"], row["name"]))


def release(db: Database, claim_id: str) -> None:
    """Nothing was made."""
    with db.write(durable=False) as c:
        c.execute("DELETE FROM quota_claims WHERE claim_id = ?", (claim_id,))


def note_usage(db: Database, project_id: str, pod_id: str, used: dict[Key, int]) -> None:
    """Remember what a pod says that a project uses, for the time when it cannot be asked."""
    known = usage(db, project_id, pod_id)
    changed = {key: number for key, number in used.items() if known.get(key) != number}
    if changed:
        with db.write(durable=False) as c:
            c.executemany("INSERT INTO quota_usage VALUES (?, ?, ?, ?, ?) "
                          "ON CONFLICT (project_id, pod_id, service, name) DO UPDATE SET used = excluded.used",
                          [(project_id, pod_id, *key, number) for key, number in changed.items()])


def usage(db: Database, project_id: str, pod_id: str) -> dict[Key, int]:
    """What a pod said last."""
    rows = db.rows("SELECT service, name, used FROM quota_usage WHERE project_id = ? AND pod_id = ?",
                   (project_id, pod_id))
    return {(row["service"], row["name"]): row["used"] for row in rows}
