"""Whether Nova takes an interface for a running server, as far as it can be told before the network is there."""
import re
from ipaddress import ip_address
from typing import Any

from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.routing.catalogue import Path
from tricircle.routing.takes import Look
from tricircle.upstream.deadline import Deadline

# States of a server in which Nova attaches an interface (nova/compute/api.py `attach_interface`).
STATES = frozenset({"active", "paused", "stopped"})
TAGS_SINCE = (2, 49)
TAG = re.compile(r"[^,/]{1,60}")   # nova/api/validation/parameter_types.py `tag`


def takes_interface(gateway: Gateway, request: Request, path: Path) -> bool:
    """Return whether Nova's API is going to take a request for an interface on a network.

    Nova's API looks at the body, the policy, the lock and the state of the server, and refuses the request for any of
    them before it looks for the network. A server that the user may not see is left to the pod, too.

    Args:
        gateway, request: as everywhere.
        path: the server's `/os-interface`.

    Raises:
        PodUnreachable, Unavailable: the server's pod does not answer, or none that might have it.
    """
    if not _is_plain((request.body_json or {}).get("interfaceAttachment"), request.microversion or ()):
        return False
    home = gateway.locator.find(request.caller, "compute", "servers", path.member)
    if not home:
        return False
    look = Look(gateway.db, gateway.upstream, request.caller, home, Deadline(gateway.upstream.conf.deadline))
    server = look.at("compute", "server", "servers", path.member)
    locked = server.get("locked") and not request.caller.is_admin
    return server.get("OS-EXT-STS:vm_state") in STATES and not server.get("OS-EXT-STS:task_state") and not locked


def _is_plain(asked: Any, microversion: tuple[int, ...]) -> bool:
    """Whether a body is as Nova's schema wants it (nova/api/openstack/compute/schemas/attach_interfaces.py)."""
    known = {"net_id", "fixed_ips", *(["tag"] if microversion >= TAGS_SINCE else [])}
    if not isinstance(asked, dict) or not asked.keys() <= known:
        return False
    tag, addresses = asked.get("tag", "none"), asked.get("fixed_ips", [{"ip_address": "::"}])
    return isinstance(tag, str) and bool(TAG.fullmatch(tag)) and (
        isinstance(addresses, list) and len(addresses) == 1 and _is_address(addresses[0]))


def _is_address(given: Any) -> bool:
    if not isinstance(given, dict) or given.keys() != {"ip_address"} or not isinstance(given["ip_address"], str):
        return False
    try:
        ip_address(given["ip_address"])
    except ValueError:
        return False
    return True
