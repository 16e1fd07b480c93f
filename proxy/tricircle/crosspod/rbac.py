"""Who may use a thing may use its replicas: their RBAC policies follow those of the home."""
from tricircle import marks
from tricircle.crosspod.pairing import Pair
from tricircle.store import Database
from tricircle.upstream.client import Upstream
from tricircle.upstream.neutron import listed, question

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


def plan(_: Database, upstream: Upstream, pair: Pair) -> list[dict]:
    """What the replica of a pair lacks. Raises PodUnreachable."""
    return steps(_read(upstream, pair.home, pair.original["id"]), _read(upstream, pair.pod, pair.local_id),
                 pair.local_id)


def like(policy: dict, others: list[dict]) -> dict | None:
    """Return that one of a replica's RBAC policies which is like one of the home's."""
    owner = marks.owner(policy)
    return next((each for each in others if _meaning(each) == _meaning(policy) and marks.owner(each) == owner), None)


def _meaning(policy: dict) -> tuple[str, ...]:
    return tuple(policy[name] for name in MEANING)


def _read(upstream: Upstream, pod: dict, object_id: str) -> list[dict]:
    return listed(upstream, pod["pod_name"], "rbac-policies", question({"object_id": object_id}))
