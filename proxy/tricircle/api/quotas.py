"""Quotas and limits of the big region: what an administrator sets is its number, usage is the sum over the pods."""
import json
import re
from typing import Any
from urllib.parse import parse_qs

from tricircle.api import fanout
from tricircle.api.forward import UNREACHABLE_HEADER, present, send, shared, upward
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.crosspod import quota_numbers
from tricircle.errors import BadRequest, Unavailable
from tricircle.jobs.queue import announced
from tricircle.routing import usage
from tricircle.routing.catalogue import Path
from tricircle.routing.fields import is_true
from tricircle.store import pods, quotas, spans
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

NUMBER = re.compile(r"-?[0-9]{1,18}")
DEFAULTS = ("/defaults", "/default")
NEUTRONS_OWN_PROJECT = ("tenant", "project")   # /quotas/project says whose token it is
# What Nova and Cinder call a quota in `limits`; what begins with `total` there is a count.
MAXIMA = {"maxTotalInstances": "instances", "maxTotalCores": "cores", "maxTotalRAMSize": "ram",
          "maxTotalKeypairs": "key_pairs", "maxServerGroups": "server_groups", "maxServerMeta": "metadata_items",
          "maxServerGroupMembers": "server_group_members", "maxImageMeta": "metadata_items",
          "maxPersonality": "injected_files", "maxPersonalitySize": "injected_file_content_bytes",
          "maxTotalVolumes": "volumes", "maxTotalVolumeGigabytes": "gigabytes", "maxTotalSnapshots": "snapshots",
          "maxTotalBackups": "backups", "maxTotalBackupGigabytes": "backup_gigabytes"}
# What each service says to a number below what is used.
TOO_LOW = {
    "compute": "Quota limit {number} for {name} must be greater than or equal to already used and reserved {used}.",
    "volume": "Quota {name} limit must be equal or greater than existing resources. Current usage is {used} and the "
              "requested limit is {number}.",
    "network": "Quota limit {number} for {name} must be greater than or equal to already used {used}",
}


def quota_sets(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A project's quota, or a class: read as one, written to all pods and kept.

    Quotas of one user in a project (Nova's `user_id`) are told to every pod, each of which keeps to them by itself.
    """
    if not path.member or path.member in NEUTRONS_OWN_PROJECT:
        return None
    if request.method == "GET":
        return _read(gateway, request, path)
    if request.method in ("PUT", "DELETE") and not path.rest and "user_id" not in parse_qs(request.query):
        return _write(gateway, request, path)
    return None


def limits(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """Nova's and Cinder's absolute limits: maxima are the big region's numbers, totals are sums."""
    if request.method != "GET" or path.member:
        return None
    named = parse_qs(request.query).keys() & {"tenant_id", "project_id"}
    kept = {} if named else quotas.numbers(gateway.db, path.service.name, "os-quota-sets", request.caller.project_id)

    def merge(documents: dict[str, dict]) -> dict:
        absolute = {pod: document["absolute"] for pod, document in documents.items()}
        merged = usage.combine(absolute, _binding(gateway, request.caller.project_id, absolute),
                               {shown: kept[name] for shown, name in MAXIMA.items() if name in kept})
        totals = {name: sum(each.get(name, 0) for each in absolute.values())
                  for name in merged if name.startswith("total")}
        return {**next(iter(documents.values())), "absolute": merged | totals}
    return _merged(gateway, request, path, "limits", merge)


def _read(gateway: Gateway, request: Request, path: Path) -> Response:
    asked_for_default = path.rest in DEFAULTS or "user_id" in parse_qs(request.query)
    kept = {} if asked_for_default else quotas.numbers(gateway.db, *_key(path))

    def merge(documents: dict[str, dict]) -> dict:
        _leave_replicas_out(gateway, path, documents)
        return usage.combine(documents, _binding(gateway, path.member, documents), kept)
    return _merged(gateway, request, path, quota_numbers.SETS[_key(path)[:2]][1], merge)


def _merged(gateway: Gateway, request: Request, path: Path, member: str, merge) -> Response:
    """Ask all pods and merge {pod: the answer's member}; a pod's refusal is the answer."""
    rows = pods.by_name(gateway.db)
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    answers, failed = scatter(rows, lambda name: send(gateway, request, path, rows[name], deadline=deadline))
    for name, answer in answers.items():
        if 400 <= answer.status < 500:
            return present(gateway, request, path, rows[name], answer)
    good = {name: found for name, answer in answers.items() if (found := _member(answer, member))}
    missing = [*failed, *(name for name in answers if name not in good)]
    if not good:
        raise Unavailable(f"no pod gave an answer: {', '.join(missing)}" if rows else
                          "no pod is registered with Tricircle yet")
    headers = shared(upward(answers[next(iter(good))]))
    if missing:
        headers.append((UNREACHABLE_HEADER, ", ".join(missing)))
    return Response(200, headers, json.dumps({member: merge(good)}).encode())


def _member(answer: Answer, member: str) -> dict | None:
    document = answer.json() if answer.ok else None
    found = document.get(member) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else None


def _binding(gateway: Gateway, project_id: str, documents: dict[str, dict]) -> set[str]:
    """Return the names of the pods whose limits hold for a project: those in which it has something.

    Args:
        gateway: parts.
        project_id: whose.
        documents: {pod: its numbers}, which may tell what is used.
    """
    own = spans.own(gateway.db, project_id)
    return {pod["pod_name"] for pod in pods.bottom(gateway.db)
            if pod["pod_id"] in own or any(map(_is_use, (documents.get(pod["pod_name"]) or {}).items()))}


def _is_use(told: tuple[str, Any]) -> bool:
    """Return whether one number of a quota or of limits, with its name, says that something is there."""
    name, value = told
    if isinstance(value, dict):
        return any(value.get(count) for count in ("in_use", "used", "reserved"))
    return name.startswith("total") and name.endswith("Used") and bool(value)


def _leave_replicas_out(gateway: Gateway, path: Path, documents: dict[str, dict]) -> None:
    """Where counts are shown, not limits alone."""
    rows = pods.by_name(gateway.db)
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    counted = {pod: {name for name, told in document.items() if isinstance(told, dict)}
               for pod, document in documents.items()}
    extra, _ = scatter(documents, lambda pod: usage.replicated(gateway.db, gateway.upstream, path.member, rows[pod],
                                                               path.service.name, counted[pod], deadline))
    for pod, counts in extra.items():
        for name, count in counts.items():
            told = documents[pod][name]
            told["used" if "used" in told else "in_use"] -= count


def _write(gateway: Gateway, request: Request, path: Path) -> Response:
    """The intent first: were we killed half-way, the job makes the pods agree on the number that is kept."""
    key = _key(path)
    member = quota_numbers.SETS[key[:2]][1]
    given = (request.body_json or {}).get(member)
    if request.method == "PUT" and isinstance(given, dict):
        _refuse_less(gateway, request, path, given)
    with announced(gateway.db, "quota", {quota_numbers.resource(*key): key[2]}) as owed:
        response = fanout.write_all(gateway, request, path)
        if 400 <= response.status < 500:
            owed.refused()
        if 200 <= response.status < 300 and request.method == "PUT":
            shown = json.loads(response.body).get(member, {})
            quotas.put(gateway.db, *key, {name: _number(given[name], shown[name]) for name in given
                                          if isinstance(shown.get(name), int)})
        elif 200 <= response.status < 300:
            quotas.reset(gateway.db, *key)
    return response


def _number(given: Any, shown: int) -> int:
    """Return the number that was set: the pod's answer may have another one, which the job of an earlier write has
    brought in between (Neutron reads its answer from the database after the write).

    Args:
        given: by the user; a pod reads "5" as 5, and passes over what is null.
        shown: by the pod.
    """
    text = str(given)
    return int(text) if not isinstance(given, bool) and NUMBER.fullmatch(text) else shown


def _refuse_less(gateway: Gateway, request: Request, path: Path, given: dict) -> None:
    """A number below what all pods use together; for others than administrators that is not the first thing to say.

    Raises:
        BadRequest: in the service's words.
    """
    service = path.service.name
    asked = {"compute": not is_true(given.get("force")), "volume": True, "network": is_true(given.get("check_limit"))}
    if not request.caller.is_admin or path.collection.path == "os-quota-class-sets" or not asked[service]:
        return
    wanted = {name: int(value) for name, value in given.items() if name != "per_volume_gigabytes"
              and not isinstance(value, bool) and str(value).isdecimal() and len(str(value)) < 20}
    rows = pods.by_name(gateway.db)
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    shown, _ = scatter(rows, lambda name: send(gateway, request.question(), path, rows[name], deadline=deadline))
    if not all(answer.ok for answer in shown.values()):
        return   # numbers that the caller may not read are not told in a refusal either
    told, _ = scatter(shown, lambda name: usage.of_pod(gateway.db, gateway.upstream, path.member, rows[name],
                                                      {(service, each) for each in wanted}, deadline))
    for name, number in wanted.items():
        used = sum(numbers.used.get((service, name), 0) for numbers in told.values())
        if used > number:
            raise BadRequest(TOO_LOW[service].format(name=name, number=number, used=used), "HTTPBadRequest")


def _key(path: Path) -> tuple[str, str, str]:
    return path.service.name, path.collection.path, path.member


HANDLERS = dict.fromkeys(quota_numbers.SETS, quota_sets) | {
    ("compute", "limits"): limits, ("volume", "limits"): limits}
