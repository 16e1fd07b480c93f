"""Security groups as Nova's bodies call them, by name or by id: which ones are meant, and where their homes are."""
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.errors import Conflict, Unavailable
from tricircle.routing.catalogue import UUID
from tricircle.store import pods, replicas
from tricircle.upstream import ownership
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import records
from tricircle.upstream.scatter import scatter

KIND = "security-groups"
URL = 4000   # bytes of names in one question: servers take 8 kB of URL
Homes = dict[str, tuple[str, dict]]


def homes(gateway: Gateway, request: Request, wanted: list[str], pod: dict) -> Homes:
    """Find groups, all of them with a few questions to each pod.

    Args:
        gateway: parts.
        request: whose caller asks.
        wanted: names and ids, each once.
        pod: row of the pod that the request goes to.

    Returns:
        {name or id: (home id, home pod)} of those that the caller has; others are left to the pod.

    Raises:
        Conflict: several groups have one of the names.
        Unavailable: a group is in none of the pods that answer, and one does not.
        PodUnreachable: a pod that may have the original of a replica does not answer.
    """
    deadline = Deadline(gateway.upstream.conf.list_deadline)
    found = _located(gateway, request, {each: each for each in wanted if UUID.match(each)})
    for names in _parts([each for each in wanted if not UUID.match(each)]):
        found |= _by_name(gateway, request, names, pod, deadline)
    return found


def _located(gateway: Gateway, request: Request, ids: dict[str, str]) -> Homes:
    """The homes of groups, {name: home id}."""
    keys = list(dict.fromkeys(("network", KIND, each) for each in ids.values()))
    there = gateway.locator.find_many(request.caller, keys) if keys else {}
    return {name: (each, there["network", KIND, each]) for name, each in ids.items() if there["network", KIND, each]}


def _by_name(gateway: Gateway, request: Request, names: list[str], pod: dict, deadline: Deadline) -> Homes:
    bottom = pods.by_name(gateway.db)
    query = urlencode({"name": names, "project_id": request.caller.project_id}, doseq=True)
    listed, missing = scatter(bottom, lambda name: _listed(gateway, request, name, query, deadline))
    found: Homes = {}
    called: dict[str, set[str]] = {}   # home ids of each name
    for name in sorted(listed, key=lambda each: each != pod["pod_name"]):
        ids = _home_ids(gateway, listed[name], bottom[name], deadline)
        for group in listed[name]:
            called.setdefault(group["name"], set()).add(ids.get(group["id"], group["id"]))
        new = {group["name"]: group["id"] for group in reversed(listed[name]) if group["name"] not in found}
        found |= {each: (local, bottom[name]) for each, local in new.items() if local not in ids}
        found |= _located(gateway, request, {each: ids[local] for each, local in new.items() if local in ids})
    for each in names:
        if len(called.get(each, ())) > 1:   # nova/network/security_group_api.py says so of the groups of one pod
            raise Conflict(f"Multiple security groups found matching '{each}'. Use an ID to be more specific.")
    if missing and set(names) - found.keys():
        raise Unavailable(f"a security group is in none of the pods that answer, and {', '.join(missing)} cannot be "
                          "reached now: try again later")
    return found


def _listed(gateway: Gateway, request: Request, name: str, query: str, deadline: Deadline) -> list[dict]:
    """A pod's groups as the caller sees them. Raises PodUnreachable."""
    answer = gateway.upstream.call(name, "network", "GET", f"/v2.0/{KIND}?{query}", headers=request.caller.headers,
                                   deadline=deadline)
    return records(answer, KIND) if answer.ok or answer.status >= 500 else []


def _home_ids(gateway: Gateway, groups: list[dict], pod: dict, deadline: Deadline) -> dict[str, str]:
    """{id in a pod: home id} of the replicas among them; one that the store has lost tells its home by its mark."""
    known = replicas.to_home(gateway.db, pod["pod_id"], [group["id"] for group in groups])
    rest = {group["id"]: group for group in groups if group["id"] not in known}
    lost = ownership.by_mark(gateway.db, gateway.upstream, pod, KIND, rest.values(), deadline)
    for local_id, home_id in lost.items():
        if home_id:
            replicas.record(gateway.db, home_id, pod["pod_id"], KIND, rest[local_id]["project_id"], local_id)
    return known | {local_id: home_id for local_id, home_id in lost.items() if home_id}


def _parts(names: list[str]) -> Iterator[list[str]]:
    """The names for one question each."""
    part: list[str] = []
    length = 0
    for name in names:
        size = len(quote(name, safe="")) + len("&name=")
        if part and length + size > URL:
            yield part
            part, length = [], 0
        part.append(name)
        length += size
    if part:
        yield part
