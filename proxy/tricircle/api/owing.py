"""Requests that owe the pods a job: the intent is written down before a pod is asked."""
from tricircle.api import generic
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.jobs.queue import announced
from tricircle.routing.catalogue import Path


def owing(gateway: Gateway, request: Request, path: Path, kind: str, owners: dict[str, str]) -> Response:
    """Write down the jobs, forward the request, let the jobs go.

    They run also when the pod refuses: what was prepared for the request in another pod is taken back by them.

    Args:
        gateway, request, path: as in `generic.serve`.
        kind: of the jobs.
        owners: {home id: its project}; one job each. The user may change each of them: see `judged`.
    """
    with announced(gateway.db, kind, owners):
        return generic.plain(gateway, request, path)
