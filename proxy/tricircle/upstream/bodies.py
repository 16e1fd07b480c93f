"""Bodies of pods' answers: whole where ids are looked for in them, piece by piece where they only pass through."""
import logging
import time
from collections.abc import Iterator
from typing import BinaryIO

import urllib3

from tricircle.upstream import wire
from tricircle.upstream.deadline import Deadline

LOG = logging.getLogger(__name__)
CHUNK = 1 << 16
LONGEST_TEXT = 1 << 20
# A body that passes through may take the pod PATIENCE seconds, and a second more for each SLOWEST bytes.
PATIENCE, SLOWEST = 60.0, 1 << 14
MOST = 64 << 20   # of a body that is kept in memory: thirty times a page of a thousand servers


class Paced:
    """A body that may take PATIENCE, and a second more for each SLOWEST bytes, until it is sent.

    Args:
        file: its bytes.
    """

    def __init__(self, file: BinaryIO):
        self._file, self._until = file, time.monotonic() + PATIENCE

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes. Raises ReadTimeoutError when the pod takes its time over those before them."""
        if time.monotonic() > self._until:
            raise urllib3.exceptions.ReadTimeoutError(None, "", "the pod takes an upload too slowly")
        part = self._file.read(size)
        self._until += len(part) / SLOWEST
        return part


class TooLong(urllib3.exceptions.HTTPError):
    """A body is longer than we keep."""


def passes_through(response: urllib3.BaseHTTPResponse) -> bool:
    """Whether a body is handed on as it is: it is neither JSON, nor an error, nor a short text."""
    kind = response.headers.get("content-type", "").lower()
    length = response.length_remaining   # None where the pod does not say it
    if not kind or "json" in kind or response.status >= 400 or length == 0:
        return False
    return not kind.startswith("text/") or length is None or length > LONGEST_TEXT


def decodable(response: urllib3.BaseHTTPResponse) -> bool:
    """Whether a body's content encodings, which were not asked for, can be taken off."""
    if "content-encoding" not in response.headers:
        return True
    encodings = response.headers["content-encoding"].lower().split(",")
    return all(each.strip() in (*urllib3.HTTPResponse.CONTENT_DECODERS, "identity", "") for each in encodings)


def whole(response: urllib3.BaseHTTPResponse, deadline: Deadline) -> bytes:
    """Read a body to its end.

    Raises:
        urllib3.exceptions.HTTPError: it broke off, cannot be decoded, or took too long.
        TooLong: it has no end.
    """
    parts, size = [], 0
    # read1 gives what has come in; the time-out of a socket alone would start anew with every byte.
    while part := read(response):
        parts.append(part)
        size += len(part)
        if size > MOST:
            raise TooLong(f"a body of more than {MOST} bytes")
        if response.length_remaining == 0 and "content-encoding" not in response.headers:
            break   # there is nothing to wait for
        if deadline.passed():
            raise urllib3.exceptions.ReadTimeoutError(None, "", f"not finished in {deadline.seconds:g} s")
    response.release_conn()
    return b"".join(parts)


def read(response: urllib3.BaseHTTPResponse) -> bytes:
    """The next piece, decoded of its content encoding; empty at the end."""
    return response.read1(CHUNK, decode_content=True)


def pieces(response: urllib3.BaseHTTPResponse, first: bytes, pod: str, seconds: float) -> Iterator[bytes]:
    """A body while it comes in; closed half-way, it closes the connection to the pod.

    Nobody knows how long a whole one may take, with a client as slow as they like at the other end. So only the time
    counts in which the pod is waited for.

    Args:
        response: with its body unread but for `first`.
        first: its first piece.
        pod: for the log.
        seconds: for each piece. All of them together may take PATIENCE, and a second more for each SLOWEST bytes.

    Raises:
        urllib3.exceptions.HTTPError: it broke off. The server then cuts the client's connection without the end that
            HTTP promises, so that half a body does not look like a whole one.
    """
    part, size, waited = first, 0, 0.0
    try:
        while part:
            size += len(part)
            yield part
            began = time.monotonic()
            wire.set_deadline(response, began + seconds)
            part = read(response)
            waited += time.monotonic() - began
            if waited > max(seconds, PATIENCE) + size / SLOWEST:
                raise urllib3.exceptions.ReadTimeoutError(None, "", f"only {size} bytes in {waited:.0f} s")
        response.release_conn()
    except urllib3.exceptions.HTTPError as error:
        LOG.warning("pod %s broke off in the middle of a body: %s", pod, error)
        raise
    finally:
        response.close()   # after a whole body this is nothing: the connection has gone back to the pool
