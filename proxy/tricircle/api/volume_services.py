"""What an administrator asks of Cinder's services themselves: those of the host that is named, or of all pods."""
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tricircle.api.forward import UNREACHABLE_HEADER, failure, present, send, shared, upward
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import Unavailable
from tricircle.routing.catalogue import Path
from tricircle.routing.placement import LONGEST_NAME
from tricircle.store import pods
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

# {(collection, what follows it): the body's field that names a host}, of PUT (Cinder's API reference).
ASKED = {("os-services", "/get-log"): "server", ("os-services", "/set-log"): "server",
         ("workers", "/cleanup"): "host"}


def services(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Ask the pods concerned, and give their lists as one.

    Raises:
        Unavailable: no pod has the host, and some could not be asked; or no pod is registered.
        ApiError: no pod answers.
    """
    field = ASKED.get((path.collection.path, path.rest))
    if request.method != "PUT" or path.member or field is None or not isinstance(request.body_json, dict):
        return None
    host = request.body_json.get(field)
    # A name that no pod has is for all of them to refuse.
    named = isinstance(host, str) and 0 < len(host) <= LONGEST_NAME
    query = f"{path.prefix}/os-services?host={quote(host, safe='')}" if named else ""
    there = gateway.locator.having(request.caller, path.service, query) if query else []
    rows = {pod["pod_name"]: pod for pod in there or pods.bottom(gateway.db)}
    if not rows:
        raise Unavailable("no pod is registered with Tricircle yet")
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    answers, missing = scatter(rows, lambda name: send(gateway, request, path, rows[name], deadline=deadline))
    if not answers:
        raise failure(next(iter(missing.values())))
    refused = next((name for name, answer in answers.items() if not answer.ok), None)
    if refused or len(rows) == 1:
        name = refused or next(iter(answers))
        return present(gateway, request, path, rows[name], answers[name])
    first = next(iter(answers.values()))
    headers = shared(upward(first)) + ([(UNREACHABLE_HEADER, ", ".join(missing))] if missing else [])
    return Response(first.status, headers, _joined(answers))


def _joined(answers: Mapping[str, Answer]) -> bytes:
    """The lists of all answers, by their names; nothing where there is no body."""
    joined: dict[str, list[Any]] = {}
    for answer in answers.values():
        for name, records in (answer.json() or {}).items():
            joined.setdefault(name, []).extend(records)
    return json.dumps(joined).encode() if joined else b""


HANDLERS = {("volume", collection): services for collection, _ in ASKED}
