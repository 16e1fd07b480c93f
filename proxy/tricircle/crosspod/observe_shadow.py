"""Read what the pods have of a network's shadows, and what the network itself has at home."""
from tricircle import marks
from tricircle.crosspod.observe import INTERFACES, SECONDS, Pods
from tricircle.crosspod.shadow import LEADING, Home, Interface, Port, Shadow, is_interface, targets
from tricircle.parts import parts
from tricircle.store import Database, replicas
from tricircle.upstream import ownership
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import question

PORT_FIELDS = ("id", "device_id", "device_owner", "description", "project_id")


class ShadowPods(Pods):
    """Questions to the pods' Neutron about shadows; all of them raise PodUnreachable."""

    def home(self, db: Database, network_id: str, pod: dict) -> Home:
        """The network in its home pod; it has nothing when it is gone."""
        local = replicas.to_local(db, pod["pod_id"], [network_id]).get(network_id, network_id)
        ports = self._ports(pod["pod_name"], local)
        routers = [port["device_id"] for port in ports if port["device_owner"] in INTERFACES]
        there = replicas.to_home(db, pod["pod_id"], routers)
        return Home({port["id"]: port["device_id"] for port in ports},
                    frozenset(there.get(each, each) for each in routers),
                    {port["id"]: marks.owner(port) for port in ports}, True)

    def shadow(self, db: Database, network_id: str, project_id: str, pod: dict, home: Home) -> Shadow | None:
        """A network's shadow in a pod.

        Args:
            network_id: home id.
            project_id: the network's.
            pod: row.
            home: the network itself.
        """
        name, deadline = pod["pod_name"], Deadline(SECONDS)
        local = self._network(db, network_id, project_id, pod, home, deadline)
        if not local:
            return None
        ports, own = self._ports(name, local), self.upstream.account.project_id()
        known = replicas.to_home(db, pod["pod_id"], [port["id"] for port in ports])
        loose = [port for port in ports if port["id"] not in known and not port["device_owner"]]
        shadows = known | self._half_made(db, pod, loose, home, project_id)
        interfaces = [port for port in ports if is_interface(port, own)]
        through = self._routers(db, pod, list(shadows), sorted({port["device_id"] for port in interfaces} - {""}))
        subnets = [each["id"] for each in self._list(name, "subnets", question({"network_id": local}, ("id",)),
                                                     deadline)]
        return Shadow(
            local, tuple(Port(each, home_id, frozenset(through[each])) for each, home_id in shadows.items()),
            tuple(Interface(port["id"], port["description"].removeprefix(marks.SHADOW), port["device_id"])
                  for port in interfaces),
            replicas.to_home(db, pod["pod_id"], subnets))

    def _network(self, db: Database, network_id: str, project_id: str, pod: dict, home: Home,
                 deadline: Deadline) -> str | None:
        """Its local id: the one that the store knows, or one that a request has left which has died."""
        known = replicas.to_local(db, pod["pod_id"], [network_id]).get(network_id)
        which = {"id": known, **({} if home.is_known else {"description": marks.replica(network_id)})}
        if known and self._list(pod["pod_name"], "networks", question(which, ["id"]), deadline):
            return known
        return ownership.search(db, self.upstream, pod, "networks", network_id, project_id, deadline)

    @staticmethod
    def _half_made(db: Database, pod: dict, ports: list[dict], home: Home, project_id: str) -> dict[str, str]:
        """{id: home id} of shadows that no row knows: their port is at home, or has gone and was the network's owner's.

        They block the network until they are gone, and belong to whoever wrote the mark if it was not Tricircle.
        """
        named = [each for each in map(marks.original, ports) if each]
        taken = replicas.to_local(db, pod["pod_id"], named)
        owners = {each: home.owners.get(each, project_id) for each in named if each not in taken}
        return ownership.proven("ports", ports, owners)

    def _ports(self, pod: str, network_id: str) -> list[dict]:
        return self._list(pod, "ports", question({"network_id": network_id}, PORT_FIELDS), Deadline(SECONDS))

    def _routers(self, db: Database, pod: dict, port_ids: list[str], devices: list[str]) -> dict[str, set[str]]:
        """{port: home ids of the routers through which floating IPs reach it}; `devices` have interfaces on the shadow.

        Port forwardings are shown with their floating IP only, which knows its router, and no port.
        """
        listed = [each for name, ids in (("port_id", port_ids), ("router_id", devices)) for part in parts(ids)
                  for each in self._list(pod["pod_name"], "floatingips", question({name: part}, (
                      "router_id", *LEADING)), Deadline(SECONDS))]
        homes = replicas.to_home(db, pod["pod_id"], [each["router_id"] for each in listed])
        found: dict[str, set[str]] = {port_id: set() for port_id in port_ids}
        for each in listed:
            for port_id, _ in targets(each):
                for reached in [port_id] if port_id else port_ids:   # it may be any of them
                    found.setdefault(reached, set()).add(homes.get(each["router_id"], each["router_id"]))
        return found
