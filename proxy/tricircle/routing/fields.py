"""Which fields of a request's body name something: the only places where references and zones are looked for.

A place is a path from the body or from one of its members ({"server": {...}}, {"ports": [{...}]}, {"resize": {...}});
`[]` behind a name stands for the items of a list. Everything else is no business of Tricircle's.
Sources: the API references of Nova, Cinder and Neutron.
"""
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tricircle.freetext import FREE
from tricircle.routing.catalogue import Collection

Reference = tuple[str, str]   # (service, collection)
NETWORKS, SUBNETS, PORTS = ("network", "networks"), ("network", "subnets"), ("network", "ports")
ROUTERS, GROUPS, POLICIES = ("network", "routers"), ("network", "security-groups"), ("network", "qos/policies")
POOLS, SCOPES = ("network", "subnetpools"), ("network", "address-scopes")
VOLUMES, SNAPSHOTS = ("volume", "volumes"), ("volume", "snapshots")
SERVERS, SERVER_GROUPS = ("compute", "servers"), ("compute", "os-server-groups")
FIREWALLS = ("network", "fwaas/firewall-policies")
RULES = ("network", "fwaas/firewall-rules")
ENDPOINTS = ("network", "vpn/endpoint-groups")
# What an RBAC policy can share.
SHARED = {"network": NETWORKS, "security_group": GROUPS, "qos_policy": POLICIES, "subnetpool": POOLS,
          "address_scope": SCOPES, "address_group": ("network", "address-groups"),
          "bgpvpn": ("network", "bgpvpn/bgpvpns")}
# What can be logged, and what a VPN's endpoints can be.
LOGGED = {"security_group": GROUPS, "snat": ROUTERS, "firewall_group": ("network", "fwaas/firewall-groups")}
ENDPOINT = {"subnet": SUBNETS, "router": ROUTERS, "network": NETWORKS}
HINTS = ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints", "scheduler_hints")


@dataclass(frozen=True)
class Beside:
    """An id of the kind that another field beside it says.

    Args:
        field: name of the other field.
        kinds: {its value: kind of the id}.
    """

    field: str
    kinds: dict[str, Reference]


def _hints(**kinds: Reference) -> dict[str, Reference]:
    return {f"{hints}.{name}": kind for hints in HINTS for name, kind in kinds.items()} | {
        f"{hints}.{name}[]": kind for hints in HINTS for name, kind in kinds.items()}


# {service: {place: kind of the id, or attribute of `Mentions` for what is called by a name}}.
PLACES: dict[str, dict[str, Reference | Beside | str]] = {
    "compute": {
        "host": "nodes", "hypervisor_hostname": "nodes",   # of a new server (2.74)
        "availability_zone": "zone", "flavorRef": "flavors", "key_name": "keypairs", "volume_type": "types",
        "networks[].uuid": NETWORKS, "networks[].port": PORTS, "net_id": NETWORKS, "port_id": PORTS,
        "security_groups[].name": "groups", "addSecurityGroup.name": "groups", "removeSecurityGroup.name": "groups",
        "block_device_mapping[].volume_id": VOLUMES, "block_device_mapping[].snapshot_id": SNAPSHOTS,
        "block_device_mapping_v2[].volume_id": VOLUMES, "block_device_mapping_v2[].snapshot_id": SNAPSHOTS,
        "block_device_mapping_v2[].uuid": Beside("source_type", {"volume": VOLUMES, "snapshot": SNAPSHOTS}),
        "block_device_mapping_v2[].volume_type": "types",
        "volumeId": VOLUMES, "volume_id": VOLUMES, "snapshot_id": SNAPSHOTS, "create_info.snapshot_id": SNAPSHOTS,
        "serverId": SERVERS, "instance_uuid": SERVERS, "server_uuid": SERVERS,
        **_hints(group=SERVER_GROUPS, same_host=SERVERS)},
    "volume": {
        "host": "nodes",   # of what a backend has and Cinder shall take
        "availability_zone": "zone", "volume_type": "types", "new_type": "types",
        "volume_id": VOLUMES, "volume_uuid": VOLUMES, "source_volid": VOLUMES, "snapshot_id": SNAPSHOTS,
        "volume_types[]": "types", "backup_id": ("volume", "backups"),
        "group_id": ("volume", "groups"), "source_group_id": ("volume", "groups"),
        "group_snapshot_id": ("volume", "group_snapshots"), "cgsnapshot_id": ("volume", "cgsnapshots"),
        "consistencygroup_id": ("volume", "consistencygroups"), "source_cgid": ("volume", "consistencygroups"),
        "instance_uuid": SERVERS, "server_uuid": SERVERS,
        **_hints(same_host=VOLUMES, local_to_instance=SERVERS)},
    "network": {
        "availability_zone_hints[]": "hints",
        "network_id": NETWORKS, "floating_network_id": NETWORKS, "subnet_id": SUBNETS, "fixed_ips[].subnet_id": SUBNETS,
        "port_id": PORTS, "internal_port_id": PORTS, "parent_port_id": PORTS, "sub_ports[].port_id": PORTS,
        "router_id": ROUTERS,
        "floatingip_id": ("network", "floatingips"), "qos_policy_id": POLICIES,
        "subnetpool_id": POOLS, "address_scope_id": SCOPES,
        "security_groups[]": GROUPS, "security_group_id": GROUPS, "remote_group_id": GROUPS,
        "remote_address_group_id": ("network", "address-groups"), "object_id": Beside("object_type", SHARED),
        "segment_id": ("network", "segments"), "flavor_id": ("network", "flavors"),
        "service_profile.id": ("network", "service-profiles"),
        "local_port_id": PORTS, "fixed_port_id": PORTS,   # of a local IP, of an association with it
        "metering_label_id": ("network", "metering/metering-labels"),
        "resource_id": Beside("resource_type", LOGGED), "target_id": PORTS,   # of a log
        "bgp_peer_id": ("network", "bgp-peers"), "routes[].bgpvpn_id": ("network", "bgpvpn/bgpvpns"),
        "ports[]": PORTS, "ingress_firewall_policy_id": FIREWALLS, "egress_firewall_policy_id": FIREWALLS,
        "firewall_policy_id": FIREWALLS, "firewall_rules[]": RULES, "firewall_rule_id": RULES,
        "insert_after": RULES, "insert_before": RULES,
        "ingress": PORTS, "egress": PORTS, "logical_source_port": PORTS, "logical_destination_port": PORTS,
        "logical_source_network": NETWORKS, "logical_destination_network": NETWORKS,
        "port_pairs[]": ("network", "sfc/port-pairs"), "port_pair_groups[]": ("network", "sfc/port-pair-groups"),
        "flow_classifiers[]": ("network", "sfc/flow-classifiers"),
        "tap_service_id": ("network", "taas/tap-services"), "source_port": PORTS,   # a firewall rule's is a number
        "vpnservice_id": ("network", "vpn/vpnservices"), "ikepolicy_id": ("network", "vpn/ikepolicies"),
        "ipsecpolicy_id": ("network", "vpn/ipsecpolicies"), "local_ep_group_id": ENDPOINTS,
        "peer_ep_group_id": ENDPOINTS, "endpoints[]": Beside("type", ENDPOINT),
        **{f"{info}.{place}": kind for info in ("external_gateway_info", "external_gateways[]") for place, kind in (
            ("network_id", NETWORKS), ("qos_policy_id", POLICIES), ("external_fixed_ips[].subnet_id", SUBNETS))}},
}

# Fields of a member that carry an availability zone: a string, or a list of strings.
ZONES = frozenset({"availability_zone", "OS-EXT-AZ:availability_zone", "pinned_availability_zone",
                   "availability_zones", "availability_zone_hints"})
ZONE_LISTS = frozenset({"availability_zones", "availability_zone_hints"})
# Fields of a record that tell whose it is.
OWNERS = ("project_id", "tenant_id", "os-vol-tenant-attr:tenant_id", "os-extended-snapshot-attributes:project_id",
          "os-backup-project-attr:project_id")
NO_MEMBERS = FREE | set(HINTS)
# What OpenStack takes for true (oslo_utils/strutils.py `bool_from_string`).
TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})


def members(document: Any) -> Iterator[dict]:
    """The objects of a body whose fields count: the body itself, and what it is about, one or several."""
    if not isinstance(document, dict):
        return
    yield document
    for name, value in document.items():
        if name in NO_MEMBERS:
            continue
        if isinstance(value, dict):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, dict))


def is_true(value: Any) -> bool:
    """Whether OpenStack takes a value for true. What it takes for neither counts as false here; the pod refuses it."""
    return isinstance(value, bool | int | str) and str(value).strip().lower() in TRUE


def is_external(network: dict) -> bool:
    """Whether a body makes a network an external one, whose hint is the name of a pod."""
    return is_true(network.get("router:external"))


def project_of(record: dict) -> str | None:
    """The project that a record names; None when it names none."""
    return next((record[name] for name in OWNERS if record.get(name) and isinstance(record[name], str)), None)


def parent_of(record: dict, collection: Collection) -> str:
    """Return the id of what a record goes with when that is deleted; empty for none."""
    found = record.get(collection.parent) if collection.parent else None
    return found if isinstance(found, str) else ""


@dataclass(frozen=True)
class Node:
    """What is known of one field.

    Args:
        one, each: what its value, or each item of its list, names; None for nothing.
        fields, items: the same of the fields of its value, or of each item's.
    """

    one: Reference | Beside | str | None
    each: Reference | Beside | str | None
    fields: "dict[str, Node]"
    items: "dict[str, Node]"


def _tree(places: dict[str, Reference | Beside | str]) -> dict[str, Node]:
    """The table as a tree, so that a body is gone through once."""
    below: dict[str, dict[str, Any]] = {}
    for place, kind in places.items():
        head, _, tail = place.partition(".")
        below.setdefault(head, {})[tail] = kind
    names = dict.fromkeys(head.removesuffix("[]") for head in below)
    parts = {head: (kinds.pop("", None), _tree(kinds)) for head, kinds in below.items()}
    nothing: tuple[None, dict] = (None, {})
    return {name: Node(parts.get(name, nothing)[0], parts.get(f"{name}[]", nothing)[0],
                       parts.get(name, nothing)[1], parts.get(f"{name}[]", nothing)[1]) for name in names}


TREES = {service: _tree(places) for service, places in PLACES.items()}
