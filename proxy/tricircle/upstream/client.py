"""HTTP to the pods: pooled connections, one deadline for the whole call, one breaker for each pod and service."""
import contextlib
import json
import logging
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, BinaryIO

import urllib3
from oslo_config import cfg

from tricircle import jsons, logs, metrics, trace
from tricircle.errors import EndpointMissing, PodUnreachable, Unavailable
from tricircle.upstream import bodies, wire
from tricircle.upstream.account import Account
from tricircle.upstream.breaker import Breaker, Call
from tricircle.upstream.deadline import Deadline

LOG = logging.getLogger(__name__)
MOST_ENDPOINTS = 3000
PATIENCE_SECONDS = 3.0   # without any answer of a pod's service: then half of the threads may wait for it
READS = ("GET", "HEAD")
# A small question for each service that needs its database, and Keystone for the token: what a user's call needs, too.
LOOKS = {"compute": "/v2.1/servers?limit=1", "volume": "/v3/{own}/volumes?limit=1", "network": "/v2.0/networks?limit=1"}
# Bytes of a request's head. uWSGI, which serves the pods' APIs, closes the connection at one that is longer than its
# buffer-size: at most 64 KiB, and 4 KiB where nothing is configured.
MOST_HEAD, SMALL_HEAD = 65_000, 4096
# Raised before a byte of the request left this machine, so the call may be repeated.
NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


@dataclass(frozen=True)
class Answer:
    """An answer of a pod.

    Args:
        pod: who answered.
        status: HTTP status.
        headers: case-insensitive, repeated ones kept.
        body: whole, decoded of its content encoding.
        stream: the body of an answer that passes through, in pieces; `body` is empty then.
        length: of the stream in bytes, where the pod has framed it so.
    """

    pod: str
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes
    stream: Iterator[bytes] | None = None
    length: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The parsed body; None when it is not JSON."""
        try:
            return jsons.loads(self.body)
        except ValueError:
            return None


def document(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer; {} where its body is anything else."""
    found = answer.json()
    return found if isinstance(found, dict) else {}


def member(answer: Answer, name: str) -> dict[str, Any]:
    """Return the object under a name in an answer; {} where there is none."""
    found = document(answer).get(name)
    return found if isinstance(found, dict) else {}


class Upstream:
    """Calls to pods.

    Args:
        conf: group `pods` is read.
        account: gives endpoints, and the token where the caller has none.
    """

    def __init__(self, conf: cfg.ConfigOpts, account: Account):
        self.conf, self.account = SimpleNamespace(**conf.pods), account   # oslo.config is slow to ask
        # One pool for each pod and service: with too few of them every call to a hundred pods opens a connection anew.
        self._manager = wire.manager(num_pools=MOST_ENDPOINTS, maxsize=conf.api.threads, block=False,
                                     blocksize=bodies.CHUNK, ca_certs=conf.service_account.cafile)
        self._most = max(1, conf.api.threads // 2)
        self._pools: dict[str, tuple[urllib3.HTTPConnectionPool, str]] = {}
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._lock = threading.Lock()

    def breaker(self, pod: str, service: str) -> Breaker:
        """The breaker of a pod's service."""
        with self._lock:
            key = (pod, service)
            if key not in self._breakers:
                self._breakers[key] = Breaker(self.conf.breaker_failures, self.conf.breaker_seconds, self._most,
                                              PATIENCE_SECONDS)
                metrics.breaker(pod, service, False)
            return self._breakers[key]

    def call(self, pod: str, service: str, method: str, path: str, *, headers: dict[str, str] | None = None,
             body: bytes | BinaryIO | None = None, deadline: Deadline | None = None, through: bool = False) -> Answer:
        """One call, and its answer.

        Args:
            pod: pod's name.
            service: `compute`, `volume` or `network`.
            method: HTTP method.
            path: from the version on, with the query: `/v2.1/servers?limit=2`.
            headers: as they shall go out, token included; without any, the service account's token is used.
            body: request body; a file goes out in blocks, its length is in `headers`.
            deadline: of the whole call; the configured one by default.
            through: a body that nobody has to look into may stay unread, in `Answer.stream`.

        Returns:
            The answer, whatever its status: 414 in place of a pod's where its server would take no head so long.

        Raises:
            PodUnreachable: no whole answer in time, or the breaker is open.
            EndpointMissing: the region has no such service.
            Unavailable: Keystone is needed and does not answer.
        """
        deadline = deadline or Deadline(self.conf.deadline)
        trace.asked(pod)
        breaker, owner = self.breaker(pod, service), trace.project()
        under_way = breaker.begin(owner, probes=isinstance(body, bytes | None))
        if not under_way:
            metrics.called(pod, service, method, "breaker", 0)
            why = "failed several times in a row; it is tried again shortly" if breaker.open_for(owner) else \
                "gives no answer, and enough calls wait for one"
            raise PodUnreachable(pod, service, why, sent=False)
        try:
            return self._call(pod, service, method, path, headers, body, deadline, through, breaker, under_way)
        finally:
            under_way.ended()

    def _call(self, pod: str, service: str, method: str, path: str, headers: dict[str, str] | None,
              body: bytes | BinaryIO | None, deadline: Deadline, through: bool, breaker: Breaker,
              under_way: Call) -> Answer:
        try:
            root = self.account.endpoint(pod, service)
        except EndpointMissing:
            metrics.called(pod, service, method, "unreachable", 0)
            raise
        # All or nothing: with a default for one header a user's call could go out under our own token.
        out = {"X-Auth-Token": self.account.token()} if headers is None else headers
        size = _head_size(path, out)
        if size > MOST_HEAD:
            return Answer(pod, 414, urllib3.HTTPHeaderDict({"Content-Type": "text/plain"}), b"Request-URI Too Long")
        began, hurried = time.monotonic(), deadline.left() < min(self.conf.connect_deadline, deadline.seconds / 2)
        try:
            response = self._request(method, root, path, out, body, deadline)
            answer = self._answer(pod, response, deadline if isinstance(body, bytes | None) else
                                  Deadline(deadline.seconds), through)
        except urllib3.exceptions.HTTPError as error:
            sent, doubted = not _never_sent(error), False
            if hurried and _timed_out(error):
                pass   # what the request has done before has left no time for it: that says nothing of the pod
            elif not sent:
                under_way.refused()
            elif isinstance(error, bodies.TooLong):
                under_way.answered()
            elif size > SMALL_HEAD and not _timed_out(error):
                pass   # its server may have closed the connection because of the head
            elif isinstance(body, bytes | None):   # a pod may cut an upload off, or take its time with it
                doubted = under_way.silent()
            metrics.called(pod, service, method, "unreachable", time.monotonic() - began)
            metrics.breaker(pod, service, breaker.open)
            if doubted:
                threading.Thread(target=self._look, args=(pod, service), daemon=True).start()
            raise PodUnreachable(pod, service, _reason(error), sent, sent and method not in READS) from error
        metrics.called(pod, service, method, answer.status, time.monotonic() - began)
        if breaker.open:
            metrics.breaker(pod, service, False)
        under_way.answered()
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug("%s %s %s -> %s %s", pod, method, path.partition("?")[0], answer.status,
                      answer.headers.get("x-openstack-request-id", ""))
        return answer

    def _look(self, pod: str, service: str) -> None:
        """Ask what no user has caused: an answer closes the breaker."""
        with contextlib.suppress(PodUnreachable, EndpointMissing, Unavailable):
            path = LOOKS[service].format(own=self.account.project_id())
            self.call(pod, service, "GET", path, deadline=Deadline(min(PATIENCE_SECONDS, self.conf.list_deadline)))

    def ask(self, pod: str, service: str, method: str, path: str, body: Any = None,
            deadline: Deadline | None = None, microversion: str = "") -> Answer:
        """A JSON call as the service account; whatever it changes gets its line in the audit. Raises as `call`."""
        status: int | str = "unanswered"   # whatever else may be raised: nobody knows what the pod has done by then
        try:
            answer = self._as_account(pod, service, method, path, body, deadline, microversion)
            status = answer.status
            return answer
        except PodUnreachable as error:
            status = status if error.sent else "unsent"
            raise
        except Unavailable:
            status = "unsent"
            raise
        finally:
            if method != "GET":
                logs.audit(pod, method, path, status)

    def _as_account(self, pod: str, service: str, method: str, path: str, body: Any, deadline: Deadline | None,
                    microversion: str) -> Answer:
        """A token that a pod refuses is renewed once."""
        data = None if body is None else json.dumps(body).encode()
        def call() -> Answer:
            headers = {"Content-Type": "application/json", "Accept": "application/json",
                       "X-Auth-Token": self.account.token()}
            if microversion:
                headers["OpenStack-API-Version"] = microversion
            return self.call(pod, service, method, path, headers=headers, body=data, deadline=deadline)

        answer = call()
        if answer.status == 401:
            self.account.refresh()
            answer = call()
        return answer

    def _pool(self, root: str) -> tuple[urllib3.HTTPConnectionPool, str]:
        """The connections to an endpoint, and its path's prefix; PoolManager takes an URL apart for every request."""
        if root not in self._pools:
            place = urllib3.util.parse_url(root)
            self._pools[root] = self._manager.connection_from_url(root), place.path or ""
        return self._pools[root]

    def _request(self, method: str, root: str, path: str, headers: dict[str, str], body: bytes | BinaryIO | None,
                 deadline: Deadline) -> wire.Whole | urllib3.BaseHTTPResponse:
        left = deadline.left()
        if left <= 0:
            raise urllib3.exceptions.TimeoutError("the time for this request was used up before the call")
        connect = self.conf.connect_deadline
        if not isinstance(body, bytes | None):
            connect = deadline.seconds   # a fresh connection sends under this time-out, too: here for each block
            body = bodies.Paced(body)
        pool, prefix = self._pool(root)
        return pool.ask(method, prefix + path, body, headers, min(connect, left), left)

    @staticmethod
    def _answer(pod: str, response: wire.Whole | urllib3.BaseHTTPResponse, deadline: Deadline, through: bool) -> Answer:
        if isinstance(response, wire.Whole):
            if through and bodies.passes_through(response):
                stream = (part for part in (response.data,))
                return Answer(pod, response.status, response.headers, b"", stream, len(response.data))
            return Answer(pod, response.status, response.headers, response.data)
        try:
            if not bodies.decodable(response):
                raise urllib3.exceptions.DecodeError("an encoding that was not asked for")
            if through and bodies.passes_through(response):
                length = getattr(response._original_response, "length", None)
                # The first piece is waited for here: a pod that dies before it can still be reported as an error.
                stream = bodies.pieces(response, bodies.read(response), pod, deadline.seconds)
                return Answer(pod, response.status, response.headers, b"", stream, length)
            return Answer(pod, response.status, response.headers, bodies.whole(response, deadline))
        except BaseException:
            response.close()
            raise


def _head_size(path: str, headers: Mapping[str, str]) -> int:
    """Return how long a request's head is in bytes, about."""
    return len(path) + sum(len(name) + len(value) + len(": \r\n") for name, value in headers.items())


def _never_sent(error: Exception) -> bool:
    return isinstance(error, NOT_SENT) or isinstance(getattr(error, "reason", None), NOT_SENT) or _untrusted(error)


def _timed_out(error: Exception) -> bool:
    """Whether it is about time alone; urllib3 has refused connections among its time-outs."""
    return isinstance(error, urllib3.exceptions.TimeoutError) and \
        not isinstance(error, urllib3.exceptions.NewConnectionError)


def _untrusted(error: Exception) -> bool:
    return isinstance(error, urllib3.exceptions.SSLError) and isinstance(error.args[0], ssl.SSLCertVerificationError)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, NOT_SENT):
        return "gave no whole answer in time"
    if _untrusted(error):
        return f"its certificate is not trusted ({error.args[0].verify_message}): see [service_account]cafile"
    if _never_sent(error):
        return "does not accept connections"
    if isinstance(error, urllib3.exceptions.DecodeError):
        return "sent a body that cannot be decoded"
    if isinstance(error, bodies.TooLong):
        return f"sent {error}"
    return f"broke the connection ({type(error).__name__})"
