#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Damage what Tricircle has made for a router over two pods, in a pod and behind its back.

    damage.py KIND ROUTER        KIND is one of the functions of DAMAGE; prints what was done

Clouds named like the pods come from clouds.yaml (OS_CLIENT_CONFIG_FILE) and are an administrator's. The router's home
is the pod that has its id; what is damaged is in the other one.
"""

import sys

import openstack

PODS = ("Pod1", "Pod2")
INTERFACES = ("network:router_interface", "network:ha_router_replicated_interface")


class Replica:
    """The router's replica, and the bridge that it is on.

    Args:
        router_id: the router's id, as users see it.
    """

    def __init__(self, router_id):
        for pod in PODS:
            self.network = openstack.connect(cloud=pod).network
            found = list(self.network.routers(description=f"tricircle:{router_id}"))
            if found:
                break
        self.pod, self.router = pod, found[0]
        ports = [port for port in self.network.ports(device_id=self.router.id) if port.device_owner in INTERFACES]
        self.bridge = next(port for port in ports if port.description == f"tricircle:bridge:{router_id}")
        self.users = [port for port in ports if port.id != self.bridge.id]

    def detach(self, port):
        """Take an interface off the router."""
        self.network.remove_interface_from_router(self.router, port_id=port.id)

    def strip(self):
        """Routes away: they hold the interface."""
        self.network.update_router(self.router, routes=[])


def route(replica):
    """A route is gone."""
    replica.strip()


def bridge_port(replica):
    """The router's port on the bridge is gone."""
    replica.strip()
    replica.detach(replica.bridge)


def bridge_network(replica):
    """The bridge network is gone."""
    bridge_port(replica)
    replica.network.delete_network(replica.bridge.network_id)


def segment(replica):
    """The bridge network has another VLAN."""
    replica.network.update_network(replica.bridge.network_id, provider_segmentation_id=2999)


def interface(replica):
    """The user's interface is detached."""
    replica.detach(replica.users[0])


def router(replica):
    """The replica is gone, with all that is on it."""
    bridge_port(replica)
    for port in replica.users:
        replica.detach(port)
    replica.network.delete_router(replica.router)


DAMAGE = {each.__name__: each for each in (route, bridge_port, bridge_network, segment, interface, router)}


if __name__ == "__main__":
    hit = Replica(sys.argv[2])
    DAMAGE[sys.argv[1]](hit)
    print(f"{hit.pod}: {DAMAGE[sys.argv[1]].__doc__}")
