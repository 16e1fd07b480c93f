"""Server groups over several pods.

Servers in different pods are on different hosts, so anti-affinity across pods holds by itself. Affinity holds within
one pod only: the first member decides which.
"""
import contextlib
import json

from tricircle.api import generic
from tricircle.api.forward import failure, send
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import PodUnreachable
from tricircle.jobs.queue import INTENT_SECONDS
from tricircle.routing import replicas as make
from tricircle.routing.catalogue import COMPUTE, UUID, Path, find, parse
from tricircle.routing.references import mentions
from tricircle.store import jobs, pods, replicas
from tricircle.store.db import now
from tricircle.upstream.client import member
from tricircle.upstream.scatter import scatter

GROUPS = "os-server-groups"


def servers(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """The members of an affinity group pull a new server to their pod, as if the request had named one of them."""
    if request.method != "POST" or path.member:
        return None
    named = [each for _, collection, each in mentions("compute", request.body_json).resources if collection == GROUPS]
    pulled = [("compute", "servers", member) for group_id in named for member in _bound(gateway, request, group_id)]
    return generic.perform(gateway, request, path, pulled=tuple(pulled)) if pulled else None


def _bound(gateway: Gateway, request: Request, group_id: str) -> list[str]:
    """A member of the group, when it is one of affinity and has any."""
    path = parse(COMPUTE, f"{request.caller.prefix(COMPUTE)}/{GROUPS}/{group_id}")
    shown = server_groups(gateway, request.question(path.whole), path)
    group = json.loads(shown.body)["server_group"] if shown.status == 200 else {}
    return group["members"][:1] if "affinity" in (group.get("policy"), *group.get("policies", ())) else []


def server_groups(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A group shows its members in all pods, and its replicas go with it."""
    if not UUID.match(path.member) or path.rest:
        return None
    if request.method == "DELETE":
        return _delete(gateway, request, path)
    response = generic.plain(gateway, request, path)
    if request.method == "GET" and response.status == 200:
        _gather(gateway, request, path, response)
    return response


def _delete(gateway: Gateway, request: Request, path: Path) -> Response:
    """Nova lets a group go that servers are in: so do its replicas, at once or when their pod is back."""
    shown = generic.plain(gateway, request.question(), path)
    if shown.status != 200:
        return shown
    for pod_id in replicas.unfinished(gateway.db, path.member):
        with contextlib.suppress(PodUnreachable):
            make.finish(gateway.db, gateway.upstream, request.caller, GROUPS, path.member, request.caller.project_id,
                        pods.show(gateway.db, pod_id))
    if not replicas.of_resource(gateway.db, path.member):
        return generic.plain(gateway, request, path)
    job = jobs.enqueue(gateway.db, "server_group", path.member, request.caller.project_id,
                       not_before=now() + INTENT_SECONDS)
    owed = True
    try:
        response = generic.plain(gateway, request, path)
        if response.status == 204:
            rows = _rows(gateway, path)
            answers, _ = scatter(rows, lambda name: send(gateway, request, path, rows[name]))
            for name in (name for name, answer in answers.items() if answer.status in (204, 404)):
                replicas.drop(gateway.db, path.member, rows[name]["pod_id"])
        owed = bool(_rows(gateway, path)) and not 400 <= response.status < 500
        return response
    finally:
        (jobs.release if owed else jobs.withdraw)(gateway.db, job["id"])


def _rows(gateway: Gateway, path: Path) -> dict[str, dict]:
    """Pods with a replica of the group, by name."""
    spanned = replicas.of_resource(gateway.db, path.member)
    return {pod["pod_name"]: pod for pod in pods.bottom(gateway.db) if pod["pod_id"] in spanned}


def _gather(gateway: Gateway, request: Request, path: Path, response: Response) -> None:
    rows = _rows(gateway, path)
    answers, failed = scatter(rows, lambda name: send(gateway, request, path, rows[name]))
    document = json.loads(response.body)
    field = find(GROUPS, "compute").gathers
    for answer in answers.values():
        document["server_group"][field] += member(answer, "server_group").get(field, [])
    if failed:
        raise failure(next(iter(failed.values())))
    response.body = json.dumps(document).encode()


HANDLERS = {("compute", GROUPS): server_groups, ("compute", "servers"): servers}
