"""A network made without a zone lives in its project's default pod until its first server says otherwise.

Then it is made anew in the server's pod, subnets included, and keeps its ids: those of the new one become local ids.
Neutron itself tells whether anything hangs on the old one, by refusing to delete it; until it is deleted the new one is
a replica like any other, which can be taken back. Whatever step the gateway dies after, the job `network` ends it.
"""
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tricircle import marks, trace
from tricircle.crosspod import moves
from tricircle.errors import ApiError, Unavailable
from tricircle.routing import rewrite
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import UUID
from tricircle.routing.replicas import Refused
from tricircle.store import Database, jobs, prefixes, replicas, routings
from tricircle.store import moves as claims
from tricircle.store.db import now
from tricircle.store.prefixes import Look
from tricircle.upstream import ownership
from tricircle.upstream.client import Answer, Upstream, document
from tricircle.upstream.deadline import Deadline

CLAIM_SECONDS = 60.0
POLL_SECONDS = 0.05
ATTEMPTS = 3   # to move a network that is written to meanwhile
JSON = {"content-type": "application/json", "accept": "application/json"}
# What a network or a subnet is made with; whatever else is not as in the original is changed afterwards.
NETWORK_FIELDS = ("name", "admin_state_up", "port_security_enabled", "dns_domain", "project_id")
SUBNET_FIELDS = ("name", "ip_version", "cidr", "gateway_ip", "allocation_pools", "enable_dhcp", "dns_nameservers",
                 "host_routes", "ipv6_ra_mode", "ipv6_address_mode", "service_types", "project_id")
# Fields of a network or subnet that differ from pod to pod: ids, times, the state, the provider's segment, and the ids
# of subnets and pools, which are copied by themselves.
OF_THE_POD = frozenset({"id", "network_id", "subnetpool_id", "subnets", "created_at", "updated_at", "revision_number",
                        "status", "availability_zones", "provider:network_type", "provider:physical_network",
                        "provider:segmentation_id", "ipv4_address_scope", "ipv6_address_scope", "l2_adjacency"})
# What makes a network more than its project's own: an operator or the user has decided where it is.
ANCHORS = ("router:external", "shared", "availability_zone_hints", "qos_policy_id")


@dataclass(frozen=True)
class Move:
    """One move.

    Args:
        db, upstream: as everywhere.
        caller: whose token reads, makes and deletes.
        network_id: home id.
        home: row of the pod that it leaves.
        pod: row of the pod that it goes to.
        apart: makes the error that says why it cannot.
        bring_pool: sees to it that a subnet pool (home id) is in the new pod.
    """

    db: Database
    upstream: Upstream
    caller: Caller
    network_id: str
    home: dict
    pod: dict
    apart: Callable[[str], ApiError]
    bring_pool: Callable[[str], None]


def move(task: Move) -> None:
    """Bring a network to a pod, unless it has come there meanwhile.

    Raises:
        ApiError: of `apart`, when something hangs on it; Refused, with a pod's own words; Unavailable.
        PodUnreachable: what was done is ended by the job `network`.
    """
    deadline = Deadline(CLAIM_SECONDS)
    while not deadline.passed():
        known = routings.home(task.db, task.network_id)
        if known and known["pod_id"] == task.pod["pod_id"]:
            return None
        if known and known["pod_id"] != task.home["pod_id"]:
            raise task.apart(f"network {task.network_id} has just been moved to another pod")
        fence = claims.claim(task.db, task.network_id, CLAIM_SECONDS)
        if fence:
            try:
                # The one before us may have moved it between the look and the claim.
                if routings.home(task.db, task.network_id) == known:
                    return _move(task, fence)
            finally:
                claims.release(task.db, task.network_id, fence)
        else:
            time.sleep(POLL_SECONDS)
    raise Unavailable(f"network {task.network_id} is being moved by another request: try again")


def others_have_moved(db: Database, network_id: str, home: dict) -> bool:
    """Wait for another request that moves a network just now.

    Args:
        db: as everywhere.
        network_id: home id.
        home: row of the pod that it is to leave.

    Returns:
        Whether there was one, or it has left that pod already: what the pod said of it may not hold any more.
    """
    deadline, waited = Deadline(CLAIM_SECONDS), False
    while claims.is_claimed(db, network_id) and not deadline.passed():
        waited = True
        time.sleep(POLL_SECONDS)
        trace.waited()   # for the other one, which writes meanwhile
    known = routings.home(db, network_id)
    return waited or bool(known and known["pod_id"] != home["pod_id"])


def check(task: Move) -> None:
    """Look whether a network can move, where several have to, so that none does when another one has to stay.

    Raises:
        ApiError: as `move`.
        PodUnreachable: its home does not answer.
    """
    _movable(task)


def _movable(task: Move) -> dict:
    """Return the network as its home shows it. Raises of `apart` where it has to stay."""
    network = _member(_call(task, task.home, "GET", f"networks/{task.network_id}"), "network")
    if any(network.get(field) for field in ANCHORS) or network["project_id"] != task.caller.project_id:
        raise task.apart(f"network {task.network_id} stays where it was put")
    if _is_lent(task):
        raise task.apart(f"network {task.network_id} is shared with other projects by an RBAC policy, and stays")
    if jobs.is_owed(task.db, "shadow", task.network_id) or _in_use(task):
        raise task.apart(f"network {task.network_id} is in use there")
    return network


def _move(task: Move, fence: str) -> None:
    """Copy it and delete the original, which must be what was copied: nothing that a user writes meanwhile is lost."""
    last = Deadline(CLAIM_SECONDS / 2)   # of the claim, which another attempt needs, too
    for _ in range(ATTEMPTS):
        network = _movable(task)
        subnets = _subnets(task)
        if missing := set(network["subnets"]) - {subnet["id"] for subnet in subnets}:
            raise task.apart(f"network {task.network_id} stays: its subnet {min(missing)} is another project's")
        _make_copy(task, network, subnets)
        # The job that ends interrupted moves takes the claim, too: it must not take this copy back from now on.
        if not claims.renew(task.db, task.network_id, fence, CLAIM_SECONDS + task.upstream.conf.deadline):
            raise Unavailable(f"network {task.network_id} could not be moved in time: try again")
        if _delete_original(task, network, subnets):
            ids = [subnet["id"] for subnet in subnets]
            claims.arrive(task.db, task.network_id, ids, network["project_id"], task.home["pod_id"], task.pod["pod_id"])
            return
        moves.take_back(task.db, task.upstream, task.network_id, task.pod)
        if last.passed():
            break
    raise Unavailable(f"network {task.network_id} is being changed all the time, and cannot be moved meanwhile: "
                      "try again")


def _subnets(task: Move) -> list[dict]:
    found = _member(_call(task, task.home, "GET", f"subnets?network_id={task.network_id}"), "subnets")
    return sorted(found, key=lambda subnet: subnet["id"])


def _make_copy(task: Move, network: dict, subnets: list[dict]) -> None:
    """Make the copy. Raises as `move`; nothing of it stays then."""
    # Says that the pod may have a copy, from before it has one: the job looks nowhere else.
    replicas.claim(task.db, task.network_id, task.pod["pod_id"], "networks", network["project_id"], CLAIM_SECONDS)
    try:
        local = _copy(task, "networks", "network", network, NETWORK_FIELDS, {})
        for subnet in subnets:
            _copy(task, "subnets", "subnet", subnet, SUBNET_FIELDS, {"network_id": local, **_pool(task, subnet)})
    except ApiError:
        moves.take_back(task.db, task.upstream, task.network_id, task.pod)
        raise


def _delete_original(task: Move, network: dict, subnets: list[dict]) -> bool:
    """Delete the original; False where it was written to since it was read.

    Neutron counts writes to a network, its subnets and its tags in the network's revision number, and compares that
    before it deletes (extension revision-if-match). It counts a subnet's tags in the subnet's own number
    (neutron/db/models/tag.py), so the subnets are looked at once more. Before Wallaby the comparison fails when a
    subnet goes with its network (bug 1909008): then the number tells us.

    Args:
        network, subnets: the original; the network was read before its subnets.

    Raises:
        ApiError: it cannot be deleted, or a user has done it; nothing of the copy stays.
    """
    if _subnets(task) != subnets:
        return False
    headers = {"if-match": f"revision_number={network['revision_number']}"} if "revision_number" in network else {}
    gone = _call(task, task.home, "DELETE", f"networks/{task.network_id}", headers=headers)
    if gone.status == 412:
        there = _call(task, task.home, "GET", f"networks/{task.network_id}")
        if there.ok and _member(there, "network")["revision_number"] != network["revision_number"]:
            return False
        gone = _call(task, task.home, "DELETE", f"networks/{task.network_id}") if there.ok else there
    if gone.status == 204:
        return True
    moves.take_back(task.db, task.upstream, task.network_id, task.pod)
    if gone.status == 404:
        raise task.apart(f"Network {task.network_id} could not be found.")
    raise task.apart(f"network {task.network_id} is in use there") if gone.status == 409 else Refused(gone)


def _pool(task: Move, subnet: dict) -> dict:
    """The field for the pool of a subnet; its prefix stays taken while neither pod may show it."""
    local = str(subnet.get("subnetpool_id"))
    if not UUID.match(local):
        return {}
    pool_id = replicas.to_home(task.db, task.home["pod_id"], [local]).get(local, local)
    task.bring_pool(pool_id)
    prefixes.take(task.db, pool_id, task.pod["pod_id"], subnet["project_id"], CLAIM_SECONDS, Look(now(), {}),
                  lambda _: [subnet["cidr"]])
    return {"subnetpool_id": replicas.to_local(task.db, task.pod["pod_id"], [pool_id]).get(pool_id, pool_id)}


def _is_lent(task: Move) -> bool:
    """Whether an RBAC policy shares it, which may be an administrator's: its owner sees only policies of their own.

    So Tricircle's own account asks, for a caller who may change the network.
    """
    there = rewrite.down(task.db, task.home["pod_id"], task.network_id.encode()).decode()
    answer = task.upstream.ask(task.home["pod_name"], "network", "GET",
                               f"/v2.0/rbac-policies?object_id={there}&fields=id")
    return answer.status != 404 and bool(_member(answer, "rbac_policies"))   # 404: no such extension


def _in_use(task: Move) -> bool:
    """Neutron would say so in the end, but what stands for the ports elsewhere must not be taken for a copy before."""
    path = f"ports?network_id={task.network_id}&fields=device_owner"
    ports = _member(_call(task, task.home, "GET", path), "ports")
    return any(port["device_owner"] not in moves.GO_ALONG for port in ports)


def _copy(task: Move, collection: str, member: str, original: dict, fields: tuple[str, ...], more: dict) -> str:
    """Make one thing in the new pod; marked at first, so that a lost answer is found, and known before it is not."""
    body = {name: original[name] for name in fields if original.get(name) not in (None, "", [])}
    if "gateway_ip" in original:
        body["gateway_ip"] = original["gateway_ip"]     # null means that there is none, nothing means the first address
    body |= {**more, "description": marks.replica(original["id"])}
    local = ownership.search(task.db, task.upstream, task.pod, collection, original["id"], original["project_id"]) or \
        _member(_call(task, task.pod, "POST", collection, {member: body}), member)["id"]
    if not replicas.record(task.db, original["id"], task.pod["pod_id"], collection, original["project_id"], local):
        raise Unavailable(f"{member} {original['id']} has just got something else in pod {task.pod['pod_name']} to "
                          "stand for it: try again")
    _make_alike(task, collection, member, original, local)
    return local


def _make_alike(task: Move, collection: str, member: str, original: dict, local: str) -> None:
    """Give a copy what the original has. Raises of `Move.apart` where the pod does not take all of it."""
    copy = _member(_call(task, task.pod, "GET", f"{collection}/{local}"), member)
    other = _differing(original, copy)
    tags = other.pop("tags", None)
    if other:
        copy = _member(_call(task, task.pod, "PUT", f"{collection}/{local}", {member: other}), member)
    if tags is not None:
        copy["tags"] = _member(_call(task, task.pod, "PUT", f"{collection}/{local}/tags", {"tags": tags}), "tags")
    if lost := _differing(original, copy):
        raise task.apart(f"network {task.network_id} stays: pod {task.pod['pod_name']} does not take {', '.join(lost)} "
                         f"of {member} {original['id']}")


def _differing(original: dict, copy: dict) -> dict:
    """Return the fields in which a copy differs from its original, as the original has them; lists have no order."""
    return {name: value for name, value in original.items()
            if name not in OF_THE_POD and _plain(copy.get(name)) != _plain(value)}


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, list) else value or None


def _call(task: Move, pod: dict, method: str, path: str, body: dict | None = None,
          headers: dict[str, str] | None = None) -> Answer:
    """Ask a pod in the user's name; path and answer have home ids, since a network may have moved before."""
    there = rewrite.down(task.db, pod["pod_id"], f"/v2.0/{path}".encode()).decode()
    answer = task.upstream.call(pod["pod_name"], "network", method, there,
                                headers=task.caller.headers | JSON | (headers or {}),
                                body=json.dumps(body).encode() if body is not None else None)
    return replace(answer, body=rewrite.up(task.db, pod["pod_id"], answer.body))


def _member(answer: Answer, member: str):
    found = document(answer).get(member) if answer.ok else None
    if found is None:
        raise Refused(answer)
    return found
