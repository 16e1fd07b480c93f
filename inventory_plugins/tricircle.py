# SPDX-License-Identifier: Apache-2.0
"""Inventory of the pods that are registered with Tricircle."""

import sys

import openstack
from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin
from keystoneauth1.exceptions import ClientException
from openstack.exceptions import SDKException

DOCUMENTATION = r"""
name: tricircle
short_description: Pods registered with Tricircle
description:
  - Lists the pods that Tricircle's admin API knows, as hosts of group C(pods).
  - A pod has no login of its own, so that tasks for it run on the controller, against its API.
options:
  plugin:
    description: Names this plugin.
    required: true
    choices: [tricircle]
  cloud:
    description: The top region's cloud in C(clouds.yaml). Without it, the OS_* variables of the environment are used.
    type: str
author:
  - Tricircle developers
"""

EXAMPLES = r"""
plugin: tricircle
cloud: RegionOne
"""


class InventoryModule(BaseInventoryPlugin):
    """Each pod with its region (also its name in clouds.yaml), availability zone and id."""

    NAME = "tricircle"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("tricircle.yml", "tricircle.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        """See the base class.

        :raises AnsibleParserError: the admin API did not answer with the list of pods
        """
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            pods = self.registered_pods()
        except (ClientException, SDKException) as error:
            raise AnsibleParserError(f"Tricircle's admin API did not list its pods: {error}") from error
        self.inventory.add_group("pods")
        for pod in pods:
            self.add(pod)

    def registered_pods(self):
        """The pods that serve an availability zone; the top region has none.

        :raises ClientException: from keystoneauth1, the admin API refused or could not be reached
        :raises SDKException: the cloud is not configured
        """
        cloud = openstack.connect(cloud=self.get_option("cloud") or "envvars")
        admin_api = {"service_type": "Cascading", "interface": "public", "region_name": cloud.config.region_name}
        override = cloud.config.get_endpoint("Cascading")
        answer = cloud.session.get("/pods", endpoint_filter=admin_api, endpoint_override=override)
        return [pod for pod in answer.json()["pods"] if pod["az_name"]]

    def add(self, pod):
        """One host.

        :param dict pod: as the admin API gives it
        """
        name = self.inventory.add_host(pod["pod_name"], group="pods")
        host_vars = {
            "ansible_connection": "local",
            # Discovery would find the system's Python, which lacks the SDK.
            "ansible_python_interpreter": sys.executable,
            "cloud": pod["pod_name"],
            "availability_zone": pod["az_name"],
            "pod_id": pod["pod_id"],
        }
        for variable, value in host_vars.items():
            self.inventory.set_variable(name, variable, value)
