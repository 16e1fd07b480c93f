"""Nova's old API for floating IPs: a pool is an external network, and its pod is the one that can give an address.

An address of another pod than the server's is unknown to the server's Nova: there it is Neutron's API that is asked.

Source: API reference of Nova: `os-floating-ips`, gone since microversion 2.36; the actions `addFloatingIp` and
`removeFloatingIp`, gone since 2.44.
"""
import json
from urllib.parse import quote, urlencode

from tricircle.api import floatingips, generic
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import BadRequest, Conflict
from tricircle.routing.catalogue import NETWORK, UUID, Path, parse
from tricircle.store import pods

GONE = (2, 44)
ACTIONS = ("addFloatingIp", "removeFloatingIp")


def create(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A new address comes from the pod of its pool; where that is unclear, the project's pod says what is wrong."""
    pool = (request.body_json or {}).get("pool")
    if request.method != "POST" or path.member or not isinstance(pool, str | None):
        return None
    having = gateway.locator.having(request.caller, NETWORK, f"/v2.0/networks?{_query(pool)}")
    if not having:
        return None
    default = pods.default_pod(gateway.db, request.caller.project_id)
    if any(pod["pod_id"] == default["pod_id"] for pod in having):
        having.insert(0, default)
    response = generic.exchange(gateway, request, path, having[0])
    generic.unbind(gateway, default, response.status)
    return response


def _query(pool: str | None) -> str:
    wanted = "router:external=True&fields=id"
    if pool is None:
        return wanted
    return f"{wanted}&{'id' if UUID.match(pool) else 'name'}={quote(pool, safe='')}"


def action(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A server gets or loses an address that is in another pod.

    Raises:
        BadRequest: Neutron refuses it; there is no port with such a fixed address.
        Conflict: the address is not this server's.
    """
    if request.method != "POST" or path.rest != "/action" or (request.microversion or ()) >= GONE:
        return None
    body = request.body_json or {}
    name = next((name for name in ACTIONS if isinstance(body.get(name), dict)), None)
    address = body[name].get("address") if name else None
    if not isinstance(address, str) or not UUID.match(path.member):
        return None
    found = _neutron(gateway, request, "GET", "floatingips", {"floating_ip_address": address})
    if not found or _home(gateway, request, "floatingips", found[0]["id"]) == _home(
            gateway, request, "servers", path.member):
        return None
    ports = _neutron(gateway, request, "GET", "ports", {"device_id": path.member})
    if name == "removeFloatingIp":
        if found[0]["port_id"] not in {port["id"] for port in ports}:
            raise Conflict(f"Floating IP {address} is not associated with instance {path.member}.")
        wanted = {"port_id": None}
    else:
        wanted = _port(ports, body[name].get("fixed_address"))
    _neutron(gateway, request, "PUT", f"floatingips/{found[0]['id']}", {}, {"floatingip": wanted})
    return Response(202, [], b"")


def _port(ports: list[dict], fixed_address: object) -> dict:
    """Port and fixed address to use: the one that was named, or the first of IPv4, as Nova does."""
    for port in ports:
        for each in port["fixed_ips"]:
            if each["ip_address"] == fixed_address or (fixed_address is None and ":" not in each["ip_address"]):
                return {"port_id": port["id"], "fixed_ip_address": each["ip_address"]}
    raise BadRequest("No fixed IPv4 addresses to associate" if fixed_address is None else
                     f"Specified fixed address {fixed_address} not assigned to instance")


def _home(gateway: Gateway, request: Request, collection: str, resource_id: str) -> str | None:
    service = "compute" if collection == "servers" else "network"
    pod = gateway.locator.find(request.caller, service, collection, resource_id)
    return pod["pod_id"] if pod else None


def _neutron(gateway: Gateway, request: Request, method: str, target: str, query: dict,
             body: dict | None = None) -> list[dict]:
    """Ask the big region's own Neutron in the user's name; the records of a list. Raises BadRequest for a refusal."""
    path = parse(NETWORK, f"/v2.0/{target}")
    asked = Request(method, f"/v2.0/{target}", urlencode(query), {"content-type": "application/json"},
                    json.dumps(body).encode() if body else b"", request.root, request.request_id, request.caller, body)
    handler = floatingips.floatingips if path.collection.path == "floatingips" else generic.plain
    response = handler(gateway, asked, path)
    document = json.loads(response.body)
    if response.status >= 400:
        raise BadRequest(str(document.get("NeutronError", {}).get("message", "Neutron refuses it")))
    return next(iter(document.values())) if method == "GET" else []


HANDLERS = {("compute", "os-floating-ips"): create, ("compute", "servers"): action}
