"""Load: connections that each send the next request when the last one is answered. Runs in a process of its own.

`python -m tests.bench.load PORT CONNECTIONS SECONDS` reads one request from stdin, prints a JSON list of seconds.
"""
import asyncio
import json
import subprocess
import sys
import time

from tests.bench.backend import LENGTH


class Asker(asyncio.Protocol):
    """One connection, of at least two requests."""

    answers = 0

    def __init__(self, request: bytes, end: float, took: list[float], done: asyncio.Future):
        self.request, self.end, self.took, self.done, self.buffer = request, end, took, done, b""

    def connection_made(self, transport):
        self.transport = transport
        self.ask()

    def ask(self):
        """Send it again."""
        self.sent = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data):
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or len(self.buffer) < end + 4 + int(LENGTH.search(self.buffer, 0, end + 2)[1]):
            return
        if self.buffer[9:10] != b"2":
            self.done.set_exception(AssertionError(self.buffer[:500]))
            return
        self.buffer = b""
        self.took.append(time.perf_counter() - self.sent)
        self.answers += 1
        if time.perf_counter() < self.end or self.answers < 2:
            self.ask()
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error):
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed"))


async def run(port: int, connections: int, seconds: float, request: bytes) -> list[float]:
    """Seconds that each request took."""
    loop, took, waiting = asyncio.get_running_loop(), [], []
    end = time.perf_counter() + seconds
    for _ in range(connections):
        done = loop.create_future()
        waiting.append(done)
        await loop.create_connection(lambda done=done: Asker(request, end, took, done), "127.0.0.1", port)
    await asyncio.gather(*waiting)
    return took


def measure(port: int, request: bytes, connections: int, seconds: float) -> list[float]:
    """Run it in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "tests.bench.load", str(port), str(connections), str(seconds)],
                          input=request, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.stdin.buffer.read()))))
