"""Collections that are the same in every pod: read from any pod that is up to date, written to all."""
import json
from dataclasses import replace
from urllib.parse import quote, unquote

from tricircle.api.forward import present, send
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.once import key_of, owner
from tricircle.api.write_all import Write
from tricircle.crosspod import alike, naming
from tricircle.crosspod.shapes import SHAPES, Shape
from tricircle.errors import Conflict, PodUnreachable, Unavailable, UnsupportedMedia
from tricircle.freetext import swapped
from tricircle.routing import rewrite
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import SERVICES, UUID, Path, parse
from tricircle.store import behind, named, pods, replicas
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.merge import collection_key
from tricircle.upstream.scatter import scatter


def read_any(gateway: Gateway, request: Request, path: Path) -> Response:
    """GET of one member: the first answer that is not 404, of the pods that are up to date.

    Raises:
        Unavailable: none of them that answers has it, and one does not answer.
    """
    shape = SHAPES.get(f"{path.service.name}/{path.collection.path}")
    request, path = by_home_ids(gateway, request, path, shape)
    key = _key(shape, request, path)
    late = behind.of(gateway.db, shape.kind, key) if shape else {}
    last: tuple[dict, Answer] | None = None
    unreachable: PodUnreachable | None = None
    for pod in alike.believed(pods.bottom(gateway.db), late):
        try:
            answer = send(gateway, request, path, pod, deadline=Deadline(gateway.upstream.conf.list_deadline))
        except PodUnreachable as error:
            unreachable = error
            continue
        last = (pod, answer)
        if answer.status != 404:
            break
    if unreachable and (last is None or last[1].status == 404):
        raise Unavailable(f"{request.path} is in none of the pods that answer, and {unreachable}: try again later")
    if last is None:
        raise Unavailable("no pod is registered with Tricircle yet")
    return present(gateway, request, path, *last)


def write_all(gateway: Gateway, request: Request, path: Path) -> Response:
    """A write: one pod decides, then the others follow; see `Write`.

    Raises:
        Unavailable: no pod is registered, or none can be reached.
        Conflict: the key is taken in another pod.
        UnsupportedMedia: the body is no JSON.
    """
    if request.upload:
        raise UnsupportedMedia(f"{path.collection.path} take a body of type application/json only")
    if not pods.bottom(gateway.db):
        raise Unavailable("no pod is registered with Tricircle yet")
    shape = SHAPES.get(f"{path.service.name}/{path.collection.path}")
    request, path = by_home_ids(gateway, request, path, shape)
    if shape and request.method == "POST" and not path.member:
        _refuse_taken(gateway, request, path, shape)
    return Write(gateway, request, path, shape, _key(shape, request, path)).run()


def by_home_ids(gateway: Gateway, request: Request, path: Path, shape: Shape | None) -> tuple[Request, Path]:
    """The request with the ids that Tricircle shows, where it has those that a pod shows by itself."""
    if not shape or not shape.named:
        return request, path
    if UUID.match(path.member) and not named.name(gateway.db, path.member) \
            and not replicas.home_of(gateway.db, path.member) and is_shown(gateway, request.caller, shape, path.member):
        naming.learn(gateway.db, gateway.upstream, shape)
    return (request := home_ids(gateway, request)), parse(path.service, request.path)


def is_shown(gateway: Gateway, caller: Caller, shape: Shape, wanted: str) -> bool:
    """Whether a pod shows something to the caller that is called so, by its id or its name."""
    where = f"{caller.prefix(SERVICES[shape.service])}/{shape.collection}"
    one = UUID.match(wanted)
    headers = {field: value for field, value in caller.headers.items() if "api-version" not in field.lower()}
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    answers, _ = scatter(pods.by_name(gateway.db), lambda name: gateway.upstream.call(
        name, shape.service, "GET", f"{where}/{wanted}" if one else where, headers=headers, deadline=deadline))
    if one:
        return any(answer.ok for answer in answers.values())
    documents = [document for answer in answers.values() if answer.ok and isinstance(document := answer.json(), dict)]
    return any(record.get("name") == wanted for document in documents
               for record in document.get(collection_key(document) or "") or [])


def home_ids(gateway: Gateway, request: Request) -> Request:
    """The same for any request."""
    target, body = request.target.encode(), request.body
    mapping = replicas.homes_of(gateway.db, rewrite.ids(target + body))
    if not mapping:
        return request
    where, _, query = swapped(target, mapping).decode("latin-1").partition("?")
    body = swapped(body, mapping)
    return replace(request, path=where, query=query, body=body,
                   body_json=None if request.body_json is None else json.loads(body))


def _key(shape: Shape | None, request: Request, path: Path) -> str | None:
    """By which the thing is known (see `Thing`); None when the pod is going to choose."""
    if not shape:
        return None
    if path.member:
        name = unquote(path.member)
        return f"{owner(request)}/{name}" if shape.owned else name
    wanted = _wanted(shape, request)
    if shape.named or wanted is None:
        return None
    return key_of(shape, request, wanted)


def _wanted(shape: Shape, request: Request) -> dict | None:
    """What shall be made, when the user has chosen its key."""
    wanted = (request.body_json or {}).get(shape.member)
    key = wanted.get(shape.key) if isinstance(wanted, dict) else None
    return wanted if isinstance(key, str) and key not in ("", "auto") else None


def _refuse_taken(gateway: Gateway, request: Request, path: Path, shape: Shape) -> None:
    """The key must be free in every pod, or mean the same there.

    A keypair that its user made before is still his; a flavor's id must not mean two things.
    """
    wanted = _wanted(shape, request)
    if wanted is None:
        return
    key = wanted[shape.key].strip()
    target = path.base + (shape.query if shape.named else f"/{quote(key, safe='')}")
    if shape.owned and wanted.get("user_id"):
        target += f"?user_id={quote(str(wanted['user_id']), safe='')}"
    late = {} if shape.named else behind.of(gateway.db, shape.kind, _key(shape, request, path))
    rows = {pod["pod_name"]: pod for pod in pods.bottom(gateway.db) if pod["pod_id"] not in late}
    question, deadline = request.question(path.base), Deadline(gateway.upstream.conf.list_deadline)
    answers, _ = scatter(rows, lambda name: send(gateway, question, path, rows[name], target=target,
                                                 deadline=deadline))
    for name, answer in answers.items():
        found = _found(answer, shape, key, behind.of_kind(gateway.db, shape.kind).get(rows[name]["pod_id"], ()))
        if found and (not shape.same or any(str(found.get(field)) != str(wanted.get(field)) for field in shape.same)):
            raise Conflict(shape.taken.format(key) or f"{shape.member} {key} exists already in pod {name}" +
                           (" with other properties" if shape.same else ""))


def _found(answer: Answer, shape: Shape, key: str, late: set[str] | tuple) -> dict | None:
    document = answer.json() if answer.ok else None
    if not isinstance(document, dict):
        return None
    if not shape.named:
        return document.get(shape.member)
    records = document.get(collection_key(document) or "") or []
    return next((each for each in records if each["name"] == key and each["id"] not in late), None)
