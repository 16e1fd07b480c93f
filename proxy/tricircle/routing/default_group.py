"""Neutron makes a security group `default` for a project in every pod. To the user it is one: the first that was seen.

The others are its replicas, adopted by their natural key (name and project).
"""
from tricircle.errors import BadGateway
from tricircle.routing.caller import Caller
from tricircle.store import Database, default_groups, pods, replicas, routings
from tricircle.upstream.client import Upstream, document
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

KIND = "security-groups"


def adopt(db: Database, project_id: str, seen: dict[str, str]) -> str:
    """Make one group of a project's `default` groups; what is known to be one of them stays it.

    Args:
        db: keeps the choice.
        project_id: their owner.
        seen: {pod id: group id}, the preferred home first.

    Returns:
        The home id.
    """
    pod_id, group_id = next(iter(seen.items()))
    chosen = default_groups.home(db, project_id) or default_groups.choose(db, project_id, group_id, pod_id)
    if seen.get(chosen["pod_id"]) == chosen["group_id"] and not routings.home(db, chosen["group_id"]):
        routings.learn(db, [(chosen["group_id"], KIND, project_id)], chosen["pod_id"])
    known = replicas.of_resource(db, chosen["group_id"])
    for pod_id, local in seen.items():
        if pod_id != chosen["pod_id"] and pod_id not in known:
            replicas.record(db, chosen["group_id"], pod_id, KIND, project_id, local)
    return chosen["group_id"]


def ensure(db: Database, upstream: Upstream, caller: Caller, pod: dict) -> tuple[str, bool]:
    """The caller's default group is known in a pod.

    Asking with his own token makes Neutron create the group where the project is new.

    Returns:
        (home id, whether the pod's is a replica).

    Raises:
        PodUnreachable: neither the home is known nor can the pod be asked.
        BadGateway: the pod has no default group for the project.
    """
    chosen = default_groups.home(db, caller.project_id)
    if chosen and (chosen["pod_id"] == pod["pod_id"] or pod["pod_id"] in replicas.of_resource(db, chosen["group_id"])):
        return chosen["group_id"], chosen["pod_id"] != pod["pod_id"]
    bottom = pods.by_name(db)
    names = [pod["pod_name"]] if chosen else list(bottom)
    path = f"/v2.0/security-groups?name=default&project_id={caller.project_id}&fields=id&fields=project_id"
    deadline = Deadline(upstream.conf.list_deadline)
    answers, missing = scatter(names, lambda name: upstream.call(name, "network", "GET", path, headers=caller.headers,
                                                                 deadline=deadline))
    if pod["pod_name"] in missing:
        raise missing[pod["pod_name"]]
    seen = {}
    for name, answer in answers.items():
        for group in document(answer).get("security_groups", []):
            if group.get("project_id", caller.project_id) == caller.project_id:
                seen[bottom[name]["pod_id"]] = group["id"]
    if pod["pod_id"] not in seen:
        raise BadGateway(f"pod {pod['pod_name']} shows no default security group for project {caller.project_id}")
    home_id = adopt(db, caller.project_id, seen)
    return home_id, default_groups.home(db, caller.project_id)["pod_id"] != pod["pod_id"]
