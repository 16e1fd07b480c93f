"""What subnets in all pods have of a subnet pool: prefixes that the gateway has handed out, or has seen.

A prefix is written down before a pod is asked to make its subnet. Until `until` it is in flight: the pod may not show
the subnet yet. From then on the pod's own list says whether it is there, so nobody has to notice how a subnet goes.
What a pod that does not answer had is still known.
"""
from collections.abc import Callable
from dataclasses import dataclass

from tricircle.store.db import Database, now


@dataclass(frozen=True)
class Look:
    """What pods say of a pool.

    Args:
        began: when they were asked.
        lists: {pod id: {CIDR of a subnet of the pool: its project}} of those that answered.
    """

    began: float
    lists: dict[str, dict[str, str]]


def take(db: Database, pool_id: str, pod_id: str, project_id: str, seconds: float, look: Look,
         decide: Callable[[list[dict]], list[str]]) -> list[str]:
    """Decide and take in one transaction: of two who race for a prefix one gets it.

    Args:
        pool_id: home id.
        pod_id: where the subnets will be.
        project_id: whose they will be.
        seconds: by when the pod has answered, or never will.
        look: a fresh one; rows that it refutes go, and what it shows besides comes.
        decide: gives CIDRs for the rows (pod_id, cidr, project_id, until) of all pods, or raises, and then nothing is
            changed. It may read the store, and nothing else.

    Returns:
        What `decide` gave.
    """
    with db.write() as c:
        for pod, shown in look.lists.items():
            rows = c.execute("SELECT cidr FROM pool_prefixes WHERE pool_id = ? AND pod_id = ? AND until <= ?",
                             (pool_id, pod, look.began)).fetchall()
            c.executemany("DELETE FROM pool_prefixes WHERE pool_id = ? AND pod_id = ? AND cidr = ?",
                          [(pool_id, pod, row["cidr"]) for row in rows if row["cidr"] not in shown])
            c.executemany("INSERT INTO pool_prefixes VALUES (?, ?, ?, ?, 0) ON CONFLICT (pool_id, pod_id, cidr) "
                          "DO UPDATE SET project_id = excluded.project_id",
                          [(pool_id, pod, cidr, project) for cidr, project in shown.items()])
        found = c.execute("SELECT pod_id, cidr, project_id, until FROM pool_prefixes WHERE pool_id = ?",
                          (pool_id,)).fetchall()
        cidrs = decide([dict(row) for row in found])
        c.executemany("INSERT INTO pool_prefixes VALUES (?, ?, ?, ?, ?) ON CONFLICT (pool_id, pod_id, cidr) "
                      "DO UPDATE SET until = excluded.until",
                      [(pool_id, pod_id, cidr, project_id, now() + seconds) for cidr in cidrs])
    return cidrs


def settle(db: Database, pool_id: str, pod_id: str, cidrs: list[str]) -> None:
    """The pod has answered: it shows from now on what is there."""
    with db.write() as c:
        c.executemany("UPDATE pool_prefixes SET until = ? WHERE pool_id = ? AND pod_id = ? AND cidr = ?",
                      [(now(), pool_id, pod_id, cidr) for cidr in cidrs])


def release(db: Database, pool_id: str, pod_id: str, cidrs: list[str]) -> None:
    """Nothing was made."""
    with db.write() as c:
        c.executemany("DELETE FROM pool_prefixes WHERE pool_id = ? AND pod_id = ? AND cidr = ?",
                      [(pool_id, pod_id, cidr) for cidr in cidrs])


def forget(db: Database, pool_id: str) -> None:
    """The pool is gone."""
    with db.write() as c:
        c.execute("DELETE FROM pool_prefixes WHERE pool_id = ?", (pool_id,))
