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


def apply(shares, access):
    """{pod: what the action plugin returns of each order}; as the worker has written both down."""
    def one(pod, order):
        def send(method, path, body):
            try:
                answer = POOL.request(method, access["roots"][pod]["network"] + path, json=body,
                                      headers={"X-Auth-Token": access["token"]})
                return answer.status, answer.json() if answer.data else None
            except urllib3.exceptions.HTTPError as error:
                return 0, str(error)

        done, failure = run(order["steps"], send, lambda: lease.stands(Path(order["lease"]), order["fence"]))
        return done, failure and vars(failure)

    with ThreadPoolExecutor() as pool:
        begun = {pod: [pool.submit(one, pod, order) for order in orders] for pod, orders in shares.items()}
        return {pod: [each.result() for each in orders] for pod, orders in begun.items()}


def quick(folder, access, orders, heard):
    """In the place of `playbooks.run`."""
    from tricircle.jobs import playbooks

    here, shares = folder / orders[0].name, playbooks._shares(orders)
    playbooks._lay_out(here, shares)
    heard()
    with playbooks.readable(access) as path:
        done = subprocess.run([sys.executable, "-m", __spec__.name, "apply", here / "order.json", path],
                              stdout=subprocess.PIPE, check=False)
    for pod, result in json.loads(done.stdout or "{}").items():
        playbooks._note({"event": "runner_on_ok", "event_data": {"host": pod, "res": {"orders": result}}}, shares, {},
                        heard)
    for order in (order for order in orders if order.missing):
        order.error = playbooks.PlaybookFailed(f"ended with {done.returncode}")
    playbooks._prune(here, True)


def main():
    """`apply` is the playbook; everything else is `tricircle`."""
    if sys.argv[1] == "apply":
        json.dump(apply(*(json.loads(Path(each).read_text()) for each in sys.argv[2:])), sys.stdout)
        return
    from tricircle import cli
    from tricircle.jobs import playbooks

    playbooks.run = quick
    cli.main()


if __name__ == "__main__":
    main()
