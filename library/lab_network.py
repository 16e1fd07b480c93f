#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Bridges and network namespaces that stand for the wires of a lab."""
import json
import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: lab_network
short_description: Bridges, network namespaces and the links between them
description:
  - Makes Linux bridges on this host and namespaces whose links hang on them; a second run changes nothing.
  - Every link has its checksum and segmentation offloads off at both ends. A userspace Open vSwitch reads packets
    before the kernel would have filled in their checksums, and TCP breaks while ping works.
options:
  bridges:
    description: List of C(name) and, if the host shall be on it, C(address) as address/prefix.
    type: list
    elements: dict
    required: true
  namespaces:
    description: List of C(name) and C(links); a link has C(name), C(bridge) and optionally C(address).
    type: list
    elements: dict
    required: true
  state:
    description: Whether all of that exists.
    choices: [present, absent]
    default: present
    type: str
"""

EXAMPLES = r"""
- name: One bridge, one namespace on it
  lab_network:
    bridges:
      - {name: lab-mgmt, address: 192.0.2.1/24}
    namespaces:
      - name: node1
        links:
          - {name: eth0, bridge: lab-mgmt, address: 192.0.2.24/24}
"""

RETURN = r"""
commands:
  description: What was run, in order.
  returned: always
  type: list
"""

NETNS = "/run/netns"
OFFLOADS = {"tx": "tx-checksumming", "tso": "tcp-segmentation-offload", "gso": "generic-segmentation-offload",
            "gro": "generic-receive-offload"}


class Wires:
    """Reads the kernel's state and runs what is missing (nothing in check mode)."""

    def __init__(self, module):
        self.module = module
        self.commands = []

    def read(self, *command):
        """Return the standard output of a command that changes nothing."""
        return self.module.run_command(list(command), check_rc=True)[1]

    def do(self, *command):
        """Run a command that changes something, or only note it in check mode."""
        self.commands.append(" ".join(command))
        if not self.module.check_mode:
            self.module.run_command(list(command), check_rc=True)

    def links(self, namespace=None):
        """Return the links of a namespace (default: the host's) by name, each with its addresses."""
        within = ["-n", namespace] if namespace else []
        return {link["ifname"]: link for link in json.loads(self.read("ip", *within, "-j", "address", "show") or "[]")}

    def namespaces(self):
        """Return the names of existing namespaces."""
        return set(os.listdir(NETNS)) if os.path.isdir(NETNS) else set()


def has_address(link, address):
    """Tell whether a link carries `address` (address/prefix)."""
    return any(f"{a.get('local')}/{a.get('prefixlen')}" == address for a in link.get("addr_info", []))


def is_up(link):
    """Tell whether a link is administratively up."""
    return "UP" in link.get("flags", [])


def ensure_bridge(wires, bridge):
    """Make a bridge, up, with the host's address on it."""
    link = wires.links().get(bridge["name"], {})
    if not link:
        wires.do("ip", "link", "add", bridge["name"], "type", "bridge")
    if not is_up(link):
        wires.do("ip", "link", "set", bridge["name"], "up")
    if bridge.get("address") and not has_address(link, bridge["address"]):
        wires.do("ip", "address", "replace", bridge["address"], "dev", bridge["name"])


def ensure_offloads_off(wires, device, namespace=None):
    """Switch the offloads of one end of a link off."""
    within = ["ip", "netns", "exec", namespace] if namespace else []
    state = wires.read(*within, "ethtool", "-k", device)
    wanted = [short for short, name in OFFLOADS.items() if f"{name}: on" in state]
    if wanted:
        wires.do(*within, "ethtool", "-K", device, *[word for short in wanted for word in (short, "off")])


def ensure_link(wires, namespace, link):
    """Make one link of a namespace, its other end on a bridge of the host."""
    outer = f"{namespace}-{link['name']}"
    exists = link["name"] in wires.links(namespace) if namespace in wires.namespaces() else False
    if not exists and outer in wires.links():       # its other end is in a namespace that was deleted while in use
        wires.do("ip", "link", "delete", outer)
    if not exists:
        wires.do("ip", "link", "add", outer, "type", "veth", "peer", "name", link["name"], "netns", namespace)
    if exists or not wires.module.check_mode:
        ensure_offloads_off(wires, outer)
        ensure_offloads_off(wires, link["name"], namespace)
    there = wires.links().get(outer, {})
    if there.get("master") != link["bridge"]:
        wires.do("ip", "link", "set", outer, "master", link["bridge"])
    if not is_up(there):
        wires.do("ip", "link", "set", outer, "up")
    here = wires.links(namespace).get(link["name"], {}) if exists or not wires.module.check_mode else {}
    if not is_up(here):
        wires.do("ip", "-n", namespace, "link", "set", link["name"], "up")
    if link.get("address") and not has_address(here, link["address"]):
        wires.do("ip", "-n", namespace, "address", "replace", link["address"], "dev", link["name"])


def ensure_namespace(wires, namespace):
    """Make a namespace with its loopback up, then its links."""
    name = namespace["name"]
    if name not in wires.namespaces():
        wires.do("ip", "netns", "add", name)
        wires.do("ip", "-n", name, "link", "set", "lo", "up")
    for link in namespace["links"]:
        ensure_link(wires, name, link)


def remove(wires, bridges, namespaces):
    """Remove the namespaces (their links go with them) and the bridges."""
    for namespace in namespaces:
        for link in namespace["links"]:
            outer = f"{namespace['name']}-{link['name']}"
            if outer in wires.links():
                wires.do("ip", "link", "delete", outer)
        if namespace["name"] in wires.namespaces():
            wires.do("ip", "netns", "delete", namespace["name"])
    for bridge in bridges:
        if bridge["name"] in wires.links():
            wires.do("ip", "link", "delete", bridge["name"])


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "bridges": {"type": "list", "elements": "dict", "required": True},
            "namespaces": {"type": "list", "elements": "dict", "required": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    wires = Wires(module)
    bridges, namespaces = module.params["bridges"], module.params["namespaces"]
    if module.params["state"] == "absent":
        remove(wires, bridges, namespaces)
    else:
        for bridge in bridges:
            ensure_bridge(wires, bridge)
        for namespace in namespaces:
            ensure_namespace(wires, namespace)
    module.exit_json(changed=bool(wires.commands), commands=wires.commands)


if __name__ == "__main__":
    main()
