#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The floor: how long a path between two pods takes when a script makes the Neutron calls behind it.

    floor.py HOST       HOST of the inventory has the routers of Pod1

Each pod's own API is called directly, both pods at the same time, with tokens and connections already warm; then the
pods' agents do their part, until a ping of Pod1's router reaches what is behind that of Pod2. Nothing that joins two
pods by these calls can be faster. Prints JSON, seconds: `calls` and `ping` (from the first call on) of a first router
(bridge network, subnet, port, interface, routes: what Tricircle does after `router add subnet`), and `further_ping` of
one subnet more (a route).

Clouds named like the pods come from clouds.yaml (OS_CLIENT_CONFIG_FILE) and are an administrator's.
"""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import openstack

NAME = "tricircle-floor"
VLAN = 3000  # the last of the trunk's range: Tricircle allocates from its start
BRIDGE_CIDR = "100.127.255.0/24"
FURTHER_CIDR = "10.9.3.0/24"
PATIENCE = 120


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
        self.router = self.network.create_router(name=NAME)
        self.make_network(self.cidr)

    def make_network(self, cidr):
        """A network whose subnet is on the router."""
        net = self.network.create_network(name=NAME)
        subnet = self.network.create_subnet(name=NAME, network_id=net.id, ip_version=4, cidr=cidr)
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
        self.route(self.other_cidr)

    def route(self, *cidrs):
        """What is behind the other pod's router."""
        routes = [{"destination": cidr, "nexthop": self.other_address} for cidr in cidrs]
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


def first_ping(host, pod, address):
    """When the router of a pod has reached an address, as a future; it tries from now on, on its own host.

    The ping comes from its subnet, so that the other pod's router must know the way back.
    """
    source = pod.cidr.replace("0/24", "1")
    ping = f"ip netns exec qrouter-{pod.router.id} ping -c 1 -W 1 -I {source} {address}"
    loop = f"until {ping} >/dev/null 2>&1; do sleep 0.1; done; date +%s.%N"
    command = ["ansible", host, "-b", "-m", "ansible.builtin.command", "-a", f"timeout {PATIENCE} sh -c '{loop}'"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    if done.returncode:
        sys.exit(f"{host}: {address} was not reached within {PATIENCE} s: {done.stdout}{done.stderr}")
    return float(done.stdout.split()[-1])


def measure(pool, pods, host):
    """The figures, see above."""
    both(pool, pods, Pod.make_tenant)
    reached = pool.submit(first_ping, host, pods[0], pods[1].cidr.replace("0/24", "1"))
    start = time.time()
    calls = both(pool, pods, Pod.make_bridge)
    ping = reached.result() - start
    reached = pool.submit(first_ping, host, pods[0], FURTHER_CIDR.replace("0/24", "1"))
    pods[1].make_network(FURTHER_CIDR)
    start = time.time()
    pods[0].route(pods[0].other_cidr, FURTHER_CIDR)
    further = reached.result() - start
    return {"calls": calls, "ping": round(ping, 2), "further_ping": round(further, 2)}


def main():
    one, two = ("10.9.1.0/24", "100.127.255.1"), ("10.9.2.0/24", "100.127.255.2")
    pods = [Pod(openstack.connect(cloud="Pod1"), *one, *two), Pod(openstack.connect(cloud="Pod2"), *two, *one)]
    with ThreadPoolExecutor() as pool:
        both(pool, pods, Pod.warm)
        both(pool, pods, Pod.clean)
        try:
            print(json.dumps(measure(pool, pods, sys.argv[1])))
        finally:
            both(pool, pods, Pod.clean)


if __name__ == "__main__":
    main()
