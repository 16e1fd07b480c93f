"""The worker, with playbooks that are carried out without Ansible: their steps, lease and outcome are the real ones.

A playbook costs two seconds of a processor, nearly all of it Ansible's and the SDK's own; a long series of random walks
needs thousands of them. As with Ansible, each runs in a process of its own, which outlives a worker that is killed.
"""
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

from tricircle.crosspod import lease
from tricircle.crosspod.steps import run

SECONDS = 60
POOL = urllib3.PoolManager(retries=False, timeout=SECONDS)


def apply(order, cloud):
    """{pod: what the action plugin returns}.

    Args:
        order: as the worker has written it down.
        cloud: entry of clouds.yaml.
    """
    auth = cloud["auth"]
    user = {"name": auth["username"], "password": auth["password"], "domain": {"name": auth["user_domain_name"]}}
    project = {"name": auth["project_name"], "domain": {"name": auth["project_domain_name"]}}
    answer = POOL.request("POST", f"{auth['auth_url']}/auth/tokens", json={"auth": {
        "identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}})
    token, catalogue = answer.headers["X-Subject-Token"], answer.json()["token"]["catalog"]
    (network,) = [entry["endpoints"] for entry in catalogue if entry["type"] == "network"]
    urls = {each["region"]: each["url"].rstrip("/") for each in network if each["interface"] == "public"}

    def one(pod):
        def send(method, path, body):
            try:
                answer = POOL.request(method, urls[pod] + path, json=body, headers={"X-Auth-Token": token})
                return answer.status, answer.json() if answer.data else None
            except urllib3.exceptions.HTTPError as error:
                return 0, str(error)

        done, failure = run(order["steps"][pod], send, lambda: lease.stands(Path(order["lease"]), order["fence"]))
        return {"steps": done, "failure": failure and vars(failure)}

    with ThreadPoolExecutor() as pool:
        return dict(zip(order["steps"], pool.map(one, order["steps"]), strict=True))


def quick(conf, wanted):
    """In the place of `playbooks.run`."""
    from tricircle.jobs import playbooks

    outcomes = {}
    playbooks._lay_out(wanted)
    done = subprocess.run([sys.executable, "-m", __spec__.name, "apply", wanted.folder / "order.json",
                           conf.jobs.clouds_file], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise playbooks.PlaybookFailed(f"ended with {done.returncode}")
    for pod, result in json.loads(done.stdout).items():
        playbooks._note({"event": "runner_on_ok", "event_data": {"host": pod, "res": result}}, wanted, outcomes)
    playbooks._prune(wanted.folder, True)
    return outcomes


def main():
    """`apply` is the playbook; everything else is `tricircle`."""
    if sys.argv[1] == "apply":
        order, clouds = (json.loads(Path(each).read_text()) for each in sys.argv[2:])
        json.dump(apply(order, clouds["clouds"]["RegionOne"]), sys.stdout)
        return
    from tricircle import cli
    from tricircle.jobs import playbooks

    playbooks.run = quick
    cli.main()


if __name__ == "__main__":
    main()
