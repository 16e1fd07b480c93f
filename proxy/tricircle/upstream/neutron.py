"""Questions to a pod's Neutron. A broken answer must never look like an empty one: what is not seen would be torn
down."""
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from tricircle.errors import PodUnreachable
from tricircle.upstream.client import Answer, Upstream
from tricircle.upstream.deadline import Deadline


def one(upstream: Upstream, pod: str, path: str, key: str, deadline: Deadline | None = None) -> Any | None:
    """Read one resource with our own account; None for a 404. Raises PodUnreachable.

    Args:
        upstream: as everywhere.
        pod: name.
        path: with version: `/v2.0/networks/4cb6`.
        key: `network`.
        deadline: for the call; that of `[pods]deadline` without one.
    """
    answer = upstream.ask(pod, "network", "GET", path, deadline=deadline)
    if answer.status == 404:
        return None
    body = answer.json() if answer.ok else None
    if not isinstance(body, dict) or key not in body:
        raise PodUnreachable(pod, "network", f"answered {answer.status} to GET {path.split('?')[0]}")
    return body[key]


def listed(upstream: Upstream, pod: str, collection: str, query: str, deadline: Deadline | None = None) -> list[dict]:
    """A collection, asked for by our own account with a query. Raises PodUnreachable."""
    return records(upstream.ask(pod, "network", "GET", f"/v2.0/{collection}?{query}", deadline=deadline), collection)


def records(answer: Answer, collection: str) -> list[dict]:
    """Return the records of a list's answer. Raises PodUnreachable for an answer that has no list of the collection."""
    document = answer.json() if answer.ok else None
    key = collection.rpartition("/")[2].replace("-", "_")
    found = document.get(key) if isinstance(document, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise PodUnreachable(answer.pod, "network", f"answered {answer.status} to GET /v2.0/{collection}",
                             status=answer.status)
    return found


def question(which: Mapping[str, Any], fields: Iterable[str] = ()) -> str:
    """A query: filters, and the fields that are to be shown."""
    return urlencode({**which, "fields": tuple(fields)}, doseq=True)
