#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second project that is as like the guides' project as can be, made through the top region.

    neighbour.py make FIXED      build it and print JSON, see `make`
    neighbour.py remove          remove it, or what an aborted run has left

FIXED is JSON, {"vm1": address, "vm2": address}: the addresses of the guides' servers, which here are the same, as are
the networks' names and CIDRs. What the guides' project lacks: two subnets on a network, a second router over both
pods, external networks in both, a user who is no administrator. OS_* are those of the top region's administrator.
"""

import json
import os
import sys

import openstack
import project

NAME = "neighbour"
NETWORKS = {"net1": "az1", "net2": "az2", "net3": "az1", "net4": "az2"}
SUBNETS = {"10.0.1.0/24": "net1", "10.0.11.0/24": "net1", "10.0.2.0/24": "net2", "10.0.3.0/24": "net3",
           "10.0.4.0/24": "net4"}
ROUTERS = {"router": ("ext-net1", ["10.0.1.0/24", "10.0.11.0/24", "10.0.2.0/24"]),
           "router2": ("ext-net", ["10.0.3.0/24", "10.0.4.0/24"])}
SERVERS = {"vm1": "net1", "vm2": "net2", "vm3": "net3", "vm4": "net4"}
EXTERNAL = {"name": "ext-net1", "is_router_external": True, "provider_network_type": "vlan",
            "provider_physical_network": "extern", "availability_zone_hints": ["Pod1"]}
EXTERNAL_CIDR = "163.3.125.0/24"


def make(fixed):
    """Build all of it.

    Args:
        fixed: {server: address}.

    Returns:
        servers     {name: {id, zone, address}}
        gateways    {router: its address outside}
        second_address      of vm1, in the second subnet of its network
        vlan        of ext-net1
        floating_ip         of vm2
    """
    admin = openstack.connect()
    external = admin.network.create_network(**EXTERNAL)
    admin.network.create_subnet(name="ext-subnet1", network_id=external.id, ip_version=4, cidr=EXTERNAL_CIDR,
                                is_dhcp_enabled=False)
    tenant = project.make(admin, NAME)
    let_in(tenant)
    subnets = networks(tenant)
    ports = {name: port(tenant, subnets, network, fixed.get(name)) for name, network in SERVERS.items()}
    routers = {name: router(tenant, subnets, outside, cidrs) for name, (outside, cidrs) in ROUTERS.items()}
    servers = boot(tenant, admin, ports)
    address = tenant.network.create_ip(floating_network_id=external.id, port_id=ports["vm2"].id)
    second = [each["ip_address"] for each in ports["vm1"].fixed_ips if each["ip_address"].startswith("10.0.11.")]
    gateways = {name: made.external_gateway_info["external_fixed_ips"][0]["ip_address"]
                for name, made in routers.items()}
    vlan = admin.network.get_network(external.id).provider_segmentation_id
    return {"servers": servers, "gateways": gateways, "second_address": second[0], "vlan": vlan,
            "floating_ip": address.floating_ip_address}


def let_in(tenant):
    """Pings and HTTP, from everywhere."""
    group = next(tenant.network.security_groups(name="default"))
    for rule in ({"protocol": "icmp"}, {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80}):
        tenant.network.create_security_group_rule(security_group_id=group.id, direction="ingress", **rule)


def networks(tenant):
    """The networks, each in its zone, and {CIDR: subnet}."""
    made = {name: tenant.network.create_network(name=name, availability_zone_hints=[zone])
            for name, zone in NETWORKS.items()}
    return {cidr: tenant.network.create_subnet(name=f"subnet-{cidr.split('.')[2]}", network_id=made[network].id,
                                               ip_version=4, cidr=cidr)
            for cidr, network in SUBNETS.items()}


def port(tenant, subnets, network, address):
    """A port with an address in each subnet of its network; the first is the given one."""
    mine = [subnets[cidr] for cidr, name in SUBNETS.items() if name == network]
    fixed = [{"subnet_id": subnet.id} for subnet in mine]
    if address:
        fixed[0]["ip_address"] = address
    return tenant.network.create_port(name=network, network_id=mine[0].network_id, fixed_ips=fixed)


def router(tenant, subnets, outside, cidrs):
    """A router, its gateway before its interfaces."""
    gateway = {"network_id": tenant.network.find_network(outside, ignore_missing=False).id}
    made = tenant.network.create_router(name=f"via-{outside}", external_gateway_info=gateway)
    for cidr in cidrs:
        tenant.network.add_interface_to_router(made, subnet_id=subnets[cidr].id)
    return tenant.network.get_router(made.id)


def boot(tenant, admin, ports):
    """Boot all, then wait for them: {name: {id, zone, address}}."""
    flavor = admin.compute.find_flavor("test", ignore_missing=False)
    image = tenant.image.find_image(os.environ.get("IMAGE", "guest"), ignore_missing=False)
    begun = {name: tenant.compute.create_server(name=name, flavor_id=flavor.id, image_id=image.id,
                                                networks=[{"port": ports[name].id}],
                                                availability_zone=NETWORKS[network])
             for name, network in SERVERS.items()}
    return {name: {"id": tenant.compute.wait_for_server(server, wait=project.SECONDS).id,
                   "zone": NETWORKS[SERVERS[name]], "address": ports[name].fixed_ips[0]["ip_address"]}
            for name, server in begun.items()}


if __name__ == "__main__":
    if sys.argv[1] == "make":
        print(json.dumps(make(json.loads(sys.argv[2]))))
    else:
        project.remove(openstack.connect(), NAME, EXTERNAL["name"])
