"""One request to one pod and back: ids, links and zones are translated both ways."""
import json
import re
from collections.abc import Collection

from tricircle import freetext, jsons
from tricircle.api.gateway import Gateway
from tricircle.api.message import HOP_BY_HOP, Request, Response, error_body, named
from tricircle.errors import BadGateway, GatewayTimeout, NotFound, PodUnreachable, Unavailable
from tricircle.routing import fields, numbers, rewrite
from tricircle.routing.catalogue import Path
from tricircle.store import pods, replicas
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline

POD_HEADER = "X-Tricircle-Pod"
UNREACHABLE_HEADER = "X-Tricircle-Unreachable-Pods"
AGAIN = "Try again later"
LOOK = "Whether it did what was asked is not known: look before you repeat it"
LINKS = frozenset({"location", "link", "content-location"})
# Of the very bytes of a body: wrong as soon as it is translated.
DIGESTS = frozenset({"content-md5", "digest", "content-digest", "repr-digest", "accept-ranges"})
OF_THE_HOP = HOP_BY_HOP | {"server", "date", "content-encoding"}
# They speak of one pod's answer, not of one that was made of several.
ONE_PODS = DIGESTS | {"x-openstack-request-id", "x-compute-request-id", "etag", "last-modified"}
# Control characters, and a header value that goes on in the next line: neither may be sent on.
FOLDED = re.compile(r"[\x00-\x1f\x7f]+")


def send(gateway: Gateway, request: Request, path: Path, pod: dict, *, target: str | None = None,
         deadline: Deadline | None = None, through: bool = False, away: Collection[str] = ()) -> Answer:
    """Send a request to a pod, translated, and give its answer as it came.

    Args:
        gateway: parts.
        request: the user's.
        path: parsed; tells the service.
        pod: row.
        target: path and query instead of the request's own: a part of an answer that is ours, without conditions.
        deadline: for lists; the configured one by default.
        through: as in `Upstream.call`.
        away: home ids that are sent as they are: what stands for them in the pod will not do.

    Raises:
        NotFound: the request names a replica by its id in the pod, which is not a name that a user knows.
        PodUnreachable, Unavailable: as `Upstream.call`.
    """
    wire, body = _local_terms(gateway, request, path, pod, numbers.down(path, target or request.target), away)
    # A list is the user's own request, too, unless we need a longer one to sort it.
    question = request.ours or (target is not None and target.partition("?")[0] != request.path)
    headers = request.caller.headers if question else request.caller.own
    headers = headers if target else headers | request.conditions
    sent = body or None
    if request.upload:
        headers = headers | {"content-length": str(request.upload.length)}
        sent = request.upload.file
        sent.seek(0)
    return gateway.upstream.call(
        pod["pod_name"], path.service.name, request.method, wire, headers=headers, body=sent, deadline=deadline,
        through=through)


def _local_terms(gateway: Gateway, request: Request, path: Path, pod: dict, wire: str,
                 away: Collection[str]) -> tuple[str, bytes]:
    """(path and query, body) with the pod's own zones and ids. Raises NotFound as `send`."""
    body = request.body
    if request.body_json is not None and b"availability_zone" in body and not path.collection.per_pod:
        document = json.loads(body)
        if gateway.zones.down(path.service.name, pod, fields.members(document), pods.zones(gateway.db)):
            body = rewrite.dump(document)
    mapping, foreign = replicas.both(gateway.db, pod["pod_id"], rewrite.ids(wire.encode() + body))
    for home_id in away:
        mapping.pop(home_id, None)
    if not mapping and not foreign:
        return wire, body
    naming = freetext.NAMING.get(path.service.name, freetext.NOTHING)
    if foreign:
        document = json.loads(body) if body and request.body_json is not None else body.decode("latin-1")
        unknown = foreign.keys() & freetext.exposed(wire, document, naming)
        if unknown:
            raise NotFound(f"{min(unknown)} could not be found")
    local = freetext.swapped(wire.encode(), mapping).decode()
    return local, freetext.swapped(body, mapping, naming)


def translate(gateway: Gateway, request: Request, path: Path, pod: dict, body: bytes) -> bytes:
    """A pod's body in the user's terms: home ids, our links, the user's zones."""
    body = links(gateway, request, path, pod, body)
    homes = replicas.to_home(gateway.db, pod["pod_id"], rewrite.ids(body))
    zoned = b"availability_zone" in body or path.collection.per_pod
    if not homes and not zoned:
        return body
    try:
        document = jsons.loads(body)
    except ValueError:
        return freetext.swapped(body, homes)
    if path.collection.per_pod:
        changed, patched = numbers.up(path, pod, document), None
        changed = gateway.zones.of_hosts(pod, fields.members(document)) or changed
    else:
        changed = gateway.zones.up(pod, fields.members(document))
        patched = None if homes else rewrite.patched(body, changed)
    if homes:
        document = freetext.in_document(document, freetext.swapping(homes))
    return patched or (rewrite.dump(document) if homes or changed else body)


def links(gateway: Gateway, request: Request, path: Path, pod: dict, text: bytes) -> bytes:
    """A pod's body or header with links to the gateway."""
    root = gateway.upstream.account.root(pod["pod_name"], path.service.name)
    return rewrite.links(text, root, request.root)


def _translated_link(gateway: Gateway, request: Request, path: Path, pod: dict, link: str) -> str:
    text = rewrite.up(gateway.db, pod["pod_id"], link.encode("latin-1"))
    return links(gateway, request, path, pod, text).decode("latin-1")


def present(gateway: Gateway, request: Request, path: Path, pod: dict, answer: Answer) -> Response:
    """A pod's answer as the user gets it; a load balancer's page becomes an error of the service."""
    headers = upward(answer)
    if answer.status >= 500 and "json" not in answer.headers.get("content-type", ""):
        words = f"{path.service.name} of pod {pod['pod_name']} answered {answer.status} without a reason"
        error = BadGateway(f"{words}. {AGAIN if request.method == 'GET' else LOOK}")
        error.status = answer.status
        kept = [(name, value) for name, value in headers if name.lower() != "content-type"]
        made = Response.of_json(answer.status, error_body(path.service.errors, error))
        return Response(made.status, [*kept, *made.headers, (POD_HEADER, pod["pod_name"])], made.body)
    headers = [(name, _translated_link(gateway, request, path, pod, value) if name.lower() in LINKS else value)
               for name, value in headers]
    headers.append((POD_HEADER, pod["pod_name"]))
    if answer.stream is not None:
        return Response(answer.status, headers + _length(answer), stream=answer.stream)
    body = translate(gateway, request, path, pod, answer.body)
    return Response(answer.status, headers if body == answer.body else _of_other_bytes(headers), body)


def _length(answer: Answer) -> list[tuple[str, str]]:
    """Content-Length by which the pod's answer was read, where the bytes are those that it sent."""
    if answer.length is None or "content-encoding" in answer.headers:
        return []
    return [("Content-Length", str(answer.length))]


def _of_other_bytes(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers of a body that was translated: the same thing in other bytes has a weak ETag (RFC 9110 8.8.1)."""
    return [(name, f"W/{value}" if name.lower() == "etag" and value.startswith('"') else value)
            for name, value in headers if name.lower() not in DIGESTS]


def upward(answer: Answer) -> list[tuple[str, str]]:
    """A pod's headers without those of the hop. Its request id stays: Nova knows the server's actions by it."""
    said = answer.headers.get("connection")
    hop, kept = OF_THE_HOP | named(said) if said else OF_THE_HOP, []
    for name, value in answer.headers.items():
        if name.lower() not in hop:
            kept.append((name, value if value.isprintable() else FOLDED.sub(" ", value)))
    return kept


def name_silent(response: Response, names: list[str]) -> None:
    """Name in an answer, in place, the pods that could not be asked, unless it names some already."""
    if names and UNREACHABLE_HEADER not in dict(response.headers):
        response.headers.append((UNREACHABLE_HEADER, ", ".join(names)))


def shared(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of a pod's headers, as `upward` gives them, those that hold for an answer made of several pods'."""
    return [(name, value) for name, value in headers if name.lower() not in ONE_PODS]


def failure(error: PodUnreachable) -> BadGateway | GatewayTimeout | Unavailable:
    """What the user is told when the one pod that could serve him did not."""
    if not error.sent:
        return Unavailable(f"{error}. Nothing was changed; {AGAIN.lower()}")
    kind = GatewayTimeout if "in time" in error.reason else BadGateway
    return kind(f"{error}. {LOOK if error.doubtful else AGAIN}")
