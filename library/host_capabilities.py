#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""What a host's kernel can do for OpenStack."""
import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: host_capabilities
short_description: Facts that decide between a kernel's own facility and a substitute in userspace
description:
  - Sets the facts C(host_has_kvm), C(host_has_openvswitch), C(host_has_nfs) and C(host_has_apparmor). Nothing changes.
"""

EXAMPLES = r"""
- name: See what the kernel offers
  host_capabilities:
"""

RETURN = r"""
ansible_facts:
  description: The four facts, each a boolean.
  returned: always
  type: dict
"""


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)

    def loadable(name):
        """Tell whether a kernel module is there or could be loaded."""
        if os.path.isdir(f"/sys/module/{name}"):
            return True
        modprobe = module.get_bin_path("modprobe")
        return bool(modprobe) and module.run_command([modprobe, "--dry-run", "--quiet", name])[0] == 0

    module.exit_json(changed=False, ansible_facts={
        "host_has_kvm": os.path.exists("/dev/kvm"),
        "host_has_openvswitch": loadable("openvswitch"),
        "host_has_nfs": loadable("nfs"),
        "host_has_apparmor": os.path.isdir("/sys/module/apparmor/parameters"),
    })


if __name__ == "__main__":
    main()
