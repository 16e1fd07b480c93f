"""What the three APIs look like, as data (their collections: collections.py). The generic path reads this; nothing
here acts.

Sources: the API references of Nova, Cinder and Neutron.
"""
import re
from dataclasses import dataclass

from tricircle.routing.collections import COLLECTIONS, Collection

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


# Below these Neutron's paths name the collection.
PREFIXES = frozenset({"qos", "metering", "log", "logging", "vpn", "fwaas", "bgpvpn", "sfc", "taas"})

# Neutron has the tags of a thing below the last part of its collection's path: {that part: the whole path}.
TAGGED = {"policies": "qos/policies"}

# Nova's old proxies show what another service has, and Cinder has a second name for its transfers: {the collection: the
# one that the thing belongs to}.
PROXIES = {"os-volumes": "volumes", "os-snapshots": "snapshots", "os-floating-ips": "floatingips",
           "os-security-groups": "security-groups", "os-security-group-rules": "security-group-rules",
           "os-networks": "networks", "os-tenant-networks": "networks", "os-volume-transfer": "volume-transfers"}

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
        whole = self.collection.natural or self.collection.small or not self.collection.marker
        if self.member or self.rest not in ("", "/detail") or whole:
            return ()
        return self.collection.order or self.service.order

    @property
    def named(self) -> tuple[str, str, str]:
        """(service, collection, id) of the thing that is addressed."""
        return (*(self.collection.of or (self.service.name, self.collection.path)), self.member)

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
    name = "/".join(rest[:length])
    collection = find(TAGGED.get(name, name) if service is NETWORK else name, service.name)
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


def plural(collection: str) -> str:
    """Return the name of several members in a body: `security_groups` for the collection `security-groups`."""
    return collection.rpartition("/")[2].replace("-", "_")


def singular(collection: str) -> str:
    """What Neutron calls one of a collection: `security-groups` has the member `security_group`."""
    several = plural(collection)
    return several.removesuffix("ies") + "y" if several.endswith("ies") else several.removesuffix("s")


def member_name(collection: str, body: dict) -> str:
    """Return the name under which Neutron looks for what a POST to a collection makes.

    Several come first, under the name of one with an s (neutron/api/v2/base.py `prepare_request_body`); what it calls
    otherwise it does not look for there.

    Args:
        collection: its path.
        body: of the POST.
    """
    one, several = singular(collection), plural(collection)
    return several if several in body and (several == f"{one}s" or one not in body) else one
