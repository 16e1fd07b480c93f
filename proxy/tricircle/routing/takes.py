"""How much of which quota a request takes. A table, and functions that read one kind of body each.

What a body has wrong is left for the pod to refuse: such a request takes nothing here.
"""
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tricircle.routing import rewrite
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import SERVICES, UUID, Path, member_name, singular
from tricircle.store import Database
from tricircle.upstream.client import Upstream, document
from tricircle.upstream.deadline import Deadline

Units = dict[tuple[str, str], int]
# A server tells its flavor's size, also of a flavor that was deleted; every pod since Pike speaks this.
MICROVERSION = {"compute": {"OpenStack-API-Version": "compute 2.47"}}
# Since then snapshots tell of which group's snapshot they are a part; older ones have no group made from another.
OF_GROUPS = {"OpenStack-API-Version": "volume 3.14"}
LOCAL = re.compile(r"swap\Z|ephemeral[0-9]+\Z")   # disks in Nova's old form that are no volumes
TYPED = ("volumes", "gigabytes", "snapshots")   # Cinder counts these for each volume type, too


@dataclass(frozen=True)
class Amount:
    """What a request takes.

    Args:
        units: {(service, quota name): how much one of it takes}.
        least: so many it must be.
        most: so many it may be; Nova makes as many as the quota allows, but not less than `least`.
    """

    units: Units
    least: int = 1
    most: int = 1


@dataclass(frozen=True)
class Look:
    """Reads what a body names, in the pod that gets the request, with the caller's token.

    Args:
        db: knows what the pod calls things that are the same everywhere, as volume types.
        upstream: calls.
        caller: whose token.
        pod: row.
        deadline: for all look-ups of one request.
    """

    db: Database
    upstream: Upstream
    caller: Caller
    pod: dict
    deadline: Deadline
    _seen: dict[tuple[str, str], dict] = field(default_factory=dict)   # a body may name one thing a thousand times

    def at(self, service: str, member: str, collection: str, key: Any) -> dict:
        """A record; {} when the pod does not show it. Raises PodUnreachable."""
        if not isinstance(key, str | int) or not str(key):
            return {}
        version = OF_GROUPS if collection == "group_snapshots" else MICROVERSION.get(service, {})
        found = self._get(service, f"{collection}/{quote(str(key), safe='')}", version).get(member)
        return found if isinstance(found, dict) else {}

    def of_group(self, collection: str, field: str, key: Any) -> list[dict]:
        """Volumes or snapshots whose field has a value; one page of them. Raises PodUnreachable."""
        if not key:
            return []
        found = self._get("volume", f"{collection}/detail", OF_GROUPS).get(collection)
        records = found if isinstance(found, list) else []
        return [each for each in records if isinstance(each, dict) and each.get(field) == key]

    def _get(self, service: str, path: str, version: dict[str, str]) -> dict:
        if (service, path) in self._seen:
            return self._seen[service, path]
        headers = {name: value for name, value in self.caller.headers.items() if "api-version" not in name.lower()}
        there = rewrite.down(self.db, self.pod["pod_id"], f"{self.caller.prefix(SERVICES[service])}/{path}".encode())
        answer = self.upstream.call(self.pod["pod_name"], service, "GET", there.decode(), deadline=self.deadline,
                                    headers=headers | version)
        found = self._seen[service, path] = document(answer) if answer.ok else {}
        return found

    def volume(self, key: Any) -> dict:
        """A volume."""
        return self.at("volume", "volume", "volumes", key)


@dataclass(frozen=True)
class Take:
    """One row of the table.

    Args:
        amount: (look, the body's object, the record that an action is about) -> what is taken; None for nothing.
        member: the body's key.
        record: (service, member key, collection) of what an action is about.
    """

    amount: Callable[[Look, Any, dict], Amount | None]
    member: str
    record: tuple[str, str, str] | None = None


def _server(look: Look, given: dict, _: dict) -> Amount | None:
    flavor = look.at("compute", "flavor", "flavors", str(given.get("flavorRef", "")).rstrip("/").rsplit("/", 1)[-1])
    least = number(given.get("min_count", 1))
    most = number(given.get("max_count", least))
    if not flavor or not least or not most:
        return None
    nets = given.get("networks")
    ports = [net for net in nets if isinstance(net, dict) and not net.get("port")] if isinstance(nets, list) else []
    units = {"instances": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]}
    taken = _of("compute", units) | _of("network", {"port": len(ports)}) | _disks(look, given)
    return Amount(taken, least, max(least, most))


def _disks(look: Look, given: dict) -> Units:
    """Count the volumes that Nova makes for a server, on its host, each as large as the body says, or its snapshot."""
    new = [each for each in _objects(given.get("block_device_mapping_v2")) if each.get("destination_type") == "volume"
           and each.get("source_type") in ("blank", "image", "snapshot")]
    disks = [(each, each.get("uuid") if each["source_type"] == "snapshot" else None) for each in new]
    disks += [(each, each["snapshot_id"]) for each in _objects(given.get("block_device_mapping")) if _is_new(each)]
    once = functools.cache(functools.partial(_type_name, look))   # a server may have a hundred disks of one type
    return _all("volumes", [_disk(look, once, *each) for each in disks])


def _objects(devices: Any) -> list[dict]:
    return [each for each in devices if isinstance(each, dict)] if isinstance(devices, list) else []


def _is_new(device: dict) -> bool:
    """Whether Nova makes a volume for one of its old form, which says by its fields what it is (BlockDeviceDict)."""
    return bool(device.get("snapshot_id")) and not LOCAL.match(str(device.get("virtual_name") or ""))


def _disk(look: Look, name_of: Callable[[Any], str | None], given: dict, snapshot_id: Any) -> tuple[int, str | None]:
    """(size, type) of a volume that is made for a server; with a size of its own it is that large."""
    snapshot = look.at("volume", "snapshot", "snapshots", snapshot_id)
    kind = given.get("volume_type") or look.volume(snapshot.get("volume_id")).get("volume_type")
    return number(given.get("volume_size")) or number(snapshot.get("size")) or 0, name_of(str(kind or ""))


def _type_name(look: Look, kind: str) -> str | None:
    """Return the name of a volume type, which is called by its name or id; of the default one where it is empty."""
    return kind if kind and not UUID.match(kind) else \
        look.at("volume", "volume_type", "types", kind or "default").get("name")


def _resize(look: Look, given: dict, server: dict) -> Amount | None:
    new, old = look.at("compute", "flavor", "flavors", given.get("flavorRef")), server.get("flavor", {})
    if not new or "vcpus" not in old:
        return None
    return Amount(_of("compute", {"cores": new["vcpus"] - old["vcpus"], "ram": new["ram"] - old["ram"]}))


def _volume(look: Look, given: dict, _: dict) -> Amount | None:
    source = {}
    for name, member, collection in (("snapshot_id", "snapshot", "snapshots"), ("source_volid", "volume", "volumes"),
                                      ("backup_id", "backup", "backups")):
        source = source or look.at("volume", member, collection, given.get(name))
    size = number(given.get("size")) or source.get("size")
    if not size:
        return None
    kind = given.get("volume_type") or source.get("volume_type")
    if not kind and source.get("volume_id"):
        kind = look.volume(source["volume_id"]).get("volume_type")
    return Amount(_typed({"volumes": 1, "gigabytes": size}, _type_name(look, str(kind or ""))))


def _snapshot(look: Look, given: dict, _: dict) -> Amount | None:
    # Cinder's option no_snapshot_gb_quota does not show in its API: with it the gateway is stricter than the pods.
    volume = look.volume(given.get("volume_id"))
    size = number(volume.get("size"))
    return Amount(_typed({"snapshots": 1, "gigabytes": size}, volume.get("volume_type"))) if size else None


def _backup(look: Look, given: dict, _: dict) -> Amount | None:
    volume = look.volume(given.get("volume_id"))
    size = number(volume.get("size"))
    return Amount(_of("volume", {"backups": 1, "backup_gigabytes": size})) if size else None


def _extend(_: Look, given: dict, volume: dict) -> Amount | None:
    size, before = number(given.get("new_size")), number(volume.get("size"))
    return Amount(_typed({"gigabytes": size - before}, volume.get("volume_type"))) if size and before else None


def _retype(look: Look, given: dict, volume: dict) -> Amount | None:
    """Count a retyped volume for the quotas of its new type alone."""
    kind = look.at("volume", "volume_type", "types", given.get("new_type")).get("name") or given.get("new_type")
    size = number(volume.get("size"))
    if not isinstance(kind, str) or kind == volume.get("volume_type") or not size:
        return None
    return Amount(_of("volume", {f"volumes_{kind}": 1, f"gigabytes_{kind}": size}))


def _restored(look: Look, given: dict, backup: dict) -> Amount | None:
    """A new volume, unless it is told which one."""
    size = number(backup.get("size"))
    if given.get("volume_id") or not size:
        return None
    return Amount(_typed({"volumes": 1, "gigabytes": size},
                         look.at("volume", "volume_type", "types", "default").get("name")))


def _accepted(*_: Any) -> Amount:
    """At least that: only who has the key may know how large the volume is, and the key is the pod's to judge."""
    return Amount(_of("volume", {"volumes": 1, "gigabytes": 1}))


def _group_from(look: Look, given: dict, _: dict) -> Amount | None:
    """A group, and a volume for each snapshot of a group's snapshot, or for each volume of another group."""
    snapshot_id = given.get("group_snapshot_id") or given.get("cgsnapshot_id")
    if snapshot_id:
        group_id = look.at("volume", "group_snapshot", "group_snapshots", snapshot_id).get("group_id")
        types = {volume["id"]: volume["volume_type"] for volume in look.of_group("volumes", "group_id", group_id)}
        sources = [(each["size"], types.get(each["volume_id"]))
                   for each in look.of_group("snapshots", "group_snapshot_id", snapshot_id)]
    else:
        sources = _sizes(look, given.get("source_group_id") or given.get("source_cgid"))
    return Amount(_of("volume", {"groups": 1}) | _all("volumes", sources)) if sources else None


def _group_snapshot(look: Look, given: dict, _: dict) -> Amount | None:
    sources = _sizes(look, given.get("group_id") or given.get("consistencygroup_id"))
    return Amount(_all("snapshots", sources)) if sources else None


def _sizes(look: Look, group_id: Any) -> list[tuple[int, str | None]]:
    """(size, type) of a group's volumes."""
    return [(each["size"], each["volume_type"]) for each in look.of_group("volumes", "group_id", group_id)]


def _all(name: str, sources: list[tuple[int, str | None]]) -> Units:
    """Add up the amounts of several volumes or snapshots."""
    units: Units = {}
    for size, kind in sources:
        for key, number_of_one in _typed({name: 1, "gigabytes": size}, kind).items():
            units[key] = units.get(key, 0) + number_of_one
    return units


def _one(service: str, name: str) -> Callable[..., Amount]:
    return lambda *_: Amount({(service, name): 1})


def _interface(_: Look, given: dict, __: dict) -> Amount | None:
    """Nova makes a port unless it is told which one."""
    return None if given.get("port_id") else Amount({("network", "port"): 1})


ACTION, SERVER, VOLUME = "/action", ("compute", "server", "servers"), ("volume", "volume", "volumes")
BACKUP = ("volume", "backup", "backups")
# (service, collection, what follows the member) -> what may stand in the body there.
TAKES = {
    ("compute", "servers", ""): (Take(_server, "server"),),
    ("compute", "servers", ACTION): (Take(_resize, "resize", SERVER),),
    ("compute", "os-server-groups", ""): (Take(_one("compute", "server_groups"), "server_group"),),
    ("compute", "servers", "/os-interface"): (Take(_interface, "interfaceAttachment", SERVER),),
    # Nova's ways to Cinder and Neutron, gone since microversion 2.36.
    ("compute", "os-volumes", ""): (Take(_volume, "volume"),),
    ("compute", "os-snapshots", ""): (Take(_snapshot, "snapshot"),),
    ("compute", "os-security-groups", ""): (Take(_one("network", "security_group"), "security_group"),),
    ("compute", "os-security-group-rules", ""): (Take(_one("network", "security_group_rule"), "security_group_rule"),),
    ("volume", "volumes", ""): (Take(_volume, "volume"),),
    ("volume", "volumes", ACTION): (Take(_extend, "os-extend", VOLUME), Take(_retype, "os-retype", VOLUME)),
    ("volume", "snapshots", ""): (Take(_snapshot, "snapshot"),),
    ("volume", "backups", ""): (Take(_backup, "backup"),),
    ("volume", "backups", "/restore"): (Take(_restored, "restore", BACKUP),),
    ("volume", "groups", ""): (Take(_one("volume", "groups"), "group"),),
    ("volume", "groups", ACTION): (Take(_group_from, "create-from-src"),),
    ("volume", "group_snapshots", ""): (Take(_group_snapshot, "group_snapshot"),),
    ("volume", "consistencygroups", ""): (Take(_one("volume", "groups"), "consistencygroup"),),
    ("volume", "consistencygroups", "/create_from_src"): (Take(_group_from, "consistencygroup-from-src"),),
    ("volume", "cgsnapshots", ""): (Take(_group_snapshot, "cgsnapshot"),),
    ("volume", "os-volume-transfer", "/accept"): (Take(_accepted, "accept"),),
    ("volume", "volume-transfers", "/accept"): (Take(_accepted, "accept"),),
}


def find(method: str, path: Path, body: Any) -> Take | None:
    """What a request takes of a quota, by its path and body alone; None for a request that takes nothing."""
    if not isinstance(body, dict):
        return None
    if method != "POST" or (path.member and not path.rest):
        return None
    if path.service.name == "network":
        return _neutron(path, body) if not path.member and not path.rest else None
    rows = TAKES.get((path.service.name, path.collection.path, path.rest), ())
    return next((row for row in rows if isinstance(body.get(row.member), dict)), None)


def _neutron(path: Path, body: dict) -> Take | None:
    """Neutron counts by the member's name, whatever the collection; a list under the plural name is several."""
    one, member = singular(path.collection.path), member_name(path.collection.path, body)
    return Take(lambda _, given, __: Amount({("network", one): len(given) if isinstance(given, list) else 1}),
                member) if member in body else None


def owner(caller: Caller, record: dict) -> str:
    """Whose quota Nova and Cinder take of: that of what an action is about, as a pod shows it; or the caller's."""
    found = record.get("project_id") or record.get("tenant_id") or record.get("os-vol-tenant-attr:tenant_id")
    return found if isinstance(found, str) and found else caller.project_id


def number(value: Any) -> int | None:
    """A whole number above zero, or its decimal string."""
    text = "" if isinstance(value, bool) else str(value)
    return int(text) if text.isdecimal() and len(text) < 20 and int(text) else None


def _of(service: str, units: dict[str, int]) -> Units:
    return {(service, name): amount for name, amount in units.items() if amount > 0}


def _typed(units: dict[str, int], kind: str | None) -> Units:
    """Cinder's names, and those for the volume type."""
    return _of("volume", units | ({f"{name}_{kind}": n for name, n in units.items() if name in TYPED} if kind else {}))
