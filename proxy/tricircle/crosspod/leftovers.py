"""What a pod has with Tricircle's marks and nobody knows of, and what the store takes for a replica and is gone.

A row of the store is written before its thing is made, and goes after it: whoever looks into the pod first and at the
rows then sees an orphan only where there is one. A replica's id comes into the store after the replica, the other way.
"""
from collections.abc import Iterable
from dataclasses import dataclass, field

from tricircle import marks
from tricircle.crosspod.observe import SECONDS, Pods
from tricircle.store import Database, bridges, jobs, replicas, routings, spans
from tricircle.upstream import ownership
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import question

# Routers have a job that looks after the rows, too.
KINDS = ("networks", "subnets", "ports", "security-groups", "qos/policies", "subnetpools", "address-scopes")


@dataclass(frozen=True)
class Leftovers:
    """What is left in a pod.

    Args:
        networks: {id: project} of bridge networks that no router uses.
        routers: {home id: its project} of routers with a replica or a bridge port there that the store has forgotten.
        rows: of replicas that are gone, as `replicas` has them.
    """

    networks: dict[str, str] = field(default_factory=dict)
    routers: dict[str, str] = field(default_factory=dict)
    rows: list[dict] = field(default_factory=list)

    def words(self) -> list[str]:
        """For a report."""
        return [*(f"no router uses the bridge network {each} of project {project}"
                  for each, project in self.networks.items()),
                *(f"the store knows nothing of what is there of router {each}" for each in self.routers),
                *(f"the store has {row['resource_id']} of {row['kind']} as {row['local_id']}, which is gone"
                  for row in self.rows)]


def orphans(networks: list[dict], ports: list[dict], routers: list[dict], known: set[str],
            bridged: set[str], owners: dict[str, str]) -> Leftovers:
    """What has a mark and belongs to nothing. Pure.

    Args:
        networks, ports: of Tricircle's own project, as Neutron shows them.
        routers: of everybody. Anybody may write a mark on his own: it counts if the marked router's owner has it.
        known: home ids of the routers that the store has in the pod.
        bridged: projects whose bridge it has there.
        owners: {home id: project} of the routers that are marked, as their pods say; of those that are gone, as the
            store remembers.
    """
    bridge = {each["id"]: each["description"].removeprefix(marks.BRIDGE) for each in networks
              if each["description"].startswith(marks.BRIDGE)}
    lost = {marks.original(each): each["project_id"] for each in routers
            if owners.get(marks.original(each)) == each["project_id"]}
    lost |= {each["description"].removeprefix(marks.BRIDGE): bridge[each["network_id"]] for each in ports
             if each["description"].startswith(marks.BRIDGE) and each["network_id"] in bridge}
    used = {each["network_id"] for each in ports}
    return Leftovers({each: project for each, project in sorted(bridge.items())
                      if project not in bridged and each not in used},
                     {each: project for each, project in sorted(lost.items()) if each not in known})


class LeftPods(Pods):
    """Questions to the pods' Neutron about leftovers; all of them raise PodUnreachable."""

    def look(self, db: Database, pod: dict) -> Leftovers:
        """All that is left in a pod."""
        name, own = pod["pod_name"], {"project_id": self.upstream.account.project_id()}
        rows = self.gone(name, replicas.in_pod(db, pod["pod_id"], KINDS))
        networks = self._all(name, "networks", own, ("id", "description"))
        ports = self._all(name, "ports", own, ("id", "description", "network_id"))
        routers = self._all(name, "routers", {}, ("id", "description", "project_id"))
        known = spans.routers_in(db, pod["pod_id"])
        marked = sorted({marks.original(each) for each in routers} - known - {""})
        owners = _owners(db, marked) | ownership.owners(db, self.upstream, pod, "routers", marked, Deadline(SECONDS))
        found = orphans(networks, ports, routers, known, bridges.projects_in(db, pod["pod_id"]), owners)
        return Leftovers(found.networks, found.routers, rows)

    def _all(self, pod: str, collection: str, which: dict, fields: Iterable[str]) -> list[dict]:
        return self._list(pod, collection, question(which, fields), Deadline(SECONDS))


def _owners(db: Database, router_ids: list[str]) -> dict[str, str]:
    """{router: project} of those that were ever heard of."""
    found = {router_id: routings.home(db, router_id) or jobs.latest(db, "router", router_id)
             for router_id in router_ids}
    return {router_id: row["project_id"] for router_id, row in found.items() if row}
