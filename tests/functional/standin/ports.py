"""Ports that one test process has to itself."""
import contextlib
import functools
import itertools
import os
import socket
from collections.abc import Iterator

# Below those that the kernel gives to outgoing connections: one of them could be taken by a client while a server is
# down on purpose, even by the very client that tries to reach it.
FIRST, SLICES, EACH = 11000, 21, 1000


def free_port() -> int:
    """A port that nobody listens on, nor will before this process has been through all of its slice.

    A port drawn from all of them was another test process's pod at times: down on purpose, it found its place taken,
    and its gateway asked a stranger.
    """
    for port in _slice(os.getpid()):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a cycle has no end")


@functools.cache
def _slice(pid: int) -> Iterator[int]:
    """The first slice that no other process has.

    What marks it as taken is an abstract socket: its name is gone with the process, whatever that dies of.
    """
    for number in range(SLICES):
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0tricircle-test-ports-{number}")
        except OSError:
            mark.close()
            continue
        _slice.mark = mark      # held as long as the process lives
        return itertools.cycle(range(FIRST + number * EACH, FIRST + (number + 1) * EACH))
    raise RuntimeError(f"{SLICES} test processes run here already: no ports are left")
