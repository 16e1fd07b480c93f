"""Changes of a subnet pool that its home alone would let pass, since it does not know what other pods have of it."""
import json
import logging
from dataclasses import replace
from typing import Any

from tricircle.api import generic, judged, needs
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.pool_subnets import defaults, held, listed, net_of, network_pod
from tricircle.api.replicated import followed
from tricircle.errors import ApiError, BadRequest, Conflict, PodUnreachable, Unavailable
from tricircle.prefixes import Net, nets, without
from tricircle.routing import pooling
from tricircle.routing import replicas as make
from tricircle.routing.catalogue import UUID, Path, parse
from tricircle.routing.fields import is_true
from tricircle.store import pods, prefixes, replicas
from tricircle.upstream.neutron import listed as records_of
from tricircle.upstream.neutron import question
from tricircle.upstream.scatter import scatter

LOG = logging.getLogger(__name__)
# Fields whose change needs a look at other pods.
CROSSING = frozenset({"address_scope_id", "prefixes", "is_default"})
DOUBTFUL = (502, 504)       # statuses of `forward.failure` for a request that may have been carried out
LONGEST = {4: 32, 6: 128}   # {IP version: bits of its longest prefix}


def subnetpools(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """What needs a look at other pods; the rest is left to `replicated.followed`."""
    change = CHANGES.get((request.method, path.rest))
    if not change or (request.method == "POST") == bool(path.member):
        return None
    body = request.body_json if isinstance(request.body_json, dict) else {}
    home = gateway.locator.find(request.caller, "network", "subnetpools", path.member) \
        if UUID.match(path.member) else None
    try:
        if not path.member:
            return change(gateway, request, path, None, {}, body)
        if change is _update and not CROSSING & _given(body).keys():
            return None
        pool = judged.changeable(gateway, request, path.collection.path, path.member) if home else None
        return change(gateway, request, path, home, pool, body) if pool else None
    except PodUnreachable as error:
        raise Unavailable(f"{error}. Nothing was changed; try again later") from error


def _create(gateway: Gateway, request: Request, path: Path, home: None, pool: dict,
            body: dict) -> Response | None:
    given = _given(body)
    asked = given.get("prefixes")
    net = net_of(asked[0]) if isinstance(asked, list) and asked else None
    _refuse_overlap(gateway, request, "", given.get("address_scope_id"), asked)
    if is_true(given.get("is_default")) and net:
        return _second_default(gateway, request, path, net.version)
    return None


def _update(gateway: Gateway, request: Request, path: Path, home: dict, pool: dict, body: dict) -> Response | None:
    given = _given(body)
    if given.keys() & {"address_scope_id", "prefixes"}:
        _refuse_overlap(gateway, request, path.member, given.get("address_scope_id", pool.get("address_scope_id")),
                        given.get("prefixes", pool["prefixes"]))
    if is_true(given.get("is_default")):
        refusal = _second_default(gateway, request, path, pool["ip_version"])
        if refusal:
            return refusal
    scope, there = str(given.get("address_scope_id")), []
    try:
        if UUID.match(scope):
            _bring_scope(gateway, request, path, scope, there)
        response = followed(gateway, request, path)
    except (ApiError, PodUnreachable) as error:
        if error.status not in DOUBTFUL:
            _take_scope_back(gateway, scope, there)
        raise
    if 400 <= response.status < 500:
        _take_scope_back(gateway, scope, there)
    return response


def _delete(gateway: Gateway, request: Request, path: Path, home: dict, pool: dict, body: dict) -> Response:
    response = followed(gateway, request, path)
    if response.status == 204:
        prefixes.forget(gateway.db, path.member)
    return response


def _given(body: dict) -> dict:
    given = body.get("subnetpool")
    return given if isinstance(given, dict) else {}


def _second_default(gateway: Gateway, request: Request, path: Path, version: int) -> Response | None:
    """Refuse a second default for an IP version, of which a pod sees its own only.

    Neutron's policy comes first: only who may make a pool the default is told that there is one. A pod judges that by
    a request that it refuses in any case, for its bounds (neutron/ipam/subnet_alloc.py `SubnetPoolReader`).

    Args:
        gateway, request, path: as everywhere.
        version: 4 or 6.

    Returns:
        The pod's own refusal; None when no other pool is the default.

    Raises:
        BadRequest: another pool is the default.
        Unavailable: as `pool_subnets.defaults`.
    """
    if all(pool_id == path.member for pool_id, _ in defaults(gateway, request, version)):
        return None
    impossible = {"min_prefixlen": LONGEST[version], "max_prefixlen": 1}
    answer = generic.plain(gateway, request.with_json({"subnetpool": _given(request.body_json) | impossible}), path)
    if answer.neutron_error != "IllegalSubnetPoolPrefixBounds":
        return answer
    raise BadRequest("Invalid input for operation: A default subnetpool for this IP family has already been set. "
                     "Only one default may exist per IP family.", "InvalidInput")


def _add(gateway: Gateway, request: Request, path: Path, home: dict, pool: dict, body: dict) -> None:
    _refuse_overlap(gateway, request, path.member, pool.get("address_scope_id"), body.get("prefixes"))


def _remove(gateway: Gateway, request: Request, path: Path, home: dict, pool: dict, body: dict) -> Response:
    """No subnet anywhere may have something of what is removed."""
    asked = body.get("prefixes")
    found = [net_of(each) for each in asked] if isinstance(asked, list) else []
    gone = [net for net in found if net and net.version == pool["ip_version"]]
    if not gone:
        return generic.plain(gateway, request, path)   # the pod refuses it, or has nothing to remove

    def in_use(_: Net) -> BadRequest:
        return BadRequest("Illegal update to prefixes: One or more the prefixes to be removed is in use by a subnet.",
                          "IllegalSubnetPoolPrefixUpdate")

    claim = gateway.pools.claim(pool, home, home, request.caller.project_id, pooling.apart_from_all(gone, in_use))
    return held([claim], lambda: followed(gateway, request, path))


def _onboard(gateway: Gateway, request: Request, path: Path, home: dict, pool: dict, body: dict) -> Response:
    """A network's subnets become the pool's; no other subnet of the pool, wherever it is, may overlap with them."""
    pod = network_pod(gateway, request, body)
    if not pod:
        return generic.plain(gateway, request, path)
    query = f"network_id={body['network_id']}&ip_version={pool['ip_version']}"
    there = {net_of(each["cidr"]): each["id"] for each in listed(gateway, request, pod, "subnets", query)}
    homes, joining = replicas.to_home(gateway.db, pod["pod_id"], list(there.values())), list(there)

    def clash(net: Net) -> BadRequest:
        subnet = homes.get(there[net], there[net])
        return BadRequest(f"Illegal subnetpool update : Onboarding subnet {subnet}: {net} conflicts with allocated "
                          f"prefixes in subnet pool {path.member}.", "IllegalSubnetPoolUpdate")

    claim = gateway.pools.claim(pool, home, pod, request.caller.project_id, pooling.apart_from_all(joining, clash))
    return held([claim], lambda: _join(gateway, request, path, pool, joining, apart=pod["pod_id"] != home["pod_id"]))


def _join(gateway: Gateway, request: Request, path: Path, pool: dict, joining: list[Net], apart: bool) -> Response:
    """In another pod than the home's it is the replica that they join, which must not have more than the home has."""
    added = without(joining, nets(pool["prefixes"])) if apart else []
    if added:
        answer = _change(gateway, request, path, "add_prefixes", added)
        if answer.status != 200:
            return answer
    try:
        response = followed(gateway, request, path)
    except (ApiError, PodUnreachable) as error:
        if error.status not in DOUBTFUL:
            _take_out(gateway, request, path, added)
        raise
    if 400 <= response.status < 500:
        _take_out(gateway, request, path, added)
    return response


def _take_out(gateway: Gateway, request: Request, path: Path, added: list[Net]) -> None:
    if not added:
        return
    try:
        answer = _change(gateway, request, path, "remove_prefixes", added)
        why = "" if answer.status == 200 else f"its home answered {answer.status}"
    except (ApiError, PodUnreachable) as error:   # what went wrong first is the answer
        why = str(error)
    if why:
        LOG.warning("subnet pool %s keeps %s: %s", path.member, ", ".join(map(str, added)), why)


def _change(gateway: Gateway, request: Request, path: Path, action: str, found: list[Net]) -> Response:
    body = {"prefixes": [str(net) for net in found]}
    own = replace(request, path=f"{path.base}/{path.member}/{action}", body=json.dumps(body).encode(),
                  body_json=body)
    return followed(gateway, own, parse(path.service, own.path))


def _bring_scope(gateway: Gateway, request: Request, path: Path, scope: str, there: list[dict]) -> None:
    """Where the pool's replicas are its new scope is, too; where its home is the generic path sees to it.

    Args:
        gateway, request, path: as everywhere.
        scope: home id.
        there: gets the rows of the pods that have the scope only since now.

    Raises:
        Refused: the user does not see the scope.
        PodUnreachable: a pod with a replica does not answer.
    """
    replicated = replicas.of_resource(gateway.db, path.member)
    if replicated and judged.seen(gateway, request, "address-scopes", scope):
        for pod_id in replicated:
            pod = pods.show(gateway.db, pod_id)
            there += [pod for _ in needs.bring_scope(gateway, request, scope, pod)]


def _take_scope_back(gateway: Gateway, scope: str, there: list[dict]) -> None:
    for pod in there:
        try:
            make.take_back(gateway.db, gateway.upstream, "address-scopes", scope, pod)
        except PodUnreachable as error:   # the refusal is the answer, and the replica goes with its home
            LOG.warning("the replica of address scope %s stays: %s", scope, error)


def _refuse_overlap(gateway: Gateway, request: Request, pool_id: str, scope: Any, prefixes: Any) -> None:
    """No two pools of an address scope have an address in common; a pod knows its own only.

    Args:
        gateway, request: as everywhere.
        pool_id: home id of the pool; empty for a new one.
        scope: home id of the scope; what is no id is left to the pod.
        prefixes: of the pool.

    Raises:
        Conflict: another pool, in whatever pod, has one of its addresses.
        PodUnreachable: a pod with pools of the scope does not answer.
    """
    home = gateway.locator.find(request.caller, "network", "address-scopes", scope) if UUID.match(str(scope)) else None
    copies = replicas.of_resource(gateway.db, scope) if home else {}
    if not copies or not judged.seen(gateway, request, "address-scopes", scope):
        return
    own = [net for each in (prefixes if isinstance(prefixes, list) else ()) if (net := net_of(each))]
    rows = {pod["pod_name"]: pod for pod in pods.bottom(gateway.db) if pod["pod_id"] in {home["pod_id"], *copies}}
    asked = {name: question({"address_scope_id": copies.get(pod["pod_id"], scope)}, ("id", "prefixes"))
             for name, pod in rows.items()}
    answers, failed = scatter(rows, lambda name: records_of(gateway.upstream, name, "subnetpools", asked[name]))
    for error in failed.values():
        raise error
    for name, found in answers.items():
        homes = replicas.to_home(gateway.db, rows[name]["pod_id"], [pool["id"] for pool in found])
        others = nets(each for pool in found if homes.get(pool["id"], pool["id"]) != pool_id
                      for each in pool["prefixes"])
        if any(net.version == other.version and net.overlaps(other) for net in own for other in others):
            raise Conflict("Failed to associate address scope: subnetpools within an address scope must have unique "
                           "prefixes.", "AddressScopePrefixConflict")


CHANGES = {("POST", ""): _create, ("PUT", ""): _update, ("DELETE", ""): _delete, ("PUT", "/add_prefixes"): _add,
           ("PUT", "/remove_prefixes"): _remove,
           ("PUT", "/onboard_network_subnets"): _onboard}
HANDLERS = {("network", "subnetpools"): subnetpools}
