"""Neutron's QoS policies: the replicas' rules follow the home's."""
from tricircle.crosspod.pairing import Pair
from tricircle.store import Database
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


def plan(_: Database, __: Upstream, pair: Pair) -> list[dict]:
    """What the replica of a pair lacks."""
    return steps(pair.original, pair.replica)


def _by_place(policy: dict) -> dict[tuple[str, str], dict]:
    return {(rule["type"], rule.get("direction") or ""): rule for rule in policy.get("rules") or []}


def _meaning(rule: dict) -> dict:
    return {name: value for name, value in rule.items() if name not in NOT_MEANING}


def _step(method: str, path: str, body: dict | None = None) -> dict:
    # 409: an equal rule came in between.
    done_on = {"DELETE": [404], "POST": [409]}.get(method, [])
    return {"name": f"{method} {path.removeprefix('/v2.0/')}", "method": method, "path": path, "body": body,
            "done_on": done_on}
