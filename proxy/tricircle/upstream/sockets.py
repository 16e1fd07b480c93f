"""Sockets without a time-out of their own: one system call to send, two to wait for what comes and to take it.

With a time-out Python sets a mode before each of them and waits before it sends. Each call of the kernel also hands the
interpreter's lock to another thread, and back.
"""
import queue
import select
import socket
import time


def left(end: float) -> float:
    """Return the seconds until a time of the monotonic clock. Raises TimeoutError when there are none."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def is_plain(sock: socket.socket | None) -> bool:
    """Whether `send` and `receive` may be used: TLS has a say in when something can be sent and received."""
    return type(sock) is socket.socket


def send(sock: socket.socket, data: bytes, end: float) -> None:
    """Send all of it.

    Args:
        sock: plain.
        data: some bytes.
        end: by the monotonic clock, when they have to be gone.

    Raises:
        OSError: they are not.
    """
    _make_non_blocking(sock)
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[sock.send(rest):]
        except BlockingIOError:
            _wait(sock, select.POLLOUT, end)


def receive(sock: socket.socket, size: int, end: float) -> bytes:
    """Return what comes next, nothing at the end. Arguments and errors as of `send`."""
    _make_non_blocking(sock)
    while True:
        _wait(sock, select.POLLIN, end)
        try:
            return sock.recv(size)
        except BlockingIOError:
            continue   # the kernel may take back what it has said (select(2), BUGS)


def _make_non_blocking(sock: socket.socket) -> None:
    if sock.gettimeout() != 0:
        sock.settimeout(0)


def _wait(sock: socket.socket, event: int, end: float) -> None:
    poll = select.poll()
    poll.register(sock, event)
    if not poll.poll(left(end) * 1000):
        raise TimeoutError


class IdleConnections:
    """Connections that wait for a call; the last one that came goes first.

    What urllib3's pools use of queue.LifoQueue, whose locks cost as much as a look-up in the database. Nobody waits
    here: such a pool makes a new connection when there is none.

    Args:
        maxsize: of them.
    """

    def __init__(self, maxsize: int):
        self._items: list = []
        self._maxsize = maxsize

    def qsize(self) -> int:
        """Return how many there are."""
        return len(self._items)

    def get(self, block: bool = False, timeout: float | None = None) -> object:
        """Take the last one. Raises queue.Empty when there is none."""
        try:
            return self._items.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, item: object, block: bool = False, timeout: float | None = None) -> None:
        """Add one. Raises queue.Full when there are enough."""
        if len(self._items) >= self._maxsize:
            raise queue.Full
        self._items.append(item)
