"""Who may use a thing may use its replicas: their RBAC policies follow those of the home."""
from tricircle.crosspod.groups import apply_here
from tricircle.crosspod.neutron import listed, question
from tricircle.store import Database, replicas
from tricircle.upstream.client import Answer, Upstream

MEANING = ("action", "target_tenant")


def steps(home: list[dict], replica: list[dict], local_id: str) -> list[dict]:
    """What makes the replica's policies those of the home. Pure.

    Args:
        home, replica: RBAC policies as Neutron shows them.
        local_id: the replica's id in its pod.

    Returns:
        Steps as `crosspod.steps.run` takes them.
    """
    wanted = {_meaning(each): each for each in home}
    has = {_meaning(each): each for each in replica}
    todo = [{"name": f"stop sharing with {each[1]}", "method": "DELETE", "done_on": [404],
             "path": f"/v2.0/rbac-policies/{has[each]['id']}"} for each in sorted(has.keys() - wanted.keys())]
    for each in sorted(wanted.keys() - has.keys()):
        body = {name: wanted[each][name] for name in ("object_type", "project_id", *MEANING)} | {"object_id": local_id}
        # 409: an equal one came in between.
        todo.append({"name": f"share with {each[1]}", "method": "POST", "path": "/v2.0/rbac-policies",
                     "body": {"rbac_policy": body}, "done_on": [409]})
    return todo


def plan(db: Database, upstream: Upstream, object_id: str, home: dict, pod: dict) -> list[dict]:
    """Read both sides, and plan; nothing when there is no replica. Raises PodUnreachable."""
    local = replicas.of_resource(db, object_id).get(pod["pod_id"])
    if not local:
        return []
    return steps(_read(upstream, home["pod_name"], object_id), _read(upstream, pod["pod_name"], local), local)


def sync(db: Database, upstream: Upstream, object_id: str, home: dict, pod: dict) -> None:
    """Bring a replica up to date, here and now. Raises as `plan` and `groups.apply_here`."""
    apply_here(upstream, pod["pod_name"], plan(db, upstream, object_id, home, pod))


def withdraw(upstream: Upstream, policy: dict, local_id: str, pod: dict) -> Answer | None:
    """Take the like of a home's RBAC policy from a replica; None when there is none. Raises PodUnreachable."""
    for each in _read(upstream, pod["pod_name"], local_id):
        if _meaning(each) == _meaning(policy):
            return upstream.ask(pod["pod_name"], "network", "DELETE", f"/v2.0/rbac-policies/{each['id']}")
    return None


def _meaning(policy: dict) -> tuple[str, ...]:
    return tuple(policy[name] for name in MEANING)


def _read(upstream: Upstream, pod: str, object_id: str) -> list[dict]:
    return listed(upstream, pod, "rbac-policies", question({"object_id": object_id}))
