"""What is shown of a pod that does not answer: Nova's own shape for partial answers, from microversion 2.69 on.

Nova knows a server of a cell that is down by its mapping; we know it by the routing. Both know who owns it and since
when, and neither knows a server that was deleted behind its back.
"""
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from tricircle.api import microversion
from tricircle.api.forward import UNREACHABLE_HEADER
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.routing.catalogue import Path
from tricircle.routing.fields import is_true
from tricircle.store import routings

# A filter cannot be tested, a place in the order is not known: then Nova skips what it cannot reach, and so do we.
HARMLESS = {"all_tenants"}


def members(gateway: Gateway, request: Request, path: Path, rows: list[dict]) -> list[dict]:
    """Partial records of the pods' members, for a list.

    Args:
        gateway, request, path: of the list.
        rows: the pods that do not answer.

    Returns:
        Nothing where the collection has no partial shape, the microversion is too old, or the list is filtered, sorted
        or paged.
    """
    asked = dict(parse_qsl(request.query, keep_blank_values=True))
    if not _understood(request, path) or path.rest not in ("", "/detail") or set(asked) - HARMLESS:
        return []
    all_tenants = asked.get("all_tenants")   # without a value it is true to Nova
    everybody = (all_tenants == "" or is_true(all_tenants)) and request.caller.is_admin
    owner, room = None if everybody else request.caller.project_id, path.service.max_limit
    return [_record(request, path, row, detail=bool(path.rest)) for pod in rows
            for row in routings.in_pod(gateway.db, pod["pod_id"], path.collection.path, owner, room)][:room]


def member(gateway: Gateway, request: Request, path: Path, pod: dict) -> Response | None:
    """The partial answer for one member of a pod that does not answer; None when there is none for this caller."""
    row = routings.home(gateway.db, path.member)
    mine = row and (row["project_id"] == request.caller.project_id or request.caller.is_admin)
    if not mine or row["leaving"] or not _understood(request, path):
        return None
    # Of what Nova keeps of the request (image, flavor, zone, user) we know the zone; UNKNOWN is Nova's word.
    record = _record(request, path, row, detail=True) | {
        "OS-EXT-AZ:availability_zone": pod["az_name"], "OS-EXT-STS:power_state": 0, "user_id": "UNKNOWN"}
    return response(request, path, {path.collection.path.rstrip("s"): record}, [pod["pod_name"]])


def response(request: Request, path: Path, body: dict, missing: list[str]) -> Response:
    """An answer without a pod's: the headers are ours to make."""
    made = Response.of_json(200, body)
    made.headers += [*microversion.headers(path.service, request.microversion),
                     (UNREACHABLE_HEADER, ", ".join(missing))]
    return made


def _understood(request: Request, path: Path) -> bool:
    since = path.collection.partial
    return bool(since and request.microversion and request.microversion >= since)


def _record(request: Request, path: Path, row: dict, detail: bool) -> dict:
    """Nova's keys, no more and no less."""
    version, _, project = path.prefix.strip("/").partition("/")
    where = f"{project}/{path.collection.path}/{row['resource_id']}".lstrip("/")
    more = {"tenant_id": row["project_id"],
            "created": datetime.fromtimestamp(row["created_at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"id": row["resource_id"], "status": "UNKNOWN", **(more if detail else {}),
            "links": [{"rel": "self", "href": f"{request.root}/{version}/{where}"},
                      {"rel": "bookmark", "href": f"{request.root}/{where}"}]}
