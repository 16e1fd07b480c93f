"""Lists over several pods: asked in parallel, cleared of replicas, merged, sorted, paged."""
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tricircle import jsons
from tricircle.api import asking, cursors, partial
from tricircle.api import query as queries
from tricircle.api.forward import UNREACHABLE_HEADER, failure, present, send, shared
from tricircle.api.gateway import Gateway
from tricircle.api.gathering import gather
from tricircle.api.message import Request, Response
from tricircle.api.podlist import PodList
from tricircle.api.query import Query
from tricircle.errors import PodUnreachable, Unavailable
from tricircle.routing import default_group
from tricircle.routing.catalogue import TIMES, Path
from tricircle.store import replicas
from tricircle.upstream import paging
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.merge import collection_key, combine, common, dig, ordered, page, unique
from tricircle.upstream.paging import Declined, Order
from tricircle.upstream.scatter import scatter

Tidy = Callable[[Gateway, Request, dict[str, Any], dict[str, dict]], None]


class UnknownMarker(Exception):
    """No record of a whole list is the request's marker."""


def merged_list(gateway: Gateway, request: Request, path: Path, asked: list[dict],
                tidy: Tidy | None = None) -> Response:
    """Serve a GET of a collection.

    Args:
        gateway: parts.
        request: the user's.
        path: parsed, without a member.
        asked: rows of the pods to ask.
        tidy: changes the pods' whole documents before they are merged.

    Returns:
        The merged list; a single pod's answer as it is; a pod's refusal, when one refused what was asked.

    Raises:
        Unavailable: no pod is registered, or none answers, or not the one that may know the marker.
    """
    if not asked:
        raise Unavailable("no pod is registered with Tricircle yet")
    query = queries.read(request, path)
    zoned = [pod for pod in asked if pod["az_name"] == query.value("availability_zone")]
    asked = zoned or asked
    if len(asked) == 1 and not zoned and not path.service.every_pod:
        return _alone(gateway, request, path, asked[0])
    target, deadline = queries.for_pod(request, path, query, bool(zoned)), Deadline(gateway.upstream.conf.list_deadline)
    lists = {pod["pod_name"]: PodList(gateway, request, path, pod, query, target, deadline) for pod in asked}
    paged = path.order and query.limit and not query.filters_late
    response = _page(gateway, request, path, query, lists) if paged else \
        _whole(gateway, request, path, query, lists, tidy)
    asking.note(gateway, request, path, query, asked,
                [each.pod["pod_id"] for each in lists.values() if each.empty is not True])
    return response


def _alone(gateway: Gateway, request: Request, path: Path, pod: dict) -> Response:
    try:
        return present(gateway, request, path, pod, send(gateway, request, path, pod, through=True))
    except PodUnreachable as error:
        rows = partial.members(gateway, request, path, [pod])
        if not rows:
            raise failure(error) from error
        return partial.response(request, path, {path.collection.path: rows}, [pod["pod_name"]])


def _page(gateway: Gateway, request: Request, path: Path, query: Query, lists: dict[str, PodList]) -> Response:
    """A page costs about one page of each pod, however much they have."""
    strict = all(field == "id" or field in TIMES for field, _ in query.sort)
    order, count = Order(query.sort, query.reverse, strict), query.offset + query.limit
    known = cursors.recall(gateway, request, path, query, order) if query.marker else None
    if query.marker and not known:
        return _refused_marker(gateway, request, path, query, lists) or \
            _page(gateway, request, path, replace(query, marker=None), lists)
    tails = paging.tails({name: each.ask for name, each in lists.items()}, order, count, known, query.marker)
    _, refused, missing = _asked(lists, lambda name: tails[name].fill())
    for name in _odd_ones(path, {name: each.key for name, each in lists.items() if each.key}):
        lists[name].key, tails[name].broken = None, True
    owner = next((name for name, tail in tails.items() if query.marker in tail.trail[-1:]), None)
    refusal = _refusal(refused, len(lists) - len(missing), owner)
    if refusal:
        return present(gateway, request, path, lists[refusal].pod, refused[refusal].answer)
    shown = paging.merge({name: tail for name, tail in tails.items() if not tail.broken}, order, count)
    missing = [name for name in lists if name in missing or tails[name].broken]
    if shown:
        cursors.remember(gateway, request, path, query, str(shown[-1][1]["id"]),
                         paging.cursor(tails, order, shown, known, missing))
    for name, record in shown:
        lists[name].dress([record])
    records = [record for _, record in shown[query.offset:]]
    records = records[::-1] if query.reverse else records
    frames = {name: {**each.frame, each.key: []} for name, each in lists.items() if each.key}
    body = combine(frames, next(iter(lists[name].key for name in frames))) if frames else {}
    return _answer(gateway, request, path, query, lists, missing, body, records)


def _refused_marker(gateway: Gateway, request: Request, path: Path, query: Query,
                    lists: dict[str, PodList]) -> Response | None:
    """Return what a pod says of a marker that nobody knows; None where pods list from the beginning then.

    Neutron ignores such a marker in most of its lists; Nova and Cinder refuse it in most of theirs.

    Raises:
        Unavailable: a pod does not answer, which may be the marker's: a list that began again would show things twice.
    """
    _, refused, missing = _asked(lists, lambda name: lists[name].probe(query.marker))
    if refused:
        name = next(iter(refused))
        return present(gateway, request, path, lists[name].pod, refused[name].answer)
    if missing:
        raise Unavailable(f"marker {query.marker} is in none of the pods that answer, and {', '.join(missing)} "
                          "cannot be reached now: try again later")
    return None


def _whole(gateway: Gateway, request: Request, path: Path, query: Query, lists: dict[str, PodList],
           tidy: Tidy | None) -> Response:
    """The pods' whole lists are looked at: where there is no order, and where the same thing may be in several."""
    documents, refused, missing = _asked(lists, lambda name: lists[name].whole())
    refusal = _refusal(refused, len(lists) - len(missing), None)
    if refusal:
        return present(gateway, request, path, lists[refusal].pod, refused[refusal].answer)
    keys = {name: collection_key(document) for name, document in documents.items()}
    missing += _odd_ones(path, keys)
    documents = {name: document for name, document in documents.items() if name not in missing}
    if tidy:
        tidy(gateway, request, documents, {name: each.pod for name, each in lists.items()})
    if path.collection.gathers:
        documents = gather(gateway, request, path, lists, documents, not missing)
    try:
        merged = _merge(path, query, documents)
    except UnknownMarker:
        refusal = _refused_marker(gateway, request, path, query, lists)
        if refusal:
            return refusal
        merged = _merge(path, replace(query, marker=None), documents)
    return _answer(gateway, request, path, query, lists, missing, *merged)


def _odd_ones(path: Path, keys: dict[str, str | None]) -> list[str]:
    """Return the pods that have no list where others have one, or call it otherwise than the collection is called.

    Args:
        path: parsed.
        keys: {pod: field of its document that holds the records}.
    """
    own = path.collection.path.rpartition("/")[2].removeprefix("os-").replace("-", "_")
    key = own if own in keys.values() else next(filter(None, keys.values()), None)
    return [name for name, each in keys.items() if each != key]


def _asked(lists: dict[str, PodList], call: Callable[[str], Any]) -> tuple[dict, dict[str, Declined], list[str]]:
    """Ask all pods at once: ({pod: result}, {pod: why it refuses}, pods that gave no whole answer)."""
    def safe(name: str) -> Any:
        try:
            return call(name)
        except Declined as refused:
            return refused

    results, failed = scatter(lists, safe)
    refused = {name: result for name, result in results.items() if isinstance(result, Declined)}
    return {name: result for name, result in results.items() if name not in refused}, refused, list(failed)


def _refusal(refused: dict[str, Declined], answering: int, owner: str | None) -> str | None:
    """The pod whose refusal is the answer.

    A question that one pod refuses (a microversion, a filter) must not be answered by the others alone: that would
    look like a whole list. A 404 is no refusal while another pod knows the collection, unless the pod is the owner of
    the marker: then that is gone.
    """
    found = [name for name, why in refused.items() if why.status != 404 or name == owner]
    if not found and refused and len(refused) == answering:
        found = list(refused)
    return found[0] if found else None


def _answer(gateway: Gateway, request: Request, path: Path, query: Query, lists: dict[str, PodList],
            missing: list[str], body: dict, records: list | None) -> Response:
    """Put the answer together: what the pods have in common, the records, links, and who is missing."""
    key = next((each.key for each in lists.values() if each.key), path.collection.path)
    extra = partial.members(gateway, request, path, [lists[name].pod for name in missing])
    silent = not records and asking.is_silence(gateway, request, path, [lists[name].pod for name in missing])
    if (silent or len(missing) == len(lists)) and not extra:
        raise Unavailable(f"no pod gave an answer: {', '.join(missing)}")
    if len(missing) == len(lists):
        return partial.response(request, path, {key: extra}, missing)
    if query.nothing and records is not None and path.collection.marker:
        records, extra = [], []
    if records is not None:
        full = query.limit is not None and len(records) >= query.limit
        markers = [dig(record, path.collection.marker) for record in records]
        field = path.collection.links_of(key) if query.limit and path.collection.marker else ""
        links = queries.links(request, query, markers, full) if field else []
        body = {**body, key: extra + queries.cut_fields(path, query, records), **({field: links} if links else {})}
    headers = shared(next(each.headers for each in lists.values() if each.headers))
    if missing:
        headers.append((UNREACHABLE_HEADER, ", ".join(missing)))
    return Response(200, headers, jsons.dumps(body))


def default_groups_once(gateway: Gateway, _: Request, documents: dict[str, Any], rows: dict[str, dict]) -> None:
    """Of each project's `default` groups one stays; the others become its replicas and leave the list."""
    seen: dict[str, dict[str, str]] = {}
    listed = {name: document for name, document in documents.items() if collection_key(document) == "security_groups"}
    for name, document in listed.items():
        for group in document["security_groups"]:
            if group.get("name") == "default" and group.get("project_id") and group.get("id"):
                seen.setdefault(group["project_id"], {})[rows[name]["pod_id"]] = group["id"]
    for project_id, groups in seen.items():
        kept = replicas.of_resource(gateway.db, default_group.adopt(gateway.db, project_id, groups))
        for name, document in listed.items():
            own = groups.get(rows[name]["pod_id"])
            if own and own == kept.get(rows[name]["pod_id"]):
                document["security_groups"] = [g for g in document["security_groups"] if g.get("id") != own]


def _merge(path: Path, query: Query, documents: dict[str, Any]) -> tuple[Any, list | None]:
    """(body, records of the page); no records where the document is no list. Raises UnknownMarker."""
    key = collection_key(next(iter(documents.values()), None))
    if not key:
        return next(iter(documents.values()), {}), None
    merged = combine(documents, key)
    natural = path.collection.natural
    if path.collection.common:
        merged[key] = common(documents, key, natural)
    elif natural:
        merged[key] = unique(merged[key], natural)
    records = ordered(merged[key], list(query.sort))
    if query.reverse:
        records.reverse()
    field = path.collection.marker
    marker, limit = (query.marker, query.limit) if field and query.limit else (None, None)
    records, found = page(records, marker, query.offset, limit, field)
    if not found:
        raise UnknownMarker
    if query.reverse:
        records.reverse()
    return merged, records
