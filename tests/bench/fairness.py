"""What one project's 200 parallel slow lists do to another project's requests.

`python -m tests.bench.fairness PORT NUMBER` is the first project: it reads a request from stdin, sends it over and over
on each of so many connections, and comes again when Retry-After says so; until it is ended.
"""
import asyncio
import subprocess
import sys
from statistics import median, quantiles

from tests.bench.backend import LENGTH
from tests.bench.load import measure
from tests.bench.world import World, world

MANY, CLIENTS, ROUNDS, SECONDS, SETTLE, GOAL = 200, 4, 5, 2.0, 2.0, 2
SLOW = "/v2.1/servers/detail?name=slow"
SHARE = 0.5


async def ask(port: int, request: bytes) -> None:
    """One connection of the first project."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(LENGTH.search(head)[1]))
        if head[9:12] == b"429":
            await asyncio.sleep(int(head.lower().partition(b"\r\nretry-after: ")[2].partition(b"\r\n")[0]))


async def crowd(port: int, number: int, request: bytes) -> None:
    """All of them."""
    await asyncio.gather(*(ask(port, request) for _ in range(number)))


def run() -> list[tuple[str, ...]]:
    """Rows of the table."""
    with world(processes=1, project_share=SHARE) as here:
        alone, beside = [], []
        for _ in range(ROUNDS):
            alone += _second(here)
            others = subprocess.Popen([sys.executable, "-m", "tests.bench.fairness", str(here.ports["gateway"]),
                                       str(MANY)], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                others.stdin.write(here.request(path=SLOW))
                others.stdin.close()
                measure(here.ports["gateway"], _request(here), 1, SETTLE)   # until all of them have come
                beside += _second(here)
                assert others.poll() is None, others.stderr.read().decode()[-2000:]
            finally:
                others.kill()
                others.wait()
                others.stderr.close()
    rows = []
    for name, figure, goal in (("p50", median, ""), ("p99", _p99, f" (goal {GOAL})")):
        one, two = figure(alone) * 1000, figure(beside) * 1000
        rows.append(("fairness", f"{name} beside {MANY} slow lists of another project", f"{two:.2f} ms",
                     f"alone {one:.2f} ms", f"{two / one:.2f}{goal}"))
    return rows


def _request(here: World) -> bytes:
    """Of the second project: a server."""
    return here.request().replace(here.token.encode(), here.other.encode())


def _p99(took: list[float]) -> float:
    return quantiles(took, n=100)[98]


def _second(here: World) -> list[float]:
    return measure(here.ports["gateway"], _request(here), CLIENTS, SECONDS)


if __name__ == "__main__":
    asyncio.run(crowd(int(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer.read()))
