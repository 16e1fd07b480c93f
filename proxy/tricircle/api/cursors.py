"""Where a list goes on behind a marker. The marker is the id of a record in one pod only."""
import hashlib
import json
import logging

from tricircle import uuids
from tricircle.api.forward import failure, send, translate
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.api.query import PAGING, Query
from tricircle.errors import PodUnreachable, StoreBusy
from tricircle.routing.catalogue import Path
from tricircle.routing.fields import project_of
from tricircle.store import cursors as kept_cursors
from tricircle.store import pods
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.merge import collection_key
from tricircle.upstream.paging import Order, forgotten
from tricircle.upstream.scatter import scatter

LOG = logging.getLogger(__name__)


def remember(gateway: Gateway, request: Request, path: Path, query: Query, marker: str, cursor: dict) -> None:
    """Keep what the page behind a marker needs.

    When the database cannot take it the page is found by the marker's sort values instead.
    """
    try:
        kept_cursors.put(gateway.db, _key(request, path, query, marker), json.dumps(cursor))
    except StoreBusy as error:
        LOG.warning("no cursor for %s: %s", request.path, error)


def recall(gateway: Gateway, request: Request, path: Path, query: Query, order: Order) -> dict | None:
    """What is known of the page behind the request's marker, see `paging.cursor`; None when there is no such record.

    A marker that nobody remembers (typed by hand, too old, the direction was turned) is looked up in its home.

    Raises:
        Unavailable, BadGateway, GatewayTimeout: its home does not answer.
    """
    marker = query.marker
    kept = kept_cursors.get(gateway.db, _key(request, path, query, marker))
    if kept:
        return json.loads(kept)
    if not uuids.UUIDS.fullmatch(marker.encode()):
        return None
    home = gateway.locator.find(request.caller, path.service.name, path.collection.path, marker)
    record = _record(gateway, request, path, home, marker) if home else None
    if record is None and path.collection.deleted:
        home, record = _deleted(gateway, request, path, marker)
    return forgotten(order, home["pod_name"], record) if record else None


def _deleted(gateway: Gateway, request: Request, path: Path, marker: str) -> tuple[dict | None, dict | None]:
    """(row of its pod, the record) of a member that was deleted, if it was one that the list could have shown.

    Users' tokens do not show it. Our own account's do, and what is believed is only that it was the caller's project's.
    """
    everybody = request.caller.is_admin and "all_tenants" in request.query
    target = f"/{path.service.versions[0]}/{path.collection.path}{path.collection.deleted}{marker}"
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    rows = pods.by_name(gateway.db)
    answers, _ = scatter(rows, lambda name: gateway.upstream.ask(name, path.service.name, "GET", target,
                                                                 deadline=deadline))
    for name, answer in answers.items():
        document = json.loads(translate(gateway, request, path, rows[name], answer.body)) \
            if answer.ok and isinstance(answer.json(), dict) else {}
        for record in filter(lambda each: isinstance(each, dict), document.get(collection_key(document) or "", ())):
            if record.get("id") == marker and (everybody or project_of(record) == request.caller.project_id):
                return rows[name], record
    return None, None


def _record(gateway: Gateway, request: Request, path: Path, home: dict, marker: str) -> dict | None:
    question = request.question(f"{path.base}/{marker}")
    try:
        answer = send(gateway, question, path, home)
        if answer.status >= 500:
            raise PodUnreachable(home["pod_name"], path.service.name, f"answered {answer.status}")
    except PodUnreachable as error:
        raise failure(error) from error
    document = json.loads(translate(gateway, request, path, home, answer.body)) if answer.ok and answer.json() else {}
    found = [value for value in document.values() if isinstance(value, dict)] if isinstance(document, dict) else []
    return next((record for record in found if record.get("id") == marker), None)


def _key(request: Request, path: Path, query: Query, marker: str) -> str:
    """Cursors belong to their user, and to one question in one direction; how long its pages are does not matter."""
    asked = sorted(pair for pair in query.pairs if pair[0] not in PAGING)
    caller = request.caller
    said = [caller.user_id, caller.project_id, path.service.name, request.path, asked, query.reverse, marker]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
