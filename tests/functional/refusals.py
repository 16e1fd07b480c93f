"""Calls that a real service refuses, to hold the stand-ins against: the same status, the same kind of error."""
from typing import Any

NOBODY = "11111111-2222-4333-8444-555555555555"
# (who, service, method, path, body); names in braces are things that recorder and test make first
PROBES: list[tuple[str, str, str, str, Any]] = [
    ("member", "network", "GET", f"/networks/{NOBODY}", None),
    ("member", "network", "POST", "/networks", {"bogus": {}}),
    ("member", "network", "POST", "/networks", {"network": {"bogus": 1}}),
    ("member", "network", "POST", "/networks", {"network": {"name": 5}}),
    ("member", "network", "POST", "/networks", {"network": {"availability_zone_hints": ["mars"]}}),
    ("member", "network", "POST", "/networks", {"network": {"provider:network_type": "vlan"}}),
    ("boss", "network", "POST", "/networks", {"network": {"provider:network_type": "vlan",
                                                          "provider:physical_network": "nowhere",
                                                          "provider:segmentation_id": 7}}),
    ("boss", "network", "POST", "/networks", {"network": {"provider:network_type": "vlan",
                                                          "provider:physical_network": "extern",
                                                          "provider:segmentation_id": 3999}}),
    ("member", "network", "DELETE", "/networks/{network}", None),
    ("member", "network", "POST", "/subnets", {"subnet": {"network_id": "{network}", "ip_version": 4,
                                                          "cidr": "10.0.0.0/25"}}),
    ("member", "network", "POST", "/subnets", {"subnet": {"network_id": NOBODY, "ip_version": 4,
                                                          "cidr": "10.1.0.0/24"}}),
    ("member", "network", "POST", "/subnets", {"subnet": {"network_id": "{network}", "ip_version": 4}}),
    ("member", "network", "POST", "/subnets", {"subnet": {"network_id": "{network}", "ip_version": 4, "cidr": "x"}}),
    ("member", "network", "POST", "/ports", {"port": {"network_id": NOBODY}}),
    ("member", "network", "POST", "/ports", {"port": {}}),
    ("member", "network", "POST", "/ports", {"port": {"network_id": "{network}", "security_groups": [NOBODY]}}),
    ("member", "network", "POST", "/ports", {"port": {"network_id": "{network}", "fixed_ips": [
        {"ip_address": "10.77.0.1"}]}}),
    ("member", "network", "PUT", "/ports/{port}", {"port": {"network_id": "{network}"}}),
    ("member", "network", "PUT", "/routers/{router}/add_router_interface", {}),
    ("member", "network", "PUT", "/routers/{router}/add_router_interface", {"subnet_id": NOBODY}),
    ("member", "network", "PUT", "/routers/{router}/remove_router_interface", {"subnet_id": "{subnet}"}),
    ("member", "network", "PUT", "/routers/{router}/add_extraroutes", {"router": {"routes": [
        {"destination": "10.5.0.0/24", "nexthop": "10.0.0.9"}]}}),
    ("member", "network", "PUT", f"/routers/{NOBODY}/add_router_interface", {"subnet_id": "{subnet}"}),
    ("member", "network", "POST", "/security-groups", {"security_group": {"name": "default"}}),
    ("member", "network", "POST", "/security-group-rules", {"security_group_rule": {
        "security_group_id": "{security_group}", "direction": "ingress"}}),
    ("member", "network", "POST", "/security-group-rules", {"security_group_rule": {
        "security_group_id": "{security_group}", "direction": "sideways"}}),
    ("member", "network", "POST", "/security-group-rules", {"security_group_rule": {
        "security_group_id": "{security_group}", "direction": "ingress", "port_range_min": 5, "port_range_max": 9}}),
    ("member", "network", "POST", "/floatingips", {"floatingip": {"floating_network_id": "{network}"}}),
    ("member", "network", "PUT", "/floatingips/{floatingip}", {"floatingip": {"port_id": "{port}"}}),
    ("member", "network", "GET", "/networks?bogus=1", None),
    ("member", "network", "GET", "/networks?limit=x", None),
    ("member", "network", "GET", f"/networks?limit=1&marker={NOBODY}", None),
    ("member", "network", "GET", "/bogus", None),
    ("member", "network", "PUT", "/quotas/{project}", {"quota": {"network": 5}}),
    ("member", "compute", "GET", f"/servers/{NOBODY}", None),
    ("member", "compute", "POST", "/servers", {"bogus": {}}),
    ("member", "compute", "POST", "/servers", {"server": {"name": "x"}}),
    ("member", "compute", "POST", "/servers", {"server": {"name": 5, "flavorRef": "{flavor}", "imageRef": "{image}"}}),
    ("member", "compute", "POST", "/servers", {"server": {"name": "x", "flavorRef": "nothing", "imageRef": "{image}"}}),
    ("member", "compute", "POST", "/servers", {"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}",
                                                          "key_name": "nobody",
                                                          "networks": [{"uuid": "{network}"}]}}),
    ("member", "compute", "POST", "/servers", {"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}",
                                                          "availability_zone": "mars"}}),
    ("member", "compute", "POST", "/servers", {"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}",
                                                          "networks": [{"uuid": NOBODY}]}}),
    ("member", "compute", "POST", "/servers", {"server": {"name": "x", "flavorRef": "{flavor}", "imageRef": "{image}",
                                                          "security_groups": [{"name": "nobody"}],
                                                          "networks": [{"uuid": "{network}"}]}}),
    ("member", "compute", "POST", "/servers/{server}/action", {"bogus": None}),
    ("member", "compute", "POST", "/servers/{server}/action", {"os-start": None}),
    ("member", "compute", "POST", "/servers/{server}/action", {"reboot": {}}),
    ("member", "compute", "POST", f"/servers/{NOBODY}/action", {"os-stop": None}),
    ("member", "compute", "POST", "/servers/{server}/os-volume_attachments", {"volumeAttachment": {}}),
    ("member", "compute", "POST", "/servers/{server}/os-volume_attachments",
     {"volumeAttachment": {"volumeId": NOBODY}}),
    ("member", "compute", "GET", "/servers?limit=x", None),
    ("member", "compute", "GET", f"/servers?marker={NOBODY}", None),
    ("member", "compute", "GET", "/servers?all_tenants=1", None),
    ("member", "compute", "POST", "/flavors", {"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1}}),
    ("boss", "compute", "POST", "/flavors", {"flavor": {"name": "x", "ram": 0, "vcpus": 1, "disk": 1}}),
    ("member", "compute", "GET", "/flavors/nothing", None),
    ("member", "compute", "POST", "/os-keypairs", {"keypair": {"name": "k"}}),
    ("member", "compute", "GET", "/os-keypairs/nobody", None),
    ("member", "compute", "GET", "/os-aggregates", None),
    ("member", "compute", "GET", "/os-hypervisors", None),
    ("boss", "compute", "GET", "/os-aggregates/999999", None),
    ("member", "compute", "GET", "/bogus", None),
    ("member", "volume", "GET", f"/volumes/{NOBODY}", None),
    ("member", "volume", "POST", "/volumes", {"bogus": {}}),
    ("member", "volume", "POST", "/volumes", {"volume": {}}),
    ("member", "volume", "POST", "/volumes", {"volume": {"size": "big"}}),
    ("member", "volume", "POST", "/volumes", {"volume": {"size": 0}}),
    ("member", "volume", "POST", "/volumes", {"volume": {"size": 1, "availability_zone": "mars"}}),
    ("member", "volume", "POST", "/volumes", {"volume": {"size": 1, "volume_type": "mars"}}),
    ("member", "volume", "POST", "/volumes", {"volume": {"size": 1, "snapshot_id": NOBODY}}),
    ("member", "volume", "POST", "/volumes/{volume}/action", {"bogus": {}}),
    ("member", "volume", "POST", "/volumes/{volume}/action", {"os-extend": {"new_size": "x"}}),
    ("member", "volume", "DELETE", "/volumes/{volume}", None),
    ("member", "volume", "POST", "/snapshots", {"snapshot": {}}),
    ("member", "volume", "GET", f"/snapshots/{NOBODY}", None),
    ("member", "volume", "POST", "/types", {"volume_type": {"name": "x"}}),
    ("member", "volume", "GET", f"/types/{NOBODY}", None),
    ("member", "volume", "GET", "/volumes?limit=x", None),
    ("member", "volume", "GET", f"/volumes?marker={NOBODY}", None),
    ("member", "volume", "GET", "/os-services", None),
    ("member", "volume", "GET", "/bogus", None),
]


def kind_of(answer: Any) -> str | None:
    """What a client branches on: Neutron's type, Nova's and Cinder's name of the fault; None for a success."""
    if answer.status < 400:
        return None
    try:
        (name, fault), = answer.body.items()
    except (ValueError, AttributeError):
        return "text"
    return fault["type"] if name == "NeutronError" and isinstance(fault, dict) else name
