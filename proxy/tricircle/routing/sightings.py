"""What the pods show of some ids to a caller, asked with the caller's own token."""
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tricircle import marks
from tricircle.errors import PodUnreachable
from tricircle.parts import parts
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import SERVICES
from tricircle.routing.fields import OWNERS
from tricircle.upstream.client import Answer, Upstream
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.merge import collection_key
from tricircle.upstream.scatter import scatter

Named = tuple[str, str, str]   # (service, collection, id)
LANES = 4        # questions to a pod at a time for one request, where there is no list by ids
REFUSED = frozenset({401, 403})
# Said by somebody who has not looked: too slow, too busy.
NOT_ASKED = frozenset({408, 429})


@dataclass
class Sightings:
    """What came of a look.

    Args:
        shown: {(service, collection, id): {pod name: the record there}}.
        refused: {the same: pods that have an answer, though not a record of that id: a refusal, or another shape}.
        missing: {the same: pods that could not be asked}.
        ours: those that a pod has as Tricircle's own; filled in by whoever knows.
    """

    shown: dict[Named, dict[str, dict]] = field(default_factory=dict)
    refused: dict[Named, list[str]] = field(default_factory=dict)
    missing: dict[Named, list[str]] = field(default_factory=dict)
    ours: set[Named] = field(default_factory=set)


def look(upstream: Upstream, caller: Caller, names: list[str], wanted: list[Named], deadline: Deadline) -> Sightings:
    """Ask all pods at once.

    Neutron lists by ids, a hundred at a time. Nova's and Cinder's lists have no such filter: each id is a question,
    and `LANES` of them are under way at a time in each pod.

    Args:
        upstream: calls.
        caller: whose token.
        names: pods.
        wanted: (service, collection, id), each once.
        deadline: for all of it.
    """
    together: dict[tuple[str, str], list[str]] = {}
    for service, collection, resource_id in wanted:
        together.setdefault((service, collection), []).append(resource_id)
    tasks = [(name, service, collection, tuple(part)) for (service, collection), ids in together.items()
             for part in _parts(service, ids) for name in names]
    answers, failed = scatter(tasks, lambda task: _in_pod(upstream, caller, *task, deadline))
    found = Sightings()
    for (name, service, collection, _), records in answers.items():
        for resource_id, record in records.items():
            key = (service, collection, resource_id)
            if record is None:
                found.refused.setdefault(key, []).append(name)
            else:
                found.shown.setdefault(key, {})[name] = record
    for name, service, collection, ids in failed:
        for resource_id in ids:
            found.missing.setdefault((service, collection, resource_id), []).append(name)
    return found


def _parts(service: str, ids: list[str]) -> list[list[str]]:
    if service == "network":
        return list(parts(ids))
    return [part for part in (ids[lane::LANES] for lane in range(LANES)) if part]


def _in_pod(upstream: Upstream, caller: Caller, name: str, service: str, collection: str, ids: tuple[str, ...],
            deadline: Deadline) -> dict[str, dict | None]:
    """{id: record, or None where the pod has another answer than that} of one pod. Raises PodUnreachable."""
    def get(path: str) -> Answer:
        if deadline.passed():
            raise PodUnreachable(name, service, "the time for this request was used up before the call", sent=False)
        return upstream.call(name, service, "GET", f"{caller.prefix(SERVICES[service])}/{collection}{path}",
                             headers=caller.headers_for(SERVICES[service]), deadline=deadline)

    if service == "network" and len(ids) > 1:
        return _listed(get, marks.field(collection), ids)
    found: dict[str, dict | None] = {}
    for resource_id in ids:
        answer = get(f"/{resource_id}")
        if answer.ok:
            found[resource_id] = _record(answer, service, resource_id)
        elif _refuses(answer, service):
            found[resource_id] = None
    return found


def _listed(get, mark: str, ids: tuple[str, ...]) -> dict[str, dict | None]:
    """The same by a list; a pod that cuts it short is asked again for the rest."""
    found: dict[str, dict | None] = {}
    more = True
    while more:
        left = [each for each in ids if each not in found]
        answer = get("?" + urlencode({"id": left, "fields": ("id", *OWNERS[:2], mark)}, doseq=True))
        if not answer.ok:
            return dict.fromkeys(ids) if _refuses(answer, "network") else {}
        document = answer.json()
        key = collection_key(document)
        if not key:
            raise PodUnreachable(answer.pod, "network", "answered without a list")
        records = {record["id"]: record for record in document[key] if record.get("id") in left}
        found |= records
        more = records and any(link.get("rel") == "next" for link in document.get(f"{key}_links") or ())
    return found


def _record(answer: Answer, service: str, resource_id: str) -> dict | None:
    document = answer.json()
    if not isinstance(document, dict):
        raise PodUnreachable(answer.pod, service, f"answered {answer.status} without a document")
    return next((record for record in document.values()
                 if isinstance(record, dict) and record.get("id") == resource_id), None)


def _refuses(answer: Answer, service: str) -> bool:
    """Whether the pod has it, or may have it, and does not show it; False when it has it not.

    Raises:
        PodUnreachable: the answer says neither: the service is broken, or too busy.
    """
    if not 400 <= answer.status < 500 or answer.status in NOT_ASKED:
        raise PodUnreachable(answer.pod, service, f"answered {answer.status}", status=answer.status)
    return answer.status in REFUSED
