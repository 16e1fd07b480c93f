"""The one path that serves every method of every resource, also those nobody thought of."""
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

from tricircle import marks
from tricircle.api import bulk, fanout, learned, members, microversion, needs, once, uncut
from tricircle.api.admission import within_quota
from tricircle.api.asking import pods_to_ask
from tricircle.api.forward import POD_HEADER, failure, present, send
from tricircle.api.gateway import Gateway
from tricircle.api.listing import merged_list
from tricircle.api.message import Request, Response
from tricircle.api.totals import totals
from tricircle.errors import ApiError, BadRequest, PodUnreachable, StoreBusy
from tricircle.routing import fields, projects, replicas
from tricircle.routing.catalogue import UUID, Path
from tricircle.routing.placement import Placed, place
from tricircle.routing.references import Mentions
from tricircle.store import pods
from tricircle.upstream.client import READS

LOG = logging.getLogger(__name__)
Handler = Callable[[Gateway, Request, Path], Response | None]
Handlers = dict[tuple[str, str], tuple[Handler, ...]]


def serve(gateway: Gateway, request: Request, path: Path, special: Handlers) -> Response:
    """Answer a request.

    Args:
        gateway: parts.
        request: with its caller and parsed body.
        path: parsed.
        special: handlers of collections whose API crosses pods; one that returns None leaves it to the next one, the
            last one to this path.

    Raises:
        ApiError: to be written in the service's format.
    """
    if request.method in READS:   # nothing is named, marked or changed
        return _serve(gateway, request, path, special)
    request = bulk.unwrapped(request, path)
    refuse_marks(request, marks.field(path.collection.path))
    request.mentions(path.service.name)   # a body that names too much is refused before any handler
    try:
        return members.followed(gateway, request, path, lambda: uncut.answered(
            request, path, lambda asked: _serve(gateway, asked, path, special)))
    except ApiError as error:
        if request.method != "POST" or path.rest not in path.collection.statusless:
            raise
        # A client that does not look at the status stumbles at what is no JSON.
        return Response(error.status, [("Content-Type", "text/plain"), *error.headers], error.message.encode())


def _serve(gateway: Gateway, request: Request, path: Path, special: Handlers) -> Response:
    pinned = pinned_pod(gateway, request)
    if pinned:
        return exchange(gateway, request, path, pinned)
    microversion.negotiate(gateway, request, path)
    in_parts = bulk.split(gateway, request, path, lambda part, where: _serve(gateway, part, where, special))
    if in_parts:
        return in_parts
    for handler in special.get((path.service.name, path.collection.path), ()):
        response = handler(gateway, request, path)
        if response:
            return response
    return plain(gateway, request, path)


def plain(gateway: Gateway, request: Request, path: Path) -> Response:
    """Answer without a handler: by what the catalogue says."""
    reading = request.method in READS and path.rest not in path.collection.acting
    if reading and path.is_total:
        return totals(gateway, request, path, pods_to_ask(gateway, request, path))
    # Nova and Cinder know nothing under `servers/`: a pod says so in their words.
    slashed = request.path.endswith("/") and path.service.errors == "nova"
    if reading and not path.member and not slashed:
        return merged_list(gateway, request, path, pods_to_ask(gateway, request, path), once.tidy(path))
    if path.collection.everywhere:
        return (fanout.read_any if reading or request.method == "OPTIONS" else fanout.write_all)(gateway, request, path)
    return perform(gateway, request, path)


def pinned_pod(gateway: Gateway, request: Request) -> dict | None:
    """The pod that an administrator named in the header `X-Tricircle-Pod`.

    Raises:
        Forbidden: the caller may not do that.
        BadRequest: no such pod.
    """
    name = request.headers.get(POD_HEADER.lower())
    if not name:
        return None
    gateway.policy.check(request.caller, "pin_pod")
    for pod in pods.bottom(gateway.db):
        if pod["pod_name"] == name:
            return pod
    raise BadRequest(f"header {POD_HEADER}: there is no pod {name}")


def refuse_marks(request: Request, mark: str) -> None:
    """Nobody but Tricircle writes its mark: a resource that carries it is taken for a replica, and hidden.

    Args:
        request: the user's.
        mark: the field of the collection that carries it.

    Raises:
        BadRequest: that field begins with the mark in the body.
    """
    if any(str(member.get(mark)).startswith(marks.REPLICA) for member in fields.members(request.body_json)):
        raise BadRequest(f"a {mark} must not begin with {marks.REPLICA}: Tricircle marks its own resources so")


def perform(gateway: Gateway, request: Request, path: Path, external: bool = False,
            pulled: tuple[tuple[str, str, str], ...] = ()) -> Response:
    """Choose the pod, make what the request refers to exist there, forward it.

    Args:
        gateway, request, path: as in `serve`.
        external: as in `placement.place`.
        pulled: (service, collection, id) of what it belongs to besides what its body names.
    """
    found = request.mentions(path.service.name)
    if pulled:
        found = replace(found, resources=[*found.resources, *pulled])
    response, pod = _in_its_pod(gateway, request, path, found, external)
    # Nothing was changed by a 404. Where it is the row that was wrong, it is not any more.
    if response.status == 404 and UUID.match(path.member) and response.stream is None and gateway.locator.elsewhere(
            request.caller, *path.named, pod):
        response, _ = _in_its_pod(gateway, request, path, found, external)
    return response


def _in_its_pod(gateway: Gateway, request: Request, path: Path, found: Mentions,
                external: bool) -> tuple[Response, dict]:
    """(the answer, row of the pod that gave it) of one try."""
    owner = _owner(gateway, request, path)
    placed = place(gateway.db, gateway.locator, request.caller, path, found, owner, external)
    try:
        response = _placed(gateway, request, path, found, placed)
    except ApiError as error:
        unbind(gateway, placed.pod, error.status)
        raise
    unbind(gateway, placed.pod, response.status)
    return response, placed.pod


def _placed(gateway: Gateway, request: Request, path: Path, found: Mentions, placed: Placed) -> Response:
    """Forward it, when all is there; what was made for a request that the pod refuses does not stay."""
    made: list[tuple[str, str]] = []
    try:
        response = _tried(gateway, request, path, found, placed, made)
    except PodUnreachable as error:
        raise failure(error) from error
    except ApiError as error:
        if 400 <= error.status < 500:
            _take_back(gateway, made, placed.pod)
        raise
    if 400 <= response.status < 500:
        _take_back(gateway, made, placed.pod)
    return response


def _tried(gateway: Gateway, request: Request, path: Path, found: Mentions, placed: Placed,
           made: list[tuple[str, str]]) -> Response:
    """Make what is needed, which is noted in `made`, and give the pod's answer, as often as that may help."""
    for _ in range(needs.ROUNDS):
        made += needs.satisfy(gateway, request, path, found, placed)
        if path.is_interface and request.method == "POST" and placed.moves:
            needs.take_to_server(gateway, request, path, placed)
        response = _to_pod(gateway, request, path, placed)
        if response.status == 400 and placed.moves and needs.take_along(gateway, request, path, placed, response):
            response = _to_pod(gateway, request, path, placed)
        if response.status not in (400, 404) or not needs.forget_gone(gateway, request, placed):
            break
    return response


def _to_pod(gateway: Gateway, request: Request, path: Path, placed: Placed) -> Response:
    """Exchange it with its pod; a network's shadow or half-made copy there is no place for a server."""
    return exchange(gateway, request, path, placed.pod, [network_id for network_id, _ in placed.moves])


def unbind(gateway: Gateway, pod: dict, status: int) -> None:
    """A project is bound to a pod by what the pod has accepted, not by what somebody has tried.

    Args:
        gateway: parts.
        pod: row, as `pods.default_pod` or `pods.pod_for_zone` gave it.
        status: of the answer to the request that it was chosen for.
    """
    if "bound" in pod and 400 <= status < 500:
        pods.unbind_unused(gateway.db, pod["bound"])


def _owner(gateway: Gateway, request: Request, path: Path) -> str:
    """Whose pods something new belongs in: what is made for a project stands beside what the project makes itself."""
    if path.service.name != "network" or path.member or not isinstance(request.body_json, dict):
        return request.caller.project_id
    given = next(iter(request.body_json.values()), None)
    return next(iter(projects.owners(gateway.upstream, request.caller, pods.by_name(gateway.db), given)),
                request.caller.project_id)


def _take_back(gateway: Gateway, made: list[tuple[str, str]], pod: dict) -> None:
    try:
        for collection, resource_id in made:
            replicas.take_back(gateway.db, gateway.upstream, collection, resource_id, pod)
    except PodUnreachable as error:
        # The pod's refusal is the answer; a replica that nobody uses is hidden, and goes with its home.
        LOG.warning("replicas of %s stay: %s", made, error)


def exchange(gateway: Gateway, request: Request, path: Path, pod: dict, away: Collection[str] = ()) -> Response:
    """Forward to one pod within the project's quota, remember what was made or is gone, and give the answer.

    Args:
        gateway, request, path: as in `serve`.
        pod: row.
        away: as in `send`.
    """
    return within_quota(gateway, request, path, pod, partial(_exchange, away=away))


def _exchange(gateway: Gateway, request: Request, path: Path, pod: dict, away: Collection[str]) -> Response:
    try:
        answer = send(gateway, request, path, pod, through=True, away=away)
    except PodUnreachable as error:
        raise failure(error) from error
    try:
        learned.remember(gateway, request, path, pod, answer)
    except StoreBusy as error:
        # The pod has done it: an error now would make the user repeat it. What is not known is asked of the pods.
        LOG.warning("not remembered where %s is: %s", request.path, error)
    return present(gateway, request, path, pod, answer)
