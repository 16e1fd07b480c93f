"""Convergence: from the last answer of the API until the router is whole in all pods.

Beside each figure stand the floor (the same calls, made directly by a script) and the price of Ansible itself (a task
that does nothing, in as many pods). The stand-in pods live in this process, which does nothing else meanwhile; their
processor time is told, and with fifty of them it is what the floor consists of. They answer at once, unless they are
called slow: then each write takes SLOW seconds, nearer to a real Neutron. A machine that has other things to do bends
seconds, and processor time less.
"""
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import direct, empty
from tests.bench.world import cpu
from tests.functional.gateway import Gateway, Process, stopped, until
from tests.functional.standin import Cloud

TURNS = {2: 3, 10: 2, 50: 1}   # for so many pods
GOALS = {"first router": 2.0, "further subnet": 1.5}   # as times the floor of slow pods
SLOW, ROUTERS, PATIENCE = 0.5, 100, 300
FIRST_VLAN = 3500   # of what is made directly: beyond those that the gateway hands out


@dataclass(frozen=True)
class Took:
    """What one convergence took.

    Args:
        seconds: until the last pod was told the last thing.
        worker: processor time of the worker and its playbooks, until it was idle again.
        pods: processor time of the stand-ins until then.
    """

    seconds: float
    worker: float
    pods: float


class Field:
    """Stand-in pods, a gateway and a worker.

    Args:
        number: of pods.
        folder: for the gateway.
    """

    def __init__(self, number: int, folder: Path):
        self.cloud = Cloud(number)
        self.written = 0.0
        log = self.cloud.log.append
        self.cloud.log.append = lambda write: (log(write), self._note(write))
        self.gateway = Gateway(self.cloud, folder, processes=1, debug="false").start().register()
        self.worker: Process = self.gateway.worker()
        self.admin = self.gateway.client("admin", "admin")

    def _note(self, write) -> None:
        if write.who == "tricircle":
            self.written = time.monotonic()

    def execute(self, sql: str) -> list[tuple]:
        """Something about the jobs that no API tells or does."""
        path = self.gateway.folder / "state" / "tricircle.sqlite"
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as db, db:
            return db.execute(sql).fetchall()

    def idle(self) -> bool:
        """No job is owed."""
        return not self.execute("SELECT 1 FROM jobs WHERE state NOT IN ('done', 'failed')")

    def _playbooks_run(self) -> bool:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):   # a thread has ended under our eyes
            tasks = Path(f"/proc/{self.worker.process.pid}/task").glob("*/children")
            return any(task.read_text().strip() for task in tasks)
        return True

    def playbooks(self) -> int:
        """How many were run so far."""
        return (self.gateway.folder / "worker.log").read_text().count(" playbook ")

    def timed(self, call) -> Took:
        """Let `call` dirty a router at its end, and wait until all is done."""
        worker, pods = cpu(self.worker.process.pid), time.process_time()
        call()
        answered, pods = time.monotonic(), time.process_time()
        # A job ends with its pods' results, the playbook a moment later; its work counts from then on.
        until(lambda: self.idle() and not self._playbooks_run(), PATIENCE)
        return Took(self.written - answered, cpu(self.worker.process.pid) - worker, time.process_time() - pods)

    @contextlib.contextmanager
    def slow(self) -> Iterator[None]:
        """Each write takes its time."""
        for pod in self.cloud:
            pod.network.faults.only, pod.network.faults.slow = "^(POST|PUT|DELETE)", SLOW
        try:
            yield
        finally:
            self.cloud.recover()

    def close(self) -> None:
        """End everything."""
        self.worker.stop()
        self.gateway.stop()
        self.cloud.close()


class Span:
    """A project with a router and a network in each pod, made through the gateway."""

    def __init__(self, field: Field):
        self.field, self.names, self.subnets = field, list(field.cloud.pods), 0
        self.joined = 0
        token = field.cloud.identity.newcomer()
        self.project, self.user = token.project.id, field.gateway.client("network", token)
        self.made = [self.subnet(pod) for pod in self.names]
        self.router = self.user.ok("POST", "/routers", {"router": {"name": "r"}})["router"]["id"]

    def subnet(self, pod: str) -> str:
        """A network with a subnet in a pod."""
        body = {"name": "n", "availability_zone_hints": [self.field.gateway.pods[pod]["az_name"]]}
        network = self.user.ok("POST", "/networks", {"network": body})["network"]["id"]
        self.subnets += 1
        body = {"network_id": network, "ip_version": 4, "cidr": f"10.0.{self.subnets}.0/24"}
        return self.user.ok("POST", "/subnets", {"subnet": body})["subnet"]["id"]

    def join(self, *subnets: str) -> None:
        """Subnets to the router."""
        self.joined += len(subnets)
        for subnet in subnets:
            self.user.ok("PUT", f"/routers/{self.router}/add_router_interface", {"subnet_id": subnet})

    def hold(self) -> None:
        """The router's job waits for the next request of the user: the worker looks for it all the same."""
        self.field.execute(f"UPDATE jobs SET not_before = not_before + 3600 WHERE resource_id = '{self.router}' "
                           "AND state = 'queued'")

    def check(self) -> None:
        """Each pod leads to the subnets of all the others."""
        known = {self.router, f"tricircle:{self.router}"}
        for pod in self.field.cloud:
            router, = (row for row in pod.network.shelf("routers").values() if {row["id"], row["description"]} & known)
            own = sum(port["device_owner"] == "network:router_interface" for port in pod.network.ports_of(router)) - 1
            assert len(router["routes"]) == self.joined - own, (pod.name, router)


def run() -> list[tuple[str, ...]]:
    """Rows of the table."""
    rows, seconds, work = [], {}, {}
    for number, turns in TURNS.items():
        with field(number) as here:
            found = [_turn(here, turn) for turn in range(turns)]
            rows += _rows(number, found)
            seconds[number], work[number] = (_middle(found, "first router", of) for of in ("seconds", "worker"))
            rows += _slow_rows(number, _turn(here, turns, here.slow))
    few, many = min(TURNS), max(TURNS)
    rows.append(("first router", f"growth from {few} to {many} pods",
                 f"{seconds[many] / seconds[few]:.1f} times as long", f"{many / few:.0f} times as many",
                 f"{work[many] / work[few]:.1f} times the processor time"))
    with field(2) as here:
        rows += _many(here, seconds[2])
    return rows


@contextlib.contextmanager
def field(number: int) -> Iterator[Field]:
    """A field for a time."""
    with tempfile.TemporaryDirectory() as folder:
        made = Field(number, Path(folder))
        try:
            yield made
        finally:
            made.close()


def _turn(here: Field, turn: int, pace: Callable = contextlib.nullcontext) -> dict[str, Any]:
    """Everything once: what both convergences took, {"floor": seconds of each}, {"ansible": (seconds, work)}."""
    found: dict[str, Any] = {}
    span = Span(here)
    with stopped(here.worker):
        span.join(*span.made[:-1])
        span.hold()
    more = span.subnet(span.names[0])
    with pace():
        found["first router"] = here.timed(lambda: span.join(span.made[-1]))
        span.check()
        found["further subnet"] = here.timed(lambda: span.join(more))
        span.check()
        found["floor"] = direct.measure({"token": here.cloud.token("admin").id, "vlan": FIRST_VLAN + turn,
                                         "pods": [pod.network.server.url for pod in here.cloud]})
    found["ansible"] = empty.measure(len(here.cloud.pods))
    return found


def _middle(found: list[dict[str, Any]], name: str, of: str) -> float:
    return median(getattr(each[name], of) for each in found)


def _rows(number: int, found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows = []
    alone, spent = (median(each["ansible"][place] for each in found) for place in (0, 1))
    for name in GOALS:
        seconds, worker, pods = (_middle(found, name, of) for of in ("seconds", "worker", "pods"))
        floor, what = median(each["floor"][name] for each in found), f"{name}, {number} pods"
        rows.append((what, "time to converge", f"{seconds:.2f} s", f"floor {floor:.2f} s, Ansible alone {alone:.2f} s",
                     f"{seconds / (floor + alone):.2f} of both"))
        rows.append((what, "processor time", f"{worker:.2f} s", f"pods {pods:.2f} s, Ansible alone {spent:.2f} s",
                     f"{worker / spent:.2f} of Ansible's"))
    return rows


def _slow_rows(number: int, found: dict[str, Any]) -> list[tuple[str, ...]]:
    return [(f"{name}, {number} slow pods", "time to converge", f"{found[name].seconds:.2f} s",
             f"floor {found['floor'][name]:.2f} s", f"{found[name].seconds / found['floor'][name]:.2f} (goal {goal})")
            for name, goal in GOALS.items()]


def _many(here: Field, alone: float) -> list[tuple[str, ...]]:
    """Many routers dirty at once."""
    with ThreadPoolExecutor(4) as pool:
        spans = list(pool.map(lambda _: Span(here), range(ROUTERS)))
        with stopped(here.worker):
            list(pool.map(lambda span: span.join(*span.made), spans))
            for span in spans:
                span.hold()
        before = here.playbooks()

        def begin() -> None:
            here.execute("UPDATE jobs SET not_before = strftime('%s', 'now') WHERE state = 'queued'")

        begun = time.time()
        took = here.timed(begin)
    for span in spans:
        span.check()
    ends = [end - begun for end, in here.execute("SELECT finished_at FROM jobs WHERE kind = 'router' "
                                                 "ORDER BY finished_at DESC")][:ROUTERS]
    ran = here.playbooks() - before
    what = f"{ROUTERS} routers at once, 2 pods"
    return [
        (what, "until all have converged", f"{took.seconds:.1f} s", f"{ROUTERS} x one alone: {ROUTERS * alone:.0f} s",
         f"{ROUTERS * alone / took.seconds:.1f} times as fast"),
        (what, "routers a second", f"{ROUTERS / took.seconds:.1f}", f"one alone: {1 / alone:.1f}", ""),
        (what, "a job waits for its end", f"{median(ends):.1f} s, the last {max(ends):.1f} s",
         f"one alone: {alone:.2f} s", ""),
        (what, "playbooks", str(ran), f"{ROUTERS} routers", f"{ROUTERS / ran:.1f} routers each"),
        (what, "processor time", f"{took.worker:.1f} s", f"pods {took.pods:.1f} s",
         f"{took.worker / ROUTERS:.2f} s a router"),
    ]
