"""HTTP as the stand-ins speak it: threads, keep-alive, and the ways in which a server can fail."""
import contextlib
import json
import re
import socket
import ssl
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.functional.standin.ports import free_port


@dataclass
class Request:
    """What came in.

    Args:
        method: HTTP method.
        path: decoded, without the query.
        query: pairs in the order in which they came; names repeat.
        headers: lower-case names.
        raw: the body as sent.
        base: `http://host:port` under which the caller reached this server.
    """

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    raw: bytes
    base: str
    who: Any = None

    def arg(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query parameter."""
        return dict(self.query).get(name, default)

    def args(self) -> dict[str, list[str]]:
        """Every value of each query parameter."""
        found: dict[str, list[str]] = {}
        for name, value in self.query:
            found.setdefault(name, []).append(value)
        return found


@dataclass
class Response:
    """What goes out: `body` is JSON-encoded unless it is bytes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The body's bytes."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body or b""
        return json.dumps(self.body).encode()


class Refused(Exception):
    """An error answer.

    Args:
        status: HTTP status.
        message: for the human.
        kind: Neutron's exception name.
    """

    def __init__(self, status: int, message: str, kind: str = ""):
        super().__init__(message)
        self.status, self.message, self.kind = status, message, kind


@dataclass(frozen=True)
class Mount:
    """How a server is reached.

    Args:
        host: address to listen on.
        prefix: what a front end takes off every path: `/compute`.
        tls: makes it speak TLS.
    """

    host: str = "127.0.0.1"
    prefix: str = ""
    tls: ssl.SSLContext | None = None


class Server:
    """One listening port.

    Args:
        serve: makes the response of a request.
        faults: what goes wrong, see faults.py; None for a server that never fails.
        mount: how it is reached.
    """

    def __init__(self, serve: Callable[[Request], Response], faults=None, mount: Mount | None = None):
        self.serve, self.faults, self._http, self.mount = serve, faults, None, mount or Mount()
        self._open: set[socket.socket] = set()
        self._deaf: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listen(free_port())

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`."""
        host = f"[{self.mount.host}]" if ":" in self.mount.host else self.mount.host
        return f"{self.scheme}://{host}:{self.port}{self.mount.prefix}"

    @property
    def scheme(self) -> str:
        """http or https."""
        return "https" if self.mount.tls else "http"

    def _listen(self, port: int) -> None:
        handler = type("Bound", (_Handler,), {"owner": self})
        self._http = (_Threads6 if ":" in self.mount.host else _Threads)((self.mount.host, port), handler)
        if self.mount.tls:
            self._http.socket = self.mount.tls.wrap_socket(self._http.socket, server_side=True,
                                                           do_handshake_on_connect=False)
        self.port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def refuse(self) -> None:
        """Stop listening and cut what is open: the next connection is refused."""
        if self._http:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def deafen(self) -> None:
        """After `refuse`: who connects hears nothing, since the kernel's queue of connections is full for good."""
        self._deaf = [socket.socket(_family(self.mount.host)) for _ in range(4)]
        listener, *others = self._deaf
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.mount.host, self.port))
        listener.listen(0)
        for each in others:
            each.setblocking(False)
            each.connect_ex((self.mount.host, self.port))

    def accept(self) -> None:
        """Listen again, on the same port."""
        for each in self._deaf:
            each.close()
        self._deaf = []
        if not self._http:
            self._listen(self.port)

    close = refuse


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A caller that went away (killed on purpose, mostly) is no news."""


class _Threads6(_Threads):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: Server

    def setup(self):
        super().setup()
        with self.owner._lock:
            self.owner._open.add(self.connection)

    def finish(self):
        with self.owner._lock:
            self.owner._open.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *args):
        """Quiet."""

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _serve(self):
        faults, mount = self.owner.faults, self.owner.mount
        for pattern, speak in list(faults.spoken.items()) if faults else ():
            if re.search(pattern, f"{self.command} {self.path}"):
                return speak(self)
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        base = f"{self.owner.scheme}://{headers.get('host', '127.0.0.1')}{mount.prefix}"
        path = unquote(url.path)
        request = Request(self.command, path.removeprefix(mount.prefix) or "/",
                          parse_qsl(url.query, keep_blank_values=True), headers, self._body(), base)
        if not path.startswith(mount.prefix):
            self.send_error(404)   # the front end's own: nothing of ours is there
            return None
        response = faults.around(request, self.owner.serve) if faults else self.owner.serve(request)
        if response is None:          # the fault says: no answer at all
            self.close_connection = True
            return None
        payload = response.encode()
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if "content-type" not in {name.lower() for name in response.headers} and payload:
            self.send_header("Content-Type", "application/json")
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD" and response.status not in (204, 304):
            if faults:
                faults.write(self, payload)
            else:
                self.wfile.write(payload)
        return None

    def __getattr__(self, name):
        """Any method at all: what is wrong with it is for the service to say."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)


def request_id() -> str:
    """A fresh id in OpenStack's form."""
    return f"req-{uuid.uuid4()}"
