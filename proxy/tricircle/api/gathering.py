"""Lists of what has replicas that add something to it: server groups, whose members each pod knows for itself.

Nova has no field but the name for a mark, and whoever makes a group gives it a name. So a marked group counts as a
replica if the store has it, or if the list shows its original in another pod, in the same project.
"""
from collections.abc import Callable
from typing import Any

from tricircle import marks
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.api.podlist import PodList
from tricircle.routing.catalogue import Path
from tricircle.upstream import ownership
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.merge import collection_key, gathered
from tricircle.upstream.scatter import scatter

Records = dict[str, list[dict[str, Any]]]   # {pod: its records}


def gather(gateway: Gateway, request: Request, path: Path, lists: dict[str, PodList], documents: dict[str, Any],
           complete: bool) -> dict[str, Any]:
    """Put replicas and homes together.

    Args:
        gateway: parts.
        request: the user's.
        path: parsed.
        lists: the pods', with the home ids of what is a replica there by the store.
        documents: {pod: body}, with the home ids of what the store knows.
        complete: all pods have answered. If not, what is marked may be a replica of what is missing, and is left out.

    Returns:
        The same, with all records in the first body.
    """
    key = collection_key(next(iter(documents.values()), None))
    if not key:
        return documents
    kind, records = path.collection.path, {name: body[key] for name, body in documents.items()}
    whose, told = _whose(gateway, request, kind, records)
    complete = complete and told
    homes = {record["id"]: (name, whose(record)) for name, found in records.items() for record in found
             if record["id"] not in lists[name].foreign and not marks.is_marked(record, kind)}
    replicas, named = {}, {}
    for name, found in records.items():
        known = lists[name].foreign
        owners = {each: owner for each, (at, owner) in homes.items() if at != name and each not in known}
        ours = ownership.proven(kind, [{**record, "project_id": whose(record)} for record in found
                                       if record["id"] not in known], owners)
        replicas[name] = known | set(ours.values())
        named[name] = [{**record, "id": ours.get(record["id"], record["id"])} for record in found if complete
                       or record["id"] in known or record["id"] in ours or not marks.is_marked(record, kind)]
    whole = gathered(named, path.collection.gathers, replicas)
    return {name: {**body, key: [] if number else whole} for number, (name, body) in enumerate(documents.items())}


def _whose(gateway: Gateway, request: Request, kind: str,
           records: Records) -> tuple[Callable[[dict], str], bool]:
    """(gives the project of a record, whether all is known).

    Before 2.13 Nova does not tell it. In a list of the caller's own project it is the caller's; in a list of all
    projects that has something marked in it, the pods are asked in our own name.
    """
    own, known, failed = request.caller.project_id, {}, {}
    if "all_projects" in request.query:
        silent = [each for found in records.values() for each in found if not marks.owner(each)]
        own, asked = "", records if any(marks.is_marked(each, kind) for each in silent) else ()
        deadline = Deadline(gateway.upstream.conf.list_deadline)
        answers, failed = scatter(asked, lambda name: ownership.server_groups(gateway.upstream, name, deadline))
        known = {group["id"]: marks.owner(group) for groups in answers.values() for group in groups}
    return lambda record: marks.owner(record) or known.get(record["id"], own), not failed
