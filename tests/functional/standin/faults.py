"""What can go wrong at a server, switched on and off by a test."""
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.functional.standin.web import Request, Response

WRITES = ("POST", "PUT", "PATCH", "DELETE")
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"


class Stop:
    """A write call that is held until the test lets it go.

    Args:
        k: the k-th write from now on, counted over all pods; 1 is the next one.
        when: `before` it is done or `after` (done, but not answered).
        match: only writes whose `METHOD path` matches this pattern count.
    """

    def __init__(self, k: int, when: str = "before", match: str = ""):
        assert when in ("before", "after")
        self.k, self.when, self._match = k, when, re.compile(match)
        self._count, self._lock = 0, threading.Lock()
        self._reached, self._go, self._drop = threading.Event(), threading.Event(), False
        self.request: Request | None = None

    def mine(self, request: Request) -> bool:
        """Whether this request is the one to hold."""
        if not self._match.search(f"{request.method} {request.path}"):
            return False
        with self._lock:
            self._count += 1
            return self._count == self.k

    def hold(self, request: Request) -> bool:
        """Wait for the test; True when the call shall go on, False when its connection is to be cut."""
        self.request = request
        self._reached.set()
        self._go.wait(120)
        return not self._drop

    def wait(self, seconds: float = 30) -> bool:
        """Whether the write was reached within so many seconds."""
        return self._reached.wait(seconds)

    @property
    def reached(self) -> bool:
        """Whether it has been reached by now."""
        return self._reached.is_set()

    def release(self) -> None:
        """Let the call go on as if nothing had been."""
        self._go.set()

    def drop(self) -> None:
        """Cut the call off: a `before` one is never done, an `after` one never answered."""
        self._drop = True
        self._go.set()


class Stops:
    """The held writes of a whole cloud."""

    def __init__(self):
        self._all: list[Stop] = []
        self._lock = threading.Lock()

    def add(self, stop: Stop) -> Stop:
        """Arm one."""
        with self._lock:
            self._all.append(stop)
        return stop

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            for stop in self._all:
                stop.release()
            self._all.clear()

    def taken(self, request: Request) -> list[Stop]:
        """Those that hold this request."""
        if request.method not in WRITES:
            return []
        with self._lock:
            armed = list(self._all)
        return [stop for stop in armed if stop.mine(request)]


NAMES = frozenset({"silent", "drip", "half", "html", "every", "lose", "slow"})


@dataclass
class Faults:
    """The faults of one service of one pod; all off at first. Connection refusal is `Server.refuse`.

    Args:
        stops: the cloud's held writes.
        silent: accept, read the request, never answer (until cleared).
        drip: seconds between two bytes of an answer's body.
        half: send half of the body that Content-Length promises, then cut.
        html: status of an HTML page that a load balancer would send in the service's place.
        every: each k-th request is answered with 500 and not done.
        lose: pattern of `METHOD path`; matching calls are done, their answers lost.
        slow: seconds to wait before a request is looked at.
        spoken: {pattern of `METHOD path`: function(handler)}: a test answers matching calls itself, byte by byte.
        only: pattern of `METHOD path` to which all of these (but `lose`) are limited.
    """

    stops: Stops = field(default_factory=Stops)
    silent: bool = False
    drip: float = 0
    half: bool = False
    html: int = 0
    every: int = 0
    lose: str = ""
    slow: float = 0
    only: str = ""
    spoken: dict[str, Callable] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    used: bool = False

    def __post_init__(self):
        self._count, self._lock, self._cleared = 0, threading.Lock(), threading.Event()

    def __setattr__(self, name: str, value: object) -> None:
        if name in NAMES and value:
            self.used = True    # until somebody has waited for what the gateway remembers of it
        super().__setattr__(name, value)

    def clear(self) -> None:
        """All off."""
        self.silent = self.half = False
        self.drip = self.html = self.every = self.slow = 0
        self.lose = self.only = ""
        self.spoken = {}
        self._cleared.set()
        self._cleared = threading.Event()

    def around(self, request: Request, serve: Callable[[Request], Response]) -> Response | None:
        """Serve a request with what goes wrong; None means that no answer goes out."""
        what = f"{request.method} {request.path}"
        with self._lock:
            self.calls.append((request.method, request.path))
        if re.search(self.only, what):
            if self.slow:
                self._cleared.wait(self.slow)
            if self.silent:
                self._cleared.wait(120)
                return None
            if self.html:
                return Response(self.html, HTML, {"Content-Type": "text/html",
                                                  "X-Openstack-Request-Id": "req-balancer"})
            if self.every and self._turn():
                return Response(500, {"computeFault": {"code": 500, "message": "Unexpected API Error."}})
        held = self.stops.taken(request)
        if not all(stop.hold(request) for stop in held if stop.when == "before"):
            return None
        response = serve(request)
        if not all(stop.hold(request) for stop in held if stop.when == "after"):
            return None
        if self.lose and re.search(self.lose, what):
            return None
        return response

    def _turn(self) -> bool:
        with self._lock:
            self._count += 1
            return self._count % self.every == 0

    def write(self, handler, payload: bytes) -> None:
        """Send a body, or what the fault leaves of it."""
        chosen = re.search(self.only, f"{handler.command} {handler.path}")
        if self.half and chosen:
            handler.wfile.write(payload[:len(payload) // 2])
            handler.close_connection = True
        elif self.drip and chosen:
            for position in range(len(payload)):
                handler.wfile.write(payload[position:position + 1])
                self._cleared.wait(self.drip)
        else:
            handler.wfile.write(payload)
