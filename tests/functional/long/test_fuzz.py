"""Hostile requests by the thousand, as an ordinary user and as nobody: nothing breaks, and nothing is left of them.

`FUZZ_REQUESTS` in the environment says how many, `FUZZ_SEED` which ones: a failure tells its seed.
"""
import http.client
import os
import re
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functional.fuzz import Grammar, Shot
from tests.functional.gateway import Gateway, children
from tests.functional.raw import Connection
from tests.functional.standin import Cloud
from tests.functional.user import User

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", 4_000))
SEED = int(os.environ.get("FUZZ_SEED", 8))
CLIENTS = 12
WARM = REQUESTS // 4        # requests until caches and pools have their size
MOST_GROWTH = 48 * 1024     # KiB of all the gateway's processes together
SECONDS = 20                # that an answer may take
SHOWN = 40                  # findings in a failure's text
NOT_IMPLEMENTED = 501       # a transfer encoding that waitress does not know, a method that Neutron does not
OURS = "tricircle"          # name of the gateway's own account
# Version documents, which are asked for without a token.
OPEN = re.compile(r"^/(v2\.1|v2|v3|v2\.0)?/?$")
# Rows that are nobody's: a place in a list (there are 4,000), and what is alike in every pod.
ANYBODYS = {"cursors": lambda row: True, "named": lambda row: True, "replicas": lambda row: row[2] in ALIKE}
ALIKE = ("volume/types", "compute/flavors", "compute/os-keypairs")


class Tap:
    """Writes down who asks the pods what.

    Args:
        cloud: whose pods.
    """

    def __init__(self, cloud: Cloud):
        self.calls: deque = deque()
        for pod in cloud:
            for service in pod.services:
                service.server.serve = self._tapped(pod.name, service.server.serve, cloud.identity)

    def _tapped(self, pod: str, serve, identity):
        def tapped(request):
            who = identity.find(request.headers.get("x-auth-token"))
            query = "&".join(f"{name}={value}" for name, value in request.query)
            self.calls.append((pod, who.user.name if who else None, request.method, request.path, query, request.raw))
            return serve(request)
        return tapped


class Siege:
    """Fires shots at a gateway by many threads, each on connections of its own.

    Args:
        gateway: running.
        grammar: draws the shots.
        token: the attacker's.
    """

    def __init__(self, gateway: Gateway, grammar: Grammar, token: str):
        self.gateway, self.grammar, self.token = gateway, grammar, token
        self.findings: deque = deque()
        self.statuses: Counter = Counter()
        self.made: set[bytes] = set()
        self._lock, self._local = threading.Lock(), threading.local()

    def fire(self, number: int) -> None:
        """So many shots; returns when all are answered."""
        shots = self.grammar.shots(number)

        def work() -> None:
            while shot := self._next(shots):
                self._one(shot)

        with ThreadPoolExecutor(CLIENTS) as pool:
            for done in [pool.submit(work) for _ in range(CLIENTS)]:
                done.result()

    def _next(self, shots) -> Shot | None:
        with self._lock:
            return next(shots, None)

    def _one(self, shot: Shot) -> None:
        try:
            answer = self._ask(shot)
        except (OSError, http.client.HTTPException) as error:
            self.findings.append(f"no answer, {error!r}: {shot}")
            return
        self.statuses[answer.status] += 1
        if answer.status >= 500 and answer.status != NOT_IMPLEMENTED:
            self.findings.append(f"{answer.status} {answer.raw[:150]!r}: {shot}")
        if not shot.token and answer.status < 300 and shot.service != "admin" and not OPEN.match(shot.path):
            self.findings.append(f"{answer.status} without a token: {shot}")
        if answer.status < 300 and shot.method != "GET":
            self.made.update(re.findall(rb'"id": ?"([^"]+)"', answer.raw))

    def _ask(self, shot: Shot):
        headers = dict(shot.headers)
        if shot.token:
            headers["X-Auth-Token"] = self.token
        for last in (False, True):
            fresh = self._connection(shot.service) is None
            connection = self._connection(shot.service, make=True)
            try:
                return connection.ask(shot.method, shot.target, shot.body, headers)
            except (OSError, http.client.HTTPException):
                connection.close()
                self._local.__dict__.pop(shot.service)
                if fresh or last:   # a kept connection may be closed by the time of the next request
                    raise

    def _connection(self, service: str, make: bool = False) -> Connection | None:
        known = self._local.__dict__
        if make and service not in known:
            known[service] = Connection("127.0.0.1", self.gateway.ports[service], timeout=SECONDS)
        return known.get(service)


@pytest.fixture(scope="module")
def siege(tmp_path_factory):
    """A victim with an estate in both pods, an attacker with a network, and everything written down."""
    cloud = Cloud(2)
    gateway = Gateway(cloud, tmp_path_factory.mktemp("fuzz"), debug="false").start().register()
    victim, attacker = User(gateway), User(gateway)
    ids = estate(victim)
    own = [attacker.net("az1"), attacker.disk("az2"), attacker.make("security-groups", name="mine")["id"]]
    token = attacker.token.id
    made = Siege(gateway, Grammar(SEED, ids, own, victim.project, attacker.project, token), token)
    made.cloud, made.victim, made.attacker, made.ids, made.own = cloud, victim, attacker, ids, own
    yield made
    gateway.stop()
    cloud.close()


def estate(user: User) -> list[str]:
    """Ids of what a user gets: all kinds, in both pods, with replicas of a group and a router."""
    group = user.make("security-groups", name="web")["id"]
    router = user.make("routers", name="r")["id"]
    found = [group, router]
    for zone in ("az1", "az2"):
        network, subnet = user.wired(zone)
        port = user.make("ports", network_id=network, security_groups=[group])["id"]
        user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
        found += [network, subnet, port, user.boot(network, zone), user.disk(zone)]
    return found


def belongings(cloud: Cloud, project: str) -> dict:
    """What the pods have of a project."""
    return {(pod.name, service.name, kind, id): row for pod in cloud for service in pod.services
            for kind, rows in service.snapshot().items() for id, row in rows.items() if project in str(row)}


def memory(gateway: Gateway) -> int:
    """KiB of all processes of a gateway."""
    pids = [gateway.api.process.pid, *children(gateway.api.process.pid)]
    return sum(int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) for pid in pids)


def test_nothing_breaks_and_nothing_is_left(siege):
    cloud, gateway = siege.cloud, siege.gateway
    siege.fire(WARM)
    before, rows, size, begun = belongings(cloud, siege.victim.project), gateway.store(), memory(gateway), time.time()
    siege.tap = Tap(cloud)
    siege.fire(REQUESTS - WARM)
    took, grown = time.time() - begun, memory(gateway) - size
    print(f"\nseed {SEED}: {REQUESTS} requests, {took:.0f} s, {grown / 1024:.1f} MiB more, {len(siege.tap.calls)} "
          f"calls of pods, {dict(sorted(siege.statuses.items()))}")
    found = [*siege.findings, *intrusions(siege), *leftovers(siege, rows)]
    after = belongings(cloud, siege.victim.project)
    found += [f"the victim's {key} is now {after.get(key)}" for key in before if after.get(key) != before[key]]
    found += [f"the victim has got {key}" for key in after.keys() - before.keys()]
    if grown > MOST_GROWTH:
        found.append(f"memory grew by {grown / 1024:.0f} MiB")
    assert not found, f"FUZZ_SEED={SEED}: {len(found)} findings\n" + "\n".join(
        line if len(line) < 700 else f"{line[:350]} ... {line[-350:]}" for line in found[:SHOWN])


def intrusions(siege: Siege) -> list[str]:
    """Calls to pods that were none of the attacker's business."""
    found = []
    for pod, who, method, path, query, raw in siege.tap.calls:
        text = f"{pod} {method} {path}?{query} {raw[:500]!r}"
        if who is None and not (method == "GET" and OPEN.match(path)):
            found.append(f"asked for nobody: {text}")
        if who == OURS and any(id in text for id in (*siege.ids, siege.victim.project)):
            found.append(f"asked by the gateway's own account about the victim: {text}")
        if who == OURS and method != "GET" and not any(id in text for id in (*siege.own, siege.attacker.project)):
            found.append(f"done by the gateway's own account: {text}")
    return list(dict.fromkeys(found))


def leftovers(siege: Siege, before: dict[str, list[tuple]]) -> list[str]:
    """Rows that are about neither the attacker's project nor what the attacker has made."""
    known = {id.decode() for id in siege.made} | set(siege.own)
    found = []
    for table, rows in siege.gateway.store().items():
        for row in set(rows) - set(before[table]):
            its = {str(value) for value in row}
            mine = siege.attacker.project in its and (table != "routings" or its & known)
            if not mine and not (table == "job_log" and its & known) and not ANYBODYS.get(table, lambda _: False)(row):
                whose = "victim's" if siege.victim.project in str(row) else "nobody's"
                found.append(f"a row in {table}, {whose}: {row}")
    return found
