"""Nova's old API for floating IPs: a pool is an external network, and its pod is the one that can give an address.

Source: API reference of Nova, `os-floating-ips`, deprecated since microversion 2.36.
"""
from urllib.parse import quote

from tricircle.api import generic
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.routing.catalogue import NETWORK, UUID, Path
from tricircle.store import pods


def create(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A new address comes from the pod of its pool; where that is unclear, the project's pod says what is wrong."""
    body = request.body_json if isinstance(request.body_json, dict) else {}
    pool = body.get("pool")
    if request.method != "POST" or path.member or not isinstance(pool, str | None):
        return None
    having = gateway.locator.having(request.caller, NETWORK, f"/v2.0/networks?{_query(pool)}")
    default = pods.default_pod(gateway.db, request.caller.project_id)
    if not having or any(pod["pod_id"] == default["pod_id"] for pod in having):
        return None
    return generic.exchange(gateway, request, path, having[0])


def _query(pool: str | None) -> str:
    wanted = "router:external=True&fields=id"
    if pool is None:
        return wanted
    return f"{wanted}&{'id' if UUID.match(pool) else 'name'}={quote(pool, safe='')}"


HANDLERS = {("compute", "os-floating-ips"): create}
