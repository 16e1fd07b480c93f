#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""A pod in Tricircle's register."""
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: tricircle_pod
short_description: Register a pod at Tricircle's admin API
description:
  - A pod is known by its name, which is that of its Keystone region. A second run changes nothing.
options:
  cloud:
    description: Name of a cloud in clouds.yaml; its region is Tricircle's.
    type: str
  auth:
    description: Parameters of openstack.connect, instead of C(cloud).
    type: dict
  token:
    description: A token, instead of C(cloud) or C(auth); needs C(endpoint).
    type: str
  endpoint:
    description: Base URL of the admin API (up to C(/v1.0)). By default from the catalogue, service type Cascading.
    type: str
  name:
    description: Name of the pod.
    required: true
    type: str
  az_name:
    description: The user's availability zone that the pod belongs to. None makes it the top one.
    type: str
  pod_az_name:
    description: The pod's own availability zone for servers.
    type: str
  dc_name:
    description: Data centre.
    type: str
  status:
    description:
      - Whether new servers, volumes, networks and routers may be placed in the pod. From a C(draining) one the
        projects' bindings are taken besides, where its zone has another enabled pod. None leaves it as it is.
    choices: [enabled, disabled, draining]
    type: str
  disabled_reason:
    description: Why the pod is not enabled, for users to read; with C(status) C(disabled) or C(draining).
    type: str
  state:
    description: Whether the pod is registered.
    choices: [present, absent]
    default: present
    type: str
"""

EXAMPLES = r"""
- name: Pod1 in az1
  tricircle_pod:
    cloud: RegionOne
    name: Pod1
    az_name: az1

- name: Nothing new in Pod1 while its switches are changed
  tricircle_pod:
    cloud: RegionOne
    name: Pod1
    status: disabled
    disabled_reason: new switches until Friday
"""

RETURN = r"""
pod:
  description: The pod as the API shows it; nothing when absent.
  returned: success
  type: dict
"""

ATTRIBUTES = ("az_name", "pod_az_name", "dc_name", "status", "disabled_reason")
SERVICE_TYPE = "Cascading"


class Problem(Exception):
    """The admin API refused; the message is its own."""


class Register:
    """Tricircle's admin API."""

    def __init__(self, session, endpoint):
        self.session = session
        self.endpoint = endpoint

    def call(self, method, path, body=None):
        """Send a request below /v1.0 and return the decoded answer, None if it has no body.

        Raises:
            Problem: the answer was an error.
        """
        answer = self.session.request(f"/v1.0/{path}", method, json=body, raise_exc=False,
                                      endpoint_override=self.endpoint)
        if answer.status_code >= 400:
            raise Problem(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def find(self, name):
        """Return the pod of that name, or None."""
        return next((pod for pod in self.call("GET", "pods")["pods"] if pod["pod_name"] == name), None)


def connect(params):
    """Return the register that the parameters lead to."""
    from keystoneauth1 import session, token_endpoint
    endpoint = params["endpoint"].rstrip("/").removesuffix("/v1.0") if params["endpoint"] else None
    if params["token"]:
        return Register(session.Session(token_endpoint.Token(endpoint, params["token"])), endpoint)
    import openstack
    cloud = openstack.connect(cloud=params["cloud"]) if params["cloud"] else openstack.connect(**params["auth"])
    if not endpoint:
        found = cloud.session.get_endpoint(service_type=SERVICE_TYPE, interface="public",
                                           region_name=cloud.config.get_region_name())
        if not found:
            raise Problem(f"the catalogue has no {SERVICE_TYPE} service in region {cloud.config.get_region_name()}")
        endpoint = found.rstrip("/").removesuffix("/v1.0")
    return Register(cloud.session, endpoint)


def ensure(register, params, check_mode):
    """Bring the pod to the wanted state.

    Returns:
        Whether anything changed, and the pod.
    """
    pod = register.find(params["name"])
    if params["state"] == "absent":
        if pod and not check_mode:
            register.call("DELETE", f"pods/{pod['pod_id']}")
        return bool(pod), {}
    wanted = {name: params[name] for name in ATTRIBUTES if params[name] is not None}
    if pod is None:
        body = {"pod": {"pod_name": params["name"], **wanted}}
        return True, {} if check_mode else register.call("POST", "pods", body)["pod"]
    different = {name: value for name, value in wanted.items() if pod.get(name) != value}
    if not different or check_mode:
        return bool(different), pod
    return True, register.call("PUT", f"pods/{pod['pod_id']}", {"pod": different})["pod"]


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "cloud": {},
            "auth": {"type": "dict", "no_log": True},
            "token": {"no_log": True},
            "endpoint": {},
            "name": {"required": True},
            **{name: {} for name in ATTRIBUTES},
            "status": {"choices": ["enabled", "disabled", "draining"]},
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        required_one_of=[("cloud", "auth", "token")],
        mutually_exclusive=[("cloud", "auth", "token")],
        required_by={"token": ["endpoint"]},
        supports_check_mode=True,
    )
    try:
        from keystoneauth1.exceptions import ClientException
    except ImportError:
        module.fail_json(msg="the Python package keystoneauth1 is missing")
    try:
        changed, pod = ensure(connect(module.params), module.params, module.check_mode)
    except (Problem, ClientException) as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=changed, pod=pod)


if __name__ == "__main__":
    main()
