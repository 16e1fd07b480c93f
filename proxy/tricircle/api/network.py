"""Where Neutron's API shows the big region itself: zones, and the pod of an external network."""
import re

from tricircle.api import generic
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.routing.catalogue import Path
from tricircle.store import pods

ONE_TAG = re.compile(r"/tags/[^/]+\Z")


def useless_body(path: str) -> bool:
    """Whether a path is that of one tag: Neutron does not look at the body there, and clients send what they like."""
    return bool(ONE_TAG.search(path))


def networks(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """An external network's hint is the name of a pod, not of a zone (as in the original)."""
    body = (request.body_json or {}).get("network")
    if request.method != "POST" or path.member or not isinstance(body, dict) or not body.get("router:external"):
        return None
    return generic.perform(gateway, request, path, external=True)


def zones(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """The user's zones, one record a zone and kind of resource, as Neutron lists them."""
    if request.method != "GET" or path.member:
        return None
    return Response.of_json(200, {"availability_zones": [
        {"name": name, "resource": resource, "state": "available" if enabled else "unavailable"}
        for name, enabled in pods.zones(gateway.db).items() for resource in ("network", "router")]})


HANDLERS = {("network", "networks"): networks, ("network", "availability_zones"): zones}
