"""Read what the pods have of a network's shadows, and what the network itself has at home."""
from tricircle import marks
from tricircle.crosspod.neutron import question
from tricircle.crosspod.observe import INTERFACES, SECONDS, Pods
from tricircle.crosspod.shadow import Home, Interface, Port, Shadow
from tricircle.store import Database, replicas
from tricircle.upstream.deadline import Deadline

PORT_FIELDS = ("id", "device_id", "device_owner", "description", "project_id")
CHUNK = 100   # ids in one question: its URL must stay short


class ShadowPods(Pods):
    """Questions to the pods' Neutron about shadows; all of them raise PodUnreachable."""

    def home(self, db: Database, network_id: str, pod: dict) -> Home:
        """The network in its home pod; it has nothing when it is gone."""
        local = replicas.to_local(db, pod["pod_id"], [network_id]).get(network_id, network_id)
        ports = self._ports(pod["pod_name"], local)
        routers = [port["device_id"] for port in ports if port["device_owner"] in INTERFACES]
        there = replicas.to_home(db, pod["pod_id"], routers)
        return Home({port["id"]: port["device_id"] for port in ports},
                    frozenset(there.get(each, each) for each in routers))

    def shadow(self, db: Database, network_id: str, project_id: str, pod: dict) -> Shadow | None:
        """A network's shadow in a pod.

        Args:
            project_id: the network's; a stranger could write the mark on a network of his own.
        """
        name, deadline = pod["pod_name"], Deadline(SECONDS)
        known = replicas.to_local(db, pod["pod_id"], [network_id]).get(network_id)
        listed = self._list(name, "networks", question({"description": marks.replica(network_id)},
                                                     ("id", "project_id")), deadline)
        found = [each["id"] for each in listed if each["id"] == known or each["project_id"] == project_id]
        if not found:
            return None
        local = min(found)
        ports = self._ports(name, local)
        shadows = [port for port in ports if marks.is_marked(port) and not port["device_owner"]
                   and not port["description"].startswith(marks.SHADOW)]
        through = self._routers(db, pod, [port["id"] for port in shadows])
        own = self.upstream.account.project_id()
        subnets = self._list(name, "subnets", question({"network_id": local}, ("id", "description")), deadline)
        return Shadow(
            local,
            tuple(Port(port["id"], marks.home_id(port), frozenset(through[port["id"]])) for port in shadows),
            tuple(Interface(port["id"], port["description"].removeprefix(marks.SHADOW), port["device_id"])
                  for port in ports if port["description"].startswith(marks.SHADOW) and port["project_id"] == own),
            tuple(marks.home_id(subnet) for subnet in subnets if marks.is_marked(subnet)))

    def _ports(self, pod: str, network_id: str) -> list[dict]:
        return self._list(pod, "ports", question({"network_id": network_id}, PORT_FIELDS), Deadline(SECONDS))

    def _routers(self, db: Database, pod: dict, port_ids: list[str]) -> dict[str, set[str]]:
        """{port: home ids of the routers through which floating IPs reach it}."""
        listed: list[dict] = []
        for start in range(0, len(port_ids), CHUNK):
            query = question({"port_id": port_ids[start:start + CHUNK]}, ("port_id", "router_id"))
            listed += self._list(pod["pod_name"], "floatingips", query, Deadline(SECONDS))
        homes = replicas.to_home(db, pod["pod_id"], [each["router_id"] for each in listed])
        return {port_id: {homes.get(each["router_id"], each["router_id"]) for each in listed
                          if each["port_id"] == port_id} for port_id in port_ids}
