"""How plumbing and replicas are recognised in a pod: by a mark, which they carry from the moment they are made.

A mark alone proves nothing. Tenants reach the pods directly, and replicas belong to their projects, so that they can
write a mark on what is theirs. Whose a thing is says `upstream.ownership`; plumbing belongs to Tricircle's own project,
into which nobody else can write.
"""
from typing import Any

from tricircle.uuids import ids

REPLICA = "tricircle:"
BRIDGE = "tricircle:bridge:"
MEMBER = "tricircle:member:"
SHADOW = "tricircle:shadow:"
# {collection: the field that carries the mark}, where there is no description.
FIELDS = {"os-server-groups": "name", "address-scopes": "name"}


def field(collection: str) -> str:
    """The field that carries the mark in a collection's records."""
    return FIELDS.get(collection, "description")


def replica(resource_id: str) -> str:
    """Mark of a replica; `resource_id` is the home id."""
    return REPLICA + resource_id


def bridge(owner_id: str) -> str:
    """Mark of a project's bridge network and subnet (owner: the project) or of a router's bridge port (the router)."""
    return BRIDGE + owner_id


def member(pod_name: str) -> str:
    """Mark of a rule for the address of a security group's member that lives in the pod."""
    return MEMBER + pod_name


def shadow(router_id: str) -> str:
    """Mark of a router's interface that stands for one in another pod (see crosspod/shadow.py)."""
    return SHADOW + router_id


def owner(record: dict[str, Any]) -> str:
    """The project of a record; nothing where the record does not tell."""
    return record.get("project_id") or record.get("tenant_id") or ""


def is_marked(record: dict[str, Any], collection: str = "") -> bool:
    """Whether a record carries a mark, whoever has written it."""
    return str(record.get(field(collection)) or "").startswith(REPLICA)


def is_plumbing(record: dict[str, Any], own: str) -> bool:
    """Whether a record is marked and belongs to Tricircle's own project, whose id `own` is."""
    return is_marked(record) and owner(record) == own


def is_member(rule: dict[str, Any], own: str) -> bool:
    """Whether a security group rule stands for a member in another pod; `own` as in `is_plumbing`."""
    return is_plumbing(rule, own) and rule["description"].startswith(MEMBER)


def original(record: dict[str, Any], collection: str = "") -> str:
    """The home id that a mark names as that of a replica, or nothing."""
    home_id = str(record.get(field(collection)) or "").removeprefix(REPLICA) if is_marked(record, collection) else ""
    return home_id if ids(home_id.encode()) == [home_id] else ""
