"""What a pod's answer tells about homes: what was made has its home there; what is gone has none."""
from typing import Any

from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.routing.catalogue import UUID, Path, kind_of
from tricircle.routing.fields import parent_of, project_of
from tricircle.store import replicas, routings
from tricircle.store.routings import Found
from tricircle.upstream.client import Answer, document

TRANSFERS = "volume-transfers"   # by which a project takes over what was another's


def remember(gateway: Gateway, request: Request, path: Path, pod: dict, answer: Answer) -> None:
    """Keep the rows of `routings` up with an answer.

    Args:
        gateway: parts.
        request: the user's.
        path: parsed.
        pod: row of the pod that has answered.
        answer: its answer.

    Raises:
        StoreBusy: the database takes no write now.
    """
    if answer.ok and request.method == "POST" and not path.member and not path.collection.everywhere:
        routings.learn(gateway.db, _made(request, path, answer.json()), pod["pod_id"])
    if answer.ok and path.rest == "/accept" and kind_of(path.collection.path) == TRANSFERS:
        taken = _taken_over(request, document(answer).get("transfer"))
        routings.correct(gateway.db, taken, pod["pod_id"])
        for volume in taken:   # its snapshots may have come along, and are learned when somebody names them
            routings.forget_children(gateway.db, volume.resource_id)
    if UUID.match(path.member) and not path.rest:
        _end(gateway, request, path, pod, answer)


def _made(request: Request, path: Path, made: Any) -> list[Found]:
    """Return the resources that a POST has made."""
    kind, project_id = kind_of(path.collection.path), request.caller.project_id
    values = made.values() if isinstance(made, dict) else ()
    records = [record for value in values for record in (value if isinstance(value, list) else [value])]
    return [Found(record["id"], kind, project_of(record) or project_id, parent_of(record, path.collection))
            for record in records
            if isinstance(record, dict) and UUID.match(str(record.get("id", "")))]


def _taken_over(request: Request, transfer: Any) -> list[Found]:
    """The volume that the caller's project has now."""
    volume_id = transfer.get("volume_id") if isinstance(transfer, dict) else None
    return [Found(volume_id, "volumes", request.caller.project_id)] if UUID.match(str(volume_id)) else []


def _end(gateway: Gateway, request: Request, path: Path, pod: dict, answer: Answer) -> None:
    # The 404 of another method may be about what its body names.
    gone = (answer.status == 404 and request.method in ("GET", "DELETE")) or (
        request.method == "DELETE" and answer.status == 204 and path.service.name == "network")
    known = routings.home(gateway.db, path.member) if gone or request.method == "DELETE" else None
    # Other pods, which an administrator may name, and Nova's old proxies have nothing to say about it.
    if not known or known["pod_id"] != pod["pod_id"] or known["kind"] != path.collection.path:
        return
    # Nova and Cinder delete in the background: the row goes when the owner first gets 404.
    if request.method == "DELETE" and answer.ok and not gone:
        routings.leave(gateway.db, path.member)
    # A resource that its pod has deleted is gone, whoever asked for it; a 404 may mean that the caller may not see it.
    if gone and (answer.ok or known["project_id"] == request.caller.project_id):
        routings.forget(gateway.db, path.member)
        if answer.ok:   # a 404 may come from the wrong pod
            routings.forget_children(gateway.db, path.member)
        replicas.drop(gateway.db, path.member, pod["pod_id"])   # it had moved here and kept its id
