"""Page time and memory of a list over many pods: `python -m tests.bench.lists [--pods 100] [--servers 10000]`.

Prints, for a walk over all pages, the time of a page beside the time of the slowest pod for its part of that page (as
the pod itself measures it in the same run), and how much the gateway's processes have grown.
"""
import argparse
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.functional.client import Client
from tests.functional.gateway import Gateway, children
from tests.functional.many import stock
from tests.functional.standin import Cloud
from tests.functional.user import User
from tricircle.upstream.paging import sizes


class Clock:
    """What each pod's Nova takes for a request, from the first byte read to the answer made."""

    def __init__(self, cloud: Cloud):
        self.slowest, self.calls, self._lock = 0.0, 0, threading.Lock()
        for pod in cloud:
            pod.compute.server.serve = self._timed(pod.compute.serve)

    def _timed(self, serve):
        def timed(request):
            begun = time.monotonic()
            try:
                return serve(request)
            finally:
                with self._lock:
                    self.calls += 1
                    self.slowest = max(self.slowest, time.monotonic() - begun)
        return timed

    def take(self) -> tuple[float, int]:
        """(the slowest, how many calls) since the last time."""
        with self._lock:
            found, self.slowest, self.calls = (self.slowest, self.calls), 0.0, 0
        return found


def resident(pid: int) -> int:
    """Resident memory of a process and its children, in KiB."""
    total = 0
    for each in (pid, *children(pid)):
        for line in Path(f"/proc/{each}/status").read_text().splitlines():
            total += int(line.split()[1]) if line.startswith("VmRSS") else 0
    return total


def walk(client, clock: Clock, path: str, limit: int) -> tuple[list[str], list[float], list[float], int]:
    """All pages by plain last ids: (ids, seconds of each page, seconds of its slowest pod, calls)."""
    ids, pages, pods, calls, marker = [], [], [], 0, ""
    while True:
        clock.take()
        begun = time.monotonic()
        page = client.ok("GET", f"{path}?limit={limit}{marker}", headers={"OpenStack-API-Version": "compute 2.93"})
        pages.append(time.monotonic() - begun)
        slowest, count = clock.take()
        pods.append(slowest)
        calls += count
        if not page["servers"]:
            return ids, pages, pods, calls
        ids += [row["id"] for row in page["servers"]]
        marker = f"&marker={ids[-1]}"


def direct(cloud: Cloud, token: str, path: str, size: int, times: int = 15) -> float:
    """Median seconds until all pods have answered when they are asked directly, all at once: the floor of a page."""
    clients = [Client(f"{pod.compute.server.url}/v2.1", token) for pod in cloud]
    found = []
    with ThreadPoolExecutor(len(clients)) as pool:
        for _ in range(times):
            begun = time.monotonic()
            list(pool.map(lambda client: client.ok("GET", f"{path}?limit={size}"), clients))
            found.append(time.monotonic() - begun)
    return statistics.median(found)


def main(words: list[str] | None = None) -> None:
    """Set up, walk twice (the first one warms connections and caches), print.

    Args:
        words: of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lists", description=__doc__)
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--servers", type=int, default=10_000)
    parser.add_argument("--limit", type=int, default=100)
    args = parser.parse_args(words)
    cloud = Cloud(args.pods)
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(cloud, Path(folder), list_deadline=30, deadline=60).start().register()
        try:
            boss = User(gateway, "admin")
            wanted = stock(cloud, boss.project, args.servers)
            clock, pid = Clock(cloud), gateway.api.process.pid
            for path in ("/servers/detail", "/servers"):
                boss.compute.ok("GET", f"{path}?limit={args.limit}")
                floor = direct(cloud, boss.token.id, "/servers/detail", sizes(args.limit, args.pods)[0])
                print(f"{path}: all pods asked directly for their part, at once: {floor * 1000:.0f} ms", flush=True)
                for turn in ("first walk", "second walk"):
                    before = resident(pid)
                    ids, pages, pods, calls = walk(boss.compute, clock, path, args.limit)
                    assert sorted(ids) == sorted(wanted), "a page lost or repeated a server"
                    print(f"{path} {turn}: {len(pages)} pages of {args.limit}, {calls / len(pages):.1f} calls a page; "
                          f"page median {statistics.median(pages) * 1000:.0f} ms, max {max(pages) * 1000:.0f} ms; "
                          f"slowest pod median {statistics.median(pods) * 1000:.0f} ms, max {max(pods) * 1000:.0f} ms; "
                          f"RSS {before // 1024} -> {resident(pid) // 1024} MiB", flush=True)
        finally:
            gateway.stop()
            cloud.close()


if __name__ == "__main__":
    main()
