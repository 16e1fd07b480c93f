"""Requests that change who is a member of a security group owe the pods a job."""
import re
from collections.abc import Callable

from tricircle.api import judged
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.jobs.queue import announced
from tricircle.routing import projects
from tricircle.routing.catalogue import UUID, Path
from tricircle.store import bridges, jobs, pods, routings
from tricircle.store.db import now

# (service, collection): what changes members there, as method and what follows the member.
CHANGES = {("network", "ports"): re.compile("(POST|PUT|DELETE) "),
           ("network", "security-group-rules"): re.compile("(POST|DELETE) "),
           ("compute", "servers"): re.compile("(POST|DELETE) (/action|/os-interface(/.*)?)?")}
ACTIONS = {"addSecurityGroup", "removeSecurityGroup", "addFixedIp", "removeFixedIp", "forceDelete"}
DETACH_SECONDS = 20.0   # Nova has answered, the port goes when the hypervisor lets it; no state of the server says so


def followed(gateway: Gateway, request: Request, path: Path, serve: Callable[[], Response]) -> Response:
    """Answer a request; the job `members` is announced before it when the request can change members.

    After a refusal the job has nothing to do, and is withdrawn.

    Args:
        gateway, request, path: as in `generic.serve`.
        serve: answers the request.
    """
    owners = _projects(gateway, request, path) if _changes(request, path) else ()
    bridged = {owner: owner for owner in owners if bridges.of_project(gateway.db, owner)}
    if not bridged:
        return serve()
    with announced(gateway.db, "members", bridged) as job:
        response = serve()
        if 400 <= response.status < 500:
            job.refused()
    for owner in bridged if request.method == "DELETE" and path.rest and not job.is_refused else ():
        jobs.enqueue(gateway.db, "members", owner, owner, not_before=now() + DETACH_SECONDS)
    return response


def _changes(request: Request, path: Path) -> bool:
    pattern = CHANGES.get((path.service.name, path.collection.path))
    if not pattern or not pattern.fullmatch(f"{request.method} {path.rest}"):
        return False
    body = request.body_json
    return path.rest != "/action" or (isinstance(body, dict) and not ACTIONS.isdisjoint(body))


def _projects(gateway: Gateway, request: Request, path: Path) -> list[str]:
    """Whose members they are; nobody's, where a pod does not show the user what a row says is another project's."""
    known = routings.home(gateway.db, path.member) if UUID.match(path.member) else None
    if known and known["project_id"] != request.caller.project_id:
        mine = bridges.of_project(gateway.db, known["project_id"]) and judged.shows(gateway, request, path)
        return [known["project_id"]] if mine else []
    if path.service.name != "network" or not isinstance(request.body_json, dict):
        return [request.caller.project_id]
    given = next(iter(request.body_json.values()), None)
    return projects.owners(gateway.upstream, request.caller, pods.by_name(gateway.db), given)
