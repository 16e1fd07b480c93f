#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The floor: seconds that the Neutron calls behind a router over two pods take when a script makes them.

Each pod's own API is called directly, both pods at the same time, with tokens and connections already warm. Nothing
that joins two pods by these calls can be faster. Prints JSON: `tenant` (network, subnet, router, its interface),
`bridge` (bridge network, subnet, port, interface, routes: what Tricircle does after `router add subnet`).

Clouds named like the pods come from clouds.yaml (OS_CLIENT_CONFIG_FILE) and are an administrator's.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import openstack

NAME = "tricircle-floor"
VLAN = 3000  # the last of the trunk's range: Tricircle allocates from its start
BRIDGE_CIDR = "100.127.255.0/24"


@dataclass
class Pod:
    """One side: its cloud, its tenant CIDR and bridge address, and those of the other side."""

    cloud: openstack.connection.Connection
    cidr: str
    address: str
    other_cidr: str
    other_address: str
    router: openstack.resource.Resource | None = None

    @property
    def network(self):
        return self.cloud.network

    def warm(self):
        """Get the token and the version document, which a running service has already."""
        self.network.get("/networks?limit=1")

    def make_tenant(self):
        """A project's network with a router, as a user makes them."""
        net = self.network.create_network(name=NAME)
        subnet = self.network.create_subnet(name=NAME, network_id=net.id, ip_version=4, cidr=self.cidr)
        self.router = self.network.create_router(name=NAME)
        self.network.add_interface_to_router(self.router, subnet_id=subnet.id)

    def make_bridge(self):
        """The router's leg on the trunk, and its route to the other pod."""
        net = self.network.create_network(
            name=f"{NAME}-bridge",
            provider_network_type="vlan",
            provider_physical_network="bridge",
            provider_segmentation_id=VLAN,
        )
        subnet = self.network.create_subnet(
            name=NAME, network_id=net.id, ip_version=4, cidr=BRIDGE_CIDR, is_dhcp_enabled=False, gateway_ip=None
        )
        port = self.network.create_port(
            name=NAME, network_id=net.id, fixed_ips=[{"subnet_id": subnet.id, "ip_address": self.address}]
        )
        self.network.add_interface_to_router(self.router, port_id=port.id)
        routes = [{"destination": self.other_cidr, "nexthop": self.other_address}]
        self.network.update_router(self.router, routes=routes)

    def clean(self):
        """Remove what this or an aborted run made; routes first, since they hold the interface."""
        for router in self.network.routers(name=NAME):
            self.network.update_router(router, routes=[])
            for port in self.network.ports(device_id=router.id):
                self.network.remove_interface_from_router(router, port_id=port.id)
            self.network.delete_router(router)
        for name in (NAME, f"{NAME}-bridge"):
            for net in self.network.networks(name=name):
                for port in self.network.ports(network_id=net.id, name=NAME):
                    self.network.delete_port(port)
                self.network.delete_network(net)


def both(pool, pods, step):
    """Do a step in every pod at once.

    :returns: seconds until the last has done it
    :raises openstack.exceptions.SDKException: a pod refused
    """
    start = time.monotonic()
    list(pool.map(step, pods))
    return round(time.monotonic() - start, 2)


def main():
    one, two = ("10.9.1.0/24", "100.127.255.1"), ("10.9.2.0/24", "100.127.255.2")
    pods = [Pod(openstack.connect(cloud="Pod1"), *one, *two), Pod(openstack.connect(cloud="Pod2"), *two, *one)]
    with ThreadPoolExecutor() as pool:
        both(pool, pods, Pod.warm)
        both(pool, pods, Pod.clean)
        try:
            seconds = {"tenant": both(pool, pods, Pod.make_tenant), "bridge": both(pool, pods, Pod.make_bridge)}
        finally:
            both(pool, pods, Pod.clean)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
