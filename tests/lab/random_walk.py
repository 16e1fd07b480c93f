#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A user of the top region who does this and that, while workers, gateways and pods die, and what the pods have then.

    random_walk.py [--seed N] [--steps N]
    random_walk.py --remove     remove what an aborted walk has left

Whatever the user ends up with says what Tricircle must have made in the pods, and that is looked up there; `tricircle
drift` has to agree. Then the user takes all of it away, and each pod has to list what it listed before. Exit status 1,
with the difference, when it does not; the same seed walks the same way as far as the deaths let it.

OS_* are those of the top region's administrator. Clouds named like the pods come from clouds.yaml
(OS_CLIENT_CONFIG_FILE) and are an administrator's.
"""

import argparse
import random
import subprocess
import sys
import threading
import time

import listings
import openstack
import project
import user_moves
from keystoneauth1.exceptions import ClientException
from openstack.exceptions import HttpException, SDKException
from wanted_state import differences

NAME = "walker"
EXTERNAL = {"name": "walker-outside", "is_router_external": True, "provider_network_type": "vlan",
            "provider_physical_network": "extern", "availability_zone_hints": ["Pod2"]}
EXTERNAL_CIDR = "163.3.126.0/24"
PATIENCE = 300
# {what dies: (host pattern of the inventory, systemd's pattern of its units)}
VICTIMS = {"worker": ("top", "tricircle-worker"), "gateway": ("top", "tricircle-api"),
           "Pod1's Neutron": ("pods[0]", "neutron-api neutron-server"),
           "Pod2's Neutron": ("pods[1]", "neutron-api neutron-server")}
DEATHS = 0.25   # before how many of the moves


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--steps", type=int, default=30)
    options.add_argument("--remove", action="store_true")
    given = options.parse_args()
    admin = openstack.connect()
    project.remove(admin, NAME, EXTERNAL["name"])
    if given.remove:
        return 0
    settle(admin)
    before = listings.all_listings()
    try:
        wrong = walk(admin, given)
    finally:
        revive()
        until(lambda: alive(admin, awake=True), "the gateway and the pods answer")
        project.remove(admin, NAME, EXTERNAL["name"])
    settle(admin)
    after = listings.all_listings()
    wrong += [f"left over: {line}" for line in after if line not in before]
    wrong += [f"gone: {line}" for line in before if line not in after]
    wrong += drift()
    print("\n".join(wrong) or "nothing is missing, nothing is left")
    return 1 if wrong else 0


def walk(admin, given):
    """The walk itself.

    Returns:
        What is wrong in the pods when all has settled, in words.
    """
    outside = admin.network.create_network(**EXTERNAL)
    admin.network.create_subnet(name="walker-outside", network_id=outside.id, ip_version=4, cidr=EXTERNAL_CIDR,
                                is_dhcp_enabled=False)
    chance = random.Random(given.seed)
    user = user_moves.User(project.make(admin, NAME), outside.id, chance)
    user.settle_in()
    wrong = [error for number in range(given.steps) for error in step(admin, user, chance, number)]
    revive()
    until(lambda: alive(admin, awake=True), "the gateway and the pods answer")
    settle(admin)
    return wrong + differences(user.cloud.network, listings.PODS) + drift()


def step(admin, user, chance, number):
    """One move, and perhaps a death beside it: the errors that no death explains."""
    victim = chance.choice(list(VICTIMS)) if chance.random() < DEATHS else None
    killer = threading.Thread(target=kill, args=(victim,))
    if victim:
        killer.start()
        time.sleep(chance.random() * 2)     # so that some die before the move, some in its middle
    wrong, said = [], "done"
    try:
        user.next_move()
    except HttpException as error:
        said = f"{error.status_code} {str(error)[:120]}"
        wrong = [f"{user.said}: {said}"] if error.status_code == 500 else []
    except (ClientException, SDKException) as error:    # the connection died with the gateway
        said = type(error).__name__
    print(f"{number:3} {user.said}: {said}" + (f"   [{victim} killed]" if victim else ""), flush=True)
    if victim:
        killer.join()
        until(lambda: alive(admin), "the gateway answers")
    return wrong


def ansible(hosts, command):
    """Run a command on hosts of the inventory."""
    return subprocess.run(["ansible", hosts, "-b", "-m", "ansible.builtin.command", "-a", command],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)


def kill(victim):
    """kill -9 of all its processes. A pattern that no unit of this release has is no error of systemd's."""
    hosts, units = VICTIMS[victim]
    ansible(hosts, "systemctl kill --signal=KILL " + " ".join(f"{unit}*" for unit in units.split()))


def revive():
    """What systemd has not started again by itself."""
    for hosts, units in dict.fromkeys(VICTIMS.values()):
        for unit in units.split():
            ansible(hosts, f"systemctl start --all {unit}*")


def alive(admin, awake=False):
    """Whether the gateway answers; `awake`: and every pod through it."""
    try:
        answer = admin.network.get("/networks?limit=1")
    except (ClientException, SDKException):
        return False
    return answer.ok and not (awake and "X-Tricircle-Unreachable-Pods" in answer.headers)


def settle(admin):
    """Wait until no job is owed."""
    until(lambda: not owed(admin), "no job is queued or running")


def owed(admin):
    """Jobs that are still to be done, and those that nobody will do any more."""
    root = admin.session.get_endpoint(service_type="Cascading", region_name="RegionOne")
    return [job for state in ("queued", "running", "dead")
            for job in admin.session.get(f"{root}/jobs?state={state}").json()["jobs"]]


def drift():
    """What `tricircle drift` has to say on the gateway's host, when it is not content."""
    found = ansible("top", "/opt/tricircle/bin/tricircle drift")
    return [] if found.returncode == 0 else [f"tricircle drift: {found.stdout}{found.stderr}"]


def until(condition, what):
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"not within {PATIENCE} s: {what}")
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
