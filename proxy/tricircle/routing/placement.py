"""Which pod a request goes to: pinned by an administrator, by id, by zone, by what it refers to, or by default."""
from dataclasses import dataclass, field
from urllib.parse import quote

from tricircle.errors import ApiError, BadRequest, Conflict, NotFound, Unavailable
from tricircle.routing import numbers
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import SETTLES, UUID, Path, find
from tricircle.routing.locator import Locator
from tricircle.routing.references import Mentions
from tricircle.routing.sightings import Named
from tricircle.store import Database, pods, replicas

# Lists of Nova that show where a server may be put, up to the name, and the field that has that.
ON_NODE = (("/os-hypervisors?hypervisor_hostname_pattern=", "hypervisor_hostname"),
           ("/os-services?binary=nova-compute&host=", "host"))
# Characters of the name of a host or cluster; a longer one is asked of no pod: the pod that gets the request refuses
# it.
LONGEST_NAME = 255


@dataclass
class Placed:
    """The outcome.

    Args:
        pod: row of the pod that gets the request.
        needed: (service, collection, id, row of the home pod) of what must get a replica there first.
        moves: (network id, row of the pod that it has to leave); nothing may hang on it there.
    """

    pod: dict
    needed: list[tuple[str, str, str, dict]] = field(default_factory=list)
    moves: list[tuple[str, dict]] = field(default_factory=list)


@dataclass
class _Homes:
    """Homes of what a request names: things that stay where they are, networks that a first server may take with it,
    and things that can have replicas.
    """

    fixed: list[tuple[str, dict]] = field(default_factory=list)
    named: dict[str, Named] = field(default_factory=dict)   # of `fixed`, by what we call it
    light: list[tuple[str, dict]] = field(default_factory=list)
    movable: list[tuple[str, str, str, dict]] = field(default_factory=list)


def place(db: Database, locator: Locator, caller: Caller, path: Path, found: Mentions, owner: str,
          external: bool = False) -> Placed:
    """Choose the pod for a write, or for anything that addresses one resource.

    Args:
        db: pods and bindings.
        locator: finds homes.
        caller: whose token asks for what is not known.
        path: the request's path.
        found: what the body mentions.
        owner: the project whose the new thing will be, and which is bound; see `projects`.
        external: the body makes an external network, whose hint is a pod's name.

    Raises:
        BadRequest, Conflict: the request names things of two pods that cannot be brought together (compute and
            volume say 400, network 409), a zone that no pod has, or makes something in a pod that is not enabled.
        NotFound: Neutron's answer for an unknown zone.
        Unavailable: no pod is registered, or the one that may know an id cannot be reached.
    """
    homes = _homes(locator, caller, path, found)
    if path.collection.per_pod:
        homes.fixed += _per_pod(db, locator, caller, path, found)
    elif found.nodes and not found.zone and path.collection.path == "servers" and not path.member:
        homes.fixed += [_on_node(locator, caller, path, each) for each in found.nodes if len(each) <= LONGEST_NAME]
    # After a maintenance a project may be bound to another pod of the zone than that of its networks.
    near = {pod["az_name"]: pod for _, pod in homes.light if pods.is_enabled(pod)}

    def decide(fixed: list[tuple[str, dict]]) -> tuple[dict | None, dict | None]:
        pinned = _one_pod(path, fixed)
        return pinned, _zone_pod(db, owner, path, found, external, pinned, near)

    try:
        pinned, zoned = decide(homes.fixed)
    except ApiError:
        # Where a thing is we say to those only who may see it; for others a pod says that it is not there.
        shown = [each for each in homes.fixed if each[0] not in homes.named
                 or locator.shows(caller, homes.named[each[0]], each[1])]
        if len(shown) == len(homes.fixed):
            raise
        pinned, zoned = decide(shown)
    following = [pod for _, pod in homes.light] + [item[3] for item in homes.movable
                                                   if path.member or pods.is_enabled(item[3])]
    pod = zoned or pinned or next(iter(following), None) or _default(db, path, owner)
    if pod is None:
        raise Unavailable("no pod is registered with Tricircle yet")
    if not path.member and (path.service.name, path.collection.path) in SETTLES and not pods.is_enabled(pod):
        raise apart(path, closed(pod))
    if path.collection.hosts:
        homes.movable = _there(db, locator, caller, path, homes, pod)
    return Placed(pod, [item for item in homes.movable if item[3]["pod_id"] != pod["pod_id"]],
                  [item for item in homes.light if item[1]["pod_id"] != pod["pod_id"]])


def _there(db: Database, locator: Locator, caller: Caller, path: Path, homes: _Homes,
           pod: dict) -> list[tuple[str, str, str, dict]]:
    """Of what is put on something, as on an agent, the things that its pod has.

    Raises:
        Conflict: the pod has no replica of one of them, and the caller sees both.
    """
    absent = [item for item in homes.movable
              if item[3]["pod_id"] != pod["pod_id"] and pod["pod_id"] not in replicas.of_resource(db, item[2])]
    for service, collection, resource_id, home in absent:
        own = (path.service.name, path.collection.path, path.member)
        if locator.shows(caller, own, pod) and locator.shows(caller, (service, collection, resource_id), home):
            raise apart(path, f"{path.collection.path} {path.member} is in pod {pod['pod_name']}, {collection} "
                              f"{resource_id} is in pod {home['pod_name']}: they cannot be used together")
    return [item for item in homes.movable if item not in absent]


def _default(db: Database, path: Path, owner: str) -> dict | None:
    """An aggregate has nothing to do with the administrator's project: it is made in the first pod, always."""
    return next(iter(pods.bottom(db)), None) if path.collection.per_pod else pods.default_pod(db, owner)


def _homes(locator: Locator, caller: Caller, path: Path, found: Mentions) -> _Homes:
    named = list(found.resources)
    if UUID.match(path.member) and not path.collection.listed and not path.collection.is_nameless:
        named.insert(0, path.named)
    homes = _Homes()
    for (service, collection, resource_id), pod in locator.find_many(caller, list(dict.fromkeys(named))).items():
        if pod is None:
            continue   # the pod's own answer to an unknown id is better than any of ours
        if collection == "networks" and path.collection.path == "servers" and (not path.member or path.is_interface):
            homes.light.append((resource_id, pod))
        elif find(collection, service).replicable or collection in path.collection.brings:
            homes.movable.append((service, collection, resource_id, pod))
        else:
            homes.fixed.append((f"{collection} {resource_id}", pod))
            homes.named[f"{collection} {resource_id}"] = service, collection, resource_id
    return homes


def _per_pod(db: Database, locator: Locator, caller: Caller, path: Path, found: Mentions) -> list[tuple[str, dict]]:
    """The pod of something that is called by number, by name, or by the host or cluster that it is on."""
    cluster = found.cluster if found.cluster and len(found.cluster) <= LONGEST_NAME else ""
    number, called = numbers.pod_number(path), path.member or _host(found) or cluster
    if number is not None:
        pods_there = [pod for pod in pods.bottom(db) if pod["aggregate_id"] == number]
        if not pods_there:
            raise NotFound(f"{path.member} could not be found")
    elif path.member and path.collection.listed:
        pods_there = locator.having(caller, path.service, path.base, path.member)
    elif path.member and not UUID.match(path.member):
        pods_there = locator.having(caller, path.service, f"{path.base}/{path.member}")
    elif _host(found) and not path.member:
        pods_there = locator.having(caller, path.service,
                                    f"{path.prefix}/os-services?host={quote(_host(found), safe='')}")
    elif cluster and path.collection.path == "clusters" and not path.member:
        pods_there = locator.having(caller, path.service, f"{path.base}?name={quote(cluster, safe='')}")
    else:
        return []
    if len(pods_there) > 1:
        names = ", ".join(pod["pod_name"] for pod in pods_there)
        raise BadRequest(f"{called} is in several pods ({names}): name one in X-Tricircle-Pod")
    return [(called, pod) for pod in pods_there]


def _host(found: Mentions) -> str:
    """The host that a body names; Cinder's, for what is on a backend, may have a pool behind it. Empty: none."""
    host = (found.host or next(iter(found.nodes), "")).partition("#")[0]
    return host if len(host) <= LONGEST_NAME else ""


def _on_node(locator: Locator, caller: Caller, path: Path, name: str) -> tuple[str, dict]:
    """(what is named, row of the pod) of a host or a hypervisor that a new server asks for.

    Raises:
        BadRequest: no pod shows it to the caller, or several do.
    """
    base = caller.prefix(path.service)
    rows = {pod["pod_id"]: pod for asked, field in ON_NODE
            for pod in locator.having(caller, path.service, f"{base}{asked}{quote(name, safe='')}", name, field)}
    if not rows:
        raise BadRequest(f"Compute host {name} could not be found.")
    if len(rows) > 1:
        names = ", ".join(sorted(pod["pod_name"] for pod in rows.values()))
        raise BadRequest(f"{name} is in several pods ({names}): name an availability zone, too")
    return name, next(iter(rows.values()))


def _one_pod(path: Path, fixed: list[tuple[str, dict]]) -> dict | None:
    for name, pod in fixed[1:]:
        first, first_pod = fixed[0]
        if pod["pod_id"] != first_pod["pod_id"]:
            raise apart(path, f"{first} is in pod {first_pod['pod_name']}, {name} is in pod {pod['pod_name']}: "
                              "they cannot be used together")
    return fixed[0][1] if fixed else None


def _zone_pod(db: Database, owner: str, path: Path, found: Mentions, external: bool,
              pinned: dict | None, near: dict[str, dict]) -> dict | None:
    if path.service.name == "network":
        asked = found.hints if not path.member else []
    else:
        # Nova lets an administrator write zone:host:node.
        asked = [found.zone.split(":", 1)[0]] if found.zone else []
    if not asked:
        return None
    field_name = "pod_name" if external else "az_name"
    candidates = [pod for pod in pods.bottom(db) if pod[field_name] in asked]
    if not candidates and path.collection.per_pod:
        return pinned   # an aggregate's zone is the pod's own affair
    if not candidates:
        raise _unknown_zone(path, asked, external)
    if pinned:
        if pinned["az_name"] not in asked:
            raise apart(path, f"what the request names is in pod {pinned['pod_name']}, but zone {asked[0]} is served "
                              f"by pod {candidates[0]['pod_name']}")
        return pinned
    if external:
        return candidates[0]
    served = pods.zones(db)
    zone = max((zone for zone in asked if zone in served), key=lambda zone: served[zone])   # the first one of the best
    return near.get(zone) or pods.pod_for_zone(db, owner, zone)


def closed(pod: dict) -> str:
    """Why nothing new is placed in a pod, for whoever wants to."""
    reason = f" ({pod['disabled_reason']})" if pod["disabled_reason"] else ""
    return (f"pod {pod['pod_name']} of availability zone {pod['az_name']} takes nothing new now, it is "
            f"{pod['status']}{reason}: name another zone, or what is elsewhere")


def apart(path: Path, message: str) -> ApiError:
    """The error for things of two pods that cannot be brought together."""
    return Conflict(message) if path.service.errors == "neutron" else BadRequest(message)


def _unknown_zone(path: Path, asked: list[str], external: bool) -> ApiError:
    if external:
        return BadRequest("availability_zone_hints of an external network name its pod, and no pod is called "
                          f"{asked[0]}", "PodNotFound")
    if path.service.errors == "neutron":
        return NotFound(f"AvailabilityZone {asked[0]} could not be found.", "AvailabilityZoneNotFound")
    if path.service.name == "volume":
        return BadRequest(f"Availability zone '{asked[0]}' is invalid.")
    return BadRequest("The requested availability zone is not available")
