"""Neutron's QoS policies: the replicas' rules follow the home's."""
from tricircle.crosspod.groups import apply_here
from tricircle.crosspod.neutron import one
from tricircle.store import Database, replicas
from tricircle.upstream.client import Upstream

FIELDS = ("name",)   # whom it is shared with is told by RBAC policies
# Whose rule it is, and what only its own pod knows of it.
NOT_MEANING = frozenset({"id", "type", "qos_policy_id", "tags", "revision_number", "created_at", "updated_at"})


def steps(home: dict, replica: dict) -> list[dict]:
    """What makes a replica like its home. Pure. A policy has one rule of a type for a direction.

    Args:
        home, replica: as Neutron shows them.

    Returns:
        Steps as `crosspod.steps.run` takes them.
    """
    base = f"/v2.0/qos/policies/{replica['id']}"
    wanted, has = _by_place(home), _by_place(replica)
    todo = [_step("DELETE", f"{base}/{kind}_rules/{has[kind, way]['id']}") for kind, way in sorted(has.keys() - wanted)]
    changed = {name: home[name] for name in FIELDS if home.get(name) != replica.get(name)}
    if changed:
        todo.append(_step("PUT", base, {"policy": changed}))
    for kind, way in sorted(wanted):
        meaning, old = _meaning(wanted[kind, way]), has.get((kind, way))
        if old is None:
            todo.append(_step("POST", f"{base}/{kind}_rules", {f"{kind}_rule": meaning}))
        elif _meaning(old) != meaning:
            todo.append(_step("PUT", f"{base}/{kind}_rules/{old['id']}", {f"{kind}_rule": meaning}))
    return todo


def plan(db: Database, upstream: Upstream, policy_id: str, home: dict, pod: dict) -> list[dict]:
    """Read both sides, and plan; nothing when one of them is gone. Raises PodUnreachable."""
    local = replicas.of_resource(db, policy_id).get(pod["pod_id"])
    mine = read(upstream, home["pod_name"], policy_id)
    replica = read(upstream, pod["pod_name"], local) if local and mine else None
    return steps(mine, replica) if replica else []


def sync(db: Database, upstream: Upstream, policy_id: str, home: dict, pod: dict) -> None:
    """Bring a replica up to date, here and now. Raises as `plan` and `groups.apply_here`."""
    apply_here(upstream, pod["pod_name"], plan(db, upstream, policy_id, home, pod))


def read(upstream: Upstream, pod: str, policy_id: str) -> dict | None:
    """A policy as a pod has it; None when it has not. Raises PodUnreachable."""
    return one(upstream, pod, f"/v2.0/qos/policies/{policy_id}", "policy")


def _by_place(policy: dict) -> dict[tuple[str, str], dict]:
    return {(rule["type"], rule.get("direction") or ""): rule for rule in policy.get("rules") or []}


def _meaning(rule: dict) -> dict:
    return {name: value for name, value in rule.items() if name not in NOT_MEANING}


def _step(method: str, path: str, body: dict | None = None) -> dict:
    # 409: an equal rule came in between.
    done_on = {"DELETE": [404], "POST": [409]}.get(method, [])
    return {"name": f"{method} {path.removeprefix('/v2.0/')}", "method": method, "path": path, "body": body,
            "done_on": done_on}
