"""What the pods must have for a user's routers, worked out from what the user sees, and what they have."""

from ipaddress import ip_address, ip_network

import openstack

INTERFACE = "network:router_interface"
BRIDGES = ip_network("100.64.0.0/10")
ANYWHERE = "0.0.0.0/0"


def differences(user, pods):
    """Compare, pod by pod.

    Args:
        user: the network API as the user has it.
        pods: names.

    Returns:
        In words, empty when all is as it must be.
    """
    networks = {pod: openstack.connect(cloud=pod).network for pod in pods}
    places = {row.id: pod for pod, network in networks.items() for row in network.subnets()}
    return [each for router in user.routers() for each in _of_router(user, networks, places, router)]


def _of_router(user, networks, places, router):
    cidrs = {pod: set() for pod in networks}
    for port in user.ports(device_id=router.id, device_owner=INTERFACE):
        for fixed in port.fixed_ips:
            cidrs[places[fixed["subnet_id"]]].add(user.get_subnet(fixed["subnet_id"]).cidr)
    here = {pod: _routers(network, router.id) for pod, network in networks.items()}
    outside = {pod for pod, rows in here.items() if rows and rows[0].external_gateway_info}
    if bool(router.external_gateway_info) != bool(outside):
        yield f"router {router.name}: gateway {router.external_gateway_info} to the user, in pods {outside}"
    members = {pod for pod, nets in cidrs.items() if nets} | outside
    for pod, network in networks.items():
        wants_one = pod in members or any(row.id == router.id for row in here[pod])
        if len(here[pod]) != wants_one:
            yield f"{pod}: {len(here[pod])} routers for {router.name} instead of {int(wants_one)}"
        if not here[pod]:
            continue
        joined = len(members) > 1 and pod in members
        wanted = set().union(*(nets for other, nets in cidrs.items() if other != pod)) if joined else set()
        if joined and outside and pod not in outside:
            wanted.add(ANYWHERE)
        has = {route["destination"] for route in here[pod][0].routes if ip_address(route["nexthop"]) in BRIDGES}
        if has != wanted:
            yield f"{pod}: router {router.name} has routes to {sorted(has)} instead of {sorted(wanted)}"
        legs = list(network.ports(description=f"tricircle:bridge:{router.id}"))
        if len(legs) != joined or any(leg.device_id != here[pod][0].id for leg in legs):
            yield f"{pod}: {len(legs)} bridge ports for {router.name} instead of {int(joined)}"


def _routers(network, router_id):
    """The home has the user's id; a replica names it."""
    return [*(row for row in network.routers(id=router_id)), *network.routers(description=f"tricircle:{router_id}")]
