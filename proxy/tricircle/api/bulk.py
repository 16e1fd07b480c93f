"""One request that makes several things, of which some belong in other pods than others: Neutron's bulk creates.

Neutron makes all of them or none. So does this: what was made is deleted again when a pod refuses the rest.
"""
import json
import logging
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import BadRequest, Unavailable
from tricircle.routing import fields, rewrite
from tricircle.routing.catalogue import Path, find, member_name, plural, singular
from tricircle.routing.references import mentions
from tricircle.upstream.deadline import Deadline

# Collections of which Neutron makes several members by one request: core resources, and extensions with `allow_bulk`.
TOGETHER = frozenset({"networks", "subnets", "ports", "security-groups", "security-group-rules", "address-scopes",
                      "address-groups", "local_ips", "log/logs", "metering/metering-labels",
                      "metering/metering-label-rules", "network-segment-ranges"})
LOG = logging.getLogger(__name__)
Serve = Callable[[Request, Path], Response]


def split(gateway: Gateway, request: Request, path: Path, serve: Serve) -> Response | None:
    """Serve a bulk create in parts, a pod each.

    Args:
        gateway: parts.
        request: the user's.
        path: parsed.
        serve: answers one part, or a deletion.

    Returns:
        What one pod would answer: all records in the order of the request, or the refusal of one part; None where one
        pod takes all of it, or the request is none of this kind.

    Raises:
        BadRequest: Neutron makes only one of this kind by one request.
        Unavailable: the parts take too long.
        TricircleError: as `serve`. Nothing is left of the other parts then, whatever was raised, but what could not be
            deleted in the time that all of it had.
    """
    several = plural(path.collection.path)
    given = members(request, path) if several in (request.body_json or ()) else []
    keys = _places(gateway, request, path, given)
    if len(set(keys)) < 2:
        return None
    if path.collection.path not in TOGETHER:
        raise _refusal(path, several)
    made: dict[int, dict] = {}
    deadline = Deadline(gateway.upstream.conf.deadline)

    def undo() -> None:
        _undo(request, path, list(made.values()), serve, Deadline(deadline.seconds))

    try:
        for key in dict.fromkeys(keys):
            if made and deadline.passed():
                raise Unavailable(f"the {several} could not be made in their pods in {deadline.seconds:g} seconds: "
                                  "none of them was made; ask for fewer at once")
            mine = [number for number, each in enumerate(keys) if each == key]
            response = _part(request, path, several, [given[number] for number in mine], serve)
            if response.status != 201:
                undo()
                return response
            made |= zip(mine, _records(response, path, several), strict=True)
    except Exception:   # whatever it is, the user is told that nothing was made
        undo()
        raise
    return Response(201, response.headers, rewrite.dump({several: [made[number] for number in range(len(given))]}))


def members(request: Request, path: Path) -> list[dict]:
    """Return what a POST to a collection of Neutron asks for, one record or several; none where it cannot be read."""
    body = request.body_json
    if path.service.name != "network" or request.method != "POST" or path.member or path.rest \
            or not isinstance(body, dict):
        return []
    name = member_name(path.collection.path, body)
    given = body.get(name) if name == plural(path.collection.path) else [body.get(name)]
    return given if isinstance(given, list) and all(isinstance(each, dict) for each in given) else []


def unwrapped(request: Request, path: Path) -> Request:
    """Write a create in the one way in which its records are read here: with nothing beside them.

    What else is in the body means nothing to Neutron, and would have its zones, ids and projects read here. Of several
    it takes each also as {"network": {...}}.
    """
    given = members(request, path)
    if not given:
        return request
    one, name = singular(path.collection.path), member_name(path.collection.path, request.body_json)
    document: dict[str, Any] = {name: given[0] if name == one else [_bare(each, one) for each in given]}
    return request if document == request.body_json else request.with_json(document)


def _bare(record: dict, one: str) -> dict:
    """A record of several without its wrapping; one that is wrapped twice stays so: the pod refuses it."""
    found = record.get(one)
    return found if isinstance(found, dict) and one not in found else record


def _refusal(path: Path, several: str) -> BadRequest:
    """Neutron's words; what it calls several of a kind is the name of one with an s (`prepare_request_body`)."""
    one = singular(path.collection.path)
    words = "Bulk operation not supported" if several == f"{one}s" else f"Unable to find '{one}' in request body"
    return BadRequest(words, "HTTPBadRequest")


def _places(gateway: Gateway, request: Request, path: Path, given: list[dict]) -> list[Hashable]:
    """Return for each record what decides about its pod: the homes of what it refers to, or else its zone hints."""
    found = [mentions("network", {singular(path.collection.path): each}) for each in given]
    fixed = [[ref for ref in each.resources if member.get(path.collection.parent) == ref[2] or not (
        find(ref[1], ref[0]).replicable or ref[1] in path.collection.brings)]
        for member, each in zip(given, found, strict=True)]
    named = list(dict.fromkeys(ref for refs in fixed for ref in refs))
    homes = gateway.locator.find_many(request.caller, named) if len(given) > 1 and named else {}
    pods = [frozenset(pod["pod_id"] for ref in refs if (pod := homes.get(ref))) for refs in fixed]
    return [(fields.is_external(member), pods[number] or tuple(found[number].hints))
            for number, member in enumerate(given)]


def _part(request: Request, path: Path, several: str, members: list[dict], serve: Serve) -> Response:
    one = singular(path.collection.path)
    document: dict[str, Any] = {several: members} if len(members) > 1 else {one: members[0]}
    return serve(request.with_json(document), path)


def _records(response: Response, path: Path, several: str) -> list[dict]:
    document = json.loads(response.body)
    return document[several] if several in document else [document[singular(path.collection.path)]]


def _undo(request: Request, path: Path, records: list[dict], serve: Serve, deadline: Deadline) -> None:
    """Delete what was made, the last one first, while there is time.

    The refusal of the rest is the answer, whatever becomes of this.
    """
    for record in reversed(records):
        problem = "out of time" if deadline.passed() else _deleted(request, replace(path, member=record["id"]), serve)
        if problem:
            LOG.error("%s %s stays, though the request that made it was refused: %s", path.collection.path,
                      record["id"], problem)


def _deleted(request: Request, member: Path, serve: Serve) -> str:
    """Delete one thing; why it is still there, or nothing."""
    try:
        answer = serve(replace(request, method="DELETE", path=member.whole, query="", body=b"", body_json=None), member)
    except Exception as error:   # noqa: BLE001 - the others go all the same
        return repr(error)
    return "" if answer.status in (204, 404) else f"{answer.status}"
