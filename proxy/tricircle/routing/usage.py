"""What the pods say about a project's quota, and how that becomes the big region's. Asked as Tricircle itself: the
quota is the operator's business, whatever the caller may see of it."""
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tricircle.errors import PodUnreachable
from tricircle.store import Database, default_groups, replicas
from tricircle.upstream import ownership
from tricircle.upstream.client import Upstream, document
from tricircle.upstream.deadline import Deadline

Key = tuple[str, str]   # (service, quota name)
UNLIMITED = -1
# Where a service tells limits with usage, and under which key: `own` is Tricircle's own project.
TOLD = {"compute": ("/v2.1/os-quota-sets/{project}/detail", "quota_set"),
        "volume": ("/v3/{own}/os-quota-sets/{project}?usage=True", "quota_set"),
        "network": ("/v2.0/quotas/{project}/details", "quota")}
# Neutron's quota names of what can have replicas, which count in the pods: {name: (collection, fields to read)}.
REPLICATED = {"router": ("routers", ("id", "description", "project_id")),
              "security_group": ("security-groups", ("id", "description", "project_id", "name")),
              "subnetpool": ("subnetpools", ("id", "description", "project_id")),
              "security_group_rule": ("security-group-rules", ("security_group_id",))}
# Nova shows nobody the server groups of another project, and a project's ports are too many to be looked through each
# time: of these the store knows the replicas.
KEPT = {("compute", "server_groups"): "os-server-groups", ("network", "network"): "networks",
        ("network", "subnet"): "subnets", ("network", "port"): "ports"}


@dataclass(frozen=True)
class Numbers:
    """What one pod says.

    Args:
        limits: {key: limit}; -1 is unlimited.
        used: {key: in use and reserved}, without what is Tricircle's own.
    """

    limits: dict[Key, int]
    used: dict[Key, int]


def of_pod(db: Database, upstream: Upstream, project_id: str, pod: dict, keys: set[Key], deadline: Deadline) -> Numbers:
    """Ask one pod.

    Args:
        db, upstream: as everywhere.
        project_id: whose quota.
        pod: row.
        keys: what is wanted; what the pod does not know is left out of the answer.
        deadline: for all calls.

    Raises:
        PodUnreachable: no proper answer.
    """
    limits, used = {}, {}
    for service in sorted({service for service, _ in keys}):
        path, member = TOLD[service]
        if "{own}" in path:
            path = path.replace("{own}", upstream.account.project_id())
        told = _ask(upstream, pod, service, path.replace("{project}", quote(project_id, safe="")), member, deadline)
        names = {name for wanted, name in keys if wanted == service} & told.keys()
        extra = replicated(db, upstream, project_id, pod, service, names, deadline)
        for name in names:
            limits[service, name] = told[name]["limit"]
            used[service, name] = _used(told[name]) - extra.get(name, 0)
    return Numbers(limits, used)


def replicated(db: Database, upstream: Upstream, project_id: str, pod: dict, service: str, names: set[str],
               deadline: Deadline) -> dict[str, int]:
    """How much of what a pod counts for a project is Tricircle's own: {quota name: number}.

    Raises:
        PodUnreachable: no proper answer.
    """
    found = {name: replicas.lent(db, project_id, pod["pod_id"], KEPT[service, name])
             for name in names if (service, name) in KEPT}
    if service == "network":
        found |= _neutrons_replicas(db, upstream, project_id, pod, names, deadline)
    return found


def _neutrons_replicas(db: Database, upstream: Upstream, project_id: str, pod: dict, names: set[str],
                       deadline: Deadline) -> dict[str, int]:
    rows = {}
    for name in REPLICATED.keys() & (names | ({"security_group"} if "security_group_rule" in names else set())):
        collection, fields = REPLICATED[name]
        query = urlencode({"project_id": project_id, "fields": fields}, doseq=True)
        member = collection.replace("-", "_")
        rows[name] = _ask(upstream, pod, "network", f"/v2.0/{collection}?{query}", member, deadline)
    ours = {each for name in ("router", "security_group", "subnetpool")
            for each in _ours(db, upstream, pod, REPLICATED[name][0], rows.get(name, []), deadline)}
    chosen = default_groups.home(db, project_id)
    for group in rows.get("security_group", ()) if chosen is None else ():
        if group["name"] == "default" and group["id"] not in ours:
            chosen = default_groups.choose(db, project_id, group["id"], pod["pod_id"])
    if chosen and chosen["pod_id"] != pod["pod_id"]:
        ours |= _default(db, pod, chosen["group_id"], rows.get("security_group", []), ours)
    return count_replicas(rows, ours)


def _default(db: Database, pod: dict, group_id: str, groups: list[dict], ours: set[str]) -> set[str]:
    """Id of the pod's `default` group where the user's is another pod's. Users may call any other group so, too."""
    if pod["pod_id"] in replicas.of_resource(db, group_id):
        return set()   # among `ours` already
    return set(sorted(group["id"] for group in groups if group["name"] == "default" and group["id"] not in ours)[:1])


def _ours(db: Database, upstream: Upstream, pod: dict, collection: str, rows: list[dict],
          deadline: Deadline) -> set[str]:
    """Ids of a pod's records that are replicas."""
    known = replicas.to_home(db, pod["pod_id"], [row["id"] for row in rows])
    rest = [row for row in rows if row["id"] not in known]
    return known.keys() | ownership.by_mark(db, upstream, pod, collection, rest, deadline).keys()


def count_replicas(rows: dict[str, list[dict]], ours: set[str]) -> dict[str, int]:
    """Count what is a replica, or a rule of one. Pure.

    Args:
        rows: {quota name: records}.
        ours: ids of those that are replicas.
    """
    return {name: sum(row["security_group_id" if name == "security_group_rule" else "id"] in ours for row in found)
            for name, found in rows.items()}


def smallest(limits: list[int]) -> int:
    """Of several limits the one that binds."""
    return min((limit for limit in limits if limit != UNLIMITED), default=UNLIMITED)


def combine(documents: dict[str, dict[str, Any]], binding: set[str], numbers: dict[str, int]) -> dict[str, Any]:
    """Several pods' quota sets as the big region's. Pure.

    Args:
        documents: {pod: quota set}: its values are limits, or objects with `limit` and counts beside it.
        binding: pods whose limits hold; where none of them has a quota, any pod's does.
        numbers: what an administrator has set.

    Returns:
        Limits: the number that was set, else the smallest. Counts: the sum. Anything else as the first pod has it.
    """
    merged: dict[str, Any] = {}
    for name in dict.fromkeys(name for body in documents.values() for name in body):
        values = {pod: body[name] for pod, body in documents.items() if name in body}
        first = next(iter(values.values()))
        bound = [value for pod, value in values.items() if pod in binding] or list(values.values())
        if isinstance(first, dict):
            merged[name] = {field: sum(value.get(field, 0) for value in values.values()) for field in first} | {
                "limit": numbers.get(name, smallest([value["limit"] for value in bound]))}
        else:
            merged[name] = numbers.get(name, smallest(bound)) if isinstance(first, int) else first
    return merged


def _ask(upstream: Upstream, pod: dict, service: str, path: str, member: str, deadline: Deadline) -> Any:
    answer = upstream.ask(pod["pod_name"], service, "GET", path, deadline=deadline)
    found = document(answer).get(member) if answer.ok else None
    if found is None:
        raise PodUnreachable(pod["pod_name"], service, f"answered {answer.status} about a quota")
    return found


def _used(told: dict) -> int:
    return told.get("in_use", told.get("used", 0)) + told.get("reserved", 0)
