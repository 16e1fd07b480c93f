"""What lives in a pod, as the pod itself says: an operator who drains it wants to see when it is empty."""
from collections import Counter

from tricircle import marks
from tricircle.errors import PodUnreachable
from tricircle.store import Database, replicas
from tricircle.upstream.client import Upstream

PAGE = 500
# {collection: (service, list, field of the owner)}; {own} is Tricircle's own project.
LISTS = {
    "servers": ("compute", "/v2.1/servers/detail?all_tenants=1", "tenant_id"),
    "volumes": ("volume", "/v3/{own}/volumes/detail?all_tenants=1", "os-vol-tenant-attr:tenant_id"),
    "networks": ("network", "/v2.0/networks?fields=id&fields=project_id&fields=description", "project_id"),
    "routers": ("network", "/v2.0/routers?fields=id&fields=project_id&fields=description", "project_id"),
}


def living(db: Database, upstream: Upstream, pod: dict) -> dict[str, Counter]:
    """Count what is there of each project, without replicas and plumbing: {project id: Counter({collection: number})}.

    Raises:
        PodUnreachable, EndpointMissing: the pod does not say it all.
    """
    found: dict[str, Counter] = {}
    for collection, (_, _, owner) in LISTS.items():
        records = _list(upstream, pod, collection)
        homes = replicas.to_home(db, pod["pod_id"], [record["id"] for record in records])
        foreign = replicas.strangers(db, pod["pod_id"], list(homes.values()))
        for record in records:
            if homes.get(record["id"]) not in foreign and not marks.is_marked(record):
                found.setdefault(record[owner], Counter())[collection] += 1
    return found


def _list(upstream: Upstream, pod: dict, collection: str) -> list[dict]:
    service, path, _ = LISTS[collection]
    path = path.replace("{own}", upstream.account.project_id())
    records, marker = [], ""
    while True:
        answer = upstream.ask(pod["pod_name"], service, "GET", f"{path}&limit={PAGE}{marker}")
        page = (answer.json() or {}).get(collection) if answer.ok else None
        if not isinstance(page, list):
            raise PodUnreachable(pod["pod_name"], service, f"answered {answer.status} to a list of {collection}")
        if not page:
            return records
        records += page
        marker = f"&marker={page[-1]['id']}"
