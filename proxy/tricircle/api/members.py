"""Requests that change who is a member of a security group owe the pods a job."""
import contextlib
import re
from collections.abc import Iterator

from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.jobs import members
from tricircle.routing import takes
from tricircle.routing.catalogue import UUID, Path
from tricircle.store import jobs, routings
from tricircle.store.db import now

# (service, collection): what changes members there, as method and what follows the member.
CHANGES = {("network", "ports"): re.compile("(POST|PUT|DELETE) "),
           ("network", "security-group-rules"): re.compile("(POST|DELETE) "),
           ("compute", "servers"): re.compile("(POST|DELETE) (/action|/os-interface(/.*)?)?")}
ACTIONS = {"addSecurityGroup", "removeSecurityGroup", "addFixedIp", "removeFixedIp", "forceDelete"}
DETACH_SECONDS = 20.0   # Nova has answered, the port goes when the hypervisor lets it; no state of the server says so


@contextlib.contextmanager
def followed(gateway: Gateway, request: Request, path: Path) -> Iterator[None]:
    """Announce the job `members` when a request can change them."""
    if not _changes(request, path):
        yield
        return
    project_id = _project(gateway, request, path)
    with members.owed(gateway.db, project_id) as bridged:
        yield
    if bridged and request.method == "DELETE" and path.rest:
        jobs.enqueue(gateway.db, "members", project_id, project_id, not_before=now() + DETACH_SECONDS)


def _changes(request: Request, path: Path) -> bool:
    pattern = CHANGES.get((path.service.name, path.collection.path))
    if not pattern or not pattern.fullmatch(f"{request.method} {path.rest}"):
        return False
    body = request.body_json
    return path.rest != "/action" or (isinstance(body, dict) and not ACTIONS.isdisjoint(body))


def _project(gateway: Gateway, request: Request, path: Path) -> str:
    known = routings.home(gateway.db, path.member) if UUID.match(path.member) else None
    body = request.body_json if "admin" in request.caller.roles and isinstance(request.body_json, dict) else {}
    return takes.owner(request.caller, next(iter(body.values()), None), known or {})
