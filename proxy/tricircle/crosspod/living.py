"""What lives in a pod, as the pod itself says: an operator who drains it wants to see when it is empty."""
from collections import Counter

from tricircle.crosspod.survey import SOURCES, whole
from tricircle.store import Database, replicas
from tricircle.upstream import ownership
from tricircle.upstream.client import Upstream

LISTS = ("servers", "volumes", "networks", "routers")


def living(db: Database, upstream: Upstream, pod: dict) -> dict[str, Counter]:
    """Count what is there of each project, without replicas and plumbing: {project id: Counter({collection: number})}.

    Raises:
        PodUnreachable: the pod does not say it all.
    """
    found: dict[str, Counter] = {}
    for source in (source for source in SOURCES if source.kind in LISTS):
        records = whole(upstream, pod["pod_name"], source)
        homes = replicas.to_home(db, pod["pod_id"], [record["id"] for record in records])
        foreign = replicas.strangers(db, pod["pod_id"], list(homes.values()))
        marked = ownership.by_mark(db, upstream, pod, source.kind,
                                   [record for record in records if record["id"] not in homes])
        for record in records:
            if homes.get(record["id"]) not in foreign and record["id"] not in marked:
                found.setdefault(record["project_id"], Counter())[source.kind] += 1
    return found
