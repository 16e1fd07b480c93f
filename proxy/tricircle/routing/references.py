"""What a request's body refers to: ids of resources, names of things that must exist in the pod."""
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tricircle.errors import BadRequest
from tricircle.routing.catalogue import UUID
from tricircle.routing.fields import TREES, Beside, Node, Reference, members

# Each may cost a question to every pod and a replica. A server has a few, Neutron's largest bulk calls some dozens.
MOST = 200


@dataclass
class Mentions:
    """Found in one body.

    Args:
        resources: (service, collection, id), in order, each once.
        flavors: flavor ids, each once, as all that follow.
        keypairs: keypair names.
        groups: security groups by name or id, as Nova takes them.
        types: volume types by name or id.
        zone: the availability zone asked for; None when there is none.
        hints: availability zone hints.
        nodes: hosts or hypervisors on which something new is to be.
        host: the host that a service is on.
        cluster: the cluster of Cinder's that is named.
    """

    resources: list[tuple[str, str, str]] = field(default_factory=list)
    flavors: list[str] = field(default_factory=list)
    keypairs: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    zone: str | None = None
    hints: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    host: str | None = None
    cluster: str | None = None


def mentions(service: str, body: Any) -> Mentions:
    """Read a body.

    Args:
        service: whose API it is for.
        body: parsed JSON of any shape; what has the wrong type is left for the pod to refuse.

    Raises:
        BadRequest: it names more than `MOST` things.
    """
    if body is None:
        return Mentions()
    found: dict[str, dict] = {"resources": {}, "flavors": {}, "keypairs": {}, "groups": {}, "types": {}, "zone": {},
                              "hints": {}, "nodes": {}}
    for member in members(body):
        for kind, value in _named(TREES[service], member):
            if isinstance(kind, str):
                found[kind][value.rstrip("/").rsplit("/", 1)[-1] if kind == "flavors" else value] = None
            elif UUID.match(value):
                found["resources"][(*kind, value)] = None
    if sum(map(len, found.values())) > MOST:
        raise BadRequest(f"the request's body refers to more than {MOST} things: send several requests")
    host, cluster = (value if isinstance(value, str) else None for value in (
        (body.get("host"), body.get("name")) if isinstance(body, dict) else (None, None)))
    zone = next(iter(found.pop("zone")), None)
    return Mentions(**{name: list(values) for name, values in found.items()}, zone=zone,
                    host=host, cluster=cluster)


def _named(tree: dict[str, Node], holder: dict) -> Iterator[tuple[Reference | str, str]]:
    """(kind, id or name) of what an object names, in its order."""
    for name, value in holder.items():
        node = tree.get(name)
        if node is None:
            continue
        if isinstance(value, list):
            for item in value:
                yield from _at(node.each, node.items, item, holder)
        else:
            yield from _at(node.one, node.fields, value, holder)


def _at(kind: Reference | Beside | str | None, fields: dict[str, Node], value: Any,
        holder: dict) -> Iterator[tuple[Reference | str, str]]:
    if isinstance(value, dict):
        yield from _named(fields, value)
    elif isinstance(value, str) and value:
        if isinstance(kind, Beside):
            told = holder.get(kind.field)
            kind = kind.kinds.get(told) if isinstance(told, str) else None
        if kind:
            yield kind, value
