"""Things to which each pod gives an id of its own, and which their names make one: volume types, Cinder's QoS specs."""
from tricircle.crosspod import alike
from tricircle.crosspod.shapes import Shape
from tricircle.store import Database, behind, named, pods, replicas
from tricircle.upstream.client import Upstream
from tricircle.upstream.scatter import scatter


def adopt(db: Database, shape: Shape, seen: dict[str, list[dict]]) -> None:
    """Make one of what has the same name in several pods: the first that was ever seen gives the id.

    Args:
        db: keeps the choice.
        shape: kind of the things.
        seen: {pod id: records with the pod's own ids}.
    """
    known, late = named.of_kind(db, shape.kind), behind.of_kind(db, shape.kind)
    for pod_id, records in seen.items():
        taken = replicas.to_home(db, pod_id, [record["id"] for record in records])
        for record in records:
            if record["id"] in taken or record["id"] in late.get(pod_id, ()):
                continue
            home = known.get(record["name"]) or named.choose(db, shape.kind, record["name"], record["id"])
            known[record["name"]] = home
            if home != record["id"]:
                replicas.adopt(db, home, pod_id, shape.kind, record["id"])


def learn(db: Database, upstream: Upstream, shape: Shape) -> None:
    """Adopt what the pods have now, also what only administrators see. Pods that do not answer are passed over."""
    rows = pods.by_name(db)
    found, _ = scatter(rows, lambda name: alike.listed(upstream, shape, name))
    adopt(db, shape, {rows[name]["pod_id"]: records for name, records in found.items()})
