"""Who moves a network to another pod: one request at a time."""
from collections.abc import Iterable

from tricircle.store import routings
from tricircle.store.db import Database, new_id, now


def claim(db: Database, network_id: str, seconds: float) -> str | None:
    """Ask for the right to move a network.

    Args:
        db: as everywhere.
        network_id: home id.
        seconds: how long the claim is good for; then another request may have it.

    Returns:
        What `release` wants; None while another request moves the network.
    """
    if is_claimed(db, network_id):
        return None   # without a write, since whoever waits asks often
    fence = new_id()
    with db.write() as c:
        taken = c.execute("INSERT INTO moves VALUES (?, ?, ?) ON CONFLICT (network_id) DO UPDATE "
                          "SET fence = excluded.fence, until = excluded.until WHERE until < ?",
                          (network_id, fence, now() + seconds, now())).rowcount
    return fence if taken else None


def renew(db: Database, network_id: str, fence: str, seconds: float) -> bool:
    """Hold a claim for longer; whether it was still held."""
    with db.write() as c:
        return bool(c.execute("UPDATE moves SET until = ? WHERE network_id = ? AND fence = ? AND until >= ?",
                              (now() + seconds, network_id, fence, now())).rowcount)


def release(db: Database, network_id: str, fence: str) -> None:
    """End a claim."""
    with db.write() as c:
        c.execute("DELETE FROM moves WHERE network_id = ? AND fence = ?", (network_id, fence))


def is_claimed(db: Database, network_id: str) -> bool:
    """Return whether a request moves the network now."""
    return bool(db.row("SELECT 1 FROM moves WHERE network_id = ? AND until >= ?", (network_id, now())))


def arrive(db: Database, network_id: str, subnets: Iterable[str], project_id: str, left: str, pod_id: str) -> None:
    """Write down that a network and its subnets live in another pod from now on, and nothing of them where they were.

    The pod calls them otherwise and would not know their ids, so the rows wait for the disk.

    Args:
        db: as everywhere.
        network_id, subnets: home ids.
        project_id: owner.
        left: id of the pod that they have left.
        pod_id: id of the pod where they are.
    """
    found = [routings.Found(network_id, "networks", project_id),
             *(routings.Found(each, "subnets", project_id, network_id) for each in subnets)]
    with db.write() as c:
        routings.put(c, found, pod_id, routings.OVER)
        c.executemany("DELETE FROM replicas WHERE resource_id = ? AND pod_id = ?",
                      [(each.resource_id, left) for each in found])
