"""What is measured and what it is measured against: one pod that answers at once, a gateway, a bare forwarder."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.functional.gateway import Gateway, children, until
from tests.functional.standin import Cloud
from tests.functional.standin.ports import free_port

PROCESSES, THREADS = 1, 16   # of the gateway, and of the forwarder
TICK = os.sysconf("SC_CLK_TCK")


class World:
    """Running servers.

    Args:
        gateway: the tokens `token` and `other`, of two projects, are in its cache once they were used.
        ports: of `direct` (the pod itself), `forwarder` and `gateway` (its Nova API).
        pids: of the processes that serve at `forwarder` and `gateway`; both pin them in the same way.
        cached: whether there is a memcached.
    """

    def __init__(self, gateway: Gateway, ports: dict[str, int], pids: dict[str, list[int]], cached: bool):
        self.gateway, self.ports, self.pids, self.cached = gateway, ports, pids, cached
        self.token, self.other = gateway.cloud.token("alice").id, gateway.cloud.token("bob").id
        self.server = str(uuid.uuid4())

    def request(self, method: str = "GET", path: str = "/v2.1/servers/{server}", body: dict | None = None) -> bytes:
        """The bytes of a request that every one of the three understands."""
        data = json.dumps(body).encode() if body else b""
        head = (f"{method} {path.format(server=self.server)} HTTP/1.1\r\nHost: localhost\r\n"
                f"X-Auth-Token: {self.token}\r\nAccept: application/json\r\nUser-Agent: python-novaclient\r\n"
                "OpenStack-API-Version: compute 2.93\r\n")
        if data:
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        return head.encode() + b"\r\n" + data

    def cpu(self, name: str) -> float:
        """Seconds of processor time that a server's threads have had (proc_pid_schedstat(5): to the nanosecond)."""
        return sum(int(path.read_text().split()[0]) for pid in self.pids[name]
                   for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9

    def files(self, name: str) -> int:
        """How many files and connections a server has open."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids[name])

    def memory(self, name: str) -> int:
        """Bytes that a server has resident."""
        pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in self.pids[name])
        return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")


def cpu(pid: int) -> float:
    """Seconds of processor time of a process and of those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICK


def start_process(*command: str) -> subprocess.Popen:
    """Start a process that leads a group of its own, and says nothing."""
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def listens(port: int) -> bool:
    """Return whether somebody takes connections at a port of this host."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


@contextlib.contextmanager
def world(**changed: Any) -> Iterator[World]:
    """Start everything, and end it.

    Args:
        changed: settings of the gateway.
    """
    pod, forwarder, memcached = free_port(), free_port(), free_port()
    cached = shutil.which("memcached")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        def start(port: int, *command: str) -> int:
            process = start_process(*command)
            stack.callback(lambda: (os.killpg(process.pid, signal.SIGKILL), process.wait()))   # its children, too
            until(lambda: listens(port))
            return process.pid

        start(pod, sys.executable, "-m", "tests.bench.backend", str(pod))
        if cached:
            start(memcached, cached, "-u", "nobody", "-l", "127.0.0.1", "-p", str(memcached))
        cloud = Cloud(1)
        stack.callback(cloud.close)
        for endpoint in cloud.identity.endpoints:
            if endpoint["region"] == "Pod1":
                endpoint["url"] = f"http://127.0.0.1:{pod}"
        # A load comes from one address: as a proxy it may open any number of connections.
        gateway = Gateway(cloud, Path(folder), threads=THREADS, debug="false", api="trusted_proxy = 127.0.0.1",
                          **{"processes": PROCESSES, **changed},
                          authtoken=f"memcached_servers = 127.0.0.1:{memcached}" if cached else "")
        stack.callback(gateway.stop)
        gateway.start().register()
        parent = start(forwarder, sys.executable, "-m", "tests.bench.forwarder", str(forwarder),
                       f"http://127.0.0.1:{pod}", str(PROCESSES), str(THREADS))
        until(lambda: len(children(parent)) == PROCESSES)   # it listens before it forks
        pids = {"forwarder": children(parent),
                "gateway": children(gateway.api.process.pid)}
        ports = {"direct": pod, "forwarder": forwarder, "gateway": gateway.ports["compute"]}
        yield World(gateway, ports, pids, bool(cached))
