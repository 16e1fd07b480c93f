"""urllib3's connections, quick about what is plain: whole requests, and answers that come whole.

Whatever else there is (see heads.py; also files, proxies, long bodies) goes the stock way, and is treated exactly as
ever.
"""
import contextlib
import functools
import http.client
import io
import math
import re
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_match_hostname import CertificateError

from tricircle.upstream import sockets
from tricircle.upstream.heads import BODILESS, Fields, head, parse
from tricircle.upstream.sockets import left

NO_RETRIES = urllib3.Retry(total=False, redirect=False)
BLOCK = 1 << 16
LONGEST = 1 << 20      # bytes of a body that is read at once
# Targets that urllib3 sends unchanged (its _encode_target). Others go its way: else a target would have two spellings.
IS_PLAIN = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*").fullmatch
EXPECT_NO_BODY = frozenset({"GET", "HEAD", "DELETE", "TRACE", "OPTIONS", "CONNECT"})
FOLD = re.compile(r"(?:(?<![ \t])[ \t]+)?\r\n[ \t]+")   # as urllib3's own: not quadratic in long blanks


class Whole(NamedTuple):
    """An answer whose body has come in.

    Args:
        status: HTTP status.
        headers: of it.
        data: the body, which has no content encoding.
    """

    status: int
    headers: Fields
    data: bytes

    @property
    def length_remaining(self) -> int:
        """Return the length of the body in bytes, as urllib3's responses name it before their body is read."""
        return len(self.data)


class Again(io.RawIOBase):
    """A socket's bytes, beginning with some that were read before.

    Args:
        before: these.
        rest: reads the socket.
        sock: the socket.
        end: by the monotonic clock, when all that is asked for has to be there, see `set_deadline`. A time-out of the
            socket alone begins anew with each byte.
    """

    def __init__(self, before: bytes, rest: io.RawIOBase, sock: socket.socket, end: float):
        self._before, self._rest, self._sock, self.end = memoryview(before), rest, sock, end

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read some bytes, as io.RawIOBase says."""
        if not self._before:
            if self.end < math.inf:
                self._sock.settimeout(left(self.end))
            return self._rest.readinto(buffer)
        count = min(len(buffer), len(self._before))
        buffer[:count], self._before = self._before[:count], self._before[count:]
        return count

    def close(self) -> None:
        """Close the socket's file."""
        super().close()
        self._rest.close()


class FinalResponse(http.client.HTTPResponse):
    """The final answer to a request. http.client takes an interim one other than 100 for it, and the final one, which
    comes later, for the answer to the next request over the connection (RFC 9110 15.2).
    """

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()
        while http.client.CONTINUE < status < http.client.OK:
            if status == http.client.SWITCHING_PROTOCOLS:
                raise http.client.HTTPException("switches to a protocol that was not asked for")
            http.client.parse_headers(self.fp)
            version, status, reason = super()._read_status()
        return version, status, reason

    def begin(self) -> None:
        """Read the head. After a body that must not be the connection is of no use (RFC 9112 6.3)."""
        super().begin()
        if self.status in BODILESS and (self.msg.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.msg):
            self.will_close = True


class QuickResponse(FinalResponse):
    """An answer whose head is taken in one piece where it is plain; `fields` are its headers."""

    source: Again | None = None

    def after(self, data: bytes, sock: socket.socket, end: float) -> None:
        """Begin with bytes that were read before; arguments as of Again."""
        self.source = Again(data, self.fp.detach(), sock, end)
        self.fp = io.BufferedReader(self.source)

    def begin(self) -> None:
        """Read the head. Raises as http.client's."""
        head = parse(self.fp.peek()) if self.headers is None and self._method != "HEAD" else None
        if head is None:
            super().begin()
            # Folded lines are put together, as urllib3 does.
            self.fields = urllib3.HTTPHeaderDict((name, FOLD.sub(" ", value)) for name, value in self.msg.items())
            return
        self.fp.read(head.end)
        self.code = self.status = head.status
        self.reason, self.version, self.will_close = head.reason, 11, head.closes
        self.chunked, self.chunk_left, self.length = head.length is None, None, head.length
        self.headers = self.msg = self.fields = urllib3.HTTPHeaderDict(head.pairs)


def set_deadline(response: urllib3.BaseHTTPResponse, end: float) -> None:
    """Set when, by the monotonic clock, what is read next of a body has to be there: before, that is the call's end."""
    origin = response._original_response
    if isinstance(origin, QuickResponse) and origin.source:   # an upload's answer has a time-out for each byte alone
        origin.source.end = end


class Quick:
    """What both kinds of connections have in common; each method does what urllib3's own one does."""

    response_class = FinalResponse
    _asked: tuple[str, str, dict[str, Any]] | None = None   # method, target, options of the answer
    _answer: QuickResponse | None = None

    def request(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, *,
                chunked: bool = False, **options: Any) -> None:
        """Send a request."""
        if self._answer is not None and not self._answer.isclosed():
            raise http.client.CannotSendRequest("the answer before was not read to its end")
        self._asked = self._answer = None
        made = None
        if not chunked and isinstance(body, bytes | None) and not self.proxy and self._host:
            length = len(body) if body is not None else None if method.upper() in EXPECT_NO_BODY else 0
            made = head(method, url, self._host, headers or {}, length)
        if made is None:
            super().request(method, url, body, headers, chunked=chunked, **options)
            return
        self._asked = method, url, options
        self._send(made + body if body else made)

    def _send(self, data: bytes) -> None:
        if sockets.is_plain(self.sock) and self._has_timeout:
            sockets.send(self.sock, data, time.monotonic() + self.timeout)
            return
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        self.send(data)

    @property
    def _has_timeout(self) -> bool:
        """Whether `timeout` is a number of seconds."""
        return isinstance(self.timeout, int | float)

    @functools.cached_property
    def _host(self) -> str | None:
        """The Host header; None where it takes more than to write it down."""
        if not self.host.isascii() or ":" in self.host:
            return None
        return self.host if self.port == self.default_port else f"{self.host}:{self.port}"

    def getresponse(self) -> urllib3.HTTPResponse:
        """Return the answer, its body unread."""
        return super().getresponse() if self._asked is None else self._unread(self._begun())

    def answer(self, end: float) -> Whole | urllib3.HTTPResponse:
        """Return the answer to a request: whole, where it is plain and short JSON, or has come at once; else unread.

        Args:
            end: by the monotonic clock, when it has to be whole.

        Raises:
            OSError, http.client.HTTPException: as `getresponse`.
        """
        if self._asked is None:
            return super().getresponse()
        data = self._more(end)
        head = parse(data) if self._asked[0] != "HEAD" else None
        if head is None or head.length is None or head.length > LONGEST or head.encoded:
            return self._unread(self._begun(data, end))
        while len(data) < head.end + head.length:
            if not head.json:   # it need not be waited for
                return self._unread(self._begun(data, end))
            more = self._more(end)
            if not more:
                return self._unread(self._begun(data, end))   # whoever reads it says that it broke off
            data += more
        self._asked = None
        if head.closes or len(data) > head.end + head.length:   # nobody has asked for more
            self.close()
        return Whole(head.status, Fields(head.pairs), data[head.end:head.end + head.length])

    def _more(self, end: float) -> bytes:
        """Return what comes next, nothing at the end. Raises TimeoutError when it is too late."""
        if sockets.is_plain(self.sock):
            return sockets.receive(self.sock, BLOCK, end)
        self.sock.settimeout(left(end))
        return self.sock.recv(BLOCK)

    def _begun(self, data: bytes = b"", end: float = math.inf) -> QuickResponse:
        if self._has_timeout:
            end = min(end, time.monotonic() + self.timeout)
        if self.sock.gettimeout() == 0:   # left so by sockets.send and sockets.receive
            self.sock.settimeout(self.timeout if self._has_timeout else None)
        answer = self._answer = QuickResponse(self.sock, method=self._asked[0])
        answer.after(data, self.sock, end)
        try:
            answer.begin()
        except BaseException:
            answer.close()
            self.close()
            raise
        if self._has_timeout:
            self.sock.settimeout(self.timeout)
        return answer

    def _unread(self, answer: QuickResponse) -> urllib3.HTTPResponse:
        (method, url, options), self._asked = self._asked, None
        shutdown = getattr(self.sock, "shutdown", None)
        if answer.will_close:
            self.close()
        return urllib3.HTTPResponse(
            body=answer, headers=answer.fields, status=answer.status, version=answer.version,
            version_string="HTTP/1.1" if answer.version == 11 else "HTTP/1.0", reason=answer.reason,
            original_response=answer, request_method=method, request_url=url, sock_shutdown=shutdown, **options)


class QuickHTTP(Quick, HTTPConnection):
    """For http://."""


class QuickHTTPS(Quick, HTTPSConnection):
    """For https://."""


class Direct:
    """Adds `ask` to urllib3's pools of plain and of TLS connections."""

    def ask(self, method: str, target: str, body: Any, headers: dict[str, str],
            connect: float, seconds: float) -> Whole | urllib3.BaseHTTPResponse:
        """Make one call.

        That is without urllib3's bookkeeping for redirects, retries, proxies and bodies that may come later, which is
        more work than the call.

        Args:
            method, target: of the first line.
            body: bytes, a file, or None.
            headers: as they go out.
            connect: seconds for a new connection.
            seconds: for the call.

        Returns:
            The answer: whole, or its body unread.

        Raises:
            urllib3.exceptions.HTTPError: as `urlopen`.
        """
        conn = self._get_conn()
        if not isinstance(body, bytes | None) or not IS_PLAIN(target):
            self._put_conn(conn)
            return self.urlopen(method, target, body=body, headers=headers, redirect=False, retries=NO_RETRIES,
                                timeout=urllib3.Timeout(connect=connect, read=seconds), preload_content=False)
        try:
            if conn.is_closed:
                self._open(conn, connect)
            answer = self._exchange(conn, method, target, body, headers, seconds)
        except BaseException as error:
            conn.close()
            self._put_conn(None)
            known = _known(error)
            if known is error:
                raise
            raise known from error
        if isinstance(answer, Whole):
            self._put_conn(conn)
        else:   # whoever reads the body to its end gives the connection back
            answer.retries, answer._connection, answer._pool = NO_RETRIES, conn, self
        return answer

    def _open(self, conn: Quick, seconds: float) -> None:
        """Open a new connection. Raises what urllib3 raises for it, and for TLS what `ssl` raises."""
        conn.timeout = seconds
        try:
            self._validate_conn(conn)   # TLS, which says what it does not like about a certificate
        except (TimeoutError, ssl.SSLError) as error:
            self._raise_timeout(err=error, url="", timeout_value=seconds)
            raise
        if conn.is_closed:
            conn.connect()

    def _exchange(self, conn: Quick, method: str, target: str, body: bytes | None, headers: dict[str, str],
                  seconds: float) -> Whole | urllib3.BaseHTTPResponse:
        conn.timeout, end = seconds, time.monotonic() + seconds
        # The server may have answered before it closed the connection.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            conn.request(method, target, body, headers, preload_content=False)
        try:
            return conn.answer(end)
        except OSError as error:
            self._raise_timeout(err=error, url=target, timeout_value=seconds)
            raise


def _known(error: BaseException) -> BaseException:
    """Return what urllib3 would raise in the place of an error of a socket."""
    if isinstance(error, ssl.SSLError | CertificateError):
        return urllib3.exceptions.SSLError(error)
    if isinstance(error, OSError | http.client.HTTPException):
        return urllib3.exceptions.ProtocolError("Connection aborted.", error)
    return error


class Pool(Direct, urllib3.HTTPConnectionPool):
    """Of `QuickHTTP`."""

    ConnectionCls, QueueCls = QuickHTTP, sockets.IdleConnections


class TLSPool(Direct, urllib3.HTTPSConnectionPool):
    """Of `QuickHTTPS`."""

    ConnectionCls, QueueCls = QuickHTTPS, sockets.IdleConnections


def manager(**settings: Any) -> urllib3.PoolManager:
    """A PoolManager of such connections.

    Args:
        settings: as PoolManager takes them.
    """
    made = urllib3.PoolManager(**settings)
    made.pool_classes_by_scheme = {"http": Pool, "https": TLSPool}
    return made
