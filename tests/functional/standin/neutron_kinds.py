"""Neutron's collections: what a body may hold, and who may set it."""
from dataclasses import dataclass
from typing import Any

from tests.functional.standin import checks as c
from tests.functional.standin.web import Refused

NAME, DESCRIPTION = c.text(255), c.text(255)
COMMON = {"name": NAME, "description": DESCRIPTION, "tenant_id": c.text(255), "project_id": c.text(255)}
ROUTE = c.fields(("destination", "nexthop"), destination=c.route_cidr, nexthop=c.address)
PORTS = c.nullable(c.integer(0, 65535))
FIXED_IP = c.fields(subnet_id=c.identifier, ip_address=c.address)
GATEWAY = c.either(c.nothing, c.fields(("network_id",), network_id=c.identifier, enable_snat=c.boolean,
                                       external_fixed_ips=c.nullable(c.many(FIXED_IP))))
PROTOCOLS = ("tcp", "udp", "icmp", "icmpv6", "ipv6-icmp", "sctp", "ah", "esp", "gre", "vrrp", "igmp", "any")


def zones(value: Any) -> list[str]:
    """Hints of availability zones, each once."""
    given = c.many(c.text(255))(value)
    for position, each in enumerate(given):
        if each in given[:position]:
            raise ValueError(f"Duplicate items in the list: '{each}'.")
    return given


def routes(value: Any) -> list[dict]:
    """All routes of a router; null is none."""
    given = c.many(ROUTE)([] if value is None else value)
    for position, each in enumerate(given):
        if each in given[:position]:
            raise ValueError(f"Duplicate hostroute '{each}'.")
    return given


@dataclass(frozen=True)
class Kind:
    """A collection.

    Args:
        singular: key of a member in a body.
        checks: {attribute: check} of what a caller may send.
        required: attributes without which there is no create.
        admin_only: attributes that only an administrator may set.
        fixed: attributes that cannot be changed later.
        updatable: False where there is no PUT.
    """

    singular: str
    checks: dict
    required: tuple[str, ...] = ()
    admin_only: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    updatable: bool = True


PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
KINDS = {
    "networks": Kind("network", COMMON | {
        "admin_state_up": c.boolean, "shared": c.boolean, "router:external": c.boolean, "is_default": c.boolean,
        "mtu": c.integer(68, 65535), "port_security_enabled": c.boolean, "dns_domain": c.text(255),
        "availability_zone_hints": zones, "qos_policy_id": c.nullable(c.identifier),
        "provider:network_type": c.text(32), "provider:physical_network": c.nullable(c.text(64)),
        "provider:segmentation_id": c.nullable(c.integer(1, 16777215)), "vlan_transparent": c.nullable(c.boolean),
    }, admin_only=(*PROVIDER, "shared", "router:external", "is_default"),
        fixed=("availability_zone_hints", "tenant_id", "project_id")),
    "subnets": Kind("subnet", COMMON | {
        "network_id": c.identifier, "ip_version": c.one_of(4, 6, "4", "6"), "cidr": c.nullable(c.cidr),
        "gateway_ip": c.nullable(c.address), "enable_dhcp": c.boolean, "subnetpool_id": c.nullable(c.text()),
        "use_default_subnetpool": c.boolean, "prefixlen": c.integer(0, 128),
        "dns_nameservers": c.nullable(c.many(c.address, 5)), "dns_publish_fixed_ip": c.boolean,
        "allocation_pools": c.nullable(c.many(c.fields(("start", "end"), start=c.address, end=c.address))),
        "host_routes": c.nullable(c.many(ROUTE, 20)), "service_types": c.many(c.text(255)),
        "ipv6_ra_mode": c.nullable(c.text(64)), "ipv6_address_mode": c.nullable(c.text(64)),
        "segment_id": c.nullable(c.identifier),
    }, required=("network_id", "ip_version"),
        fixed=("network_id", "ip_version", "cidr", "tenant_id", "project_id", "subnetpool_id", "prefixlen")),
    "ports": Kind("port", COMMON | {
        "network_id": c.identifier, "admin_state_up": c.boolean, "mac_address": c.text(
            17, 17, r"^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$"), "fixed_ips": c.nullable(c.many(FIXED_IP, 32)),
        "device_id": c.text(255), "device_owner": c.text(255), "security_groups": c.nullable(c.many(c.text(36))),
        "allowed_address_pairs": c.nullable(c.many(c.fields(ip_address=c.text(), mac_address=c.text()))),
        "extra_dhcp_opts": c.nullable(c.many(c.fields(open_ended=True))), "port_security_enabled": c.boolean,
        "binding:host_id": c.nullable(c.text()), "binding:profile": c.nullable(c.fields(open_ended=True)),
        "binding:vnic_type": c.text(64), "dns_name": c.text(63), "dns_domain": c.text(255),
        "qos_policy_id": c.nullable(c.identifier), "propagate_uplink_status": c.boolean,
        "numa_affinity_policy": c.nullable(c.text()),
    }, required=("network_id",), admin_only=("binding:host_id", "binding:profile"),
        fixed=("network_id", "tenant_id", "project_id")),
    "routers": Kind("router", COMMON | {
        "admin_state_up": c.boolean, "external_gateway_info": GATEWAY, "routes": routes,
        "availability_zone_hints": zones, "ha": c.boolean, "distributed": c.boolean,
        "flavor_id": c.nullable(c.identifier),
    }, admin_only=("ha", "distributed"), fixed=("availability_zone_hints", "tenant_id", "project_id")),
    "security-groups": Kind("security_group", COMMON | {"stateful": c.boolean},
                            fixed=("tenant_id", "project_id")),
    "security-group-rules": Kind("security_group_rule", {
        "security_group_id": c.identifier, "direction": c.one_of("ingress", "egress"),
        "ethertype": c.one_of("IPv4", "IPv6"), "protocol": c.nullable(
            c.either(c.one_of(*PROTOCOLS), c.integer(0, 255))),
        "port_range_min": PORTS, "port_range_max": PORTS, "remote_ip_prefix": c.nullable(c.either(c.cidr, c.address)),
        "remote_group_id": c.nullable(c.identifier), "remote_address_group_id": c.nullable(c.identifier),
        "description": DESCRIPTION, "tenant_id": c.text(255), "project_id": c.text(255),
    }, required=("security_group_id", "direction"), updatable=False),
    "floatingips": Kind("floatingip", COMMON | {
        "floating_network_id": c.identifier, "port_id": c.nullable(c.identifier), "subnet_id": c.nullable(c.identifier),
        "fixed_ip_address": c.nullable(c.address), "floating_ip_address": c.nullable(c.address),
        "dns_name": c.text(63), "dns_domain": c.text(255), "qos_policy_id": c.nullable(c.identifier),
    }, required=("floating_network_id",), fixed=("floating_network_id", "tenant_id", "project_id", "name")),
    "subnetpools": Kind("subnetpool", COMMON | {
        "prefixes": c.many(c.cidr), "default_prefixlen": c.integer(0, 128), "min_prefixlen": c.integer(0, 128),
        "max_prefixlen": c.integer(0, 128), "default_quota": c.integer(0), "shared": c.boolean,
        "is_default": c.boolean, "address_scope_id": c.nullable(c.identifier),
    }, required=("name", "prefixes"), admin_only=("shared", "is_default"), fixed=("shared", "tenant_id", "project_id")),
}
KINDS["qos/policies"] = Kind("policy", COMMON | {"shared": c.boolean, "is_default": c.boolean},
                             admin_only=("shared", "is_default"), fixed=("tenant_id", "project_id"))
KINDS["rbac-policies"] = Kind("rbac_policy", {
    "object_type": c.one_of("network", "qos_policy", "security_group", "address_scope", "subnetpool", "address_group"),
    "object_id": c.identifier, "action": c.one_of("access_as_shared", "access_as_external"),
    "target_tenant": c.text(255), "tenant_id": c.text(255), "project_id": c.text(255),
}, required=("object_type", "object_id", "action", "target_tenant"),
    fixed=("object_type", "object_id", "action", "tenant_id", "project_id"))
KINDS["address-scopes"] = Kind("address_scope", {
    "name": NAME, "ip_version": c.one_of(4, 6), "shared": c.boolean, "tenant_id": c.text(255),
    "project_id": c.text(255),
}, required=("ip_version",), admin_only=("shared",), fixed=("ip_version", "tenant_id", "project_id"))
# Neutron names collections with dashes in paths and underscores in bodies.
BODY_NAMES = {plural: plural.rsplit("/", 1)[-1].replace("-", "_") for plural in KINDS}
# Collections of which several are made by one request.
TOGETHER = ("networks", "subnets", "ports", "security-groups", "security-group-rules", "address-scopes")
# Those that Neutron does not leave to an extension: it cuts what it answers to anything to the `fields` of the query.
CORE = ("networks", "subnets", "ports")
TAGGED = ("networks", "subnets", "ports", "routers", "security-groups", "floatingips", "subnetpools",
          "qos/policies")


def several(plural: str, body: dict) -> list[dict]:
    """What a bulk create asks for; none where it asks for one thing (neutron/api/v2/base.py `prepare_request_body`)."""
    one, name = KINDS[plural].singular, BODY_NAMES[plural]
    if name not in body or name != f"{one}s":
        return []
    if plural not in TOGETHER:
        raise Refused(400, "Bulk operation not supported", "HTTPBadRequest")
    if not body[name]:
        raise Refused(400, "Resources required", "HTTPBadRequest")
    if not isinstance(body[name], list) or not all(isinstance(each, dict) for each in body[name]):
        raise Refused(400, "Body contains invalid data", "HTTPBadRequest")
    return [each.get(one, each) for each in body[name]]
