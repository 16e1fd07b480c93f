"""Lists over several pods: asked in parallel, cleared of replicas, merged, sorted, paged."""
import json
from collections.abc import Callable
from typing import Any

from tricircle import marks
from tricircle.api import query as queries
from tricircle.api.forward import DIGESTS, UNREACHABLE_HEADER, failure, present, send, upward
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.query import Query
from tricircle.errors import BadRequest, PodUnreachable, Unavailable
from tricircle.routing import default_group, rewrite
from tricircle.routing.catalogue import Path
from tricircle.store import pods, replicas, routings
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.merge import collection_key, combine, common, ordered, page, unique
from tricircle.upstream.scatter import scatter

Tidy = Callable[[Gateway, dict[str, Any], dict[str, dict]], None]
# They speak of one pod's answer, not of a merged one.
ONE_PODS_HEADERS = DIGESTS | {"x-tricircle-pod-request-id", "x-compute-request-id", "etag", "last-modified"}


def pods_to_ask(gateway: Gateway, request: Request, path: Path) -> list[dict]:
    """The project's pods; all of them for an administrator's look at all projects, and where things are shared."""
    bottom = pods.bottom(gateway.db)
    everything = path.service.every_pod or path.collection.everywhere or path.collection.natural
    if everything or "all_tenants" in request.query or "all_projects" in request.query:
        return bottom
    project = request.caller.project_id
    mine = {row["pod_id"] for row in pods.bindings(gateway.db, project)} | routings.pods_of_project(gateway.db, project)
    return [pod for pod in bottom if pod["pod_id"] in mine] or bottom


def merged_list(gateway: Gateway, request: Request, path: Path, asked: list[dict],
                tidy: Tidy | None = None) -> Response:
    """Serve a GET of a collection.

    Args:
        gateway: parts.
        request: the user's.
        path: parsed, without a member.
        asked: rows of the pods to ask.
        tidy: changes the pods' documents before they are merged.

    Returns:
        The merged list; a single pod's answer as it is; a pod's refusal, when one refused what was asked.

    Raises:
        Unavailable: no pod is registered, or none answers.
        BadRequest: the marker is unknown.
    """
    if not asked:
        raise Unavailable("no pod is registered with Tricircle yet")
    query = queries.read(request, path)
    zoned = [pod for pod in asked if pod["az_name"] == query.value("availability_zone")]
    asked = zoned or asked
    target = queries.for_pod(request, path, query, bool(zoned))
    if len(asked) == 1 and not zoned and not path.service.every_pod:
        return _alone(gateway, request, path, asked[0])
    rows = {pod["pod_name"]: pod for pod in asked}
    deadline = Deadline(gateway.conf.pods.list_deadline)
    answers, failed = scatter(rows, lambda name: _whole(gateway, request, path, rows[name], target, deadline))
    refused = _refusal(answers)
    if refused:
        return present(gateway, request, path, rows[refused], answers[refused])
    good = {name: answer for name, answer in answers.items() if answer.ok and answer.json() is not None}
    missing = [*failed, *(name for name, answer in answers.items() if name not in good and answer.status != 404)]
    if not good:
        raise Unavailable(f"no pod gave an answer: {', '.join(missing)}")
    documents = {name: _clean(gateway, request, path, rows[name], answer) for name, answer in good.items()}
    if tidy:
        tidy(gateway, documents, rows)
    headers = [(name, value) for name, value in upward(next(iter(good.values())))
               if name.lower() not in ONE_PODS_HEADERS]
    if missing:
        headers.append((UNREACHABLE_HEADER, ", ".join(missing)))
    return Response(200, headers, json.dumps(_merge(request, path, query, documents)).encode())


def _alone(gateway: Gateway, request: Request, path: Path, pod: dict) -> Response:
    try:
        return present(gateway, request, path, pod, send(gateway, request, path, pod, through=True))
    except PodUnreachable as error:
        raise failure(error) from error


def _refusal(answers: dict[str, Answer]) -> str | None:
    """The pod whose refusal is the answer.

    A question that one pod refuses (a microversion, a filter) must not be answered by the others alone: that would
    look like a whole list. A 404 is no refusal while another pod knows the collection.
    """
    refusals = [name for name, answer in answers.items() if 400 <= answer.status < 500 and answer.status != 404]
    if not refusals and answers and all(answer.status == 404 for answer in answers.values()):
        refusals = list(answers)
    return refusals[0] if refusals else None


def _whole(gateway: Gateway, request: Request, path: Path, pod: dict, target: str, deadline: Deadline) -> Answer:
    """One pod's whole list: pages that the pod cuts by itself (Nova at 1,000) are put together."""
    answer = send(gateway, request, path, pod, target=target, deadline=deadline)
    document = answer.json()
    key = collection_key(document)
    if not answer.ok or not key or f"{key}_links" not in document:
        return answer
    while document.get(f"{key}_links") and document[key]:
        joint = "&" if "?" in target else "?"
        more = send(gateway, request, path, pod, target=f"{target}{joint}marker={document[key][-1]['id']}",
                    deadline=deadline)
        following = more.json() if more.ok else None
        if not following or not isinstance(following.get(key), list):
            raise PodUnreachable(pod["pod_name"], path.service.name, f"answered {more.status} in the middle of a list")
        document = following | {key: document[key] + following[key]}
        if not following[key]:
            break
    document.pop(f"{key}_links", None)
    return Answer(answer.pod, answer.status, answer.headers, rewrite.dump(document))


def _clean(gateway: Gateway, request: Request, path: Path, pod: dict, answer: Answer) -> Any:
    """A pod's list in the user's terms, without replicas, plumbing, and what belongs to them."""
    mapping = replicas.to_home(gateway.db, pod["pod_id"], rewrite.ids(answer.body))
    hidden = set(mapping.values())
    root = gateway.upstream.account.endpoint(pod["pod_name"], path.service.name)
    document = json.loads(rewrite.links(rewrite.swap(answer.body, mapping), root, request.root))
    gateway.zones.up(pod, document)
    key = collection_key(document)
    if key:
        parent = path.collection.parent
        document[key] = [record for record in document[key] if not isinstance(record, dict) or not (
            record.get("id") in hidden or (parent and record.get(parent) in hidden) or marks.is_marked(record))]
    return document


def default_groups_once(gateway: Gateway, documents: dict[str, Any], rows: dict[str, dict]) -> None:
    """Of each project's `default` groups one stays; the others become its replicas and leave the list."""
    seen: dict[str, dict[str, str]] = {}
    for name, document in documents.items():
        for group in document.get("security_groups", []):
            if group.get("name") == "default" and group.get("project_id"):
                seen.setdefault(group["project_id"], {})[rows[name]["pod_id"]] = group["id"]
    for project_id, groups in seen.items():
        kept = default_group.adopt(gateway.db, project_id, groups)
        for name, document in documents.items():
            own = groups.get(rows[name]["pod_id"])
            if own and own != kept:
                document["security_groups"] = [g for g in document["security_groups"] if g["id"] != own]


def _merge(request: Request, path: Path, query: Query, documents: dict[str, Any]) -> Any:
    key = collection_key(next(iter(documents.values())))
    if not key:
        return next(iter(documents.values()))
    documents = {name: body for name, body in documents.items() if collection_key(body) == key}
    merged = combine(documents, key)
    natural = path.collection.natural
    if path.collection.common:
        merged[key] = common(documents, key, natural)
    elif natural:
        merged[key] = unique(merged[key], natural)
    records = ordered(merged[key], list(query.sort))
    if query.reverse:
        records.reverse()
    records, more, found = page(records, query.marker, query.limit)
    if not found:
        raise BadRequest(f"marker [{query.marker}] not found")
    if more and records:
        merged[f"{key}_links"] = [{"rel": "next", "href": queries.next_link(request, query, records[-1].get("id"))}]
    merged[key] = queries.cut_fields(path, query, records)
    return merged
