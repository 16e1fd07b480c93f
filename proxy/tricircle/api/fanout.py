"""Collections that are the same in every pod (flavors, keypairs, quotas): read from any pod, written to all."""
import json
import logging
from urllib.parse import quote

from tricircle.api.forward import UNREACHABLE_HEADER, failure, present, send
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.errors import Conflict, PodUnreachable, Unavailable, UnsupportedMedia
from tricircle.routing.catalogue import Path
from tricircle.store import pods
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

LOG = logging.getLogger(__name__)
# What the first pod chose by itself and the others must be told: {collection: (member key, fields of the answer)}.
CHOSEN = {"flavors": ("flavor", ("id",)), "os-keypairs": ("keypair", ("public_key", "type"))}
# By which field a member is known, and which fields must agree for an existing one to be the same.
KEYS = {"flavor": "id", "keypair": "name"}
ALWAYS_TAKEN = ("fingerprint",)   # nobody sends it, so nothing agrees
SAME = {"flavor": ("name", "ram", "vcpus", "disk"), "keypair": ALWAYS_TAKEN}


def read_any(gateway: Gateway, request: Request, path: Path) -> Response:
    """GET of one member: the first pod's answer that is not 404."""
    rows = pods.by_name(gateway.db)
    last: tuple[str, Answer] | None = None
    unreachable: PodUnreachable | None = None
    for name, pod in rows.items():
        try:
            answer = send(gateway, request, path, pod, deadline=Deadline(gateway.conf.pods.list_deadline))
        except PodUnreachable as error:
            unreachable = error
            continue
        last = (name, answer)
        if answer.status != 404:
            break
    if last is None:
        raise failure(unreachable) if unreachable else Unavailable("no pod is registered with Tricircle yet")
    return present(gateway, request, path, rows[last[0]], last[1])


def write_all(gateway: Gateway, request: Request, path: Path) -> Response:
    """A write: the first pod decides, then the others follow.

    A pod that cannot be reached, or fails, is named in a header; it gets what it lacks when a server first needs it.

    Raises:
        Unavailable: no pod is registered, or none can be reached.
        Conflict: the key is taken in another pod.
        UnsupportedMedia: the body is no JSON.
    """
    if request.upload:
        raise UnsupportedMedia(f"{path.collection.path} take a body of type application/json only")
    rows = pods.bottom(gateway.db)
    if not rows:
        raise Unavailable("no pod is registered with Tricircle yet")
    if not path.member and request.method == "POST":
        _refuse_taken(gateway, request, path)
    missing: list[str] = []
    answers: dict[str, Answer] = {}
    for pod in rows:
        try:
            first = send(gateway, request, path, pod)
        except PodUnreachable as error:
            if error.sent:
                raise failure(error) from error
            missing.append(pod["pod_name"])
            continue
        answers[pod["pod_name"]] = first
        # A pod that lacks the thing (it was down when the thing was made) does not decide about it.
        if first.status != 404 or request.method == "POST":
            break
    if not answers:
        raise Unavailable(f"no pod can be reached: {', '.join(missing)}")
    decider, first = list(answers.items())[-1]
    if first.ok:
        rest = {pod["pod_name"]: pod for pod in rows if pod["pod_name"] not in (*answers, *missing)}
        followed, failed = scatter(rest, lambda name: _follow(gateway, request, path, rest[name], first))
        missing += list(failed)
        for name, answer in followed.items():
            if not answer.ok and answer.status not in (404, 409):
                LOG.warning("%s %s: pod %s says %s: %s", request.method, request.path, name, answer.status,
                            answer.body[:200])
                missing.append(name)
    row = next(pod for pod in rows if pod["pod_name"] == decider)
    response = present(gateway, request, path, row, first)
    if missing:
        response.headers.append((UNREACHABLE_HEADER, ", ".join(missing)))
    return response


def _refuse_taken(gateway: Gateway, request: Request, path: Path) -> None:
    """The key must be free in every pod, or mean the same there.

    A keypair that its user made before is still his; a flavor's id must not mean two things.
    """
    member, _ = CHOSEN.get(path.collection.path, ("", ()))
    wanted = (request.body_json or {}).get(member)
    key = wanted.get(KEYS[member]) if member and isinstance(wanted, dict) else None
    if not isinstance(key, str) or not key or key == "auto":
        return
    rows = pods.by_name(gateway.db)
    question = request.question(f"{path.base}/{quote(key, safe='')}")
    deadline = Deadline(gateway.conf.pods.list_deadline)
    answers, _ = scatter(rows, lambda name: send(gateway, question, path, rows[name], deadline=deadline))
    for name, answer in answers.items():
        found = (answer.json() or {}).get(member) if answer.ok else None
        if found and any(str(found.get(field)) != str(wanted.get(field)) for field in SAME[member]):
            raise Conflict(f"{member} {key} exists already in pod {name}" +
                           (" with other properties" if SAME[member] != ALWAYS_TAKEN else ""))


def _follow(gateway: Gateway, request: Request, path: Path, pod: dict, first: Answer) -> Answer:
    member, fields = CHOSEN.get(path.collection.path, ("", ()))
    chosen = (first.json() or {}).get(member, {}) if member and not path.member else {}
    if not chosen:
        return send(gateway, request, path, pod)
    body = {**request.body_json, member: request.body_json[member] | {f: chosen[f] for f in fields if f in chosen}}
    copy = Request(request.method, request.path, request.query, request.headers, json.dumps(body).encode(),
                   request.root, request.request_id, request.caller, body)
    return send(gateway, copy, path, pod)
