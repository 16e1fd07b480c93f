"""One request to one pod and back: ids, links and zones are translated both ways."""
import json

from tricircle.api.gateway import Gateway
from tricircle.api.message import HOP_BY_HOP, Request, Response, error_body
from tricircle.errors import BadGateway, GatewayTimeout, NotFound, PodUnreachable, Unavailable
from tricircle.routing import numbers, rewrite
from tricircle.routing.catalogue import Path
from tricircle.store import replicas
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline

POD_HEADER = "X-Tricircle-Pod"
UNREACHABLE_HEADER = "X-Tricircle-Unreachable-Pods"


def send(gateway: Gateway, request: Request, path: Path, pod: dict, *, target: str | None = None,
         deadline: Deadline | None = None) -> Answer:
    """Send a request to a pod, translated, and give its answer as it came.

    Args:
        gateway: parts.
        request: the user's.
        path: parsed; tells the service.
        pod: row.
        target: path and query instead of the request's own.
        deadline: for lists; the configured one by default.

    Raises:
        NotFound: the request names a replica by its id in the pod, which is not a name that a user knows.
        PodUnreachable, EndpointMissing, Unavailable: as `Upstream.call`.
    """
    body = request.body
    if request.body_json is not None and b"availability_zone" in body and not path.collection.per_pod:
        document = json.loads(body)
        if gateway.zones.down(path.service.name, pod, document):
            body = rewrite.dump(document)
    wire = numbers.down(path, target or request.target).encode()
    named = rewrite.ids(wire + body)
    foreign = replicas.to_home(gateway.db, pod["pod_id"], named)
    if foreign:
        raise NotFound(f"{next(iter(foreign))} could not be found")
    mapping = replicas.to_local(gateway.db, pod["pod_id"], named)
    return gateway.upstream.call(
        pod["pod_name"], path.service.name, request.method, rewrite.swap(wire, mapping).decode("latin-1"),
        headers=request.caller.headers, body=rewrite.swap(body, mapping) or None, deadline=deadline)


def translate(gateway: Gateway, request: Request, path: Path, pod: dict, body: bytes) -> bytes:
    """A pod's body in the user's terms: home ids, our links, the user's zones."""
    body = rewrite.up(gateway.db, pod["pod_id"], body)
    root = gateway.upstream.account.endpoint(pod["pod_name"], path.service.name)
    body = rewrite.links(body, root, request.root)
    if b"availability_zone" in body or path.collection.per_pod:
        try:
            document = json.loads(body)
        except ValueError:
            return body
        if numbers.up(path, pod, document) if path.collection.per_pod else gateway.zones.up(pod, document):
            body = rewrite.dump(document)
    return body


def present(gateway: Gateway, request: Request, path: Path, pod: dict, answer: Answer) -> Response:
    """A pod's answer as the user gets it; a load balancer's page becomes an error of the service."""
    headers = upward(answer)
    if answer.status >= 500 and "json" not in answer.headers.get("content-type", ""):
        words = f"{path.service.name} of pod {pod['pod_name']} answered {answer.status} without a reason"
        error = BadGateway(words)
        error.status = answer.status
        kept = [(name, value) for name, value in headers if name.lower() != "content-type"]
        made = Response.of_json(answer.status, error_body(path.service.errors, error))
        return Response(made.status, [*kept, *made.headers, (POD_HEADER, pod["pod_name"])], made.body)
    root = gateway.upstream.account.endpoint(pod["pod_name"], path.service.name)
    headers = [(name, rewrite.links(rewrite.up(gateway.db, pod["pod_id"], value.encode("latin-1")), root,
                                    request.root).decode("latin-1") if name.lower() in ("location", "link") else value)
               for name, value in headers]
    return Response(answer.status, [*headers, (POD_HEADER, pod["pod_name"])],
                    translate(gateway, request, path, pod, answer.body))


def upward(answer: Answer) -> list[tuple[str, str]]:
    """A pod's headers without those of the hop; its request id under a name of its own, since ours takes the place."""
    kept = []
    for name, value in answer.headers.items():
        if name.lower() == "x-openstack-request-id":
            kept.append(("X-Tricircle-Pod-Request-Id", value))
        elif name.lower() not in HOP_BY_HOP and name.lower() not in ("server", "date"):
            kept.append((name, value))
    return kept


def failure(error: PodUnreachable) -> BadGateway | GatewayTimeout | Unavailable:
    """What the user is told when the one pod that could serve him did not."""
    if not error.sent:
        return Unavailable(f"{error}. Nothing was changed; try again later")
    if "in time" in error.reason:
        return GatewayTimeout(f"{error}. Whether it did what was asked is not known: look before you repeat it")
    return BadGateway(f"{error}. Whether it did what was asked is not known: look before you repeat it")
