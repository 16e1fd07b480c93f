"""What is the same in every pod, as data: how it is read, made and changed. Nothing here acts.

Sources: the API references of Nova and Cinder (flavors, os-keypairs, types, qos-specs).
"""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# (method, what follows the thing's own path, body)
Call = tuple[str, str, Any]
VERSIONS = {"compute": "/v2.1", "volume": "/v3/{project}", "network": "/v2.0"}
# Descriptions of flavors need 2.55, keypairs of other users 2.10, group types 3.11; every pod since Queens speaks them.
MICROVERSIONS = {"compute": "compute 2.55", "volume": "volume 3.11"}


@dataclass(frozen=True)
class Part:
    """Something that hangs on a thing and is changed by calls of its own.

    Args:
        field: what the answer has it under; empty when it is the answer.
        changes: (wanted, what is there) -> calls that make it so.
        path: where it is read; empty when the thing's own record shows it.
        only: what an item counts by, where the value is a list of objects.
    """

    field: str
    changes: Callable[[Any, Any], list[Call]]
    path: str = ""
    only: str = ""


@dataclass(frozen=True)
class Shape:
    """A kind of thing that is the same in every pod.

    Args:
        service, collection: where it is.
        member: its key in bodies.
        key: field by which it is known in every pod.
        named: each pod gives it an id of its own; the key makes it one.
        owned: it belongs to a user, and its key is unique for him only.
        create: {field of a POST: field of the record}.
        update: {field of a PUT: field of the record}.
        same: fields that must agree when somebody makes one whose key is taken in another pod; with none it is refused.
        told: fields that the first pod chose by itself and the others must be told.
        parts: what hangs on it.
        refers: {field of the record with an id: the collection that it is of}: is brought along.
        query: for lists, so that nothing is left out.
        taken: the service's words for a key that is taken; empty for flavors: another pod may have one of that key with
            other properties, and the user is told which pod.
    """

    service: str
    collection: str
    member: str
    key: str = "name"
    named: bool = False
    owned: bool = False
    create: tuple[tuple[str, str], ...] = ()
    update: tuple[tuple[str, str], ...] = ()
    same: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    refers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    taken: str = ""

    @property
    def kind(self) -> str:
        """Service and collection, as in `compute/flavors`."""
        return f"{self.service}/{self.collection}"

    @property
    def fixed(self) -> tuple[str, ...]:
        """Fields of the record that no PUT changes."""
        return tuple(field for _, field in self.create if field not in {each for _, each in self.update})


def _mapping(add: Callable[[dict], Call], drop: Callable[[list[str]], list[Call]]) -> Callable[[Any, Any], list[Call]]:
    def changes(wanted: dict | None, has: dict | None) -> list[Call]:
        wanted, has = wanted or {}, has or {}
        new = {name: value for name, value in wanted.items() if has.get(name) != value}
        old = sorted(has.keys() - wanted.keys())
        return ([add(new)] if new else []) + (drop(old) if old else [])
    return changes


def _members(add: Callable[[str], Call], drop: Callable[[str], Call]) -> Callable[[Any, Any], list[Call]]:
    def changes(wanted: list[str] | None, has: list[str] | None) -> list[Call]:
        if wanted is None:
            return []   # what is public has no list of those who may use it
        wanted, has = set(wanted), set(has or ())
        return [add(item) for item in sorted(wanted - has)] + [drop(item) for item in sorted(has - wanted)]
    return changes


def _specs(path: str, field: str = "extra_specs") -> Part:
    return Part(field, _mapping(lambda new: ("POST", path, {field: new}),
                                lambda old: [("DELETE", f"{path}/{name}", None) for name in old]), path)


def _access(path: str, field: str, project: str, action: str, argument: str) -> Part:
    return Part(field, _members(lambda each: ("POST", "/action", {f"add{action}Access": {argument: each}}),
                                lambda each: ("POST", "/action", {f"remove{action}Access": {argument: each}})),
                path, project)


ENCRYPTION = ("provider", "control_location", "cipher", "key_size")


def _encryption(wanted: dict | None, has: dict | None) -> list[Call]:
    """Cinder looks at the type only; the last segment of the path stands for whatever id the pod has given."""
    new, old = ({name: each[name] for name in ENCRYPTION if name in each} for each in (wanted or {}, has or {}))
    if new == old:
        return []
    if not new:
        return [("DELETE", "/encryption/provider", None)]
    method, path = ("PUT", "/encryption/provider") if old else ("POST", "/encryption")
    return [(method, path, {"encryption": new})]


PUBLIC = "os-flavor-access:is_public"
SHAPES = {shape.kind: shape for shape in (
    Shape("compute", "flavors", "flavor", "id", same=("name", "ram", "vcpus", "disk"), told=("id",),
          create=tuple((name, name) for name in ("id", "name", "ram", "vcpus", "disk", "swap", "rxtx_factor",
                                                 "OS-FLV-EXT-DATA:ephemeral", PUBLIC, "description")),
          update=(("description", "description"),),
          parts=(_specs("/os-extra_specs"),
                 _access("/os-flavor-access", "flavor_access", "tenant_id", "Tenant", "tenant"))),
    Shape("compute", "os-keypairs", "keypair", owned=True, told=("public_key", "type"),
          taken="Key pair '{}' already exists.",
          create=(("name", "name"), ("public_key", "public_key"), ("type", "type"), ("user_id", "user_id"))),
    Shape("volume", "types", "volume_type", named=True, query="?is_public=none", taken="Volume Type {} already exists.",
          refers=(("qos_specs_id", "qos-specs"),),
          create=(("name", "name"), ("description", "description"), ("os-volume-type-access:is_public", "is_public")),
          update=(("name", "name"), ("description", "description"), ("is_public", "is_public")),
          parts=(_specs("/extra_specs"), Part("", _encryption, "/encryption"),
                 _access("/os-volume-type-access", "volume_type_access", "project_id", "Project", "project"))),
    Shape("volume", "group_types", "group_type", named=True, query="?is_public=none",
          taken="Group Type {} already exists.",
          create=(("name", "name"), ("description", "description"), ("is_public", "is_public")),
          update=(("name", "name"), ("description", "description"), ("is_public", "is_public")),
          parts=(_specs("/group_specs", "group_specs"),)),
    Shape("volume", "qos-specs", "qos_specs", named=True, taken="QoS Specs {} already exists.",
          create=(("name", "name"), ("consumer", "consumer")), update=(("consumer", "consumer"),),
          parts=(Part("specs", _mapping(lambda new: ("PUT", "", {"qos_specs": new}),
                                        lambda old: [("PUT", "/delete_keys", {"keys": old})])),
                 Part("qos_associations", _members(lambda each: ("GET", f"/associate?vol_type_id={each}", None),
                                                   lambda each: ("GET", f"/disassociate?vol_type_id={each}", None)),
                      "/associations", "id"))),
)}
