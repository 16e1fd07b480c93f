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
from tricircle.errors import TricircleError
from tricircle.routing import rewrite
from tricircle.routing.catalogue import Path, find, singular
from tricircle.routing.references import mentions

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
        TricircleError: as `serve`; nothing is left of the other parts.
    """
    plural = path.collection.path.rpartition("/")[2].replace("-", "_")
    given = _members(request, path, plural)
    keys = _places(gateway, request, path, given)
    if len(set(keys)) < 2 and not any(map(_is_external, given)):
        return None
    made: dict[int, dict] = {}
    try:
        for key in dict.fromkeys(keys):
            mine = [number for number, each in enumerate(keys) if each == key]
            response = _part(request, path, plural, [given[number] for number in mine], serve)
            if response.status != 201:
                _undo(request, path, list(made.values()), serve)
                return response
            made |= zip(mine, _records(response, path, plural), strict=True)
    except TricircleError:
        _undo(request, path, list(made.values()), serve)
        raise
    return Response(201, response.headers, rewrite.dump({plural: [made[number] for number in range(len(given))]}))


def _members(request: Request, path: Path, plural: str) -> list[dict]:
    """Return the records that a bulk create asks for; none for any other request, which one pod answers."""
    whole = path.service.name == "network" and request.method == "POST" and not (path.member or path.rest)
    given = request.body_json.get(plural) if whole and isinstance(request.body_json, dict) else None
    return given if isinstance(given, list) and all(isinstance(each, dict) for each in given) else []


def _is_external(member: dict) -> bool:
    """Whether a network's hint is the name of a pod."""
    return bool(member.get("router:external"))


def _places(gateway: Gateway, request: Request, path: Path, given: list[dict]) -> list[Hashable]:
    """Return for each record what decides about its pod: the homes of what it refers to, or else its zone hints."""
    found = [mentions("network", {singular(path.collection.path): each}) for each in given]
    fixed = [[ref for ref in each.resources if member.get(path.collection.parent) == ref[2] or not (
        find(ref[1], ref[0]).replicable or ref[1] in path.collection.brings)]
        for member, each in zip(given, found, strict=True)]
    named = list(dict.fromkeys(ref for refs in fixed for ref in refs))
    homes = gateway.locator.find_many(request.caller, named) if len(given) > 1 and named else {}
    pods = [frozenset(pod["pod_id"] for ref in refs if (pod := homes.get(ref))) for refs in fixed]
    return [number if _is_external(member) else pods[number] or tuple(found[number].hints)
            for number, member in enumerate(given)]


def _part(request: Request, path: Path, plural: str, members: list[dict], serve: Serve) -> Response:
    one = singular(path.collection.path)
    document: dict[str, Any] = {plural: members} if len(members) > 1 else {one: members[0]}
    return serve(request.with_json(document), path)


def _records(response: Response, path: Path, plural: str) -> list[dict]:
    document = json.loads(response.body)
    return document[plural] if plural in document else [document[singular(path.collection.path)]]


def _undo(request: Request, path: Path, records: list[dict], serve: Serve) -> None:
    """Delete what was made, the last one first; the refusal of the rest is the answer, whatever becomes of this."""
    for record in reversed(records):
        member = replace(path, member=record["id"])
        try:
            answer = serve(replace(request, method="DELETE", path=member.whole, query="", body=b"", body_json=None),
                           member)
            problem = "" if answer.status in (204, 404) else f"{answer.status}"
        except TricircleError as error:
            problem = str(error)
        if problem:
            LOG.error("%s %s stays, though the request that made it was refused: %s", path.collection.path,
                      record["id"], problem)
