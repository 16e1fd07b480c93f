"""Other doors to the same rooms: spellings with which a pod's own routing leads to what has a plain path, too.

A request is routed, counted and checked by its plain path, so each spelling becomes the plain one here, or is refused
where there is no reason to use it. Sources, of release Zed: `nova/api/openstack/compute/routes.py`, `mapper.resource`
of Routes (Cinder, and Neutron's extensions), `neutron/pecan_wsgi/controllers/root.py` and `resource.py`,
`find_object` in `pecan/routing.py`.
"""
import re
from urllib.parse import unquote

from tricircle.errors import NotFound
from tricircle.routing.catalogue import COLLECTIONS, NETWORK, PREFIXES, TAGGED, UUID, Service, split
from tricircle.routing.fields import SHARED
from tricircle.uuids import lowered

# Collections with a second name.
TWINS = {("compute", "os-volumes_boot"): "servers"}
# Their routers take `.json` at the end of any path.
DOTTED = frozenset({"volume", "network"})
# What follows these is free text: a key, a tag, the label of a network, the name of a port's host.
FREE = frozenset({"metadata", "tags", "extra_specs", "os-extra_specs", "group_specs", "ips", "bindings"})
# The databases compare without regard to case, to blanks at the end and to accents: `<id>%20` is the thing of that id.
PLAIN = re.compile(r"[!-~]([ -~]*[!-~])?")
# Neutron takes dashes for underscores and the other way round. Below a member these are written with dashes, all others
# with underscores.
DASHED = frozenset({"dhcp-agents", "dhcp-networks", "l3-agents", "l3-routers", "bgp-dragents", "bgp-drinstances"})


def _dashed(name: str) -> str:
    return name.replace("_", "-")


# Neutron's collections that the catalogue knows: {last part of the path, with dashes: the whole path}.
KNOWN = {_dashed(path.rsplit("/")[-1]): path for path in (
    *COLLECTIONS["network"], *(path for _, path in SHARED.values()))}


def plain(service: Service, path: str) -> str:
    """The plain spelling of a path.

    Args:
        service: whose port it came in at.
        path: canonical.

    Returns:
        The path by which the request is routed, and which is sent.

    Raises:
        NotFound: a pod might take it for something that has a plain path.
    """
    prefix, parts = split(service, path)
    if not parts:
        return path
    member = _length(service, parts)
    end = next((place + 1 for place, part in enumerate(parts) if place > member and part in FREE), len(parts))
    rest = parts[:end]
    tail = path[len("/".join([prefix, *rest])):]
    if service.name in DOTTED and tail in ("", "/"):
        rest[-1] = lowered(rest[-1].removesuffix(".json"))
        if not rest[-1] or rest[-1].endswith(".json"):
            raise nothing(path)
    # Without an escape a canonical path has neither blanks nor accents in it.
    if "." in rest[0] or ("%" in path and not all(PLAIN.fullmatch(unquote(part)) for part in rest)):
        raise nothing(path)
    rest[0] = TWINS.get((service.name, rest[0]), rest[0])
    if service is NETWORK:
        rest = _neutron(path, rest)
    return f"{prefix}/{'/'.join(rest)}{tail}"


def _length(service: Service, parts: list[str]) -> int:
    """How many segments name the collection."""
    return 2 if service is NETWORK and parts[0] in PREFIXES and len(parts) > 1 else 1


def nothing(path: str) -> NotFound:
    """What is said of a path that leads nowhere."""
    return NotFound(f"there is nothing at {path}")


def _neutron(path: str, rest: list[str]) -> list[str]:
    """Neutron's own: it looks for controllers by name, below any prefix, and by the names of Python's attributes."""
    # `index` is a controller's method for the thing itself, `_lookup` the one for what is below it, and a dot begins a
    # format.
    if any(part == "index" or part.startswith("_") or "." in part for part in rest):
        raise nothing(path)
    length = _length(NETWORK, rest)
    name, below = "/".join(rest[:length]), rest[length:]
    if name in TAGGED and len(below) > 1 and UUID.match(below[0]) and below[1] == "tags":
        return rest
    known = KNOWN.get(_dashed(rest[length - 1]), name)
    if _dashed(known) != _dashed(name):
        raise nothing(path)   # `/policies`, `/metering/networks`
    if length == 1 and name != "extensions" and below and _dashed(below[0]) in KNOWN:
        raise nothing(path)   # the first part could be a prefix, which any service plugin of Neutron may have
    if len(below) > 1:
        dashed = _dashed(below[1])
        below[1] = dashed if dashed in DASHED else below[1].replace("-", "_")
    return [known, *below]
