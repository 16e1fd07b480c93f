"""What was seen in the pods and what is wanted there. Values, no behaviour."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Interface:
    """A user's interface on a router.

    Args:
        port_id: its port.
        cidrs: IPv4 subnets on it. IPv6 has none here: a bridge is IPv4, so such subnets stay within their pod.
        addresses: pairs (subnet id, address) of the same.
    """

    port_id: str
    cidrs: tuple[str, ...]
    addresses: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Lost:
    """An interface that the router had, and that nobody has taken off it through the gateway.

    Args:
        subnet_id, cidr: of a subnet that the pod still has.
        ip: the router's address there, which is the subnet's gateway.
    """

    subnet_id: str
    cidr: str
    ip: str


@dataclass(frozen=True)
class BridgePort:
    """A port with the router's bridge mark.

    Args:
        port_id, network_id, ip: as in Neutron; `ip` is empty when it has none.
        attached: whether it is an interface of the router.
    """

    port_id: str
    network_id: str
    ip: str
    attached: bool


@dataclass(frozen=True)
class Bridge:
    """A project's bridge network in a pod; `subnets` are pairs (CIDR, id)."""

    network_id: str
    vlan: int
    subnets: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Router:
    """A router as a pod knows it.

    Args:
        router_id, name, admin_state_up, project_id: as in Neutron.
        routes: pairs (destination, next hop).
        interfaces: the user's.
        has_gateway: whether it has an external network.
        shadowed: whether interfaces hang on it that stand for subnets of other pods (see shadow.py).
    """

    router_id: str
    name: str
    admin_state_up: bool
    project_id: str
    routes: frozenset[tuple[str, str]] = frozenset()
    interfaces: tuple[Interface, ...] = ()
    has_gateway: bool = False
    shadowed: bool = False


@dataclass(frozen=True)
class Pod:
    """One router's share of a pod. `router` is None where the pod does not have it (yet, or any more)."""

    router: Router | None = None
    ports: tuple[BridgePort, ...] = ()
    bridge: Bridge | None = None
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True)
class Observed:
    """A router in all the pods that it may span.

    Args:
        router_id: home id.
        project_id: its owner.
        home: name of the home pod; None when the router is gone there.
        pods: {pod name: what was seen}.
        unreachable: pods of the router that did not answer, and why.
    """

    router_id: str
    project_id: str
    home: str | None
    pods: dict[str, Pod]
    unreachable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Segment:
    """What a project's bridge is in every pod."""

    physical_network: str
    vlan: int
    cidr: str


@dataclass(frozen=True)
class Allocation:
    """What the store has handed out.

    Args:
        segment: of the router's project; None when it has no bridge.
        ips: {pod name: the router's bridge address}.
        shared: pods in which other routers of the project use the bridge.
    """

    segment: Segment | None = None
    ips: dict[str, str] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wanted:
    """What one pod should have.

    Args:
        delete_router: the replica is to go.
        name, admin_state_up: of the router; None where they are not Tricircle's business (home, or home is gone).
        bridge: has to be there.
        drop_bridge: nobody of the project needs it in this pod.
        ip: the router's bridge address; None when it has no business on the bridge.
        routes: all routes into the bridge.
        foreign_hops: bridge addresses whose routes stay as they are, since their pod does not answer.
    """

    delete_router: bool = False
    name: str | None = None
    admin_state_up: bool | None = None
    bridge: Segment | None = None
    drop_bridge: bool = False
    ip: str | None = None
    routes: frozenset[tuple[str, str]] = frozenset()
    foreign_hops: frozenset[str] = frozenset()
