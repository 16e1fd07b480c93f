"""What a request's body refers to: ids of resources, names of things that must exist in the pod."""
from dataclasses import dataclass, field
from typing import Any

from tricircle.routing.catalogue import REFERENCES, SHARED, UUID
from tricircle.routing.rewrite import walk

VOLUME_TYPES = ("volume_type", "new_type")


OWNER = ("project_id", "tenant_id")


@dataclass
class Mentions:
    """Found in one body.

    Args:
        resources: (service, collection, id), in order, each once.
        flavors: flavor ids.
        keypairs: keypair names.
        groups: security groups by name or id, as Nova takes them.
        types: volume types by name or id.
        zone: the availability zone asked for; None when there is none.
        hints: availability zone hints.
        host: the host that a service is on.
        owner: the project that an administrator makes something for.
    """

    resources: list[tuple[str, str, str]] = field(default_factory=list)
    flavors: list[str] = field(default_factory=list)
    keypairs: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    zone: str | None = None
    hints: list[str] = field(default_factory=list)
    host: str | None = None
    owner: str | None = None


def mentions(service: str, body: Any) -> Mentions:
    """Read a body.

    Args:
        service: whose API it is for.
        body: parsed JSON of any shape; what has the wrong type is left for the pod to refuse.
    """
    found = Mentions()
    for parent, name, holder, value in walk(body):
        if not isinstance(value, str):
            if name == "availability_zone_hints" and isinstance(value, list):
                found.hints += [hint for hint in value if isinstance(hint, str)]
            continue
        if service == "compute" and _named(found, parent, name, value):
            continue
        if service != "network" and name in VOLUME_TYPES and value:
            found.types.append(value)
        target = REFERENCES.get(name) or REFERENCES.get(f"{parent}.{name}") or _block_device(parent, name, holder) \
            or _shared(name, holder)
        if target and UUID.match(value) and (*target, value) not in found.resources:
            found.resources.append((*target, value))
        if name == "availability_zone" and found.zone is None and value:
            found.zone = value
        if name == "host" and holder is body:
            found.host = value
        if name in OWNER and any(holder is member for member in body.values()):
            found.owner = value
    return found


def _named(found: Mentions, parent: str, name: str, value: str) -> bool:
    """Things that Nova's bodies call by a key of their own."""
    if name == "flavorRef":
        found.flavors.append(value.rstrip("/").rsplit("/", 1)[-1])
    elif name == "key_name":
        found.keypairs.append(value)
    elif name == "name" and parent in ("security_groups", "addSecurityGroup", "removeSecurityGroup"):
        found.groups.append(value)
    else:
        return False
    return True


def _block_device(parent: str, name: str, holder: Any) -> tuple[str, str] | None:
    """`uuid` in block_device_mapping_v2 is of the kind that `source_type` beside it says."""
    if parent == "block_device_mapping_v2" and name == "uuid" and isinstance(holder, dict):
        return {"volume": ("volume", "volumes"), "snapshot": ("volume", "snapshots")}.get(holder.get("source_type"))
    return None


def _shared(name: str, holder: Any) -> tuple[str, str] | None:
    """`object_id` of an RBAC policy is of the kind that `object_type` beside it says."""
    kind = holder.get("object_type") if name == "object_id" and isinstance(holder, dict) else None
    return ("network", SHARED[kind]) if isinstance(kind, str) and kind in SHARED else None
