"""The baseline: waitress and urllib3 without any logic, in as many processes as the gateway, with the same pinning.

`python -m tests.bench.forwarder PORT URL PROCESSES THREADS`.
"""
import os
import signal
import socket
import sys

import urllib3
import waitress

from tricircle.api.processors import Processors
from tricircle.api.serve import SETTLE_SECONDS

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"}


def application(root: str, threads: int):
    """Forward everything as it comes."""
    pool = urllib3.PoolManager(num_pools=64, maxsize=threads, retries=False)

    def forward(environ, start_response):
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items()
                   if name.startswith("HTTP_") and name not in ("HTTP_HOST", "HTTP_CONNECTION")}
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length:
            headers["content-type"] = environ["CONTENT_TYPE"]
        answer = pool.request(environ["REQUEST_METHOD"], root + environ["REQUEST_URI"], headers=headers,
                              body=environ["wsgi.input"].read(length) or None, redirect=False)
        start_response(f"{answer.status} {answer.reason}", [
            (name, value) for name, value in answer.headers.items() if name.lower() not in HOP])
        return [answer.data]

    return forward


def main(port: int, root: str, processes: int, threads: int) -> None:
    """Serve for ever."""
    sock = socket.create_server(("127.0.0.1", port), backlog=1024)
    children = []
    for _ in range(processes):
        children.append(os.fork())
        if not children[-1]:
            waitress.serve(application(root, threads), sockets=[sock], threads=threads, connection_limit=1000,
                           asyncore_use_poll=True)
            return
    processors = Processors()
    processors.settle(children)
    signal.signal(signal.SIGALRM, lambda *_: processors.settle(children))
    signal.setitimer(signal.ITIMER_REAL, SETTLE_SECONDS, SETTLE_SECONDS)
    os.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
