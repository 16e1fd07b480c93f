"""Routers reach over pods: what a user does to one is done where his subnet is, and a job does the rest."""
import json
from ipaddress import ip_address, ip_network
from urllib.parse import urlencode

from tricircle import marks
from tricircle.api import extraroutes, gateways, generic, gone_ports, joining, judged, stretched
from tricircle.api import query as queries
from tricircle.api.forward import failure, name_silent
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.owing import owing
from tricircle.crosspod import view
from tricircle.errors import BadRequest, Conflict, PodUnreachable
from tricircle.jobs.queue import announced, wait
from tricircle.routing import rewrite
from tricircle.routing.catalogue import Path
from tricircle.routing.references import mentions
from tricircle.store import bridges, interfaces, jobs, pods, replicas, routings
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import listed
from tricircle.upstream.scatter import scatter

TEARDOWN_SECONDS = 40.0
# Fields of a router that the pods alone do not tell.
DRESSED = (stretched.ROUTES, stretched.INFO, "status")
INTERFACE, GATEWAY = "network:router_interface", "network:router_gateway"


def routers(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Routers reach over pods: every change is followed by a job, and nobody sees the plumbing."""
    if request.method == "GET":
        return queries.completed(request, path, () if path.rest else DRESSED, ["id"], lambda asked: _dressed(
            gateway, asked, path, generic.plain(gateway, asked, path)))
    if request.method == "POST":
        made = gateways.create(gateway, request, path)
        return _dressed(gateway, request, path, made) if made else None
    router = judged.changeable(gateway, request, "routers", path.member)
    if not router:
        return None   # no job is owed to what is not there
    behind = _behind(gateway, request, path, router)
    if request.method == "DELETE" and not path.rest:
        return _delete_router(gateway, request, path, router)
    if path.rest == "/add_router_interface" and _check_subnets(gateway, request, path.member):
        interfaces.join(gateway.db, path.member)
    if path.rest == "/remove_router_interface":
        _check_floating_ips(gateway, request, path.member, behind)
        return _dressed(gateway, request, path, _remove_interface(gateway, request, path, router))
    _check_outside(gateway, request, path)
    return _dressed(gateway, request, path, _changed(gateway, request, path, router))


def _changed(gateway: Gateway, request: Request, path: Path, router: dict) -> Response:
    """Change a router's routes or its gateway, which may be in other pods; the answer, without the bridges' routes."""
    supernet = gateway.conf.bridge.cidr
    if extraroutes.asked_for(request, path) is not None and len(_local(gateway, path.member)) > 1:
        cidrs: dict[str, list[str]] = {}
        for found in (_subnets(gateway, path.member, owner) for owner in (INTERFACE, GATEWAY)):
            for name, nets in found.items():
                cidrs[name] = cidrs.get(name, []) + nets
        changed = _routed(gateway, request, path, router, cidrs)
        if changed:
            return extraroutes.without_plumbing(changed, supernet)
    extraroutes.keep_plumbing(request, path, router, supernet)
    changed = gateways.change(gateway, request, path, router) or _owing(gateway, request, path, router)
    return extraroutes.without_plumbing(changed, supernet)


def _routed(gateway: Gateway, request: Request, path: Path, router: dict,
            cidrs: dict[str, list[str]]) -> Response | None:
    """Routes of which some are in other pods; a gateway in the same body comes after them, or they go back.

    Args, returns: as `extraroutes.change`.
    """
    body = request.body_json["router"]
    if stretched.INFO not in body or path.rest:
        return extraroutes.change(gateway, request, path, router, cidrs)
    had, _ = stretched.look(gateway, request.caller, [path.member])
    before = view.hide(router, gateway.conf.bridge.cidr)["routes"] + [
        route for record in had.get(path.member, {}).values() for route in record.get(stretched.ROUTES) or ()]
    routes = request.with_json({"router": {name: body[name] for name in body if name != stretched.INFO}})
    changed = extraroutes.change(gateway, routes, path, router, cidrs)
    if changed is None or changed.status != 200:
        return changed
    asked = request.with_json({"router": {stretched.INFO: body[stretched.INFO]}})
    changed = gateways.change(gateway, asked, path, router) or _owing(gateway, asked, path, router)
    if 400 <= changed.status < 500:
        extraroutes.change(gateway, request.with_json({"router": {stretched.ROUTES: before}}), path, router, cidrs)
    return changed


def _owing(gateway: Gateway, request: Request, path: Path, router: dict) -> Response:
    return owing(gateway, request, path, "router", {path.member: router["project_id"]})


def _dressed(gateway: Gateway, request: Request, path: Path, response: Response) -> Response:
    """Routers as their user knows them: without the routes of the plumbing, with what is in other pods."""
    if not any(f'"{field}"'.encode() in response.body for field in DRESSED):
        return response
    document = json.loads(response.body)
    routers = [value for *_, value in rewrite.walk(document) if isinstance(value, dict)]
    joining.mark(gateway, {router.get("id") or path.member: router for router in routers if "status" in router})
    for router in routers:
        if "routes" in router:
            router["routes"] = view.hide(router, gateway.conf.bridge.cidr)["routes"]
    missing = stretched.fill(gateway, request.caller, {router.get("id") or path.member: router for router in routers
                                                       if router.keys() & {stretched.INFO, stretched.ROUTES}})
    name_silent(response, missing)
    response.body = rewrite.dump(document)
    return response


def _delete_router(gateway: Gateway, request: Request, path: Path, router: dict) -> Response:
    """Delete a router at home after its plumbing has gone from every pod.

    Neutron refuses to delete a router with interfaces, but knows only of those in its own pod.
    """
    if not replicas.of_resource(gateway.db, path.member) and not bridges.addresses(gateway.db, path.member):
        return generic.plain(gateway, request, path)   # it never left its home
    attached = [port["id"] for ports in _ports(gateway, path.member, INTERFACE).values() for port in ports]
    if attached:
        raise Conflict(f"Router {path.member} has ports still attached: {', '.join(attached)}", "RouterInUse")
    refusal = gateways.clear(gateway, request, path, router)
    if refusal:
        return refusal
    interfaces.forget(gateway.db, path.member)
    job = jobs.enqueue(gateway.db, "router", path.member, router["project_id"])
    if not wait(gateway.db, job["id"], Deadline(TEARDOWN_SECONDS)):
        raise Conflict(f"Router {path.member} is still being taken apart across pods: delete it again in a moment",
                       "RouterInUse")
    return _owing(gateway, request, path, router)


def _remove_interface(gateway: Gateway, request: Request, path: Path, router: dict) -> Response:
    """What is taken off here is meant to stay off: the job is not to put it back."""
    with announced(gateway.db, "router", {path.member: router["project_id"]}):
        interfaces.forget(gateway.db, path.member)
        return _owing(gateway, request, path, router)


def _check_subnets(gateway: Gateway, request: Request, router_id: str) -> bool:
    """Refuse here what no single pod's Neutron can see.

    A pod's router has a route for each subnet elsewhere, and max_routes bounds them; a subnet that overlaps one in
    another pod could not be routed to.

    Returns:
        Whether the request names a subnet that the user may see.

    Raises:
        BadRequest: one subnet too many, or one that overlaps.
    """
    asked, there = _asked(gateway, request), _subnets(gateway, router_id, INTERFACE)
    number, limit = sum(map(len, there.values())), gateway.conf.bridge.max_routes
    if number >= limit:
        raise BadRequest(f"router {router_id} joins {number} subnets already, and max_routes of the pods' Neutron is "
                         f"{limit}: raise it there and in Tricircle's [bridge]max_routes", "RoutesExhausted")
    outside = _subnets(gateway, router_id, GATEWAY)
    # The job may have taken a replica away, and another request made one, between the two looks.
    joined = {name: there.get(name, []) + outside.get(name, []) for name in there.keys() | outside.keys()}
    for pod_name, cidr in asked:
        _refuse_overlap(pod_name, cidr, joined)
    return bool(asked)


def _check_outside(gateway: Gateway, request: Request, path: Path) -> None:
    """The same for an external network: no single pod sees all of the router's subnets. Raises BadRequest."""
    body = (request.body_json or {}).get("router")
    if path.rest or not isinstance(body, dict) or stretched.INFO not in body:
        return
    target = gateways.target(gateway, request, body[stretched.INFO])
    if target:
        query = urlencode({"network_id": body[stretched.INFO]["network_id"], "fields": "cidr"})
        there = _subnets(gateway, path.member, INTERFACE)
        for subnet in listed(gateway.upstream, target["pod_name"], "subnets", query) if any(there.values()) else ():
            _refuse_overlap(target["pod_name"], subnet["cidr"], there)


def _refuse_overlap(pod_name: str, cidr: str, there: dict[str, list[str]]) -> None:
    for other, cidrs in there.items():
        clash = next((each for each in cidrs if other != pod_name and _overlap(each, cidr)), None)
        if clash:
            raise BadRequest(f"Bad router request: Cidr {cidr} in pod {pod_name} overlaps with cidr {clash}, which "
                             f"the router joins in pod {other}.")


def _behind(gateway: Gateway, request: Request, path: Path, router: dict) -> dict[str, list[str]]:
    """Return the floating IPs that are in the way of a request: {pod: fixed addresses behind the router there}.

    Those of ports in other pods that are gone are not: they come off here. Raises ApiError: a pod does not answer.
    """
    body = (request.body_json or {}).get("router")
    ends = (request.method == "DELETE" and not path.rest) or path.rest == "/remove_router_interface"
    clears = request.method == "PUT" and not path.rest and isinstance(body, dict) and gateways.INFO in body
    local = _local(gateway, path.member) if ends or clears else {}
    try:
        return gone_ports.release(gateway, router["project_id"], local) if len(local) > 1 else {}
    except PodUnreachable as error:
        raise failure(error) from error


def _check_floating_ips(gateway: Gateway, request: Request, router_id: str, behind: dict[str, list[str]]) -> None:
    """Refuse to take a subnet off the router that a floating IP in another pod needs: its own pod does not know of it.

    Raises:
        Conflict: a floating IP is behind the interface.
    """
    for pod_name, cidr in _asked(gateway, request) if behind else ():
        if any(ip_address(ip) in ip_network(cidr) for other in behind.keys() - {pod_name} for ip in behind[other]):
            raise Conflict(f"Router interface for subnet {cidr} on router {router_id} cannot be deleted, as it is "
                           "required by one or more floating IPs.", "RouterInterfaceInUseByFloatingIP")


def _local(gateway: Gateway, router_id: str) -> dict[str, str]:
    """{pod: the router's id there}, its home included."""
    home = routings.home(gateway.db, router_id)
    rows = {pod["pod_id"]: pod for pod in pods.bottom(gateway.db)}
    local = replicas.of_resource(gateway.db, router_id) | ({home["pod_id"]: router_id} if home else {})
    return {rows[pod_id]["pod_name"]: local_id for pod_id, local_id in local.items()}


def _overlap(one: str, two: str) -> bool:
    nets = ip_network(one), ip_network(two)
    return nets[0].version == nets[1].version and nets[0].overlaps(nets[1])


def _asked(gateway: Gateway, request: Request) -> list[tuple[str, str]]:
    """(pod, CIDR) of the subnets that the request names, itself or by a port. Raises Refused: the user may not see one.

    What no pod has is left for the router's pod to refuse.
    """
    found = []
    body = request.body_json or {}
    named = mentions("network", {name: body.get(name) for name in ("subnet_id", "port_id")}).resources
    for _, collection, resource_id in named:
        shown = judged.seen(gateway, request, collection, resource_id) if collection in ("subnets", "ports") else None
        if collection == "ports" and shown:
            subnets = [judged.seen(gateway, request, "subnets", ip["subnet_id"]) for ip in shown["fixed_ips"]]
        else:
            subnets = [shown]
        home = gateway.locator.find(request.caller, "network", collection, resource_id) if any(subnets) else None
        found += [(home["pod_name"], subnet["cidr"]) for subnet in subnets if subnet]
    return found


def _subnets(gateway: Gateway, router_id: str, owner: str) -> dict[str, list[str]]:
    """{pod: CIDRs of the subnets on which `_ports` are}."""
    ports = _ports(gateway, router_id, owner)
    found, missing = scatter(ports, lambda name: _cidrs(gateway, name, [ip["subnet_id"] for port in ports[name]
                                                                        for ip in port["fixed_ips"]]))
    if missing:
        raise failure(next(iter(missing.values())))
    return found


def _ports(gateway: Gateway, router_id: str, owner: str) -> dict[str, list[dict]]:
    """{pod: the router's ports of one kind there, without the plumbing}. Raises ApiError: a pod does not answer."""
    names, own = _local(gateway, router_id), gateway.upstream.account.project_id()

    def look(name: str) -> list[dict]:
        query = urlencode({"device_id": names[name], "device_owner": owner,
                           "fields": ("id", "fixed_ips", "description", "project_id")}, doseq=True)
        return [port for port in listed(gateway.upstream, name, "ports", query) if not marks.is_plumbing(port, own)]

    found, missing = scatter(names, look)
    if missing:
        raise failure(next(iter(missing.values())))
    return found


def _cidrs(gateway: Gateway, pod_name: str, subnet_ids: list[str]) -> list[str]:
    if not subnet_ids:
        return []
    query = urlencode({"id": subnet_ids, "fields": "cidr"}, doseq=True)
    return [subnet["cidr"] for subnet in listed(gateway.upstream, pod_name, "subnets", query)]


HANDLERS = {("network", "routers"): routers}
