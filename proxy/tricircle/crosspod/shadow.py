"""Floating IPs for ports in other pods: what stands for a port in the pod of the external network. Pure.

Neutron associates a floating IP with a port of its own pod, behind a router that has an interface on the port's subnet.
So the port, its network and its subnet have replicas there, *shadows*, and the router an interface on them that is
administratively down: Neutron is content, its agent plumbs nothing, and the router's route over the bridge leads to the
real port. Shadows are made by the request that needs them (api/shadows.py), and go by the job of the network.
"""
from dataclasses import dataclass, field

from tricircle import marks

# What `targets` reads; Neutron without port forwardings has nothing of that name.
LEADING = ("port_id", "fixed_ip_address", "port_forwardings")
UNUSED = " has no floating IP to stand for"


@dataclass(frozen=True)
class Port:
    """A shadow of a port.

    Args:
        port_id: in its pod.
        home_id: of the real one.
        routers: home ids of the routers through which floating IPs reach it; empty when it has none.
    """

    port_id: str
    home_id: str
    routers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Interface:
    """An interface of a router on a shadow.

    Args:
        port_id: in its pod.
        router_id: home id of the router it is for.
        local_id: the router to which it is attached in this pod; empty when to none (yet).
    """

    port_id: str
    router_id: str
    local_id: str


@dataclass(frozen=True)
class Shadow:
    """A network's shadow in a pod; `subnets` are {id: home id}."""

    network_id: str
    ports: tuple[Port, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    subnets: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Home:
    """The real network.

    Args:
        ports: {port: its device}.
        routers: home ids of those that have an interface on it.
        owners: {port: its project}.
        is_known: its pod is; else a network of which a row tells in another pod may have moved there.
    """

    ports: dict[str, str] = field(default_factory=dict)
    routers: frozenset[str] = frozenset()
    owners: dict[str, str] = field(default_factory=dict)
    is_known: bool = False


def unused_ports(shadow: Shadow, home: Home) -> list[Port]:
    """Shadows without a floating IP, without a port, or behind a router that has left the network."""
    return [port for port in shadow.ports if port.home_id not in home.ports or not port.routers & home.routers]


def unused_interfaces(shadow: Shadow, home: Home) -> list[Interface]:
    """Interfaces through which no floating IP reaches a port any more."""
    unused = unused_ports(shadow, home)
    needed = {router for port in shadow.ports if port not in unused for router in port.routers}
    return [interface for interface in shadow.interfaces if interface.router_id not in needed]


def is_unused(shadow: Shadow, home: Home) -> bool:
    """Whether all of it can go."""
    return len(unused_ports(shadow, home)) == len(shadow.ports)


def undo(shadow: Shadow, home: Home) -> list[dict]:
    """Take away what is unused. Neutron disassociates a floating IP when its port goes, and keeps a network with ports.

    Returns:
        Steps as `crosspod.steps.run` takes them.
    """
    return [*(_delete("ports", port.port_id, f"the shadow of port {port.home_id}")
              for port in unused_ports(shadow, home)),
            *(detach(interface.port_id, interface.local_id) for interface in unused_interfaces(shadow, home)),
            *([_delete("networks", shadow.network_id, "the network's shadow")] if is_unused(shadow, home)
              else [])]


def attach(ports: list[dict], router_id: str, local_id: str, network_id: str, address: dict) -> list[dict]:
    """Give a router its interface on a shadow.

    Args:
        ports: the shadow's, as Neutron shows them, that have the router's mark.
        router_id: home id.
        local_id: of the router in the pod.
        network_id: of the shadow.
        address: subnet_id (of the shadow) and ip_address that it gets.

    Returns:
        Steps as `crosspod.steps.run` takes them; none when it is so already.
    """
    mine = next((port for port in ports if address["subnet_id"] in {ip["subnet_id"] for ip in port["fixed_ips"]}), None)
    if mine and mine["device_id"]:
        return []
    mark = marks.shadow(router_id)
    body = {"name": mark, "description": mark, "network_id": network_id, "admin_state_up": False,
            "security_groups": [], "fixed_ips": [address]}
    make = {"name": f"create the router's interface {address['ip_address']} on the shadow, down", "method": "POST",
            "path": "/v2.0/ports", "body": {"port": body}, "register": "port"}
    join = {"name": f"attach the interface {address['ip_address']}", "method": "PUT",
            "path": f"/v2.0/routers/{local_id}/add_router_interface",
            "body": {"port_id": mine["id"] if mine else {"made": "port"}}}
    return [join] if mine else [make, join]


def detach(port_id: str, local_id: str) -> dict:
    """Step that takes an interface off a shadow; `local_id` is that of its router, or empty where it has none yet."""
    if not local_id:
        return _delete("ports", port_id, "the router's interface on the shadow")
    return {"name": "detach the router's interface on the shadow",
            "differs": f"the router's interface on the shadow{UNUSED}", "method": "PUT",
            "path": f"/v2.0/routers/{local_id}/remove_router_interface",
            "body": {"port_id": port_id}, "done_on": [404]}


def targets(floating: dict) -> list[tuple[str, str]]:
    """(port, fixed address) to which a floating IP leads, itself and by its port forwardings, as Neutron shows it.

    Neutron without the extension `floating-ip-port-forwarding-detail` does not tell a forwarding's port: it is empty.
    """
    found = [(floating["port_id"], floating["fixed_ip_address"])] if floating["port_id"] else []
    return found + [(each.get("internal_port_id", ""), each["internal_ip_address"])
                    for each in floating.get("port_forwardings") or ()]


def is_interface(port: dict, own: str) -> bool:
    """Whether a port is a router's interface on a shadow; `own` as in `marks.is_plumbing`."""
    return marks.is_plumbing(port, own) and port["description"].startswith(marks.SHADOW)


def _delete(collection: str, resource_id: str, what: str) -> dict:
    return {"name": f"delete {what}", "differs": what + UNUSED, "method": "DELETE",
            "path": f"/v2.0/{collection}/{resource_id}", "done_on": [404]}
