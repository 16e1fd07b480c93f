"""What the three APIs look like, as data. The generic path reads this; nothing here acts.

A collection that is not listed is an ordinary one: its members have UUIDs, live in one pod, and lists merge by
concatenation. Sources: the API references of Nova, Cinder and Neutron.
"""
import re
from dataclasses import dataclass

# `$` would let a newline at the end through, and what is an id becomes a part of URLs.
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
# What Nova and Cinder take for a project's id where one may follow the version.
PROJECT = re.compile(r"[0-9a-f-]+")


@dataclass(frozen=True)
class Service:
    """One of the APIs that the gateway speaks.

    Args:
        name: `compute`, `volume` or `network`.
        versions: what its paths begin with.
        project_in_path: whether a project id may follow the version.
        errors: whose error format it speaks: `nova` or `neutron`.
        microversion: the name in `OpenStack-API-Version`; empty where there are no microversions.
        oldest: the microversion of a request that names none.
        legacy_header: an older header for the microversion alone.
        every_pod: lists ask every pod, not only the project's: networks may be shared or external.
        max_limit: largest page, and the page where no limit is asked for; None where such a list is the whole list.
        order: how collections are sorted unless the caller says otherwise, where all of them are paged.
        open_versions: whether the document of one version, as that of all versions, needs no token.
    """

    name: str
    versions: tuple[str, ...]
    project_in_path: bool
    errors: str
    microversion: str = ""
    oldest: tuple[int, int] = (0, 0)
    legacy_header: str = ""
    every_pod: bool = False
    max_limit: int | None = None
    order: tuple[tuple[str, bool], ...] = ()
    open_versions: bool = True


COMPUTE = Service("compute", ("v2.1", "v2"), True, "nova", "compute", (2, 1), "X-OpenStack-Nova-API-Version",
                  max_limit=1000)
VOLUME = Service("volume", ("v3",), True, "nova", "volume", (3, 0), max_limit=1000, open_versions=False)
NETWORK = Service("network", ("v2.0",), False, "neutron", every_pod=True, order=(("id", False),),
                  open_versions=False)
SERVICES = {service.name: service for service in (COMPUTE, VOLUME, NETWORK)}


@dataclass(frozen=True)
class Collection:
    """One collection of a service.

    Args:
        path: its path segments, `servers` or `qos/policies`.
        everywhere: one and the same thing in every pod, under a key that the user knows (a flavor's id, a keypair's
            name): read from any pod, written to all.
        replicable: a pod that needs it gets a replica; a request may therefore pull it away from its home.
        natural: field that tells whether two pods' records are the same thing; lists show it once.
        parent: field with the id of what it belongs to; where that is a replica, so is the record.
        common: the list shows what all pods have, not what any has.
        brief: fields of the short list, where `/detail` gives the long one.
        words: sub-paths that are no ids, as `detail` in `servers/detail`.
        per_pod: belongs to the pods and not to projects, as hypervisors do: lists ask every pod, integer ids end in the
            pod's number (`routing.numbers`), zones are the pod's own, members may be called by name.
        totals: sub-paths whose answer is a sum over the pods; `*` for all of them.
        order: how the pods sort it by themselves, [(field, descending)]. Without one, or with `natural`, pages are
            cut from the pods' whole lists.
        small: pages are cut from the pods' whole lists, whatever the service does with others.
        partial: microversion from which on the members of a pod that does not answer are shown in part.
        acting: sub-paths of members of which a GET changes something.
        marker: field of a record by which the page behind it is asked for; dots go into nested objects.
        listed: no GET shows a member alone: where it is the list tells.
        gathers: list in a record to which each replica has something to add.
        brings: collections of whose members the pod gets a replica when a request for this one names them, though they
            stay where they are otherwise.
    """

    path: str
    everywhere: bool = False
    replicable: bool = False
    natural: str = ""
    parent: str = ""
    common: bool = False
    brief: tuple[str, ...] = ()
    words: tuple[str, ...] = ("detail",)
    per_pod: bool = False
    totals: tuple[str, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    small: bool = False
    partial: tuple[int, int] | None = None
    acting: tuple[str, ...] = ()
    marker: str = "id"
    listed: bool = False
    gathers: str = ""
    brings: tuple[str, ...] = ()


# What an administrator does to a service is named in the path, and the service in the body.
SERVICE_WORDS = ("enable", "disable", "disable-log-reason", "force-down", "freeze", "thaw", "failover_host", "failover",
                 "get-log", "set-log")
BRIEF = ("id", "name", "links")
NEWEST = (("created_at", True),)


def _table(*rows: Collection) -> dict[str, Collection]:
    return {row.path: row for row in rows}


COLLECTIONS = {
    "compute": _table(
        Collection("flavors", everywhere=True, natural="id"),
        Collection("os-keypairs", everywhere=True, natural="keypair.name", marker="keypair.name"),
        Collection("os-quota-sets", everywhere=True),
        Collection("os-quota-class-sets", everywhere=True),
        Collection("os-availability-zone", natural="zoneName"),
        Collection("extensions", natural="alias", common=True),
        Collection("os-aggregates", per_pod=True),
        Collection("os-hypervisors", per_pod=True, words=("detail", "statistics"), totals=("/statistics",)),
        Collection("os-services", per_pod=True, words=SERVICE_WORDS, listed=True),
        Collection("os-hosts", per_pod=True),
        Collection("os-migrations", per_pod=True),
        Collection("os-simple-tenant-usage", natural="tenant_id", per_pod=True, totals=("*",)),
        Collection("os-floating-ip-pools", natural="name"),
        Collection("images", natural="id"),   # Glance's, which all pods may have in common
        Collection("os-server-groups", replicable=True, gathers="members"),
        Collection("servers", brief=BRIEF, order=(("created", True),), partial=(2, 69)),
    ),
    "volume": _table(
        Collection("os-quota-sets", everywhere=True),
        Collection("os-quota-class-sets", everywhere=True),
        Collection("types", everywhere=True, natural="name", words=("default", "detail")),
        Collection("group_types", everywhere=True, natural="name", words=("default", "detail")),
        Collection("qos-specs", everywhere=True, natural="name",
                   acting=("/associate", "/disassociate", "/disassociate_all")),
        Collection("os-availability-zone", natural="zoneName"),
        Collection("extensions", natural="alias", common=True),
        Collection("resource_filters", natural="resource"),
        Collection("default-types", everywhere=True, natural="project_id"),
        Collection("os-services", per_pod=True, words=SERVICE_WORDS),
        Collection("os-hosts", per_pod=True),
        Collection("scheduler-stats", per_pod=True, words=("get_pools",)),
        Collection("capabilities", per_pod=True),
        Collection("volumes", words=("detail", "summary"), totals=("/summary",), brief=BRIEF, order=NEWEST),
        Collection("snapshots", order=NEWEST),
        Collection("backups", brief=BRIEF, order=NEWEST),
        Collection("groups", brief=("id", "name"), words=("detail", "action"), order=NEWEST),
        Collection("consistencygroups", words=("detail", "create_from_src")),
        Collection("group_snapshots", brief=("id", "name", "group_type_id"), order=NEWEST),
    ),
    "network": _table(
        Collection("security-groups", replicable=True, small=True),
        Collection("security-group-rules", parent="security_group_id"),
        Collection("routers", replicable=True),
        Collection("floatingips", brings=("ports",)),
        Collection("ports", parent="network_id"),
        Collection("subnets", parent="network_id"),
        Collection("quotas", everywhere=True, natural="project_id", words=()),
        Collection("qos/policies", replicable=True),
        Collection("subnetpools", replicable=True),
        Collection("address-scopes", replicable=True),
        Collection("rbac-policies", parent="object_id"),
        Collection("qos/rule-types", natural="type"),
        Collection("extensions", natural="alias", common=True),
        Collection("availability_zones", natural="name"),
        Collection("service-providers", natural="name"),
        # Its records have no ids, so there is no marker.
        Collection("network-ip-availabilities", parent="network_id", small=True),
    ),
}

# Below these Neutron's paths name the collection.
PREFIXES = frozenset({"qos", "metering", "log", "vpn", "fwaas", "bgpvpn", "sfc", "taas"})

# Nova's old proxies show what another service has: {their collection: the one that the thing belongs to}.
PROXIES = {"os-volumes": "volumes", "os-snapshots": "snapshots", "os-floating-ips": "floatingips",
           "os-security-groups": "security-groups", "os-security-group-rules": "security-group-rules",
           "os-networks": "networks", "os-tenant-networks": "networks"}

# What stays in the pod where it is made, and draws everything else there: not made in a pod that is not enabled.
SETTLES = frozenset({("compute", "servers"), ("volume", "volumes"), ("network", "networks"), ("network", "routers")})

INTERFACE = "/os-interface"   # below a server: Nova's way to attach a network to it

# Nova's and Cinder's sort keys are columns of their databases; their records call some of them otherwise.
SORT_FIELDS = {"display_name": "name", "uuid": "id", "vm_state": "OS-EXT-STS:vm_state",
               "task_state": "OS-EXT-STS:task_state", "power_state": "OS-EXT-STS:power_state",
               "host": "OS-EXT-SRV-ATTR:host", "node": "OS-EXT-SRV-ATTR:hypervisor_hostname",
               "launched_at": "OS-SRV-USG:launched_at", "terminated_at": "OS-SRV-USG:terminated_at",
               "project_id": "tenant_id", "access_ip_v4": "accessIPv4", "access_ip_v6": "accessIPv6",
               "availability_zone": "OS-EXT-AZ:availability_zone"}
TIMES = frozenset({"created", "updated", "created_at", "updated_at"})
SERVER_TIMES = {"created_at": "created", "updated_at": "updated"}


@dataclass(frozen=True)
class Path:
    """A request's path, taken apart.

    Args:
        service: whose API.
        prefix: version and project, as in `/v2.1/<project>`; goes to the pod as it came.
        collection: its description.
        member: id or key of the thing that is addressed; empty for the collection itself.
        rest: what follows, as in `/action`; or the word, as in `/detail`.
    """

    service: Service
    prefix: str
    collection: Collection
    member: str
    rest: str

    @property
    def whole(self) -> str:
        """The path as one string."""
        return f"{self.base}{'/' + self.member if self.member else ''}{self.rest}"

    @property
    def is_total(self) -> bool:
        """Whether the answer is a sum over the pods."""
        return "*" in self.collection.totals or (not self.member and self.rest in self.collection.totals)

    @property
    def is_interface(self) -> bool:
        """Whether the interfaces of a server are meant."""
        return self.collection.path == "servers" and self.rest == INTERFACE

    @property
    def order(self) -> tuple[tuple[str, bool], ...]:
        """How the list at this path is sorted by itself; empty where it is cut from the pods' whole lists."""
        if self.member or self.rest not in ("", "/detail") or self.collection.natural or self.collection.small:
            return ()
        return self.collection.order or self.service.order

    @property
    def project(self) -> str:
        """The project's id, where the path has one."""
        return self.prefix[1:].partition("/")[2]

    @property
    def base(self) -> str:
        """The collection's own path, with the prefix."""
        return f"{self.prefix}/{self.collection.path}"


def parse(service: Service, path: str) -> Path | None:
    """Take a path apart.

    Args:
        service: whose port it came in at.
        path: canonical and plain (see doors.py), without the query.

    Returns:
        The parts; None when it does not begin with a version that the service speaks, or stops there.
    """
    prefix, rest = split(service, path)
    if not rest:
        return None
    length = 2 if rest[0] in PREFIXES and len(rest) > 1 and service is NETWORK else 1
    collection = find("/".join(rest[:length]), service.name)
    rest = rest[length:]
    member = rest.pop(0) if rest and rest[0] not in collection.words else ""
    return Path(service, prefix, collection, member, "/" + "/".join(rest) if rest else "")


def split(service: Service, path: str) -> tuple[str, list[str]]:
    """A path's version and project, and the segments that follow.

    Args:
        service: whose API.
        path: canonical.

    Returns:
        (`/v2.1/<project>`, [segments]); no segments where the path has no version that the service speaks.
    """
    segments = path[1:].removesuffix("/").split("/")
    if segments[0] not in service.versions:
        return "", []
    kept = 2 if service.project_in_path and len(segments) > 1 and PROJECT.fullmatch(segments[1]) else 1
    return "/" + "/".join(segments[:kept]), segments[kept:]


def find(path: str, service: str) -> Collection:
    """The description of a collection; an ordinary one when it is not listed."""
    return COLLECTIONS[service].get(path) or Collection(path)


def kind_of(collection: str) -> str:
    """The collection under which the store knows what is in one."""
    return PROXIES.get(collection, collection)


def singular(collection: str) -> str:
    """What Neutron calls one of a collection: `security-groups` has the member `security_group`."""
    plural = collection.rpartition("/")[2].replace("-", "_")
    return plural.removesuffix("ies") + "y" if plural.endswith("ies") else plural.removesuffix("s")
