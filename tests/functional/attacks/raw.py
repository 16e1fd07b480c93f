"""A client that sends what it likes, as slowly as it likes."""
import contextlib
import json
import socket
from collections.abc import Iterator


class Raw:
    """One connection to a port of the gateway.

    Args:
        gateway: running.
        service: whose port.
    """

    def __init__(self, gateway, service="compute"):
        self.socket = socket.create_connection((gateway.host, gateway.ports[service]), 10)

    def head(self, line, token=None, **headers) -> "Raw":
        """Send a request's header; `Content_Length=5` is a header of it."""
        if token:
            headers["X_Auth_Token"] = token
        lines = [f"{line} HTTP/1.1", "Host: gateway", *(f"{n.replace('_', '-')}: {v}" for n, v in headers.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        return self

    def pour(self, most: int, piece: bytes = b"u" * (1 << 16)) -> int:
        """Send up to so many bytes, as long as the other side takes them within a second; how many it took."""
        self.socket.settimeout(1)
        sent = 0
        with contextlib.suppress(OSError):
            while sent < most:
                sent += self.socket.send(piece[:most - sent])
        self.socket.settimeout(10)
        return sent

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of the next answer; 0 where the connection was closed without one."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while b"\r\n\r\n" not in data and (more := self.socket.recv(1 << 16)):
                data += more
        head, _, body = data.partition(b"\r\n\r\n")
        if not head:
            return 0, {}, b""
        first, *rest = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
        while len(body) < int(headers.get("content-length", 0)) and (more := self.socket.recv(1 << 16)):
            body += more
        return int(first.split()[1]), headers, body

    def error(self) -> tuple[int, dict[str, str], dict]:
        """The same, parsed."""
        status, headers, body = self.answer()
        return status, headers, json.loads(body) if body else {}

    def closed(self) -> bool:
        """Whether the other side ends the connection, within the time-out of the socket."""
        try:
            return not self.socket.recv(1)
        except ConnectionError:
            return True

    def close(self) -> None:
        """End it."""
        self.socket.close()


@contextlib.contextmanager
def many(gateway, number, service="compute") -> Iterator[list[Raw]]:
    """So many connections for the time of the block."""
    made = [Raw(gateway, service) for _ in range(number)]
    try:
        yield made
    finally:
        for each in made:
            each.close()
