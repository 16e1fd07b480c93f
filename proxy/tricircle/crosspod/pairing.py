"""A thing and its replica, as their pods show them to Tricircle's own account.

Whatever is carried from one to the other goes through here: both are of one project, or nothing is read from the one
and written into the other.
"""
import logging
from dataclasses import dataclass
from typing import Any

from tricircle import marks
from tricircle.store import Database, replicas
from tricircle.upstream.client import Upstream
from tricircle.upstream.neutron import one

LOG = logging.getLogger(__name__)
# {collection: key of a member}
MEMBERS = {"security-groups": "security_group", "qos/policies": "policy", "subnetpools": "subnetpool",
           "address-scopes": "address_scope", "networks": "network", "subnets": "subnet", "ports": "port",
           "routers": "router"}


@dataclass(frozen=True)
class Pair:
    """What stands on both sides.

    Args:
        row: of the replica, as the store has it.
        home, pod: rows of both pods.
        original, replica: as Neutron shows them; None for what is gone.
    """

    row: dict[str, Any]
    home: dict[str, Any]
    pod: dict[str, Any]
    original: dict[str, Any] | None
    replica: dict[str, Any] | None

    @property
    def is_sound(self) -> bool:
        """Whether both are there and of one project."""
        return bool(self.original and self.replica) and marks.owner(self.original) == marks.owner(self.replica)

    @property
    def is_stale(self) -> bool:
        """Whether the row names something that is gone, or another project's."""
        return bool(self.original) and not self.is_sound

    @property
    def kind(self) -> str:
        """The collection of both."""
        return self.row["kind"]

    @property
    def local_id(self) -> str:
        """The replica's id in its pod."""
        return self.row["local_id"]


def read(db: Database, upstream: Upstream, resource_id: str, home: dict, pod: dict) -> Pair | None:
    """Both sides of a replica; None where the store knows of none. Raises PodUnreachable.

    Args:
        resource_id: home id.
        home, pod: rows of the home and of the replica's pod.
    """
    row = replicas.in_one_pod(db, resource_id, pod["pod_id"])
    if not row:
        return None
    at_home = replicas.to_local(db, home["pod_id"], [resource_id]).get(resource_id, resource_id)
    return Pair(row, home, pod, _shown(upstream, home, row["kind"], at_home),
                _shown(upstream, pod, row["kind"], row["local_id"]))


def forget(db: Database, pair: Pair) -> None:
    """Drop the row of a stale pair: the next request that needs a replica makes one."""
    what = "another project's" if pair.replica else "gone"
    LOG.warning("%s %s has no replica %s in pod %s: that is %s", pair.kind, pair.row["resource_id"], pair.local_id,
                pair.pod["pod_name"], what)
    replicas.forget(db, pair.row)


def forget_gone(db: Database, upstream: Upstream, pod: dict, resource_ids: list[str]) -> bool:
    """Drop the rows of replicas that a pod does not have any more.

    Args:
        pod: row of the pod.
        resource_ids: home ids of Neutron's things.

    Returns:
        Whether there were any.

    Raises:
        PodUnreachable: the pod does not answer.
    """
    rows = [row for each in resource_ids if (row := replicas.in_one_pod(db, each, pod["pod_id"]))]
    gone = [row for row in rows if row["kind"] in MEMBERS and not _shown(upstream, pod, row["kind"], row["local_id"])]
    for row in gone:
        LOG.warning("%s %s has no replica %s in pod %s any more", row["kind"], row["resource_id"], row["local_id"],
                    pod["pod_name"])
        replicas.forget(db, row)
    return bool(gone)


def _shown(upstream: Upstream, pod: dict, kind: str, local_id: str) -> dict | None:
    return one(upstream, pod["pod_name"], f"/v2.0/{kind}/{local_id}", MEMBERS[kind])
