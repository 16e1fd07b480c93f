#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the pods themselves hold, asked of each directly: saved before a test, compared after it.

    listings.py save FILE       write the listings
    listings.py compare FILE    print what came (+) and went (-) since; exit status 1 when anything did

Clouds named like the pods come from clouds.yaml (OS_CLIENT_CONFIG_FILE) and are an administrator's.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openstack

PODS = ("Pod1", "Pod2")

LISTINGS = {
    "network": lambda cloud: cloud.network.networks(),
    "subnet": lambda cloud: cloud.network.subnets(),
    "port": lambda cloud: cloud.network.ports(),
    "router": lambda cloud: cloud.network.routers(),
    "floating ip": lambda cloud: cloud.network.ips(),
    "security group": lambda cloud: cloud.network.security_groups(),
    "security group rule": lambda cloud: cloud.network.security_group_rules(),
    "server": lambda cloud: cloud.compute.servers(all_projects=True),
    "server group": lambda cloud: cloud.compute.server_groups(all_projects=True),
    "flavor": lambda cloud: cloud.compute.flavors(is_public=None),
    "keypair": lambda cloud: cloud.compute.keypairs(),
    "volume": lambda cloud: cloud.block_storage.volumes(all_projects=True),
    "snapshot": lambda cloud: cloud.block_storage.snapshots(all_projects=True),
}


def of_neutrons_own_making(resource):
    """Whether Neutron made it because a project looked at its security groups for the first time.

    Such a group, with four rules, stays with the project for ever; other rules in it count.
    """
    if isinstance(resource, openstack.network.v2.security_group.SecurityGroup):
        return resource.name == "default"
    if isinstance(resource, openstack.network.v2.security_group_rule.SecurityGroupRule):
        open_to_all = not (resource.protocol or resource.remote_ip_prefix or resource.remote_group_id)
        within_group = not resource.protocol and resource.remote_group_id == resource.security_group_id
        return open_to_all if resource.direction == "egress" else within_group
    return False


def describe(resource):
    """A resource in one line: id, name, and what names it where it has none."""
    facts = ("name", "device_owner", "direction", "protocol", "description")
    return " ".join([str(resource.id), *(str(value) for fact in facts if (value := getattr(resource, fact, None)))])


def listings(pod):
    """Everything in a pod, as lines.

    :param str pod: name of its cloud
    :raises openstack.exceptions.SDKException: a list could not be had, which is no empty list
    """
    cloud = openstack.connect(cloud=pod)
    return [
        f"{pod} {kind} {describe(resource)}"
        for kind, get in LISTINGS.items()
        for resource in get(cloud)
        if not of_neutrons_own_making(resource)
    ]


def all_listings():
    """The lines of every pod, sorted."""
    with ThreadPoolExecutor() as pool:
        return sorted(line for lines in pool.map(listings, PODS) for line in lines)


def main():
    action, path = sys.argv[1], Path(sys.argv[2])
    now = all_listings()
    if action == "save":
        path.write_text(json.dumps(now, indent=1))
        return 0
    before = json.loads(path.read_text())
    came, went = sorted(set(now) - set(before)), sorted(set(before) - set(now))
    for line in [f"+ {line}" for line in came] + [f"- {line}" for line in went]:
        print(line)
    return 1 if came or went else 0


if __name__ == "__main__":
    sys.exit(main())
