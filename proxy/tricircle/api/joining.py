"""Whether a router is joined over its pods, as its owner sees it: by the status of the router and of its interfaces.

A job is the operator's, and not each of them joins something: a name, too, is carried to the other pods, and a pod may
be away for long. A tenant sees Neutron's records alone. Heat takes BUILD for "not yet", ERROR for a failure, and
gives up at a status that it does not know (heat/engine/resources/openstack/neutron/neutron.py `is_built`); Terraform
waits in the same way. So a router that is not joined yet is in BUILD, one whose job has given up is in ERROR.
"""
import json

from tricircle.api import generic
from tricircle.api import query as queries
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.crosspod.observe import INTERFACES
from tricircle.routing import rewrite
from tricircle.routing.catalogue import Path
from tricircle.store import interfaces, jobs, replicas, spans

ACTIVE = "ACTIVE"
BUILD, ERROR = "BUILD", "ERROR"
OPEN = ("queued", "running")   # states of a job
NEEDED = ("device_owner", "device_id", "fixed_ips")   # fields of a port that tell whether its status is ours to say


def statuses(gateway: Gateway, router_ids: list[str]) -> dict[str, str]:
    """Return {router id: status} of the routers over several pods that are not joined, or not known to be.

    Args:
        gateway: parts.
        router_ids: home ids.
    """
    states = jobs.states(gateway.db, "router", sorted(spans.stretched(gateway.db, router_ids)))
    owed = interfaces.joining(gateway.db, [router_id for router_id, state in states.items() if state in OPEN])
    return dict.fromkeys(owed, BUILD) | {router_id: ERROR for router_id, state in states.items() if state == "dead"}


def mark(gateway: Gateway, routers: dict[str, dict]) -> None:
    """Show the status of routers; one that its pod has in another status than ACTIVE keeps that.

    Args:
        gateway: parts.
        routers: {router id: record}, changed in place.
    """
    shown = [router_id for router_id, record in routers.items() if record.get("status") == ACTIVE]
    for router_id, status in statuses(gateway, shown).items():
        routers[router_id]["status"] = status


def ports(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Show an interface that its router's job has not joined yet as one that is being built."""
    if request.method != "GET" or path.rest or not spans.any_router(gateway.db):
        return None
    return queries.completed(request, path, ["status"], NEEDED, lambda asked: _dressed(
        gateway, generic.plain(gateway, asked, path)))


def _dressed(gateway: Gateway, response: Response) -> Response:
    if response.stream is not None or b"router_interface" not in response.body:
        return response
    document = json.loads(response.body)
    found = [value for *_, value in rewrite.walk(document) if isinstance(value, dict)
             and value.get("device_owner") in INTERFACES and isinstance(value.get("device_id"), str)
             and isinstance(value.get("status"), str)]
    standing = statuses(gateway, list(dict.fromkeys(port["device_id"] for port in found)))
    joined = {router_id: _joined(gateway, router_id) for router_id in standing}
    for port in found:
        status = standing.get(port["device_id"])
        if status and not _addresses(port) & joined[port["device_id"]]:
            port["status"] = status
    response.body = rewrite.dump(document)
    return response


def _joined(gateway: Gateway, router_id: str) -> set[tuple[str, str]]:
    """(subnet id, address) of the interfaces that a router had when its job last found all well."""
    found = set()
    for pod_id, there in interfaces.of_router(gateway.db, router_id).items():
        homes = replicas.to_home(gateway.db, pod_id, list(there))
        found |= {(homes.get(subnet, subnet), ip) for subnet, ip in there.items()}
    return found


def _addresses(port: dict) -> set[tuple[str, str]]:
    """(subnet id, address) of a port."""
    return {(each.get("subnet_id"), each.get("ip_address")) for each in port.get("fixed_ips") or []
            if isinstance(each, dict)}


HANDLERS = {("network", "ports"): ports}
