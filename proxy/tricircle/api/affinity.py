"""Server groups over several pods.

Servers in different pods are on different hosts, so anti-affinity across pods holds by itself. Affinity holds within
one pod only: the first member decides which.
"""
import json

from tricircle.api import generic
from tricircle.api.forward import failure, send
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.replicated import delete_replicas
from tricircle.routing.catalogue import COMPUTE, UUID, Path, find, parse
from tricircle.routing.references import mentions
from tricircle.store import pods, replicas
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
        return delete_replicas(gateway, request, path)
    response = generic.plain(gateway, request, path)
    if request.method == "GET" and response.status == 200:
        _gather(gateway, request, path, response)
    return response


def _gather(gateway: Gateway, request: Request, path: Path, response: Response) -> None:
    spanned = replicas.of_resource(gateway.db, path.member)
    rows = {pod["pod_name"]: pod for pod in pods.bottom(gateway.db) if pod["pod_id"] in spanned}
    answers, failed = scatter(rows, lambda name: send(gateway, request, path, rows[name]))
    document = json.loads(response.body)
    field = find(GROUPS, "compute").gathers
    for answer in answers.values():
        document["server_group"][field] += (answer.json() or {}).get("server_group", {}).get(field, [])
    if failed:
        raise failure(next(iter(failed.values())))
    response.body = json.dumps(document).encode()


HANDLERS = {("compute", GROUPS): server_groups, ("compute", "servers"): servers}
