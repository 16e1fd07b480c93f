"""Everything that the pods have of what the store knows, read with Tricircle's own account."""
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from tricircle.crosspod.alike import ask
from tricircle.crosspod.shapes import VERSIONS
from tricircle.errors import PodUnreachable
from tricircle.upstream.client import Upstream
from tricircle.upstream.scatter import scatter


@dataclass(frozen=True)
class Source:
    """A list.

    Args:
        service: whose.
        kind: the collection, as in `store.routings`.
        path: what follows the version.
        key: of the list in the answer.
        owner: field with the project.
        fields: those that matter.
        offset: pages are asked for by number, since the answer has no link to the next one.
        extension: of Neutron, without which there is no such list.
    """

    service: str
    kind: str
    path: str
    key: str
    owner: str = "project_id"
    fields: tuple[str, ...] = ()
    offset: bool = False
    extension: str = ""


def _neutron(kind: str, *more: str, extension: str = "") -> Source:
    fields = ("id", "project_id", *more)
    return Source("network", kind, f"{kind}?{urlencode({'fields': fields}, doseq=True)}",
                  kind.rpartition("/")[2].replace("-", "_"), fields=fields, extension=extension)


SOURCES = (
    Source("compute", "servers", "servers/detail?all_tenants=1", "servers", "tenant_id"),
    Source("compute", "os-server-groups", "os-server-groups?all_projects=True", "server_groups", fields=("name",),
           offset=True),
    Source("volume", "volumes", "volumes/detail?all_tenants=1", "volumes", "os-vol-tenant-attr:tenant_id"),
    Source("volume", "snapshots", "snapshots/detail?all_tenants=1", "snapshots",
           "os-extended-snapshot-attributes:project_id"),
    _neutron("networks", "description", "provider:segmentation_id"),
    _neutron("subnets", "description", "network_id", "cidr", "subnetpool_id"),
    _neutron("ports", "description", "network_id", "fixed_ips"),
    _neutron("routers", "description"),
    _neutron("floatingips", "description"),
    _neutron("security-groups", "description", "name"),
    _neutron("subnetpools", "description"),
    _neutron("address-scopes", "name", extension="address-scope"),
    _neutron("qos/policies", "description", extension="qos"),
)
KINDS = frozenset(source.kind for source in SOURCES)


def read(upstream: Upstream, names: list[str], told: Callable[[str, str], None]
         ) -> tuple[dict[str, dict[str, list[dict]]], dict[str, Exception]]:
    """Ask all pods at once, each for one list after the other.

    Args:
        upstream: calls; each has the configured deadline.
        names: pods.
        told: is told the pod's name and the kind after each list.

    Returns:
        ({pod: {kind: records}}, {pod: why it is not among them}). A pod of which one list is missing is not.
    """
    def pod(name: str) -> dict[str, list[dict]]:
        found, extensions = {}, _extensions(upstream, name)
        for source in SOURCES:
            lacking = source.extension and source.extension not in extensions
            found[source.kind] = [] if lacking else whole(upstream, name, source)
            told(name, source.kind)
        return found
    return scatter(names, pod)


def _extensions(upstream: Upstream, pod: str) -> set[str]:
    """Of Neutron. A list that is 404 would not tell a lacking extension from a broken path to it."""
    answer = ask(upstream, pod, "GET", "/v2.0/extensions?fields=alias")
    document = answer.json() if answer.ok else None
    if not isinstance(document, dict) or "extensions" not in document:
        raise PodUnreachable(pod, "network", f"answered {answer.status} to GET /v2.0/extensions")
    return {extension["alias"] for extension in document["extensions"]}


def whole(upstream: Upstream, pod: str, source: Source) -> list[dict]:
    """All pages of a list: records with `id`, `project_id` and the source's fields. Raises PodUnreachable."""
    version = VERSIONS[source.service]
    if "{" in version:
        version = version.format(project=upstream.account.project_id())
    path, found, more = f"{version}/{source.path}", {}, ""
    while True:
        answer = ask(upstream, pod, "GET", path + more)
        document = answer.json() if answer.ok else None
        records = document.get(source.key) if isinstance(document, dict) else None
        if not isinstance(records, list):
            # A broken answer must never look like an empty one: rows would go for things that are there.
            raise PodUnreachable(pod, source.service, f"answered {answer.status} to GET {path}")
        fresh = [record for record in records if record["id"] not in found]
        found |= {record["id"]: _slim(record, source) for record in fresh}
        follows = source.offset or f"{source.key}_links" in document
        if not fresh or not follows:
            return list(found.values())
        more = f"&offset={len(found)}" if source.offset else f"&marker={records[-1]['id']}"


def _slim(record: dict, source: Source) -> dict:
    """A pod may show a hundred thousand servers, of each of which two fields matter."""
    kept = {name: record[name] for name in source.fields if name in record}
    return kept | {"id": record["id"], "project_id": record.get(source.owner) or ""}
