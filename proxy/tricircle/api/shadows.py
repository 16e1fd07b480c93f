"""A port in another pod gets a floating IP: before the user's own call goes out, the port stands there as a shadow.

What crosspod/shadow.py says of shadows is made here; what is no longer needed is taken away by the job `shadow`, which
the request has announced. Neutron's refusals that need a look into two pods are said here, in its words.
"""
import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlencode

from tricircle import marks
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.crosspod import followers, pairing, shadow
from tricircle.crosspod.observe import INTERFACES
from tricircle.crosspod.steps import run
from tricircle.errors import BadGateway, BadRequest, Conflict, NotFound, PodUnreachable
from tricircle.routing import fields, replicas, rewrite
from tricircle.routing.catalogue import Path
from tricircle.store import replicas as rows
from tricircle.upstream.neutron import listed

FORWARDINGS = "/port_forwardings"
ROUNDS = 4   # two requests for one subnet: one of them is refused, and looks again


def ensure(gateway: Gateway, request: Request, path: Path, port_id: str, home: dict, pod: dict) -> None:
    """See to it that a floating IP of a pod, or a port forwarding of it, can lead to a port of another pod.

    Args:
        gateway, request: as everywhere.
        path: of the floating IP or of all of them, of its port forwardings or of one of them.
        port_id: home id; one that the caller may not see is left to the pod, which does not know it.
        home: row of its pod.
        pod: row of the floating IP's pod.

    Raises:
        NotFound: no router joins the port's subnet with the external network.
        BadRequest: the port has no such address, or several.
        Conflict: its address stands for a router there.
        Refused: a pod refused a shadow.
        PodUnreachable, BadGateway: a pod does not answer, or not properly.
    """
    wanted = _wanted(path, request.body_json, port_id)
    port = read(gateway, request, home, "ports", "port", port_id) if wanted else None
    there = read(gateway, request, pod, "floatingips", "floatingip", path.member) if port and path.member else None
    for address, network_id in wanted if port else ():
        external = there["floating_network_id"] if there else network_id
        if not external:
            return   # a pod says what is wrong
        inner = _inside(path, port, address)
        joint = _router(gateway, path, home, pod, port, inner, external)
        try:
            _stand_in(gateway, request, home, pod, port, inner, joint)
        except replicas.Refused as refused:
            if refused.status not in (404, 409):
                raise
            # What was there went under our hands: a job that took it away was slower than its claim. Or another request
            # has just taken an address.
            pairing.forget_gone(gateway.db, gateway.upstream, pod, [
                port_id, port["network_id"], *(each["subnet_id"] for each in replicas.inside(port))])
            _stand_in(gateway, request, home, pod, port, inner, joint)


def is_forwarding(path: Path) -> bool:
    """Whether a path is that of a floating IP's port forwardings, or of one of them."""
    return path.rest == FORWARDINGS or path.rest.startswith(f"{FORWARDINGS}/")


def _wanted(path: Path, body: Any, port_id: str) -> list[tuple[str | None, str | None]]:
    """(address, external network) of each way in which a request wants to reach a port; None where it names none."""
    port, address = ("internal_port_id", "internal_ip_address") if is_forwarding(path) else \
        ("port_id", "fixed_ip_address")
    asked = [(each.get(address), each.get("floating_network_id")) for each in fields.members(body)
             if each is not body and each.get(port) == port_id]
    return list(dict.fromkeys(tuple(value if isinstance(value, str | None) else str(value) for value in each)
                              for each in asked)) if is_forwarding(path) or not path.rest else []


def _stand_in(gateway: Gateway, request: Request, home: dict, pod: dict, port: dict, inner: dict,
              joint: tuple[str, str, str]) -> None:
    """Make the port's shadow, or complete it, behind the router `joint`. Raises as `ensure`."""
    def replicate(collection: str, resource_id: str) -> bool:
        return replicas.ensure(gateway.db, gateway.upstream, request.caller, collection, resource_id, home, pod)

    if replicate("networks", port["network_id"]):   # which may be shared with the caller
        followers.sync(gateway.db, gateway.upstream, port["network_id"], home, pod)
    for subnet_id in dict.fromkeys(address["subnet_id"] for address in replicas.inside(port)):
        replicate("subnets", subnet_id)
    _oust(gateway, pod, port)
    if not replicate("ports", port["id"]):
        _agree(gateway, pod, port)
    _attach(gateway, pod, joint, port["network_id"], inner["subnet_id"],
            lambda: _spare(gateway, home, pod, port["network_id"], inner["subnet_id"]))


def discard(gateway: Gateway, pod: dict, local_id: str, port_id: str | None) -> None:
    """Delete a port's shadow, and its row when it is gone: what a pod shows needs its name.

    Args:
        gateway: parts.
        pod: row of the shadow's pod.
        local_id: of the shadow.
        port_id: home id; None where no row knows the shadow.

    Raises:
        PodUnreachable: the pod does not answer.
    """
    answer = gateway.upstream.ask(pod["pod_name"], "network", "DELETE", f"/v2.0/ports/{local_id}")
    if port_id and (answer.ok or answer.status == 404):
        rows.forget(gateway.db, {"resource_id": port_id, "pod_id": pod["pod_id"], "local_id": local_id})


def read(gateway: Gateway, request: Request, pod: dict, collection: str, member: str, resource_id: str) -> dict | None:
    """Something as its pod shows it to the caller, in home ids; None when it does not. Raises PodUnreachable."""
    there = rewrite.down(gateway.db, pod["pod_id"], f"/v2.0/{collection}/{resource_id}".encode()).decode()
    answer = gateway.upstream.call(pod["pod_name"], "network", "GET", there, headers=request.caller.headers)
    if answer.status >= 500:
        raise PodUnreachable(pod["pod_name"], "network", f"answered {answer.status} to GET /v2.0/{collection}")
    return json.loads(rewrite.up(gateway.db, pod["pod_id"], answer.body))[member] if answer.ok else None


def _inside(path: Path, port: dict, wanted: str | None) -> dict:
    """Which of the port's addresses is meant: (subnet_id, ip_address). Refusals are in Neutron's words."""
    fours = replicas.inside(port)
    found = [ip for ip in fours if wanted in (None, ip["ip_address"])]
    if len(found) == 1 or (found and is_forwarding(path)):
        return found[0]
    if is_forwarding(path):
        words = f"Requested internal IP address {wanted} is not suitable for internal neutron port {port['id']}, as " \
                f"its fixed_ips are {fours}" if fours else \
                f"Requested internal port {port['id']} must allocate an IPv4 address at least."
        raise BadRequest(f"Bad port_forwarding request: {words}.")
    if found:
        words = (f"Port {port['id']} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when "
                 "assigning a floating IP")
    elif wanted:
        words = f"Port {port['id']} does not have fixed ip {wanted}"
    else:
        words = f"Cannot add floating IP to port {port['id']} that has no fixed IPv4 addresses"
    raise BadRequest(f"Bad floatingip request: {words}.")


def _router(gateway: Gateway, path: Path, home: dict, pod: dict, port: dict, inner: dict,
            external: str) -> tuple[str, str, str]:
    """(home id, id in the floating IP's pod, address on the port's subnet) of the router that joins both sides.

    Of several it is the one at the subnet's own gateway address, as in Neutron (neutron/db/l3_db.py
    `get_router_for_floatingip`), or else one of the port's project: another project's may be there, where the network
    is shared with that project.
    """
    subnet = inner["subnet_id"]
    there = rows.to_local(gateway.db, home["pod_id"], [port["network_id"], subnet])
    query = {"network_id": there.get(port["network_id"], port["network_id"]), "device_owner": INTERFACES,
             "fields": ("device_id", "fixed_ips")}
    gates = {each["device_id"]: ip["ip_address"] for each in _listed(gateway, home, "ports", query)
             for ip in each["fixed_ips"] if ip["subnet_id"] == there.get(subnet, subnet)}
    homes = rows.to_home(gateway.db, home["pod_id"], list(gates))
    by_home = {homes.get(device, device): ip for device, ip in gates.items()}
    local = rows.to_local(gateway.db, pod["pod_id"], list(by_home))
    known = {local.get(router_id, router_id): router_id for router_id in by_home}
    query = {"id": list(known), "fields": ("id", "project_id", "external_gateway_info")}
    found = [router for router in (_listed(gateway, pod, "routers", query) if known else ())
             if (router["external_gateway_info"] or {}).get("network_id") == external]
    if found:
        query = {"id": there.get(subnet, subnet), "fields": "gateway_ip"}
        gate = {each["gateway_ip"] for each in _listed(gateway, home, "subnets", query)} if len(found) > 1 else set()
        router = min(found, key=lambda each: (by_home[known[each["id"]]] not in gate,
                                              each["project_id"] != port["project_id"], each["id"]))
        return known[router["id"]], router["id"], by_home[known[router["id"]]]
    lost = f"External network {external} is not reachable from subnet {subnet}."
    if is_forwarding(path):
        raise BadRequest(f"Bad port_forwarding request: {lost} Cannot set Port forwarding for port {port['id']} with "
                         f"Floating IP {path.member}.")
    raise NotFound(f"{lost} Therefore, cannot associate Port {port['id']} with a Floating IP.",
                   "ExternalGatewayForFloatingIPNotFound")


def _oust(gateway: Gateway, pod: dict, port: dict) -> None:
    """Delete other ports' shadows with this one's addresses: at home they are this port's, so those ports are gone.

    Other ports, of whoever may use the network, stay, whatever mark they carry.
    """
    local = rows.to_local(gateway.db, pod["pod_id"], [port["id"], port["network_id"]])
    if port["id"] in local:
        return
    own = gateway.upstream.account.project_id()
    for address in replicas.inside(port):
        query = {"network_id": local[port["network_id"]], "fixed_ips": f"ip_address={address['ip_address']}",
                 "fields": ("id", "description", "project_id", "device_id")}
        found = _listed(gateway, pod, "ports", query)
        known = rows.to_home(gateway.db, pod["pod_id"], [other["id"] for other in found])
        for other in found:
            half_made = marks.original(other) not in ("", port["id"]) and marks.owner(other) == port["project_id"]
            if other["id"] in known or half_made:
                discard(gateway, pod, other["id"], known.get(other["id"]))
            elif shadow.is_interface(other, own):
                _displace(gateway, pod, other, address["ip_address"])


def _displace(gateway: Gateway, pod: dict, interface: dict, address: str) -> None:
    """Take a router's interface off a shadow: the router's own port is to stand there, too; it gets another address.

    Neutron changes no address of an interface, and takes none off while floating IPs need it.

    Raises:
        Conflict: other floating IPs need the interface.
        PodUnreachable, BadGateway: the pod does not answer, or not properly.
    """
    step = shadow.detach(interface["id"], interface["device_id"])
    answer = gateway.upstream.ask(pod["pod_name"], "network", step["method"], step["path"], step.get("body"))
    if answer.status == 409:
        raise Conflict(f"{address} stands for the router in pod {pod['pod_name']} as long as other ports of its subnet "
                       "have floating IPs there: take those off, associate this one first, then the others")
    if not answer.ok and answer.status != 404:
        raise BadGateway(f"pod {pod['pod_name']} answered {answer.status} when it was to {step['name']}")


def _agree(gateway: Gateway, pod: dict, port: dict) -> None:
    """A shadow that is there already has the addresses that its port had when it was made."""
    wanted = [{name: ip[name] for name in ("subnet_id", "ip_address")} for ip in replicas.inside(port)]
    member, addresses = json.loads(rewrite.down(gateway.db, pod["pod_id"], rewrite.dump([port["id"], wanted])))
    shown = _listed(gateway, pod, "ports", {"id": member, "fields": "fixed_ips"})
    if any(each["fixed_ips"] != addresses for each in shown):
        gateway.upstream.ask(pod["pod_name"], "network", "PUT", f"/v2.0/ports/{member}",
                             {"port": {"fixed_ips": addresses}})


def _attach(gateway: Gateway, pod: dict, joint: tuple[str, str, str], network_id: str, subnet_id: str,
            spare: Callable[[], str]) -> None:
    """Give a router its interface on the shadow of a subnet: at the router's own address, or at a spare one.

    The interface is down, so that its address is nothing but a name. The shadow of the router's own port may have that
    already, and the interface another one.
    """
    def send(method: str, path: str, body: object) -> tuple[int, object]:
        answer = gateway.upstream.ask(pod["pod_name"], "network", method, path, body)
        return answer.status, answer.json()

    router_id, local_router, gate = joint
    local = rows.to_local(gateway.db, pod["pod_id"], [network_id, subnet_id])
    address = {"subnet_id": local[subnet_id], "ip_address": gate}
    query = {"network_id": local[network_id], "description": marks.shadow(router_id),
             "project_id": gateway.upstream.account.project_id(), "fields": ("id", "device_id", "fixed_ips")}
    failure = None
    for _ in range(ROUNDS):
        there = _listed(gateway, pod, "ports", query)
        steps = shadow.attach(there, router_id, local_router, local[network_id], address)
        if not steps:
            return
        _, failure = run(steps, send)
        if failure and failure.status not in (400, 404, 409):
            break
        if failure and failure.status == 409:
            address["ip_address"] = spare()
    if failure:
        raise BadGateway(f"pod {pod['pod_name']}: {failure}")


def _spare(gateway: Gateway, home: dict, pod: dict, network_id: str, subnet_id: str) -> str:
    """An address of a subnet, the highest one, that no port has at home, nor its shadow."""
    used = set()
    for each in (home, pod):
        local = rows.to_local(gateway.db, each["pod_id"], [network_id, subnet_id])
        query = {"network_id": local.get(network_id, network_id), "fields": "fixed_ips"}
        used |= {ip["ip_address"] for port in _listed(gateway, each, "ports", query) for ip in port["fixed_ips"]}
        query = {"id": local.get(subnet_id, subnet_id), "fields": "cidr"}
        cidrs = [ip_network(subnet["cidr"]) for subnet in _listed(gateway, each, "subnets", query)]
    for number in range(2, 2 + len(used) + 1) if cidrs else ():
        if number < cidrs[0].num_addresses and str(cidrs[0][-number]) not in used:
            return str(cidrs[0][-number])
    raise Conflict(f"all addresses of subnet {subnet_id} are in use: the router needs a second one for the floating IP")


def _listed(gateway: Gateway, pod: dict, collection: str, query: dict) -> list[dict]:
    """A pod's list, asked as Tricircle itself: routers' interfaces are not the port's owner's to see."""
    return listed(gateway.upstream, pod["pod_name"], collection, urlencode(query, doseq=True))
