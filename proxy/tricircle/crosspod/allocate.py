"""Hand out VLAN, subnet and addresses for the members of a bridge; give back what is no longer needed."""
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network

from oslo_config import cfg

from tricircle.crosspod.model import Allocation, Observed, Segment
from tricircle.crosspod.observe import Pods
from tricircle.store import Database, bridges


class Allocator:
    """The store's side of one router.

    Args:
        conf: group `bridge` is read.
        db: the store.
        pods: for looking which VLANs are in use.
        ids: {pod name: pod id} of the bottom pods.
    """

    def __init__(self, conf: cfg.ConfigOpts, db: Database, pods: Pods, ids: dict[str, str]):
        self.conf, self.db, self.pods, self.ids = conf, db, pods, ids
        self.names = {pod_id: name for name, pod_id in ids.items()}

    def known(self, router_id: str) -> dict[str, str]:
        """{pod name: bridge address} of a router so far."""
        return {self.names[pod_id]: ip for pod_id, ip in bridges.addresses(self.db, router_id).items()}

    def provide(self, observed: Observed, members: list[str]) -> Allocation:
        """What the plan needs: made for the members where it is missing, merely read where there are none.

        Raises:
            store.bridges.Exhausted: nothing is left to hand out.
        """
        while members:
            segment = self._segment(observed)
            hosts = [str(ip) for ip in ip_network(segment.cidr).hosts()]
            try:
                for pod in members:
                    bridges.allocate_ip(self.db, observed.project_id, observed.router_id, self.ids[pod],
                                        _addresses(observed, pod, hosts))
                return self._allocation(observed, segment)
            except bridges.NoBridge:
                continue   # another router's job has just given the bridge back
        row = bridges.of_project(self.db, observed.project_id)
        return self._allocation(observed, self._as_segment(row) if row else None)

    def leave_vlan(self, observed: Observed, refused: int) -> None:
        """Choose another VLAN when a pod has refused the present one and it is not because of our own network."""
        own, others = self.pods.vlans(self.conf, observed.project_id, list(self.ids))
        if refused in others or refused not in own:
            free = [vlan for vlan in vlan_range(self.conf.bridge.vlan_ranges) if vlan not in others | {refused}]
            bridges.move_vlan(self.db, observed.project_id, refused, free)

    def give_back(self, observed: Observed, members: list[str]) -> None:
        """Release addresses whose port is gone from a pod that has no business on the bridge.

        Whoever is the last one there keeps his until the bridge network is gone, too.
        """
        for pod, seen in observed.pods.items():
            if pod not in members and not seen.ports:
                bridges.release_ip(self.db, observed.router_id, self.ids[pod], keep_last=seen.bridge is not None)

    def give_back_bridge(self, observed: Observed) -> None:
        """Release VLAN and subnet if no router has an address any more."""
        if not observed.unreachable and not any(seen.bridge for seen in observed.pods.values()):
            bridges.release_bridge(self.db, observed.project_id)

    def _allocation(self, observed: Observed, segment: Segment | None) -> Allocation:
        shared = bridges.shared_pods(self.db, observed.project_id, observed.router_id)
        return Allocation(segment, self.known(observed.router_id),
                          frozenset(self.names[pod_id] for pod_id in shared if pod_id in self.names))

    def _segment(self, observed: Observed) -> Segment:
        row = bridges.of_project(self.db, observed.project_id)
        return self._as_segment(row or self._allocate(observed))

    def _allocate(self, observed: Observed) -> dict:
        own, others = self.pods.vlans(self.conf, observed.project_id, list(self.ids))
        configured = list(vlan_range(self.conf.bridge.vlan_ranges))
        # What a pod has of this project's bridge already is taken over (the store may come from a backup).
        vlans = [vlan for vlan in [*sorted(own), *configured] if vlan not in others]
        seen = [cidr for pod in observed.pods.values() if pod.bridge for cidr, _ in pod.bridge.subnets]
        cidrs = Subnets(seen, ip_network(self.conf.bridge.cidr), self.conf.bridge.prefix_length)
        return bridges.allocate_bridge(self.db, observed.project_id, vlans, cidrs)

    def _as_segment(self, row: dict) -> Segment:
        return Segment(self.conf.bridge.physical_network, row["vlan"], row["cidr"])


@dataclass(frozen=True)
class Subnets:
    """Candidates for a bridge: some that are preferred, then all of a range, cut when they are looked at.

    To cut the 16,384 of 100.64.0.0/10 at once takes longer than all the rest of a router's plan.
    """

    preferred: list[str]
    net: IPv4Network
    prefix: int

    def __len__(self) -> int:
        return len(self.preferred) + 2 ** (self.prefix - self.net.prefixlen)

    def __iter__(self) -> Iterator[str]:
        yield from self.preferred
        yield from map(str, self.net.subnets(new_prefix=self.prefix))

    def __contains__(self, cidr: object) -> bool:
        return any(cidr == each for each in self)


def _addresses(observed: Observed, pod: str, hosts: list[str]) -> list[str]:
    """Those that a pod has already come first: the store may have forgotten them."""
    seen = [port.ip for port in observed.pods[pod].ports if port.ip] if pod in observed.pods else []
    return [*(ip for ip in seen if ip in hosts), *hosts]


def vlan_range(ranges: list[str]) -> Iterator[int]:
    """VLANs of a list such as ["2001:3000", "3500:3510"], in order."""
    for part in ranges:
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)
