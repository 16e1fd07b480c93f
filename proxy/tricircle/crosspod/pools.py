"""Neutron's subnet pools: the replicas hand out the same prefixes by the same rules as the home."""
from tricircle.crosspod.pairing import Pair
from tricircle.prefixes import nets, without
from tricircle.store import Database, replicas
from tricircle.upstream.client import Upstream

# Whom it is shared with is told by RBAC policies; the default of a pod is asked for by its id (`api.subnetpools`).
FIELDS = ("name", "min_prefixlen", "max_prefixlen", "default_prefixlen", "default_quota", "address_scope_id")


def steps(home: dict, replica: dict) -> list[dict]:
    """What makes a replica like its home. Pure.

    Args:
        home, replica: as Neutron shows them, with the pod's ids in both.

    Returns:
        Steps as `crosspod.steps.run` takes them.
    """
    path, wanted, has = f"/v2.0/subnetpools/{replica['id']}", nets(home["prefixes"]), nets(replica["prefixes"])
    todo = [_prefixes(path, "remove_prefixes", without(has, wanted))]
    # Releases differ in whether they show lengths as numbers or as text.
    changed = {name: home[name] for name in FIELDS if str(home.get(name)) != str(replica.get(name))}
    if changed:
        todo.append([{"name": f"PUT {', '.join(changed)}", "method": "PUT", "path": path,
                      "body": {"subnetpool": changed}}])
    todo.append(_prefixes(path, "add_prefixes", without(wanted, has)))
    return [step for each in todo for step in each]


def plan(db: Database, _: Upstream, pair: Pair) -> list[dict]:
    """What the replica of a pair lacks."""
    scope = pair.original["address_scope_id"]
    if scope:   # which has a home of its own
        scope = replicas.to_home(db, pair.home["pod_id"], [scope]).get(scope, scope)
        scope = replicas.to_local(db, pair.pod["pod_id"], [scope]).get(scope, scope)
    return steps({**pair.original, "address_scope_id": scope}, pair.replica)


def _prefixes(path: str, action: str, found: list) -> list[dict]:
    if not found:
        return []
    return [{"name": f"{action} {', '.join(map(str, found))}", "method": "PUT", "path": f"{path}/{action}",
             "body": {"prefixes": [str(net) for net in found]}}]
