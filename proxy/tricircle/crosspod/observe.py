"""Read what the pods have of a router. Tricircle's own account asks: plumbing is not the user's."""
from oslo_config import cfg

from tricircle import marks
from tricircle.crosspod.model import Bridge, BridgePort, Interface, Lost, Observed, Pod, Router
from tricircle.parts import parts
from tricircle.upstream.client import Upstream
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import listed, one, question
from tricircle.upstream.scatter import scatter

INTERFACES = ("network:router_interface", "network:router_interface_distributed",
              "network:ha_router_replicated_interface")
SECONDS = 30.0   # for all the questions to one pod
ROUTER_FIELDS = ("id", "name", "admin_state_up", "routes", "project_id", "external_gateway_info")
PORT_FIELDS = ("id", "network_id", "device_id", "device_owner", "fixed_ips", "description", "project_id")
SEGMENT_FIELDS = ("description", "project_id", "provider:segmentation_id", "segments")


class Pods:
    """Questions to the pods' Neutron.

    A mark alone proves nothing, since anybody may describe his own network as he likes in a pod's own API: plumbing
    also belongs to Tricircle's project, a replica to its router's.

    Args:
        upstream: calls.
    """

    def __init__(self, upstream: Upstream):
        self.upstream = upstream

    def _owned(self, mark: str) -> dict[str, str]:
        return {"description": mark, "project_id": self.upstream.account.project_id()}

    def home_of(self, resource_id: str, names: list[str], collection: str = "routers") -> str | None:
        """Which pod has something under its own id.

        Args:
            resource_id: home id.
            names: pods to ask.
            collection: what it is.

        Returns:
            The pod's name; None when none of them has it.

        Raises:
            PodUnreachable: it was not found, and a pod that could have it did not answer.
        """
        found, failed = scatter(names, lambda pod: one(
            self.upstream, pod, f"/v2.0/{collection}/{resource_id}", collection[:-1], Deadline(SECONDS)))
        for pod, record in found.items():
            if record:
                return pod
        for error in failed.values():
            raise error
        return None

    def router(self, router_id: str, project_id: str, home: str | None, names: list[str],
               known: dict[str, str]) -> Observed:
        """A router in the pods that it may span.

        Args:
            router_id: home id.
            project_id: its owner.
            home: home pod; None when no pod has the router under its own id.
            names: all the pods to look into, the home among them.
            known: {pod: id of the replica there}, as the store has it.

        Returns:
            What they have; its `home` is None when the router turned out to be gone there. Pods that gave no whole
            answer are named in `unreachable`.
        """
        known = known | ({home: router_id} if home else {})
        pods, failed = scatter(names, lambda pod: self._pod(pod, pod == home, known.get(pod), router_id, project_id))
        gone = home in pods and not pods[home].router
        return Observed(router_id, project_id, None if gone else home, pods,
                        {pod: str(error) for pod, error in failed.items()})

    def lost(self, pod: str, known: dict[str, str]) -> tuple[Lost, ...]:
        """Those of a router's former interfaces, {subnet id: address}, that can be put on it again.

        Neutron attaches a subnet in one call, at the subnet's gateway; one that had another address there is its
        user's business. Raises PodUnreachable.
        """
        query = question({"id": sorted(known)}, ("id", "cidr", "gateway_ip"))
        return tuple(Lost(subnet["id"], subnet["cidr"], subnet["gateway_ip"])
                     for subnet in self._list(pod, "subnets", query, Deadline(SECONDS))
                     if subnet["gateway_ip"] == known[subnet["id"]])

    def vlans(self, conf: cfg.ConfigOpts, project_id: str, names: list[str]) -> tuple[set[int], set[int]]:
        """VLANs of the trunk that the pods use. Pods that do not answer cannot be asked: their own refusal comes later.

        Returns:
            (those of the project's own bridge network, those of anything else).
        """
        query = question({"provider:physical_network": conf.bridge.physical_network, "provider:network_type": "vlan"},
                         SEGMENT_FIELDS)
        found, _ = scatter(names, lambda pod: self._list(pod, "networks", query, Deadline(SECONDS)))
        own_mark = self._owned(marks.bridge(project_id))
        own, others = set(), set()
        for network in (network for rows in found.values() for network in rows):
            mine = own_mark.items() <= network.items()
            for segment in network.get("segments") or [network]:
                (own if mine else others).add(segment.get("provider:segmentation_id"))
        return own - {None}, others - {None}

    def gone(self, pod: str, rows: list[dict]) -> list[dict]:
        """Those rows of `replicas` whose local id their pod does not know (any more). Raises PodUnreachable."""
        gone = []
        for kind in dict.fromkeys(row["kind"] for row in rows):
            mine = [row for row in rows if row["kind"] == kind]
            for part in parts(mine):
                query = question({"id": [row["local_id"] for row in part]}, ["id"])
                there = {each["id"] for each in self._list(pod, kind, query, Deadline(SECONDS))}
                gone += [row for row in part if row["local_id"] not in there]
        return gone

    def _pod(self, pod: str, is_home: bool, known: str | None, router_id: str, project_id: str) -> Pod:
        deadline = Deadline(SECONDS)
        owned = {} if is_home else {"project_id": project_id}
        raw = self._first(pod, {"id": known, **owned}, deadline) if known else None
        if not raw and not is_home:
            raw = self._first(pod, {"description": marks.replica(router_id), **owned}, deadline)
        ports = self._list(pod, "ports", question(self._owned(marks.bridge(router_id)), PORT_FIELDS), deadline)
        attached = self._list(pod, "ports", question({"device_id": raw["id"]}, PORT_FIELDS), deadline) if raw else []
        networks = self._list(pod, "networks", question(self._owned(marks.bridge(project_id))), deadline)
        network = min(networks, key=lambda network: network["id"], default=None)
        bridge_ports = {port["id"]: port for port in ports}
        others = [port for port in attached if port["device_owner"] in INTERFACES and port["id"] not in bridge_ports]
        shadows = [port for port in others if self._owned(marks.shadow(router_id)).items() <= port.items()]
        user_ports = [port for port in others if port not in shadows]
        cidrs = self._cidrs(pod, user_ports, network, deadline)
        return Pod(_router(raw, user_ports, cidrs, bool(shadows)) if raw else None,
                   tuple(_bridge_port(port, raw) for _, port in sorted(bridge_ports.items())),
                   _bridge(network, cidrs) if network else None)

    def _first(self, pod: str, which: dict[str, str], deadline: Deadline) -> dict | None:
        routers = self._list(pod, "routers", question(which, ROUTER_FIELDS), deadline)
        return min(routers, key=lambda router: router["id"], default=None)

    def _cidrs(self, pod: str, ports: list[dict], network: dict | None, deadline: Deadline) -> dict[str, str]:
        """{subnet id: CIDR} of the IPv4 subnets that matter."""
        wanted = {ip["subnet_id"] for port in ports for ip in port["fixed_ips"]}
        wanted |= set(network["subnets"]) if network else set()
        if not wanted:
            return {}
        query = question({"id": sorted(wanted), "ip_version": 4}, ("id", "cidr"))
        return {subnet["id"]: subnet["cidr"] for subnet in self._list(pod, "subnets", query, deadline)}

    def _list(self, pod: str, collection: str, query: str, deadline: Deadline) -> list[dict]:
        return listed(self.upstream, pod, collection, query, deadline)


def _router(raw: dict, ports: list[dict], cidrs: dict[str, str], shadowed: bool) -> Router:
    routes = frozenset((route["destination"], route["nexthop"]) for route in raw.get("routes") or [])
    interfaces = [_interface(port, cidrs) for port in ports]
    return Router(raw["id"], raw["name"], raw["admin_state_up"], raw["project_id"], routes,
                  tuple(sorted(interfaces, key=lambda interface: interface.port_id)),
                  bool((raw.get("external_gateway_info") or {}).get("network_id")), shadowed)


def _interface(port: dict, cidrs: dict[str, str]) -> Interface:
    addresses = sorted((ip["subnet_id"], ip["ip_address"]) for ip in port["fixed_ips"] if ip["subnet_id"] in cidrs)
    return Interface(port["id"], tuple(sorted(cidrs[subnet] for subnet, _ in addresses)), tuple(addresses))


def _bridge_port(port: dict, router: dict | None) -> BridgePort:
    ips = [ip["ip_address"] for ip in port["fixed_ips"]]
    attached = bool(router) and port["device_id"] == router["id"] and port["device_owner"] in INTERFACES
    return BridgePort(port["id"], port["network_id"], ips[0] if ips else "", attached)


def _bridge(network: dict, cidrs: dict[str, str]) -> Bridge:
    subnets = tuple(sorted((cidrs[subnet], subnet) for subnet in network["subnets"] if subnet in cidrs))
    return Bridge(network["id"], network["provider:segmentation_id"], subnets)
