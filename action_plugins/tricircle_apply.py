"""Carry out a pod's steps of a job: all of them in one task, over one connection.

One `openstack.cloud` task costs 0.8 s (a process, the SDK's import, a token); a router takes eight calls a pod. As an
action it runs in Ansible's own process, which has imported the SDK once, before it forked for the pods.

The order comes in the file that TRICIRCLE_ORDER names, not in variables, since Ansible would evaluate templates in the
names that users have given their resources.
"""
import json
import os
import re
from pathlib import Path

import openstack
from ansible.plugins.action import ActionBase
from keystoneauth1 import exceptions as ksa

from tricircle.crosspod import lease
from tricircle.crosspod.steps import run

SECONDS = 60   # for one call; Neutron with a hundred ports to wire is slow, but not slower
# Which service a step is for is told by its path: that of openstacksdk's proxy, and the microversion to speak.
PROXIES = {"/v2.0": ("network", None), "/v2.1": ("compute", "2.55"), "/v3": ("block_storage", None)}
VERSION = re.compile(r"^(/v[\d.]+)(/[0-9a-f]{32}(?=/))?")   # the endpoint of Cinder has the project in it


class ActionModule(ActionBase):
    """Argument: `cloud`, name of the pod and of its entry in clouds.yaml.

    Returns steps (name, seconds, status) and failure.
    """

    _supports_check_mode = True
    _requires_connection = False
    _VALID_ARGS = frozenset({"cloud"})

    def run(self, tmp=None, task_vars=None):
        """Carry out the steps, or list them in check mode."""
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec={"cloud": {"type": "str", "required": True}})
        pod = arguments["cloud"]
        order = json.loads(Path(os.environ["TRICIRCLE_ORDER"]).read_text())
        steps = order["steps"][pod]
        if self._task.check_mode:
            return {**result, "changed": bool(steps), "steps": [(step["name"], 0.0, 0) for step in steps]}
        cloud = openstack.connect(cloud=pod)
        done, failure = run(steps, lambda *call: _send(cloud, *call),
                            lambda: lease.stands(Path(order["lease"]), order["fence"]))
        result.update(changed=bool(done), steps=done)
        if failure:
            result.update(failed=True, failure=vars(failure), msg=f"pod {pod}: {failure}")
        return result


def _send(cloud, method, path, body):
    proxy, microversion = PROXIES[VERSION.match(path)[1]]
    try:
        answer = getattr(cloud, proxy).request(VERSION.sub("", path), method, json=body, timeout=SECONDS,
                                               raise_exc=False, microversion=microversion)
    except ksa.ClientException as error:
        return 0, str(error)
    try:
        return answer.status_code, answer.json()
    except ValueError:
        return answer.status_code, answer.text


