"""Carry out a pod's steps of the jobs that a playbook is for, all of them in one task.

One `openstack.cloud` task costs 0.8 s (a process, the SDK's import, a token); a router takes eight calls a pod. As an
action it runs in a fork of Ansible's own process. openstacksdk would still double the time that Ansible takes to start,
and each pod's fork would log in by itself: what goes out is plain HTTP, to the endpoints and with the token of the
worker.

The orders come in the file that TRICIRCLE_ORDER names, not in variables, since Ansible would evaluate templates in the
names that users have given their resources; the token and the endpoints in that of TRICIRCLE_ACCESS, which is in the
worker's memory.
"""
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3
from ansible.plugins.action import ActionBase

from tricircle.crosspod import lease
from tricircle.crosspod.steps import run

SECONDS = 60   # for one call; Neutron with a hundred ports to wire is slow, but not slower
# Which service a step is for is told by the version in its path; Nova's steps speak one microversion.
SERVICES = {"v2.0": "network", "v2.1": "compute", "v3": "volume"}
MICROVERSION = {"compute": {"OpenStack-API-Version": "compute 2.55"}}
VERSION = re.compile(r"^/(v[\d.]+)/")


class ActionModule(ActionBase):
    """Argument: `pod`, its name.

    Returns orders: for each one its steps (name, seconds, status) and its failure, or None.
    """

    _supports_check_mode = True
    _requires_connection = False
    _VALID_ARGS = frozenset({"pod"})

    def run(self, tmp=None, task_vars=None):
        """Carry out the steps of all orders at the same time, or list them in check mode."""
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec={"pod": {"type": "str", "required": True}})
        pod, path = arguments["pod"], Path(os.environ["TRICIRCLE_ORDER"])
        orders = json.loads(path.read_text())[pod]
        if self._task.check_mode:
            listed = [([(step["name"], 0.0, 0) for step in order["steps"]], None) for order in orders]
            return {**result, "changed": any(done for done, _ in listed), "orders": listed}
        caller = Caller(json.loads(Path(os.environ["TRICIRCLE_ACCESS"]).read_text()), pod, len(orders))
        with ThreadPoolExecutor(len(orders)) as pool:
            outcomes = list(pool.map(lambda order: _carry_out(order, caller), orders))
        failures = [failure for _, failure in outcomes if failure]
        result.update(changed=any(done for done, _ in outcomes),
                      orders=[(done, failure and vars(failure)) for done, failure in outcomes])
        if failures:
            result.update(failed=True, msg=f"pod {pod}: {'; '.join(map(str, failures))}")
        return result


def _carry_out(order, caller):
    return run(order["steps"], caller.send, lambda: lease.stands(Path(order["lease"]), order["fence"]))


class Caller:
    """Calls to one pod as the worker's account.

    Args:
        access: token; roots, {pod: {service: URL}}; cafile, or None for the system's CAs.
        pod: its name.
        threads: that call.
    """

    def __init__(self, access, pod, threads):
        self._token, self._roots = access["token"], access["roots"][pod]
        self._http = urllib3.PoolManager(maxsize=threads, ca_certs=access["cafile"])

    def send(self, method, path, body):
        """See `steps.run`; status 0 when there was no answer."""
        service = SERVICES[VERSION.match(path)[1]]
        if service not in self._roots:
            return 0, f"Keystone's catalogue has no {service} there"
        headers = {"X-Auth-Token": self._token, "Accept": "application/json", **MICROVERSION.get(service, {})}
        try:
            answer = self._http.request(method, self._roots[service] + path, json=body, headers=headers, redirect=False,
                                        retries=False, timeout=SECONDS)
        except urllib3.exceptions.HTTPError as error:
            return 0, str(error)
        try:
            return answer.status, answer.json()
        except ValueError:
            return answer.status, answer.data.decode(errors="replace")
