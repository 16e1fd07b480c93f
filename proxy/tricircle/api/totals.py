"""Answers that count something: what the pods say is added up."""
import json
from typing import Any

from tricircle.api.forward import UNREACHABLE_HEADER, present, send, shared, upward
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import Unavailable
from tricircle.routing.catalogue import Path
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.merge import add_up, collection_key, dig
from tricircle.upstream.scatter import scatter


def totals(gateway: Gateway, request: Request, path: Path, asked: list[dict]) -> Response:
    """Serve a GET whose answer is a sum over pods.

    Args:
        gateway, request, path: as in `generic.serve`.
        asked: rows of the pods to ask.

    Returns:
        The sum; a pod's refusal, when one refused; a pod that does not answer is named in a header.

    Raises:
        Unavailable: no pod answers.
    """
    rows = {pod["pod_name"]: pod for pod in asked}
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    answers, failed = scatter(rows, lambda name: send(gateway, request, path, rows[name], deadline=deadline))
    refused = next((name for name, answer in answers.items() if 400 <= answer.status < 500), None)
    if refused:
        return present(gateway, request, path, rows[refused], answers[refused])
    bodies = {name: answer.json() for name, answer in answers.items() if answer.ok and answer.json() is not None}
    missing = [name for name in rows if name not in bodies]
    if not bodies:
        raise Unavailable(f"no pod gave an answer: {', '.join([*failed, *answers])}")
    headers = shared(upward(answers[next(iter(bodies))]))
    if missing:
        headers.append((UNREACHABLE_HEADER, ", ".join(missing)))
    return Response(200, headers, json.dumps(_sum(list(bodies.values()), path.collection.natural)).encode())


def _sum(bodies: list[Any], natural: str) -> Any:
    key = collection_key(bodies[0])
    if not key or not natural:
        return add_up(bodies)
    groups: dict[Any, list] = {}
    for record in (record for body in bodies for record in body[key]):
        groups.setdefault(dig(record, natural), []).append(record)
    return {**bodies[0], key: [add_up(group) for group in groups.values()]}
