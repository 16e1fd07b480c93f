"""Which pods a list asks."""
from collections.abc import Hashable, Iterable
from urllib.parse import parse_qsl

from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.api.query import Query
from tricircle.routing.catalogue import Path
from tricircle.store import pods, spans

# Parameters by which a list shows records of other projects, or deleted ones, too.
WIDER = frozenset({"all_tenants", "all_projects", "project_id", "tenant_id", "deleted", "changes-since",
                   "changes-before", "status", "vm_state"})
# Parameters that change the order, the fields or the pages of a list, and none of its records.
SHAPING = frozenset({"limit", "sort", "sort_key", "sort_dir", "page_reverse", "fields", "with_count"})


def asks_all(path: Path) -> bool:
    """Whether a list asks every pod, whoever asks: its records belong to no project, or to several."""
    collection = path.collection
    return bool(path.service.every_pod or collection.everywhere or collection.natural or collection.per_pod)


def pods_to_ask(gateway: Gateway, request: Request, path: Path) -> list[dict]:
    """Return the rows of the pods that may have something for a list; at least one, where one is registered.

    Args:
        gateway: parts.
        request: the user's.
        path: parsed, without a member.
    """
    bottom = pods.bottom(gateway.db)
    if asks_all(path) or WIDER & _parameters(request):
        return bottom
    seen = gateway.empty_pods.seen(_key(request, path))
    if seen is None:
        return bottom
    own = spans.own(gateway.db, request.caller.project_id)
    empty = [pod for pod in bottom if pod["pod_id"] in seen.empty - own]
    asked = [pod for pod in bottom if pod not in empty]
    # Where the project is known to have nothing, that is the answer, whichever other pods did not tell.
    return asked if any(pod["pod_id"] in own for pod in asked) else [*empty[:1], *asked]


def is_silence(gateway: Gateway, request: Request, path: Path, missing: list[dict]) -> bool:
    """Return whether those pods do not answer in which the project is known to have something, all of them.

    An empty list of the others would tell a client that its things are gone.

    Args:
        gateway, request, path: as in `pods_to_ask`.
        missing: rows of the pods that did not answer.
    """
    ours = missing and not asks_all(path) and not WIDER & _parameters(request)
    own = spans.own(gateway.db, request.caller.project_id) if ours else set()
    return bool(own) and own <= {pod["pod_id"] for pod in missing}


def note(gateway: Gateway, request: Request, path: Path, query: Query, asked: list[dict],
         held: Iterable[str]) -> None:
    """Remember which pods had nothing for a list, when it was one of all that the project has.

    Args:
        gateway, request, path: as in `pods_to_ask`.
        query: of the request.
        asked: rows of the pods that were asked.
        held: ids of those that had something, or did not tell.
    """
    bottom = {pod["pod_id"] for pod in pods.bottom(gateway.db)}
    whole = not asks_all(path) and _parameters(request) <= SHAPING and not query.nothing
    if whole and bottom == {pod["pod_id"] for pod in asked}:
        own = spans.own(gateway.db, request.caller.project_id)
        gateway.empty_pods.note(_key(request, path), bottom, own.union(held))


def _parameters(request: Request) -> set[str]:
    return {name for name, _ in parse_qsl(request.query, keep_blank_values=True)}


def _key(request: Request, path: Path) -> Hashable:
    """Return the key of a list: a pod may show other records to another user, or to the same one with other roles."""
    return request.caller.identity, path.service.name, path.collection.path
