"""Subnets from pools: the gateway chooses the prefix, since no pod knows what the others have of the pool."""
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from tricircle.api import bulk, generic, judged
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import ApiError, BadRequest, PodUnreachable, Unavailable
from tricircle.prefixes import Net
from tricircle.routing import pooling, projects, rewrite
from tricircle.routing.catalogue import UUID, Path
from tricircle.routing.fields import is_true
from tricircle.store import pods, replicas
from tricircle.upstream.client import Answer, member
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import records
from tricircle.upstream.scatter import scatter

MOST = 50   # in one request: for each the pods are asked what the pool has left
UNKNOWN = (502, 504)   # what became of the request is not known: its claims stay until a look tells


def subnets(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A subnet from a pool gets a prefix that no subnet of the pool has in any pod."""
    claims: list[pooling.Claim] = []
    try:
        drawn = [given for given in bulk.members(request, path) if _is_drawn(given)]
        if len(drawn) > MOST:
            raise BadRequest(f"one request makes {MOST} subnets from pools at most")
        owners = projects.owners(gateway.upstream, request.caller, pods.by_name(gateway.db), drawn)
        deadline = Deadline(gateway.upstream.conf.deadline)
        for given, owner in deadline.each(zip(drawn, owners, strict=True)):
            claims += _draw(gateway, request, given, owner)
    except ApiError:
        _release(claims)
        raise
    except PodUnreachable as error:
        _release(claims)
        raise Unavailable(f"{error}. Nothing was changed; try again later") from error
    if not claims:
        return None
    request.body = rewrite.dump(request.body_json)
    return held(claims, lambda: generic.plain(gateway, request, path))


def held(claims: list[pooling.Claim], forward: Callable[[], Response]) -> Response:
    """Forward a request, and end its claims as it ends; where that is not known, they run out by themselves."""
    try:
        response = forward()
    except ApiError as error:
        if error.status not in UNKNOWN:
            _release(claims)
        raise
    if 400 <= response.status < 500:
        _release(claims)
    elif response.status < 400:
        for claim in claims:
            claim.settle()
    return response


def _release(claims: list[pooling.Claim]) -> None:
    for claim in claims:
        claim.release()


def _is_drawn(given: dict) -> bool:
    return bool(given.get("subnetpool_id")) or is_true(given.get("use_default_subnetpool"))


def _draw(gateway: Gateway, request: Request, given: dict, owner: str) -> list[pooling.Claim]:
    """Choose the prefix of one subnet and write it into its body; nothing where its pod is going to refuse it.

    Raises:
        ApiError: in Neutron's words, when the pool has none, or when a pod does not answer.
        PodUnreachable: the same.
    """
    pod = network_pod(gateway, request, given)
    pool_id = _pool_of(gateway, request, given, pod) if pod else None
    home = gateway.locator.find(request.caller, "network", "subnetpools", pool_id) if pool_id else None
    pool = _show(gateway, request, pool_id, home, pod) if home else None
    wish = _wish(given, pool) if pool else None
    if wish is None:
        return []
    claim = gateway.pools.claim(pool | {"id": pool_id}, home, pod, owner, pooling.choose(pool, wish))
    given["subnetpool_id"] = pool_id
    for name in ("use_default_subnetpool", "prefixlen"):
        given.pop(name, None)
    if not given.get("cidr"):
        given["cidr"] = claim.cidrs[0]
    return [claim]


def network_pod(gateway: Gateway, request: Request, given: dict) -> dict | None:
    """Row of the pod of the network that a body names, and that the user sees; None when there is none.

    Raises:
        Refused: the home of the network does not show it to the user.
    """
    network = _uuid(given.get("network_id"))
    if not network or not judged.seen(gateway, request, "networks", network):
        return None
    return gateway.locator.find(request.caller, "network", "networks", network)


def _uuid(value: Any) -> str | None:
    return value if isinstance(value, str) and UUID.match(value) else None


def _pool_of(gateway: Gateway, request: Request, given: dict, pod: dict) -> str | None:
    """Home id of the pool that a subnet is to be from; None when there is none, or the body is wrong."""
    named, default = given.get("subnetpool_id"), given.get("use_default_subnetpool")
    if named:
        return None if is_true(default) else _uuid(named)
    if not is_true(default):
        return None
    cidr = net_of(given.get("cidr"))
    found = defaults(gateway, request, cidr.version if cidr else _number(given.get("ip_version")))
    here = [pool_id for pool_id, owner in found if owner["pod_id"] == pod["pod_id"]]
    return next(iter([*here, *(pool_id for pool_id, _ in found)]), None)


def defaults(gateway: Gateway, request: Request, version: int | None) -> list[tuple[str, dict]]:
    """(id, pod) of the default pools of an IP version that the caller sees, by pod. Replicas are no defaults.

    Raises:
        Unavailable: there is none in the pods that answer, and one does not.
    """
    rows = pods.by_name(gateway.db)
    answers, missing = scatter(rows, lambda name: listed(gateway, request, rows[name], "subnetpools",
                                                         "is_default=true"))
    found = [(pool["id"], rows[name]) for name, pools in answers.items() for pool in pools
             if _number(pool["ip_version"]) == version]
    if missing and not found:
        raise Unavailable(f"no pod that answers has a default subnet pool for IPv{version}, and {', '.join(missing)} "
                          "cannot be reached now: try again later")
    return found


def _show(gateway: Gateway, request: Request, pool_id: str, home: dict, pod: dict) -> dict | None:
    """A pool as the caller sees it, in its home; while that is away, in the pod that is going to hand out of it."""
    path = f"/v2.0/subnetpools/{pool_id}"
    try:
        answer = ask(gateway, request, home, path)
    except PodUnreachable:
        if not replicas.to_local(gateway.db, pod["pod_id"], [pool_id]):
            raise
        answer = ask(gateway, request, pod, path)
    return member(answer, "subnetpool") or None if answer.ok else None


def ask(gateway: Gateway, request: Request, pod: dict, path: str) -> Answer:
    """A GET in the caller's name; the answer has the pod's ids. Raises PodUnreachable."""
    return gateway.upstream.call(pod["pod_name"], "network", "GET",
                                 rewrite.down(gateway.db, pod["pod_id"], path.encode()).decode(),
                                 headers=request.caller.headers, deadline=Deadline(gateway.upstream.conf.list_deadline))


def listed(gateway: Gateway, request: Request, pod: dict, collection: str, query: str) -> list[dict]:
    """A pod's list as the caller sees it. Raises PodUnreachable."""
    return records(ask(gateway, request, pod, f"/v2.0/{collection}?{query}"), collection)


def _wish(given: dict, pool: dict) -> Net | int | None:
    """The prefix that is asked for, or its length; None when Neutron refuses the body."""
    cidr, length, version = given.get("cidr"), given.get("prefixlen"), _number(pool["ip_version"])
    if _number(given.get("ip_version")) != version or (cidr and length is not None):
        return None
    if cidr and not net_of(cidr):
        raise BadRequest(f"Invalid input for cidr. Reason: '{str(cidr)[:80]}' is not a valid IP subnet.",
                         "HTTPBadRequest")
    size = _number(pool["default_prefixlen"] if length is None else length)
    if size is None or (given.get("allocation_pools") and not cidr):
        return None
    if not cidr and not given.get("gateway_ip"):
        return size
    # A gateway's address says where the subnet is (Neutron's SubnetRequestFactory).
    name = "cidr" if cidr else "gateway_ip"
    net = net_of(cidr or f"{given[name]}/{size}")
    if net and net.version != version:   # Neutron finds no prefix for it, and answers 500
        raise BadRequest(f"Invalid input for operation: {name} '{given[name]}' does not match the ip_version "
                         f"'{version}'.", "InvalidInput")
    return net


def _number(value: Any) -> int | None:
    """What Neutron takes for a whole number."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def net_of(text: Any) -> Net | None:
    """A prefix; None when it is none. Bits of a host do not count."""
    try:
        return ip_network(text, strict=False) if isinstance(text, str) and "/" in text else None
    except ValueError:
        return None


HANDLERS = {("network", "subnets"): subnets}
