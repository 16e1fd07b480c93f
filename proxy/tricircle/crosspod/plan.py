"""From what was seen to what has to be done. Pure: no network, no store, no clock.

A bridge joins the pods in which a router has user interfaces, and that of its external network; two at least. Whatever
leaves for the outside takes the bridge to the router in that pod, where its address is translated once. The order
within a pod: undo a route before its interface, make an interface before its route; Neutron refuses the other order.
Routes are added and removed one by one in Neutron's atomic calls, so that those of the user are never touched. Whatever
prefix of the steps was carried out, planning again from what is there then leads to the same end.
"""
from ipaddress import ip_address, ip_network

from tricircle import marks
from tricircle.crosspod.model import Allocation, Bridge, BridgePort, Lost, Observed, Pod, Router, Segment, Wanted

ANYWHERE = "0.0.0.0/0"


def members(observed: Observed, known: dict[str, str]) -> list[str]:
    """Pods that the bridge has to join; none when there are fewer than two.

    Args:
        known: {pod: bridge address} so far. A pod that does not answer stays a member if it was one: its neighbours
            must not tear down their side because of an outage.
    """
    if not observed.home:
        return []
    found = {pod for pod, seen in observed.pods.items() if _cidrs(seen)} | {exit_pod(observed)} - {None}
    found |= {pod for pod in observed.unreachable if pod in known}
    return sorted(found) if len(found) > 1 else []


def exit_pod(observed: Observed) -> str | None:
    """The pod of the router's external network. Were there two, by whatever accident, the home would be preferred."""
    found = [pod for pod, seen in observed.pods.items() if seen.router and seen.router.has_gateway]
    return min(found, key=lambda pod: (pod != observed.home, pod), default=None)


def idle(observed: Observed) -> list[str]:
    """Pods other than the home where nothing of the user's is left on the router: no interface, no gateway."""
    return [pod for pod, seen in observed.pods.items() if pod != observed.home and not seen.lost
            and not (seen.router and _in_use(seen.router, bool(observed.home)))]


def shadowed(observed: Observed) -> list[str]:
    """Pods in which nothing but shadows keeps the router; another job takes them away."""
    return [pod for pod, seen in observed.pods.items() if pod != observed.home and seen.router
            and seen.router.shadowed and not (seen.router.interfaces or seen.router.has_gateway)]


def _in_use(router: Router, is_home_there: bool) -> bool:
    """A gateway goes with its router. Neutron deletes no router with interfaces, nor shall we."""
    return bool(router.interfaces) or router.shadowed or (router.has_gateway and is_home_there)


def wanted(observed: Observed, allocation: Allocation, retired: set[str]) -> dict[str, Wanted]:
    """The wanted state of each pod that answered.

    Args:
        allocation: has an address for each of `members`.
        retired: pods whose replica may be deleted.

    Returns:
        {pod: what it should have}.
    """
    joined = members(observed, allocation.ips)
    return {pod: _wanted(pod, observed, allocation, joined, retired) for pod in observed.pods}


def steps(observed: Observed, pod: str, want: Wanted) -> list[dict]:
    """What has to be done in a pod, in this order; empty when all is well.

    Returns:
        Steps as `crosspod.steps.run` takes them.
    """
    seen, router_mark = observed.pods[pod], marks.bridge(observed.router_id)
    if seen.lost and not seen.router:
        # The rest hangs on it, and is seen to when it is there.
        return _replica(observed, seen, want)
    keep = next((p for p in seen.ports if _fits(p, seen.bridge, want)), None)
    drop = [p for p in seen.ports if p is not keep]
    return [
        *_undo_routes(seen, want, drop),
        *(_undo_port(seen.router, port) for port in drop),
        *_mirror(seen.router, want),
        *_bridge(seen.bridge, want, marks.bridge(observed.project_id)),
        *_port(seen, want, keep, router_mark),
        *_routes(seen, want, drop),
        # Last: when somebody has the address by now, the rest is done all the same.
        *(_join(seen.router, lost) for lost in seen.lost),
    ]


def _wanted(pod: str, observed: Observed, allocation: Allocation, joined: list[str], retired: set[str]) -> Wanted:
    home = observed.pods[observed.home].router if observed.home in observed.pods else None
    mirror = home if pod != observed.home and pod not in retired else None
    name, up = (mirror.name, mirror.admin_state_up) if mirror else (None, None)
    if pod not in joined:
        return Wanted(pod in retired, name, up, drop_bridge=pod not in allocation.shared)
    hops = frozenset(allocation.ips[other] for other in joined if other in observed.unreachable)
    return Wanted(False, name, up, allocation.segment, ip=allocation.ips[pod],
                  routes=_elsewhere(pod, observed, allocation, joined), foreign_hops=hops)


def _elsewhere(pod: str, observed: Observed, allocation: Allocation, joined: list[str]) -> frozenset[tuple[str, str]]:
    """Routes to the subnets of the other pods, to what the user routes there, and to the outside.

    Not where the user has said otherwise in this pod. A subnet is nearer than what a route of the user leads to.
    """
    here = [ip_network(cidr) for cidr in _cidrs(observed.pods[pod])]
    router, gate = observed.pods[pod].router, exit_pod(observed)
    others = [other for other in joined if other != pod and other in observed.pods]
    own = _users(observed.pods[pod], allocation)
    # A destination that overlaps a subnet of this pod would draw traffic away from it.
    subnets = {(cidr, allocation.ips[other]) for other in others for cidr in _cidrs(observed.pods[other])
               if not any(ip_network(cidr).overlaps(net) for net in here)}
    near = {str(net) for net in here} | {cidr for cidr, _ in subnets}
    users = {(to, allocation.ips[other]) for other in others for to in _users(observed.pods[other], allocation)
             if to not in near}
    out = gate and not (router and router.has_gateway) and ANYWHERE not in {to for to, _ in users}
    outside = {(ANYWHERE, allocation.ips[gate])} if out else set()
    return frozenset((to, hop) for to, hop in subnets | users | outside if to not in own)


def _users(pod: Pod, allocation: Allocation) -> set[str]:
    """Return the IPv4 destinations for which the user has a route in a pod."""
    bridge = ip_network(allocation.segment.cidr)
    return {to for to, hop in (pod.router.routes if pod.router else ())
            if ip_network(to).version == bridge.version and ip_address(hop) not in bridge}


def _cidrs(pod: Pod) -> list[str]:
    found = [cidr for interface in pod.router.interfaces for cidr in interface.cidrs] if pod.router else []
    return sorted(found + [lost.cidr for lost in pod.lost])


def _fits(port: BridgePort, bridge: Bridge | None, want: Wanted) -> bool:
    return bool(bridge and want.ip) and (port.network_id, port.ip) == (bridge.network_id, want.ip)


def _plumbing(seen: Pod, want: Wanted) -> frozenset[tuple[str, str]]:
    """Routes of the router that lead into a bridge: those whose next hop is on a bridge subnet."""
    nets = [ip_network(cidr) for cidr in _bridge_cidrs(seen.bridge, want.bridge)]
    routes = seen.router.routes if seen.router else ()
    return frozenset((to, hop) for to, hop in routes if any(ip_address(hop) in net for net in nets))


def _bridge_cidrs(bridge: Bridge | None, segment: Segment | None) -> set[str]:
    return {cidr for cidr, _ in (bridge.subnets if bridge else ())} | ({segment.cidr} if segment else set())


def _undo_routes(seen: Pod, want: Wanted, drop: list[BridgePort]) -> list[dict]:
    has = _plumbing(seen, want)
    # Neutron keeps an interface as long as a route needs it, so a port that is replaced takes all of them along.
    kept = frozenset() if any(port.attached for port in drop) else _kept(has, want)
    words = _routes_are(has - _kept(has, want), "not wanted")
    return [_extraroutes("remove", seen.router, has - kept, words)] if has - kept else []


def _kept(routes: frozenset, want: Wanted) -> frozenset[tuple[str, str]]:
    return frozenset(route for route in routes if route in want.routes or route[1] in want.foreign_hops)


def _routes(seen: Pod, want: Wanted, drop: list[BridgePort]) -> list[dict]:
    has = _plumbing(seen, want)
    target = want.routes | _kept(has, want)
    missing = target if any(port.attached for port in drop) else target - has
    return [_extraroutes("add", seen.router, missing, _routes_are(target - has, "missing"))] if missing else []


def _extraroutes(verb: str, router: Router, routes: frozenset[tuple[str, str]], differs: str) -> dict:
    body = {"router": {"routes": [{"destination": to, "nexthop": hop} for to, hop in sorted(routes)]}}
    return {"name": f"{verb} {_listed(routes)}", "differs": differs, "method": "PUT",
            "path": f"/v2.0/routers/{router.router_id}/{verb}_extraroutes", "body": body,
            "done_on": [404] if verb == "remove" else []}


def _listed(routes: frozenset[tuple[str, str]]) -> str:
    words = ", ".join(f"{to} via {hop}" for to, hop in sorted(routes))
    return f"{'route' if len(routes) == 1 else 'routes'} {words}"


def _routes_are(routes: frozenset[tuple[str, str]], what: str) -> str:
    return f"{_listed(routes)} {'is' if len(routes) == 1 else 'are'} {what}" if routes else ""


def _undo_port(router: Router | None, port: BridgePort) -> dict:
    if port.attached and router:
        return {"name": f"detach the bridge port {port.ip}", "differs": f"the bridge port {port.ip} is not wanted",
                "method": "PUT", "path": f"/v2.0/routers/{router.router_id}/remove_router_interface",
                "body": {"port_id": port.port_id}, "done_on": [404]}
    return {"name": f"delete the bridge port {port.ip}", "differs": f"the bridge port {port.ip} is not wanted",
            "method": "DELETE", "path": f"/v2.0/ports/{port.port_id}", "done_on": [404]}


def _replica(observed: Observed, seen: Pod, want: Wanted) -> list[dict]:
    """A replica that is gone comes back, unless its home does not say how."""
    if want.name is None:
        return []
    lost = ", ".join(each.ip for each in seen.lost)
    body = {"name": want.name, "admin_state_up": want.admin_state_up, "project_id": observed.project_id,
            "description": marks.replica(observed.router_id)}
    return [{"name": "create the router's replica",
             "differs": f"the router's replica is missing, and with it its interfaces {lost}",
             "method": "POST", "path": "/v2.0/routers", "body": {"router": body}}]


def _join(router: Router, lost: Lost) -> dict:
    return {"name": f"attach the subnet {lost.cidr}", "differs": f"the interface {lost.ip} on {lost.cidr} is missing",
            "method": "PUT", "path": f"/v2.0/routers/{router.router_id}/add_router_interface",
            "body": {"subnet_id": lost.subnet_id}}


def _mirror(router: Router | None, want: Wanted) -> list[dict]:
    if not router:
        return []
    path = f"/v2.0/routers/{router.router_id}"
    if want.delete_router:
        return [{"name": "delete the router's replica", "differs": "nothing uses the router's replica",
                 "method": "DELETE", "path": path, "done_on": [404]}]
    asked = {"name": want.name, "admin_state_up": want.admin_state_up}
    changes = {key: value for key, value in asked.items() if value is not None and getattr(router, key) != value}
    if not changes:
        return []
    words = " and ".join(changes)
    return [{"name": f"mirror {words} of the router", "differs": f"{words} of the replica: not as at home",
             "method": "PUT", "path": path, "body": {"router": changes}}]


def _bridge(bridge: Bridge | None, want: Wanted, mark: str) -> list[dict]:
    if bridge and want.drop_bridge:
        return [delete_network(bridge.network_id)]
    if not want.bridge:
        return []
    vlan, cidr = want.bridge.vlan, want.bridge.cidr
    if not bridge:
        return [_create_network(want.bridge, mark), _create_subnet({"made": "network"}, cidr, mark)]
    moved = [] if bridge.vlan == vlan else [
        {"name": f"move the bridge network to VLAN {vlan}", "method": "PUT", "takes_vlan": vlan,
         "differs": f"the bridge network has VLAN {bridge.vlan} instead of {vlan}",
         "path": f"/v2.0/networks/{bridge.network_id}", "body": {"network": {"provider:segmentation_id": vlan}}}]
    return moved if cidr in dict(bridge.subnets) else [*moved, _create_subnet(bridge.network_id, cidr, mark)]


def delete_network(network_id: str) -> dict:
    """A step: a bridge network that nobody needs goes."""
    return {"name": "delete the bridge network", "differs": "nothing uses the bridge network", "method": "DELETE",
            "path": f"/v2.0/networks/{network_id}", "done_on": [404]}


# openstack.cloud.network cannot give a description, and a network without its mark would be lost with a lost answer.
def _create_network(segment: Segment, mark: str) -> dict:
    body = {"name": mark, "description": mark, "provider:network_type": "vlan",
            "provider:physical_network": segment.physical_network, "provider:segmentation_id": segment.vlan}
    return {"name": f"create the bridge network on VLAN {segment.vlan}", "method": "POST", "path": "/v2.0/networks",
            "differs": "the bridge network is missing",
            "body": {"network": body}, "register": "network", "takes_vlan": segment.vlan}


def _create_subnet(network: str | dict, cidr: str, mark: str) -> dict:
    body = {"name": mark, "description": mark, "network_id": network, "ip_version": 4, "cidr": cidr,
            "enable_dhcp": False, "gateway_ip": None}
    return {"name": f"create the bridge subnet {cidr}", "method": "POST", "path": "/v2.0/subnets",
            "differs": f"the bridge subnet {cidr} is missing",
            "body": {"subnet": body}, "register": "subnet"}


def _port(seen: Pod, want: Wanted, keep: BridgePort | None, mark: str) -> list[dict]:
    if not want.ip or (keep and keep.attached):
        return []
    attach = {"name": f"attach the bridge port {want.ip}", "method": "PUT",
              "differs": f"the bridge port {want.ip} is not attached to the router" if keep else "",
              "path": f"/v2.0/routers/{seen.router.router_id}/add_router_interface",
              "body": {"port_id": keep.port_id if keep else {"made": "port"}}}
    return [attach] if keep else [_create_port(seen.bridge, want, mark), attach]


def _create_port(bridge: Bridge | None, want: Wanted, mark: str) -> dict:
    network = bridge.network_id if bridge else {"made": "network"}
    subnet = (dict(bridge.subnets).get(want.bridge.cidr) if bridge else None) or {"made": "subnet"}
    body = {"name": mark, "description": mark, "network_id": network, "security_groups": [],
            "fixed_ips": [{"subnet_id": subnet, "ip_address": want.ip}]}
    return {"name": f"create the bridge port {want.ip}", "method": "POST", "path": "/v2.0/ports",
            "differs": f"the bridge port {want.ip} is missing",
            "body": {"port": body}, "register": "port"}
