"""HTTP to the pods: pooled connections, one deadline for the whole call, one breaker for each pod and service."""
import json
import logging
import threading
from dataclasses import dataclass
from typing import Any

import urllib3
from oslo_config import cfg

from tricircle.errors import PodUnreachable
from tricircle.upstream.account import Account
from tricircle.upstream.breaker import Breaker
from tricircle.upstream.deadline import Deadline

LOG = logging.getLogger(__name__)
CHUNK = 1 << 16
MOST_ENDPOINTS = 3000
# Raised before a byte of the request left this machine, so the call may be repeated.
NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


@dataclass(frozen=True)
class Answer:
    """A whole answer of a pod.

    Args:
        pod: who answered.
        status: HTTP status.
        headers: case-insensitive, repeated ones kept.
        body: decoded of its content encoding.
    """

    pod: str
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The parsed body; None when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Upstream:
    """Calls to pods.

    Args:
        conf: group `pods` is read.
        account: gives endpoints, and the token where the caller has none.
    """

    def __init__(self, conf: cfg.ConfigOpts, account: Account):
        self.conf, self.account = conf.pods, account
        # One pool for each pod and service: with too few of them every call to a hundred pods opens a connection anew.
        self._pool = urllib3.PoolManager(num_pools=MOST_ENDPOINTS, maxsize=conf.api.threads, block=False, retries=False,
                                         ca_certs=conf.service_account.cafile)
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._lock = threading.Lock()

    def breaker(self, pod: str, service: str) -> Breaker:
        """The breaker of a pod's service."""
        with self._lock:
            key = (pod, service)
            if key not in self._breakers:
                self._breakers[key] = Breaker(self.conf.breaker_failures, self.conf.breaker_seconds)
            return self._breakers[key]

    def call(self, pod: str, service: str, method: str, path: str, *, headers: dict[str, str] | None = None,
             body: bytes | None = None, deadline: Deadline | None = None) -> Answer:
        """One call, and its whole answer.

        Args:
            pod: pod's name.
            service: `compute`, `volume` or `network`.
            method: HTTP method.
            path: from the version on, with the query: `/v2.1/servers?limit=2`.
            headers: as they shall go out, token included; without any, the service account's token is used.
            body: request body.
            deadline: of the whole call; the configured one by default.

        Returns:
            The answer, whatever its status.

        Raises:
            PodUnreachable: no whole answer in time, or the breaker is open.
            EndpointMissing: the region has no such service.
            Unavailable: Keystone is needed and does not answer.
        """
        deadline = deadline or Deadline(self.conf.deadline)
        breaker = self.breaker(pod, service)
        if not breaker.allow():
            raise PodUnreachable(pod, service, "failed several times in a row; it is tried again shortly", sent=False)
        url = self.account.endpoint(pod, service) + path
        # All or nothing: with a default for one header a user's call could go out under our own token.
        sent = {"X-Auth-Token": self.account.token()} if headers is None else headers
        try:
            answer = self._exchange(pod, method, url, sent, body, deadline)
        except urllib3.exceptions.HTTPError as error:
            breaker.failed()
            raise PodUnreachable(pod, service, _reason(error), sent=not _never_sent(error)) from error
        breaker.succeeded()
        LOG.debug("%s %s %s -> %s %s", pod, method, path, answer.status,
                  answer.headers.get("x-openstack-request-id", ""))
        return answer

    def ask(self, pod: str, service: str, method: str, path: str, body: Any = None,
            deadline: Deadline | None = None, microversion: str = "") -> Answer:
        """A JSON call as the service account; a token that a pod refuses is renewed once. Raises as `call`."""
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

    def _exchange(self, pod: str, method: str, url: str, headers: dict[str, str], body: bytes | None,
                  deadline: Deadline) -> Answer:
        if deadline.passed():
            raise urllib3.exceptions.TimeoutError("the time for this request was used up before the call")
        timeout = urllib3.Timeout(connect=min(self.conf.connect_deadline, deadline.left()), read=deadline.left())
        response = self._pool.request(method, url, headers=headers, body=body, timeout=timeout, redirect=False,
                                      preload_content=False)
        try:
            parts = []
            # read1 gives what has come in; the time-out of a socket alone would start anew with every byte.
            while part := response.read1(CHUNK, decode_content=True):
                parts.append(part)
                if deadline.passed():
                    raise urllib3.exceptions.ReadTimeoutError(None, url, f"not finished in {deadline.seconds:g} s")
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return Answer(pod, response.status, response.headers, b"".join(parts))


def _never_sent(error: Exception) -> bool:
    return isinstance(error, NOT_SENT) or isinstance(getattr(error, "reason", None), NOT_SENT)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(error, NOT_SENT):
        return "gave no whole answer in time"
    if _never_sent(error):
        return "does not accept connections"
    return f"broke the connection ({type(error).__name__})"
