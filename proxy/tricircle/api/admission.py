"""A project's quota over several pods: each pod keeps to it for what it has itself, the sum is watched here."""
import json
import logging
from collections.abc import Callable
from typing import Any

from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.over_quota import refusal
from tricircle.errors import ApiError, PodUnreachable, StoreBusy, Unavailable
from tricircle.routing import projects, takes
from tricircle.routing.catalogue import Path
from tricircle.routing.claiming import Claimant
from tricircle.routing.takes import Look, Take
from tricircle.store import claims, pods
from tricircle.upstream.deadline import Deadline

LOG = logging.getLogger(__name__)
Forward = Callable[[Gateway, Request, Path, dict], Response]


def within_quota(gateway: Gateway, request: Request, path: Path, pod: dict, forward: Forward) -> Response:
    """Forward a request, unless the project's quota would be passed by it.

    Args:
        gateway, request, path: as in `generic.serve`.
        pod: row of the pod that gets it.
        forward: does it.

    Returns:
        What `forward` gives, or the refusal in the service's own words.
    """
    take = takes.find(request.method, path, request.body_json)
    if take is None or len(pods.bottom(gateway.db)) < 2:
        return forward(gateway, request, path, pod)
    try:
        taken, request = _claim(gateway, request, path, pod, take)
    except PodUnreachable as error:
        raise Unavailable(f"{error}. Nothing was changed; try again later") from error
    if isinstance(taken, Response):
        return taken
    made = False
    try:
        response = forward(gateway, request, path, pod)
        made = not 400 <= response.status < 500
    except ApiError as error:
        made = error.status in (502, 504)   # what became of it is not known; if it was made, the pod counts it
        raise
    finally:
        _close(gateway, taken, made)
    return response


def _claim(gateway: Gateway, request: Request, path: Path, pod: dict,
           take: Take) -> tuple[list[str] | Response, Request]:
    """(claims, or a refusal; the request, perhaps for fewer servers)."""
    look = Look(gateway.db, gateway.upstream, request.caller, pod, Deadline(gateway.upstream.conf.list_deadline))
    record = look.at(*take.record, path.member) if take.record else {}
    if take.record and not record:
        return [], request   # the pod's own answer is better
    taken: list[str] = []
    try:
        for owner, given in _shares(gateway, request, path, pod, take, record).items():
            claim, request = _of_one(gateway, request, path, look, take, owner, given, record)
            if isinstance(claim, Response):
                _close(gateway, taken, made=False)
                return claim, request
            taken += [claim] if claim else []
    except BaseException:
        _close(gateway, taken, made=False)
        raise
    return taken, request


def _shares(gateway: Gateway, request: Request, path: Path, pod: dict, take: Take, record: dict) -> dict[str, Any]:
    """{project: what of the body is its}: Neutron counts each member of a list for the project that it names."""
    given = request.body_json[take.member]
    if path.service.name != "network":
        return {takes.owner(request.caller, record): given}
    owners = projects.owners(gateway.upstream, request.caller, [pod["pod_name"]], given)
    if not isinstance(given, list):
        return {owners[0]: given}
    return {owner: [each for each, its in zip(given, owners, strict=True) if its == owner]
            for owner in dict.fromkeys(owners)}


def _of_one(gateway: Gateway, request: Request, path: Path, look: Look, take: Take, owner: str, given: Any,
            record: dict) -> tuple[str | Response | None, Request]:
    """(claim on one project's quota, refusal, or None when there is nothing to claim; the request as above)."""
    claimant = Claimant(gateway.db, gateway.upstream, owner, look.pod, gateway.unused_pods,
                        (path.service.name, path.collection.path))
    amount = take.amount(look, given, record) if claimant.is_unsure() else None
    if amount and amount.units:
        claimant.look(set(amount.units))
    alone, claim = claimant.alone()
    if alone:
        return claim, request
    amount = amount or take.amount(look, given, record)
    if amount is None or not amount.units:
        return None, request
    claim, count, room = claimant.among_several(amount)
    if claim is None:
        return refusal(path, amount, room.over(amount)), request
    return claim, request if count == amount.most else _fewer(request, take.member, count)


def _fewer(request: Request, member: str, count: int) -> Request:
    """Nova makes as many servers as the quota allows, between the least and the most that are asked for."""
    body = request.body_json | {member: request.body_json[member] | {"max_count": count}}
    return Request(request.method, request.path, request.query, request.headers, json.dumps(body).encode(),
                   request.root, request.request_id, request.caller, body)


def _close(gateway: Gateway, taken: list[str], made: bool) -> None:
    for claim in taken:
        try:
            (claims.end if made else claims.release)(gateway.db, claim)
        except StoreBusy as error:
            LOG.warning("claim %s runs out by itself: %s", claim, error)
