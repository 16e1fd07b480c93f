"""Requests that owe the pods a job: the intent is written down before a pod is asked."""
from tricircle.api import generic
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.routing.catalogue import Path
from tricircle.store import jobs
from tricircle.store.db import now

# Seconds after which a job runs even though the request that owes it never came back (its process was killed).
INTENT_SECONDS = 90.0


def owing(gateway: Gateway, request: Request, path: Path, kind: str, resource_ids: list[str]) -> Response:
    """Write down the jobs, forward the request, let the jobs go.

    They run also when the pod refuses: what was prepared for the request in another pod is taken back by them.

    Args:
        gateway, request, path: as in `generic.serve`.
        kind: of the jobs.
        resource_ids: home ids; one job each.
    """
    owed = [jobs.enqueue(gateway.db, kind, resource_id, request.caller.project_id, not_before=now() + INTENT_SECONDS)
            for resource_id in dict.fromkeys(resource_ids)]
    try:
        return generic.plain(gateway, request, path)
    finally:
        for job in owed:
            jobs.release(gateway.db, job["id"])
