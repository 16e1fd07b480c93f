"""What the rows of the store must be, told from what the pods have. Pure.

A mark alone proves nothing, as in `observe`: plumbing belongs to Tricircle's own project, and a replica to the project
of its original, which has to be seen.
"""
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tricircle import marks
from tricircle.crosspod.followers import JOBS
from tricircle.crosspod.survey import KINDS
from tricircle.store.rebuild import TABLES, Change, Key, Row, Rows
from tricircle.uuids import ids

GROUPS = "security-groups"
# Ports are many, and no list depends on knowing where they are: they are asked for when they are needed.
ROUTED = KINDS - {"ports"}
# What tells that a project works in a pod. Neutron makes security groups by itself, wherever somebody has a look.
TELLING = ("servers", "volumes", "snapshots", "networks", "routers", "floatingips")
# {collection: the job of its replicas}
FOLLOWING = JOBS | {"routers": "router", "networks": "shadow", GROUPS: "security_group"}


@dataclass(frozen=True)
class Seen:
    """What the pods have.

    Args:
        pods: {pod id: {kind: records}} of those that have answered, in the order of their names.
        registered: {pod id: row} of all pods.
        own: id of Tricircle's project.
        complete: whether all have answered. If not, nothing that is written down already can be called wrong, and
            nothing is chosen.
    """

    pods: dict[str, dict[str, list[dict]]]
    registered: dict[str, Row]
    own: str
    complete: bool


@dataclass
class Plan:
    """The outcome.

    Args:
        rows: the store as it will be.
        changes: what makes it so.
        problems: in words, what has to be decided by somebody who knows.
    """

    rows: Rows
    changes: list[Change]
    problems: list[str]


@dataclass
class _Work:
    """What is known so far."""

    seen: Seen
    stored: Rows
    rows: Rows = field(default_factory=lambda: {table: {} for table in TABLES})
    problems: list[str] = field(default_factory=list)
    homes: dict[tuple[str, str], str] = field(default_factory=dict)   # {(pod, its id): home id}
    puzzling: set[str] = field(default_factory=set)                   # projects whose bridges nobody can tell

    def put(self, table: str, **row: str | int) -> None:
        """A row that is right."""
        key = tuple(str(row[name]) for name in TABLES[table].key)
        self.rows[table][key] = {**self.stored[table].get(key, {}), **row}

    def records(self, kind: str) -> Iterator[tuple[str, dict]]:
        """(pod, record) of one kind."""
        for pod, kinds in self.seen.pods.items():
            for record in kinds[kind]:
                yield pod, record

    def name(self, pod: str) -> str:
        """For a human."""
        return self.seen.registered[pod]["pod_name"]

    def home(self, pod: str, record_id: str) -> str:
        """What the user calls it."""
        return self.homes.get((pod, record_id), record_id)


def plan(seen: Seen, stored: Rows) -> Plan:
    """Compare.

    Args:
        seen: read after `stored`.
        stored: as `store.rebuild.snapshot` gives it.

    Returns:
        The changes; none where everything is right.
    """
    work = _Work(seen, stored)
    _keep_replicas(work)
    _default_groups(work)
    _marked(work)
    _routings(work)
    _bridges(work)
    _bridge_ips(work)
    _prefixes(work)
    _bindings(work)
    return _compare(work)


def owed(rows: Rows) -> list[tuple[str, str, str]]:
    """(kind, resource, project) of the jobs that bring to an end what was under way, for all that spans pods."""
    found = {("members", row["project_id"], row["project_id"]) for row in rows["bridges"].values()}
    found |= {("router", row["router_id"], row["project_id"]) for row in rows["bridge_ips"].values()}
    for (resource_id, pod), row in rows["replicas"].items():
        home = rows["routings"].get((resource_id,))
        if row["kind"] in FOLLOWING and not (home and home["pod_id"] == pod):   # what has moved here is no replica
            found.add((FOLLOWING[row["kind"]], resource_id, row["project_id"]))
    return sorted(found)


def _is_ours(work: _Work, kind: str, pod: str, record: dict) -> bool:
    """Whether a record is a replica or plumbing, or may be, as long as not all pods have answered."""
    return marks.is_marked(record, kind) and (
        (pod, record["id"]) in work.homes or record["project_id"] == work.seen.own or not work.seen.complete)


def _keep_replicas(work: _Work) -> None:
    """Rows of things that are there, whatever mark they carry: default groups, and networks that have moved, have none.

    What belongs to another project than its original is no replica.
    """
    owners = {(kind, pod, record["id"]): record["project_id"] for kind in KINDS for pod, record in work.records(kind)}
    originals = {(kind, record_id): owner for (kind, _, record_id), owner in owners.items()}
    for (resource_id, pod), row in work.stored["replicas"].items():
        owner = owners.get((row["kind"], pod, row["local_id"]))
        if owner is not None and originals.get((row["kind"], resource_id), owner) == owner:
            work.homes[pod, row["local_id"]] = resource_id
            work.put("replicas", **row)


def _default_groups(work: _Work) -> None:
    """One of a project's is the user's; which one is written nowhere else, so the first pod's is as good as any."""
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for pod, record in work.records(GROUPS):
        if record.get("name") == "default" and not marks.is_marked(record, GROUPS):
            groups[record["project_id"]].setdefault(pod, record["id"])
    for project_id, found in groups.items():
        known = work.stored["default_groups"].get((project_id,))
        away = known and known["pod_id"] not in work.seen.pods
        if known and (away or found.get(known["pod_id"]) == known["group_id"]):
            pod, group_id = known["pod_id"], known["group_id"]
        elif work.seen.complete:
            pod, group_id = next(iter(found.items()))
        else:
            continue
        work.put("default_groups", project_id=project_id, group_id=group_id, pod_id=pod)
        for at in found.items():
            if work.homes.get(at, group_id) != group_id:   # of a choice that does not hold any more
                del work.rows["replicas"][work.homes.pop(at), at[0]]
        for other in found.keys() - {pod}:
            _replica(work, group_id, other, GROUPS, project_id, found[other])


def _replica(work: _Work, resource_id: str, pod: str, kind: str, project_id: str, local_id: str) -> None:
    if (resource_id, pod) not in work.rows["replicas"]:
        work.homes[pod, local_id] = resource_id
        work.put("replicas", resource_id=resource_id, pod_id=pod, kind=kind, project_id=project_id, local_id=local_id)


def _marked(work: _Work) -> None:
    for kind in sorted(KINDS):
        originals = {work.home(pod, record["id"]): (pod, record["project_id"])
                     for pod, record in work.records(kind) if not marks.is_marked(record, kind)}
        for pod, record in sorted(work.records(kind), key=lambda each: each[1]["id"]):
            home_id = marks.original(record, kind)
            if not home_id or (home_id, pod) in work.rows["replicas"] or (pod, record["id"]) in work.homes:
                continue
            at, owner = originals.get(home_id, ("", ""))
            if at and at != pod and owner == record["project_id"]:
                _replica(work, home_id, pod, kind, owner, record["id"])
            elif work.seen.complete:
                work.problems.append(
                    f"{kind} {record['id']} in pod {work.name(pod)} is marked as a replica of {home_id}, which is in "
                    "no other pod in the same project: delete it there if nobody uses it")


def _routings(work: _Work) -> None:
    for kind in ROUTED:
        found: dict[str, dict[str, dict]] = defaultdict(dict)
        for pod, record in work.records(kind):
            if not _is_ours(work, kind, pod, record):
                found[work.home(pod, record["id"])][pod] = record
        for home_id, at in found.items():
            was = work.stored["routings"].get((home_id,), {})
            known = was.get("pod_id")
            # Its own id says that it was made there; what has moved is elsewhere under another one.
            pod = known if known in at else min(at, key=lambda pod: at[pod]["id"] != home_id)
            if known and known not in work.seen.pods:
                continue   # who knows what is there
            owner = at[pod]["project_id"] or was.get("project_id", "")
            work.put("routings", resource_id=home_id, pod_id=pod, kind=was.get("kind", kind), project_id=owner)


def _plumbing(work: _Work, kind: str) -> Iterator[tuple[str, dict, str]]:
    """(pod, record, whose it is) of what belongs to bridges."""
    for pod, record in work.records(kind):
        if marks.is_plumbing(record, work.seen.own) and record["description"].startswith(marks.BRIDGE):
            yield pod, record, record["description"].removeprefix(marks.BRIDGE)


def _bridges(work: _Work) -> None:
    cidrs = {(pod, record["network_id"]): record["cidr"] for pod, record, _ in _plumbing(work, "subnets")}
    found: dict[str, dict[tuple[int, str], list[str]]] = defaultdict(dict)
    for pod, record, project_id in _plumbing(work, "networks"):
        if (pod, record["id"]) in cidrs:   # half made: a job takes it up by itself
            segment = record.get("provider:segmentation_id"), cidrs[pod, record["id"]]
            found[project_id].setdefault(segment, []).append(pod)
    for part, name in ((0, "VLAN"), (1, "bridge subnet")):
        claimed: dict = defaultdict(set)
        for project_id, segments in found.items():
            for segment in segments:
                claimed[segment[part]].add(project_id)
        for value, projects in claimed.items():
            if len(projects) > 1:
                work.puzzling |= projects
                work.problems.append(f"{name} {value} is that of several projects: {', '.join(sorted(projects))}")
    for project_id, segments in found.items():
        if len(segments) > 1:
            work.puzzling.add(project_id)
            words = "; ".join(f"VLAN {vlan}, {cidr} in {', '.join(map(work.name, pods))}"
                              for (vlan, cidr), pods in segments.items())
            work.problems.append(f"project {project_id} has different bridges: {words}")
        if project_id not in work.puzzling:
            vlan, cidr = next(iter(segments))
            work.put("bridges", project_id=project_id, vlan=vlan, cidr=cidr)
    _keep_bridges(work)


def _keep_bridges(work: _Work) -> None:
    """What cannot be told stays as it is; and so does what would take a VLAN that is another's by the store."""
    for table in ("bridges", "bridge_ips"):
        for row in work.stored[table].values():
            if row["project_id"] in work.puzzling or not work.seen.complete:
                work.put(table, **row)
    for column in ("vlan", "cidr"):
        holders: dict = {}
        for (project_id,), row in sorted(work.rows["bridges"].items(), key=lambda each: each[0] not in
                                         work.stored["bridges"]):
            other = holders.setdefault(row[column], project_id)
            if other != project_id:
                work.problems.append(f"{column} {row[column]} of project {project_id} belongs to project {other} "
                                     "in the database")
                work.puzzling.add(project_id)
    for key in [(project_id,) for project_id in work.puzzling]:
        if key in work.stored["bridges"]:
            work.rows["bridges"][key] = work.stored["bridges"][key]
        else:
            work.rows["bridges"].pop(key, None)


def _bridge_ips(work: _Work) -> None:
    networks = {(pod, record["id"]): project_id for pod, record, project_id in _plumbing(work, "networks")}
    for pod, record, router_id in sorted(_plumbing(work, "ports"), key=lambda each: each[1]["id"]):
        project_id = networks.get((pod, record["network_id"]), "")
        fixed = [address["ip_address"] for address in record.get("fixed_ips") or []]
        if not fixed or (project_id,) not in work.rows["bridges"] or project_id in work.puzzling:
            continue
        mine = work.rows["bridge_ips"].get((router_id, pod))
        known = work.stored["bridge_ips"].get((router_id, pod), {}).get("ip")
        if mine is None or fixed[0] == known:   # of two ports, one of which a job will delete, the one that is known
            work.put("bridge_ips", router_id=router_id, pod_id=pod, project_id=project_id, ip=fixed[0])
    holders: dict[tuple[str, str], Key] = {}
    for key, row in list(work.rows["bridge_ips"].items()):
        other = holders.setdefault((row["project_id"], row["ip"]), key)
        if other != key:
            work.problems.append(f"bridge address {row['ip']} of project {row['project_id']} is that of router "
                                 f"{other[0]} in {work.name(other[1])} and of router {key[0]} in {work.name(key[1])}")
            if key not in work.stored["bridge_ips"]:
                del work.rows["bridge_ips"][key]


def _prefixes(work: _Work) -> None:
    for pod, record in work.records("subnets"):
        pool = str(record.get("subnetpool_id") or "")
        if ids(pool.encode()) == [pool] and not _is_ours(work, "subnets", pod, record):
            work.put("pool_prefixes", pool_id=work.home(pod, pool), pod_id=pod, cidr=record["cidr"],
                     project_id=record["project_id"])


def _bindings(work: _Work) -> None:
    """A project without a binding in a zone gets the pod there in which it has most; the pod with most of all first."""
    if not work.seen.complete:
        return
    bound = set(work.stored["bindings"])
    number: dict[str, Counter] = defaultdict(Counter)
    for row in work.rows["routings"].values():
        if row["kind"] in TELLING and row["project_id"] not in ("", work.seen.own):
            number[row["project_id"]][row["pod_id"]] += 1
    for project_id, pods in sorted(number.items()):
        for pod, _ in pods.most_common():
            zone = work.seen.registered[pod]["az_name"]
            if (project_id, zone) not in bound:
                bound.add((project_id, zone))
                work.put("bindings", tenant_id=project_id, az_name=zone, pod_id=pod)


def _compare(work: _Work) -> Plan:
    changes = []
    for name, table in TABLES.items():
        stored, wanted = work.stored[name], work.rows[name]
        for key, row in wanted.items():
            was = stored.get(key)
            if was is None:
                changes.append(Change(name, "make", key, row))
            elif any(was[column] != row[column] for column in table.value) and _is_certain(work, name, was):
                # An address goes before its bridge and comes after it.
                changes += [Change(name, "drop", key, was), Change(name, "make", key, row)] if name == "bridge_ips" \
                    else [Change(name, "correct", key, row, was)]
        changes += [Change(name, "drop", key, was) for key, was in stored.items()
                    if key not in wanted and _may_go(work, name, was)]
    return Plan(work.rows, changes, sorted(set(work.problems)))


def _is_certain(work: _Work, table: str, was: Row) -> bool:
    """A replica without a local id is being made, or deleted, by somebody who will write how it ended."""
    return work.seen.complete and not (table == "replicas" and was["local_id"] is None)


def _may_go(work: _Work, table: str, was: Row) -> bool:
    """Only what all pods would show if it were there."""
    listed = {"routings": ROUTED, "replicas": KINDS}.get(table)
    if table in ("bindings", "pool_prefixes") or (listed and was["kind"] not in listed):
        return False
    return _is_certain(work, table, was)
