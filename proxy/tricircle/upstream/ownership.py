"""Whose a thing is that a pod shows with a mark: Tricircle's, or that of a tenant who has written the mark.

A thing in a pod is Tricircle's

- as plumbing: it is marked and belongs to Tricircle's own project;
- as a replica: the store has a row for this very id; or the thing is marked, is of a kind of which there are replicas,
  its original stands in another pod in the same project, and the store has nothing else for the original in this pod;
  or that project's replica of the original is just being made or taken away there, when the original may be gone.

Everything else is an ordinary thing of its owner, whatever mark it carries.
"""
from collections.abc import Iterable
from typing import Any

from tricircle import marks
from tricircle.errors import PodUnreachable
from tricircle.parts import parts
from tricircle.store import Database, pods, replicas, routings
from tricircle.upstream.client import Upstream, document, member
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.neutron import listed, question
from tricircle.upstream.scatter import scatter

# {collection of which there are replicas: its key in a list}
LISTED = {"routers": "routers", "security-groups": "security_groups", "qos/policies": "policies",
          "subnetpools": "subnetpools", "address-scopes": "address_scopes", "networks": "networks",
          "subnets": "subnets", "ports": "ports", "os-server-groups": "server_groups"}
SERVER_GROUPS, SERVER_GROUP_VERSION = "/v2.1/os-server-groups", "compute 2.64"
Record = dict[str, Any]


def by_mark(db: Database, upstream: Upstream, pod: dict, collection: str, records: Iterable[Record],
            deadline: Deadline | None = None) -> dict[str, str]:
    """Those of a pod's records that are Tricircle's although no row of the store has their ids.

    The pods are asked for the originals of all records at once, and only of records that are marked.

    Args:
        db, upstream: as everywhere.
        pod: row of the pod that shows the records.
        collection: of the records.
        records: with id, owner and mark, as the pod shows them.
        deadline: of all questions together.

    Returns:
        {id: home id of the replica's original, or nothing for plumbing}.

    Raises:
        PodUnreachable: a pod that may have an original does not answer.
        Unavailable: Keystone does not tell which project is Tricircle's own.
    """
    marked = [_with_owner(upstream, pod["pod_name"], collection, record, deadline) for record in records
              if marks.is_marked(record, collection)]
    if not marked:
        return {}
    own = upstream.account.project_id()
    found = {record["id"]: "" for record in marked if marks.owner(record) == own}
    rest = [record for record in marked if record["id"] not in found]
    named = {marks.original(record, collection) for record in rest} - {""} if collection in LISTED else set()
    wanted = sorted(named - replicas.to_local(db, pod["pod_id"], sorted(named)).keys())
    seen = replicas.being_made(db, pod["pod_id"], collection, wanted) | owners(
        db, upstream, pod, collection, wanted, deadline) if wanted else {}
    return found | proven(collection, rest, seen)


def proven(collection: str, records: Iterable[Record], owners: dict[str, str]) -> dict[str, str]:
    """Those of some marked records that are replicas. Pure.

    Args:
        collection: of the records.
        records: of one pod, of which the store has none.
        owners: {home id: project} of originals in other pods of which the store has no replica in this pod.

    Returns:
        {id: home id}; of several records for one original the first by its id.
    """
    first: dict[str, str] = {}
    for record in sorted(records, key=lambda each: each["id"]):
        home_id = marks.original(record, collection)
        if home_id != record["id"] and owners.get(home_id, "") == marks.owner(record) != "":
            first.setdefault(home_id, record["id"])
    return {local_id: home_id for home_id, local_id in first.items()}


def search(db: Database, upstream: Upstream, pod: dict, collection: str, home_id: str, project_id: str,
           deadline: Deadline | None = None) -> str | None:
    """Local id of a replica that a pod has and of which no row tells.

    Args:
        db, upstream: as everywhere.
        pod: row of the pod, which is not the original's.
        collection: one of Neutron's.
        home_id: of the original, which the caller has seen.
        project_id: of the original.
        deadline: of the question.

    Raises:
        PodUnreachable: the pod does not answer.
    """
    field = marks.field(collection)
    query = (f"{field}={marks.replica(home_id)}&project_id={project_id}&fields=id&fields=project_id"
             f"&fields={field}")
    return pick(db, pod, collection, home_id, project_id,
                listed(upstream, pod["pod_name"], collection, query, deadline))


def pick(db: Database, pod: dict, collection: str, home_id: str, project_id: str,
         records: Iterable[Record]) -> str | None:
    """Of records that a pod shows, the id of an original's replica; arguments as in `search`."""
    found = [record["id"] for record in records if record.get(marks.field(collection)) == marks.replica(home_id)
             and marks.owner(record) == project_id]
    others = replicas.to_home(db, pod["pod_id"], found)
    return min((each for each in found if others.get(each, home_id) == home_id), default=None)


def owners(db: Database, upstream: Upstream, pod: dict, collection: str, home_ids: list[str],
           deadline: Deadline | None) -> dict[str, str]:
    """{home id: project} of the originals that other pods have. Arguments and errors as of `by_mark`."""
    rows = {name: row for name, row in pods.by_name(db).items() if row["pod_id"] != pod["pod_id"]}
    known = {home_id: row["pod_id"] for home_id, row in routings.homes(db, home_ids).items()}
    asked = {name: here for name, row in rows.items() if (here := _names(db, row["pod_id"], home_ids, known))}
    found, failed = scatter(asked, lambda name: _seen(upstream, name, collection, list(asked[name]), deadline))
    seen = {asked[name][record["id"]]: marks.owner(record) for name, records in found.items() for record in records
            if record["id"] in asked[name] and not marks.is_marked(record, collection)}
    for name, error in failed.items():
        if asked[name].values() - seen.keys():
            raise error
    return seen


def _names(db: Database, pod_id: str, home_ids: list[str], known: dict[str, str]) -> dict[str, str]:
    """{id in a pod: home id} of the originals that the pod may have: what is a replica there is no original."""
    local = replicas.to_local(db, pod_id, home_ids)
    others = replicas.to_home(db, pod_id, home_ids)
    return {local.get(each, each): each for each in home_ids
            if known.get(each, pod_id) == pod_id and (each in known or each not in local) and each not in others}


def _seen(upstream: Upstream, pod: str, collection: str, local_ids: list[str],
          deadline: Deadline | None) -> list[Record]:
    """A pod's records with these ids; Nova takes no list of ids."""
    if collection == "os-server-groups":
        found = [server_group(upstream, pod, each, deadline) for each in local_ids]
        return [group for group in found if group]
    fields = ("id", "project_id", marks.field(collection))
    return [record for part in parts(local_ids)
            for record in listed(upstream, pod, collection, question({"id": part}, fields), deadline)]


def server_group(upstream: Upstream, pod: str, group_id: str, deadline: Deadline | None = None) -> Record | None:
    """A server group as a pod has it; None when it has not. Raises PodUnreachable."""
    answer = upstream.ask(pod, "compute", "GET", f"{SERVER_GROUPS}/{group_id}", deadline=deadline,
                          microversion=SERVER_GROUP_VERSION)
    group = member(answer, "server_group") if answer.ok else None
    if not group and answer.status != 404:
        raise PodUnreachable(pod, "compute", f"answered {answer.status} for server group {group_id}")
    return group


def server_groups(upstream: Upstream, pod: str, deadline: Deadline | None = None) -> list[Record]:
    """All projects' server groups of a pod, with their owners. Raises PodUnreachable."""
    answer = upstream.ask(pod, "compute", "GET", f"{SERVER_GROUPS}?all_projects=True", deadline=deadline,
                          microversion=SERVER_GROUP_VERSION)
    groups = document(answer).get("server_groups") if answer.ok else None
    if not isinstance(groups, list):
        raise PodUnreachable(pod, "compute", f"answered {answer.status} to a list of server groups")
    return groups


def _with_owner(upstream: Upstream, pod: str, collection: str, record: Record, deadline: Deadline | None) -> Record:
    """Before microversion 2.13 Nova does not tell the user whose a server group is."""
    if collection != "os-server-groups" or marks.owner(record):
        return record
    return server_group(upstream, pod, record["id"], deadline) or record
