"""Version documents: what all pods speak. A client that is told more would get a 406 from one of them."""
import json
import time
from functools import lru_cache
from typing import Any

from tricircle.api.forward import LINKS, upward
from tricircle.api.gateway import Gateway, Known
from tricircle.api.message import Request, Response
from tricircle.errors import Unavailable
from tricircle.routing import rewrite
from tricircle.routing.catalogue import Service, split
from tricircle.store import pods
from tricircle.upstream.client import READS, Answer
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

PLAIN = {"accept": "application/json"}
# A pod that did not answer is asked again sooner; until then its last answer stands, so that the intersection does not
# grow while a pod is away.
BELIEVED_SECONDS, DOUBTED_SECONDS = 60.0, 5.0
NOTHING = Known(0.0, [], {})
SILENT_SECONDS = 1.0   # where no pod has told anything so far


def is_version_path(service: Service, path: str) -> bool:
    """Whether a path is a service's root or a version's root."""
    return path == "/" or path[1:].removesuffix("/") in service.versions


def root_of(service: Service, request: Request, project_id: str | None) -> str | None:
    """Return the path of the version document that a request asks for; None where it asks for something else.

    Nova shows the document of a version below a project, too: endpoints with `%(project_id)s` lead there.

    Args:
        service: whose port it came in at.
        request: the user's.
        project_id: of the token.
    """
    if is_version_path(service, request.path):
        return request.path
    prefix, rest = split(service, request.path)
    below_own = service.name == "compute" and request.method in READS and not rest and project_id
    version = prefix.removesuffix(f"/{project_id}") if below_own else prefix
    return f"{version}/" if version != prefix else None


def is_open(service: Service, path: str) -> bool:
    """Whether a path is one that needs no token: clients ask there before they have one."""
    return is_version_path(service, path) and (service.open_versions or path == "/")


def document(gateway: Gateway, service: Service, request: Request, path: str) -> Response:
    """The version document at a path, as the intersection of what the pods answer there.

    Where no pod has a document one pod's answer stands for all: Cinder redirects from `/v3` to `/v3/`, and Neutron has
    nothing at `/v2.0`.

    Raises:
        Unavailable: no pod answers.
    """
    known = _known(gateway, service, path, _headers(request))
    answers = known.answers
    bodies = {name: answer.json() for name, answer in answers.items() if answer.json() is not None}
    if not bodies and known.others:
        return _other(gateway, service, request, *next(iter(known.others.items())))
    if not bodies:
        raise Unavailable("no pod tells its API versions")
    name = next(iter(bodies))
    first = answers[name]
    root = gateway.upstream.account.root(name, service.name)
    merged = intersection(list(bodies.values()))
    body = rewrite.links(json.dumps(merged).encode(), root, request.root)
    headers = [(key, value) for key, value in upward(first) if not key.lower().startswith("x-")]
    return Response(first.status, headers, body)


def _other(gateway: Gateway, service: Service, request: Request, pod: str, answer: Answer) -> Response:
    """A pod's answer that is no document, with links to us."""
    root = gateway.upstream.account.root(pod, service.name)
    headers = [(name, rewrite.links(value.encode("latin-1"), root, request.root).decode("latin-1")
                if name.lower() in LINKS else value) for name, value in upward(answer)]
    return Response(answer.status, headers, rewrite.links(answer.body, root, request.root))


def _headers(request: Request) -> dict[str, str]:
    """Nothing of the user's but the token: the answer is for all who ask."""
    return PLAIN | {"x-auth-token": request.caller.headers["x-auth-token"]} if request.caller else PLAIN


def span(gateway: Gateway, service: Service) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """(lowest, highest) microversion that all pods speak; None when no pod tells."""
    # The root: Cinder shows the document of one version to nobody without a token.
    answers = _known(gateway, service, "/", PLAIN).answers.values()
    return _span(service.versions[0], tuple(answer.body for answer in answers))


@lru_cache(maxsize=16)   # every request with a microversion asks for it
def _span(version_prefix: str, documents: tuple[bytes, ...]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    bodies = [body for body in map(json.loads, documents) if body]
    if not bodies:
        return None
    versions = intersection(bodies)["versions"]
    version = next((each for each in versions if each["id"].startswith(version_prefix)), None)
    if not version or not version.get("min_version"):
        return None
    return _numbers(version["min_version"]), _numbers(version["version"])


def intersection(bodies: list[Any]) -> Any:
    """What all version documents have in common.

    Args:
        bodies: of one path; `{"versions": [...]}` or `{"version": {...}}`.

    Returns:
        The first document, its lists cut to ids that all have, its microversions narrowed.
    """
    first = bodies[0]
    if "version" in first and isinstance(first["version"], dict):
        return {"version": _narrow([body["version"] for body in bodies if "version" in body])}
    if "versions" not in first:
        return first
    by_id = [{version["id"]: version for version in body.get("versions", [])} for body in bodies]
    shared = [key for key in by_id[0] if all(key in versions for versions in by_id)]
    return {**first, "versions": [_narrow([versions[key] for versions in by_id]) for key in shared]}


def _narrow(versions: list[dict]) -> dict:
    narrowed = dict(versions[0])
    for field, choose in (("version", min), ("max_version", min), ("min_version", max)):
        spoken = [version[field] for version in versions if version.get(field)]
        if spoken:
            narrowed[field] = choose(spoken, key=_numbers)
    return narrowed


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _known(gateway: Gateway, service: Service, path: str, headers: dict[str, str]) -> Known:
    """What the pods answer at one of the few paths of version documents.

    One request asks at a time. Others go on with what is known, also where that is nothing: a silent pod must not hold
    up all threads, and nobody without a token can make us ask again. The very first ones wait.
    """
    names, key = [pod["pod_name"] for pod in pods.bottom(gateway.db)], (service.name, path)
    known = gateway.version_answers.get(key)
    if known and known.fresh(names):
        return known
    lock = gateway.version_locks[key]
    if not lock.acquire(timeout=0 if known else gateway.upstream.conf.list_deadline):
        return known or NOTHING
    try:
        known = gateway.version_answers.get(key, NOTHING)   # another one may have asked in between
        if not known.fresh(names):
            known = _asked(gateway, service, path, headers, names, known.answers)
            # What one user's token was refused says nothing to others.
            if known.answers or headers is PLAIN:
                gateway.version_answers[key] = known
        return known
    finally:
        lock.release()


def _asked(gateway: Gateway, service: Service, path: str, headers: dict[str, str], names: list[str],
           before: dict[str, Answer]) -> Known:
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    found, _ = scatter(names, lambda name: gateway.upstream.call(
        name, service.name, "GET", path, headers=headers, deadline=deadline))
    sound = {name: answer for name, answer in found.items() if answer.status < 400 and answer.json() is not None}
    kept = {name: sound.get(name) or before.get(name) for name in names}
    answers = {name: answer for name, answer in kept.items() if answer}
    believed = BELIEVED_SECONDS if len(sound) == len(names) else DOUBTED_SECONDS if answers else SILENT_SECONDS
    others = {name: answer for name, answer in found.items() if name not in sound and answer.status < 500}
    return Known(time.monotonic() + believed, names, answers, others)
