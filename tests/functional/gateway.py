"""The real gateway and the real worker as processes of their own, against stand-in pods."""
import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from tests.functional.client import POOL, Client
from tests.functional.standin import Cloud, settings
from tests.functional.standin.ports import free_port

TRICIRCLE = Path(sys.executable).with_name("tricircle")
SERVICES = ("admin", "compute", "volume", "network")
ROOTS = {"admin": "/v1.0", "compute": "/v2.1", "volume": "/v3", "network": "/v2.0"}
ZONES = {"Pod1": "az1", "Pod2": "az2"}


def until(what: Callable[[], Any], seconds: float = 20, pause: float = 0.02) -> Any:
    """Wait for a condition: the first true value that `what` gives; fails when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what}")


def children(pid: int) -> list[int]:
    """Ids of a process's children."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def stopped(process: "Process") -> Iterator[None]:
    """SIGSTOP for the time of the block: nothing of it runs, and nothing of it is lost."""
    os.killpg(process.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.process.pid, signal.SIGCONT)


UNREACHABLE = "X-Tricircle-Unreachable-Pods"


class Process:
    """A `tricircle` command that runs until it is stopped; its output goes to a file.

    Args:
        args: of the command.
        log: the file.
        command: what runs in the place of `tricircle`.
    """

    def __init__(self, *args: str, log: Path, command: tuple[str, ...] = (str(TRICIRCLE),)):
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen([*command, *args], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                            start_new_session=True)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def kill(self) -> None:
        """kill -9, its children too: what a power cut does."""
        self.end_group()
        self.process.wait(10)
        until(self._alone, 10)      # a dying child still accepts connections that nobody will serve

    def end_group(self) -> None:
        """SIGKILL for whatever is left of the process and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _alone(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def terminate(self) -> None:
        """SIGTERM, as systemd does."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it, one way or the other."""
        if self.running:
            self.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


class Gateway:
    """`tricircle serve` in a folder of its own.

    Args:
        cloud: the stand-ins.
        folder: for the configuration, the database and the logs; must exist.
        changed: settings that differ, see settings.DEFAULTS.
    """

    def __init__(self, cloud: Cloud, folder: Path, **changed: Any):
        self.cloud, self.folder = cloud, folder
        self.ports = {service: free_port() for service in SERVICES}
        self.metrics_port = free_port()
        self.conf = settings.write(cloud, folder, self.ports, metrics_port=self.metrics_port, **changed)
        subprocess.run([str(TRICIRCLE), "db", "upgrade", "--config-file", str(self.conf)], check=True, timeout=60,
                       capture_output=True)
        self.host = {"::": "::1"}.get(changed.get("bind_host"), changed.get("bind_host", "127.0.0.1"))
        self.api: Process | None = None
        self.command: tuple[str, ...] = (str(TRICIRCLE),)
        self.pods: dict[str, dict] = {}

    def start(self) -> "Gateway":
        """Run it, and return when all four ports answer."""
        self.api = Process("serve", "--config-file", str(self.conf), log=self.folder / "api.log", command=self.command)
        until(self._listens, 30)
        POOL.clear()      # connections to a gateway that was killed before on these ports
        return self

    def _listens(self) -> bool:
        assert self.api.running, f"tricircle serve ended: {self.api.log.read_text()[-3000:]}"
        for port in self.ports.values():
            try:
                socket.create_connection((self.host, port), 1).close()
            except OSError:
                return False
        return True

    def settle(self) -> None:
        """Wait until no process names a pod as unreachable: breakers close with the first call that gets through.

        Each process has its own breakers, so one whole list says little; that many in a row come from all of them.
        """
        for service, path in (("compute", "/servers?all_tenants=1"), ("volume", "/volumes?all_tenants=1"),
                              ("network", "/networks")):
            client = self.client(service, self.cloud.token("admin"))
            until(lambda c=client, p=path: all(UNREACHABLE not in c.get(p).headers for _ in range(8)), 30, 0.1)

    def register(self) -> "Gateway":
        """Register RegionOne and every pod, as an operator does first."""
        admin = self.client("admin", "admin")
        admin.ok("POST", "/pods", {"pod": {"pod_name": "RegionOne"}})
        for name in self.cloud.pods:
            zone = ZONES.get(name, f"az-{name.lower()}")
            self.pods[name] = admin.ok("POST", "/pods", {"pod": {"pod_name": name, "az_name": zone}})["pod"]
        return self

    def worker(self, **more: Any) -> Process:
        """`tricircle worker` on the same database; `more` is for Process."""
        return Process("worker", "--config-file", str(self.conf), log=self.folder / "worker.log", **more)

    def client(self, service: str, who: Any = "admin", **more: Any) -> Client:
        """A client of one of the four APIs.

        Args:
            service: admin, compute, volume or network.
            who: a user's name, a Token, or None for nobody.
            more: for Client.
        """
        token = self.cloud.token(who).id if isinstance(who, str) else who and who.id
        host = f"[{self.host}]" if ":" in self.host else self.host
        return Client(f"http://{host}:{self.ports[service]}{ROOTS[service]}", token, **more)

    def forget_jobs(self) -> None:
        """Drop what is queued, so that the worker of a later test does not run it first; and what it is owed for."""
        with sqlite3.connect(self.folder / "state" / "tricircle.sqlite", timeout=10) as db:
            db.execute("DELETE FROM jobs WHERE state = 'queued'")
            db.execute("DELETE FROM behind")
            db.execute("DELETE FROM intents")

    def hasten_jobs(self) -> None:
        """Let the holds of requests that were killed run out now, and their claims on replicas before."""
        with sqlite3.connect(self.folder / "state" / "tricircle.sqlite", timeout=10) as db:
            db.execute("UPDATE replicas SET claim_until = 0 WHERE local_id IS NULL")
            db.execute("UPDATE jobs SET not_before = 0, held_until = 0 WHERE state = 'queued'")
            db.execute("UPDATE intents SET until = 0")
            db.execute("UPDATE moves SET until = 0")

    def end_claims(self) -> None:
        """Let the time of claims on prefixes be over whose requests were lost."""
        with sqlite3.connect(self.folder / "state" / "tricircle.sqlite", timeout=10) as db:
            db.execute("UPDATE pool_prefixes SET until = 0")

    def store(self) -> dict[str, list[tuple]]:
        """Every row of the database, by table."""
        with sqlite3.connect(f"file:{self.folder}/state/tricircle.sqlite?mode=ro", uri=True) as db:
            tables = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in sorted(tables)}

    def story(self, lines: int = 40) -> dict[str, str]:
        """For whoever looks into a failure: the last lines of each log, without the debug ones, and all jobs."""
        found = {path.name: [line for line in path.read_text().splitlines() if " DEBUG " not in line]
                 for path in sorted(self.folder.glob("*.log"))}
        jobs = "\n".join(str(row) for row in self.store()["jobs"] if "done" not in row)
        return {**{name: "\n".join(text[-lines:]) for name, text in found.items()}, "jobs that are not done": jobs}

    def stop(self) -> None:
        """End the API."""
        if self.api:
            self.api.stop()


def figure(gateway: Gateway, name: str, **labels: str) -> float:
    """What Prometheus is told: the sum of the samples of a name that have these labels."""
    text = urllib3.request("GET", f"http://127.0.0.1:{gateway.metrics_port}/metrics", retries=False).data.decode()
    return sum(sample.value for family in text_string_to_metric_families(text) for sample in family.samples
               if sample.name == name and labels.items() <= sample.labels.items())
