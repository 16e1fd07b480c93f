#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Wait until a region's services are all up."""
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: pod_ready
short_description: Wait until Nova, Neutron and Cinder of a region report everything up
description:
  - An API that answers says little - a pod can boot servers when its compute service is known to the scheduler, its
    agents are alive and its volume service is up. Changes nothing.
options:
  auth:
    description: Parameters of openstack.connect for an administrator.
    type: dict
    required: true
  region:
    description: The region to look at.
    type: str
    required: true
  agents:
    description: Neutron agents that have to be alive.
    type: list
    elements: str
    default: [neutron-openvswitch-agent, neutron-l3-agent, neutron-dhcp-agent, neutron-metadata-agent]
  timeout:
    description: Seconds to wait.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Wait for Pod1
  pod_ready:
    auth: "{{ openstack_admin_auth }}"
    region: Pod1
"""

RETURN = r"""
seconds:
  description: How long it took.
  returned: always
  type: float
"""


def missing(cloud, agents):
    """Return what is not up yet, in words.

    Args:
        cloud: an openstack.connection.Connection of the region.
        agents: binaries of the Neutron agents that have to be alive.

    Returns:
        One line for each thing that is missing.
    """
    out = [f"nova: {service.binary} on {service.host} is {service.state}"
           for service in cloud.compute.services() if service.state != "up"]
    if not list(cloud.compute.hypervisors()):
        out.append("nova: the scheduler knows no hypervisor")
    alive = {agent.binary for agent in cloud.network.agents() if agent.is_alive}
    out += [f"neutron: {agent} is not alive" for agent in agents if agent not in alive]
    volumes = list(cloud.block_storage.services())
    out += [f"cinder: {service.binary} on {service.host} is {service.state}"
            for service in volumes if service.state != "up"]
    out += [f"cinder: no {binary}" for binary in ("cinder-scheduler", "cinder-volume")
            if binary not in {service.binary for service in volumes}]
    # A service whose driver failed to start counts as up for a while. Only a driver that runs reports a pool.
    if not list(cloud.block_storage.backend_pools()):
        out.append("cinder: the scheduler knows no pool")
    return out


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "auth": {"type": "dict", "required": True, "no_log": True},
            "region": {"required": True},
            "agents": {"type": "list", "elements": "str", "default": [
                "neutron-openvswitch-agent", "neutron-l3-agent", "neutron-dhcp-agent", "neutron-metadata-agent"]},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    try:
        import openstack
        from keystoneauth1.exceptions import ClientException
    except ImportError:
        module.fail_json(msg="the Python package openstacksdk is missing")
    cloud = openstack.connect(**{**module.params["auth"], "region_name": module.params["region"]})
    start = time.monotonic()
    while True:
        try:
            lacking = missing(cloud, module.params["agents"])
        except (openstack.exceptions.SDKException, ClientException) as problem:
            lacking = [str(problem)]
        seconds = round(time.monotonic() - start, 1)
        if not lacking:
            module.exit_json(changed=False, seconds=seconds)
        if module.check_mode or seconds > module.params["timeout"]:
            module.fail_json(msg=f"{module.params['region']} is not whole after {seconds} s: " + "; ".join(lacking))
        time.sleep(1)


if __name__ == "__main__":
    main()
