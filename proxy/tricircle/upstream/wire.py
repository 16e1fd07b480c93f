"""urllib3's connections, quick about what is plain: whole requests, and heads of answers, in one piece each.

http.client hands each header of a request through half a dozen functions, and reads those of an answer with the parser
for e-mail: more than the rest of a call to a pod. Here what one strict expression recognises takes a short way.
Whatever else there is (folded lines, odd names, lengths that are none or two, files, proxies) goes the stock way, and
is treated exactly as ever.
"""
import http.client
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"   # a token of RFC 9110 5.6.2
VALUE = r"[\t -~\x80-\xff]*"             # no control characters: nothing ends the line, and nothing is folded
IS_TOKEN, IS_VALUE = re.compile(NAME).fullmatch, re.compile(VALUE).fullmatch
IS_TARGET = re.compile(r"/[!-~]*").fullmatch
HEAD = re.compile(rf"HTTP/1\.1 ([2-5]\d\d) ({VALUE})\r\n((?:{NAME}:{VALUE}\r\n)+)\r\n".encode("latin-1"))
BODILESS = (204, 304)
IS_LENGTH = re.compile(r"[0-9]{1,18}").fullmatch   # int() raises from 4300 digits on
LONGEST_NAME = 64   # a thousand names are remembered, which are the users'
MOST_HEADERS = 99   # http.client counts the empty line, too
# What http.client or urllib3 would add were it missing, and what frames a body: that is theirs, or made here.
NEEDED = frozenset({"accept-encoding", "user-agent"})
FRAMING = frozenset({"host", "content-length", "transfer-encoding", "expect"})
EXPECT_NO_BODY = frozenset({"GET", "HEAD", "DELETE", "TRACE", "OPTIONS", "CONNECT"})
FOLD = re.compile(r"(?:(?<![ \t])[ \t]+)?\r\n[ \t]+")   # as urllib3's own: not quadratic in long blanks


@lru_cache(maxsize=1024)
def _lowered(name: str) -> str | None:
    """A header's name in lower case; None when it is none."""
    return name.lower() if IS_TOKEN(name) else None


def head(method: str, target: str, host: str, headers: Mapping[str, str], length: int | None) -> bytes | None:
    """The head of a request.

    Args:
        method, target: of the first line.
        host: with the port, where it is not the default one.
        headers: all others, but for the length.
        length: of the body; None: there is none, and none is expected.

    Returns:
        Bytes; None for what is not plain.
    """
    if any(len(name) > LONGEST_NAME for name in headers):
        return None
    names = set(map(_lowered, headers))
    if None in names or not names >= NEEDED or names & FRAMING or not (IS_TOKEN(method) and IS_TARGET(target)):
        return None
    if not all(isinstance(value, str) and IS_VALUE(value) for value in headers.values()):
        return None
    framing = "" if length is None else f"Content-Length: {length}\r\n"
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{framing}{lines}\r\n".encode("latin-1")


class QuickResponse(http.client.HTTPResponse):
    """An answer whose head is taken in one piece where it is plain; `fields` are its headers."""

    def begin(self) -> None:
        """Read the head. Raises as http.client's."""
        seen = HEAD.match(self.fp.peek()) if self.headers is None else None
        if not seen or not self._take(seen):
            super().begin()
            # Folded lines are put together, as urllib3 does.
            self.fields = urllib3.HTTPHeaderDict((name, FOLD.sub(" ", value)) for name, value in self.msg.items())

    def _take(self, seen: re.Match) -> bool:
        """Believe a head whose body is framed in one clear way; nothing was read of others."""
        pairs = [(name, value.lstrip(" \t")) for name, _, value in
                 (line.partition(":") for line in seen[3].decode("latin-1").split("\r\n")[:-1])]
        framing = [(name.lower(), value) for name, value in pairs
                   if name.lower() in ("content-length", "transfer-encoding", "connection")]
        status = int(seen[1])
        if len(pairs) > MOST_HEADERS or len(framing) != 1 or status in BODILESS or self._method == "HEAD":
            return False
        (name, value), = framing
        self.chunked = name == "transfer-encoding" and value.lower() == "chunked"
        if not self.chunked and not (name == "content-length" and IS_LENGTH(value)):
            return False
        self.fp.read(seen.end())
        self.code = self.status = status
        self.reason, self.version, self.will_close = seen[2].decode("latin-1").strip(), 11, False
        self.chunk_left, self.length = None, None if self.chunked else int(value)
        self.headers = self.msg = self.fields = urllib3.HTTPHeaderDict(pairs)
        return True


class Quick:
    """What both kinds of connections have in common; each method does what urllib3's own one does."""

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
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        self._asked = method, url, options
        self.send(made + body if body else made)

    @property
    def _host(self) -> str | None:
        """The Host header; None where it takes more than to write it down."""
        if not self.host.isascii() or ":" in self.host:
            return None
        return self.host if self.port == self.default_port else f"{self.host}:{self.port}"

    def getresponse(self) -> urllib3.HTTPResponse:
        """The answer, its body unread."""
        if self._asked is None:
            return super().getresponse()
        (method, url, options), self._asked = self._asked, None
        self.sock.settimeout(self.timeout)
        shutdown = getattr(self.sock, "shutdown", None)
        answer = self._answer = QuickResponse(self.sock, method=method)
        try:
            answer.begin()
        except BaseException:
            answer.close()
            self.close()
            raise
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


class Pool(urllib3.HTTPConnectionPool):
    """Of `QuickHTTP`."""

    ConnectionCls = QuickHTTP


class TLSPool(urllib3.HTTPSConnectionPool):
    """Of `QuickHTTPS`."""

    ConnectionCls = QuickHTTPS


def manager(**settings: Any) -> urllib3.PoolManager:
    """A PoolManager of such connections.

    Args:
        settings: as PoolManager takes them.
    """
    made = urllib3.PoolManager(**settings)
    made.pool_classes_by_scheme = {"http": Pool, "https": TLSPool}
    return made
